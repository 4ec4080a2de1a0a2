/* SPDX-License-Identifier: Apache-2.0 */
/* probe_http — health checks by a request: the class of its status decides. */
#include <stdio.h>

#include "base/memory.h"
#include "control/probe.h"
#include "proto/http1.h"
#include "proto/http1_write.h"

#include "base/ban.h"

static struct bytes method(const struct probe *p)
{
    return p->config->is_get ? BYTES("GET") : BYTES("HEAD");
}

/* What is sent is bounded by the configuration: host and path together have 1300 bytes. */
static void send_request(struct probe *p, struct buf *out)
{
    char space[PROBE_HOST_MAX];
    int result = http1_write_request_line(out, method(p), bytes_of(p->config->path));
    result |= http1_write_field(out, BYTES("Host"), bytes_of(probe_host(p, space)));
    result |= http1_write_field(out, BYTES("User-Agent"), BYTES(PROBE_USER_AGENT));
    result |= http1_write_field(out, BYTES("Connection"), BYTES("close"));
    result |= http1_write_end(out);
    ignore_result(result);
}

/* The next response at the begin of IN that counts: interim ones come before it (RFC 9110 §15.2),
 * unless they are what is wanted. As http1_parse_response. */
static ssize_t next_head(struct probe *p, struct buf *in, struct http1_head *head)
{
    for (;;) {
        ssize_t n = http1_parse_response(buf_bytes(in), &p->scanned, method(p), head);
        if (n <= 0 || head->status >= 200 || p->config->codes & 1u << 1)
            return n;
        buf_consume(in, (size_t)n);
        p->scanned = 0;
    }
}

static int judge_response(struct probe *p, struct buf *in, struct buf *out)
{
    struct http1_head head;
    ssize_t n = next_head(p, in, &head);
    if (n == 0)
        return -1;
    if (n > 0 && p->config->codes & 1u << head.status / 100)
        return 1;
    if (n > 0)
        snprintf(p->why, sizeof(p->why), "HTTP %u", head.status);
    else
        snprintf(p->why, sizeof(p->why), "its answer is no HTTP/1.1: %s",
            http1_fault_text((enum http1_fault) - n));
    return 0;
}

const struct probe_kind probe_http = {.send = send_request, .judge = judge_response};
