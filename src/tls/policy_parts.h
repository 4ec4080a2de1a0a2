/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_parts — what a tlspolicy is made of, for the engines; and what an engine is.
 *
 * Private to src/tls/. Both engines read the same policy; what one of them makes of it beforehand
 * is in its own pointer.
 */
#pragma once

#include "base/arena.h"
#include "tls/certificate_set.h"
#include "tls/suite.h"
#include "tls/tlsconn.h"

/* Bytes of certificate_authorities: beyond it clients choke (HAProxy #1011). */
#define TLSPOLICY_CA_NAMES_MAX (16 * 1024)

/* Of CAs that share a name, as those that changed their key do, the first is named. */
bool tlspolicy_is_first_of_name(const struct certificate_list *ca, size_t i);

struct ticket_keys;
struct engine_openssl_policy; /* libssl contexts */
struct engine_native_policy;  /* messages made beforehand: Certificate, CertificateRequest's
                                 authorities, … */

struct tlspolicy {
    const struct tlsconn_engine *engine;
    enum tlspolicy_role role;
    uint16_t version_min, version_max;
    enum tlspolicy_preference preference;
    bool key_exchange_rsa, key_exchange_rsa_only;
    struct bytes groups, schemes, own_schemes; /* struct tlspolicy_config's, as on the wire */
    enum tlspolicy_peer peer;
    bool tickets;
    uint32_t session_lifetime_s;
    uint8_t binding[SHA256_SIZE]; /* the policy's hash, its versions and suites: what a session is
                                     bound to */
    struct ticket_keys *ticket_keys; /* they go forward with the hours */
    uint8_t *alpn;                   /* as on the wire: each name preceded by its length */
    size_t alpn_n;
    const struct credential **credentials;
    size_t credentials_n;
    struct certificate_sets *sets; /* server */
    struct engine_openssl_policy *openssl;
    struct engine_native_policy *native;
    struct arena arena; /* lists of numbers */
};

/* The groups of a policy that names none, the cheapest first: 16-bit numbers as on the wire. */
struct bytes tlspolicy_usual_groups(void);
/* Does P let handshakes be signed with less than our verifier takes on certificates, so that peers
 * are told both (RFC 8446 §4.2.3: signature_algorithms_cert)? */
bool tlspolicy_has_fewer_schemes(const struct tlspolicy *p);
/* The rules for suites of VERSION under P. */
struct suite_choice tlspolicy_suites(const struct tlspolicy *p, uint16_t version);

/* RFC 7301 §3.2: the first of P's protocols that OFFERED (the names of the client's ALPN) has too,
 * or none, "". RFC 9113 §9.2.2 and appendix A: HTTP/2 not under a suite of TLS 1.2 without forward
 * secrecy (IS_RSA_KX) or without an AEAD, which all of ours have. */
struct bytes tlspolicy_choose_alpn(const struct tlspolicy *p, bool is_rsa_kx, struct bytes offered);

/* What an engine does for tlsconn.h. */
struct tlsconn_engine {
    const char *name; /* as the configuration has it: "openssl", "native" */
    int (*policy_init)(
        struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err);
    void (*policy_fini)(struct tlspolicy *p); /* even if policy_init failed, or was not called */
    struct tlsconn *(*new_server)(
        const struct tlspolicy *p, const struct tlsconn_handler *h, void *owner);
    struct tlsconn *(*new_client)(const struct tlspolicy *p, const char *server_name,
        const struct tlsconn_handler *h, void *owner);
    void (*free)(struct tlsconn *c);
    struct buf *(*wire_in)(struct tlsconn *c);
    struct buf *(*wire_out)(struct tlsconn *c);
    enum tlsconn_status (*handshake)(struct tlsconn *c, int64_t now_s);
    enum tlsconn_status (*read)(struct tlsconn *c, struct buf *out);
    enum tlsconn_status (*write)(struct tlsconn *c, struct bytes data, size_t *taken);
    size_t (*write_room)(const struct tlsconn *c);
    bool (*has_pending)(const struct tlsconn *c);
    void (*close)(struct tlsconn *c);
    struct bytes (*staple)(const struct tlsconn *c);
    /* S is this engine's, of the same policy and server name, and has not ended. */
    bool (*offer)(struct tlsconn *c, const struct tlsconn_session *s);
    /* What its chain held is let go. */
    void (*session_free)(struct tlsconn_session *s);
};
extern const struct tlsconn_engine engine_openssl, engine_native;

/* A connection of either engine: what the engine's own begins with. */
struct tlsconn {
    const struct tlsconn_engine *engine;
    const struct tlspolicy *policy;    /* server: the initial one until the ClientHello is read */
    const struct tlsconn_facts *facts; /* where the engine keeps them */
    const struct tlsconn_failure *failure;
};

/* A session of either engine: what the engine's own begins with. */
struct tlsconn_session {
    const struct tlsconn_engine *engine;
    struct certificate_list chain; /* what the server showed in the full handshake */
    uint8_t binding[SHA256_SIZE];
    char server_name[256]; /* "": none was sent */
    int64_t authenticated_s, ends_s;
    bool is_single_use;
};
