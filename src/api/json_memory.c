/* SPDX-License-Identifier: Apache-2.0 */
#include "api/json_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

/* What jansson gives away (json_dumps) is memory as any other, for free(). */
static void release(void *p)
{
    if (p)
        mem_wipe(p, malloc_usable_size(p));
    free(p);
}

void json_memory_wipe(void)
{
    json_set_alloc_funcs(malloc, release);
}
