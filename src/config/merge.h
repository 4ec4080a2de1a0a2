/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge — what the control API adds to the configuration file: listeners and target groups, in the
 * same language, appended to the file's.
 *
 * The control process is not trusted as the file is: it may add these and nothing else, and no file
 * but those that it brings along (build.c sees to that).
 */
#pragma once

#include "config/tree.h"

/* Append what the text API has to ROOT, the file's tree. API's nodes stand at line 0 of a "file"
 * that is the object's name, "listener lbl-xxxxxxxx". */
void merge_api(struct arena *a, struct node *root, struct bytes api, struct report *report);

/* Is this the place of what the API added? */
static inline bool merge_is_api(struct position at)
{
    return at.line == 0;
}
