/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_memory — memory for keys, which a process can hand to its successor as a descriptor: not
 * swapped, not in core dumps, and where the kernel has memfd_secret not even in its own map of
 * memory. Then no system call can read or write it either: nobody may give the kernel a pointer
 * into it.
 */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

/* A copy of CONTENT, which the caller wipes; the descriptor. -1 with ERR. */
int secret_memory_new(struct bytes content, struct error *err) MUST_USE;
/* Map the whole of it, read-only; secret_memory_unmap ends it. */
int secret_memory_map(int fd, struct bytes *out, struct error *err) MUST_USE;
void secret_memory_unmap(struct bytes *mapped);

/* Keep the memory of this process out of swap: all of it, present and future, or, where only so
 * much may be locked (RLIMIT_MEMLOCK), heap and stack. To be called early. False: not even these.
 */
bool secret_memory_lock_process(void);
