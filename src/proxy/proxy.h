/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — the data plane of one worker: it accepts on the listeners of the service in force and
 * lives with the connections until they end.
 *
 * Threads: one proxy belongs to one single-threaded worker and its loop.
 */
#pragma once

#include "io/loop.h"
#include "proxy/service.h"

struct proxy;

/* Where access-log lines go (whole JSON lines with their newline). Must not block; may drop. */
typedef void proxy_log_fn(void *owner, struct bytes line);

struct proxy *proxy_new(struct loop *loop, proxy_log_fn *log, void *log_owner);
/* Before the first proxy_adopt: what WORKER does is counted in COUNTERS, and its handshakes
 * recorded in HANDSHAKES. Both stay the caller's, and must outlive the proxy. */
struct counters;
struct handshake_log;
void proxy_count(
    struct proxy *p, unsigned worker, struct counters *counters, struct handshake_log *handshakes);
/* Another worker counts in the memory behind COUNTERS_FD, which schedulers look at, and remembers
 * clients' addresses behind STICKY_FD (both the caller's). -1 with ERR. */
struct error;
int proxy_add_peer(struct proxy *p, int counters_fd, int sticky_fd, struct error *err) MUST_USE;
/* Before the first proxy_adopt: remember clients' addresses behind FD (the caller's). -1 with ERR.
 */
int proxy_remember(struct proxy *p, int fd, struct error *err) MUST_USE;
/* Before the first proxy_adopt: the health of targets is behind FD (the caller's). -1 with ERR. */
int proxy_see_health(struct proxy *p, int fd, struct error *err) MUST_USE;
/* Before the first proxy_adopt: limits are counted behind FD (the caller's), as WORKER. -1 with
 * ERR.
 */
int proxy_limit(struct proxy *p, unsigned worker, int fd, struct error *err) MUST_USE;
/* Before the first proxy_adopt: how much memory the process has stands behind STATM_FD
 * (/proc/self/statm, the caller's; -1: nowhere, and memory_max means nothing). */
void proxy_watch_memory(struct proxy *p, int statm_fd);
/* After the loop's last turn. */
void proxy_free(struct proxy **p);

/* Commit: from the next accept on, SERVICE is in force. Takes the reference. FDS holds, for each of
 * its listeners in order, a listening non-blocking socket of this worker (borrowed: the caller
 * closes those of earlier generations after this call). Connections of earlier services go on
 * under them: an HTTP connection ends after the exchange under way, or its next one; a relay by
 * itself. Those that were let in by another authentication policy than is in force now, or on a
 * listener that is gone, have timeouts.drain. */
void proxy_adopt(struct proxy *p, struct service *service, const int *fds, size_t fds_n);

/* The keys of session tickets go forward where nobody comes, too; to be called some times an hour.
 */
void proxy_advance_tickets(struct proxy *p);

/* The addresses of host names, for the service in force. */
struct address_book;
void proxy_resolve(struct proxy *p, const struct address_book *book);

/* Stop accepting, and end what is open as in proxy_adopt. proxy_is_idle tells when it is done. */
void proxy_drain(struct proxy *p);
bool proxy_is_idle(const struct proxy *p);
/* End every connection now (the drain limit is over). */
void proxy_abort(struct proxy *p);
