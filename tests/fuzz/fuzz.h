/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz — what every fuzz_NAME.c defines: take any N bytes and neither crash nor hang. Returns 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
