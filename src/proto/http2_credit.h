/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_credit — what a peer may make us do on one connection of HTTP/2 for nothing.
 *
 * Each frame that asks for work without moving a message on costs credits; they come back with
 * time, and with each message that is complete. Who has none left floods. Pure; time is an
 * argument.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

#define HTTP2_CREDIT_MAX        2000 /* at the beginning, and at most */
#define HTTP2_CREDIT_PER_SECOND 200
#define HTTP2_CREDIT_MESSAGE    10 /* a complete one brings these back */
#define HTTP2_CREDIT_SHARED     4  /* times as many from a target, whose connection many share */
#define HTTP2_CREDIT_SMALL      256 /* bytes: less room than this at a time is work for nothing … */
#define HTTP2_CREDIT_MOVED_MAX  (64 * 1024) /* … unless content has moved, which pays for it */

/* Each is a way to flood, and a reason to close (proxy/close_reason.def). */
enum http2_work {
    HTTP2_WORK_RESETS,  /* streams reset, by the peer or by us because of what it sent */
    HTTP2_WORK_CONTROL, /* SETTINGS, PING, PRIORITY, frames of unknown types */
    HTTP2_WORK_FRAMES,  /* empty DATA, windows opened by a few bytes at a time */
    HTTP2_WORK_HEADERS, /* CONTINUATION, sections that decode to far more than they are */
    HTTP2_WORK_COUNT
};

struct http2_credit {
    int32_t left;
    uint64_t filled_ms; /* when time last brought some back */
    uint32_t spent[HTTP2_WORK_COUNT];
    size_t moved; /* bytes of content that have not paid for anything yet */
};

void http2_credit_init(struct http2_credit *c, uint64_t now_ms);
/* WORK costs COST. -1 if that is more than is left. */
int http2_credit_spend(
    struct http2_credit *c, enum http2_work work, unsigned cost, uint64_t now_ms) MUST_USE;
/* N bytes of content have moved: a peer that gives room back for each piece, however small, has
 * something to do so for. */
void http2_credit_move(struct http2_credit *c, size_t n);
/* Room of less than HTTP2_CREDIT_SMALL bytes was given, or made us send less. -1 if that is more
 * than is left. */
int http2_credit_spend_small(struct http2_credit *c, uint64_t now_ms) MUST_USE;
/* Something of use was done. */
void http2_credit_earn(struct http2_credit *c, unsigned credits);
/* What most was spent on. */
enum http2_work http2_credit_worst(const struct http2_credit *c);
