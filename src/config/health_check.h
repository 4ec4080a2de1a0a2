/* SPDX-License-Identifier: Apache-2.0 */
/* health_check — the parts of a target group's configuration that say how its targets are checked,
 * and who stays with which: plain data, as all of config.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/report.h"

/* Of so many the health can be checked. */
#define CONFIG_CHECKED_MAX 4096
/* Bytes that a health check sends, and expects, as they stand in the file. */
#define CONFIG_CHECK_TEXT_MAX 500
/* Bytes of the name of a service of gRPC. */
#define CONFIG_CHECK_SERVICE_MAX 100

enum config_health_type {
    HEALTH_CHECK_AUTO, /* in the file only: becomes what the group's protocol suggests */
    HEALTH_CHECK_OFF,
    HEALTH_CHECK_TCP,
    HEALTH_CHECK_TLS,
    HEALTH_CHECK_HTTP,
    HEALTH_CHECK_HTTPS,
    HEALTH_CHECK_GRPC,
    HEALTH_CHECK_CUSTOM
};

/* How it is found out whether targets do their work. */
struct config_health_check {
    enum config_health_type type;
    uint64_t interval_ms, timeout_ms;
    unsigned healthy, unhealthy; /* so many in a row decide */
    unsigned port;               /* 0: the target's own */
    bool is_get;                 /* HTTP, HTTPS: GET, not HEAD */
    const char *host;            /* HTTP, HTTPS; "": the target's address */
    const char *path;            /* HTTP, HTTPS */
    unsigned codes;              /* HTTP, HTTPS: the classes that are good: bit 1 is 1xx */
    const char *service;         /* GRPC; "": the server as a whole */
    const char *call;            /* GRPC: what is called, a path; "": Check of grpc.health.v1 */
    const char *statuses;        /* GRPC: see health_check_statuses */
    const char *send, *expect;   /* CUSTOM; "": nothing */
    bool is_hex;                 /* CUSTOM: send and expect are hexadecimal */
    bool all_unhealthy_refused;  /* if all targets are unhealthy: none is used (else all) */
    struct position at;
};

#define CONFIG_GRPC_STATUSES 100

/* Which statuses of gRPC TEXT lists: `0`, `12,14`, `0-99`. -1: it is no such list. */
int health_check_statuses(const char *text, bool good[CONFIG_GRPC_STATUSES]) MUST_USE;

/* Clients come to the target that they had before. */
struct config_stickiness {
    const char *cookie;    /* HTTP, HTTPS: the name of the one that we give; "": none */
    uint64_t expires_ms;   /* of the cookie */
    uint64_t source_ip_ms; /* TCP, TCP_SSL: how long an address is remembered; 0: not */
};
