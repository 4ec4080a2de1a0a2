/* SPDX-License-Identifier: Apache-2.0 */
/* service_parts — what a service is made of, for the rest of proxy/. */
#pragma once

#include "proxy/listener.h"
#include "proxy/service.h"

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
