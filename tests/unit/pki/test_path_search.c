/* SPDX-License-Identifier: Apache-2.0 */
/* Building paths: which are found, in which order, and what it costs. */
#include "fixture.h"
#include "pki/path.h"

#include "base/ban.h"

#define MADE_MAX 96

/* Whoever has a name and a key. */
struct party {
    const char *name;
    EVP_PKEY *key;
};

static struct certificate *made[MADE_MAX];
static size_t made_n;
static EVP_PKEY *keys[MADE_MAX];
static size_t keys_n;

static struct party party(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    MUST(key && keys_n < MADE_MAX);
    keys[keys_n++] = key;
    return (struct party){name, key};
}

static void drop_all(void)
{
    while (made_n)
        certificate_unref(&made[--made_n]);
    while (keys_n)
        EVP_PKEY_free(keys[--keys_n]);
}

static void set_name(X509_NAME *name, const char *text)
{
    MUST(X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0));
}

/* SUBJECT as certified by ISSUER, until NOT_AFTER, with three extensions at most. */
static const struct certificate *certify_until(const struct party *subject,
    const struct party *issuer, int64_t not_after, const struct change *changes)
{
    X509 *x = X509_new();
    MUST(x && made_n < MADE_MAX && X509_set_version(x, X509_VERSION_3) &&
         ASN1_INTEGER_set(X509_get_serialNumber(x), (long)made_n + 1) &&
         X509_set_pubkey(x, subject->key));
    set_name(X509_get_subject_name(x), subject->name);
    set_name(X509_get_issuer_name(x), issuer->name);
    MUST(ASN1_TIME_set(X509_getm_notBefore(x), NOW - 30 * DAY) &&
         ASN1_TIME_set(X509_getm_notAfter(x), not_after));
    for (size_t i = 0; i < 3 && changes[i].nid; i++)
        apply_change(x, NULL, changes[i]);
    MUST(X509_sign(x, issuer->key, EVP_sha256()));
    made[made_n] = must_parse_x509(x);
    X509_free(x);
    return made[made_n++];
}

static const struct change ca_changes[3] = {{NID_basic_constraints, "critical,CA:TRUE"}};
static const struct change leaf_changes[3] = {{NID_subject_alt_name, "DNS:a.example"}};

static const struct certificate *certify(const struct party *subject, const struct party *issuer)
{
    return certify_until(subject, issuer, NOW + DAY, ca_changes);
}

static const struct certificate *certify_leaf(
    const struct party *subject, const struct party *issuer)
{
    return certify_until(subject, issuer, NOW + DAY, leaf_changes);
}

/* ---- searching ---- */

struct question {
    const struct certificate *anchors[4], *leaf;
    const struct certificate *pool[64];
    size_t pool_n;
    struct path_budget budget;
    unsigned depth_max;
    enum path_purpose purpose;
    /* What was found: the first path, how many there were, and the faults of all of them. */
    struct path first;
    size_t paths;
    unsigned faults;
};

static struct question ask(const struct certificate *leaf, const struct certificate *anchor)
{
    return (struct question){
        .leaf = leaf, .anchors = {anchor}, .budget = PATH_BUDGET, .depth_max = 8};
}

static void search(struct question *q)
{
    struct certificate_list anchors = {0};
    for (size_t i = 0; i < 4 && q->anchors[i]; i++)
        certificate_list_add(&anchors, q->anchors[i]);
    struct path_store *store = path_store_new(&anchors, false);
    certificate_list_fini(&anchors);
    struct path_request r = {.store = store,
        .leaf = q->leaf,
        .untrusted = q->pool,
        .untrusted_n = q->pool_n,
        .purpose = q->purpose,
        .depth_max = q->depth_max,
        .now_s = NOW};
    struct path_search *s = path_search_new(&r, &q->budget);
    struct path path;
    q->paths = q->faults = 0;
    while (path_search_next(s, &path)) {
        if (!q->paths++)
            q->first = path;
        q->faults |= path.faults;
    }
    CHECK(!path_search_next(s, &path));
    path_search_free(&s);
    path_search_free(&s);
    path_store_free(&store);
    if (q->faults)
        printf("# %x %s\n", q->faults, q->first.detail);
}

TEST(any_order_and_nothing_that_does_not_belong)
{
    struct party root = party("Root"), a = party("A"), b = party("B"), c = party("C"),
                 me = party("me");
    struct question q = ask(certify_leaf(&me, &c), certify(&root, &root));
    q.pool[0] = certify(&c, &b);
    q.pool[1] = certify(&me, &me);
    q.pool[2] = certify(&a, &root);
    q.pool[3] = q.leaf;
    q.pool[4] = q.anchors[0];
    q.pool[5] = certify(&b, &a);
    q.pool[6] = q.pool[5];
    q.pool_n = 7;
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.paths, 1);
    CHECK(q.first.n == 5 && q.first.at[0] == q.leaf && q.first.at[1] == q.pool[0] &&
          q.first.at[2] == q.pool[5] && q.first.at[3] == q.pool[2]);
    /* Four signatures, and no more. */
    CHECK_INT(PATH_BUDGET.signatures - q.budget.signatures, 4);
    drop_all();
}

TEST(all_paths_are_found)
{
    struct party old_root = party("Old Root"), root = party("Root"), sub = party("Sub"),
                 me = party("me");
    struct question q = ask(certify_leaf(&me, &sub), certify(&root, &root));
    q.anchors[1] = certify(&old_root, &old_root);
    q.pool[0] = certify(&sub, &old_root);
    q.pool[1] = certify(&root, &old_root); /* cross-certified */
    q.pool[2] = certify(&sub, &root);
    q.pool[3] = certify(&old_root, &root);
    q.pool_n = 4;
    search(&q);
    /* me-Sub-Root, me-Sub-Root'-Old Root, me-Sub'-Old Root, me-Sub'-Old Root'-Root */
    CHECK_INT(q.paths, 4);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.first.n, 3);
    drop_all();
}

TEST(issuers_that_fit_better_come_first)
{
    static const struct change with_id[3] = {
        {NID_basic_constraints, "critical,CA:TRUE"}, {NID_subject_key_identifier, "hash"}};
    struct party root = party("Root"), sub = party("Sub"), other = party("Sub"), me = party("me");
    struct question q = ask(NULL, certify(&root, &root));
    /* Expired, of another key, good. */
    q.pool[0] = certify_until(&sub, &root, NOW - DAY, with_id);
    q.pool[1] = certify_until(&other, &root, NOW + DAY, with_id);
    q.pool[2] = certify_until(&sub, &root, NOW + DAY, with_id);
    q.pool_n = 3;
    X509 *x = must_x509(certify_leaf(&me, &sub)), *issuer = must_x509(q.pool[2]);
    apply_change(x, issuer, (struct change){NID_authority_key_identifier, "keyid:always"});
    MUST(X509_sign(x, sub.key, EVP_sha256()));
    made[made_n] = must_parse_x509(x);
    q.leaf = made[made_n++];
    X509_free(x);
    X509_free(issuer);
    search(&q);
    CHECK_INT(q.paths, 2);
    CHECK(q.first.at[1] == q.pool[2]);
    drop_all();
}

TEST(a_key_identifier_is_only_a_hint)
{
    static const struct change wrong_id[3] = {
        {NID_basic_constraints, "critical,CA:TRUE"}, {NID_subject_key_identifier, "0102"}};
    struct party root = party("Root"), me = party("me");
    const struct certificate *good = certify(&root, &root);
    struct question q = ask(NULL, certify_until(&root, &root, NOW + DAY, wrong_id));
    X509 *x = must_x509(certify_leaf(&me, &root));
    struct identity fake = make_identity(ISSUE_CA, "Root", NULL, NULL);
    X509 *issuer = must_x509(fake.certificate);
    apply_change(x, issuer, (struct change){NID_authority_key_identifier, "keyid:always"});
    MUST(X509_sign(x, root.key, EVP_sha256()));
    made[made_n] = must_parse_x509(x);
    q.leaf = made[made_n++];
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.first.n, 2);
    CHECK(good != q.first.at[1]);
    X509_free(x);
    X509_free(issuer);
    identity_fini(&fake);
    drop_all();
}

TEST(a_rekeyed_ca)
{
    struct party old_key = party("CA"), new_key = party("CA"), me = party("me");
    struct question q = ask(certify_leaf(&me, &new_key), certify(&old_key, &old_key));
    q.pool[0] = certify(&old_key, &new_key);
    q.pool[1] = certify(&new_key, &old_key);
    q.pool_n = 2;
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.paths, 1);
    CHECK(q.first.n == 3 && q.first.at[1] == q.pool[1]);
    drop_all();
}

/* Key roll-over under constraints: a self-issued CA between is neither counted nor named (RFC 5280
 * §4.2.1.9, §4.2.1.10). */
TEST(self_issued_certificates_are_not_constrained)
{
    static const struct change limited[3] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_name_constraints, "critical,permitted;DNS:a.example"}};
    static const struct change named[3] = {
        {NID_basic_constraints, "critical,CA:TRUE"}, {NID_subject_alt_name, "DNS:other.test"}};
    struct party old_key = party("CA"), new_key = party("CA"), other = party("Other"),
                 me = party("me");
    struct question q =
        ask(certify_leaf(&me, &new_key), certify_until(&old_key, &old_key, NOW + DAY, limited));
    q.pool[0] = certify_until(&new_key, &old_key, NOW + DAY, named);
    q.pool_n = 1;
    search(&q);
    CHECK_INT(q.faults, 0);
    q.leaf = certify_leaf(&me, &other);
    q.pool[0] = certify_until(&other, &old_key, NOW + DAY, named);
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_LENGTH) | PATH_BIT(PATH_NAME_CONSTRAINT));
    /* As the leaf it is. */
    q.leaf = certify_until(&new_key, &old_key, NOW + DAY, named);
    q.pool_n = 0;
    search(&q);
    CHECK(q.faults & PATH_BIT(PATH_NAME_CONSTRAINT));
    drop_all();
}

TEST(loops_lead_nowhere)
{
    struct party root = party("Root"), a = party("A"), b = party("B"), me = party("me");
    struct question q = ask(certify_leaf(&me, &a), certify(&root, &root));
    q.pool[0] = certify(&a, &b);
    q.pool[1] = certify(&b, &a);
    q.pool[2] = certify(&a, &a);
    q.pool_n = 3;
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK_INT(q.faults, PATH_BIT(PATH_UNTRUSTED));
    CHECK_TEXT(
        q.first.detail, "CN=B: its issuer CN=A is not trusted, and no such certificate was sent");
    CHECK_INT(q.budget.signatures, PATH_BUDGET.signatures);
    /* The same with a way out of it. */
    q.budget = PATH_BUDGET;
    q.pool[3] = certify(&b, &root);
    q.pool_n = 4;
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK(q.first.n == 4 && q.first.at[2] == q.pool[3]);
    drop_all();
}

/* Everybody has the name of the root and none is signed by it. */
TEST(who_has_nothing_from_a_trusted_ca_costs_little)
{
    struct party root = party("Root"), me = party("me");
    struct question q = ask(NULL, certify(&root, &root));
    struct party twins[9];
    for (size_t i = 0; i < 9; i++)
        twins[i] = party("Root");
    for (size_t i = 0; i < 9; i++)
        q.pool[q.pool_n++] = certify(&twins[i], &twins[(i + 1) % 9]);
    q.leaf = certify_leaf(&me, &twins[0]);
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK_INT(q.faults, PATH_BIT(PATH_BAD_SIGNATURE));
    /* Each against the one anchor. */
    CHECK_INT(PATH_BUDGET.signatures - q.budget.signatures, 10);
    CHECK(PATH_BUDGET.steps - q.budget.steps < 1000);
    drop_all();
}

/* Where a check takes half a millisecond, the root's name on ten forgeries would take five. A
 * signer of CRLs is looked for among them all the same. */
TEST(forgeries_are_not_all_looked_at_where_that_is_dear)
{
    struct party root = {"Root", keys[keys_n++] = EVP_EC_gen("P-384")}, me = party("me");
    struct party twin = party("Root");
    struct question q = ask(certify_leaf(&me, &twin), certify(&root, &root));
    for (size_t i = 0; i < 9; i++) {
        struct party other = party("Root");
        q.pool[q.pool_n++] = certify(&other, &twin);
    }
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK(q.faults & PATH_BIT(PATH_LIMIT));
    CHECK_INT(PATH_BUDGET.signatures - q.budget.signatures, 2 * 6);
    q.budget = PATH_BUDGET;
    q.purpose = PATH_CRL_SIGNER;
    search(&q);
    CHECK_INT(PATH_BUDGET.signatures - q.budget.signatures, 10 * 6);
    drop_all();
}

/* Ten CAs that all certify each other below the root, none for our purpose. */
static void make_thicket(struct question *q, const struct party *root, struct party *cas, size_t n)
{
    static const struct change not_for_us[3] = {
        {NID_basic_constraints, "critical,CA:TRUE"}, {NID_ext_key_usage, "codeSigning"}};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= n; k++)
            if (i != k && q->pool_n < COUNT_OF(q->pool))
                q->pool[q->pool_n++] =
                    certify_until(&cas[i], k < n ? &cas[k] : root, NOW + DAY, not_for_us);
}

TEST(a_thicket_of_cross_certificates_is_left_in_time)
{
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G"};
    struct party root = party("Root"), me = party("me"), cas[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++)
        cas[i] = party(names[i]);
    struct question q = ask(certify_leaf(&me, &cas[0]), certify(&root, &root));
    make_thicket(&q, &root, cas, COUNT_OF(names));
    search(&q);
    CHECK_INT(q.paths, PATH_BUDGET.candidates);
    CHECK_INT(q.faults, PATH_BIT(PATH_WRONG_USAGE));
    CHECK_INT(q.budget.candidates, 0);
    /* With nothing left of the budget. */
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK(q.faults & PATH_BIT(PATH_LIMIT));
    CHECK(strstr(q.first.detail, "too many paths"));
    q.budget = (struct path_budget){.signatures = 1, .steps = 1000, .candidates = 64};
    search(&q);
    CHECK(q.paths == 1 && q.faults & PATH_BIT(PATH_LIMIT));
    q.budget = (struct path_budget){.signatures = 100, .steps = 1, .candidates = 64};
    search(&q);
    CHECK(q.paths == 1 && q.faults & PATH_BIT(PATH_LIMIT));
    drop_all();
}

/* A good certificate that does not help, and behind it a maze of forged ones that lead back to it
 * only. */
TEST(a_maze_without_exit_is_left_in_time)
{
    struct party root = party("Root"), ca = party("CA"), me = party("me");
    struct question q = ask(certify_leaf(&me, &ca), certify(&root, &root));
    q.pool[q.pool_n++] = certify(&ca, &root);
    struct party door = {"Root", me.key}, maze = {"Maze", me.key};
    q.pool[q.pool_n++] = certify(&door, &maze);
    for (size_t i = 0; i < 12; i++) {
        struct party room = {"Maze", party("").key};
        q.pool[q.pool_n++] = certify(&room, &maze);
    }
    struct party exit = {"Maze", party("").key};
    q.pool[q.pool_n++] = certify(&exit, &ca);
    search(&q);
    CHECK_INT(q.paths, 1); /* the good one */
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.budget.steps, 0);
    drop_all();
}

/* Whoever can make us compare his names with his constraints could make us do so for long. */
TEST(constraints_of_whom_nobody_vouches_for_are_not_looked_at)
{
    static const struct change limited[3] = {{NID_basic_constraints, "critical,CA:TRUE"},
        {NID_name_constraints, "critical,permitted;DNS:other.test"},
        {NID_policy_constraints, "critical,requireExplicitPolicy:0"}};
    struct party root = party("Root"), sub = party("Sub"), false_root = party("Root"),
                 own = party("Own"), me = party("me");
    struct question q = ask(certify_leaf(&me, &sub), certify(&root, &root));
    q.pool[0] = certify_until(&sub, &root, NOW + DAY, limited);
    q.pool_n = 1;
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_NAME_CONSTRAINT) | PATH_BIT(PATH_POLICY));
    CHECK(q.budget.comparisons < PATH_BUDGET.comparisons);
    q.budget.comparisons = 1;
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_LIMIT) | PATH_BIT(PATH_POLICY));
    CHECK(strstr(q.first.detail, "too many names and nameConstraints"));
    q.budget = PATH_BUDGET;
    q.pool[0] = certify_until(&sub, &false_root, NOW + DAY, limited); /* forged */
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_BAD_SIGNATURE));
    CHECK_INT(q.budget.comparisons, PATH_BUDGET.comparisons);
    q.pool[0] = certify_until(&sub, &own, NOW + DAY, limited); /* from nowhere */
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_UNTRUSTED));
    CHECK_INT(q.budget.comparisons, PATH_BUDGET.comparisons);
    /* By a leaf that plays CA. */
    q.pool[0] = certify_until(&sub, &own, NOW + DAY, limited);
    q.pool[1] = certify_leaf(&own, &root);
    q.pool_n = 2;
    search(&q);
    CHECK(q.faults & PATH_BIT(PATH_BAD_CA));
    CHECK_INT(q.budget.comparisons, PATH_BUDGET.comparisons);
    drop_all();
}

TEST(too_deep_is_said_only_where_nothing_else_is)
{
    struct party root = party("Root"), a = party("A"), b = party("B"), me = party("me");
    struct question q = ask(certify_leaf(&me, &b), certify(&root, &root));
    q.depth_max = 1;
    q.pool[0] = certify(&b, &a);
    q.pool[1] = certify(&a, &root);
    q.pool_n = 2;
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK_INT(q.faults, PATH_BIT(PATH_DEPTH));
    q.budget = PATH_BUDGET;
    q.pool[q.pool_n++] = certify(&b, &root);
    search(&q);
    CHECK_INT(q.paths, 1);
    CHECK_INT(q.faults, 0);
    drop_all();
}

TEST(more_than_any_path_may_have)
{
    struct party root = party("Root"), ca[PATH_LENGTH_MAX];
    char names[PATH_LENGTH_MAX][8];
    struct question q = ask(NULL, certify(&root, &root));
    q.depth_max = 1000;
    for (size_t i = 0; i < PATH_LENGTH_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "CA %zu", i);
        ca[i] = party(names[i]);
        q.pool[q.pool_n++] = certify(&ca[i], i ? &ca[i - 1] : &root);
    }
    struct party me = party("me");
    q.leaf = certify_leaf(&me, &ca[PATH_LENGTH_MAX - 3]);
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.first.n, PATH_LENGTH_MAX);
    q.leaf = certify_leaf(&me, &ca[PATH_LENGTH_MAX - 2]);
    q.budget = PATH_BUDGET;
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_UNTRUSTED));
    drop_all();
}

TEST(a_ca_between_that_is_configured_and_no_anchor)
{
    struct party root = party("Root"), sub = party("Sub"), me = party("me");
    struct question q = ask(certify_leaf(&me, &sub), certify(&root, &root));
    q.anchors[1] = certify(&sub, &root);
    search(&q);
    CHECK_INT(q.faults, 0);
    CHECK_INT(q.first.n, 3);
    q.anchors[0] = q.anchors[1];
    q.anchors[1] = NULL;
    search(&q);
    CHECK_INT(q.faults, PATH_BIT(PATH_UNTRUSTED));
    drop_all();
}

TEST(keys_that_cost_more_use_up_more)
{
    struct party root = {"Root", NULL}, me = party("me");
    static const struct {
        const char *curve;
        unsigned price;
    } rows[] = {{"P-256", 1}, {"P-384", 6}, {"P-521", 4}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        root.key = keys[keys_n++] = EVP_EC_gen(rows[i].curve);
        struct question q = ask(certify_leaf(&me, &root), certify(&root, &root));
        search(&q);
        CHECK_INT(q.faults, 0);
        CHECK_INT(PATH_BUDGET.signatures - q.budget.signatures, rows[i].price);
    }
    drop_all();
}
