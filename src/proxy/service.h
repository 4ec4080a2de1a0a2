/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service — a generation made live in one process: credentials, TLS and verification policies,
 * routes, target groups.
 *
 * service_build is what "prepare" means in a worker and what `sallyport check` runs: it may fail,
 * and then nothing has changed. Immutable except for what schedulers count. Reference-counted: each
 * connection holds the generation that it began under; the last one frees it.
 */
#pragma once

#include "base/report.h"
#include "config/config.h"
#include "crypto/ratchet.h"
#include "pki/credential.h"

struct service;

struct service_source {
    /* config/archive.h. The service uses its CRLs where they lie, and ends with RELEASE (may be
     * NULL); so does service_build if it fails. */
    struct bytes archive;
    void (*release)(struct bytes archive);
    /* Key files, as far as they are in this process; not needed after service_build. */
    struct bytes keys;
    /* The signer's keys by their names (named_files_key_name); NULL: there is none, all keys are in
     * KEYS. For policies of our own engine. False: it does not know NAME. */
    bool (*find_key)(void *owner, const char *name, struct held_key *out);
    void *find_key_owner;
    uint64_t generation;
    const uint8_t *sticky_key;    /* STICKY_KEY_SIZE (sticky.h), the same in all workers; or NULL */
    struct ratchet ticket_secret; /* the same in all workers; of the hour before */
    int64_t now_s;
};

/* NULL if REPORT got an error. Warnings may be reported either way. */
struct service *service_build(const struct service_source *source, struct report *report) MUST_USE;
struct service *service_ref(struct service *s);
void service_unref(struct service **s);

/* Take the addresses of host names from BOOK. */
struct address_book;
void service_resolve(struct service *s, const struct address_book *book);

/* The keys of session tickets go forward to the hour of MONOTONIC_S, of all listeners. */
void service_advance_tickets(const struct service *s, int64_t monotonic_s);
/* S gets no new connections: the keys of its session tickets are forgotten. */
void service_forget_tickets(const struct service *s);

/* Keep at most MAX idle connections to its targets; 0: close those that there are. */
void service_limit_idle(struct service *s, size_t max);

const struct config *service_config(const struct service *s);
uint64_t service_generation(const struct service *s);
