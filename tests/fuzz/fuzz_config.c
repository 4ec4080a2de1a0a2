/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted must survive the way through `check -T`: its dump is accepted too, and dumps to
 * the same. */
#include "base/buf.h"
#include "base/panic.h"
#include "config/config.h"
#include "fuzz.h"

#define DUMP_MAX (16u << 20)

static bool dump(struct bytes text, struct buf *out)
{
    struct report report;
    report_init(&report);
    struct config *c = config_parse(text, "fuzz.yaml", "/etc/sallyport", &report);
    ASSERT(!c == (report.errors > 0));
    bool accepted = c;
    if (c)
        config_dump(c, out);
    config_free(&c);
    report_fini(&report);
    return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf once, twice;
    buf_init(&once, DUMP_MAX);
    buf_init(&twice, DUMP_MAX);
    if (dump((struct bytes){data, n}, &once)) {
        ASSERT(dump(buf_bytes(&once), &twice));
        ASSERT(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
