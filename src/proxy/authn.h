/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authn — how one listener, or one of its domains, authenticates: its credentials, its TLS policy,
 * and for mutual and optional the verification of client certificates.
 *
 * Immutable after authn_init (the memory of CRL signatures apart); owned by a service.
 */
#pragma once

#include "config/config.h"
#include "pki/verify.h"
#include "proxy/source.h"
#include "tls/tlspolicy.h"

struct authn {
    const struct config_authn *config;
    struct credential **credentials;
    size_t credentials_n;
    struct tlspolicy *tls;
    struct verify_policy verify; /* of clients: mutual, optional */
    struct name_pattern *names;  /* client_names */
    uint8_t hash[SHA256_SIZE];   /* of all that decides who is let in and to whom they talk */
};

/* A is zeroed. DOMAIN is NULL for the listener's own. What is wrong goes to the source's report; A
 * can be finished whatever happened. */
void authn_init(struct authn *a, const struct config_listener *listener,
    const struct config_domain *domain, const struct source *source);
void authn_fini(struct authn *a);

/* Does it ask clients for a certificate? */
bool authn_asks(const struct authn *a);
/* The verdict on a client's chain (CHAIN_N may be 0). */
void authn_judge(const struct authn *a, const struct certificate *const *chain, size_t chain_n,
    int64_t now_s, struct verdict *out);
