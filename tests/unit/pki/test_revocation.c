/* SPDX-License-Identifier: Apache-2.0 */
/* What CRLs and OCSP answers mean. Certificates and CRLs are real, OCSP answers are a stub. */
#include "base/clock.h"
#include "crl_forge.h"
#include "pki/dn.h"
#include "pki/ocsp.h"
#include "pki/reason_code.h"
#include "pki/revocation.h"

#include "base/ban.h"

#define GRACE (2 * DAY)

static struct ocsp_answer ocsp_says;
static int ocsp_asked;

void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out)
{
    ocsp_asked++;
    *out = ocsp_says;
}

/* Root → Clients CA → alice; Root → bob. */
static struct identity root, clients, alice, bob;

static void make_all(void)
{
    root = make_identity(ISSUE_CA, "Root", NULL, NULL);
    clients = make_identity(ISSUE_INTERMEDIATE, "Clients CA", NULL, &root);
    alice = make_identity(ISSUE_CLIENT, "alice", "DNS:alice.example", &clients);
    bob = make_identity(ISSUE_CLIENT, "bob", "DNS:bob.example", &root);
}

static void drop_all(void)
{
    identity_fini(&root);
    identity_fini(&clients);
    identity_fini(&alice);
    identity_fini(&bob);
    forge_clear();
}

/* A CRL: of BY, from yesterday to tomorrow, complete and empty, unless something else is said. */
struct order {
    const struct identity *by;
    const char *number; /* NULL: 1; "": none */
    int64_t this_update, next_update;
    bool has_no_next;
    const struct identity *listed;
    uint8_t reason;
    struct bytes owner;      /* of what is listed: a Name */
    struct bytes point;      /* content of issuingDistributionPoint */
    const char *base_number; /* a delta CRL */
    struct bytes extension;
    struct bytes issuer; /* instead of BY's name */
};

static struct bytes serial_of(const struct identity *i)
{
    return certificate_facts(i->certificate)->serial;
}

static struct bytes number_of(struct bytes oid, const char *number)
{
    uint8_t octet = number && number[0] ? (uint8_t)(number[0] - '0') : 0;
    return octet ? forge_number(oid, (struct bytes){&octet, 1}) : BYTES("");
}

static struct crl *make(const struct order *o)
{
    struct bytes none = {0};
    struct bytes dates[] = {forge_time(o->this_update ? o->this_update : NOW - DAY),
        o->has_no_next ? none : forge_time(o->next_update ? o->next_update : NOW + DAY)};
    struct bytes extensions[] = {number_of(FORGE_OID_NUMBER, o->number ? o->number : "1"),
        number_of(FORGE_OID_DELTA, o->base_number), o->point.n ? forge_point(o->point) : none,
        o->extension};
    struct bytes of_entry[] = {o->reason ? forge_reason(o->reason) : none,
        o->owner.n ? forge_owner(forge_directory(o->owner)) : none};
    struct forge_shape shape = {
        .dates = forge_join(dates, 2),
        .extensions = forge_join(extensions, COUNT_OF(extensions)),
        .issuer = o->issuer,
    };
    if (o->listed)
        shape.entries = forge_entry(serial_of(o->listed), forge_join(of_entry, 2));
    return forge_open(o->by, &shape);
}

#define SCENE_MAX 6
struct scene {
    struct certificate *chain[3];
    size_t chain_n;
    struct order crls[SCENE_MAX];
    size_t crls_n;
    bool has_ocsp, has_no_anchor, leaf_only, is_trusted;
    int signatures; /* the budget, if not 0 or if it IS_TRUSTED */
    enum revocation_policy policy;
    const struct certificate *presented[SCENE_MAX];
    struct certificate *also_trusted;
    struct verify_exception exceptions[2];
    size_t exceptions_n;
};

/* What was judged last. */
static enum revocation_policy decisive;
static int64_t holds_until_s;

static struct verdict_factor judged(const struct scene *s)
{
    struct crl *crls[SCENE_MAX];
    struct scene copy = *s;
    struct certificate *anchors[] = {root.certificate, s->also_trusted};
    struct certificate_list trusted = {anchors, s->also_trusted ? 2 : 1};
    size_t presented_n = 0;
    while (presented_n < SCENE_MAX && s->presented[presented_n])
        presented_n++;
    for (size_t i = 0; i < s->crls_n; i++)
        crls[i] = make(&s->crls[i]);
    struct verify_policy policy = {
        .revocation = s->policy,
        .grace_s = GRACE,
        .exceptions = s->exceptions,
        .exceptions_n = s->exceptions_n,
        .anchors = path_store_new(&trusted, true),
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .crls = {crls, s->crls_n},
        .ocsp = s->has_ocsp ? BYTES("x") : BYTES(""),
        .leaf_only = s->leaf_only,
    };
    struct verdict v = {.chain = {copy.chain, s->chain_n}, .holds_until_s = INT64_MAX};
    struct revocation_request request = {
        .policy = &policy,
        .presented = s->presented,
        .presented_n = presented_n,
        .has_anchor = !s->has_no_anchor,
        .now_s = NOW,
    };
    struct path_budget budget = PATH_BUDGET;
    budget.signatures = (unsigned)s->signatures;
    if (s->signatures || s->is_trusted)
        request.budget = &budget;
    if (s->is_trusted)
        v.factors[FACTOR_TRUST].result = FACTOR_PASS;
    ocsp_asked = 0;
    decisive = revocation_judge(&request, &v);
    holds_until_s = v.holds_until_s;
    path_store_free(&policy.anchors);
    for (size_t i = 0; i < s->crls_n; i++)
        crl_free(&crls[i]);
    return v.factors[FACTOR_REVOCATION];
}

/* DETAIL with the serial of WHO for its "%s". */
static void check_about(const struct scene *s, enum factor_result result, const char *detail,
    const struct identity *who)
{
    char want[256];
    const char *mark = strstr(detail, "%s");
    snprintf(want, sizeof(want), "%.*s%s%s", (int)(mark ? mark - detail : 255), detail,
        mark ? certificate_serial(who->certificate) : "", mark ? mark + 2 : "");
    struct verdict_factor f = judged(s);
    CHECK_INT(f.result, result);
    CHECK_TEXT(f.detail, want);
}

static void check(const struct scene *s, enum factor_result result, const char *detail)
{
    check_about(s, result, detail, &bob);
}

/* bob, issued by the root itself, with the CRLs up to the first without BY. */
static struct scene short_scene(enum revocation_policy policy, const struct order *crls)
{
    struct scene s = {{bob.certificate, root.certificate}, 2, .policy = policy};
    for (; crls && crls[s.crls_n].by; s.crls_n++)
        s.crls[s.crls_n] = crls[s.crls_n];
    return s;
}
#define SHORT(policy, ...) short_scene(policy, (const struct order[]){__VA_ARGS__, {.by = NULL}})

/* alice, her CA, the root, and one CRL of each CA. */
static struct scene long_scene(enum revocation_policy policy)
{
    return (struct scene){{alice.certificate, clients.certificate, root.certificate}, 3,
        {{.by = &root, .number = "3"}, {.by = &clients, .number = "7"}}, 2, .policy = policy};
}

/* ---- the whole chain ---- */

TEST(no_data_configured)
{
    make_all();
    struct scene s = short_scene(REVOCATION_OFF, NULL);
    check(&s, FACTOR_UNKNOWN, "no revocation data configured");
    CHECK_INT(decisive, REVOCATION_OFF);
    s.policy = REVOCATION_HARD;
    check(&s, FACTOR_UNKNOWN, "no revocation data configured");
    CHECK_INT(decisive, REVOCATION_HARD);
    CHECK_INT(holds_until_s == INT64_MAX, true);
    drop_all();
}

TEST(a_fresh_crl_of_each_issuer_passes)
{
    make_all();
    struct scene s = long_scene(REVOCATION_HARD);
    check(&s, FACTOR_PASS, "CRL 7 of CN=Clients CA until 2027-01-16T08:00:00Z");
    s.crls_n = 1;
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Clients CA");
    s.crls[0] = s.crls[1];
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Root");
    s.leaf_only = true;
    check(&s, FACTOR_PASS, "CRL 7 of CN=Clients CA until 2027-01-16T08:00:00Z");
    drop_all();
}

TEST(a_revoked_leaf_and_a_revoked_intermediate)
{
    make_all();
    static const char revoked[] =
        "CN=Clients CA: serial %s revoked 2027-01-14 (cACompromise), CRL 3 of CN=Root";
    struct scene s = long_scene(REVOCATION_SOFT);
    s.crls[1].listed = &alice;
    s.crls[1].reason = 1;
    check_about(&s, FACTOR_FAIL,
        "serial %s revoked 2027-01-14 (keyCompromise), CRL 7 of CN=Clients CA", &alice);
    s.crls[1].listed = NULL;
    s.crls[0].listed = &clients;
    s.crls[0].reason = 2;
    check_about(&s, FACTOR_FAIL, revoked, &clients);
    /* It outweighs that nothing is known about the leaf. */
    s.crls_n = 1;
    check_about(&s, FACTOR_FAIL, revoked, &clients);
    s.leaf_only = true;
    CHECK_INT(judged(&s).result, FACTOR_UNKNOWN);
    drop_all();
}

TEST(an_anchor_is_not_asked_about)
{
    make_all();
    struct scene s = long_scene(REVOCATION_HARD);
    s.chain_n = 2;
    s.crls[0].listed = &clients;
    check(&s, FACTOR_PASS, "CRL 7 of CN=Clients CA until 2027-01-16T08:00:00Z");
    /* A leaf that is one: without the issuer that could vouch for it, a listing counts. */
    s.chain_n = 1;
    check(&s, FACTOR_PASS, "CN=alice is itself a trust anchor");
    s.crls[1].listed = &alice;
    check_about(&s, FACTOR_FAIL,
        "serial %s revoked 2027-01-14 (unspecified), CRL 7 of CN=Clients CA", &alice);
    drop_all();
}

TEST(without_a_path_nothing_passes_but_a_listing_is_found)
{
    make_all();
    struct scene s = long_scene(REVOCATION_SOFT);
    s.chain_n = 2;
    s.has_no_anchor = true;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root cannot be checked without its certificate");
    s.crls[1].listed = &alice;
    check_about(&s, FACTOR_FAIL,
        "serial %s revoked 2027-01-14 (unspecified), CRL 7 of CN=Clients CA", &alice);
    s.crls[1].listed = NULL;
    s.leaf_only = true;
    check(&s, FACTOR_UNKNOWN,
        "no trusted issuer vouches for the revocation data (CRL 7 of CN=Clients CA until "
        "2027-01-16T08:00:00Z)");
    drop_all();
}

/* ---- dates ---- */

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
    make_all();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct order crl = {.by = &root,
            .number = "3",
            .this_update = cases[i].this_update,
            .next_update = cases[i].next_update,
            .has_no_next = !cases[i].next_update};
        struct scene hard = SHORT(REVOCATION_HARD, crl), soft = SHORT(REVOCATION_SOFT, crl),
                     grace = SHORT(REVOCATION_GRACE, crl);
        check(&hard, cases[i].hard_or_soft, cases[i].hard_detail);
        check(&soft, cases[i].hard_or_soft, cases[i].hard_detail);
        check(&grace, cases[i].grace,
            cases[i].grace_detail ? cases[i].grace_detail : cases[i].hard_detail);
        /* Whatever the dates: who is listed is revoked. */
        hard.crls[0].listed = grace.crls[0].listed = &bob;
        hard.crls[0].reason = 1;
        check(&hard, FACTOR_FAIL, "serial %s revoked 2027-01-14 (keyCompromise), CRL 3 of CN=Root");
        CHECK_INT(judged(&grace).result, FACTOR_FAIL);
    }
    drop_all();
}

TEST(until_when_an_answer_holds)
{
    make_all();
    struct scene s = long_scene(REVOCATION_GRACE);
    s.crls[0].next_update = NOW + 9;
    judged(&s);
    CHECK_INT(holds_until_s, NOW + 9);
    s.crls[0].next_update = NOW - DAY; /* stale: to the end of the grace period */
    s.crls[1].next_update = NOW + 9 * DAY;
    judged(&s);
    CHECK_INT(holds_until_s, NOW + DAY);
    s.crls[2] = (struct order){.by = &root, .this_update = NOW + 100};
    s.crls_n = 3; /* one that is not valid yet */
    judged(&s);
    CHECK_INT(holds_until_s, NOW + 99);
    drop_all();
}

TEST(the_leaf_is_late_or_the_intermediate)
{
    make_all();
    struct scene s = long_scene(REVOCATION_GRACE);
    s.crls[0].next_update = NOW - 1;
    check(&s, FACTOR_PASS,
        "CRL 3 of CN=Root stale since 2027-01-15T07:59:59Z, within the grace period");
    drop_all();
}

TEST(a_policy_of_its_own_for_a_ca)
{
    make_all();
    struct scene s = long_scene(REVOCATION_HARD);
    s.crls[1].next_update = NOW - 1;
    s.exceptions_n = 1;
    s.exceptions[0] = (struct verify_exception){.issuer = "CN=Clients CA"};
    s.exceptions[0].revocation = REVOCATION_SOFT;
    check(&s, FACTOR_UNKNOWN, "CRL 7 of CN=Clients CA expired 2027-01-15T07:59:59Z");
    CHECK_INT(decisive, REVOCATION_SOFT);
    /* Another CA without an answer falls under its own, and decides. */
    s.crls[0].next_update = NOW - 1;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root expired 2027-01-15T07:59:59Z");
    CHECK_INT(decisive, REVOCATION_HARD);
    s.exceptions[0].revocation = REVOCATION_GRACE;
    s.exceptions[0].grace_s = 1;
    s.crls[0].next_update = 0;
    check(&s, FACTOR_PASS,
        "CRL 7 of CN=Clients CA stale since 2027-01-15T07:59:59Z, within the grace period");
    s.crls[1].next_update = NOW - 2;
    check(&s, FACTOR_UNKNOWN, "CRL 7 of CN=Clients CA expired 2027-01-15T07:59:58Z");
    CHECK_INT(decisive, REVOCATION_GRACE);
    drop_all();
}

/* ---- which CRL is of use ---- */

TEST(crls_that_do_not_say_who_is_good)
{
    make_all();
    struct bytes unknown = forge_extension(FORGE_OID_UNKNOWN, true, BYTES("\5\0"));
    struct {
        struct order crl;
        const char *detail;
    } rows[] = {
        {{.base_number = "1", .number = ""}, "CRL of CN=Root is a delta CRL, which needs its base"},
        {{.base_number = "1", .number = "2"},
            "CRL 2 of CN=Root is a delta CRL, which needs its base"},
        {{.number = ""}, "CRL of CN=Root has no cRLNumber (RFC 5280 section 5.2.3)"},
        {{.extension = unknown},
            "CRL 1 of CN=Root has a critical extension that is not understood"},
        {{.point = BYTES("\x82\1\xff")}, "CRL 1 of CN=Root covers a part of the certificates only "
                                         "(issuingDistributionPoint)"},
        {{.point = BYTES("\x85\1\xff")}, "CRL 1 of CN=Root covers a part of the certificates only "
                                         "(issuingDistributionPoint)"},
        {{.point = BYTES("\x83\2\1\x7e")},
            "CRL 1 of CN=Root covers some of the reasons only (onlySomeReasons)"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rows[i].crl.by = &root;
        struct scene s = SHORT(REVOCATION_HARD, rows[i].crl);
        check(&s, FACTOR_UNKNOWN, rows[i].detail);
        s.crls[0].listed = &bob;
        CHECK_INT(judged(&s).result, FACTOR_FAIL);
    }
    struct scene users = SHORT(REVOCATION_HARD, {.by = &root, .point = BYTES("\x81\1\xff")});
    check(&users, FACTOR_PASS, "CRL 1 of CN=Root until 2027-01-16T08:00:00Z");
    drop_all();
}

TEST(a_crl_of_another_ca_with_the_same_name)
{
    make_all();
    struct identity twin = make_identity(ISSUE_CA, "Root", NULL, NULL);
    struct scene s = SHORT(REVOCATION_HARD, {.by = &twin, .number = "3", .listed = &bob});
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    /* Not even if the peer shows it. */
    s.presented[0] = twin.certificate;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    /* The right one next to it decides. */
    s.crls[s.crls_n++] = (struct order){.by = &root, .number = "4"};
    check(&s, FACTOR_PASS, "CRL 4 of CN=Root until 2027-01-16T08:00:00Z");
    identity_fini(&twin);
    drop_all();
}

TEST(of_several_crls_any_listing_revokes_and_the_freshest_counts)
{
    make_all();
    struct scene s = SHORT(REVOCATION_HARD, {.by = &root, .number = "1", .next_update = NOW - 1},
        {.by = &root, .number = "3", .next_update = NOW + 2 * DAY}, {.by = &root, .number = "2"});
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-17T08:00:00Z");
    for (size_t i = 0; i < s.crls_n; i++) {
        s.crls[i].listed = &bob;
        CHECK_INT(judged(&s).result, FACTOR_FAIL);
        s.crls[i].listed = NULL;
    }
    /* A complete CRL takes nobody out: removed is listed there. */
    s.crls[1].listed = &bob;
    s.crls[1].reason = REASON_CODE_REMOVE_FROM_CRL;
    CHECK_INT(judged(&s).result, FACTOR_FAIL);
    s.crls[1].base_number = "1";
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    drop_all();
}

/* ---- distribution points ---- */

static struct bytes uri(const char *text)
{
    return FORGE(DER_CONTEXT(6), bytes_of(text));
}

/* DistributionPointName with the GeneralNames of NAMES, as the first field of a point. */
static struct bytes full_name(struct bytes names)
{
    return FORGE(DER_CONTEXT_CONSTRUCTED(0), FORGE(DER_CONTEXT_CONSTRUCTED(0), names));
}

static struct bytes relative_name(const char *text)
{
    return FORGE(DER_CONTEXT_CONSTRUCTED(0),
        FORGE(DER_CONTEXT_CONSTRUCTED(1), FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x55\x04\x03")),
                                              FORGE(DER_UTF8_STRING, bytes_of(text)))));
}

static struct bytes issuer_field(struct bytes name)
{
    return FORGE(DER_CONTEXT_CONSTRUCTED(2), forge_directory(name));
}

/* bob, signed again with the distribution POINTS: whole elements. */
static struct certificate *with_points(const struct identity *who, struct bytes points)
{
    X509 *x = must_x509(who->certificate);
    struct bytes value = FORGE(DER_SEQUENCE, points);
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    MUST(ASN1_OCTET_STRING_set(string, value.at, (int)value.n));
    X509_EXTENSION *e = X509_EXTENSION_create_by_NID(NULL, NID_crl_distribution_points, 0, string);
    MUST(e && X509_add_ext(x, e, -1) && X509_sign(x, private_key_pkey(root.key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(string);
    X509_free(x);
    return c;
}

/* T24: partitioned CRLs, reasons and indirect ones, here and below. */
TEST(distribution_points_meet_or_do_not)
{
    make_all();
    struct bytes none = BYTES(""), a = full_name(uri("http://a/")), b = full_name(uri("http://b/"));
    struct bytes both[] = {uri("http://b/"), uri("http://a/")};
    struct bytes name = certificate_facts(root.certificate)->subject, rdns = name, base, cn[2];
    MUST(der_take(&rdns, DER_SEQUENCE, &base));
    cn[0] = base;
    cn[1] = forge_name("A");
    MUST(der_take(&cn[1], DER_SEQUENCE, &cn[1]));
    struct bytes below = FORGE(DER_SEQUENCE, forge_join(cn, 2));
    struct {
        struct bytes of_crl, of_certificate; /* names of the points */
        bool meet;
    } rows[] = {
        {none, none, true}, {none, a, true}, {a, a, true}, {a, b, false},
        {a, none, false}, /* named otherwise than the issuer */
        {full_name(forge_join(both, 2)), a, true}, {a, full_name(forge_join(both, 2)), true},
        {full_name(forge_directory(name)), none, true}, {full_name(forge_directory(name)), a, true},
        {relative_name("A"), relative_name("a"), true},
        {relative_name("A"), relative_name("B"), false},
        {relative_name("A"), full_name(forge_directory(below)), true},
        {full_name(forge_directory(below)), relative_name("A"), true},
        {relative_name("A"), full_name(forge_directory(name)), false},
        {FORGE(DER_CONTEXT_CONSTRUCTED(0),
             FORGE(DER_CONTEXT_CONSTRUCTED(0), FORGE(DER_CONTEXT(2), BYTES("http://a/")))),
            a, false}, /* a dNSName is no URI */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct certificate *c = rows[i].of_certificate.n
                                    ? with_points(&bob, FORGE(DER_SEQUENCE, rows[i].of_certificate))
                                    : certificate_ref(bob.certificate);
        struct scene s = SHORT(REVOCATION_HARD, {.by = &root, .point = rows[i].of_crl});
        s.chain[0] = c;
        struct verdict_factor f = judged(&s);
        CHECK_INT(f.result, rows[i].meet ? FACTOR_PASS : FACTOR_UNKNOWN);
        if ((f.result == FACTOR_PASS) != rows[i].meet)
            printf("# row %zu: %s\n", i, f.detail);
        /* Two CAs do not share serials: a listing at whatever point counts. */
        s.crls[0].listed = &bob;
        CHECK_INT(judged(&s).result, FACTOR_FAIL);
        certificate_unref(&c);
    }
    drop_all();
}

TEST(every_reason_must_be_covered)
{
    make_all();
    struct bytes a = full_name(uri("http://a/")), b = full_name(uri("http://b/"));
    /* http://a/ is for keyCompromise and cACompromise, http://b/ for the others. */
    struct bytes points[] = {FORGE(DER_SEQUENCE, a, BYTES("\x81\2\5\x60")),
        FORGE(DER_SEQUENCE, b, BYTES("\x81\3\7\x1f\x80"))};
    struct certificate *c = with_points(&bob, forge_join(points, 2));
    struct bytes at_a[] = {a, BYTES("\x83\2\5\x60")}, at_b[] = {b, BYTES("\x83\3\7\x1f\x80")},
                 at_b_less[] = {b, BYTES("\x83\2\0\x1f")};
    struct scene s = SHORT(REVOCATION_HARD,
        {.by = &root, .number = "1", .point = forge_join(at_a, 2), .next_update = NOW + 2 * DAY},
        {.by = &root, .number = "2", .point = forge_join(at_b, 2)});
    s.chain[0] = c;
    check(&s, FACTOR_PASS, "CRL 2 of CN=Root until 2027-01-16T08:00:00Z");
    s.crls[1].point = forge_join(at_b_less, 2); /* but for aACompromise */
    check(&s, FACTOR_UNKNOWN, "CRL 1 of CN=Root covers some of the reasons only (onlySomeReasons)");
    s.crls_n = 1;
    check(&s, FACTOR_UNKNOWN, "CRL 1 of CN=Root covers some of the reasons only (onlySomeReasons)");
    /* One for all reasons at a point that is for some of them. */
    s.crls[0].point = a;
    check(&s, FACTOR_UNKNOWN, "CRL 1 of CN=Root covers some of the reasons only (onlySomeReasons)");
    /* Complete ones cover what is at no point. */
    s.crls[0].point = BYTES("");
    check(&s, FACTOR_PASS, "CRL 1 of CN=Root until 2027-01-17T08:00:00Z");
    certificate_unref(&c);
    drop_all();
}

/* ---- delta CRLs ---- */

TEST(delta_crls)
{
    make_all();
    enum { HOLD = REASON_CODE_CERTIFICATE_HOLD, REMOVE = REASON_CODE_REMOVE_FROM_CRL };
    struct bytes key_id = forge_extension(FORGE_OID_AUTHORITY, false,
                     FORGE(DER_SEQUENCE, FORGE(DER_CONTEXT(0), BYTES("key")))),
                 users = BYTES("\x81\1\xff");
    static const char held[] = "serial %s revoked 2027-01-14 (certificateHold), CRL 5 of CN=Root";
    struct {
        const char *base, *number, *base_number; /* of the complete one, of the delta */
        int base_reason, delta_reason;           /* -1: not listed */
        struct order also;                       /* of the delta */
        enum factor_result result;
        const char *detail;
    } rows[] = {
        {"5", "6", "5", -1, -1, {0}, FACTOR_PASS, "CRL 5 of CN=Root until 2027-01-16T08:00:00Z"},
        {"5", "6", "5", -1, 1, {0}, FACTOR_FAIL,
            "serial %s revoked 2027-01-14 (keyCompromise), CRL 6 of CN=Root"},
        {"5", "6", "5", HOLD, -1, {0}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE, {0}, FACTOR_PASS, NULL},
        {"5", "6", "4", HOLD, REMOVE, {0}, FACTOR_PASS, NULL},
        /* The base must be what the delta builds on, or newer, and older than the delta. */
        {"5", "7", "6", HOLD, REMOVE, {0}, FACTOR_FAIL, held},
        {"5", "5", "4", HOLD, REMOVE, {0}, FACTOR_FAIL, held},
        {"5", "", "4", HOLD, REMOVE, {0}, FACTOR_FAIL, held},
        {"", "5", "4", HOLD, REMOVE, {0}, FACTOR_FAIL,
            "serial %s revoked 2027-01-14 (certificateHold), CRL of CN=Root"},
        /* Only who was on hold comes back. */
        {"5", "6", "5", 1, REMOVE, {0}, FACTOR_FAIL,
            "serial %s revoked 2027-01-14 (keyCompromise), CRL 5 of CN=Root"},
        /* A delta that is not current, of another scope or key identifier, or not understood */
        {"5", "6", "5", HOLD, REMOVE, {.next_update = NOW - 1}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE, {.has_no_next = true}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE, {.this_update = NOW + 1}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE, {.point = users}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE, {.extension = key_id}, FACTOR_FAIL, held},
        {"5", "6", "5", HOLD, REMOVE,
            {.extension = forge_extension(FORGE_OID_UNKNOWN, true, BYTES("\5\0"))}, FACTOR_FAIL,
            held},
        /* However old, what a delta lists is revoked. */
        {"5", "6", "9", -1, 1, {.next_update = NOW - 1}, FACTOR_FAIL,
            "serial %s revoked 2027-01-14 (keyCompromise), CRL 6 of CN=Root"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct order complete = {.by = &root, .number = rows[i].base}, delta = rows[i].also;
        complete.listed = rows[i].base_reason < 0 ? NULL : &bob;
        complete.reason = complete.listed ? (uint8_t)rows[i].base_reason : 0;
        delta.by = &root;
        delta.number = rows[i].number;
        delta.base_number = rows[i].base_number;
        delta.listed = rows[i].delta_reason < 0 ? NULL : &bob;
        delta.reason = delta.listed ? (uint8_t)rows[i].delta_reason : 0;
        struct scene s = SHORT(REVOCATION_HARD, complete, delta);
        check(&s, rows[i].result,
            rows[i].detail ? rows[i].detail : "CRL 5 of CN=Root until 2027-01-16T08:00:00Z");
    }
    drop_all();
}

/* What was removed may have been put on hold again: the newest delta says what has changed. */
TEST(only_the_newest_delta_takes_out)
{
    make_all();
    struct order base = {.by = &root, .number = "5", .listed = &bob, .reason = 6},
                 removes = {.by = &root,
                     .number = "6",
                     .base_number = "5",
                     .listed = &bob,
                     .reason = 8},
                 silent = {.by = &root, .number = "7", .base_number = "5"};
    struct scene s = SHORT(REVOCATION_HARD, base, removes);
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    s.crls[s.crls_n++] = silent;
    check(&s, FACTOR_FAIL, "serial %s revoked 2027-01-14 (certificateHold), CRL 5 of CN=Root");
    s.crls[2].next_update = NOW - 1; /* also if it has ended by now */
    CHECK_INT(judged(&s).result, FACTOR_FAIL);
    s.crls[2].this_update = NOW + 1; /* but not before it begins */
    s.crls[2].next_update = 0;
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    drop_all();
}

TEST(a_delta_keeps_its_base_current)
{
    make_all();
    struct scene s = SHORT(REVOCATION_HARD, {.by = &root, .number = "5", .next_update = NOW - 1},
        {.by = &root, .number = "6", .base_number = "5"},
        {.by = &root, .number = "7", .base_number = "5", .next_update = NOW + 2 * DAY});
    check(&s, FACTOR_PASS, "CRL 5 and delta 7 of CN=Root until 2027-01-17T08:00:00Z");
    CHECK_INT(holds_until_s, NOW + DAY); /* by then the first delta has ended */
    s.crls[2].this_update = NOW + 1;
    check(&s, FACTOR_PASS, "CRL 5 and delta 6 of CN=Root until 2027-01-16T08:00:00Z");
    s.crls[2].this_update = 0;
    s.crls[1].base_number = s.crls[2].base_number = "6";
    check(&s, FACTOR_UNKNOWN, "CRL 5 of CN=Root expired 2027-01-15T07:59:59Z");
    drop_all();
}

/* ---- who signed ---- */

/* A certificate for CN=Root whose key signs CRLs, issued by BY. */
static struct identity make_signer(const struct identity *by, const char *usage)
{
    struct identity signer = make_identity(ISSUE_CA, "Root", NULL, by);
    change_identity(&signer, by, (struct change){NID_basic_constraints, NULL});
    change_identity(&signer, by, (struct change){NID_key_usage, usage});
    return signer;
}

TEST(a_key_of_its_own_for_crls)
{
    make_all();
    static const char not_signed[] =
        "CRL 3 of CN=Root is not signed by the issuer of the certificate";
    struct identity signer = make_signer(&root, "critical,cRLSign");
    struct scene s = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    check(&s, FACTOR_UNKNOWN, not_signed); /* nobody has shown the key */
    s.presented[0] = signer.certificate;
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    s.crls[0].listed = &bob;
    check(&s, FACTOR_FAIL, "serial %s revoked 2027-01-14 (unspecified), CRL 3 of CN=Root");
    /* The CA's other list says that this key is revoked. */
    s.crls[0].listed = NULL;
    s.crls[s.crls_n++] =
        (struct order){.by = &root, .number = "4", .listed = &signer, .point = BYTES("\x82\1\xff")};
    check(&s, FACTOR_UNKNOWN,
        "CRL 4 of CN=Root covers a part of the certificates only (issuingDistributionPoint)");
    s.leaf_only = true;
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    identity_fini(&signer);
    /* A key that is for something else */
    signer = make_signer(&root, "critical,keyCertSign");
    struct scene other = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    other.presented[0] = signer.certificate;
    check(&other, FACTOR_UNKNOWN, not_signed);
    identity_fini(&signer);
    drop_all();
}

TEST(a_key_for_crls_says_nothing_about_itself)
{
    make_all();
    struct identity signer = make_signer(&root, "critical,cRLSign");
    struct scene s = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    s.chain[0] = signer.certificate;
    s.presented[0] = signer.certificate;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    identity_fini(&signer);
    drop_all();
}

TEST(a_key_for_crls_that_is_not_in_its_time)
{
    make_all();
    struct identity signer = make_signer(&root, "critical,cRLSign");
    X509 *x = must_x509(signer.certificate);
    MUST(ASN1_TIME_set(X509_getm_notAfter(x), NOW - 1) &&
         X509_sign(x, private_key_pkey(root.key), EVP_sha256()));
    certificate_unref(&signer.certificate);
    signer.certificate = must_parse_x509(x);
    struct scene s = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    s.presented[0] = signer.certificate;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    s.presented[0] = NULL;
    s.also_trusted = signer.certificate;
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    X509_free(x);
    identity_fini(&signer);
    drop_all();
}

TEST(a_key_for_crls_that_another_anchor_vouches_for)
{
    make_all();
    struct identity rogue = make_identity(ISSUE_CA, "Rogue", NULL, NULL);
    struct identity signer = make_signer(&rogue, "critical,cRLSign");
    struct scene s = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    s.presented[0] = signer.certificate;
    s.also_trusted = rogue.certificate;
    s.leaf_only = true; /* nothing else speaks against the signer */
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    /* A second key that the operator trusts by this name is another thing. */
    s.also_trusted = signer.certificate;
    s.presented[0] = NULL;
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    identity_fini(&signer);
    identity_fini(&rogue);
    drop_all();
}

/* RFC 4210 §4.4: the old key has certified the new one, and still signs the lists. */
TEST(the_key_of_the_ca_before)
{
    make_all();
    struct identity new_key = make_identity(ISSUE_CA, "Root", NULL, &root),
                    carol = make_identity(ISSUE_CLIENT, "carol", "DNS:carol", &new_key);
    struct scene s = {{carol.certificate, new_key.certificate, root.certificate}, 3,
        {{.by = &root, .number = "3"}}, 1, .policy = REVOCATION_HARD};
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    s.crls[0].listed = &carol;
    check_about(
        &s, FACTOR_FAIL, "serial %s revoked 2027-01-14 (unspecified), CRL 3 of CN=Root", &carol);
    s.has_no_anchor = true; /* nobody vouches for the other key */
    CHECK_INT(judged(&s).result, FACTOR_UNKNOWN);
    identity_fini(&carol);
    identity_fini(&new_key);
    drop_all();
}

TEST(what_is_unknown_about_a_key_for_crls)
{
    make_all();
    struct identity between = make_identity(ISSUE_INTERMEDIATE, "Between", NULL, &root);
    struct identity signer = make_signer(&between, "critical,cRLSign");
    struct scene s = SHORT(REVOCATION_HARD, {.by = &signer, .number = "3"});
    s.presented[0] = signer.certificate;
    s.presented[1] = between.certificate;
    /* Of Between there is no CRL. */
    check(&s, FACTOR_UNKNOWN, "CRL 3 of CN=Root is not signed by the issuer of the certificate");
    s.exceptions_n = 1;
    s.exceptions[0] = (struct verify_exception){"CN=Between", REVOCATION_SOFT, 0};
    CHECK_INT(judged(&s).result, FACTOR_UNKNOWN); /* nor of Root that is signed by itself */
    s.crls[s.crls_n++] = (struct order){.by = &root, .number = "2", .point = BYTES("\x82\1\xff")};
    check(&s, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    identity_fini(&signer);
    identity_fini(&between);
    drop_all();
}

TEST(a_delta_by_another_key_than_its_base)
{
    make_all();
    struct identity signer = make_signer(&root, "critical,cRLSign");
    struct scene s =
        SHORT(REVOCATION_HARD, {.by = &root, .number = "5", .listed = &bob, .reason = 6},
            {.by = &signer, .number = "6", .base_number = "5", .listed = &bob, .reason = 8});
    s.presented[0] = signer.certificate;
    s.leaf_only = true;
    check(&s, FACTOR_FAIL, "serial %s revoked 2027-01-14 (certificateHold), CRL 5 of CN=Root");
    s.crls[0].by = &signer;
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    identity_fini(&signer);
    drop_all();
}

/* Who is not vouched for may show any key as its issuer's; each costs a check for each CRL. */
TEST(a_stranger_has_no_more_checks_than_the_budget_allows)
{
    make_all();
    struct scene s =
        SHORT(REVOCATION_HARD, {.by = &root}, {.by = &root, .number = "2", .listed = &bob});
    s.signatures = 1;
    check(&s, FACTOR_PASS, "CRL 1 of CN=Root until 2027-01-16T08:00:00Z");
    s.signatures = 2;
    CHECK_INT(judged(&s).result, FACTOR_FAIL);
    s.is_trusted = true;
    s.signatures = 0;
    CHECK_INT(judged(&s).result, FACTOR_FAIL);
    drop_all();
}

TEST(indirect_crls)
{
    make_all();
    struct identity lists = make_identity(ISSUE_INTERMEDIATE, "Lists", NULL, &root);
    struct bytes name = certificate_facts(lists.certificate)->subject,
                 of_root = certificate_facts(root.certificate)->subject,
                 a = full_name(uri("http://a/")), indirect = BYTES("\x84\1\xff");
    struct bytes at_a[] = {a, indirect}, at_lists[] = {full_name(forge_directory(name)), indirect},
                 at_b[] = {full_name(uri("http://b/")), indirect};
    struct certificate *named = with_points(&bob, FORGE(DER_SEQUENCE, a, issuer_field(name))),
                       *unnamed = with_points(&bob, FORGE(DER_SEQUENCE, issuer_field(name))),
                       *other = with_points(&bob, FORGE(DER_SEQUENCE, a, issuer_field(of_root)));
    struct {
        struct certificate *about;
        struct bytes point;
        bool passes, revokes;
    } rows[] = {
        {named, forge_join(at_a, 2), true, true},
        {named, indirect, true, true},
        {named, a, false, false},                  /* RFC 5280 §6.3.3 (b) (1): must be indirect */
        {named, forge_join(at_b, 2), false, true}, /* another point of the one who was named */
        {unnamed, forge_join(at_lists, 2), true, true},
        {unnamed, forge_join(at_a, 2), false, true},
        {other, forge_join(at_a, 2), false, false}, /* nobody has named this issuer */
        {bob.certificate, forge_join(at_a, 2), false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scene s = SHORT(REVOCATION_HARD, {.by = &lists, .point = rows[i].point});
        /* The certificate of the list's issuer has a CRL of its own. */
        s.crls[s.crls_n++] = (struct order){.by = &root, .point = BYTES("\x82\1\xff")};
        s.chain[0] = rows[i].about;
        s.presented[0] = lists.certificate;
        CHECK_INT(judged(&s).result, rows[i].passes ? FACTOR_PASS : FACTOR_UNKNOWN);
        s.crls[0].listed = &bob;
        s.crls[0].owner = of_root;
        bool is_indirect = rows[i].point.n != a.n;
        CHECK_INT(judged(&s).result == FACTOR_FAIL, is_indirect && rows[i].revokes);
        /* The same serial of another issuer is somebody else. */
        s.crls[0].owner = BYTES("");
        CHECK_INT(judged(&s).result, rows[i].passes ? FACTOR_PASS : FACTOR_UNKNOWN);
        s.presented[0] = NULL;
        CHECK_INT(judged(&s).result, FACTOR_UNKNOWN);
    }
    /* An issuer that names itself: as (b) (1) has it, such a list must be indirect. */
    struct scene own = SHORT(REVOCATION_HARD, {.by = &root, .point = a});
    own.chain[0] = other;
    CHECK_INT(judged(&own).result, FACTOR_UNKNOWN);
    own.crls[0].point = forge_join(at_a, 2);
    CHECK_INT(judged(&own).result, FACTOR_PASS);
    certificate_unref(&named);
    certificate_unref(&unnamed);
    certificate_unref(&other);
    identity_fini(&lists);
    drop_all();
}

/* ---- OCSP ---- */

TEST(ocsp_answers_about_the_leaf)
{
    make_all();
    struct scene s = short_scene(REVOCATION_HARD, NULL),
                 both = SHORT(REVOCATION_HARD, {.by = &root, .number = "3"});
    s.has_ocsp = both.has_ocsp = true;
    ocsp_says = (struct ocsp_answer){
        .status = OCSP_GOOD, .next_update = NOW + DAY, .usable_until = NOW + 99};
    check(&s, FACTOR_PASS, "OCSP answer: good until 2027-01-16T08:00:00Z");
    CHECK_INT(holds_until_s, NOW + 99);
    CHECK_INT(ocsp_asked, 1);
    check(&both, FACTOR_PASS, "OCSP answer: good until 2027-01-16T08:00:00Z");
    both.crls[0].listed = &bob;
    both.crls[0].reason = 1;
    check(&both, FACTOR_FAIL, "serial %s revoked 2027-01-14 (keyCompromise), CRL 3 of CN=Root");
    both.crls[0].listed = NULL;

    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD};
    check(&s, FACTOR_UNKNOWN, "OCSP answer has no nextUpdate");
    CHECK_INT(holds_until_s, NOW);
    ocsp_says = (struct ocsp_answer){.status = OCSP_REVOKED, .revoked_at = 1793491200};
    check(&s, FACTOR_FAIL, "serial %s revoked 2026-11-01 (unspecified), OCSP answer");
    CHECK_INT(judged(&both).result, FACTOR_FAIL);
    ocsp_says = (struct ocsp_answer){.status = OCSP_UNKNOWN};
    check(&s, FACTOR_UNKNOWN, "OCSP answer: the responder does not know serial %s");
    ocsp_says = (struct ocsp_answer){.status = OCSP_UNUSABLE, .detail = "wrong signature"};
    check(&s, FACTOR_UNKNOWN, "OCSP answer: wrong signature");
    check(&both, FACTOR_PASS, "CRL 3 of CN=Root until 2027-01-16T08:00:00Z");
    both.crls[0].next_update = NOW - 1;
    check(&both, FACTOR_UNKNOWN,
        "OCSP answer: wrong signature; CRL 3 of CN=Root expired 2027-01-15T07:59:59Z");
    drop_all();
}

TEST(an_ocsp_answer_says_nothing_about_the_intermediate)
{
    make_all();
    struct scene s = long_scene(REVOCATION_HARD);
    s.crls_n = 0;
    s.has_ocsp = true;
    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD, .next_update = NOW + DAY};
    check(&s, FACTOR_UNKNOWN, "no CRL of CN=Root");
    CHECK_INT(ocsp_asked, 1);
    s.leaf_only = true;
    CHECK_INT(judged(&s).result, FACTOR_PASS);
    s.has_no_anchor = true;
    s.chain_n = 1;
    check(&s, FACTOR_UNKNOWN, "OCSP answer: no certificate of CN=Clients CA to check it with");
    drop_all();
}

TEST(an_ocsp_responder_that_is_revoked)
{
    make_all();
    struct identity responder = make_identity(ISSUE_CLIENT, "responder", "DNS:r", &root);
    struct scene s = SHORT(REVOCATION_HARD, {.by = &root, .number = "3", .next_update = NOW - 1});
    s.has_ocsp = true;
    ocsp_says = (struct ocsp_answer){.status = OCSP_GOOD, .next_update = NOW + DAY};
    struct bytes serial = serial_of(&responder);
    memcpy(ocsp_says.responder_serial, serial.at, serial.n);
    ocsp_says.responder_serial_n = serial.n;
    check(&s, FACTOR_PASS, "OCSP answer: good until 2027-01-16T08:00:00Z");
    s.crls[0].listed = &responder;
    check(&s, FACTOR_UNKNOWN,
        "OCSP answer: the responder's certificate is revoked; CRL 3 of CN=Root expired "
        "2027-01-15T07:59:59Z");
    identity_fini(&responder);
    drop_all();
}
