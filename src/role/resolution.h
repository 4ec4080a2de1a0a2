/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolution — what the supervisor does about host names of targets: control finds the addresses,
 * the workers use them, and the supervisor keeps the latest address book for whoever is started
 * again. It does not read it.
 *
 *   control ── ADDRESSES ──▶ supervisor ── ADDRESSES ──▶ workers (and control's successor)
 *
 * A commit waits for the first answer about each new name, RESOLUTION_AWAIT_MS at most.
 */
#pragma once

#include "role/supervisor.h"

#define RESOLUTION_AWAIT_MS 5000

void resolution_fini(struct supervisor *s);

/* What a child is to know that was just started. */
void resolution_greet_control(struct supervisor *s);
void resolution_greet_worker(struct supervisor *s, struct child *worker);

/* The generation that is coming is being prepared; is in force; will not be. */
void resolution_prepare(struct supervisor *s);
void resolution_commit(struct supervisor *s);
void resolution_abort(struct supervisor *s);
/* Must the commit wait? No longer, once reload_progress is called. */
bool resolution_is_awaited(const struct supervisor *s);

/* Control's ADDRESSES. */
void resolution_hear(struct supervisor *s, struct message *m);
