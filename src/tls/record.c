/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is opened where it arrived and sealed where it will be sent from; the only copy is that
 * of the content to be sent.
 *
 *   plain            header | content
 *   TLS 1.2, GCM     header | explicit nonce | content | tag
 *   TLS 1.2, ChaCha  header | content | tag
 *   TLS 1.3          header | content | type | padding | tag
 */
#include "tls/record.h"

#include "base/memory.h"
#include "base/panic.h"
#include "tls/message.h"

#include "base/ban.h"

#define LEGACY_VERSION_MAJOR 3
#define LEGACY_VERSION_MINOR 3
#define NONCE_SALT_SIZE      4 /* of TLS12_GCM (RFC 5288 §3) */
#define NONCE_EXPLICIT_SIZE  8
#define TLS12_AD_SIZE        13

/* What surrounds the content in each format. */
static const struct layout {
    uint16_t wire_max; /* what a record's length field may say */
    uint8_t before;    /* between header and content */
    uint8_t after;     /* after the content, at least; sealed records have just that */
} layouts[] = {
    [RECORD_PLAIN] = {RECORD_PLAIN_MAX, 0, 0},
    /* RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048". */
    [RECORD_TLS12_GCM] = {RECORD_PLAIN_MAX + 2048, NONCE_EXPLICIT_SIZE, AEAD_TAG_SIZE},
    [RECORD_TLS12_CHACHA20] = {RECORD_PLAIN_MAX + 2048, 0, AEAD_TAG_SIZE},
    /* RFC 8446 §5.2: "The length MUST NOT exceed 2^14 + 256". */
    [RECORD_TLS13] = {RECORD_PROTECTED_MAX, 0, 1 + AEAD_TAG_SIZE},
};

/* ---- state ---- */

void record_init(struct record_layer *l)
{
    *l = (struct record_layer){.keys.format = RECORD_PLAIN,
        .first_minor = LEGACY_VERSION_MINOR,
        .plain_max = RECORD_PLAIN_MAX};
}

void record_rest(struct record_layer *l)
{
    aead_free(&l->aead);
}

void record_set_keys(struct record_layer *l, const struct record_keys *keys)
{
    aead_free(&l->aead);
    l->keys = *keys;
    l->sequence = 0;
}

void record_fini(struct record_layer *l)
{
    aead_free(&l->aead);
    mem_wipe(l, sizeof(*l));
}

static struct aead *expanded(struct record_layer *l)
{
    if (!l->aead)
        l->aead = aead_new(l->keys.kind, l->keys.key);
    return l->aead;
}

/* RFC 8446 §5.3, RFC 5246 §6.1: "Sequence numbers do not wrap." */
static bool is_exhausted(const struct record_layer *l)
{
    return l->sequence == UINT64_MAX;
}

bool record_wants_new_key(const struct record_layer *l)
{
    static const uint64_t enough = UINT64_C(1) << 24;
    switch (l->keys.kind) {
    case AEAD_AES_128_GCM:
    case AEAD_AES_256_GCM:
        return l->keys.format != RECORD_PLAIN && l->sequence >= enough;
    case AEAD_CHACHA20_POLY1305:
        /* RFC 8446 §5.5: "the record sequence number would wrap before the safety limit is
         * reached". */
        return l->keys.format != RECORD_PLAIN && l->sequence >= UINT64_MAX - enough;
    }
    panic("no such cipher: %d", (int)l->keys.kind);
}

/* RFC 8449 §4: the limit is one of protected records. */
static size_t content_max(const struct record_layer *l)
{
    return l->keys.format == RECORD_PLAIN ? RECORD_PLAIN_MAX : l->plain_max;
}

/* ---- nonces and additional data ---- */

static void put_64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void put_16(uint8_t out[2], size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

/* RFC 8446 §5.3, RFC 7905 §2: the sequence number, padded on the left, XOR the IV. */
static void nonce_of_sequence(const struct record_layer *l, uint8_t nonce[AEAD_NONCE_SIZE])
{
    uint8_t sequence[8];
    put_64(sequence, l->sequence);
    memcpy(nonce, l->keys.iv, AEAD_NONCE_SIZE);
    for (size_t i = 0; i < sizeof(sequence); i++)
        nonce[AEAD_NONCE_SIZE - sizeof(sequence) + i] ^= sequence[i];
}

static void make_nonce(
    const struct record_layer *l, const uint8_t *explicit_part, uint8_t nonce[AEAD_NONCE_SIZE])
{
    if (l->keys.format != RECORD_TLS12_GCM) {
        nonce_of_sequence(l, nonce);
        return;
    }
    memcpy(nonce, l->keys.iv, NONCE_SALT_SIZE);
    memcpy(nonce + NONCE_SALT_SIZE, explicit_part, NONCE_EXPLICIT_SIZE);
}

/* The additional data of the record whose header is at HEADER. TLS 1.3 (RFC 8446 §5.2): the header
 * as it is; TLS 1.2 (RFC 5246 §6.2.3.3): sequence number, type, version, and the length of the
 * CONTENT_N octets inside. SPACE holds it there. */
static struct bytes additional_data(const struct record_layer *l, const uint8_t *header,
    size_t content_n, uint8_t space[TLS12_AD_SIZE])
{
    if (l->keys.format == RECORD_TLS13)
        return (struct bytes){header, RECORD_HEADER_SIZE};
    put_64(space, l->sequence);
    memcpy(space + 8, header, 3);
    put_16(space + 11, content_n);
    return (struct bytes){space, TLS12_AD_SIZE};
}

/* ---- receiving ---- */

static enum record_status refuse(uint8_t *alert, enum alert reason)
{
    *alert = (uint8_t)reason;
    return RECORD_BAD;
}

static bool is_type(uint8_t type)
{
    return type >= RECORD_CHANGE_CIPHER_SPEC && type <= RECORD_APPLICATION_DATA;
}

/* RFC 8446 §5, D.4: a change_cipher_spec for the eyes of middleboxes is not protected. */
static bool is_plain(const struct record_layer *l, const uint8_t *header)
{
    return l->keys.format == RECORD_PLAIN ||
           (l->keys.format == RECORD_TLS13 && header[0] == RECORD_CHANGE_CIPHER_SPEC);
}

static enum record_status check_header(
    const struct record_layer *l, const uint8_t *header, size_t length, uint8_t *alert)
{
    if (!is_type(header[0]))
        return refuse(alert, ALERT_UNEXPECTED_MESSAGE);
    /* RFC 8446 §5.1 has the version of plain records ignored; but what is not of the form 3.x is no
     * TLS. That of protected ones is fixed: §5.2, and RFC 5246 §6.2.1. */
    bool is_version = header[1] == LEGACY_VERSION_MAJOR &&
                      (is_plain(l, header) || header[2] == LEGACY_VERSION_MINOR);
    if (!is_version)
        return refuse(alert, ALERT_PROTOCOL_VERSION);
    /* RFC 8446 §5.2: of TLS 1.3 the header of a protected record says application_data. */
    bool is_protected13 = l->keys.format == RECORD_TLS13 && !is_plain(l, header);
    if (is_protected13 && header[0] != RECORD_APPLICATION_DATA)
        return refuse(alert, ALERT_UNEXPECTED_MESSAGE);
    if (length > layouts[is_plain(l, header) ? RECORD_PLAIN : l->keys.format].wire_max)
        return refuse(alert, ALERT_RECORD_OVERFLOW);
    return RECORD_OK;
}

/* TLSInnerPlaintext (RFC 8446 §5.2, §5.4): the content type is the last octet that is not zero. */
static enum record_status open_inner(struct record *r, uint8_t *alert)
{
    size_t n = r->content.n;
    while (n && r->content.at[n - 1] == 0)
        n--;
    /* "If a receiving implementation does not find a non-zero octet in the cleartext, it MUST
     * terminate the connection with an "unexpected_message" alert"; §5: so it does for a protected
     * change_cipher_spec. */
    uint8_t type = n ? r->content.at[n - 1] : 0;
    if (!is_type(type) || type == RECORD_CHANGE_CIPHER_SPEC)
        return refuse(alert, ALERT_UNEXPECTED_MESSAGE);
    r->type = type;
    r->content.n = n - 1;
    /* "Implementations MUST NOT send Handshake and Alert records that have a zero-length
     * TLSInnerPlaintext.content". */
    if (!r->content.n && type != RECORD_APPLICATION_DATA)
        return refuse(alert, ALERT_UNEXPECTED_MESSAGE);
    return RECORD_OK;
}

/* Open R, which is the record at WIRE as it came. */
static enum record_status open_record(
    struct record_layer *l, uint8_t *wire, struct record *r, uint8_t *alert)
{
    const struct layout *layout = &layouts[l->keys.format];
    uint8_t nonce[AEAD_NONCE_SIZE], space[TLS12_AD_SIZE];
    uint8_t *body = wire + RECORD_HEADER_SIZE;
    size_t n = r->content.n;
    /* One that has no room for a tag has none that is right. */
    if (n < (size_t)layout->before + AEAD_TAG_SIZE)
        return refuse(alert, ALERT_BAD_RECORD_MAC);
    if (is_exhausted(l))
        return refuse(alert, ALERT_INTERNAL_ERROR);
    n -= (size_t)layout->before + AEAD_TAG_SIZE;
    make_nonce(l, body, nonce);
    body += layout->before;
    if (!aead_open(expanded(l), nonce, additional_data(l, wire, n, space), body, n, body + n))
        return refuse(alert, ALERT_BAD_RECORD_MAC);
    l->sequence++;
    r->content = (struct bytes){body, n};
    /* RFC 8446 §5.4: the type and the padding count, too. */
    if (n > l->plain_max + (l->keys.format == RECORD_TLS13))
        return refuse(alert, ALERT_RECORD_OVERFLOW);
    return l->keys.format == RECORD_TLS13 ? open_inner(r, alert) : RECORD_OK;
}

enum record_status record_take(struct record_layer *l, uint8_t *wire, size_t wire_n,
    struct record *out, size_t *used, uint8_t *alert)
{
    if (wire_n < RECORD_HEADER_SIZE)
        return RECORD_NEEDS_MORE;
    size_t length = (size_t)wire[3] << 8 | wire[4];
    if (check_header(l, wire, length, alert) == RECORD_BAD)
        return RECORD_BAD;
    if (wire_n - RECORD_HEADER_SIZE < length)
        return RECORD_NEEDS_MORE;
    *used = RECORD_HEADER_SIZE + length;
    out->type = wire[0];
    out->content = (struct bytes){wire + RECORD_HEADER_SIZE, length};
    return is_plain(l, wire) ? RECORD_OK : open_record(l, wire, out, alert);
}

/* ---- sending ---- */

static size_t overhead(const struct record_layer *l)
{
    const struct layout *layout = &layouts[l->keys.format];
    return RECORD_HEADER_SIZE + (size_t)layout->before + layout->after;
}

size_t record_room(const struct record_layer *l, const struct buf *out, size_t reserve)
{
    size_t room = buf_room(out), around = overhead(l), most = content_max(l);
    if (room <= reserve)
        return 0;
    room -= reserve;
    size_t rest = room % (around + most);
    return room / (around + most) * most + (rest > around ? rest - around : 0);
}

/* RFC 5288 §3: the explicit nonce "MUST be distinct for each distinct invocation": the sequence
 * number is. */
static void put_explicit_nonce(const struct record_layer *l, uint8_t *at)
{
    if (l->keys.format == RECORD_TLS12_GCM)
        put_64(at, l->sequence);
}

/* Seal the N octets of content of the record at WIRE, which has its header and its content. */
static void seal_record(struct record_layer *l, enum record_type type, uint8_t *wire, size_t n)
{
    uint8_t nonce[AEAD_NONCE_SIZE], space[TLS12_AD_SIZE];
    uint8_t *body = wire + RECORD_HEADER_SIZE, *at = body + layouts[l->keys.format].before;
    struct bytes ad = additional_data(l, wire, n, space);
    put_explicit_nonce(l, body);
    make_nonce(l, body, nonce);
    if (l->keys.format == RECORD_TLS13)
        at[n++] = (uint8_t)type;
    aead_seal(expanded(l), nonce, ad, at, n, at + n);
}

/* Write CONTENT as one record to WIRE. Its size. */
static size_t put_record(
    struct record_layer *l, enum record_type type, struct bytes content, uint8_t *wire)
{
    size_t n = overhead(l) + content.n;
    bool is_inner = l->keys.format == RECORD_TLS13;
    wire[0] = (uint8_t)(is_inner ? RECORD_APPLICATION_DATA : type);
    wire[1] = LEGACY_VERSION_MAJOR;
    wire[2] = LEGACY_VERSION_MINOR;
    put_16(wire + 3, n - RECORD_HEADER_SIZE);
    memcpy(wire + RECORD_HEADER_SIZE + layouts[l->keys.format].before, content.at, content.n);
    if (l->keys.format != RECORD_PLAIN)
        seal_record(l, type, wire, content.n);
    else if (l->sequence == 0)
        wire[2] = l->first_minor;
    l->sequence++;
    return n;
}

size_t record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve)
{
    size_t taken = 0;
    content = bytes_first(content, record_room(l, out, reserve));
    size_t records = (content.n + content_max(l) - 1) / content_max(l);
    uint8_t *wire = buf_space(out, content.n + records * overhead(l));
    while (taken < content.n && !is_exhausted(l)) {
        struct bytes piece = bytes_first(bytes_skip(content, taken), content_max(l));
        size_t n = put_record(l, type, piece, wire);
        buf_added(out, n);
        wire += n;
        taken += piece.n;
    }
    return taken;
}
