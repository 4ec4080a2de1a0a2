/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scatter — hashes for tables and for spreading work: quick, the same in every process, and of no
 * use against somebody who wants collisions.
 */
#pragma once

#include "base/bytes.h"

/* Of B, different for each SEED. */
uint64_t scatter_bytes(uint64_t seed, struct bytes b);
/* Every bit of X reaches every bit of the result. */
uint64_t scatter_mix(uint64_t x);
