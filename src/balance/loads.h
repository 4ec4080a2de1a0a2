/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loads — what the targets have under way, of all workers together: each counts its own
 * (TARGET_ACTIVE), where the others read it.
 *
 * For the targets of groups whose scheduler looks at loads, in one worker. What the others have is
 * read anew at most once in a while (LOADS_AGE_MS, longer where there is much to read), and a
 * worker that dies has nothing under way: its successor begins with 0. The counters of another
 * worker are believed only so far as to be a number. Clock: the loop's.
 */
#pragma once

#include "balance/group.h"

#define LOADS_AGE_MS 1

struct loads;

struct loads *loads_new(void) MUST_USE;
void loads_free(struct loads **l);

/* Another worker counts in the memory behind FD, which stays the caller's. -1 with ERR. */
int loads_add_source(struct loads *l, int fd, struct error *err) MUST_USE;
/* These are the groups in force; they must stay until the next call, or loads_free. */
void loads_adopt(struct loads *l, struct group *groups, size_t groups_n);
/* Bring what the others have (target.elsewhere) up to date. */
void loads_refresh(struct loads *l, uint64_t now_ms);
