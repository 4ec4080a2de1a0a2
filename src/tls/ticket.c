/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ticket.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "tls/ticket_keys.h"
#include "tls/wire.h"

#include "base/ban.h"

/* Octets before what is sealed. Nonces are random: even 2^28 tickets of an hour and policy meet
 * again with a probability of 2^-41 (NIST SP 800-38D §8.3 allows 2^-32). */
#define HEAD_SIZE   (TICKET_NAME_SIZE + AEAD_NONCE_SIZE)
#define CONTENT_MAX (TICKET_SIZE_MAX - HEAD_SIZE - AEAD_TAG_SIZE)
#define CHAIN_MAX   16 /* certificates; more than a judge accepts */
#define LAYOUT      1  /* of the content: what another version of this program sealed is not read */

void ticket_content_fini(struct ticket_content *c)
{
    certificate_list_fini(&c->chain);
    mem_wipe(c, sizeof(*c));
}

/* ---- the content ---- */

static void put_64(struct wire_writer *w, int64_t number)
{
    wire_put_32(w, (uint32_t)((uint64_t)number >> 32));
    wire_put_32(w, (uint32_t)number);
}

static bool take_64(struct bytes *in, int64_t *out)
{
    uint32_t high, low;
    if (!wire_take_32(in, &high) || !wire_take_32(in, &low))
        return false;
    *out = (int64_t)((uint64_t)high << 32 | low);
    return true;
}

static void put_vector(struct wire_writer *w, unsigned length_n, struct bytes content)
{
    struct wire_mark mark = wire_begin(w, length_n);
    wire_put(w, content);
    wire_end(w, mark);
}

static struct bytes secret_of(const struct ticket_content *c)
{
    if (c->version == TLS_1_2)
        return (struct bytes){c->master, sizeof(c->master)};
    return (struct bytes){c->secret.at, hash_size(c->secret.hash)};
}

static void put_content(struct wire_writer *w, const struct ticket_content *c)
{
    wire_put_8(w, LAYOUT);
    wire_put_16(w, c->version);
    wire_put_16(w, c->suite);
    put_64(w, c->authenticated_s);
    put_64(w, c->ends_s);
    wire_put_32(w, c->age_add);
    wire_put_8(w, (uint8_t)c->secret.hash);
    put_vector(w, 1, secret_of(c));
    put_vector(w, 1, bytes_of(c->server_name));
    put_vector(w, 1, bytes_of(c->alpn));
    for (size_t i = 0; i < c->chain.n; i++)
        put_vector(w, 3, certificate_der(c->chain.at[i]));
}

static bool take_secret(struct bytes *in, struct ticket_content *out)
{
    uint8_t kind;
    struct bytes secret;
    if (!wire_take_8(in, &kind) || !wire_take_vector_8(in, &secret) ||
        (kind != HASH_SHA256 && kind != HASH_SHA384))
        return false;
    out->secret.hash = (enum hash_kind)kind;
    if (secret.n != secret_of(out).n)
        return false;
    memcpy(out->version == TLS_1_2 ? out->master : out->secret.at, secret.at, secret.n);
    return true;
}

static bool take_text(struct bytes *in, char *out, size_t out_size)
{
    struct bytes text;
    if (!wire_take_vector_8(in, &text) || text.n >= out_size || bytes_find(text, 0) < text.n)
        return false;
    memcpy(out, text.at, text.n);
    out[text.n] = '\0';
    return true;
}

static bool take_chain(struct bytes in, struct certificate_list *out)
{
    while (in.n) {
        struct error flaw;
        struct bytes der;
        struct certificate *one = NULL;
        if (out->n < CHAIN_MAX && wire_take_vector_24(&in, &der))
            one = certificate_parse(der, &flaw);
        if (!one)
            return false;
        certificate_list_add(out, one);
        certificate_unref(&one);
    }
    return true;
}

static bool take_content(struct bytes in, struct ticket_content *out)
{
    uint8_t layout;
    *out = (struct ticket_content){0};
    return wire_take_8(&in, &layout) && layout == LAYOUT && wire_take_16(&in, &out->version) &&
           wire_take_16(&in, &out->suite) && take_64(&in, &out->authenticated_s) &&
           take_64(&in, &out->ends_s) && wire_take_32(&in, &out->age_add) &&
           take_secret(&in, out) && take_text(&in, out->server_name, sizeof(out->server_name)) &&
           take_text(&in, out->alpn, sizeof(out->alpn)) && take_chain(in, &out->chain);
}

/* ---- the seal ---- */

/* Seal what CONTENT holds, in place, behind a head that names KEY. */
static int seal(const struct ticket_key *key, struct buf *content, struct buf *out)
{
    struct bytes plain = buf_bytes(content);
    size_t total = HEAD_SIZE + plain.n + AEAD_TAG_SIZE;
    if (buf_room(out) < total)
        return -1;
    uint8_t *at = buf_space(out, total), *nonce = at + TICKET_NAME_SIZE, *data = at + HEAD_SIZE;
    memcpy(at, key->name, TICKET_NAME_SIZE);
    random_fill(nonce, AEAD_NONCE_SIZE);
    memcpy(data, plain.at, plain.n);
    struct aead *aead = aead_new(AEAD_AES_256_GCM, key->aead);
    aead_seal(aead, nonce, (struct bytes){at, TICKET_NAME_SIZE}, data, plain.n, data + plain.n);
    aead_free(&aead);
    buf_added(out, total);
    return 0;
}

int ticket_seal(const struct tlspolicy *p, const struct ticket_content *c, struct buf *out)
{
    struct buf content;
    buf_init(&content, CONTENT_MAX);
    struct wire_writer w = {.out = &content};
    put_content(&w, c);
    int result = w.has_failed ? -1 : seal(&p->ticket_keys->current, &content, out);
    buf_fini(&content); /* wipes */
    return result;
}

static bool has_name(const struct ticket_key *key, struct bytes ticket)
{
    return constant_time_equal(key->name, ticket.at, TICKET_NAME_SIZE);
}

/* The content of TICKET into PLAIN. A name that is none of ours costs as much as a wrong tag. */
static bool open_seal(
    const struct ticket_keys *keys, struct bytes ticket, bool *is_old, struct buf *plain)
{
    bool is_current = has_name(&keys->current, ticket);
    *is_old = keys->has_previous && has_name(&keys->previous, ticket);
    const struct ticket_key *key = *is_old ? &keys->previous : &keys->current;
    struct bytes sealed = bytes_skip(ticket, HEAD_SIZE);
    if (buf_append(plain, sealed) < 0)
        return false;
    size_t n = sealed.n - AEAD_TAG_SIZE;
    uint8_t *data = plain->at + plain->start;
    struct aead *aead = aead_new(AEAD_AES_256_GCM, key->aead);
    bool is_whole = aead_open(aead, ticket.at + TICKET_NAME_SIZE,
        bytes_first(ticket, TICKET_NAME_SIZE), data, n, data + n);
    aead_free(&aead);
    return is_whole && (is_current || *is_old);
}

static bool is_in_time(const struct ticket_content *c, int64_t now_s)
{
    return c->authenticated_s <= now_s && now_s < c->ends_s;
}

bool ticket_open(const struct tlspolicy *p, struct bytes ticket, int64_t now_s,
    struct ticket_content *out, bool *is_old)
{
    struct buf plain;
    *out = (struct ticket_content){0};
    *is_old = false;
    if (ticket.n < HEAD_SIZE + AEAD_TAG_SIZE || ticket.n > TICKET_SIZE_MAX)
        return false;
    buf_init(&plain, TICKET_SIZE_MAX);
    bool is_open = open_seal(p->ticket_keys, ticket, is_old, &plain);
    struct bytes content = bytes_first(buf_bytes(&plain), buf_size(&plain) - AEAD_TAG_SIZE);
    if (is_open)
        is_open = take_content(content, out) && is_in_time(out, now_s);
    buf_fini(&plain);
    if (!is_open)
        ticket_content_fini(out);
    return is_open;
}
