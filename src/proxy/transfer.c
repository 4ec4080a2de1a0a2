/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/transfer.h"

#include "proxy/headers.h"

#include "base/ban.h"

int transfer_limit(struct transfer *t, const struct http1_head *head, uint64_t bytes_max)
{
    t->bytes_max = bytes_max;
    bool is_too_large =
        bytes_max && head->framing == HTTP1_BODY_LENGTH && head->content_length > bytes_max;
    return is_too_large ? -HTTP1_CONTENT_TOO_LARGE : 0;
}

static bool is_too_much(const struct transfer *t, uint64_t more)
{
    return t->bytes_max && more > t->bytes_max - t->bytes;
}

enum transfer_status transfer_run(
    struct transfer *t, struct party *from, struct party *to, bool *moved)
{
    struct party_item item;
    while (!t->is_complete) {
        switch (from->ops->next(from, to->ops->room(to), &item)) {
        case PARTY_CONTENT:
            if (is_too_much(t, item.content.n)) {
                t->fault = HTTP1_CONTENT_TOO_LARGE;
                return TRANSFER_REFUSED;
            }
            t->bytes += item.content.n;
            to->ops->content(to, item.content);
            from->ops->taken(from);
            break;
        case PARTY_TRAILER:
            if (!headers_is_reserved(item.trailer.name))
                to->ops->trailer(to, &item.trailer);
            from->ops->taken(from);
            break;
        case PARTY_END:
            to->ops->end(to);
            t->is_complete = true;
            break;
        case PARTY_WAITS:
            return TRANSFER_WAITS;
        case PARTY_CUT:
            return TRANSFER_CUT;
        case PARTY_BAD:
            t->fault = item.fault;
            return TRANSFER_REFUSED;
        }
        *moved = true;
    }
    return TRANSFER_ENDED;
}
