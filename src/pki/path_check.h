/* SPDX-License-Identifier: Apache-2.0 */
/* path_check — what is wrong with a candidate, but for its signatures. For path_search alone; see
 * pki/path.h. */
#pragma once

#include "base/attributes.h"
#include "pki/path.h"

/* Add to PATH, which has its certificates and has_anchor, all that RFC 5280 §6.1 finds wrong in it
 * apart from signatures, dates and revocation. */
void path_check(struct path *path, const struct path_request *request, struct path_budget *budget);

/* Add FAULT, which is about ABOUT (NULL: about the whole path). */
void path_check_note(struct path *path, enum path_fault fault, const struct certificate *about,
    const char *format, ...) PRINTF(4, 5);
