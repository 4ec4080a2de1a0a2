/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shutdown — the end of the instance, in an order that loses neither exchanges nor log lines:
 *
 *   NONE → WORKERS (drain) → CONTROL → LOGGER → DONE
 *
 * Each stage has its limit, after which its processes are killed.
 */
#pragma once

#include "role/supervisor.h"

/* SIGTERM or SIGINT. The second time: connections are cut. */
void shutdown_begin(struct supervisor *s);
/* At once and without a word, with the exit status STATUS. */
void shutdown_abort(struct supervisor *s, int status);
/* A child has ended: go on if the stage is over. */
void shutdown_progress(struct supervisor *s);
