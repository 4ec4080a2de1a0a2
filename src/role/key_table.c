/* SPDX-License-Identifier: Apache-2.0 */
#include "role/key_table.h"

#include "base/ban.h"

bool key_table_find(void *owner, const char *name, struct held_key *out)
{
    const struct key_table *t = owner;
    if (!key_store_find(t->table, name, out))
        return false;
    out->handle.office = t->handle.office;
    out->handle.store = t->handle.store;
    return true;
}
