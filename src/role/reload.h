/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload — the one path from the configuration file, and what control adds to it, to the generation
 * in force: at start-up, on SIGHUP, and when control proposes (proposal.h).
 *
 *   NONE → LOADING → PREPARING → NONE
 *             │          └─ proposed: DECIDING → NONE
 *             └──────────┴───────────────┴─ any failure: nothing has changed, and it is said why
 */
#pragma once

#include "role/supervisor.h"

/* Begin; if a reload is under way, another one follows it. */
void reload_begin(struct supervisor *s);
/* Begin what waits, a reload or a proposal, if nothing is under way and the last loader is gone. */
void reload_next(struct supervisor *s);
/* The loader has made these, whose descriptors are taken. */
void reload_loaded(struct supervisor *s, const struct generation_files *files);
/* Somebody got ready: commit if everybody is. */
void reload_progress(struct supervisor *s);
/* It cannot be: the reason has been added to the report of the generation that was coming. */
void reload_fail(struct supervisor *s);
/* End it without a word, if one is under way. */
void reload_cancel(struct supervisor *s);
