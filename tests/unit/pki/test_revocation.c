/* SPDX-License-Identifier: Apache-2.0 */
/* What CRLs and OCSP answers mean, by tables: certificates, CRLs and answers are stubs. */
#include <stdlib.h>

#include "base/clock.h"
#include "pki/revocation.c"
#include "test.h"

#define NOW   1800000000 /* 2027-01-15T08:00:00Z */
#define DAY   86400
#define GRACE (2 * DAY)

struct certificate {
    struct certificate_facts facts;
};

struct crl {
    struct crl_facts facts;
    const struct certificate *signer, *listed;
};

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

struct bytes certificate_subject_der(const struct certificate *c)
{
    return bytes_of(c->facts.subject);
}

struct bytes certificate_issuer_der(const struct certificate *c)
{
    return bytes_of(c->facts.issuer);
}

void certificate_list_fini(struct certificate_list *l)
{
    *l = (struct certificate_list){0};
}

const struct crl_facts *crl_facts(const struct crl *c)
{
    return &c->facts;
}

bool crl_signed_by(struct crl *c, const struct certificate *issuer)
{
    return c->signer == issuer;
}

bool crl_lists(const struct crl *c, const struct certificate *certificate, struct crl_entry *out)
{
    *out = (struct crl_entry){1793491200, "keyCompromise"};
    return c->listed == certificate;
}

static struct ocsp_answer ocsp_says;
static int ocsp_asked;

void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out)
{
    ocsp_asked++;
    *out = ocsp_says;
}

static struct certificate root = {{.subject = "CN=Root", .issuer = "CN=Root", .serial = "1"}},
                          other_root = {{.subject = "CN=Root", .issuer = "CN=Root", .serial = "2"}},
                          clients = {{.subject = "CN=Clients CA",
                              .issuer = "CN=Root",
                              .serial = "c0"}},
                          alice = {
                              {.subject = "CN=alice", .issuer = "CN=Clients CA", .serial = "1a2b"}};

/* A CRL of ISSUER that is fresh, complete and empty. */
static struct crl crl_of(const struct certificate *issuer, const char *number)
{
    return (struct crl){.facts = {.issuer = issuer->facts.subject,
                            .issuer_der = bytes_of(issuer->facts.subject),
                            .number = number,
                            .this_update = NOW - DAY,
                            .next_update = NOW + DAY},
        .signer = issuer};
}

struct scene {
    struct certificate *chain[3];
    size_t chain_n;
    struct crl *crls[4];
    size_t crls_n;
    bool has_ocsp, has_no_anchor, leaf_only;
    enum revocation_policy policy;
};

static struct verdict_factor judged(const struct scene *s)
{
    struct scene copy = *s;
    struct verify_policy policy = {
        .revocation = s->policy,
        .grace_s = GRACE,
        .crls = {copy.crls, s->crls_n},
        .ocsp = s->has_ocsp ? BYTES("x") : BYTES(""),
        .leaf_only = s->leaf_only,
    };
    struct verdict v = {.chain = {copy.chain, s->chain_n}};
    ocsp_asked = 0;
    revocation_judge(
        &(struct revocation_request){
            .policy = &policy, .has_anchor = !s->has_no_anchor, .now_s = NOW},
        &v);
    return v.factors[FACTOR_REVOCATION];
}

static void check(const struct scene *s, enum factor_result result, const char *detail)
{
    struct verdict_factor f = judged(s);
    CHECK_INT(f.result, result);
    CHECK_TEXT(f.detail, detail);
}

/* alice, issued by the root itself, with one CRL under POLICY. */
static struct scene short_scene(struct crl *crl, enum revocation_policy policy)
{
    static struct certificate bob = {{.subject = "CN=bob", .issuer = "CN=Root", .serial = "b0b"}};
    return (struct scene){{&bob, &root}, 2, {crl}, crl != NULL, .policy = policy};
}

TEST(no_data_configured)
{
    struct scene s = short_scene(NULL, REVOCATION_OFF);
    check(&s, FACTOR_UNKNOWN, "no revocation data configured");
    s.policy = REVOCATION_HARD;
    check(&s, FACTOR_UNKNOWN, "no revocation data configured");
}

TEST(a_fresh_crl_of_each_issuer_passes)
{
    struct crl upper = crl_of(&root, "3"), lower = crl_of(&clients, "17");
    struct scene s = {{&alice, &clients, &root}, 3, {&upper, &lower}, 2, .policy = REVOCATION_HARD};
    check(&s, FACTOR_PASS, "CRL 17 of CN=Clients CA until 2027-01-16T08:00:00Z");
    s.crls_n = 1;
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Clients CA");
    s.crls[0] = &lower;
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Root");
    s.leaf_only = true;
    check(&s, FACTOR_PASS, "CRL 17 of CN=Clients CA until 2027-01-16T08:00:00Z");
}

TEST(a_revoked_leaf_and_a_revoked_intermediate)
{
    struct crl upper = crl_of(&root, "3"), lower = crl_of(&clients, "17");
    struct scene s = {{&alice, &clients, &root}, 3, {&upper, &lower}, 2, .policy = REVOCATION_SOFT};
    lower.listed = &alice;
    check(
        &s, FACTOR_FAIL, "serial 1a2b revoked 2026-11-01 (keyCompromise), CRL 17 of CN=Clients CA");
    lower.listed = NULL;
    upper.listed = &clients;
    check(&s, FACTOR_FAIL,
        "CN=Clients CA: serial c0 revoked 2026-11-01 (keyCompromise), CRL 3 of CN=Root");
    /* It outweighs that nothing is known about the leaf. */
    s.crls_n = 1;
    check(&s, FACTOR_FAIL,
        "CN=Clients CA: serial c0 revoked 2026-11-01 (keyCompromise), CRL 3 of CN=Root");
    s.leaf_only = true;
    CHECK_INT(judged(&s).result, FACTOR_UNKNOWN);
    /* An anchor is not asked about. */
    struct scene anchor = {{&alice, &clients}, 2, {&upper, &lower}, 2, .policy = REVOCATION_HARD};
    CHECK_INT(judged(&anchor).result, FACTOR_PASS);
}

TEST(dates_under_each_policy)
{
    static const struct {
        int64_t this_update, next_update;
        enum factor_result hard_or_soft, grace;
        const char *hard_detail, *grace_detail;
    } cases[] = {
        {NOW, NOW, FACTOR_PASS, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-15T08:00:00Z", NULL},
        {NOW - DAY, NOW - 1, FACTOR_UNKNOWN, FACTOR_PASS,
            "CRL 3 of CN=Root expired 2027-01-15T07:59:59Z",
            "CRL 3 of CN=Root stale since 2027-01-15T07:59:59Z, within the grace period"},
        {NOW - 9 * DAY, NOW - GRACE, FACTOR_UNKNOWN, FACTOR_PASS,
            "CRL 3 of CN=Root expired 2027-01-13T08:00:00Z",
            "CRL 3 of CN=Root stale since 2027-01-13T08:00:00Z, within the grace period"},
        {NOW - 9 * DAY, NOW - GRACE - 1, FACTOR_UNKNOWN, FACTOR_UNKNOWN,
            "CRL 3 of CN=Root expired 2027-01-13T07:59:59Z", NULL},
        {NOW - DAY, 0, FACTOR_UNKNOWN, FACTOR_PASS,
            "CRL 3 of CN=Root of 2027-01-14T08:00:00Z has no nextUpdate",
            "CRL 3 of CN=Root stale since 2027-01-14T08:00:00Z, within the grace period"},
        {NOW - GRACE - 1, 0, FACTOR_UNKNOWN, FACTOR_UNKNOWN,
            "CRL 3 of CN=Root of 2027-01-13T07:59:59Z has no nextUpdate", NULL},
        {NOW + 1, NOW + DAY, FACTOR_UNKNOWN, FACTOR_UNKNOWN,
            "CRL 3 of CN=Root is not valid before 2027-01-15T08:00:01Z", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct crl crl = crl_of(&root, "3");
        crl.facts.this_update = cases[i].this_update;
        crl.facts.next_update = cases[i].next_update;
        struct scene hard = short_scene(&crl, REVOCATION_HARD),
                     soft = short_scene(&crl, REVOCATION_SOFT),
                     grace = short_scene(&crl, REVOCATION_GRACE);
        check(&hard, cases[i].hard_or_soft, cases[i].hard_detail);
        check(&soft, cases[i].hard_or_soft, cases[i].hard_detail);
        check(&grace, cases[i].grace,
            cases[i].grace_detail ? cases[i].grace_detail : cases[i].hard_detail);
        /* Whatever the dates: who is listed is revoked. */
        crl.listed = hard.chain[0];
        check(
            &hard, FACTOR_FAIL, "serial b0b revoked 2026-11-01 (keyCompromise), CRL 3 of CN=Root");
        CHECK_INT(judged(&grace).result, FACTOR_FAIL);
    }
}

TEST(crls_that_do_not_say_who_is_good)
{
    struct crl crl = crl_of(&root, "");
    struct scene s = short_scene(&crl, REVOCATION_HARD);
    crl.facts.is_delta = true;
    check(&s, FACTOR_UNKNOWN, "CRL of CN=Root is a delta CRL, which needs its base");
    crl.listed = s.chain[0];
    check(&s, FACTOR_FAIL, "serial b0b revoked 2026-11-01 (keyCompromise), CRL of CN=Root");
    crl = crl_of(&root, "");
    crl.facts.has_issuing_distribution_point = true;
    check(&s, FACTOR_UNKNOWN,
        "CRL of CN=Root covers a part of the certificates only (issuingDistributionPoint)");
    crl = crl_of(&root, "");
    crl.facts.has_unknown_critical = true;
    check(&s, FACTOR_UNKNOWN, "CRL of CN=Root has a critical extension that is not understood");
}

TEST(a_crl_of_another_ca_with_the_same_name)
{
    struct crl crl = crl_of(&other_root, "3");
    struct scene s = short_scene(&crl, REVOCATION_HARD);
    crl.listed = s.chain[0];
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    /* The right one next to it decides. */
    struct crl right = crl_of(&root, "4");
    s.crls[s.crls_n++] = &right;
    check(&s, FACTOR_PASS, "CRL 4 of CN=Root until 2027-01-16T08:00:00Z");
}

TEST(of_several_crls_any_listing_revokes_and_the_freshest_counts)
{
    struct crl stale = crl_of(&root, "1"), fresh = crl_of(&root, "2"), fresher = crl_of(&root, "3");
    stale.facts.next_update = NOW - 1;
    fresher.facts.next_update = NOW + 2 * DAY;
    struct scene s = short_scene(&stale, REVOCATION_HARD);
    s.crls[1] = &fresher;
    s.crls[2] = &fresh;
    s.crls_n = 3;
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-17T08:00:00Z");
    for (size_t i = 0; i < s.crls_n; i++) {
        s.crls[i]->listed = s.chain[0];
        CHECK_INT(judged(&s).result, FACTOR_FAIL);
        s.crls[i]->listed = NULL;
    }
}

TEST(the_leaf_is_late_or_the_intermediate)
{
    struct crl upper = crl_of(&root, "3"), lower = crl_of(&clients, "17");
    struct scene s = {
        {&alice, &clients, &root}, 3, {&upper, &lower}, 2, .policy = REVOCATION_GRACE};
    upper.facts.next_update = NOW - 1;
    check(&s, FACTOR_PASS,
        "CRL 3 of CN=Root stale since 2027-01-15T07:59:59Z, within the grace period");
}

TEST(without_a_path_nothing_passes_but_a_listing_is_found)
{
    struct crl upper = crl_of(&root, "3"), lower = crl_of(&clients, "17");
    struct scene s = {{&alice, &clients}, 2, {&upper, &lower}, 2, .has_no_anchor = true,
        .policy = REVOCATION_SOFT};
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root cannot be checked without its certificate");
    lower.listed = &alice;
    check(
        &s, FACTOR_FAIL, "serial 1a2b revoked 2026-11-01 (keyCompromise), CRL 17 of CN=Clients CA");
    lower.listed = NULL;
    s.leaf_only = true;
    check(&s, FACTOR_UNKNOWN,
        "no trusted issuer vouches for the revocation data (CRL 17 of CN=Clients CA until "
        "2027-01-16T08:00:00Z)");
}

TEST(a_leaf_that_is_the_anchor)
{
    struct crl lower = crl_of(&clients, "17");
    struct scene s = {{&alice}, 1, {&lower}, 1, .policy = REVOCATION_HARD};
    check(&s, FACTOR_PASS, "CN=alice is itself a trust anchor");
    lower.listed = &alice;
    check(
        &s, FACTOR_FAIL, "serial 1a2b revoked 2026-11-01 (keyCompromise), CRL 17 of CN=Clients CA");
}

TEST(ocsp_answers_about_the_leaf)
{
    struct crl crl = crl_of(&root, "3");
    struct scene s = short_scene(NULL, REVOCATION_HARD), both = short_scene(&crl, REVOCATION_HARD);
    s.has_ocsp = both.has_ocsp = true;
    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD, .next_update = NOW + DAY};
    check(&s, FACTOR_PASS, "OCSP answer: good until 2027-01-16T08:00:00Z");
    CHECK_INT(ocsp_asked, 1);
    check(&both, FACTOR_PASS, "OCSP answer: good until 2027-01-16T08:00:00Z");
    crl.listed = both.chain[0];
    check(&both, FACTOR_FAIL, "serial b0b revoked 2026-11-01 (keyCompromise), CRL 3 of CN=Root");
    crl.listed = NULL;

    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD};
    check(&s, FACTOR_UNKNOWN, "OCSP answer has no nextUpdate");
    ocsp_says = (struct ocsp_answer){.status = OCSP_REVOKED, .revoked_at = 1793491200};
    check(&s, FACTOR_FAIL, "serial b0b revoked 2026-11-01 (unspecified), OCSP answer");
    CHECK_INT(judged(&both).result, FACTOR_FAIL);
    ocsp_says = (struct ocsp_answer){.status = OCSP_UNKNOWN};
    check(&s, FACTOR_UNKNOWN, "OCSP answer: the responder does not know serial b0b");
    ocsp_says = (struct ocsp_answer){.status = OCSP_UNUSABLE, .detail = "wrong signature"};
    check(&s, FACTOR_UNKNOWN, "OCSP answer: wrong signature");
    check(&both, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    crl.facts.next_update = NOW - 1;
    check(&both, FACTOR_UNKNOWN,
        "OCSP answer: wrong signature; CRL 3 of CN=Root expired 2027-01-15T07:59:59Z");
}

TEST(an_ocsp_answer_says_nothing_about_the_intermediate)
{
    struct scene s = {{&alice, &clients, &root}, 3, .has_ocsp = true, .policy = REVOCATION_HARD};
    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD, .next_update = NOW + DAY};
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Root");
    CHECK_INT(ocsp_asked, 1);
    s.leaf_only = true;
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    s.has_no_anchor = true;
    s.chain_n = 1;
    check(&s, FACTOR_UNKNOWN, "OCSP answer: no certificate of CN=Clients CA to check it with");
}
