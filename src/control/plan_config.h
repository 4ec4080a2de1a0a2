/* SPDX-License-Identifier: Apache-2.0 */
/* plan_config — the configuration of a generation, out of its archive, for what control does with
 * it. */
#pragma once

#include "base/error.h"
#include "config/config.h"

/* NULL with ERR. The configuration is the caller's. */
struct config *plan_config(struct bytes archive, struct error *err) MUST_USE;
