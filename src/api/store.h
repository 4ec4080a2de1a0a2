/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store — where the model's documents outlive the process: keys and values, changed all or none,
 * durable when store_commit returns. What implements it is one row of functions (SQLite now); the
 * interface asks no more than etcd can do: a range read and a transaction that compares a revision.
 *
 * Keys are "KIND/ID" (model_kind_name), values JSON texts. Process: control.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct store;

struct store_change {
    const char *key;
    struct bytes value; /* .at == NULL: delete */
};

/* Why a store cannot be opened. */
enum store_flaw {
    STORE_UNUSABLE, /* no right, no room, another's, of a newer schema: it is left as it is */
    STORE_DAMAGED,  /* it has no use but to whoever wants to see what happened */
};

typedef void store_each_fn(void *owner, struct bytes key, struct bytes value);

struct store_backend {
    /* Open or create; bring an older schema up to date. NULL: *FLAW and ERR say why. */
    struct store *(*open)(const char *path, enum store_flaw *flaw, struct error *err);
    void (*close)(struct store *s);
    /* Call FN for each key in the order of their making; -1: unreadable or corrupt. */
    int (*each)(struct store *s, store_each_fn *fn, void *owner, struct error *err);
    /* All of CHANGES, or nothing and -1. The store's revision goes up by one. */
    int (*commit)(struct store *s, const struct store_change *changes, size_t n, struct error *err);
    /* How many commits there were, ever. */
    uint64_t (*revision)(const struct store *s);
};

/* PATH is a name in the folder that the process is in. */
extern const struct store_backend store_sqlite;
