/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's client with a hostile server: see handshake.h. */
#include "fuzz.h"
#include "handshake.h"

#include "base/ban.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    handshake_fuzz(data, n, 0);
    return 0;
}
