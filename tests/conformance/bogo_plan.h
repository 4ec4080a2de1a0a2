/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bogo_plan — what the runner's flags make of one connection of the shim (bogo_shim.c), and what
 * its handshake messages show that the engine's facts do not.
 */
#pragma once

#include "base/bytes.h"
#include "tls/tlsconn.h"

#define EXIT_UNIMPLEMENTED 89
#define LIST_MAX           32
#define CONTENT_MAX        4096

/* The values of a flag that may be given several times. */
struct list {
    const char *at[LIST_MAX];
    size_t n;
};

/* Flags may differ between the first connection and those that resume. */
struct plan {
    bool is_server, ipv6;
    const char *engine, *port, *shim_id, *resume_count, *resumption_delay;
    const char *key_file, *cert_file;
    struct list certificates; /* each "certificate,key" */
    const char *suites;
    struct list groups, schemes, own_schemes; /* numbers */
    const char *min_version, *max_version;
    bool no_tls12, no_tls13, no_ticket;
    const char *host_name, *advertise_alpn, *select_alpn;
    bool reject_alpn;
    bool require_client_certificate, verify_peer, verify_fail, judges_sessions;
    bool asks_callback; /* the runner's own shim then refuses with another alert */
    const char *ocsp_response;
    bool fail_ocsp, decline_ocsp;
    bool shim_writes_first, shim_shuts_down, check_close_notify;
    const char *expect_version, *expect_alpn, *expect_server_name, *expect_curve_id;
    const char *expect_signature_algorithm, *expect_cipher, *expect_advertised_alpn;
    struct list expect_schemes; /* numbers: what the peer takes */
    const char *expect_ocsp_response, *expect_certificate_types, *expect_peer_cert_file;
    bool expect_session_miss, expect_no_session, expect_ticket_renewal;
    bool expect_retry, expect_no_retry, expect_extended_master_secret;
};

/* End the shim: CODE 1, it did not go as the flags say; EXIT_UNIMPLEMENTED. */
void plan_end(int code, const char *format, ...) NORETURN PRINTF(2, 3);

/* ---- bogo_flags.c ---- */

/* PLANS: of the first connection, and of those that resume. */
void plan_read(char **argv, struct plan plans[2]);
unsigned long plan_number(const char *text, unsigned long otherwise);
/* TEXT is base64 (RFC 4648 §4). */
struct bytes plan_decode(const char *text, uint8_t out[CONTENT_MAX]);

/* ---- bogo_watch.c ---- */

/* What passed in one handshake. */
struct watch {
    uint16_t version; /* of ServerHello; 0: none yet */
    bool has_retry, has_extended_master_secret;
    uint8_t alpn[CONTENT_MAX]; /* a ClientHello's list */
    size_t alpn_n;
    uint8_t types[256]; /* certificate_types of a CertificateRequest of TLS 1.2 */
    size_t types_n;
    uint8_t schemes[CONTENT_MAX]; /* signature_algorithms of the other side */
    size_t schemes_n;
};
/* MESSAGE, whole, which the peer or we have sent. */
void watch_message(struct watch *w, bool is_theirs, struct bytes message);
/* NULL, or what is not as P says. */
const char *watch_check(const struct watch *w, const struct plan *p);

/* ---- bogo_policy.c ---- */

/* A file, whole; to be freed. */
struct bytes plan_file(const char *path);
void plan_free_file(struct bytes file);

#define SETUP_CREDENTIALS_MAX 8
/* What connections under a plan share. */
struct setup {
    struct tlspolicy *policy;
    struct credential *credentials[SETUP_CREDENTIALS_MAX];
    size_t credentials_n;
};
void setup_init(struct setup *s, const struct plan *p);
void setup_fini(struct setup *s);
