/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address_book — which addresses the targets have whose address is a host name, as control has
 * found them: a text that travels to the workers, one line a target.
 *
 *   app.internal:8080 10.0.0.5 10.0.0.6 2001:db8::5
 *
 * Control meets the network, so whoever reads takes from the text what is well-formed, and nothing
 * else. Memory: the book's own arena.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "io/address.h"

#define ADDRESS_BOOK_ADDRESSES_MAX 16   /* of a target; more are passed over */
#define ADDRESS_BOOK_ENTRIES_MAX   4096 /* two generations, CONFIG_NAMES_MAX each */
#define ADDRESS_BOOK_TEXT_MAX      (ADDRESS_BOOK_ENTRIES_MAX * 1024u)

struct address_book_entry {
    const char *target;        /* config_target.address */
    struct address *addresses; /* at least one; port 0 */
    size_t addresses_n;
};

/* Zeroed: empty. */
struct address_book {
    struct arena arena;
    struct address_book_entry *entries; /* by target; each once */
    size_t entries_n;
};

/* Append a line to OUT, unless there is no room, or no address. */
void address_book_write(
    struct buf *out, const char *target, const struct address *addresses, size_t n);

/* B is empty. Lines that are none are passed over; of a target's lines one counts. */
void address_book_read(struct address_book *b, struct bytes text);
void address_book_fini(struct address_book *b);
/* NULL: the book does not know TARGET. */
const struct address_book_entry *address_book_find(
    const struct address_book *b, const char *target);
