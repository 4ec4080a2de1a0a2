/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panic — our own bugs. An ASSERT is always compiled in and never reachable from remote bytes.
 *
 * A process that panics ends with SIGABRT after one line on stderr; the supervisor starts it again.
 */
#pragma once

#include "base/attributes.h"

NORETURN void panic(const char *format, ...) PRINTF(1, 2);

#define ASSERT(condition) \
    ((condition) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))
