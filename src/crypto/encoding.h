/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding — certificates as they are handed about, each a run of DER: what conversion takes and
 * gives. What is in them is for pki/ to judge.
 *
 * Memory: a list owns copies of its elements.
 */
#pragma once

#include <stddef.h>

#include "base/bytes.h"

struct encoding_list {
    struct bytes *at;
    size_t n;
};

/* Adds a copy. */
void encoding_list_add(struct encoding_list *l, struct bytes der);
void encoding_list_fini(struct encoding_list *l);
