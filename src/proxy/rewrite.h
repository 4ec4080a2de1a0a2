/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite — what rules change in the heads of requests and responses, and the responses that they
 * give themselves.
 */
#pragma once

#include "base/report.h"
#include "config/config.h"
#include "proto/http1.h"

struct exchange;

/* Fields that nobody may change: they frame the message, hold for one hop, or speak for us. What of
 * CHANGES is one goes to REPORT. */
void rewrite_check(const struct config_headers *changes, struct report *report);

/* Change H, the head of E's request or response, as the listener and E's rule say. -1: it has no
 * room for more fields. What H points to lives as long as E's texts. */
int rewrite_request(struct exchange *e, struct http1_head *h) MUST_USE;
int rewrite_response(struct exchange *e, struct http1_head *h) MUST_USE;

/* Is E's request answered by its rule, without a target? */
bool rewrite_answers(const struct exchange *e);
/* The head and content of that answer. 0, or -fault: it has no room, or cannot say where. */
int rewrite_answer(struct exchange *e, struct http1_head *h, struct bytes *content) MUST_USE;
