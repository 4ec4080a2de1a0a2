/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding — certificates and CRLs as they are handed about, each a run of DER: what conversion and
 * issuing take and give. What is in them is for pki/ to judge.
 *
 * Memory: a list owns copies of its elements.
 */
#pragma once

#include "crypto/file_kind.h"

struct encoding_list {
    struct bytes *at;
    size_t n;
};

/* Adds a copy. */
void encoding_list_add(struct encoding_list *l, struct bytes der);
void encoding_list_fini(struct encoding_list *l);

/* Every block of KIND in FILE, PEM; or the whole of FILE, if it is not PEM. -1 if a block is
 * damaged or none is of that kind; WANTED ("a certificate") is for the message. */
int encoding_list_read(struct bytes file, enum file_kind kind, const char *wanted,
    struct encoding_list *out, struct error *err) MUST_USE;
