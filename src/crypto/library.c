/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/library.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

void library_initialise(void)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        panic("libcrypto could not be initialised");
}

static void *allocate(size_t n, const char *file, int line)
{
    return n ? malloc(n) : NULL;
}

static void release(void *p, const char *file, int line)
{
    if (p)
        mem_wipe(p, malloc_usable_size(p));
    free(p);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    void *moved = allocate(n, file, line);
    size_t had = p ? malloc_usable_size(p) : 0;
    if (moved && had)
        memcpy(moved, p, had < n ? had : n);
    if (moved || !n)
        release(p, file, line);
    return moved;
}

void library_wipe_memory(void)
{
    if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
        panic("libcrypto has memory already");
}
