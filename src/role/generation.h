/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation — a configuration with everything that it needs to be in force, as the supervisor
 * holds it: the sealed archives that the loader made and what the signer made of the keys (it looks
 * into neither of these), the listening sockets, the access log.
 *
 * Building one changes nothing outside it; freeing it gives back what no other generation uses.
 * Process: supervisor.
 */
#pragma once

#include "config/config.h"
#include "role/endpoint.h"

struct generation {
    uint64_t number;
    int archive_fd;         /* public; -1: not loaded */
    int keys_fd;            /* for the signer, until it has made the store of them */
    int worker_keys_fd;     /* what workers need themselves */
    int store_fd, table_fd; /* what the signer has made of the keys; -1: not yet */
    struct config *config;
    struct endpoint **endpoints; /* of config->listeners, in order */
    size_t endpoints_n;
    struct endpoint *admin; /* NULL: none */
    int log_fd;             /* -1: none */
    struct report report;   /* what everybody had to say about it */
};

struct generation *generation_new(uint64_t number) MUST_USE;
void generation_free(struct generation **g);

/* What the loader has made. */
struct generation_files {
    int archive_fd, keys_fd, worker_keys_fd;
};
/* Read the configuration out of the archive; the descriptors become G's. -1: see the report. */
int generation_load(struct generation *g, const struct generation_files *files) MUST_USE;
/* The signer has taken the keys. */
void generation_close_keys(struct generation *g);
/* Can it follow PREVIOUS without a restart? -1: see the report. */
int generation_may_follow(struct generation *g, const struct generation *previous) MUST_USE;
/* Bind what PREVIOUS (NULL at start-up) does not hold already, with a socket for each of WORKERS_N;
 * open the log. -1: see the report. */
int generation_open(
    struct generation *g, const struct generation *previous, unsigned workers_n) MUST_USE;
/* Open the log's path anew. The old descriptor stays if that fails. */
int generation_reopen_log(struct generation *g, struct error *err) MUST_USE;
/* Give up the sockets, and keep the rest. */
void generation_close_endpoints(struct generation *g);

/* Add the lines of a report's text (report_text) that are not there yet. HAS_ERRORS: some are
 * errors. */
void generation_note(struct generation *g, const char *text, bool has_errors);
/* As one error. */
void generation_fault(struct generation *g, const char *format, ...) PRINTF(2, 3);
/* The report's lines to the event log, but those that OLD's (NULL: none) had, too. */
void generation_log_report(const struct generation *g, const struct generation *old);
/* Likewise of a change by the API, which is nobody's mistake but its client's. */
void generation_log_refusal(const struct generation *g);
