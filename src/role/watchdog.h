/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog — WATCHDOG=1 to the service manager as long as every worker and the signer answer. */
#pragma once

#include "role/supervisor.h"

/* If the service manager wants it. */
void watchdog_start(struct supervisor *s);
void watchdog_stop(struct supervisor *s);
