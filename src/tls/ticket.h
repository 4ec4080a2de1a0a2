/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket — a server's session tickets (RFC 8446 §4.6.1, RFC 5077): stateless, sealed with
 * AES-256-GCM under the keys of tls/ticket_keys.h.
 *
 *   name of the key (16) | nonce (12) | content, sealed | tag (16)
 *
 * Inside: version, suite, the time of the full handshake and the hard deadline, which survive
 * renewal; the secret; server name and ALPN; under mutual authentication the client's chain (its
 * certificates in DER, bounded), so that a resumed session is judged again by the verdict's rules
 * and reports and forwards exactly the same.
 */
#pragma once

#include "tls/key_schedule.h"
#include "tls/policy_parts.h"
#include "tls/prf.h"

#define TICKET_SIZE_MAX \
    (16 * 1024) /* a ClientHello with it stays acceptable; a chain that does not fit: no ticket */

struct ticket_content {
    uint16_t version, suite;
    int64_t authenticated_s, ends_s;
    uint32_t age_add;                   /* TLS 1.3 */
    struct secret secret;               /* TLS 1.3: the PSK */
    uint8_t master[MASTER_SECRET_SIZE]; /* TLS 1.2 */
    char server_name[256], alpn[16];
    struct certificate_list chain; /* the client's, leaf first; none in one-way */
};
void ticket_content_fini(struct ticket_content *c); /* wipes */

/* Append the sealed ticket to OUT. -1 if it would be longer than TICKET_SIZE_MAX. */
int ticket_seal(
    const struct tlspolicy *p, const struct ticket_content *c, struct buf *out) MUST_USE;
/* False if TICKET is none of this policy's, its key is gone, or its deadline has passed. *IS_OLD:
 * sealed with the key of the hour before: a new one is due. Certificates inside are parsed anew.
 * Takes the same time whatever is wrong with the seal. */
bool ticket_open(const struct tlspolicy *p, struct bytes ticket, int64_t now_s,
    struct ticket_content *out, bool *is_old) MUST_USE;
