/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export — the exported generation: a file that is whole, old or new, whatever happens while it is
 * replaced. In the working directory. Process: control.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* Write CONTENT beside NAME, durably; export_replace then makes it NAME. */
int export_write(const char *name, struct bytes content, struct error *err) MUST_USE;
int export_replace(const char *name, struct error *err) MUST_USE;
/* Append the content of NAME to OUT. -1 with ERR, which is empty if there is no such file. */
int export_read(const char *name, struct buf *out, struct error *err) MUST_USE;
