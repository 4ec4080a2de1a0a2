/* SPDX-License-Identifier: Apache-2.0 */
/* A header of the PROXY protocol: what is read lies inside what came, no beginning of it is whole,
 * what stands behind it does not matter, and what it says can be said again. */
#include "base/panic.h"
#include "fuzz.h"
#include "proto/proxy_protocol.h"

#include "base/ban.h"

static void check_again(const struct proxy_protocol *h)
{
    struct proxy_protocol again;
    struct buf out;
    buf_init(&out, PROXY_PROTOCOL_MAX);
    proxy_protocol_write(&out, h, NULL);
    ASSERT(proxy_protocol_read(buf_bytes(&out), &again) == (ssize_t)buf_size(&out));
    ASSERT(again.has_ends == h->has_ends);
    ASSERT(memcmp(&again.source, &h->source, sizeof(again.source)) == 0);
    ASSERT(memcmp(&again.destination, &h->destination, sizeof(again.source)) == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    struct proxy_protocol h, other;
    ssize_t length = proxy_protocol_read(in, &h);
    ASSERT(length > -PROXY_PROTOCOL_FAULT_COUNT && length <= (ssize_t)n);
    if (length <= 0)
        return 0;
    ASSERT(proxy_protocol_read(bytes_first(in, (size_t)length), &other) == length);
    ASSERT(memcmp(&h, &other, sizeof(h)) == 0);
    ASSERT(proxy_protocol_read(bytes_first(in, (size_t)length - 1), &other) == 0);
    if (h.has_ends)
        check_again(&h);
    return 0;
}
