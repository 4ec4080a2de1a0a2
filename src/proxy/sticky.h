/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sticky — clients stay with their target: by a cookie of ours that names it (HTTP kinds), or by
 * their address, which is remembered (TCP kinds); docs/balancing.md.
 *
 * The cookie says nothing about the target but which one it is, to whoever has the key: a keyed
 * hash of its name, and when the cookie was given. It is taken out of requests before they go on.
 */
#pragma once

#include "balance/group.h"
#include "balance/sticky_table.h"
#include "proto/http1.h"

#define STICKY_KEY_SIZE  32
#define STICKY_PEERS_MAX 256

struct exchange;

/* What an exchange knows of its client's cookie. */
struct sticky {
    const struct target *wanted; /* NULL: it names none of the group's targets */
    int64_t age_s;               /* of the cookie that names it */
};

/* The tables of all workers. */
struct sticky_tables {
    struct sticky_table *own; /* NULL: there is none */
    const struct sticky_table *peers[STICKY_PEERS_MAX];
    size_t peers_n;
};
void sticky_close(struct sticky_tables *t);

/* Give G's targets their tags. */
void sticky_init_group(struct group *g, const uint8_t key[STICKY_KEY_SIZE]);

/* The request of E, whose rule is known, has head H: take our cookie out of it, and remember what
 * it said. What H points to lives as long as E's texts. */
void sticky_take(struct exchange *e, struct http1_head *h);
/* H is the head of the response: give the client a cookie, if it has none that names the target
 * that it got, or one that is half as old as it may become. */
void sticky_give(struct exchange *e, struct http1_head *h);

/* The target that E's client should have again, if it can; NULL: any. */
const struct target *sticky_wanted(const struct exchange *e);
/* E's client was given T. */
void sticky_chosen(const struct exchange *e, const struct target *t);
