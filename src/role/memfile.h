/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memfile — bytes in a memfd, so that a process can be given them as a descriptor: the archives of
 * a generation, reports, the state that control shows.
 *
 * Sealed against every change: whoever holds the descriptor can rely on what it reads.
 */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

/* A sealed memfd with CONTENT; NAME shows in /proc/PID/maps. -1 with ERR. */
int memfile_new(const char *name, struct bytes content, struct error *err) MUST_USE;

/* Make a memfile of a memfd that was written to otherwise. */
int memfile_seal(int fd, struct error *err) MUST_USE;

/* Is FD a memfile, whoever made it? */
bool memfile_is_sealed(int fd);

/* Map the whole of a memfile that a trusted process made, read-only; memfile_unmap ends it. */
int memfile_map(int fd, struct bytes *out, struct error *err) MUST_USE;
void memfile_unmap(struct bytes *mapped);

/* A NUL-terminated copy of at most MAX bytes, to be freed: safe whoever made the memfile and
 * whatever FD is (empty, if it is no memfile). */
char *memfile_text(int fd, size_t max) MUST_USE;
