/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/ban.h"

#define PORT_DIGITS_MAX 5

/* Decimal, no sign, no leading zeros, at most 65535. */
static int parse_port(struct bytes text, in_port_t *port)
{
    if (!text.n || text.n > PORT_DIGITS_MAX || (text.n > 1 && text.at[0] == '0'))
        return -1;
    unsigned value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -1;
        value = value * 10 + (unsigned)(text.at[i] - '0');
    }
    if (value > UINT16_MAX)
        return -1;
    *port = htons((uint16_t)value);
    return 0;
}

/* inet_pton of a slice. */
static int parse_host(int family, struct bytes text, void *out)
{
    char host[INET6_ADDRSTRLEN];
    if (!text.n || text.n >= sizeof(host) || bytes_find(text, 0) < text.n)
        return -1;
    memcpy(host, text.at, text.n);
    host[text.n] = 0;
    return inet_pton(family, host, out) == 1 ? 0 : -1;
}

static int parse_v6(struct bytes host, in_port_t port, struct address *out)
{
    *out = (struct address){
        .sa.v6 = {.sin6_family = AF_INET6, .sin6_port = port}, .n = sizeof(out->sa.v6)};
    return parse_host(AF_INET6, host, &out->sa.v6.sin6_addr);
}

static int parse_v4(struct bytes host, in_port_t port, struct address *out)
{
    *out = (struct address){
        .sa.v4 = {.sin_family = AF_INET, .sin_port = port}, .n = sizeof(out->sa.v4)};
    return parse_host(AF_INET, host, &out->sa.v4.sin_addr);
}

static int parse(struct bytes text, bool any_host, struct address *out)
{
    size_t colon = text.n;
    while (colon && text.at[colon - 1] != ':')
        colon--;
    in_port_t port;
    if (!colon || parse_port(bytes_skip(text, colon), &port) < 0)
        return -1;
    struct bytes host = bytes_first(text, colon - 1);
    if (!host.n && any_host) {
        *out = (struct address){
            .sa.v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_ANY_INIT},
            .n = sizeof(out->sa.v6),
            .both_families = true,
        };
        return 0;
    }
    if (bytes_starts_with(host, BYTES("[")) && bytes_ends_with(host, BYTES("]")))
        return parse_v6((struct bytes){host.at + 1, host.n - 2}, port, out);
    return parse_v4(host, port, out);
}

int address_parse(struct bytes text, bool any_host, struct address *out, struct error *err)
{
    if (parse(text, any_host, out) == 0)
        return 0;
    return error_set(err,
        "'%.*s' is no address; accepted: 192.0.2.1:80, [2001:db8::1]:80%s (numbers, not names)",
        BYTES_ARG(bytes_first(text, ADDRESS_TEXT_MAX)), any_host ? ", :80 for IPv4 and IPv6" : "");
}

int address_parse_host(struct bytes host, uint16_t port, struct address *out)
{
    in_port_t p = htons(port);
    return parse_v4(host, p, out) == 0 || parse_v6(host, p, out) == 0 ? 0 : -1;
}

static bool is_v6(const struct address *a)
{
    return a->sa.any.sa_family == AF_INET6;
}

uint16_t address_port(const struct address *a)
{
    return ntohs(is_v6(a) ? a->sa.v6.sin6_port : a->sa.v4.sin_port);
}

void address_set_port(struct address *a, uint16_t port)
{
    if (is_v6(a))
        a->sa.v6.sin6_port = htons(port);
    else
        a->sa.v4.sin_port = htons(port);
}

void address_octets(const struct address *a, uint8_t out[16])
{
    if (is_v6(a)) {
        memcpy(out, &a->sa.v6.sin6_addr, 16);
        return;
    }
    /* RFC 4291 §2.5.5.2 */
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    memcpy(out + 12, &a->sa.v4.sin_addr, 4);
}

void address_of_octets(const uint8_t octets[16], uint16_t port, struct address *out)
{
    *out = (struct address){.n = sizeof(out->sa.v6)};
    out->sa.v6.sin6_family = AF_INET6;
    memcpy(&out->sa.v6.sin6_addr, octets, 16);
    if (IN6_IS_ADDR_V4MAPPED(&out->sa.v6.sin6_addr)) {
        *out = (struct address){.n = sizeof(out->sa.v4)};
        out->sa.v4.sin_family = AF_INET;
        memcpy(&out->sa.v4.sin_addr, octets + 12, 4);
    }
    address_set_port(out, port);
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (!is_v6(a) && !is_v6(b))
        return a->sa.v4.sin_port == b->sa.v4.sin_port &&
               a->sa.v4.sin_addr.s_addr == b->sa.v4.sin_addr.s_addr;
    uint8_t x[16], y[16];
    address_octets(a, x);
    address_octets(b, y);
    return address_port(a) == address_port(b) && memcmp(x, y, sizeof(x)) == 0;
}

/* As inet_ntop, which goes by printf: this is done for each request. */
static void format_v4(const uint8_t octets[4], char *out)
{
    for (size_t i = 0; i < 4; i++) {
        unsigned n = octets[i];
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

/* Write the host and say whether it is IPv6. */
static bool format_host(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    uint8_t octets[16];
    struct in6_addr v6;
    address_octets(a, octets);
    memcpy(&v6, octets, sizeof(v6));
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6);
    if (is_mapped)
        format_v4(octets + 12, out);
    else
        inet_ntop(AF_INET6, octets, out, ADDRESS_TEXT_MAX);
    return !is_mapped;
}

void address_format_host(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    format_host(a, out);
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    bool brackets = format_host(a, host);
    if (a->both_families)
        snprintf(out, ADDRESS_TEXT_MAX, ":%u", address_port(a));
    else
        snprintf(
            out, ADDRESS_TEXT_MAX, brackets ? "[%.45s]:%u" : "%.45s:%u", host, address_port(a));
}

bool address_is_in(const struct address *a, const uint8_t network[16], unsigned prefix)
{
    uint8_t octets[16];
    address_octets(a, octets);
    if (prefix > 128)
        return false;
    if (memcmp(octets, network, prefix / 8) != 0)
        return false;
    unsigned rest = prefix % 8;
    return !rest || ((octets[prefix / 8] ^ network[prefix / 8]) >> (8 - rest)) == 0;
}
