/* SPDX-License-Identifier: Apache-2.0 */
/* serial — a serial number as people read it. */
#pragma once

#include "base/arena.h"

/* CONTENT: octets of an INTEGER (RFC 5280 §4.1.2.2). Lower-case hex without leading zeros; "-1a" if
 * negative. In the arena. */
const char *serial_text(struct arena *a, struct bytes content);
