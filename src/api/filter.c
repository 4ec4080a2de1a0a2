/* SPDX-License-Identifier: Apache-2.0 */
#include "api/filter.h"

#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/lookup.h"

#include "base/ban.h"

#define VALUES_MAX 100

const struct field filter_fields[] = {
    {"Name", FIELD_TEXT, .is_required = true, .max = 64, .help = "what is looked at"},
    {"Values", FIELD_TEXT, .is_list = true, .is_required = true, .max = 255, .list_max = VALUES_MAX,
        .help = "one of them has to fit"},
    {NULL},
};

static const struct filter *find_filter(const struct filter *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* "location-id, tag" */
static void write_names(const struct filter *table, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t n = 0; table->name && n < size; table++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", table->name);
}

bool filter_has_tag(const json_t *values, const json_t *tags)
{
    size_t i;
    json_t *tag;
    json_array_foreach(tags, i, tag)
    {
        if (lookup_has_text(values, document_text(tag, "TagKey")))
            return true;
    }
    return false;
}

bool filter_has_address(const json_t *values, const json_t *server)
{
    const json_t *addresses = json_object_get(server, "PrivateIpAddresses");
    return lookup_has_text(values, json_string_value(json_array_get(addresses, 0)));
}

int filter_check(struct call *c, const struct filter *table)
{
    size_t i;
    json_t *filter;
    char names[256];
    json_array_foreach(call_list(c, "Filters"), i, filter)
    {
        if (find_filter(table, document_text(filter, "Name")))
            continue;
        write_names(table, names, sizeof(names));
        return call_refuse(c, API_ERROR_FILTER, "Filters: there is no filter %.64s; there are %s.",
            document_text(filter, "Name"), names);
    }
    return 0;
}

bool filter_fits(const struct call *c, const struct filter *table, const void *object)
{
    size_t i;
    json_t *filter;
    json_array_foreach(call_list(c, "Filters"), i, filter)
    {
        const struct filter *row = find_filter(table, document_text(filter, "Name"));
        if (!row->fits(json_object_get(filter, "Values"), object))
            return false;
    }
    return true;
}
