/* SPDX-License-Identifier: Apache-2.0 */
/* service_parts — what a service is made of, for the rest of proxy/. */
#pragma once

#include "proxy/listener.h"
#include "proxy/service.h"

struct source;

/* Sallyport as the client of a group's targets. IS_FOR_CHECKS: in control, which wants to see what
 * targets show now, so that no session is resumed; and has no private keys, so that no certificate
 * of ours is shown where libssl wants its key. What is wrong goes to the report of S. */
void service_init_group_tls(struct group *g, const struct source *s, bool is_for_checks);

struct service {
    unsigned references;
    uint64_t generation;
    struct bytes archive; /* see struct service_source */
    void (*release)(struct bytes archive);
    struct config *config;
    struct arena arena;
    struct listener *listeners; /* config->listeners_n */
    struct group *groups;       /* config->groups_n */
    struct group_idle idle;     /* of all of them */
};
