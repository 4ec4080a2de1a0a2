/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — the clocks, and times as text. Only the event loop, the roles and the command line
 * read them; codecs, pki/ and tls/ are given the time as an argument.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

#define CLOCK_RFC3339_MAX 32

/* For timers: never goes back. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
/* What this thread has had of the processor. */
uint64_t clock_thread_us(void);
/* For certificates and logs: seconds and milliseconds since 1970, UTC. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* "2026-11-22T06:40:00Z" (RFC 3339). Years outside 0–9999 are clamped. */
void clock_format(int64_t wall_s, char out[CLOCK_RFC3339_MAX]);
/* "2026-11-22T06:40:00.123Z" */
void clock_format_ms(int64_t wall_ms, char out[CLOCK_RFC3339_MAX]);
/* Seconds since 1970 of an RFC 3339 time ("Z" or a numeric offset; fractions are dropped). -1 if
 * TEXT is none. */
int clock_parse(struct bytes text, int64_t *wall_s) MUST_USE;
