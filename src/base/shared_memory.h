/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_memory — memory of a fixed size that processes share by a descriptor.
 *
 * Its size is sealed: nobody who has the descriptor can cut the memory from under the others
 * (SIGBUS). What the others write into it is theirs, and not to be believed.
 */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"

enum shared_memory_access { SHARED_MEMORY_READ, SHARED_MEMORY_WRITE };

/* SIZE bytes of 0 under *FD, the caller's. NAME shows in /proc/PID/maps and in ERR. -1 with ERR. */
int shared_memory_new(const char *name, size_t size, int *fd, struct error *err) MUST_USE;
/* Another descriptor of what shared_memory_new made, the caller's, by which nobody can write. -1
 * with ERR. */
int shared_memory_reader(int fd, struct error *err) MUST_USE;
/* Map what shared_memory_new made with the same SIZE. FD stays the caller's. NULL with ERR. */
void *shared_memory_map(
    int fd, size_t size, enum shared_memory_access access, struct error *err) MUST_USE;
void shared_memory_unmap(const void *at, size_t size);
