/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in a line of a batch, one line answers it, and the same one each time. */
#include "base/panic.h"
#include "cli/batch.h"
#include "fuzz.h"

#include "base/ban.h"

#define NOW 1300000000

static void answer(struct bytes line, struct buf *out)
{
    buf_init(out, 256 << 20);
    batch_answer(line, NOW, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf first, second;
    answer((struct bytes){data, n}, &first);
    answer((struct bytes){data, n}, &second);
    struct bytes text = buf_bytes(&first);
    ASSERT(bytes_starts_with(text, BYTES("{\"id\":")) && bytes_ends_with(text, BYTES("}\n")));
    ASSERT(bytes_find(text, '\n') == text.n - 1);
    ASSERT(bytes_equal(text, buf_bytes(&second)));
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
