/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/encoding.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

void encoding_list_add(struct encoding_list *l, struct bytes der)
{
    uint8_t *copy = mem_alloc_raw(der.n + 1);
    if (der.n)
        memcpy(copy, der.at, der.n);
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    l->at[l->n++] = (struct bytes){copy, der.n};
}

void encoding_list_fini(struct encoding_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((void *)(uintptr_t)l->at[i].at);
    free(l->at);
    *l = (struct encoding_list){0};
}
