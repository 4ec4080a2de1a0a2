/* SPDX-License-Identifier: Apache-2.0 */
/* dump — a configuration as YAML, written from the table of keys and the structs that it fills. */
#pragma once

#include "base/buf.h"
#include "config/config.h"

/* What config_dump promises. */
void dump_write(const struct config *c, struct buf *out);
