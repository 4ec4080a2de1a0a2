/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload — the one path from the configuration file to the generation in force, at start-up and on
 * SIGHUP.
 *
 *   NONE → LOADING → PREPARING → NONE
 *             └──────────┴─ any failure: nothing has changed, and it is said why
 */
#pragma once

#include "role/supervisor.h"

/* Begin; if a reload is under way, another one follows it. */
void reload_begin(struct supervisor *s);
/* The loader has made these, whose descriptors are taken. */
void reload_loaded(struct supervisor *s, const struct generation_files *files);
/* Somebody got ready: commit if everybody is. */
void reload_progress(struct supervisor *s);
/* It cannot be: the reason has been added to the report of the generation that was coming. */
void reload_fail(struct supervisor *s);
/* End it without a word, if one is under way. */
void reload_cancel(struct supervisor *s);
/* The loader is gone: a reload that waited for that can begin. */
void reload_loader_ended(struct supervisor *s);
