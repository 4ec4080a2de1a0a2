/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed tickets: what comes out again, when, under which policy; and that nothing else opens. */
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/aead.h"
#include "pair.h"
#include "test.h"
#include "tls/ticket.h"
#include "tls/ticket_keys.h"

#include "base/ban.h"

#define LIFETIME_S (5 * HOUR_S)

static struct credential *client;

__attribute__((constructor)) static void make_client(void)
{
    client = pair_credential(KEY_EC_P256, "client.example");
}

__attribute__((destructor)) static void free_client(void)
{
    pair_credential_free(&client);
}

/* A policy with the secret of the hour before NOW_S, as a worker gets it; in one with our clocks,
 * the monotonic one has the same time. */
struct holder {
    struct ticket_keys keys;
    struct tlspolicy policy;
};

static const struct tlspolicy *hold(struct holder *h)
{
    *h = (struct holder){.keys.ratchet = {.at = {2}, .hour = NOW_S / HOUR_S - 1}};
    h->policy.binding[0] = 1;
    h->policy.ticket_keys = &h->keys;
    ticket_keys_init(&h->policy);
    return &h->policy;
}

static struct ticket_content content13(void)
{
    struct ticket_content c = {.version = TLS_1_3,
        .suite = 0x1302,
        .authenticated_s = NOW_S - 10,
        .ends_s = NOW_S + LIFETIME_S,
        .age_add = 0x01020304,
        .secret = {.hash = HASH_SHA384, .at = {3, 4}},
        .server_name = "www.example",
        .alpn = "h2"};
    c.secret.at[47] = 5;
    certificate_list_add(&c.chain, client->chain.at[0]);
    return c;
}

static struct ticket_content content12(void)
{
    struct ticket_content c = {.version = TLS_1_2,
        .suite = 0xc02b,
        .authenticated_s = NOW_S,
        .ends_s = NOW_S + LIFETIME_S,
        .master = {6}};
    c.master[MASTER_SECRET_SIZE - 1] = 7;
    return c;
}

/* CONTENT sealed under P at NOW_S, for the test to free. */
static struct buf sealed(const struct tlspolicy *p, struct ticket_content content)
{
    struct buf out;
    buf_init(&out, TICKET_SIZE_MAX);
    ticket_keys_advance(p, NOW_S);
    CHECK_INT(ticket_seal(p, &content, &out), 0);
    certificate_list_fini(&content.chain);
    return out;
}

static bool opens(const struct tlspolicy *p, struct bytes ticket, int64_t now_s)
{
    struct ticket_content got;
    bool is_old;
    ticket_keys_advance(p, now_s);
    if (!ticket_open(p, ticket, now_s, &got, &is_old)) {
        CHECK(got.version == 0 && got.secret.at[0] == 0 && !got.chain.n);
        return false;
    }
    ticket_content_fini(&got);
    return true;
}

TEST(what_went_in_comes_out)
{
    struct holder h;
    struct ticket_content got, want = content13();
    bool is_old;
    struct buf t = sealed(hold(&h), content13());
    CHECK(ticket_open(&h.policy, buf_bytes(&t), NOW_S + 1, &got, &is_old));
    CHECK(!is_old);
    CHECK_INT(got.version, want.version);
    CHECK_INT(got.suite, want.suite);
    CHECK_INT(got.authenticated_s, want.authenticated_s);
    CHECK_INT(got.ends_s, want.ends_s);
    CHECK_INT(got.age_add, want.age_add);
    CHECK_INT(got.secret.hash, HASH_SHA384);
    CHECK(memcmp(got.secret.at, want.secret.at, 48) == 0);
    CHECK_TEXT(got.server_name, "www.example");
    CHECK_TEXT(got.alpn, "h2");
    CHECK_INT(got.chain.n, 1);
    CHECK(bytes_equal(certificate_der(got.chain.at[0]), certificate_der(client->chain.at[0])));
    ticket_content_fini(&got);
    certificate_list_fini(&want.chain);
    buf_fini(&t);

    want = content12();
    t = sealed(hold(&h), content12());
    CHECK(ticket_open(&h.policy, buf_bytes(&t), NOW_S, &got, &is_old));
    CHECK_INT(got.version, TLS_1_2);
    CHECK(memcmp(got.master, want.master, sizeof(got.master)) == 0);
    CHECK_TEXT(got.server_name, "");
    CHECK_INT(got.chain.n, 0);
    ticket_content_fini(&got);
    buf_fini(&t);
}

TEST(no_two_tickets_have_an_octet_in_common_but_the_name)
{
    struct holder h;
    uint8_t nonce[12];
    struct buf a = sealed(hold(&h), content12()), b = sealed(&h.policy, content12());
    CHECK_INT(buf_size(&a), buf_size(&b));
    CHECK(memcmp(buf_bytes(&a).at, buf_bytes(&b).at, TICKET_NAME_SIZE) == 0);
    CHECK(memcmp(buf_bytes(&a).at + TICKET_NAME_SIZE, buf_bytes(&b).at + TICKET_NAME_SIZE, 12));
    /* Also where one was before. */
    struct ticket_content c = content12();
    memcpy(nonce, buf_bytes(&a).at + TICKET_NAME_SIZE, sizeof(nonce));
    a.end = a.start;
    CHECK_INT(ticket_seal(&h.policy, &c, &a), 0);
    CHECK(memcmp(buf_bytes(&a).at + TICKET_NAME_SIZE, nonce, sizeof(nonce)) != 0);
    buf_fini(&a);
    buf_fini(&b);
}

TEST(a_key_seals_for_an_hour_and_opens_for_two)
{
    static const struct {
        int64_t later_s;
        bool is_open, is_old;
    } rows[] = {{HOUR_S - 1, true, false}, {HOUR_S, true, true}, {2 * HOUR_S - 1, true, true},
        {2 * HOUR_S, false, false},
        /* The secret of that hour is gone: setting the clock back does not help. */
        {0, false, false}};
    struct holder h;
    struct ticket_content got;
    bool is_old;
    struct buf t = sealed(hold(&h), content12());
    CHECK_INT(NOW_S % HOUR_S, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ticket_keys_advance(&h.policy, NOW_S + rows[i].later_s);
        CHECK_INT(ticket_open(&h.policy, buf_bytes(&t), NOW_S, &got, &is_old), rows[i].is_open);
        CHECK_INT(is_old, rows[i].is_old);
        ticket_content_fini(&got);
    }
    buf_fini(&t);
}

/* Whoever reads all of it later cannot derive what opened tickets of that hour: neither its keys
 * nor the secret behind them are there. */
TEST(what_opened_a_ticket_is_gone_after_two_hours)
{
    struct holder h;
    hold(&h);
    ticket_keys_advance(&h.policy, NOW_S);
    struct ticket_keys then = h.keys;
    ticket_keys_advance(&h.policy, NOW_S + HOUR_S);
    CHECK(memcmp(&h.keys.previous, &then.current, sizeof(then.current)) == 0);
    ticket_keys_advance(&h.policy, NOW_S + 2 * HOUR_S);
    const struct bytes all = {(const uint8_t *)&h, sizeof(h)};
    const struct bytes secrets[] = {{then.ratchet.at, 16}, {then.current.name, 16},
        {then.current.aead, 16}, {then.current.cipher, 16}, {then.current.mac, 16}};
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        CHECK(!memmem(all.at, all.n, secrets[i].at, secrets[i].n));
}

TEST(a_policy_that_forgets_opens_nothing_and_goes_on_with_noise)
{
    struct holder h;
    struct buf before = sealed(hold(&h), content12());
    struct ticket_keys then = h.keys;
    ticket_keys_forget(&h.policy);
    CHECK(!opens(&h.policy, buf_bytes(&before), NOW_S));
    CHECK(memcmp(h.keys.ratchet.at, then.ratchet.at, RATCHET_SIZE) != 0);
    struct buf after = sealed(&h.policy, content12());
    struct holder other;
    CHECK(!opens(hold(&other), buf_bytes(&after), NOW_S));
    CHECK(!opens(hold(&other), buf_bytes(&after), NOW_S + HOUR_S));
    buf_fini(&before);
    buf_fini(&after);
}

/* Workers are started, and policies built, at different times, from a secret of the hour before. */
TEST(whoever_has_the_secret_of_the_hour_before_opens_what_others_sealed)
{
    struct holder early, late;
    struct buf t = sealed(hold(&early), content12());
    hold(&late);
    ratchet_advance(&late.keys.ratchet, NOW_S); /* given out an hour later */
    CHECK(opens(&late.policy, buf_bytes(&t), NOW_S + HOUR_S));
    hold(&late);
    ratchet_advance(&late.keys.ratchet, NOW_S + HOUR_S);
    CHECK(!opens(&late.policy, buf_bytes(&t), NOW_S + HOUR_S));
    buf_fini(&t);
}

TEST(a_deadline_ends_it_also_in_its_hour)
{
    struct holder h;
    struct ticket_content c = content12();
    c.ends_s = NOW_S + 5;
    struct buf t = sealed(hold(&h), c);
    CHECK(opens(&h.policy, buf_bytes(&t), NOW_S + 4));
    CHECK(!opens(&h.policy, buf_bytes(&t), NOW_S + 5));
    CHECK(!opens(&h.policy, buf_bytes(&t), NOW_S - 1)); /* authenticated in the future */
    buf_fini(&t);
}

TEST(another_policy_or_secret_opens_nothing)
{
    struct holder h, other;
    struct buf t = sealed(hold(&h), content12());
    hold(&other);
    CHECK(opens(&other.policy, buf_bytes(&t), NOW_S));
    hold(&other);
    other.policy.binding[31] ^= 1;
    CHECK(!opens(&other.policy, buf_bytes(&t), NOW_S));
    hold(&other);
    other.keys.ratchet.at[31] ^= 1;
    CHECK(!opens(&other.policy, buf_bytes(&t), NOW_S));
    buf_fini(&t);
}

TEST(whatever_is_changed_or_cut_opens_nothing)
{
    struct holder h;
    struct buf t = sealed(hold(&h), content12());
    struct bytes all = buf_bytes(&t);
    for (size_t n = 0; n < all.n; n++)
        CHECK(!opens(&h.policy, bytes_first(all, n), NOW_S));
    for (size_t bit = 0; bit < 8 * all.n; bit++) {
        t.at[t.start + bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!opens(&h.policy, all, NOW_S));
        t.at[t.start + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(opens(&h.policy, all, NOW_S));
    buf_fini(&t);
}

TEST(a_chain_that_does_not_fit_makes_no_ticket)
{
    struct holder h;
    struct buf out;
    struct ticket_content c = content13();
    buf_init(&out, 4 * TICKET_SIZE_MAX);
    for (size_t size = 0; size < TICKET_SIZE_MAX; size += certificate_der(c.chain.at[0]).n)
        certificate_list_add(&c.chain, client->chain.at[0]);
    CHECK_INT(ticket_seal(hold(&h), &c, &out), -1);
    CHECK_INT(buf_size(&out), 0);
    certificate_list_fini(&c.chain);
    buf_fini(&out);
}

/* ---- content that we would not have sealed ---- */

#define HEAD_SIZE (TICKET_NAME_SIZE + AEAD_NONCE_SIZE)

/* The content of T, which was sealed under H at NOW_S. */
static struct bytes unsealed(const struct holder *h, struct buf *t)
{
    const struct ticket_key *key = &h->keys.current;
    uint8_t *at = t->at + t->start;
    size_t n = buf_size(t) - HEAD_SIZE - AEAD_TAG_SIZE;
    struct aead *a = aead_new(AEAD_AES_256_GCM, key->aead);
    CHECK(aead_open(a, at + TICKET_NAME_SIZE, (struct bytes){at, TICKET_NAME_SIZE}, at + HEAD_SIZE,
        n, at + HEAD_SIZE + n));
    aead_free(&a);
    return (struct bytes){at + HEAD_SIZE, n};
}

/* Does it open, sealed with the right key? */
static bool opens_as(const struct holder *h, struct bytes content)
{
    const struct ticket_key *key = &h->keys.current;
    uint8_t ticket[TICKET_SIZE_MAX + 1] = {0};
    size_t n = HEAD_SIZE + content.n + AEAD_TAG_SIZE;
    ASSERT(n <= sizeof(ticket));
    memcpy(ticket, key->name, TICKET_NAME_SIZE);
    memcpy(ticket + HEAD_SIZE, content.at, content.n);
    struct aead *a = aead_new(AEAD_AES_256_GCM, key->aead);
    aead_seal(a, ticket + TICKET_NAME_SIZE, (struct bytes){ticket, TICKET_NAME_SIZE},
        ticket + HEAD_SIZE, content.n, ticket + HEAD_SIZE + content.n);
    aead_free(&a);
    return opens(&h->policy, (struct bytes){ticket, n}, NOW_S);
}

/* It is authentic, but of another version of this program, or of a key that is no secret. */
TEST(content_that_is_not_ours_is_not_read)
{
    struct holder h;
    struct buf t = sealed(hold(&h), content13());
    struct bytes content = unsealed(&h, &t);
    CHECK(opens_as(&h, content));
    size_t leaf_n = 3 + certificate_der(client->chain.at[0]).n;
    for (size_t n = 0; n < content.n; n++) /* without its chain it is one of nobody */
        if (n != content.n - leaf_n)
            CHECK(!opens_as(&h, bytes_first(content, n)));
    static const struct {
        const char *what;
        size_t at;
        uint8_t octet;
    } rows[] = {
        {"layout", 0, 99},
        {"kind of hash", 25, 7},
        {"hash of another size", 25, HASH_SHA256},
        {"NUL in a name", 26 + 1 + 48 + 1, 0},
        {"certificate", 26 + 1 + 48 + 1 + 11 + 1 + 2 + 3, 0x31},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t *octet = t.at + t.start + HEAD_SIZE + rows[i].at, was = *octet;
        *octet = rows[i].octet;
        if (opens_as(&h, content))
            printf("# %s\n", rows[i].what);
        CHECK(!opens_as(&h, content));
        *octet = was;
    }
    CHECK(opens_as(&h, content));
    buf_fini(&t);
}

TEST(a_chain_has_sixteen_certificates_at_most)
{
    for (size_t n = 16; n <= 17; n++) {
        struct holder h;
        struct ticket_content c = content12();
        while (c.chain.n < n)
            certificate_list_add(&c.chain, client->chain.at[0]);
        struct buf t = sealed(hold(&h), c);
        CHECK_INT(opens(&h.policy, buf_bytes(&t), NOW_S), n == 16);
        buf_fini(&t);
    }
}

/* TEXT fits what it is read into, with its end. */
TEST(a_text_that_is_too_long_is_not_read)
{
    struct holder h;
    uint8_t longer[TICKET_SIZE_MAX];
    struct buf t = sealed(hold(&h), content12());
    struct bytes content = unsealed(&h, &t);
    size_t before = 26 + 1 + MASTER_SECRET_SIZE + 1; /* and then the size of ALPN */
    for (uint8_t n = 15; n <= 16; n++) {
        memcpy(longer, content.at, before);
        longer[before] = n;
        memset(longer + before + 1, 'a', n);
        CHECK_INT(opens_as(&h, (struct bytes){longer, before + 1u + n}), n == 15);
    }
    buf_fini(&t);
}

TEST(a_ticket_has_a_size_at_most)
{
    struct holder h;
    struct ticket_content c = content12();
    struct buf small;
    buf_init(&small, 64);
    CHECK_INT(ticket_seal(hold(&h), &c, &small), -1);
    CHECK_INT(buf_size(&small), 0);
    buf_fini(&small);
    static const uint8_t zeros[TICKET_SIZE_MAX + 1];
    for (size_t n = TICKET_SIZE_MAX; n <= sizeof(zeros); n++)
        CHECK(!opens(&h.policy, (struct bytes){zeros, n}, NOW_S));
}
