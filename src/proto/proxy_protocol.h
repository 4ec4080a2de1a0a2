/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol — the header that one balancer puts before a connection's bytes to tell the next
 * one whose they are: versions 1 (text) and 2 (binary) of the PROXY protocol (W. Tarreau, "The
 * PROXY protocol", proxy-protocol.txt of HAProxy; sections below are its).
 *
 * Whoever is believed here can be anybody: callers read a header only from peers that were
 * configured, and there always.
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"

/* Version 2: the fixed part and what a 16-bit length can say. */
#define PROXY_PROTOCOL_MAX (16 + 65535)

/* An end of the connection: IPv4 as v4-mapped IPv6. */
struct proxy_protocol_end {
    uint8_t address[16];
    uint16_t port;
};

struct proxy_protocol {
    bool has_ends; /* false: LOCAL, UNKNOWN or another family: the connection's own ends count */
    struct proxy_protocol_end source, destination;
};

enum proxy_protocol_fault {
    PROXY_PROTOCOL_INCOMPLETE, /* more octets are needed */
    PROXY_PROTOCOL_ABSENT,     /* what arrived is no such header */
    PROXY_PROTOCOL_MALFORMED,
    PROXY_PROTOCOL_CORRUPT, /* the checksum (§2.2.4) differs */
    PROXY_PROTOCOL_FAULT_COUNT
};
/* For the log. */
const char *proxy_protocol_fault_text(enum proxy_protocol_fault f);

/* The length of the header at the front of IN; or, negative or 0, minus a fault. Extensions (TLVs)
 * other than the checksum are skipped, but have to be well-formed. */
ssize_t proxy_protocol_read(struct bytes in, struct proxy_protocol *out);

/* What a header of ours says of TLS (§2.2.2, §2.2.3, §2.2.6). Empty slices are left out, as are
 * names of more than 255 octets (common_name: 1024) and certificates of more than 60000. */
struct proxy_protocol_tls {
    struct bytes alpn, authority;
    struct bytes version, cipher, signature; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384", … */
    bool is_verified;                        /* the client showed a certificate, which passed */
    bool is_resumed;                         /* … in the session that this one goes back to */
    struct bytes common_name;                /* of it: UTF-8 */
    struct bytes certificate;                /* DER */
};
/* Append a header of version 2. TLS: NULL for a plain connection. OUT has room for
 * PROXY_PROTOCOL_MAX. */
void proxy_protocol_write(
    struct buf *out, const struct proxy_protocol *h, const struct proxy_protocol_tls *tls);
