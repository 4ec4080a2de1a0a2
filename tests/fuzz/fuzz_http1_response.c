/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "http1_check.h"

#include "base/ban.h"

static ssize_t parse_answer_to_get(struct bytes in, size_t *scanned, struct http1_head *out)
{
    return http1_parse_response(in, scanned, BYTES("GET"), out);
}

static ssize_t parse_answer_to_head(struct bytes in, size_t *scanned, struct http1_head *out)
{
    return http1_parse_response(in, scanned, BYTES("HEAD"), out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct http1_head head;
    if (!n)
        return 0;
    size_t step = (size_t)data[0] + 1;
    struct bytes in = {data + 1, n - 1};
    /* Whether a response is refused does not depend on the method; whether it has a body does. */
    ssize_t without_body = check_head(parse_answer_to_head, in, step, &head);
    ASSERT(without_body <= 0 || head.framing == HTTP1_BODY_NONE);
    ssize_t head_n = check_head(parse_answer_to_get, in, step, &head);
    ASSERT(head_n == without_body);
    if (head_n <= 0)
        return 0;
    check_body(&head, bytes_skip(in, (size_t)head_n), step);
    if (head.minor_version == 0) /* we write HTTP/1.1 only */
        return 0;
    struct buf wire;
    buf_init(&wire, 2 * n + 64);
    ASSERT(http1_write_status_line(&wire, head.status, head.reason) == 0);
    check_rewritten(parse_answer_to_get, &head, &wire);
    buf_fini(&wire);
    return 0;
}
