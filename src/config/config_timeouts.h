/* SPDX-License-Identifier: Apache-2.0 */
/* config_timeouts — how long to wait for what, as part of the configuration (config/config.h). */
#pragma once

#include <stdint.h>

/* Milliseconds, but for the rates. */
struct config_timeouts {
    uint64_t handshake;  /* TLS handshake, both sides' */
    uint64_t header;     /* a request head, from its first byte (or accept) to its end */
    uint64_t idle;       /* a kept-alive client connection between requests */
    uint64_t body;       /* the span in which a body must go on */
    uint64_t connect;    /* TCP connect to a target */
    uint64_t response;   /* request sent until the response head is complete */
    uint64_t relay_idle; /* a relay without a byte in either direction */
    unsigned body_rate, response_rate; /* bytes per second, averaged over body; 0: any */
    uint64_t drain; /* SIGTERM and replaced generations: how long exchanges and relays may go on */
};
