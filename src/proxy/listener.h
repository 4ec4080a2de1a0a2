/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener — a listener of one generation: how it authenticates, for each domain, and where its
 * requests go.
 *
 * Immutable after listener_init; owned by a service.
 */
#pragma once

#include "balance/group.h"
#include "proxy/authn.h"
#include "proxy/domain_map.h"
#include "proxy/guard.h"
#include "proxy/routes.h"

struct tally;

struct listener {
    const struct config_listener *config;
    bool is_http, is_tls;
    struct authn authn;         /* TLS: of the listener itself */
    struct authn *domain_authn; /* one per config->domains */
    struct domain_map authn_of; /* SNI or host → struct authn */
    struct guard **guards;      /* HTTPS: one per rule, NULL where it asks nothing */
    struct routes routes;       /* HTTP */
    struct tally *tally;        /* what is counted of it; NULL until it is in force */
};

void listener_init(
    struct listener *l, const struct config_listener *config, const struct source *source);
void listener_fini(struct listener *l);

/* The I-th TLS policy of L: its own, then those of its domains. NULL: it has no more. */
const struct tlspolicy *listener_policy(const struct listener *l, size_t i);

/* How clients of this server name are authenticated. HOST: lower case, without port; empty for
 * none. */
const struct authn *listener_authn(const struct listener *l, struct bytes host);

/* What RULE, one of L's, asks of clients besides; NULL: nothing. */
const struct guard *listener_guard(const struct listener *l, const struct config_rule *rule);

/* Does NOW (NULL: gone) let in those whom OLD let in under AUTHN (plain: NULL), and by the same
 * rules? */
bool listener_still_admits(
    const struct listener *now, const struct listener *old, const struct authn *authn);
