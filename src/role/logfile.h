/* SPDX-License-Identifier: Apache-2.0 */
/* logfile — the access log's descriptor, opened with the supervisor's privileges and written by the
 * logger. */
#pragma once

#include "base/attributes.h"
#include "base/error.h"

/* Open PATH for appending, created 0640; "-" is standard output. Does not wait for a reader of a
 * named pipe. */
int logfile_open(const char *path, struct error *err) MUST_USE;
