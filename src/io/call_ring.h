/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_ring — requests of one process (a worker) to another (the signer) and the answers, in shared
 * memory: a place for each request, which the answer then takes.
 *
 * A request is one bit that the asker sets, an answer one that the server sets; no lock, and no
 * system call unless the other side sleeps: so a burst costs one wake-up, and so do the answers to
 * it. Neither side believes what the other writes: sizes are read once and checked, contents are
 * copied before they are looked at, and any bit pattern is a valid one.
 *
 * Either side may be killed at any point and come back. A server finds what was asked meanwhile;
 * the one request that its predecessor had in hand gets an empty answer, so that a request which
 * kills servers kills one only. An asker leaves the places of its predecessor alone until they are
 * answered.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define CALL_RING_PLACES      64
#define CALL_RING_REQUEST_MAX (64 * 1024 - 64)
#define CALL_RING_ANSWER_MAX  2048

struct call_ring_memory;

struct call_ring {
    struct call_ring_memory *memory;
    bool is_server;
    int other_fd; /* eventfd that the other side waits for */
    int own_fd;   /* eventfd that is readable when this side is to look; edge-triggered will do */
    uint32_t serial;                    /* asker: of the latest request */
    uint32_t serials[CALL_RING_PLACES]; /* of what is in each place */
    uint64_t busy;                      /* asker: places with a request that has no answer yet */
};

/* The memory, and what server and asker wait for; all are the caller's. -1 with ERR. */
struct call_ring_fds {
    int memory, server, asker;
};
int call_ring_new(struct call_ring_fds *out, struct error *err) MUST_USE;

/* Attach to it. The descriptors become the ring's, also on failure. */
int call_ring_open_asker(struct call_ring *r, struct call_ring_fds fds, struct error *err) MUST_USE;
int call_ring_open_server(
    struct call_ring *r, struct call_ring_fds fds, struct error *err) MUST_USE;
void call_ring_close(struct call_ring *r);

/* After a number of requests, or of replies: wake the other side, if it sleeps. */
void call_ring_flush(struct call_ring *r);

/* ---- asker ---- */

/* Ask HEAD and BODY, one behind the other, at most CALL_RING_REQUEST_MAX; the server sees it at
 * call_ring_flush, or when it looks. The place, or -1 if none is free. */
int call_ring_ask(struct call_ring *r, struct bytes head, struct bytes body) MUST_USE;
/* own_fd became readable: the places that have an answer. Each has to be fetched, which frees it.
 */
uint64_t call_ring_answered(struct call_ring *r);
/* The answer's size; false: it is none of ours. */
bool call_ring_fetch(
    struct call_ring *r, int place, uint8_t out[CALL_RING_ANSWER_MAX], size_t *n) MUST_USE;

/* ---- server ---- */

/* The places that wait for an answer. */
uint64_t call_ring_asked(const struct call_ring *r);
/* A copy of the request, whose octets may be anything. To be replied to next. */
struct bytes call_ring_receive(
    struct call_ring *r, int place, uint8_t space[CALL_RING_REQUEST_MAX]);
void call_ring_reply(struct call_ring *r, int place, struct bytes answer);
/* About to wait for own_fd. False: there is something to do, do not wait. */
bool call_ring_sleep(struct call_ring *r) MUST_USE;
void call_ring_awake(struct call_ring *r);
