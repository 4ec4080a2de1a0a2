/* SPDX-License-Identifier: Apache-2.0 */
/* status — the totals as one JSON object, for people and for `sallyport status`. */
#pragma once

#include "base/buf.h"
#include "control/totals.h"

/* -1 if OUT has no room. */
int status_write(const struct totals *t, bool is_ready, int64_t now_s, struct buf *out) MUST_USE;
