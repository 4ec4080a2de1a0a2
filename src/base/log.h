/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log — the event log: the state of the service, on stderr. Never one line per request (that is the
 * access log).
 *
 * A line reads `2026-11-22T06:40:00Z info worker 0: text`. Control bytes are escaped. One write per
 * line.
 */
#pragma once

#include "base/attributes.h"

/* Who speaks: "supervisor", "worker 0", …. Copied. Without it lines carry no role. */
void log_init(const char *role);

void log_error(const char *format, ...) PRINTF(1, 2);
void log_warning(const char *format, ...) PRINTF(1, 2);
void log_info(const char *format, ...) PRINTF(1, 2);
