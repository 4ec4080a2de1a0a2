/* SPDX-License-Identifier: Apache-2.0 */
/* probe_custom — health checks by bytes that are sent, and bytes that the answer begins with. */
#include <stdio.h>

#include "base/memory.h"
#include "control/probe.h"

#include "base/ban.h"

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : bytes_lower((uint8_t)c) - 'a' + 10);
}

/* TEXT as it stands, or the bytes that it has in hexadecimal (config_parse has looked at it). */
static struct bytes decode(const struct probe *p, const char *text, uint8_t *out)
{
    size_t n = strlen(text);
    if (!p->config->is_hex)
        return (struct bytes){(const uint8_t *)text, n};
    for (size_t i = 0; i < n / 2; i++)
        out[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    return (struct bytes){out, n / 2};
}

static void send_bytes(struct probe *p, struct buf *out)
{
    uint8_t space[CONFIG_CHECK_TEXT_MAX];
    ignore_result(buf_append(out, decode(p, p->config->send, space)));
}

static int judge_bytes(struct probe *p, struct buf *received, struct buf *out)
{
    struct bytes in = buf_bytes(received);
    uint8_t space[CONFIG_CHECK_TEXT_MAX];
    struct bytes want = decode(p, p->config->expect, space);
    size_t n = in.n < want.n ? in.n : want.n;
    if (n && memcmp(in.at, want.at, n) != 0) {
        snprintf(p->why, sizeof(p->why), "its answer is not what is expected");
        return 0;
    }
    return in.n && in.n >= want.n ? 1 : -1;
}

const struct probe_kind probe_custom = {.send = send_bytes, .judge = judge_bytes};
