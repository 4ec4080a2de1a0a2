/* SPDX-License-Identifier: Apache-2.0 */
/* Writes docs/metrics.md to standard output. */
#include <stdio.h>

#include "control/metrics.h"

#include "base/ban.h"

int main(void)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    int failed = metrics_document(&out);
    struct bytes text = buf_bytes(&out);
    if (!failed)
        failed = fwrite(text.at, 1, text.n, stdout) != text.n;
    buf_fini(&out);
    return failed ? 1 : 0;
}
