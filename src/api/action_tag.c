/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeResourceTagsByResourceIds, of the cloud's tag service: the labels of instances and target
 * groups, as clients look them up which read an instance and then its tags. */
#include <string.h>

#include "api/action.h"
#include "api/document.h"

#include "base/ban.h"

#define PAGE_DEFAULT 15

const struct field action_describe_resource_tags_by_resource_ids_fields[] = {
    {"ServiceType", FIELD_TEXT, .is_required = true, .max = 64,
        .help = "clb; nothing else has labels here"},
    {"ResourcePrefix", FIELD_TEXT, .is_required = true, .max = 64, .help = "of no effect"},
    {"ResourceIds", FIELD_TEXT, .is_list = true, .is_required = true, .max = 64, .list_max = 50,
        .help = "ids of instances"},
    {"ResourceRegion", FIELD_TEXT, .max = 64, .help = "of no effect"},
    {"Offset", FIELD_INTEGER, .min = 0, .max = INT32_MAX,
        .help = "so many are left out; default 0"},
    {"Limit", FIELD_INTEGER, .min = 1, .max = 400, .help = "so many are told; default 15"},
    {"Category", FIELD_TEXT, .choices = "Custom|System|All", .help = "All labels are Custom"},
    {NULL},
};

static void add_tags(const struct call *c, const char *id, json_t *out)
{
    const json_t *instance = model_find(c->model, MODEL_INSTANCE, id);
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(instance, "Tags"), i, tag)
    {
        json_array_append_new(
            out, json_pack("{s:o, s:o, s:s, s:n, s:n, s:s, s:s}", "TagKey",
                     document_share_member(tag, "TagKey"), "TagValue",
                     document_share_member(tag, "TagValue"), "ResourceId", id, "TagKeyMd5",
                     "TagValueMd5", "ServiceType", "clb", "Category", "Custom"));
    }
}

static json_t *find_tags(struct call *c)
{
    const char *category = call_text(c, "Category");
    bool has_any = strcmp(call_text(c, "ServiceType"), "clb") == 0 &&
                   !(category && strcmp(category, "System") == 0);
    json_t *out = json_array(), *id;
    size_t i;
    json_array_foreach(call_list(c, "ResourceIds"), i, id)
    {
        if (has_any)
            add_tags(c, json_string_value(id), out);
    }
    return out;
}

int action_describe_resource_tags_by_resource_ids(struct call *c)
{
    json_t *tags = find_tags(c), *out = json_array();
    size_t n = json_array_size(tags), first, end;
    if (!json_object_get(c->request, "Limit"))
        json_object_set_new(c->request, "Limit", json_integer(PAGE_DEFAULT));
    call_page(c, n, &first, &end);
    for (size_t i = first; i < end; i++)
        json_array_append(out, json_array_get(tags, i));
    json_decref(tags);
    json_object_set_new(c->response, "TotalCount", json_integer((json_int_t)n));
    json_object_set_new(c->response, "Offset", json_integer((json_int_t)first));
    json_object_set_new(c->response, "Limit", json_integer(call_integer(c, "Limit", PAGE_DEFAULT)));
    json_object_set_new(c->response, "Tags", out);
    return 0;
}
