/* SPDX-License-Identifier: Apache-2.0 */
/* access_log_clb — a line of the access log as Tencent's CLB writes it: its list of fields, each in
 * brackets (docs/access-log.md). */
#pragma once

#include "base/buf.h"

struct exchange;

/* The line of E, with its newline, instead of what OUT holds. E: an exchange, or what a relay or a
 * refused handshake has of one. */
void access_log_clb(const struct exchange *e, struct buf *out);
/* Of the request's head only what the line will say later is kept. */
struct http1_head;
void access_log_clb_remember(struct exchange *e, const struct http1_head *h);
