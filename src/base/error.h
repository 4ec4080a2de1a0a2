/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error — why an operation that an operator asked for did not work: one sentence, naming what,
 * where and the remedy.
 *
 * Used as the last argument of `int f(…, struct error *)`, which returns 0 or -1. The text is
 * reported once, by the caller at the top. Peers' faults are not errors but close reasons; our own
 * bugs are ASSERTs (base/panic.h).
 */
#pragma once

#include "base/attributes.h"

struct error {
    char text[512];
};

/* Fill ERR (which may be NULL) and return -1, so that callers write `return error_set(err, …);`. */
int error_set(struct error *err, const char *format, ...) PRINTF(2, 3);

/* As error_set, followed by ": " and the meaning of ERRNO_VALUE. */
int error_errno(struct error *err, int errno_value, const char *format, ...) PRINTF(3, 4);
