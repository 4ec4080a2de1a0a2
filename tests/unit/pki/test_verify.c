/* SPDX-License-Identifier: Apache-2.0 */
/* The four factors of real certificates: each reason provoked, each detail seen. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "forge.h"
#include "pki/verify.h"
#include "test.h"

#define NOW FORGE_NOW
#define DAY FORGE_DAY

/* A policy that trusts ANCHOR alone. */
static struct verify_policy policy_of(const struct forged *anchor, enum path_purpose purpose)
{
    struct certificate_list list = {0};
    certificate_list_add(&list, anchor->certificate);
    struct verify_policy p = {
        .purpose = purpose,
        .anchors = path_store_new(&list, false),
        .depth_max = VERIFY_DEPTH_DEFAULT,
    };
    certificate_list_fini(&list);
    return p;
}

static void add_crl(struct verify_policy *p, struct bytes der)
{
    struct crl_list list = {0};
    struct error err = {""};
    CHECK_INT(crl_list_parse(der, &list, &err), 0);
    crl_list_append(&p->crls, &list);
    crl_list_fini(&list);
}

/* The verdict on LEAF, sent with INTERMEDIATE (or NULL). */
static struct verdict judge(
    const struct verify_policy *p, const struct forged *leaf, const struct forged *intermediate)
{
    const struct certificate *chain[] = {
        leaf->certificate, intermediate ? intermediate->certificate : NULL};
    struct verdict v;
    verify_chain(p, chain, intermediate ? 2 : 1, NOW, &v);
    CHECK_INT(v.accepted, v.reason == REASON_ACCEPTED);
    return v;
}

/* As one line: the reason and the four results, "revoked: pass fail pass skipped" (validity,
 * revocation, trust, name). */
static const char *line_of(const struct verdict *v)
{
    static char line[128];
    size_t n = (size_t)snprintf(line, sizeof(line), "%s:", reason_token(v->reason));
    for (int f = 0; f < FACTOR_COUNT; f++)
        n += (size_t)snprintf(
            line + n, sizeof(line) - n, " %s", factor_result_token(v->factors[f].result));
    return line;
}

#define DETAIL(v, factor) ((v).factors[FACTOR_##factor].detail)

static void check_line(const struct verify_policy *p, const struct forged *leaf,
    const struct forged *intermediate, const char *want)
{
    struct verdict v = judge(p, leaf, intermediate);
    CHECK_TEXT(line_of(&v), want);
    if (strcmp(line_of(&v), want) != 0)
        printf("# %s\n", DETAIL(v, TRUST));
    verdict_fini(&v);
}

TEST(a_good_client)
{
    const struct forged *ca = forge_ca("Clients CA", NULL),
                        *alice = forge_leaf("alice", ca, "DNS:alice.example");
    struct name_pattern names[] = {
        {NAME_DNS, BYTES("bob.example"), true}, {NAME_DNS, BYTES("*.example"), true}};
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    add_crl(&p, forge_crl(ca, NOW - DAY, NOW + DAY, NULL));
    p.revocation = REVOCATION_HARD;
    p.names = names;
    p.names_n = 2;
    struct verdict v = judge(&p, alice, NULL);
    CHECK_TEXT(line_of(&v), "accepted: pass pass pass pass");
    CHECK_TEXT(DETAIL(v, VALIDITY), "until 2027-02-14T08:00:00Z");
    CHECK_TEXT(DETAIL(v, REVOCATION), "CRL 17 of CN=Clients CA until 2027-01-16T08:00:00Z");
    CHECK_TEXT(DETAIL(v, TRUST), "CN=Clients CA");
    CHECK_TEXT(DETAIL(v, NAME), "DNS:alice.example");
    CHECK_INT(v.chain.n, 2);
    CHECK(v.chain.n == 2 && certificate_equal(v.chain.at[1], ca->certificate));
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(without_revocation_data_or_names)
{
    const struct forged *ca = forge_ca("CA", NULL),
                        *alice = forge_leaf("alice", ca, "DNS:alice.example");
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    struct verdict v = judge(&p, alice, NULL);
    CHECK_TEXT(line_of(&v), "accepted: pass unknown pass skipped");
    CHECK_TEXT(DETAIL(v, REVOCATION), "no revocation data configured");
    CHECK_TEXT(DETAIL(v, NAME), "");
    verdict_fini(&v);
    p.revocation = REVOCATION_HARD;
    check_line(&p, alice, NULL, "revocation_unknown: pass unknown pass skipped");
    verify_chain(&p, NULL, 0, NOW, &v);
    CHECK_TEXT(line_of(&v), "no_certificate: skipped skipped skipped skipped");
    CHECK(!v.accepted);
    verdict_fini(&v);
    verify_policy_fini(&p);
    CHECK(!p.anchors);
    check_line(&p, alice, NULL, "untrusted: pass unknown fail skipped");
    forge_reset();
}

static const struct forge_extension ca_extensions[] = {{"basicConstraints", "critical,CA:TRUE"},
    {"keyUsage", "critical,keyCertSign,cRLSign"}, {"subjectKeyIdentifier", "hash"}};
static const struct forge_extension leaf_extensions[] = {{"subjectAltName", "DNS:a.example"},
    {"extendedKeyUsage", "clientAuth"}, {"keyUsage", "critical,digitalSignature"}};

/* ISSUER -> intermediate with CA_EXTRA for one of the CA's extensions -> leaf with LEAF_EXTRA. */
struct trust_case {
    struct forge_extension ca_extra, leaf_extra;
    bool use_sha1, is_damaged;
    unsigned rsa_bits;
    const char *want;
};

static void set_extension(struct forge_extension list[6], const struct forge_extension *base,
    struct forge_extension extra)
{
    size_t n = 3;
    memcpy(list, base, n * sizeof(*list));
    for (size_t i = 0; extra.name && i < 3; i++)
        if (strcmp(base[i].name, extra.name) == 0)
            n = i;
    if (extra.name)
        list[n] = extra;
}

TEST(every_reason_of_trust)
{
    static const struct trust_case cases[] = {
        {.want = "accepted: pass unknown pass skipped"},
        {.is_damaged = true, .want = "bad_signature: pass unknown fail skipped"},
        {.ca_extra = {"keyUsage", "critical,cRLSign"}, .want = "bad_ca: pass unknown fail skipped"},
        {.ca_extra = {"nameConstraints", "critical,permitted;DNS:b.example"},
            .want = "name_constraint: pass unknown fail skipped"},
        {.leaf_extra = {"1.2.3.4", "critical,DER:0500"},
            .want = "unknown_critical: pass unknown fail skipped"},
        {.ca_extra = {"1.2.3.4", "critical,DER:0500"},
            .want = "unknown_critical: pass unknown fail skipped"},
        {.leaf_extra = {"1.2.3.4", "DER:0500"}, .want = "accepted: pass unknown pass skipped"},
        {.use_sha1 = true, .want = "weak_algorithm: pass unknown fail skipped"},
        {.rsa_bits = 1024, .want = "weak_algorithm: pass unknown fail skipped"},
        {.ca_extra = {"policyConstraints", "critical,requireExplicitPolicy:0"},
            .want = "policy: pass unknown fail skipped"},
        {.leaf_extra = {"extendedKeyUsage", "serverAuth"},
            .want = "wrong_usage: pass unknown fail skipped"},
        {.leaf_extra = {"extendedKeyUsage", "emailProtection"},
            .want = "wrong_usage: pass unknown fail skipped"},
        {.leaf_extra = {"keyUsage", "critical,keyEncipherment"},
            .want = "wrong_usage: pass unknown fail skipped"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct trust_case *c = &cases[i];
        struct forge_request ca = {.cn = "Issuing CA"}, leaf = {.cn = "a",
                                                            .use_sha1 = c->use_sha1,
                                                            .is_damaged = c->is_damaged,
                                                            .rsa_bits = c->rsa_bits};
        set_extension(ca.extensions, ca_extensions, c->ca_extra);
        set_extension(leaf.extensions, leaf_extensions, c->leaf_extra);
        const struct forged *root = forge_ca("Root", NULL);
        ca.issuer = root;
        leaf.issuer = forge_certificate(&ca);
        const struct forged *a = forge_certificate(&leaf);
        struct verify_policy p = policy_of(root, PATH_CLIENT);
        struct verdict v = judge(&p, a, leaf.issuer);
        if (strncmp(line_of(&v), c->want, strlen(c->want)) != 0)
            printf("# case %zu: %s, not %s: %s\n", i, line_of(&v), c->want, DETAIL(v, TRUST));
        CHECK(strncmp(line_of(&v), c->want, strlen(c->want)) == 0);
        CHECK(DETAIL(v, TRUST)[0]);
        verdict_fini(&v);
        verify_policy_fini(&p);
        forge_reset();
    }
}

TEST(strangers)
{
    const struct forged *ca = forge_ca("CA", NULL), *other = forge_ca("Other CA", NULL),
                        *same_name = forge_ca("CA", NULL);
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    check_line(
        &p, forge_leaf("a", other, "DNS:a.example"), NULL, "untrusted: pass unknown fail skipped");
    check_line(
        &p, forge_leaf("a", other, "DNS:a.example"), other, "untrusted: pass unknown fail skipped");
    check_line(
        &p, forge_leaf("a", NULL, "DNS:a.example"), NULL, "untrusted: pass unknown fail skipped");
    struct verdict v = judge(&p, forge_leaf("a", same_name, "DNS:a.example"), NULL);
    CHECK(!v.accepted && v.factors[FACTOR_TRUST].result == FACTOR_FAIL);
    verdict_fini(&v);
    /* A leaf of our CA that issues certificates. */
    const struct forged *leaf = forge_leaf("a", ca, "DNS:a.example");
    check_line(
        &p, forge_leaf("b", leaf, "DNS:b.example"), leaf, "bad_ca: pass unknown fail skipped");
    /* Without its intermediate. */
    check_line(&p, forge_leaf("a", forge_ca("Issuing CA", ca), "DNS:a.example"), NULL,
        "untrusted: pass unknown fail skipped");
    verify_policy_fini(&p);
    forge_reset();
}

TEST(chains_that_are_too_long)
{
    const struct forged *ca = forge_ca("CA", NULL), *below = forge_ca("Below", ca),
                        *leaf = forge_leaf("a", below, "DNS:a.example");
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    p.depth_max = 0;
    check_line(&p, leaf, below, "depth: pass unknown fail skipped");
    p.depth_max = 1;
    check_line(&p, leaf, below, "accepted: pass unknown pass skipped");
    verify_policy_fini(&p);

    const struct forged *narrow = forge_certificate(&(struct forge_request){.cn = "Narrow",
        .extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"},
            {"keyUsage", "critical,keyCertSign"}, {"subjectKeyIdentifier", "hash"}}});
    below = forge_ca("Below", narrow);
    p = policy_of(narrow, PATH_CLIENT);
    check_line(&p, forge_leaf("a", below, "DNS:a.example"), below,
        "path_length: pass unknown fail skipped");
    verify_policy_fini(&p);
    forge_reset();
}

TEST(limits)
{
    const struct forged *ca = forge_ca("CA", NULL), *leaf = forge_leaf("a", ca, "DNS:a.example");
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    const struct certificate *chain[VERIFY_CHAIN_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(chain); i++)
        chain[i] = leaf->certificate;
    struct verdict v;
    verify_chain(&p, chain, COUNT_OF(chain), NOW, &v);
    CHECK_TEXT(line_of(&v), "limit: unknown unknown fail unknown");
    CHECK_TEXT(DETAIL(v, TRUST), "11 certificates; at most 10 are accepted");
    CHECK_INT(v.chain.n, VERIFY_CHAIN_MAX);
    verdict_fini(&v);
    verify_chain(&p, chain, VERIFY_CHAIN_MAX, NOW, &v);
    CHECK_TEXT(line_of(&v), "accepted: pass unknown pass skipped");
    verdict_fini(&v);
    p.chain_max = VERIFY_CHAIN_MAX + 1;
    verify_chain(&p, chain, COUNT_OF(chain), NOW, &v);
    CHECK(v.accepted);
    verdict_fini(&v);
    p.chain_max = 0;

    for (int names = VERIFY_NAMES_MAX; names <= VERIFY_NAMES_MAX + 1; names++) {
        char san[(VERIFY_NAMES_MAX + 1) * 8] = "";
        for (int i = 0; i < names; i++)
            snprintf(
                san + strlen(san), sizeof(san) - strlen(san), "%sDNS:a%d", i ? "," : "", i % 10);
        check_line(&p, forge_leaf("a", ca, san), NULL,
            names > VERIFY_NAMES_MAX ? "limit: unknown unknown fail unknown"
                                     : "accepted: pass unknown pass skipped");
    }
    verify_policy_fini(&p);
    forge_reset();
}

/* A leaf valid from NOW+BEFORE to NOW+AFTER seconds. */
static const struct forged *leaf_in_time(const struct forged *ca, int64_t before, int64_t after)
{
    struct forge_request r = {
        .cn = "a", .issuer = ca, .not_before = NOW + before, .not_after = NOW + after};
    set_extension(r.extensions, leaf_extensions, (struct forge_extension){0});
    return forge_certificate(&r);
}

TEST(validity)
{
    const struct forged *ca = forge_ca("CA", NULL);
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    struct verdict v = judge(&p, leaf_in_time(ca, -DAY, -1), NULL);
    CHECK_TEXT(line_of(&v), "expired: fail unknown pass skipped");
    CHECK_TEXT(DETAIL(v, VALIDITY), "CN=a expired 2027-01-15T07:59:59Z");
    verdict_fini(&v);
    v = judge(&p, leaf_in_time(ca, 1, DAY), NULL);
    CHECK_TEXT(line_of(&v), "not_yet_valid: fail unknown pass skipped");
    CHECK_TEXT(DETAIL(v, VALIDITY), "CN=a not valid before 2027-01-15T08:00:01Z");
    verdict_fini(&v);
    /* RFC 5280 §4.1.2.5: both ends belong to it. */
    check_line(&p, leaf_in_time(ca, -DAY, 0), NULL, "accepted: pass unknown pass skipped");
    check_line(&p, leaf_in_time(ca, 0, DAY), NULL, "accepted: pass unknown pass skipped");
    verify_policy_fini(&p);
    forge_reset();
}

TEST(validity_of_the_whole_chain)
{
    struct forge_request old = {
        .cn = "Old CA", .not_before = NOW - 9 * DAY, .not_after = NOW - DAY};
    set_extension(old.extensions, ca_extensions, (struct forge_extension){0});
    const struct forged *root = forge_certificate(&old), *fresh_root = forge_ca("Root", NULL);
    struct verify_policy p = policy_of(root, PATH_CLIENT);
    struct verdict v = judge(&p, leaf_in_time(root, 1, DAY), NULL);
    CHECK_TEXT(line_of(&v), "expired: fail unknown pass skipped");
    CHECK_TEXT(DETAIL(v, VALIDITY), "CN=Old CA expired 2027-01-14T08:00:00Z");
    verdict_fini(&v);
    verify_policy_fini(&p);

    p = policy_of(fresh_root, PATH_CLIENT);
    old.issuer = fresh_root;
    const struct forged *between = forge_certificate(&old);
    check_line(&p, forge_leaf("a", between, "DNS:a.example"), between,
        "expired: fail unknown pass skipped");
    verify_policy_fini(&p);
    forge_reset();
}

/* An expired cross-certificate next to one of the same name and key that has not expired. */
TEST(an_expired_cross_certificate_does_no_harm)
{
    const struct forged *root = forge_ca("Root", NULL);
    struct forge_request cross = {
        .cn = "Issuing CA", .issuer = root, .not_before = NOW - 9 * DAY, .not_after = NOW - DAY};
    set_extension(cross.extensions, ca_extensions, (struct forge_extension){0});
    const struct forged *old = forge_certificate(&cross);
    cross.key_of = old;
    cross.not_before = cross.not_after = 0;
    const struct forged *fresh = forge_certificate(&cross),
                        *leaf = forge_leaf("a", fresh, "DNS:a.example");
    struct verify_policy p = policy_of(root, PATH_CLIENT);
    const struct certificate *chain[] = {leaf->certificate, old->certificate, fresh->certificate};
    struct verdict v;
    verify_chain(&p, chain, 3, NOW, &v);
    CHECK_TEXT(line_of(&v), "accepted: pass unknown pass skipped");
    verdict_fini(&v);
    verify_chain(&p, chain, 2, NOW, &v);
    CHECK_TEXT(line_of(&v), "expired: fail unknown pass skipped");
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(revoked_leaf_and_intermediate)
{
    const struct forged *root = forge_ca("Root", NULL), *ca = forge_ca("Clients CA", root);
    struct forge_request r = {.cn = "alice", .issuer = ca, .serial = 0x1a2b};
    set_extension(r.extensions, leaf_extensions, (struct forge_extension){0});
    const struct forged *alice = forge_certificate(&r),
                        *bob = forge_leaf("bob", ca, "DNS:bob.example");
    struct verify_policy p = policy_of(root, PATH_CLIENT);
    p.revocation = REVOCATION_SOFT;
    add_crl(&p, forge_crl(ca, NOW - DAY, NOW + DAY, alice));
    struct verdict v = judge(&p, alice, ca);
    CHECK_TEXT(line_of(&v), "revoked: pass fail pass skipped");
    CHECK_TEXT(DETAIL(v, REVOCATION),
        "serial 1a2b revoked 2027-01-14 (keyCompromise), CRL 17 of CN=Clients CA");
    verdict_fini(&v);
    check_line(&p, bob, ca, "accepted: pass unknown pass skipped");
    p.revocation = REVOCATION_HARD;
    check_line(&p, bob, ca, "revocation_unknown: pass unknown pass skipped");
    add_crl(&p, forge_crl(root, NOW - DAY, NOW + DAY, NULL));
    check_line(&p, bob, ca, "accepted: pass pass pass skipped");
    add_crl(&p, forge_crl(root, NOW - DAY, NOW + DAY, ca));
    check_line(&p, bob, ca, "revoked: pass fail pass skipped");
    p.leaf_only = true;
    check_line(&p, bob, ca, "accepted: pass pass pass skipped");
    verify_policy_fini(&p);
    forge_reset();
}

TEST(stale_future_and_foreign_crls_under_each_policy)
{
    static const char *const unknown[] = {
        [REVOCATION_OFF] = "accepted: pass unknown pass skipped",
        [REVOCATION_HARD] = "revocation_unknown: pass unknown pass skipped",
        [REVOCATION_SOFT] = "accepted: pass unknown pass skipped",
        [REVOCATION_GRACE] = "revocation_unknown: pass unknown pass skipped",
    };
    const struct forged *ca = forge_ca("CA", NULL), *impostor = forge_ca("CA", NULL),
                        *leaf = forge_leaf("a", ca, "DNS:a.example");
    const struct {
        struct bytes crl;
        const char *under_grace;
    } cases[] = {
        {forge_crl(ca, NOW - 9 * DAY, NOW - DAY, NULL), "accepted: pass pass pass skipped"},
        {forge_crl(ca, NOW - 9 * DAY, NOW - 3 * DAY, NULL), unknown[REVOCATION_GRACE]},
        {forge_crl(ca, NOW + DAY, NOW + 2 * DAY, NULL), unknown[REVOCATION_GRACE]},
        {forge_crl(impostor, NOW - DAY, NOW + DAY, NULL), unknown[REVOCATION_GRACE]},
        /* It lists the serial, but speaks for another CA. */
        {forge_crl(impostor, NOW - DAY, NOW + DAY, leaf), unknown[REVOCATION_GRACE]},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (enum revocation_policy policy = REVOCATION_OFF; policy <= REVOCATION_GRACE; policy++) {
            struct verify_policy p = policy_of(ca, PATH_CLIENT);
            p.revocation = policy;
            p.grace_s = 2 * DAY;
            add_crl(&p, cases[i].crl);
            check_line(&p, leaf, NULL,
                policy == REVOCATION_GRACE ? cases[i].under_grace : unknown[policy]);
            verify_policy_fini(&p);
        }
    /* A stale CRL that lists it still does. */
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    p.revocation = REVOCATION_SOFT;
    add_crl(&p, forge_crl(ca, NOW - 9 * DAY, NOW - DAY, leaf));
    check_line(&p, leaf, NULL, "revoked: pass fail pass skipped");
    verify_policy_fini(&p);
    forge_reset();
}

TEST(all_factors_are_evaluated)
{
    const struct forged *ca = forge_ca("CA", NULL), *other = forge_ca("Other CA", NULL);
    const struct forged *leaf = leaf_in_time(ca, -9 * DAY, -DAY),
                        *stranger = leaf_in_time(other, -9 * DAY, -DAY);
    struct name_pattern name = {NAME_DNS, BYTES("localhost"), false};
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    p.revocation = REVOCATION_HARD;
    p.names = &name;
    p.names_n = 1;
    add_crl(&p, forge_crl(ca, NOW - DAY, NOW + DAY, leaf));
    add_crl(&p, forge_crl(other, NOW - DAY, NOW + DAY, stranger));
    /* Both expired and revoked: revoked. */
    struct verdict v = judge(&p, leaf, NULL);
    CHECK_TEXT(line_of(&v), "revoked: fail fail pass fail");
    CHECK_TEXT(DETAIL(v, VALIDITY), "CN=a expired 2027-01-14T08:00:00Z");
    CHECK_TEXT(DETAIL(v, NAME), "asked for DNS:localhost, certificate has DNS:a.example");
    verdict_fini(&v);
    /* Nobody whom we trust, and yet the operator learns all there is to learn. */
    v = judge(&p, stranger, other);
    CHECK_TEXT(line_of(&v), "untrusted: fail fail fail fail");
    CHECK_INT(v.chain.n, 2);
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(names_of_servers)
{
    static const struct {
        const char *san, *want, *detail;
    } cases[] = {
        {"DNS:good.example", "accepted: pass unknown pass pass", "DNS:good.example"},
        {"DNS:b.example,DNS:*.example,DNS:GOOD.example", "accepted: pass unknown pass pass",
            "DNS:GOOD.example"},
        {"DNS:b.example,DNS:c.example", "wrong_name: pass unknown pass fail",
            "asked for DNS:good.example, certificate has DNS:b.example, DNS:c.example"},
        /* T18: the right string in the wrong GeneralName. */
        {"email:good.example", "wrong_name: pass unknown pass fail", NULL},
        {"URI:good.example", "wrong_name: pass unknown pass fail", NULL},
        {"otherName:1.2.3.4;UTF8:good.example", "wrong_name: pass unknown pass fail", NULL},
        /* T19: dNSName "good.example\0.evil", "good.example " */
        {"DER:30148212676f6f642e6578616d706c65002e6576696c", "wrong_name: pass unknown pass fail",
            "asked for DNS:good.example, certificate has DNS:good.example\\x00.evil"},
        {"DER:300f820d676f6f642e6578616d706c6520", "wrong_name: pass unknown pass fail", NULL},
    };
    const struct forged *ca = forge_ca("CA", NULL);
    struct name_pattern name = {NAME_DNS, BYTES("good.example"), false};
    struct verify_policy p = policy_of(ca, PATH_SERVER);
    p.names = &name;
    p.names_n = 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct verdict v = judge(&p, forge_leaf("good.example", ca, cases[i].san), NULL);
        CHECK_TEXT(line_of(&v), cases[i].want);
        if (cases[i].detail)
            CHECK_TEXT(DETAIL(v, NAME), cases[i].detail);
        verdict_fini(&v);
    }
    /* RFC 9525 §2: no name but in the subjectAltName. */
    struct verdict v = judge(&p,
        forge_certificate(&(struct forge_request){.cn = "good.example",
            .issuer = ca,
            .extensions = {{"extendedKeyUsage", "serverAuth"}}}),
        NULL);
    CHECK_TEXT(line_of(&v), "wrong_name: pass unknown pass fail");
    CHECK_TEXT(DETAIL(v, NAME), "asked for DNS:good.example, certificate has no subjectAltName");
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(many_and_strange_names_in_the_detail)
{
    const struct forged *ca = forge_ca("CA", NULL);
    struct name_pattern names[] = {
        {NAME_DNS, BYTES("*.fleet.example"), true}, {NAME_EMAIL, BYTES("*@example.com"), true}};
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    p.names = names;
    p.names_n = 2;
    char san[2048] = "";
    for (int i = 0; i < 100; i++)
        snprintf(
            san + strlen(san), sizeof(san) - strlen(san), "%sDNS:n%d.example", i ? "," : "", i);
    struct verdict v = judge(&p, forge_leaf("a", ca, san), NULL);
    CHECK(strncmp(DETAIL(v, NAME),
              "asked for DNS:*.fleet.example or another of the list, certificate has "
              "DNS:n0.example, ",
              85) == 0);
    CHECK(strstr(DETAIL(v, NAME), ", ..."));
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(an_ocsp_answer)
{
    const struct forged *ca = forge_ca("CA", NULL), *leaf = forge_leaf("a", ca, "DNS:a.example"),
                        *other = forge_leaf("b", ca, "DNS:b.example");
    struct verify_policy p = policy_of(ca, PATH_SERVER);
    p.revocation = REVOCATION_HARD;
    p.ocsp = forge_ocsp(ca, leaf, OCSP_GOOD);
    check_line(&p, leaf, NULL, "accepted: pass pass pass skipped");
    check_line(&p, other, NULL, "revocation_unknown: pass unknown pass skipped");
    p.ocsp = forge_ocsp(ca, leaf, OCSP_REVOKED);
    check_line(&p, leaf, NULL, "revoked: pass fail pass skipped");
    p.ocsp = forge_ocsp(other, leaf, OCSP_GOOD);
    check_line(&p, leaf, NULL, "revocation_unknown: pass unknown pass skipped");
    p.ocsp = BYTES("garbage");
    check_line(&p, leaf, NULL, "revocation_unknown: pass unknown pass skipped");
    verify_policy_fini(&p);
    forge_reset();
}

/* Sub is certified twice under the same key: by a root that revoked it, and by one that did not. */
TEST(the_path_that_is_accepted_decides)
{
    const struct forged *bad_root = forge_ca("Bad Root", NULL), *root = forge_ca("Root", NULL);
    const struct forged *revoked = forge_ca("Sub", bad_root);
    struct forge_request again = {.cn = "Sub", .issuer = root, .key_of = revoked};
    set_extension(again.extensions, ca_extensions, (struct forge_extension){0});
    const struct forged *good = forge_certificate(&again),
                        *leaf = forge_leaf("a", good, "DNS:a.example");
    struct certificate_list anchors = {0};
    certificate_list_add(&anchors, bad_root->certificate);
    certificate_list_add(&anchors, root->certificate);
    struct verify_policy p = {.purpose = PATH_CLIENT,
        .anchors = path_store_new(&anchors, false),
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .revocation = REVOCATION_HARD};
    certificate_list_fini(&anchors);
    add_crl(&p, forge_crl(bad_root, NOW - DAY, NOW + DAY, revoked));
    add_crl(&p, forge_crl(good, NOW - DAY, NOW + DAY, NULL));
    const struct certificate *chain[] = {
        leaf->certificate, revoked->certificate, good->certificate};
    struct verdict v;
    /* Without a CRL of the other root: what came further explains. */
    verify_chain(&p, chain, 3, NOW, &v);
    CHECK_TEXT(line_of(&v), "revocation_unknown: pass unknown pass skipped");
    CHECK_TEXT(DETAIL(v, TRUST), "CN=Root");
    verdict_fini(&v);
    verify_chain(&p, chain, 2, NOW, &v);
    CHECK_TEXT(line_of(&v), "revoked: pass fail pass skipped");
    verdict_fini(&v);
    add_crl(&p, forge_crl(root, NOW - DAY, NOW + DAY, NULL));
    verify_chain(&p, chain, 3, NOW, &v);
    CHECK_TEXT(line_of(&v), "accepted: pass pass pass skipped");
    CHECK_TEXT(DETAIL(v, TRUST), "CN=Root");
    verdict_fini(&v);
    verify_policy_fini(&p);
    forge_reset();
}

/* The verdict on LEAF alone at a time; was it remembered? What is, shows the certificate that was
 * judged, not the one that is shown now. */
static const char *judge_again(
    const struct verify_policy *p, const struct forged *leaf, int64_t now_s, bool *was_known)
{
    struct error err;
    struct certificate *copy = certificate_parse(certificate_der(leaf->certificate), &err);
    struct verdict v;
    verify_chain(p, (const struct certificate *[]){copy}, 1, now_s, &v);
    *was_known = v.chain.at[0] != copy;
    const char *line = line_of(&v);
    verdict_fini(&v);
    certificate_unref(&copy);
    return line;
}

#define CHECK_AGAIN(policy, leaf, now_s, known, want)                   \
    do {                                                                \
        bool was_known;                                                 \
        CHECK_TEXT(judge_again(policy, leaf, now_s, &was_known), want); \
        CHECK_INT(was_known, known);                                    \
    } while (0)

TEST(verdicts_are_remembered)
{
    static const char accepted[] = "accepted: pass pass pass skipped";
    const struct forged *ca = forge_ca("CA", NULL), *other = forge_ca("Other", NULL),
                        *leaf = leaf_in_time(ca, -DAY, 5 * DAY), *early = leaf_in_time(ca, 30, DAY);
    struct verify_policy p = policy_of(ca, PATH_CLIENT);
    p.revocation = REVOCATION_HARD;
    p.cache = verdict_cache_new();
    add_crl(&p, forge_crl(ca, NOW - DAY, NOW + DAY, NULL));
    CHECK_AGAIN(&p, leaf, NOW, false, accepted);
    CHECK_AGAIN(&p, leaf, NOW, true, accepted);
    CHECK_AGAIN(&p, leaf, NOW + DAY, true, accepted);
    /* The CRL ends before the certificate does. */
    CHECK_AGAIN(&p, leaf, NOW + DAY + 1, false, "revocation_unknown: pass unknown pass skipped");
    CHECK_AGAIN(&p, leaf, NOW + DAY + 1, true, "revocation_unknown: pass unknown pass skipped");
    CHECK_AGAIN(&p, leaf, NOW, false, accepted);
    /* Refusals, for a while. */
    const struct forged *stranger = leaf_in_time(other, -DAY, DAY);
    CHECK_AGAIN(&p, stranger, NOW, false, "untrusted: pass unknown fail skipped");
    CHECK_AGAIN(&p, stranger, NOW, true, "untrusted: pass unknown fail skipped");
    CHECK_AGAIN(&p, stranger, NOW + VERDICT_CACHE_REFUSED_S + 1, false,
        "untrusted: pass unknown fail skipped");
    CHECK_AGAIN(&p, early, NOW, false, "not_yet_valid: fail pass pass skipped");
    CHECK_AGAIN(&p, early, NOW + 29, true, "not_yet_valid: fail pass pass skipped");
    CHECK_AGAIN(&p, early, NOW + 30, false, accepted);
    verify_policy_fini(&p);
    forge_reset();
}

TEST(a_verdict_is_remembered_for_its_question_only)
{
    struct name_pattern a = {NAME_DNS, BYTES("a.example"), false},
                        b = {NAME_DNS, BYTES("b.example"), false},
                        listed = {NAME_DNS, BYTES("a.example"), true};
    const struct forged *ca = forge_ca("CA", NULL), *leaf = forge_leaf("a", ca, "DNS:a.example"),
                        *same = forge_leaf("a", ca, "DNS:a.example");
    struct verify_policy p = policy_of(ca, PATH_SERVER);
    p.cache = verdict_cache_new();
    p.names = &a;
    p.names_n = 1;
    CHECK_AGAIN(&p, leaf, NOW, false, "accepted: pass unknown pass pass");
    CHECK_AGAIN(&p, same, NOW, false, "accepted: pass unknown pass pass");
    p.names = &b;
    CHECK_AGAIN(&p, leaf, NOW, false, "wrong_name: pass unknown pass fail");
    p.names = &listed;
    CHECK_AGAIN(&p, leaf, NOW, false, "accepted: pass unknown pass pass");
    p.names_n = 0;
    CHECK_AGAIN(&p, leaf, NOW, false, "accepted: pass unknown pass skipped");
    p.purpose = PATH_CLIENT;
    CHECK_AGAIN(&p, leaf, NOW, false, "accepted: pass unknown pass skipped");
    p.ocsp = forge_ocsp(ca, leaf, OCSP_REVOKED);
    CHECK_AGAIN(&p, leaf, NOW, false, "revoked: pass fail pass skipped");
    p.ocsp = (struct bytes){0};
    CHECK_AGAIN(&p, leaf, NOW, true, "accepted: pass unknown pass skipped");
    /* The same leaf with something else behind it. */
    check_line(&p, leaf, same, "accepted: pass unknown pass skipped");
    verify_policy_fini(&p);
    CHECK(!p.cache);
    forge_reset();
}
