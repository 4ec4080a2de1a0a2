/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's server with a hostile client: see handshake.h. */
#include "fuzz.h"
#include "handshake.h"

#include "base/ban.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    handshake_fuzz(data, n, 1);
    return 0;
}
