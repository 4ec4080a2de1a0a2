/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticket, as a client hands it in. The first octet says what the others are:
 *
 *   0  the ticket itself
 *   1  changes to one that we sealed: it does not open, unless nothing was changed
 *   2  what is inside one that is sealed with our key: whatever is accepted can be sealed again,
 * and is the same then
 */
#include "base/memory.h"
#include "base/panic.h"
#include "fuzz.h"
#include "tape.h"
#include "tls/ticket.h"
#include "tls/ticket_keys.h"

#include "base/ban.h"

#define NOW_S     INT64_C(1800000000)
#define HEAD_SIZE (TICKET_NAME_SIZE + AEAD_NONCE_SIZE)

static struct ticket_keys keys = {
    .ratchet = {.at = {2}, .hour = NOW_S / RATCHET_PERIOD_S - 1}}; /* of two hours, then */
static const struct tlspolicy policy = {.binding = {1}, .ticket_keys = &keys};

static bool is_empty(const struct ticket_content *c)
{
    static const struct ticket_content nothing;
    return memcmp(c, &nothing, sizeof(nothing)) == 0;
}

static bool opens(struct bytes ticket, struct ticket_content *out)
{
    ticket_keys_advance(&policy, NOW_S);
    bool is_old, is_open = ticket_open(&policy, ticket, NOW_S, out, &is_old);
    ASSERT(is_open || is_empty(out));
    ASSERT(!is_open || (out->authenticated_s <= NOW_S && NOW_S < out->ends_s));
    return is_open;
}

static bool is_same(const struct ticket_content *a, const struct ticket_content *b)
{
    bool is = a->version == b->version && a->suite == b->suite && a->ends_s == b->ends_s &&
              a->authenticated_s == b->authenticated_s && a->age_add == b->age_add &&
              memcmp(&a->secret, &b->secret, sizeof(a->secret)) == 0 &&
              memcmp(a->master, b->master, sizeof(a->master)) == 0 &&
              strcmp(a->server_name, b->server_name) == 0 && strcmp(a->alpn, b->alpn) == 0 &&
              a->chain.n == b->chain.n;
    for (size_t i = 0; is && i < a->chain.n; i++)
        is = bytes_equal(certificate_der(a->chain.at[i]), certificate_der(b->chain.at[i]));
    return is;
}

static void open_raw(struct bytes ticket)
{
    struct ticket_content content;
    ASSERT(!opens(ticket, &content)); /* or the input knows the key */
}

/* A ticket of TLS 1.2 and one of 1.3, of this hour and the one before. */
static struct bytes usual(bool is_tls12, bool is_old, struct buf *out)
{
    struct ticket_content c = {.version = is_tls12 ? TLS_1_2 : TLS_1_3,
        .suite = 0x1301,
        .authenticated_s = NOW_S - 7200,
        .ends_s = NOW_S + 7200,
        .server_name = "www.example"};
    struct ticket_keys then = {.ratchet = {.at = {2}, .hour = NOW_S / RATCHET_PERIOD_S - 1}};
    const struct tlspolicy earlier = {.binding = {1}, .ticket_keys = &then};
    ticket_keys_init(&earlier);
    ticket_keys_advance(&earlier, is_old ? NOW_S - RATCHET_PERIOD_S : NOW_S);
    ASSERT(ticket_seal(&earlier, &c, out) == 0);
    return buf_bytes(out);
}

/* Cut, with other octets here and there, longer. */
static struct bytes change(struct buf *ticket, bool is_cut, struct tape *t)
{
    if (is_cut)
        ticket->end = ticket->start + tape_below(t, buf_size(ticket));
    while (t->left.n >= 3 && buf_size(ticket)) {
        size_t at = tape_16(t) % buf_size(ticket);
        ticket->at[ticket->start + at] ^= tape_8(t);
    }
    ASSERT(buf_append(ticket, t->left) == 0);
    return buf_bytes(ticket);
}

static void open_changed(struct tape *t)
{
    struct buf sealed, ticket;
    struct ticket_content content;
    uint8_t kind = tape_8(t);
    buf_init(&sealed, TICKET_SIZE_MAX);
    buf_init(&ticket, TICKET_SIZE_MAX);
    struct bytes before = usual(kind & 1, kind & 2, &sealed);
    ASSERT(buf_append(&ticket, before) == 0);
    struct bytes after = change(&ticket, kind & 4, t);
    bool is_open = opens(after, &content);
    ASSERT(is_open == bytes_equal(before, after));
    if (is_open)
        ticket_content_fini(&content);
    buf_fini(&sealed);
    buf_fini(&ticket);
}

static void seal(struct bytes content, struct buf *out)
{
    ticket_keys_advance(&policy, NOW_S);
    const struct ticket_key *key = &policy.ticket_keys->current;
    static const uint8_t nonce[AEAD_NONCE_SIZE];
    uint8_t *at = buf_space(out, HEAD_SIZE + content.n + AEAD_TAG_SIZE);
    memcpy(at, key->name, TICKET_NAME_SIZE);
    memcpy(at + TICKET_NAME_SIZE, nonce, sizeof(nonce));
    if (content.n)
        memcpy(at + HEAD_SIZE, content.at, content.n);
    struct aead *aead = aead_new(AEAD_AES_256_GCM, key->aead);
    aead_seal(aead, nonce, (struct bytes){at, TICKET_NAME_SIZE}, at + HEAD_SIZE, content.n,
        at + HEAD_SIZE + content.n);
    aead_free(&aead);
    buf_added(out, HEAD_SIZE + content.n + AEAD_TAG_SIZE);
}

static void open_sealed(struct bytes inside)
{
    struct buf ticket, again;
    struct ticket_content content, copy;
    buf_init(&ticket, TICKET_SIZE_MAX);
    buf_init(&again, TICKET_SIZE_MAX);
    seal(bytes_first(inside, TICKET_SIZE_MAX - HEAD_SIZE - AEAD_TAG_SIZE), &ticket);
    if (opens(buf_bytes(&ticket), &content)) {
        ASSERT(ticket_seal(&policy, &content, &again) == 0);
        ASSERT(opens(buf_bytes(&again), &copy));
        ASSERT(is_same(&content, &copy));
        ASSERT(buf_size(&again) == buf_size(&ticket));
        ticket_content_fini(&content);
        ticket_content_fini(&copy);
    }
    buf_fini(&ticket);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tape t = {{data, n}};
    switch (tape_8(&t) % 3) {
    case 0:
        open_raw(t.left);
        break;
    case 1:
        open_changed(&t);
        break;
    default:
        open_sealed(t.left);
    }
    return 0;
}
