/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates — how many requests a second somebody may make: a bucket for each name, filled up to
 * PER_SECOND in a second.
 *
 * Bounded: who was not seen for the longest makes room. Process: control.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

#define RATES_MAX 256

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates **r);

/* Take one from NAME's; false: there is none left. */
bool rates_take(struct rates *r, struct bytes name, unsigned per_second, uint64_t now_ms) MUST_USE;
