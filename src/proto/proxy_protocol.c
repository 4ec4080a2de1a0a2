/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy_protocol.h"

#include <arpa/inet.h>

#include "base/attributes.h"
#include "base/panic.h"

#include "base/ban.h"

/* §2.1: the longest line, with its CR LF. */
#define LINE_MAX_1 107
/* §2.2: signature, version and command, family and protocol, length. */
#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_N   12
#define FIXED_N       16
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21
#define ENDS_N_IPV4   12
#define ENDS_N_IPV6   36

/* §2.2, table of types. */
#define TYPE_ALPN            0x01
#define TYPE_AUTHORITY       0x02
#define TYPE_CRC32C          0x03
#define TYPE_SSL             0x20
#define TYPE_SSL_VERSION     0x21
#define TYPE_SSL_CN          0x22
#define TYPE_SSL_CIPHER      0x23
#define TYPE_SSL_SIG_SCHEME  0x27
#define TYPE_SSL_CLIENT_CERT 0x28
#define CLIENT_SSL           0x01
#define CLIENT_CERT_CONN     0x02
#define CLIENT_CERT_SESS     0x04

static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};

const char *proxy_protocol_fault_text(enum proxy_protocol_fault f)
{
    static const char *const texts[] = {
        [PROXY_PROTOCOL_INCOMPLETE] = "the PROXY protocol's header is not complete",
        [PROXY_PROTOCOL_ABSENT] = ("there is no header of the PROXY protocol, which is expected "
                                   "from this peer (proxy_protocol.accept_from)"),
        [PROXY_PROTOCOL_MALFORMED] = "the PROXY protocol's header is malformed",
        [PROXY_PROTOCOL_CORRUPT] = "the checksum of the PROXY protocol's header differs",
    };
    return texts[f];
}

/* ---- version 1 ---- */

/* Up to the next space or the end of LINE. */
static struct bytes take_word(struct bytes *line)
{
    struct bytes word = bytes_first(*line, bytes_find(*line, ' '));
    *line = bytes_skip(*line, word.n + 1);
    return word;
}

static bool read_address(struct bytes word, bool is_v6, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN] = "";
    if (!word.n || word.n >= sizeof(text) || memchr(word.at, 0, word.n))
        return false;
    memcpy(text, word.at, word.n);
    if (is_v6)
        return inet_pton(AF_INET6, text, out) == 1;
    memcpy(out, mapped, sizeof(mapped));
    return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

/* Decimal, without zeros in front. */
static bool read_port(struct bytes word, uint16_t *out)
{
    unsigned port = 0;
    if (!word.n || word.n > 5 || (word.n > 1 && word.at[0] == '0'))
        return false;
    for (size_t i = 0; i < word.n; i++) {
        if (word.at[i] < '0' || word.at[i] > '9')
            return false;
        port = port * 10 + (word.at[i] - '0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* §2.1: PROXY TCP4 SOURCE DESTINATION PORT PORT. */
static bool read_line(struct bytes line, struct proxy_protocol *out)
{
    take_word(&line);
    struct bytes family = take_word(&line);
    if (bytes_equal(family, BYTES("UNKNOWN"))) /* whatever follows is to be ignored */
        return true;
    bool is_v6 = bytes_equal(family, BYTES("TCP6"));
    out->has_ends = true;
    return (is_v6 || bytes_equal(family, BYTES("TCP4"))) &&
           read_address(take_word(&line), is_v6, out->source.address) &&
           read_address(take_word(&line), is_v6, out->destination.address) &&
           read_port(take_word(&line), &out->source.port) &&
           read_port(line, &out->destination.port);
}

static ssize_t read_1(struct bytes in, struct proxy_protocol *out)
{
    struct bytes longest = bytes_first(in, LINE_MAX_1);
    size_t end = bytes_find(longest, '\r');
    if (end + 2 > longest.n)
        return in.n < LINE_MAX_1 ? -PROXY_PROTOCOL_INCOMPLETE : -PROXY_PROTOCOL_MALFORMED;
    if (in.at[end + 1] != '\n' || !read_line(bytes_first(in, end), out))
        return -PROXY_PROTOCOL_MALFORMED;
    return (ssize_t)(end + 2);
}

/* ---- version 2 ---- */

static uint16_t number_16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t number_32(const uint8_t *at)
{
    return (uint32_t)number_16(at) << 16 | number_16(at + 2);
}

/* CRC-32C (RFC 9260 appendix A) of WHOLE, the four octets at HOLE taken for zeros. */
static uint32_t checksum(struct bytes whole, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < whole.n; i++) {
        crc ^= i >= hole && i < hole + 4 ? 0 : whole.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82F63B78 & -(crc & 1));
    }
    return ~crc;
}

/* The extensions from AT on. */
static ssize_t read_extensions(struct bytes header, size_t at)
{
    while (at < header.n) {
        if (header.n - at < 3)
            return -PROXY_PROTOCOL_MALFORMED;
        size_t n = number_16(header.at + at + 1);
        size_t value = at + 3;
        if (header.n - value < n)
            return -PROXY_PROTOCOL_MALFORMED;
        if (header.at[at] == TYPE_CRC32C && n != 4)
            return -PROXY_PROTOCOL_MALFORMED;
        if (header.at[at] == TYPE_CRC32C && checksum(header, value) != number_32(header.at + value))
            return -PROXY_PROTOCOL_CORRUPT;
        at = value + n;
    }
    return (ssize_t)header.n;
}

static void read_ends(const uint8_t *at, bool is_v6, struct proxy_protocol *out)
{
    size_t n = is_v6 ? 16 : 4;
    struct proxy_protocol_end *ends[] = {&out->source, &out->destination};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        memcpy(ends[i]->address, mapped, sizeof(mapped));
        memcpy(ends[i]->address + 16 - n, at + i * n, n);
        ends[i]->port = number_16(at + 2 * n + 2 * i);
    }
    out->has_ends = true;
}

static ssize_t read_2(struct bytes in, struct proxy_protocol *out)
{
    if (in.n < FIXED_N)
        return -PROXY_PROTOCOL_INCOMPLETE;
    uint8_t command = in.at[12], family = in.at[13];
    size_t n = number_16(in.at + 14);
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        return -PROXY_PROTOCOL_MALFORMED;
    if (in.n < FIXED_N + n)
        return -PROXY_PROTOCOL_INCOMPLETE;
    bool is_v6 = family == TCP_OVER_IPV6;
    size_t ends_n = is_v6 ? ENDS_N_IPV6 : ENDS_N_IPV4;
    /* §2.2: what a LOCAL header says, or one of another family, is skipped. */
    if (command == COMMAND_LOCAL || (!is_v6 && family != TCP_OVER_IPV4))
        return (ssize_t)(FIXED_N + n);
    if (n < ends_n)
        return -PROXY_PROTOCOL_MALFORMED;
    read_ends(in.at + FIXED_N, is_v6, out);
    return read_extensions(bytes_first(in, FIXED_N + n), FIXED_N + ends_n);
}

ssize_t proxy_protocol_read(struct bytes in, struct proxy_protocol *out)
{
    static const struct bytes signature = {(const uint8_t *)SIGNATURE, SIGNATURE_N};
    static const struct bytes word = {(const uint8_t *)"PROXY ", 6};
    *out = (struct proxy_protocol){0};
    if (bytes_starts_with(in, signature))
        return read_2(in, out);
    if (bytes_starts_with(in, word))
        return read_1(in, out);
    bool may_become = bytes_starts_with(signature, in) || bytes_starts_with(word, in);
    return may_become ? -PROXY_PROTOCOL_INCOMPLETE : -PROXY_PROTOCOL_ABSENT;
}

/* ---- writing version 2 ---- */

static void put(struct buf *out, struct bytes data)
{
    int result = buf_append(out, data);
    ASSERT(result == 0); /* the header says how long it may get */
}

static void put_8(struct buf *out, uint8_t number)
{
    put(out, (struct bytes){&number, 1});
}

static void put_16(struct buf *out, size_t number)
{
    put(out, (struct bytes){(uint8_t[]){(uint8_t)(number >> 8), (uint8_t)number}, 2});
}

static void put_extension(struct buf *out, uint8_t type, struct bytes value)
{
    put_8(out, type);
    put_16(out, value.n);
    put(out, value);
}

struct extension {
    uint8_t type;
    struct bytes value;
    size_t n_max; /* a longer one is left out */
};

static bool is_said(const struct extension *e)
{
    return e->value.n && e->value.n <= e->n_max;
}

static size_t extensions_n(const struct extension *list, size_t list_n)
{
    size_t n = 0;
    for (size_t i = 0; i < list_n; i++)
        n += is_said(&list[i]) ? 3 + list[i].value.n : 0;
    return n;
}

static void put_extensions(struct buf *out, const struct extension *list, size_t list_n)
{
    for (size_t i = 0; i < list_n; i++)
        if (is_said(&list[i]))
            put_extension(out, list[i].type, list[i].value);
}

static bool is_v4(const struct proxy_protocol_end *e)
{
    return memcmp(e->address, mapped, sizeof(mapped)) == 0;
}

/* LENGTH: of all that follows the fixed part. */
static void put_ends(struct buf *out, const struct proxy_protocol *h, bool v4, size_t length)
{
    size_t skip = v4 ? sizeof(mapped) : 0;
    put(out, (struct bytes){(const uint8_t *)SIGNATURE, SIGNATURE_N});
    put_8(out, h->has_ends ? COMMAND_PROXY : COMMAND_LOCAL);
    put_8(out, !h->has_ends ? 0 : v4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6);
    put_16(out, length);
    if (!h->has_ends)
        return;
    put(out, (struct bytes){h->source.address + skip, 16 - skip});
    put(out, (struct bytes){h->destination.address + skip, 16 - skip});
    put_16(out, h->source.port);
    put_16(out, h->destination.port);
}

static uint8_t client_bits(const struct proxy_protocol_tls *tls)
{
    if (!tls->is_verified)
        return CLIENT_SSL;
    return CLIENT_SSL | CLIENT_CERT_SESS | (tls->is_resumed ? 0 : CLIENT_CERT_CONN);
}

void proxy_protocol_write(
    struct buf *out, const struct proxy_protocol *h, const struct proxy_protocol_tls *tls)
{
    static const struct proxy_protocol_tls none;
    const struct proxy_protocol_tls *t = tls ? tls : &none;
    const struct extension outer[] = {{TYPE_ALPN, t->alpn, 255},
        {TYPE_AUTHORITY, t->authority, 255}},
                           inner[] = {{TYPE_SSL_VERSION, t->version, 64},
                               {TYPE_SSL_CIPHER, t->cipher, 64},
                               {TYPE_SSL_SIG_SCHEME, t->signature, 64},
                               {TYPE_SSL_CN, t->common_name, 1024},
                               {TYPE_SSL_CLIENT_CERT, t->certificate, 60000}};
    bool v4 = is_v4(&h->source) && is_v4(&h->destination);
    size_t ends_n = !h->has_ends ? 0 : v4 ? ENDS_N_IPV4 : ENDS_N_IPV6;
    size_t outer_n = extensions_n(outer, COUNT_OF(outer));
    size_t ssl_n = 1 + 4 + extensions_n(inner, COUNT_OF(inner));
    ASSERT(buf_room(out) >= PROXY_PROTOCOL_MAX);
    put_ends(out, h, v4, ends_n + outer_n + (tls ? 3 + ssl_n : 0));
    put_extensions(out, outer, COUNT_OF(outer));
    if (!tls)
        return;
    put_8(out, TYPE_SSL); /* §2.2.6: client, verify, then extensions of its own */
    put_16(out, ssl_n);
    put_8(out, client_bits(tls));
    put_16(out, 0); /* verify: 0 if a certificate was shown and passed */
    put_16(out, !tls->is_verified);
    put_extensions(out, inner, COUNT_OF(inner));
}
