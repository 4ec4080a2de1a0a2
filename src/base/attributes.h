/* SPDX-License-Identifier: Apache-2.0 */
/* attributes — what we ask of the compiler, by name. */
#pragma once

#include <stddef.h>

#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NORETURN     __attribute__((noreturn))

/* The struct that contains MEMBER at address PTR. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array)                 (sizeof(array) / sizeof((array)[0]))
