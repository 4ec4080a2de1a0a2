/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_driver — reads a stream of HTTP/1 messages with our codec and says what it took them for.
 *
 *   http1_driver request|response < STREAM
 *
 * One line a message, with the offset at which it begins:
 *   message BEGIN END [close] [upgrades]   parsed whole; END is the offset after it
 *   fault BEGIN TOKEN                      refused: nothing after it is read
 *   incomplete BEGIN                       the stream ends within it
 *   rest BEGIN                             bytes after a message that ends the connection, or HTTP
 * on it: not read
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/http1.h"

#include "base/ban.h"

#define STREAM_MAX (1024 * 1024)

enum outcome { NEXT, LAST, INCOMPLETE, REFUSED };

static ssize_t read_body(const struct http1_head *head, struct bytes in, bool *is_whole)
{
    struct http1_body body;
    struct http1_body_item item;
    size_t used = 0;
    http1_body_init(&body, head);
    while (!http1_body_is_done(&body)) {
        ssize_t n = http1_body_next(&body, bytes_skip(in, used), &item);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    *is_whole = http1_body_eof(&body) == 0;
    return (ssize_t)used;
}

static enum outcome refuse(size_t begin, ssize_t fault)
{
    printf("fault %zu %s\n", begin, http1_fault_token((enum http1_fault) - fault));
    return REFUSED;
}

/* The message at *AT, which is moved behind it. */
static enum outcome read_message(bool is_request, struct bytes in, size_t *at)
{
    static struct http1_head head;
    size_t scanned = 0, begin = *at;
    struct bytes rest = bytes_skip(in, begin);
    ssize_t head_n = is_request ? http1_parse_request(rest, &scanned, &head)
                                : http1_parse_response(rest, &scanned, BYTES("GET"), &head);
    if (head_n < 0)
        return refuse(begin, head_n);
    bool is_whole = false;
    ssize_t body_n = head_n ? read_body(&head, bytes_skip(rest, (size_t)head_n), &is_whole) : 0;
    if (body_n < 0)
        return refuse(begin, body_n);
    if (!is_whole) {
        printf("incomplete %zu\n", begin);
        return INCOMPLETE;
    }
    *at = begin + (size_t)head_n + (size_t)body_n;
    printf("message %zu %zu%s%s\n", begin, *at, head.keep_alive ? "" : " close",
        head.upgrades ? " upgrades" : "");
    return head.keep_alive && !head.upgrades ? NEXT : LAST;
}

int main(int argc, char **argv)
{
    bool is_request = argc == 2 && strcmp(argv[1], "request") == 0;
    if (!is_request && (argc != 2 || strcmp(argv[1], "response") != 0)) {
        fprintf(stderr, "usage: http1_driver request|response < STREAM\n");
        return 2;
    }
    static uint8_t buffer[STREAM_MAX];
    size_t n = fread(buffer, 1, sizeof(buffer), stdin), at = 0;
    /* In memory of its own size, so that a sanitizer sees a read beyond its end. */
    uint8_t *stream = malloc(n ? n : 1);
    if (!stream)
        return 2;
    memcpy(stream, buffer, n);
    enum outcome outcome = NEXT;
    while (outcome == NEXT && at < n)
        outcome = read_message(is_request, (struct bytes){stream, n}, &at);
    if (outcome == LAST && at < n)
        printf("rest %zu\n", at);
    free(stream);
    return 0;
}
