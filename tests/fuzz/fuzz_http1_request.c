/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "fuzz.h"
#include "http1_check.h"

#include "base/ban.h"

static void check_target(const struct http1_head *head)
{
    struct bytes path = bytes_first(head->path_and_query, bytes_find(head->path_and_query, '?'));
    uint8_t *normal = mem_alloc(path.n), *again = mem_alloc(path.n);
    ssize_t n = http1_normalise_path(path, normal);
    ASSERT(n <= (ssize_t)path.n && n != 0);
    if (n > 0) {
        ssize_t same = http1_normalise_path((struct bytes){normal, (size_t)n}, again);
        ASSERT(same == n && memcmp(normal, again, (size_t)n) == 0);
    }
    free(normal);
    free(again);
    char host[HTTP1_HOST_SIZE];
    if (head->authority.n)
        ASSERT(http1_normalise_host(head->authority, host) > 0);
}

/* What is asked for can be said again, and is understood as the same. */
static void check_upgrade(const struct http1_head *head)
{
    char list[HTTP1_UPGRADE_MAX];
    size_t n = http1_offered_upgrade(head, list);
    struct bytes offered = {(const uint8_t *)list, n};
    struct http1_head again = {
        .fields = {{BYTES("Upgrade"), offered}}, .fields_n = 1, .upgrades = true};
    char same[HTTP1_UPGRADE_MAX];
    ASSERT(n <= HTTP1_UPGRADE_MAX && (n == 0 || head->upgrades));
    ASSERT(http1_offered_upgrade(&again, same) == n && memcmp(list, same, n) == 0);
    ASSERT(http1_upgrades_to(&again, offered) == (n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct http1_head head;
    if (!n)
        return 0;
    size_t step = (size_t)data[0] + 1;
    struct bytes in = {data + 1, n - 1};
    ssize_t head_n = check_head(http1_parse_request, in, step, &head);
    if (head_n <= 0)
        return 0;
    ASSERT(head.framing != HTTP1_BODY_UNTIL_CLOSE);
    check_target(&head);
    check_upgrade(&head);
    check_body(&head, bytes_skip(in, (size_t)head_n), step);
    if (head.minor_version == 0) /* we write HTTP/1.1 only */
        return 0;
    struct buf wire;
    buf_init(&wire, 2 * n + 64);
    ASSERT(http1_write_request_line(&wire, head.method, head.target) == 0);
    check_rewritten(http1_parse_request, &head, &wire);
    buf_fini(&wire);
    return 0;
}
