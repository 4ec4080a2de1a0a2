/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/batch_case.h"

#include <jansson.h>

#include "base/ban.h"

static struct bytes text_of(struct arena *a, const json_t *value)
{
    if (!json_is_string(value))
        return (struct bytes){0};
    size_t n = json_string_length(value);
    return (struct bytes){(const uint8_t *)arena_strndup(a, json_string_value(value), n), n};
}

static bool is_word(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static bool has_word(const json_t *array, const char *word)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (is_word(json_array_get(array, i), word))
            return true;
    return false;
}

/* Every element counts: what is no string becomes an empty text, which no parser takes. */
static struct batch_texts texts_of(struct arena *a, const json_t *array)
{
    struct batch_texts texts = {NULL, json_array_size(array)};
    texts.at = arena_alloc(a, (texts.n + 1) * sizeof(*texts.at));
    for (size_t i = 0; i < texts.n; i++)
        texts.at[i] = text_of(a, json_array_get(array, i));
    return texts;
}

static int64_t number_of(const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return -1;
    return json_integer_value(value) < INT32_MAX ? json_integer_value(value) : INT32_MAX;
}

static enum path_purpose purpose_of(const json_t *item)
{
    static const struct {
        const char *usage;
        enum path_purpose purpose;
    } rows[] = {{"clientAuth", PATH_CLIENT}, {"serverAuth", PATH_SERVER},
        {"anyExtendedKeyUsage", PATH_ANY}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (has_word(json_object_get(item, "extended_key_usage"), rows[i].usage))
            return rows[i].purpose;
    bool is_client = is_word(json_object_get(item, "validation_kind"), "CLIENT");
    return is_client ? PATH_CLIENT : PATH_SERVER;
}

static int add_name(
    struct arena *a, const json_t *name, struct batch_texts *names, struct error *err)
{
    static const struct {
        const char *given, *ours;
    } kinds[] = {{"DNS", "DNS"}, {"IP", "IP"}, {"RFC822", "EMAIL"}, {"URI", "URI"}};
    struct bytes value = text_of(a, json_object_get(name, "value"));
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (is_word(json_object_get(name, "kind"), kinds[i].given)) {
            const char *text = arena_printf(a, "%s:%.*s", kinds[i].ours, BYTES_ARG(value));
            names->at[names->n++] = bytes_of(text);
            return 0;
        }
    return error_set(err, "a peer's name is of a kind that is not DNS, IP, RFC822 or URI");
}

static int read_names(
    struct arena *a, const json_t *item, struct batch_texts *names, struct error *err)
{
    const json_t *one = json_object_get(item, "expected_peer_name");
    const json_t *several = json_object_get(item, "expected_peer_names");
    names->at = arena_alloc(a, (json_array_size(several) + 1) * sizeof(*names->at));
    if (json_is_object(one) && add_name(a, one, names, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(several); i++)
        if (add_name(a, json_array_get(several, i), names, err) < 0)
            return -1;
    return 0;
}

static int read_item(const json_t *item, struct arena *a, struct batch_case *out, struct error *err)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    *out = (struct batch_case){
        .id = id ? arena_strdup(a, id) : NULL,
        .purpose = purpose_of(item),
        .leaf = text_of(a, json_object_get(item, "peer_certificate")),
        .untrusted = texts_of(a, json_object_get(item, "untrusted_intermediates")),
        .anchors = texts_of(a, json_object_get(item, "trusted_certs")),
        .crls = texts_of(a, json_object_get(item, "crls")),
        .ocsp = texts_of(a, json_object_get(item, "ocsp_responses")),
        .time = text_of(a, json_object_get(item, "validation_time")),
        .depth_max = number_of(json_object_get(item, "max_chain_depth")),
        .crl_age_days_max = number_of(json_object_get(item, "max_crl_age_days")),
        .ocsp_age_days_max = number_of(json_object_get(item, "max_ocsp_age_days")),
        .leaf_only = is_word(json_object_get(item, "crl_depth"), "leaf"),
        .accepts_unknown = is_word(json_object_get(item, "on_unknown"), "accept"),
        .partial_chain = json_is_true(json_object_get(item, "partial_chain")),
        .policies = texts_of(a, json_object_get(item, "initial_policy_set")),
        .requires_policy = json_is_true(json_object_get(item, "initial_explicit_policy")),
        .inhibits_mapping = json_is_true(json_object_get(item, "initial_policy_mapping_inhibit")),
        .inhibits_any_policy = json_is_true(json_object_get(item, "initial_any_policy_inhibit")),
    };
    return read_names(a, item, &out->names, err);
}

int batch_case_read(struct bytes line, struct arena *a, struct batch_case *out, struct error *err)
{
    *out = (struct batch_case){0};
    json_error_t where;
    json_t *item = json_loadb((const char *)line.at, line.n, JSON_REJECT_DUPLICATES, &where);
    int result = json_is_object(item) ? read_item(item, a, out, err)
                 : item               ? error_set(err, "the line is JSON, but no object")
                                      : error_set(err, "the line is no JSON: %s", where.text);
    json_decref(item);
    return result;
}
