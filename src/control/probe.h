/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe — one health check of one target, from the connection to the answer, as the group's
 * health_check says.
 *
 * Bounded in time by its timeout, and in memory by the stream that its answer is read from: nothing
 * of a body is. Process: control. Clock: the loop's.
 */
#pragma once

#include "balance/upstream.h"

#define PROBE_WHY_MAX 200

struct probe;

/* What a kind of check does once the connection, or the handshake, is there; without `send` that is
 * all. */
struct probe_kind {
    /* Write what is sent to OUT, which has room for PROBE_SEND_MAX. */
    void (*send)(struct probe *p, struct buf *out);
    /* Look at what has come; what is of no more use may be consumed, and more be written. < 0:
     * nothing can be said yet. 1: good. 0: bad, see p->why. */
    int (*judge)(struct probe *p, struct buf *in, struct buf *out);
    /* Free p->state; NULL: there is none. */
    void (*end)(struct probe *p);
};
#define PROBE_SEND_MAX 4096

typedef void probe_fn(void *owner, bool is_good, const char *why);

/* Zeroed before the first use, and again usable when it has answered. */
struct probe {
    struct loop *loop;
    const struct config_health_check *config;
    const struct probe_kind *kind;
    struct upstream *upstream; /* NULL: none is under way */
    struct timer limit;
    bool is_sent;
    size_t scanned; /* by judge: of a head that is not complete */
    void *state;    /* the kind's */
    char why[PROBE_WHY_MAX];
    probe_fn *done;
    void *owner;
};

/* Check T of G, whose configuration says how, at the address whose turn it is (group_turn). The
 * answer comes through DONE, never from inside this call. WHY is valid during that call, and "" if
 * it is good. */
void probe_begin(struct probe *p, struct loop *loop, struct group *g, struct target *t,
    probe_fn *done, void *owner);
/* Nobody wants to know any more. Does nothing if none is under way. */
void probe_cancel(struct probe *p);

/* Do the checks of G speak TLS? */
bool probe_is_tls(const struct config_group *g);

/* For the files of the kinds. */

#define PROBE_USER_AGENT "sallyport-health-check"
#define PROBE_HOST_MAX   ADDRESS_TEXT_MAX
/* The host that a request is for: what is configured, else the target's address, perhaps in SPACE.
 */
const char *probe_host(const struct probe *p, char space[PROBE_HOST_MAX]);

/* probe_http.c, probe_custom.c, probe_grpc.c */
extern const struct probe_kind probe_http, probe_custom, probe_grpc;
