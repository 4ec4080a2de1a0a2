/* SPDX-License-Identifier: Apache-2.0 */
/* status — the totals as one JSON object, for people and for `sallyport status`. */
#pragma once

#include "base/buf.h"
#include "control/totals.h"

/* What the totals do not know. */
struct health;
struct status {
    bool is_ready;
    int64_t now_s;
    const struct health *health;
};

/* -1 if OUT has no room. */
int status_write(const struct totals *t, const struct status *status, struct buf *out) MUST_USE;
