/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor — the process that holds everything together and does as little as possible: what its
 * parts share.
 *
 *   staff     the other processes: starting, greeting, restarting them, and hearing what they say
 *   reload    from a configuration file to the generation in force: load, prepare, commit
 *   proposal  what the control API would add to the file
 *   resolution  passes on what control finds of host names
 *   vault     what there is of private keys: descriptors
 *   shutdown  from SIGTERM to the end
 *   watchdog  tells the service manager that workers and signer are alive
 *
 * It reads nothing from the network, and of what the others send only numbers and descriptors, and
 * texts to show.
 */
#pragma once

#include "balance/counters.h"
#include "crypto/ratchet.h"
#include "proxy/sticky.h"
#include "role/child.h"
#include "role/generation.h"
#include "role/page.h"
#include "role/state_folder.h"

/* The addresses of host names (resolution.h). */
struct resolution {
    int fd;             /* of the latest book; -1: none */
    bool is_due;        /* the workers have not got it yet */
    struct timer pause; /* until they may be told again */
    bool is_awaited;    /* by the commit */
    struct timer limit; /* until it waits no longer */
};

/* The key stores of generations that are not in force any more (vault.h), oldest first. */
#define VAULT_MAX 64
struct vault {
    struct vault_kept {
        uint64_t generation, until_ms;
        int store_fd;
    } kept[VAULT_MAX];
    size_t n;
    struct timer due;
};

enum reload_state {
    RELOAD_NONE,      /* nothing is under way */
    RELOAD_LOADING,   /* the loader is at work */
    RELOAD_PREPARING, /* the signer takes the keys, then the workers build */
    RELOAD_DECIDING,  /* all are ready for what control proposed: it makes that durable */
};

/* What control would add to the file (proposal.h). */
struct proposal {
    int fd;          /* -1: none */
    uint64_t number; /* control's own */
    bool is_begun;   /* the generation that is coming is that */
    bool is_decided; /* control has made it durable */
};

enum shutdown_state {
    SHUTDOWN_NONE,
    SHUTDOWN_WORKERS, /* they drain */
    SHUTDOWN_CONTROL, /* they are gone; control and signer end */
    SHUTDOWN_LOGGER,  /* all that can log is gone; the logger writes what is left */
    SHUTDOWN_DONE,
};

struct supervisor {
    struct loop *loop;
    const char *config; /* the path as given */
    struct watch signals;
    struct child_means means;
    struct page *page;
    int page_fd;
    struct ratchet ticket_secret; /* of the hour before the present one, since it was last given */
    int counters_fd;              /* its own, see ledger.h */
    struct counters *counters;
    struct count *instance;              /* the row */
    uint8_t sticky_key[STICKY_KEY_SIZE]; /* of cookies */
    int limits_fd;                       /* what limits are counted in: balance/limiter.h */
    int health_fd;                       /* the health of targets, see ledger.h */

    struct child loader, control, logger, signer;
    struct child *workers; /* NULL until the first configuration says how many */
    unsigned workers_n;
    bool was_ready; /* what control knows */

    struct generation *in_force; /* NULL until the first commit */
    struct generation *coming;   /* NULL if nothing is under way */
    enum reload_state reload;
    bool must_reload_again; /* SIGHUP came meanwhile */
    struct proposal proposal;
    struct timer reload_limit;
    struct resolution book;
    struct vault vault;
    struct state_folder state;

    enum shutdown_state shutdown;
    bool is_hurried; /* told to end twice */
    struct timer shutdown_limit;

    struct timer forgetting; /* ticket_secret goes forward */
    struct timer watchdog;
    uint64_t watchdog_ms;
    int status; /* to exit with */
};
