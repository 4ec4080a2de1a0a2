/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template — a text of the configuration with variables (config/variable.def): "https://$host".
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

enum variable {
#define X(symbol, name, help) VARIABLE_##symbol,
#include "config/variable.def"
#undef X
    VARIABLE_COUNT
};

/* Is each `$` in TEXT followed by the name of a variable, or another `$`? The error is for after
 * the quoted text. */
int template_check(const char *text, struct error *err) MUST_USE;

/* Append what VARIABLE is worth to OUT; -1 if there is no room. */
typedef int template_value_fn(const void *owner, enum variable v, struct buf *out);
/* Append TEXT, which template_check has passed, to OUT; -1 if there is no room. */
int template_expand(
    const char *text, template_value_fn *value, const void *owner, struct buf *out) MUST_USE;
