/* SPDX-License-Identifier: Apache-2.0 */
/* variables — what the variables of a rule's texts (config/variable.def) are worth for an exchange.
 */
#pragma once

#include "base/buf.h"

struct exchange;

/* Append the template TEXT to OUT; -1 if there is no room. */
int variables_expand(const struct exchange *e, const char *text, struct buf *out) MUST_USE;
