/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects — the model's documents between it and what outlives it: a store's keys and values, and
 * one JSON text ({"listener": {ID: document, …}, …}) that goes with the exported generation, so
 * that a store that is lost can be made again. The text has no tasks and tokens, which are of
 * yesterday then. Process: control.
 */
#pragma once

#include "api/model.h"
#include "api/store.h"
#include "base/buf.h"

/* The change in hand, as the store takes it; freed by objects_free_changes. */
struct object_changes {
    struct store_change *at;
    size_t n, capacity;
};
void objects_list_changes(const struct model *m, struct object_changes *out);
void objects_free_changes(struct object_changes *c);

/* Put the document of a store's KEY into M. -1: they are not what objects_list_changes wrote. */
int objects_put(struct model *m, struct bytes key, struct bytes value, struct error *err) MUST_USE;

/* -1: OUT has no room. */
int objects_write(const struct model *m, struct buf *out) MUST_USE;
/* Put all that TEXT has into M. -1: it is not what objects_write wrote; M is as it was, but for a
 * change in hand. */
int objects_read(struct model *m, struct bytes text, struct error *err) MUST_USE;
