/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlspolicy — what one side of a handshake offers and demands: versions, suites, certificates,
 * whether the peer must show one. Immutable, shared by all connections under it, owned by a
 * generation.
 *
 * One tlspolicy belongs to a listener or to one of its domains, or to a target group.
 */
#pragma once

#include "base/error.h"
#include "crypto/digest.h"
#include "crypto/ratchet.h"
#include "pki/credential.h"

#define SSL_3_0 0x0300 /* to be refused, wherever it stands */
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

enum tlspolicy_role { TLSPOLICY_SERVER, TLSPOLICY_CLIENT };
enum tlspolicy_preference {
    PREFER_STRONGEST, /* 256-bit suites before 128-bit; the client's order breaks ties */
    PREFER_FASTEST,   /* 128-bit AES-GCM first */
    PREFER_CLIENT     /* the client's order */
};
/* Server: of the client's certificate. */
enum tlspolicy_peer { PEER_NOT_ASKED, PEER_OPTIONAL, PEER_REQUIRED };

/* Who speaks TLS. */
enum tlspolicy_engine {
    ENGINE_OPENSSL, /* libssl */
    ENGINE_NATIVE,  /* ours: tls/machine.h */
    ENGINE_COUNT
};
/* As the configuration has it. */
const char *tlspolicy_engine_name(enum tlspolicy_engine e);

/* 16-bit numbers in our order of preference; none: all that we have. */
struct tlspolicy_list {
    const uint16_t *at;
    size_t n;
};

struct tlspolicy_config {
    enum tlspolicy_engine engine;
    enum tlspolicy_role role;
    uint16_t version_min, version_max;    /* TLS_1_2, TLS_1_3 */
    enum tlspolicy_preference preference; /* server */
    bool key_exchange_rsa;                /* TLS 1.2 RSA key transport is offered as well (last) */
    bool key_exchange_rsa_only;           /* client: nothing else (connect --key-exchange rsa) */
    struct tlspolicy_list groups;         /* NamedGroup (RFC 8446 §4.2.7) */
    struct tlspolicy_list schemes;     /* SignatureScheme (§4.2.3): what a peer may sign with, */
    struct tlspolicy_list own_schemes; /* and we; of these the peer's order decides */
    /* Server: at least one, the first is the default; client: none or one. */
    const struct credential *const *credentials;
    size_t credentials_n;
    enum tlspolicy_peer peer;
    /* Server: CAs whose names CertificateRequest carries, unless they take more than 16 KiB; may be
     * NULL. */
    const struct certificate_list *ca;
    const struct bytes *alpn; /* in our order of preference; none: ALPN is ignored / not offered */
    size_t alpn_n;
    /* Server: sessions are resumed, by ticket (with peer asked by ENGINE_NATIVE only,
     * which has the judge asked again). Client: sessions are taken
     * from servers. */
    bool tickets;
    uint32_t session_lifetime_s; /* hard deadline since the full handshake; survives renewal */
    uint8_t hash[SHA256_SIZE];   /* of the whole authentication policy: sessions are bound to it */
    /* Server: the same in all workers; ticket keys derive from it and the hash, and go forward by
     * tlspolicy_advance. If it belongs to the hour before the present one, tickets of that hour are
     * taken, too. */
    struct ratchet ticket_secret;
};

struct tlspolicy;

/* The credentials must outlive the policy; everything else is copied. */
struct tlspolicy *tlspolicy_new(const struct tlspolicy_config *config, struct error *err) MUST_USE;
void tlspolicy_free(struct tlspolicy **p);

/* Server: ticket keys go forward to the hour of MONOTONIC_S, and those from two hours ago are
 * forgotten. To be called when the policy is chosen for a handshake, and now and then while nobody
 * comes. */
void tlspolicy_advance(const struct tlspolicy *p, int64_t monotonic_s);
/* Server: for one that is not chosen any more, but has to last as long as its connections do. Its
 * ticket keys are forgotten. */
void tlspolicy_forget_sessions(const struct tlspolicy *p);
