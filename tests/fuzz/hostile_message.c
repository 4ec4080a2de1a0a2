/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile_message.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/session.h"

#include "base/ban.h"

#define BODY_MAX       (100 * 1024)
#define CHANGES_MAX    4
#define EXTENSIONS_MAX 24

/* A body that can be changed. */
struct body {
    uint8_t at[BODY_MAX];
    size_t n;
};

/* DELETED octets at AT become TEXT. */
static void replace(struct body *b, size_t at, size_t deleted, struct bytes text)
{
    ASSERT(at + deleted <= b->n);
    if (b->n - deleted + text.n > BODY_MAX)
        return;
    memmove(b->at + at + text.n, b->at + at + deleted, b->n - at - deleted);
    if (text.n)
        memcpy(b->at + at, text.at, text.n);
    b->n += text.n - deleted;
}

/* ---- octets ---- */

static void flip_octet(struct body *b, struct tape *t)
{
    size_t at = tape_below(t, b->n);
    if (b->n)
        b->at[at] ^= tape_8(t);
}

static void set_number(struct body *b, struct tape *t)
{
    if (b->n < 2)
        return;
    size_t at = tape_below(t, b->n - 1);
    b->at[at] = tape_8(t);
    b->at[at + 1] = tape_8(t);
}

static void delete_octets(struct body *b, struct tape *t)
{
    size_t at = tape_below(t, b->n);
    replace(b, at, tape_below(t, b->n - at + 1), (struct bytes){0});
}

static void repeat_octets(struct body *b, struct tape *t)
{
    uint8_t copy[256];
    size_t at = tape_below(t, b->n), n = b->n - at;
    n = tape_below(t, (n < sizeof(copy) ? n : sizeof(copy)) + 1);
    memcpy(copy, b->at + at, n);
    replace(b, at, 0, (struct bytes){copy, n});
}

static void insert_octets(struct body *b, struct tape *t)
{
    uint8_t text[16];
    size_t at = tape_below(t, b->n + 1), n = tape_8(t) % (sizeof(text) + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = tape_8(t);
    replace(b, at, 0, (struct bytes){text, n});
}

static void cut(struct body *b, struct tape *t)
{
    b->n = tape_below(t, b->n + 1);
}

static void lengthen(struct body *b, struct tape *t)
{
    size_t unit = tape_8(t) & 1 ? 300 : 1, n = unit * tape_8(t);
    if (b->n + n > BODY_MAX)
        return;
    memset(b->at + b->n, tape_8(t), n);
    b->n += n;
}

/* ---- extensions ---- */

/* Where TYPE has the length of its extensions; beyond its end: nowhere. */
static size_t find_block(uint8_t type, bool is_tls13, const struct body *b)
{
    struct bytes in = {b->at, b->n}, unused;
    size_t none = b->n;
    if (type == MESSAGE_ENCRYPTED_EXTENSIONS)
        return 0;
    if (type == MESSAGE_CERTIFICATE_REQUEST && is_tls13)
        return 1;
    if (type == MESSAGE_CLIENT_HELLO || type == MESSAGE_SERVER_HELLO) {
        bool is_client = type == MESSAGE_CLIENT_HELLO;
        bool is_read =
            wire_take(&in, 2 + 32, &unused) && wire_take_vector_8(&in, &unused) &&
            (is_client ? wire_take_vector_16(&in, &unused) && wire_take_vector_8(&in, &unused)
                       : wire_take(&in, 3, &unused));
        return is_read ? b->n - in.n : none;
    }
    return none;
}

/* The extensions of a body, each with number and length. */
struct block {
    struct bytes at[EXTENSIONS_MAX];
    size_t n;
};

static bool read_block(const struct body *b, size_t at, struct block *out)
{
    struct bytes in = {b->at + at, b->n - at}, block, body;
    uint16_t number;
    out->n = 0;
    if (!wire_take_vector_16(&in, &block))
        return false;
    while (out->n < EXTENSIONS_MAX - 1 && extension_next(&block, &number, &body))
        out->at[out->n++] = (struct bytes){body.at - 4, body.n + 4};
    return true;
}

/* BLOCK instead of what stands AT there. */
static void write_block(struct body *b, size_t at, const struct block *block)
{
    struct body *made = mem_alloc(sizeof(*made));
    struct bytes head = {b->at, at};
    replace(made, 0, 0, head);
    made->n += 2;
    for (size_t i = 0; i < block->n; i++)
        replace(made, made->n, 0, block->at[i]);
    size_t n = made->n - at - 2;
    made->at[at] = (uint8_t)(n >> 8);
    made->at[at + 1] = (uint8_t)n;
    *b = *made;
    free(made);
}

static void swap(struct block *block, size_t i, size_t j)
{
    struct bytes one = block->at[i];
    block->at[i] = block->at[j];
    block->at[j] = one;
}

/* Leave one out, say one twice, exchange two, or add one: unknown, empty, or of another kind. */
static void change_block(struct block *block, struct tape *t)
{
    static uint8_t added[4 + 8];
    uint8_t how = tape_8(t) % 4;
    size_t i = tape_below(t, block->n), j = tape_below(t, block->n);
    if (!block->n && how < 3)
        return;
    switch (how) {
    case 0:
        block->at[i] = block->at[--block->n];
        break;
    case 1:
        block->at[block->n++] = block->at[i];
        break;
    case 2:
        swap(block, i, j);
        break;
    default:
        memset(added, 0, sizeof(added));
        added[0] = tape_8(t) & 1 ? 0x7a : 0;
        added[1] = tape_8(t) & 0x7f;
        added[3] = tape_8(t) & 7;
        for (size_t k = 0; k < added[3]; k++)
            added[4 + k] = tape_8(t);
        block->at[block->n++] = (struct bytes){added, 4u + added[3]};
        if (block->n > 1)
            swap(block, block->n - 1, i);
    }
}

static void change_extensions(struct body *b, uint8_t type, bool is_tls13, struct tape *t)
{
    struct block block;
    size_t at = find_block(type, is_tls13, b);
    if (at >= b->n || !read_block(b, at, &block))
        return;
    change_block(&block, t);
    write_block(b, at, &block);
}

/* ---- a message ---- */

/* RFC 8446 §4.2.11.2, for a ClientHello that is no longer what it was. */
static void bind_again(struct machine *m, uint8_t *message, size_t n)
{
    const struct handshake *hs = m->hs;
    uint8_t digest[HASH_SIZE_MAX], binder[HASH_SIZE_MAX];
    enum hash_kind kind = hs->binder_key.hash;
    size_t binder_n = hash_size(kind);
    struct hash partial;
    if (n < binder_n + 3)
        return;
    if (hs->has_transcript)
        partial = hs->transcript;
    else
        hash_init(&partial, kind);
    hash_add(&partial, (struct bytes){message, n - binder_n - 3});
    struct bytes transcript = {digest, hash_peek(&partial, digest)};
    ignore_result((long)key_schedule_verify_data(&hs->binder_key, transcript, binder));
    memcpy(message + n - binder_n, binder, binder_n);
}

static struct body *take_body(struct machine *m)
{
    struct bytes message = bytes_skip(buf_bytes(&m->hs->flight), m->hs->begun_at);
    struct body *b = mem_alloc_raw(sizeof(*b));
    b->n = 0;
    replace(b, 0, 0, bytes_first(bytes_skip(message, MESSAGE_HEADER_SIZE), BODY_MAX));
    return b;
}

static void give_body(struct machine *m, struct body *b)
{
    struct handshake *hs = m->hs;
    struct buf *flight = &hs->flight;
    uint8_t *message = flight->at + flight->start + hs->begun_at;
    flight->end = flight->start + hs->begun_at + MESSAGE_HEADER_SIZE;
    uint8_t type = message[0];
    if (b->n > buf_room(flight))
        b->n = buf_room(flight);
    message[1] = (uint8_t)(b->n >> 16);
    message[2] = (uint8_t)(b->n >> 8);
    message[3] = (uint8_t)b->n;
    ASSERT(buf_append(flight, (struct bytes){b->at, b->n}) == 0);
    if (type == MESSAGE_CLIENT_HELLO && hs->offered && hs->offered->version == TLS_1_3)
        bind_again(m, flight->at + flight->start + hs->begun_at, MESSAGE_HEADER_SIZE + b->n);
    free(b);
}

/* How a message is changed: by one of the functions below, or else in its extensions. */
enum { AS_IT_IS, NOT_AT_ALL, OF_ANOTHER_TYPE, CHANGED };

bool hostile_message_change(struct machine *m, struct tape *t)
{
    static void (*const changes[])(struct body * b, struct tape * t) = {
        flip_octet, set_number, delete_octets, repeat_octets, insert_octets, cut, lengthen};
    struct buf *flight = &m->hs->flight;
    uint8_t *type = &flight->at[flight->start + m->hs->begun_at];
    size_t how = tape_8(t);
    if (how == AS_IT_IS)
        return true;
    if (how == NOT_AT_ALL) {
        flight->end = flight->start + m->hs->begun_at;
        return false;
    }
    if (how == OF_ANOTHER_TYPE)
        *type = tape_8(t);
    struct body *b = take_body(m);
    for (unsigned i = 0; how >= CHANGED && i < CHANGES_MAX; i++, how = tape_8(t)) {
        if (how < CHANGED + COUNT_OF(changes))
            changes[how - CHANGED](b, t);
        else
            change_extensions(b, *type, m->version == TLS_1_3, t);
    }
    give_body(m, b);
    return true;
}

void hostile_message_without(struct machine *m, enum extension e)
{
    uint8_t type = m->hs->flight.at[m->hs->flight.start + m->hs->begun_at];
    struct body *b = take_body(m);
    struct block block, kept = {.n = 0};
    size_t at = find_block(type, m->version == TLS_1_3, b);
    if (at < b->n && read_block(b, at, &block)) {
        for (size_t i = 0; i < block.n; i++)
            if ((block.at[i].at[0] << 8 | block.at[i].at[1]) != extension_number(e))
                kept.at[kept.n++] = block.at[i];
        write_block(b, at, &kept);
    }
    give_body(m, b);
}

void hostile_message_without_shares(struct machine *m)
{
    static const uint8_t none[] = {0, 51, 0, 2, 0, 0}; /* key_share: an empty list */
    struct body *b = take_body(m);
    struct block block;
    size_t at = find_block(MESSAGE_CLIENT_HELLO, false, b);
    ASSERT(at < b->n && read_block(b, at, &block));
    for (size_t i = 0; i < block.n; i++)
        if (bytes_starts_with(block.at[i], bytes_first((struct bytes){none, sizeof(none)}, 2)))
            block.at[i] = (struct bytes){none, sizeof(none)};
    write_block(b, at, &block);
    give_body(m, b);
}
