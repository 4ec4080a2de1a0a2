/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "pki/path.h"

#include "base/ban.h"

/* A question: which leaf, what the peer sent, which anchors. Empty slots are NULL. */
struct scene {
    const struct certificate *leaf;
    const struct certificate *sent[4];
    const struct certificate *anchors[3];
    bool partial_chain;
    unsigned depth_max;
    int64_t now_s;
};

/* The first candidate; AFTER it, is there another? */
static bool judge_more(const struct scene *s, enum path_purpose purpose, struct path *out)
{
    struct certificate_list anchors = {0};
    for (size_t i = 0; i < 3 && s->anchors[i]; i++)
        certificate_list_add(&anchors, s->anchors[i]);
    struct path_store *store = path_store_new(&anchors, s->partial_chain);
    certificate_list_fini(&anchors);
    struct path_request r = {
        .store = store,
        .leaf = s->leaf,
        .untrusted = s->sent,
        .purpose = purpose,
        .depth_max = s->depth_max ? s->depth_max : 8,
        .now_s = s->now_s,
    };
    while (r.untrusted_n < 4 && s->sent[r.untrusted_n])
        r.untrusted_n++;
    struct path_budget budget = PATH_BUDGET;
    struct path_search *search = path_search_new(&r, &budget);
    struct path next;
    CHECK(path_search_next(search, out));
    bool has_more = path_search_next(search, &next);
    path_search_free(&search);
    CHECK_INT(ERR_peek_error(), 0);
    path_store_free(&store);
    return has_more;
}

static void judge(const struct scene *s, enum path_purpose purpose, struct path *out)
{
    CHECK(!judge_more(s, purpose, out));
}

/* The faults alone. */
static unsigned faults(const struct scene *s, enum path_purpose purpose)
{
    struct path r;
    judge(s, purpose, &r);
    CHECK((r.faults != 0) == (r.detail[0] != 0));
    if (r.faults)
        printf("# %x %s\n", r.faults, r.detail);
    return r.faults;
}

/* root → sub → server, client */
static struct identity root, sub, server, client;

static void make_all(void)
{
    root = make_identity(ISSUE_CA, "Root", NULL, NULL);
    sub = make_identity(ISSUE_INTERMEDIATE, "Sub", NULL, &root);
    server = make_identity(ISSUE_SERVER, "s", "DNS:s.example", &sub);
    client = make_identity(ISSUE_CLIENT, "c", "EMAIL:c@example.com", &sub);
}

static void drop_all(void)
{
    identity_fini(&root);
    identity_fini(&sub);
    identity_fini(&server);
    identity_fini(&client);
}

TEST(good_path_with_the_same_handles)
{
    make_all();
    struct path r;
    struct scene s = {
        server.certificate, {server.certificate, sub.certificate}, {root.certificate}};
    judge(&s, PATH_SERVER, &r);
    CHECK_INT(r.faults, 0);
    CHECK_TEXT(r.detail, "");
    CHECK(r.has_anchor);
    CHECK_INT(r.n, 3);
    CHECK(r.n == 3 && r.at[0] == server.certificate && r.at[1] == sub.certificate &&
          r.at[2] == root.certificate);
    s.leaf = client.certificate;
    CHECK_INT(faults(&s, PATH_CLIENT), 0);
    drop_all();
}

TEST(missing_intermediate)
{
    make_all();
    struct path r;
    struct scene s = {server.certificate, {server.certificate}, {root.certificate}};
    judge(&s, PATH_SERVER, &r);
    CHECK_INT(r.faults, PATH_BIT(PATH_UNTRUSTED));
    CHECK_TEXT(
        r.detail, "CN=s: its issuer CN=Sub is not trusted, and no such certificate was sent");
    CHECK(!r.has_anchor);
    CHECK_INT(r.n, 1);
    drop_all();
}

TEST(no_anchors_at_all)
{
    make_all();
    struct scene s = {server.certificate, {sub.certificate, root.certificate}, {NULL}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_UNTRUSTED));
    drop_all();
}

TEST(wrong_usage_both_ways)
{
    make_all();
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_CLIENT), PATH_BIT(PATH_WRONG_USAGE));
    s.leaf = client.certificate;
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WRONG_USAGE));
    drop_all();
}

/* What a leaf of Sub's with a changed extension is worth. */
static unsigned faults_with(
    const struct identity *who, int nid, const char *value, enum path_purpose purpose)
{
    struct change change = {nid, value};
    struct certificate *c = remake(who, &sub, &change, 1, EVP_sha256());
    struct scene s = {c, {sub.certificate}, {root.certificate}};
    unsigned found = faults(&s, purpose);
    certificate_unref(&c);
    return found;
}

TEST(extended_key_usage)
{
    static const struct {
        const char *value;
        bool server, client;
    } rows[] = {
        {"serverAuth,clientAuth", true, true},
        {NULL, true, true},
        {"anyExtendedKeyUsage", true, true},
        {"codeSigning", false, false},
        {"msSGC", false, false},
    };
    make_all();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned wrong = PATH_BIT(PATH_WRONG_USAGE);
        CHECK_INT(faults_with(&server, NID_ext_key_usage, rows[i].value, PATH_SERVER),
            rows[i].server ? 0 : wrong);
        CHECK_INT(faults_with(&server, NID_ext_key_usage, rows[i].value, PATH_CLIENT),
            rows[i].client ? 0 : wrong);
    }
    drop_all();
}

TEST(key_usage_of_a_leaf)
{
    unsigned wrong = PATH_BIT(PATH_WRONG_USAGE);
    make_all();
    CHECK_INT(faults_with(&server, NID_key_usage, "keyEncipherment", PATH_SERVER), 0);
    CHECK_INT(faults_with(&server, NID_key_usage, "keyAgreement", PATH_SERVER), 0);
    CHECK_INT(faults_with(&server, NID_key_usage, "nonRepudiation", PATH_SERVER), wrong);
    CHECK_INT(faults_with(&client, NID_key_usage, "keyEncipherment", PATH_CLIENT), wrong);
    CHECK_INT(faults_with(&client, NID_key_usage, "keyAgreement", PATH_CLIENT), wrong);
    CHECK_INT(faults_with(&client, NID_key_usage, NULL, PATH_CLIENT), 0);
    drop_all();
}

TEST(usage_restricted_by_the_intermediate)
{
    make_all();
    change_identity(&sub, &root, (struct change){NID_ext_key_usage, "clientAuth"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WRONG_USAGE));
    s.leaf = client.certificate;
    CHECK_INT(faults(&s, PATH_CLIENT), 0);
    drop_all();
}

TEST(ca_as_leaf)
{
    make_all();
    change_identity(&sub, &root, (struct change){NID_key_usage, "digitalSignature,keyCertSign"});
    struct scene s = {sub.certificate, {NULL}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WRONG_USAGE));
    CHECK_INT(faults(&s, PATH_CLIENT), PATH_BIT(PATH_WRONG_USAGE));
    drop_all();
}

TEST(self_signed_leaf)
{
    struct identity self = make_identity(ISSUE_SERVER, "self", "DNS:self.example", NULL);
    struct identity other = make_identity(ISSUE_CA, "other", NULL, NULL);
    struct path r;
    struct scene s = {self.certificate, {NULL}, {self.certificate}};
    judge(&s, PATH_SERVER, &r);
    CHECK_INT(r.faults, 0);
    CHECK(r.has_anchor && r.n == 1);
    CHECK_INT(faults(&s, PATH_CLIENT), PATH_BIT(PATH_WRONG_USAGE));
    s.anchors[0] = other.certificate;
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_UNTRUSTED));
    identity_fini(&self);
    identity_fini(&other);
}

TEST(self_signed_ca_is_its_own_anchor)
{
    struct identity self = make_identity(ISSUE_CA, "self", "DNS:self.example", NULL);
    change_identity(&self, NULL, (struct change){NID_key_usage, NULL});
    struct scene s = {self.certificate, {NULL}, {self.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    identity_fini(&self);
}

TEST(path_length_exceeded)
{
    make_all();
    struct identity below = make_identity(ISSUE_INTERMEDIATE, "Below", NULL, &sub);
    struct identity leaf = make_identity(ISSUE_SERVER, "l", "DNS:l.example", &below);
    struct scene s = {leaf.certificate, {below.certificate, sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_LENGTH));
    identity_fini(&below);
    identity_fini(&leaf);
    drop_all();
}

TEST(depth_exceeded)
{
    make_all();
    change_identity(&sub, &root, (struct change){NID_basic_constraints, "critical,CA:TRUE"});
    struct identity below = make_identity(ISSUE_INTERMEDIATE, "Below", NULL, &sub);
    struct identity leaf = make_identity(ISSUE_SERVER, "l", "DNS:l.example", &below);
    struct scene s = {leaf.certificate, {below.certificate, sub.certificate}, {root.certificate}};
    s.depth_max = 2;
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    s.depth_max = 1;
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_DEPTH));
    identity_fini(&below);
    identity_fini(&leaf);
    drop_all();
}

TEST(leaf_that_plays_ca)
{
    make_all();
    /* issue_certificate refuses such an issuer, so it is made the hard way. */
    X509 *x = must_x509(client.certificate);
    X509 *issuer = must_x509(server.certificate);
    MUST(x && X509_set_issuer_name(x, X509_get_subject_name(issuer)));
    apply_change(x, NULL, (struct change){NID_authority_key_identifier, NULL});
    MUST(X509_sign(x, private_key_pkey(server.key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    struct scene s = {c, {server.certificate, sub.certificate}, {root.certificate}};
    CHECK(faults(&s, PATH_CLIENT) & PATH_BIT(PATH_BAD_CA));
    X509_free(x);
    X509_free(issuer);
    certificate_unref(&c);
    drop_all();
}

TEST(ca_that_may_not_sign_certificates)
{
    make_all();
    change_identity(&sub, &root, (struct change){NID_key_usage, "critical,cRLSign"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK(faults(&s, PATH_SERVER) & (PATH_BIT(PATH_BAD_CA) | PATH_BIT(PATH_UNTRUSTED)));
    drop_all();
}

TEST(issuer_that_is_no_ca)
{
    make_all();
    change_identity(&sub, &root, (struct change){NID_basic_constraints, "critical,CA:FALSE"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    unsigned found = faults(&s, PATH_SERVER);
    CHECK(found & PATH_BIT(PATH_BAD_CA));
    CHECK(!(found & PATH_BIT(PATH_MALFORMED))); /* it would be the reason */
    drop_all();
}

TEST(forged_signature)
{
    make_all();
    struct identity fake = make_identity(ISSUE_INTERMEDIATE, "Sub", NULL, &root);
    /* Named as Sub's, with Sub's key identifier, signed by another key. */
    X509 *x = must_x509(server.certificate);
    MUST(X509_sign(x, private_key_pkey(fake.key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    struct scene s = {c, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_BAD_SIGNATURE));
    X509_free(x);
    certificate_unref(&c);
    identity_fini(&fake);
    drop_all();
}

TEST(sha1_is_weak_except_on_the_anchor)
{
    make_all();
    struct certificate *weak = remake(&server, &sub, NULL, 0, EVP_sha1());
    struct scene s = {weak, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WEAK_ALGORITHM));
    s.sent[0] = NULL; /* also where the path is not complete */
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WEAK_ALGORITHM) | PATH_BIT(PATH_UNTRUSTED));
    struct certificate *old_root = remake(&root, NULL, NULL, 0, EVP_sha1());
    struct scene t = {server.certificate, {sub.certificate}, {old_root}};
    CHECK_INT(faults(&t, PATH_SERVER), 0);
    certificate_unref(&weak);
    certificate_unref(&old_root);
    drop_all();
}

TEST(short_rsa_key)
{
    make_all();
    X509 *x = must_x509(server.certificate);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    MUST(weak && X509_set_pubkey(x, weak) && X509_sign(x, private_key_pkey(sub.key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    struct scene s = {c, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_WEAK_ALGORITHM));
    EVP_PKEY_free(weak);
    X509_free(x);
    certificate_unref(&c);
    drop_all();
}

TEST(name_constraint)
{
    make_all();
    change_identity(
        &sub, &root, (struct change){NID_name_constraints, "critical,permitted;DNS:example"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    change_identity(
        &sub, &root, (struct change){NID_name_constraints, "critical,permitted;DNS:other.test"});
    s.sent[0] = sub.certificate;
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_NAME_CONSTRAINT));
    drop_all();
}

TEST(name_constraint_is_not_about_the_common_name)
{
    make_all();
    struct identity leaf = make_identity(ISSUE_SERVER, "www.other.test", "IP:192.0.2.1", &sub);
    change_identity(
        &sub, &root, (struct change){NID_name_constraints, "critical,permitted;DNS:example"});
    struct scene s = {leaf.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    identity_fini(&leaf);
    drop_all();
}

/* C with a critical extension that nobody knows. */
static struct certificate *with_unknown_critical(
    const struct identity *who, const struct identity *issuer)
{
    X509 *x = must_x509(who->certificate);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *null = ASN1_OCTET_STRING_new();
    MUST(x && oid && null && ASN1_OCTET_STRING_set(null, (const unsigned char *)"\5\0", 2));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, null);
    MUST(e && X509_add_ext(x, e, -1) && X509_sign(x, private_key_pkey(issuer->key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(null);
    ASN1_OBJECT_free(oid);
    X509_free(x);
    return c;
}

TEST(unknown_critical_extension)
{
    make_all();
    struct certificate *leaf = with_unknown_critical(&server, &sub);
    struct certificate *ca = with_unknown_critical(&sub, &root);
    struct scene s = {leaf, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_UNKNOWN_CRITICAL));
    struct scene t = {server.certificate, {ca}, {root.certificate}};
    CHECK_INT(faults(&t, PATH_SERVER), PATH_BIT(PATH_UNKNOWN_CRITICAL));
    certificate_unref(&leaf);
    certificate_unref(&ca);
    drop_all();
}

TEST(every_fault_is_found)
{
    make_all();
    change_identity(
        &sub, &root, (struct change){NID_name_constraints, "critical,permitted;DNS:other.test"});
    struct certificate *weak = remake(&server, &sub, NULL, 0, EVP_sha1());
    struct scene s = {weak, {sub.certificate}, {root.certificate}};
    struct path r;
    judge(&s, PATH_CLIENT, &r);
    CHECK_INT(r.faults, PATH_BIT(PATH_NAME_CONSTRAINT) | PATH_BIT(PATH_WEAK_ALGORITHM) |
                            PATH_BIT(PATH_WRONG_USAGE));
    /* The detail is about the first of enum path_fault, which becomes the reason. */
    CHECK_TEXT(r.detail, "CN=s: CN=Sub does not allow DNS:s.example (nameConstraints)");
    CHECK_INT(r.n, 3);
    certificate_unref(&weak);
    drop_all();
}

TEST(partial_chain)
{
    make_all();
    struct scene s = {server.certificate, {NULL}, {sub.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_UNTRUSTED));
    s.partial_chain = true;
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    drop_all();
}

TEST(explicit_policy)
{
    make_all();
    change_identity(
        &sub, &root, (struct change){NID_policy_constraints, "critical,requireExplicitPolicy:0"});
    change_identity(&sub, &root, (struct change){NID_certificate_policies, "1.2.3.4"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_POLICY));
    change_identity(&server, &sub, (struct change){NID_certificate_policies, "1.2.3.4"});
    s.leaf = server.certificate;
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    drop_all();
}

TEST(what_lab_cas_lack_is_forgiven)
{
    make_all();
    change_identity(&root, NULL, (struct change){NID_key_usage, NULL});
    change_identity(&root, NULL, (struct change){NID_basic_constraints, "CA:TRUE"});
    change_identity(&sub, &root, (struct change){NID_key_usage, NULL});
    change_identity(&sub, &root, (struct change){NID_basic_constraints, "CA:TRUE,pathlen:0"});
    change_identity(&server, &sub, (struct change){NID_authority_key_identifier, NULL});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    drop_all();
}

/* WHO's certificate with another serial number. */
static struct certificate *numbered(
    const struct identity *who, const struct identity *issuer, const char *hex)
{
    X509 *x = must_x509(who->certificate);
    BIGNUM *number = NULL;
    MUST(BN_hex2bn(&number, hex));
    ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(number, NULL);
    MUST(serial && X509_set_serialNumber(x, serial) &&
         X509_sign(x, private_key_pkey(issuer->key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    X509_free(x);
    return c;
}

/* The faults if LEAF, BETWEEN or ANCHOR, one of which is not NULL, takes the place of ours. */
static unsigned faults_in_place(const struct certificate *leaf, const struct certificate *between,
    const struct certificate *anchor)
{
    struct scene s = {leaf ? leaf : server.certificate, {between ? between : sub.certificate},
        {anchor ? anchor : root.certificate}};
    return faults(&s, PATH_SERVER);
}

TEST(serial_numbers)
{
    static const struct {
        const char *serial;
        unsigned leaf, between;
    } rows[] = {
        {"0", PATH_BIT(PATH_MALFORMED), PATH_BIT(PATH_MALFORMED)},
        {"-1", 0, 0}, /* NIST PKITS 4.4.14 */
        {"7fffffffffffffffffffffffffffffffffffffff", 0, 0},
        {"010000000000000000000000000000000000000000", PATH_BIT(PATH_MALFORMED),
            PATH_BIT(PATH_MALFORMED)},
    };
    make_all();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct certificate *leaf = numbered(&server, &sub, rows[i].serial),
                           *between = numbered(&sub, &root, rows[i].serial),
                           *anchor = numbered(&root, &root, rows[i].serial);
        CHECK_INT(faults_in_place(leaf, NULL, NULL), rows[i].leaf);
        CHECK_INT(faults_in_place(NULL, between, NULL), rows[i].between);
        CHECK_INT(faults_in_place(NULL, NULL, anchor), 0);
        certificate_unref(&leaf);
        certificate_unref(&between);
        certificate_unref(&anchor);
    }
    drop_all();
}

TEST(what_the_profile_forbids_and_where)
{
    enum {
        GOOD = 0,
        MALFORMED = PATH_BIT(PATH_MALFORMED),
        USAGE = PATH_BIT(PATH_WRONG_USAGE),
        NO_CA = PATH_BIT(PATH_BAD_CA),
    };
    static const struct {
        struct change change;
        unsigned leaf, between, anchor;
    } rows[] = {
        {{NID_subject_key_identifier, "critical,hash"}, MALFORMED, MALFORMED, MALFORMED},
        {{NID_authority_key_identifier, "critical,keyid:always"}, MALFORMED, MALFORMED, MALFORMED},
        {{NID_subject_alt_name, "DER:3000"}, MALFORMED, MALFORMED, MALFORMED},
        {{NID_basic_constraints, "DER:3003020105"}, MALFORMED, NO_CA, NO_CA},
        {{NID_key_usage, "digitalSignature,keyCertSign"}, USAGE, GOOD, GOOD},
        {{NID_key_usage, "DER:030100"}, USAGE, NO_CA, NO_CA},
        {{NID_name_constraints, "permitted;DNS:example"}, MALFORMED, GOOD, GOOD},
    };
    make_all();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct certificate *leaf = remake(&server, &sub, &rows[i].change, 1, EVP_sha256()),
                           *between = remake(&sub, &root, &rows[i].change, 1, EVP_sha256()),
                           *anchor = remake(&root, NULL, &rows[i].change, 1, EVP_sha256());
        CHECK_INT(faults_in_place(leaf, NULL, NULL), rows[i].leaf);
        CHECK_INT(faults_in_place(NULL, between, NULL), rows[i].between);
        CHECK_INT(faults_in_place(NULL, NULL, anchor), rows[i].anchor);
        certificate_unref(&leaf);
        certificate_unref(&between);
        certificate_unref(&anchor);
    }
    drop_all();
}

/* Only the path counts where no purpose of TLS is asked for. */
TEST(any_purpose)
{
    make_all();
    struct scene s = {sub.certificate, {NULL}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_ANY), 0);
    CHECK_INT(faults(&s, PATH_CRL_SIGNER), 0);
    struct certificate *other =
        remake(&server, &sub, &(struct change){NID_ext_key_usage, "codeSigning"}, 1, EVP_sha256());
    struct scene t = {other, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&t, PATH_ANY), 0);
    certificate_unref(&other);
    drop_all();
}

TEST(constraints_that_mean_nothing)
{
    make_all();
    change_identity(
        &sub, &root, (struct change){NID_name_constraints, "critical,permitted;DNS:.example"});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_NAME_CONSTRAINT));
    drop_all();
}

TEST(anchor_must_be_a_ca)
{
    make_all();
    change_identity(&root, NULL, (struct change){NID_basic_constraints, NULL});
    struct scene s = {server.certificate, {sub.certificate}, {root.certificate}};
    CHECK(faults(&s, PATH_SERVER) & PATH_BIT(PATH_BAD_CA));
    drop_all();
}

/* WHO's certificate for another time. */
static struct certificate *at_another_time(
    const struct identity *who, int64_t not_before, int64_t not_after)
{
    X509 *x = must_x509(who->certificate);
    MUST(ASN1_TIME_set(X509_getm_notBefore(x), not_before) &&
         ASN1_TIME_set(X509_getm_notAfter(x), not_after));
    MUST(X509_sign(x, private_key_pkey(who->key), EVP_sha256()));
    struct certificate *c = must_parse_x509(x);
    X509_free(x);
    return c;
}

TEST(dates_are_not_judged_but_a_valid_anchor_is_preferred)
{
    make_all();
    struct certificate *old = at_another_time(&root, NOW - 20 * DAY, NOW - 10 * DAY);
    struct scene s = {server.certificate, {sub.certificate}, {old, root.certificate}};
    for (int order = 0; order < 2; order++) {
        struct path r;
        s.anchors[0] = order ? old : root.certificate;
        s.anchors[1] = order ? root.certificate : old;
        s.now_s = NOW;
        CHECK(judge_more(&s, PATH_SERVER, &r)); /* by way of the old one */
        CHECK_INT(r.faults, 0);
        CHECK(r.n == 3 && r.at[2] == root.certificate);
    }
    s.now_s = NOW + 1000 * DAY; /* everything has expired: not our business */
    s.anchors[1] = NULL;
    CHECK_INT(faults(&s, PATH_SERVER), 0);
    certificate_unref(&old);
    drop_all();
}

TEST(anchor_of_the_same_name)
{
    make_all();
    struct identity twin = make_identity(ISSUE_CA, "Root", NULL, NULL);
    struct scene s = {server.certificate, {sub.certificate}, {twin.certificate}};
    CHECK_INT(faults(&s, PATH_SERVER), PATH_BIT(PATH_UNTRUSTED));
    identity_fini(&twin);
    drop_all();
}
