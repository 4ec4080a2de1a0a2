/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — the host names of targets, in control: which there are, when each is asked for again, and
 * what is published of them.
 *
 * The names of the generation in force and of the one that is coming are asked for, each as its
 * generation says. Of a name that was found once, the last addresses that were found stay, whatever
 * happens later; it is asked for again when its TTL ends (NAMES_TTL_MIN_S at the earliest, an hour
 * at the latest), and after a failure with pauses that double up to NAMES_PAUSE_MAX_S. A change,
 * and the first of several failures in a row, are logged. Clock: the loop's. Process: control.
 */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"

#define NAMES_TTL_MIN_S   1
#define NAMES_PAUSE_MIN_S 1
#define NAMES_PAUSE_MAX_S 30

struct names;

/* BOOK, the text of an address book (balance/address_book.h), is what holds from now on.
 * GENERATION: the latest one of which every name was found or has failed at least once; 0: none. */
typedef void names_publish_fn(void *owner, uint64_t generation, struct bytes book);

struct names *names_new(struct loop *loop, names_publish_fn *publish, void *owner) MUST_USE;
void names_free(struct names **n);

/* What was published before this process began: the names begin with these addresses. */
void names_recall(struct names *n, struct bytes book);

/* GENERATION is coming, with this ARCHIVE, and may take the place of one that was. -1: its names
 * are not asked for. */
int names_prepare(
    struct names *n, uint64_t generation, struct bytes archive, struct error *err) MUST_USE;
/* It is in force; or it will not be. */
void names_commit(struct names *n, uint64_t generation);
void names_abort(struct names *n, uint64_t generation);
