/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict_text — verdicts as the commands print them, and the one verdict that they make
 * themselves.
 */
#pragma once

#include <stdio.h>

#include "pki/verdict.h"

#define VERDICT_JSON_MAX (64u << 20) /* bytes of one verdict as JSON */

/* A line per factor, then `accepted` or `refused: REASON: remedy`. */
void verdict_text_print(FILE *out, const struct verdict *v);
/* The JSON object and a newline. */
void verdict_text_json(FILE *out, const struct verdict *v);
