/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file — whole files for the commands: read with a limit, written at once or not at all.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define FILE_READ_MAX (256u << 20) /* a large CRL; as config/load.h has it */

/* The content of PATH ("-": standard input) appended to OUT, which is initialised here. On failure
 * OUT is empty. */
int file_read(const char *path, struct buf *out, struct error *err) MUST_USE;

enum file_access {
    FILE_PUBLIC, /* 0644 */
    FILE_SECRET, /* 0600 */
};

/* Write DATA to PATH through a temporary file in the same folder, so that PATH is never seen
 * half-written. Without MAY_REPLACE an existing PATH is an error that names --force. */
int file_write(const char *path, struct bytes data, enum file_access access, bool may_replace,
    struct error *err) MUST_USE;
