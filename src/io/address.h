/* SPDX-License-Identifier: Apache-2.0 */
/* address — IP addresses with ports, as text and as sockaddr. No name is ever looked up here. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define ADDRESS_TEXT_MAX 64

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
    socklen_t n;
    bool both_families; /* ":443": an IPv6 socket that takes IPv4 too */
};

/* "192.0.2.1:80", "[2001:db8::1]:80"; with ANY_HOST also ":80" (both families). */
int address_parse(
    struct bytes text, bool any_host, struct address *out, struct error *err) MUST_USE;
/* A host alone, without brackets: "192.0.2.1", "2001:db8::1". */
int address_parse_host(struct bytes host, uint16_t port, struct address *out) MUST_USE;
/* With the port; v4-mapped addresses as IPv4. What address_parse reads back; both families as
 * ":443". */
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* The host alone, without brackets. */
void address_format_host(const struct address *a, char out[ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct address *a);
void address_set_port(struct address *a, uint16_t port);
/* The same host and port? */
bool address_equal(const struct address *a, const struct address *b);
/* 16 octets; IPv4 as v4-mapped. */
void address_octets(const struct address *a, uint8_t out[16]);
/* The other way. */
void address_of_octets(const uint8_t octets[16], uint16_t port, struct address *out);
/* Are the first PREFIX bits of A (as 16 octets) those of NETWORK? */
bool address_is_in(const struct address *a, const uint8_t network[16], unsigned prefix);
