/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group — a target group made live in one worker: its targets, who of them may be chosen and who
 * is, how they are spoken to, and the idle connections to them.
 *
 * Owned by a service (one generation); lives as long as it. The configuration is borrowed from the
 * service.
 */
#pragma once

#include "balance/address_book.h"
#include "balance/counters.h"
#include "balance/health_table.h"
#include "balance/scheduler.h"
#include "balance/sessions.h"
#include "base/list.h"
#include "config/config.h"
#include "io/address.h"
#include "pki/verify.h"
#include "tls/tlspolicy.h"

#define GROUP_IDLE_MAX 256 /* idle connections kept per target and worker */

/* After a failed attempt to connect. */
#define GROUP_AVOID_MS 10000

/* Towards TLS targets a full handshake is made at least this often: a session is resumed only while
 * the target's certificate would be accepted anew, but who holds its secrets need not hold the
 * certificate's key any more. */
#define GROUP_SESSION_LIFETIME_S 3600

/* One of the addresses of a target. */
struct target_address {
    struct address address;
    uint64_t avoid_until_ms;  /* it could not be connected to: others are taken, if there are */
    struct sessions sessions; /* TLS: to be resumed there, and nowhere else */
};

struct target {
    const struct config_target *config;
    struct target_address *addresses; /* of a host name several, used in turn */
    size_t addresses_n;               /* 0: the name has not been resolved yet */
    size_t turn;                      /* where connections go now */
    struct list idle;                 /* struct upstream, most recently used first */
    struct list shared; /* connections that several exchanges have together (HTTP/2) */
    size_t idle_n;
    struct name_pattern name; /* what the target must prove (TLS groups) */
    const char *server_name;  /* for SNI; NULL if the name is an address */
    struct count *counts;     /* its row; until one is found (proxy/tally.h), a row of its own */
    struct count uncounted[TARGET_COLUMNS];
    uint64_t label;     /* group_label */
    uint64_t tag;       /* what cookies call it (proxy/sticky.h) */
    uint64_t elsewhere; /* under way there, of the other workers (loads.h) */
};

/* Towards HTTPS and TCP_SSL targets. All owned by the group. */
struct group_tls {
    struct tlspolicy *policy;
    struct verify_policy verify; /* names are filled in per target */
    struct credential *credential;
};

/* The idle connections to the targets of several groups together. */
struct group_idle {
    size_t n, max;
};

struct group {
    const struct config_group *config;
    struct group_idle *idle; /* shared with other groups; the owner's */
    struct target *targets;
    size_t targets_n;
    struct scheduler scheduler;
    const struct health_table *health; /* the owner's; NULL: nothing is known */
    struct candidate *candidates;      /* for a pick under way, as many as targets */
    bool is_tls;
    struct group_tls tls;
};

/* G is zeroed. The strings in NAMES' memory are put into A. Addresses were validated by
 * config_parse. */
void group_init(
    struct group *g, const struct config_group *config, struct group_idle *idle, struct arena *a);
/* The idle connections must have been closed (upstream_close_idle). */
void group_fini(struct group *g);

/* Work that needs a target. */
struct group_wish {
    const struct address *client;
    uint64_t now_ms;
    const struct target *const *tried; /* what could not be connected to, in order */
    size_t tried_n;
    const struct target *wanted; /* taken if it is among the best; NULL: any */
};

/* Choose a target: by the scheduler, among the best that are to be had (docs/balancing.md). They
 * are none that have weight 0, whose name is not resolved, that were tried as often as they have
 * addresses, or that are unhealthy while others are not. NULL if there is none. */
struct target *group_pick(struct group *g, const struct group_wish *wish);
/* Would there be one? */
bool group_can_pick(struct group *g, const struct group_wish *wish);
/* A name for the target at ADDRESS (as configured) of GROUP, the same in every process and
 * instance.
 */
uint64_t group_label(const char *group, const char *address);
/* The next address of T has its turn: connections go there, until the next call. */
void group_turn(struct target *t, uint64_t now_ms);
/* A could not be connected to. */
void group_avoid(struct target *t, const struct address *a, uint64_t now_ms);
/* Is A one of the addresses of T (still)? */
bool group_has_address(const struct target *t, const struct address *a);
/* The sessions for connections to T at A; NULL if it is none of its addresses any more. */
struct sessions *group_sessions(struct target *t, const struct address *a);
/* Take the addresses of the targets with a host name from BOOK; those that it does not know keep
 * theirs. Idle connections to addresses that are gone must be closed then (upstream_close_gone). */
void group_resolve(struct group *g, const struct address_book *book);
