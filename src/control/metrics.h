/* SPDX-License-Identifier: Apache-2.0 */
/* metrics — the totals as Prometheus reads them (text format 0.0.4). */
#pragma once

#include "base/buf.h"
#include "control/totals.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* -1 if OUT has no room. */
int metrics_write(const struct totals *t, struct buf *out) MUST_USE;
/* docs/metrics.md: every metric. -1 if OUT has no room. */
int metrics_document(struct buf *out) MUST_USE;
