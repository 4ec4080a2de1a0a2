/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child — one of the supervisor's processes: starting it, its channel, its end, and how often that
 * may happen.
 *
 *   ABSENT → STARTING → UP → LEAVING → ABSENT        LEAVING: told to end
 *      ↑         └───────┴── died ──→ WAITING → STARTING   at once, or after a pause if it dies
 * again and again
 *
 * Process: supervisor.
 */
#pragma once

#include <sys/types.h>

#include "io/call_ring.h"
#include "role/channel.h"
#include "role/role.h"
#include "role/roles.h"

enum child_state {
    CHILD_ABSENT,   /* there is none, and none is due */
    CHILD_STARTING, /* running; has not said READY */
    CHILD_UP,       /* does its work */
    CHILD_LEAVING,  /* running; told to end */
    CHILD_WAITING,  /* died; is started again when the timer fires */
};

struct child;
typedef void child_message_fn(struct child *c, struct message *m);
typedef void child_due_fn(struct child *c);

/* How often a child may die before its successors are held back. */
#define CHILD_DEATHS_MAX       5
#define CHILD_DEATHS_WITHIN_MS 10000
#define CHILD_PAUSE_MS         1000

struct child {
    enum role role;
    unsigned index;
    char name[ROLE_TITLE_MAX];
    enum child_state state;
    pid_t pid;
    struct loop *loop;
    struct channel channel;
    struct timer
        timer; /* WAITING: until `due`; running: until it is killed, as it has closed its channel */
    uint64_t deaths_ms[CHILD_DEATHS_MAX];
    unsigned deaths_n;
    child_message_fn *received;
    child_due_fn *due;
    void *owner;

    /* worker */
    int ring_fd, wake_fd;           /* -1: none. They outlive the process. */
    int counters_fd, handshakes_fd; /* likewise; logger, signer and control have counters, too */
    struct call_ring_fds calls;     /* likewise */
    int sticky_fd;                  /* likewise */
    uint64_t prepared;              /* the latest generation that it is ready for */
    unsigned owed;                  /* answers to PREPARE */
    bool has_ponged;
};

/* What all children are started with. */
struct child_means {
    int binary_fd, null_fd;
    int root_fd; /* sandbox_make_root; -1: none */
    bool is_sandbox_off;
    struct identity identity;
};

void child_init(struct child *c, struct loop *loop, enum role role, unsigned index);
/* Closes what outlives the process, of which there must be none. */
void child_fini(struct child *c);

/* Start it, and tell it who it is. */
int child_start(struct child *c, const struct child_means *means, struct error *err) MUST_USE;
void child_send(struct child *c, const struct message *m);
/* The ring of WORKER to the signer, to C: either of them. */
void child_send_calls(struct child *c, const struct child *caller, unsigned index);
/* It has said READY (the loader: has answered). */
void child_is_up(struct child *c);
/* Tell it to end, with a message of type DRAIN or STOP. */
void child_leave(struct child *c, enum message_type type);
void child_kill(struct child *c);
bool child_is_running(const struct child *c);

/* It has ended (waitpid): its last messages are delivered, and it is ABSENT. */
void child_ended(struct child *c);
/* After that: have `due` called when it may be started again. The pause in milliseconds. */
uint64_t child_wait(struct child *c);
