/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts by hand: the certificate is a stub, so that it can say what no parser would let through.
 */
#include <stdlib.h>

#include "pki/verdict.c"
#include "test.h"

struct certificate {
    const char *subject, *issuer, *serial, *sha256;
    struct certificate_facts facts;
};

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

const char *certificate_subject(const struct certificate *c)
{
    return c->subject;
}

const char *certificate_issuer(const struct certificate *c)
{
    return c->issuer;
}

const char *certificate_serial(const struct certificate *c)
{
    return c->serial;
}

const char *certificate_sha256(const struct certificate *c)
{
    return c->sha256;
}

void certificate_list_fini(struct certificate_list *l)
{
    *l = (struct certificate_list){0};
}

static const enum revocation_policy policies[] = {
    REVOCATION_OFF, REVOCATION_HARD, REVOCATION_SOFT, REVOCATION_GRACE};

/* The rule of DESIGN.md 1.1, written another way than in the code. */
static bool may_enter(
    const enum factor_result r[FACTOR_COUNT], unsigned found, enum revocation_policy policy)
{
    bool tolerates = policy == REVOCATION_OFF || policy == REVOCATION_SOFT;
    return !found && r[FACTOR_TRUST] == FACTOR_PASS && r[FACTOR_VALIDITY] == FACTOR_PASS &&
           (r[FACTOR_REVOCATION] == FACTOR_PASS ||
               (r[FACTOR_REVOCATION] == FACTOR_UNKNOWN && tolerates)) &&
           (r[FACTOR_NAME] == FACTOR_PASS || r[FACTOR_NAME] == FACTOR_SKIPPED);
}

static struct verdict decided(
    const enum factor_result r[FACTOR_COUNT], unsigned found, enum revocation_policy policy)
{
    struct verdict v;
    verdict_init(&v);
    /* It may not rely on what was there. */
    v.accepted = true;
    v.reason = REASON_ACCEPTED;
    for (int f = 0; f < FACTOR_COUNT; f++)
        v.factors[f].result = r[f];
    verdict_decide(&v, found, policy);
    return v;
}

TEST(every_combination_is_denied_unless_allowed)
{
    int accepted = 0;
    for (int code = 0; code < 256; code++) {
        enum factor_result r[FACTOR_COUNT] = {
            code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3};
        for (size_t p = 0; p < COUNT_OF(policies); p++) {
            /* Nothing found, each reason by itself, and a bit that is no reason at all. */
            for (int bit = -1; bit <= REASON_COUNT; bit++) {
                unsigned found = bit < 0 || bit == REASON_ACCEPTED ? 0 : 1u << bit;
                struct verdict v = decided(r, found, policies[p]);
                CHECK_INT(v.accepted, may_enter(r, found, policies[p]));
                CHECK_INT(v.accepted, v.reason == REASON_ACCEPTED);
                accepted += v.accepted;
            }
        }
    }
    /* pass or skipped name; revocation passes under 4 policies, is unknown under 2; `found` empty
     * twice. */
    CHECK_INT(accepted, 2 * (4 + 2) * 2);
}

TEST(a_result_or_policy_out_of_range_is_denied)
{
    for (int f = 0; f < FACTOR_COUNT; f++) {
        enum factor_result r[FACTOR_COUNT] = {FACTOR_PASS, FACTOR_PASS, FACTOR_PASS, FACTOR_PASS};
        r[f] = (enum factor_result)9;
        CHECK(!decided(r, 0, REVOCATION_OFF).accepted);
    }
    enum factor_result unknown[FACTOR_COUNT] = {
        FACTOR_PASS, FACTOR_UNKNOWN, FACTOR_PASS, FACTOR_PASS};
    CHECK(!decided(unknown, 0, (enum revocation_policy)9).accepted);
}

TEST(the_first_reason_that_applies)
{
    enum factor_result good[FACTOR_COUNT] = {FACTOR_PASS, FACTOR_PASS, FACTOR_PASS, FACTOR_PASS};
    enum factor_result bad[FACTOR_COUNT] = {FACTOR_FAIL, FACTOR_FAIL, FACTOR_FAIL, FACTOR_FAIL};
    for (int first = 0; first < REASON_ACCEPTED; first++)
        for (int second = first; second < REASON_ACCEPTED; second++) {
            unsigned found = REASON_BIT(first) | REASON_BIT(second);
            CHECK_INT(decided(good, found, REVOCATION_HARD).reason, first);
        }
    CHECK_INT(decided(bad, 0, REVOCATION_OFF).reason, REASON_UNTRUSTED);
    CHECK_INT(decided(bad, REASON_BIT(REASON_WEAK_ALGORITHM), REVOCATION_OFF).reason,
        REASON_WEAK_ALGORITHM);
    bad[FACTOR_TRUST] = FACTOR_PASS;
    CHECK_INT(
        decided(bad, REASON_BIT(REASON_NOT_YET_VALID), REVOCATION_OFF).reason, REASON_REVOKED);
    bad[FACTOR_REVOCATION] = FACTOR_UNKNOWN;
    CHECK_INT(decided(bad, 0, REVOCATION_HARD).reason, REASON_EXPIRED);
    CHECK_INT(decided(bad, REASON_BIT(REASON_NOT_YET_VALID), REVOCATION_HARD).reason,
        REASON_NOT_YET_VALID);
    bad[FACTOR_VALIDITY] = FACTOR_PASS;
    CHECK_INT(decided(bad, 0, REVOCATION_HARD).reason, REASON_WRONG_NAME);
    bad[FACTOR_NAME] = FACTOR_SKIPPED;
    CHECK_INT(decided(bad, 0, REVOCATION_HARD).reason, REASON_REVOCATION_UNKNOWN);
    CHECK_INT(decided(bad, 0, REVOCATION_GRACE).reason, REASON_REVOCATION_UNKNOWN);
    CHECK_INT(decided(bad, 0, REVOCATION_SOFT).reason, REASON_ACCEPTED);
}

TEST(the_order_of_precedence_is_the_design)
{
    static const char *const tokens[] = {"no_certificate", "malformed", "limit", "untrusted",
        "bad_signature", "bad_ca", "path_length", "depth", "name_constraint", "unknown_critical",
        "weak_algorithm", "policy", "wrong_usage", "revoked", "expired", "not_yet_valid",
        "wrong_name", "revocation_unknown", "accepted"};
    CHECK_INT(REASON_COUNT, COUNT_OF(tokens));
    for (int r = 0; r < REASON_COUNT; r++) {
        CHECK_TEXT(reason_token(r), tokens[r]);
        CHECK((reason_alert(r) != 0) == (r != REASON_ACCEPTED));
        CHECK((reason_remedy(r)[0] != 0) == (r != REASON_ACCEPTED));
    }
}

TEST(before_anything_is_decided)
{
    struct verdict v;
    verdict_init(&v);
    CHECK(!v.accepted && v.reason != REASON_ACCEPTED);
    for (int f = 0; f < FACTOR_COUNT; f++)
        CHECK_INT(v.factors[f].result, FACTOR_FAIL);
    verdict_no_certificate(&v, false);
    CHECK(!v.accepted && v.reason == REASON_NO_CERTIFICATE);
    verdict_no_certificate(&v, true);
    CHECK(v.accepted && v.reason == REASON_NO_CERTIFICATE);
    for (int f = 0; f < FACTOR_COUNT; f++)
        CHECK_INT(v.factors[f].result, FACTOR_SKIPPED);
    verdict_fini(&v);
}

static void check_json(const struct verdict *v, const char *want)
{
    struct buf out;
    struct json j;
    buf_init(&out, 65536);
    json_init(&j, &out);
    verdict_json(v, &j, NULL);
    CHECK(!json_failed(&j));
    CHECK(buf_append(&out, (struct bytes){(const uint8_t *)"", 1}) == 0);
    CHECK_TEXT((const char *)buf_bytes(&out).at, want);
    buf_fini(&out);
}

TEST(as_json)
{
    struct certificate_name names[] = {
        {NAME_DNS, BYTES("alice.example")}, {NAME_DNS, BYTES("a\0b\"\n")}};
    struct certificate alice = {.subject = "CN=alice\n\"\xff",
        .issuer = "CN=Clients CA",
        .serial = "1a2b",
        .sha256 = "ab",
        .facts = {
            .not_before = 0, .not_after = 1801440000, .names = names, .names_n = COUNT_OF(names)}};
    struct certificate *chain[] = {&alice};
    struct verdict v;
    verdict_init(&v);
    v.chain = (struct certificate_list){chain, 1};
    verdict_set(&v, FACTOR_VALIDITY, FACTOR_PASS, "until %s", "x");
    verdict_set(&v, FACTOR_REVOCATION, FACTOR_UNKNOWN, "%s", "");
    verdict_set(&v, FACTOR_TRUST, FACTOR_PASS, "CN=Clients CA");
    verdict_set(&v, FACTOR_NAME, FACTOR_SKIPPED, "%s", "");
    verdict_decide(&v, 0, REVOCATION_OFF);
    check_json(&v, "{\"accepted\":true,\"reason\":\"accepted\",\"factors\":{"
                   "\"validity\":{\"verdict\":\"pass\",\"detail\":\"until x\"},"
                   "\"revocation\":{\"verdict\":\"unknown\",\"detail\":\"\"},"
                   "\"trust\":{\"verdict\":\"pass\",\"detail\":\"CN=Clients CA\"},"
                   "\"name\":{\"verdict\":\"skipped\",\"detail\":\"\"}},"
                   "\"chain\":[{\"subject\":\"CN=alice\\u000a\\\"\\u00ff\",\"issuer\":\"CN=Clients "
                   "CA\",\"serial\":\"1a2b\","
                   "\"sha256\":\"ab\",\"not_before\":\"1970-01-01T00:00:00Z\",\"not_after\":\"2027-"
                   "02-01T00:00:00Z\","
                   "\"names\":[\"DNS:alice.example\",\"DNS:a\\\\x00b\\\\x22\\\\x0a\"]}]}");
}

TEST(as_json_it_is_bounded)
{
    static char long_text[60000];
    static struct certificate_name names[5000];
    memset(long_text, 'a', sizeof(long_text) - 1);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        names[i] = (struct certificate_name){NAME_DNS, BYTES("a")};
    struct certificate huge = {.subject = long_text,
        .issuer = long_text,
        .serial = long_text,
        .sha256 = "",
        .facts = {.names = names, .names_n = COUNT_OF(names)}};
    struct certificate *chain[] = {&huge};
    struct verdict v;
    verdict_init(&v);
    v.chain = (struct certificate_list){chain, 1};
    verdict_set(&v, FACTOR_TRUST, FACTOR_FAIL, "%s", long_text);
    CHECK_INT(strlen(v.factors[FACTOR_TRUST].detail), sizeof(v.factors[0].detail) - 1);
    struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
    json_init(&j, &out);
    verdict_json(&v, &j, "peer");
    CHECK(!json_failed(&j));
    CHECK(buf_size(&out) < 3 * VERDICT_TEXT_MAX + VERDICT_NAMES_MAX * 8 + 2048);
    buf_fini(&out);
}

TEST(an_explanation_has_reason_remedy_and_the_deciding_detail)
{
    struct verdict v;
    char text[512];
    verdict_init(&v);
    v.reason = REASON_REVOKED;
    snprintf(v.factors[FACTOR_REVOCATION].detail, sizeof(v.factors[0].detail),
        "serial 1a2b revoked 2026-11-01");
    snprintf(v.factors[FACTOR_TRUST].detail, sizeof(v.factors[0].detail), "CN=Clients CA");
    verdict_explain(&v, text, sizeof(text));
    CHECK(strncmp(text, "revoked: issue a new certificate", 32) == 0);
    CHECK(strstr(text, "(serial 1a2b revoked 2026-11-01)") != NULL);
    CHECK(strstr(text, "Clients CA") == NULL);
    v.reason = REASON_NO_CERTIFICATE;
    verdict_explain(&v, text, sizeof(text));
    CHECK(strncmp(text, "no_certificate: the peer presented no certificate", 49) == 0);
    CHECK(strchr(text, '(') == NULL);
    verdict_fini(&v);
}
