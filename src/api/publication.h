/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publication — how a change of the model comes into force, or does not: the one path of writes.
 *
 *   IDLE ── render, propose ──▶ PROPOSED ── prepared ──▶ written beside the exported generation,
 *     ▲                            │                     committed in the store, made the exported
 *     ├────────── refused ─────────┘                     generation: decided
 *     └────────── committed ──────────── DECIDED ◀───────────┘
 *
 * Whatever fails up to the commit in the store leaves everything as it was and says why; after it
 * nothing can fail. A process that dies on the way finds in the store what was decided, and
 * proposes that anew if it is not what is in force. One change at a time: whoever has another waits
 * (api.c queues). What changes nothing that is in force (a task, a certificate that nobody uses)
 * goes to the store only.
 *
 * The exported generation, in the file "generation", is the proposal in force with all documents:
 * the data plane boots from it without this process and without the database, and the database is
 * made anew of it where it is lost. Process: control, whose working directory the folder is.
 */
#pragma once

#include "api/model.h"
#include "api/store.h"
#include "base/error.h"

struct publication;

/* What it says to the supervisor (role/control.c sends it). */
struct publication_means {
    /* PROPOSAL is an archive (render.h). Answered by publication_prepared or _refused. */
    void (*propose)(void *owner, uint64_t number, struct bytes proposal);
    void (*decide)(void *owner, uint64_t number, bool is_accepted);
    void *owner;
};

/* What the store and the exported generation are called in their folder. */
#define PUBLICATION_STORE      "store.db"
#define PUBLICATION_GENERATION "generation"

/* FOLDER is the working directory's name, for messages. Reads all documents into M; a store that
 * cannot be read is put aside, and made anew of the exported generation: the event log says so.
 * NULL: there is no way to keep anything. */
struct publication *publication_new(struct model *m, const char *folder,
    const struct publication_means *means, struct error *err) MUST_USE;
void publication_free(struct publication **p);

/* Bring the change in hand into force, or give it up. FN is called once, later or at once: OUTCOME
 * says whether it is durable and in force; if not, why, and whether it was the store that failed.
 */
enum publication_outcome { PUBLICATION_DONE, PUBLICATION_REFUSED, PUBLICATION_UNSTORED };
typedef void publication_fn(void *owner, enum publication_outcome outcome, const char *why);
void publication_begin(struct publication *p, publication_fn *fn, void *owner);
/* Is there a change under way (and no other can begin)? */
bool publication_is_under_way(const struct publication *p);

/* What the supervisor says. ARCHIVE is the public one of what is in force: if it has not what the
 * store has, that is proposed. PREPARED: everybody is ready; the answer is `decide`. REFUSED: WHY
 * is the report's text. */
void publication_in_force(struct publication *p, struct bytes archive);
void publication_prepared(struct publication *p, uint64_t number);
void publication_refused(struct publication *p, uint64_t number, const char *why);
void publication_committed(struct publication *p, uint64_t number);
