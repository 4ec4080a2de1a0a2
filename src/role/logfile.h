/* SPDX-License-Identifier: Apache-2.0 */
/* logfile — the access log's descriptor, opened with the supervisor's privileges and written by the
 * logger. */
#pragma once

#include "base/attributes.h"
#include "base/error.h"

/* Open PATH for appending, created 0640; "-" is standard output; "syslog:…" (config/value.h) a
 * socket of datagrams. Does not wait for a reader of a named pipe. */
int logfile_open(const char *path, struct error *err) MUST_USE;

/* What stands before each line, which is a message of its own then (RFC 3164 §4.1, without the
 * time: the system's log has its own); empty for files. */
#define LOGFILE_PREFIX_MAX 32
void logfile_prefix(const char *path, char out[LOGFILE_PREFIX_MAX]);
