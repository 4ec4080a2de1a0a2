/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "http1_check.h"

#include "base/ban.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct http1_head chunked = {.framing = HTTP1_BODY_CHUNKED};
    if (n)
        check_body(&chunked, (struct bytes){data + 1, n - 1}, (size_t)data[0] + 1);
    return 0;
}
