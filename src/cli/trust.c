/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trust.h"

#include <stdlib.h>

#include "base/memory.h"
#include "cli/file.h"

#include "base/ban.h"

void trust_init(struct trust *t, enum path_purpose purpose)
{
    *t = (struct trust){.policy = {.purpose = purpose, .depth_max = VERIFY_DEPTH_DEFAULT}};
    arena_init(&t->arena);
}

void trust_fini(struct trust *t)
{
    path_store_free(&t->policy.anchors);
    crl_list_fini(&t->policy.crls);
    certificate_list_fini(&t->anchors);
    free(t->names);
    arena_fini(&t->arena);
}

static void add_anchors(struct trust *t, struct certificate_list *found)
{
    certificate_list_add_all(&t->anchors, found);
    certificate_list_fini(found);
}

int trust_add_ca(struct trust *t, struct bytes pem, struct error *err)
{
    struct certificate_list found = {0};
    if (certificate_list_parse(pem, &found, err) < 0)
        return -1;
    add_anchors(t, &found);
    return 0;
}

static int add_system_store(struct trust *t, struct bytes pem, struct error *err)
{
    struct certificate_list found = {0};
    if (certificate_list_parse_store(pem, &found, err) < 0)
        return -1;
    add_anchors(t, &found);
    return 0;
}

int trust_add_crl(struct trust *t, struct bytes pem, struct error *err)
{
    t->policy.revocation = REVOCATION_HARD;
    struct crl_list found = {0};
    if (crl_list_parse(pem, &found, err) < 0)
        return -1;
    crl_list_append(&t->policy.crls, &found);
    crl_list_fini(&found);
    return 0;
}

void trust_set_ocsp(struct trust *t, struct bytes response)
{
    t->policy.revocation = REVOCATION_HARD;
    t->policy.ocsp = arena_copy(&t->arena, response);
}

static bool has_kind(const char *name)
{
    static const char *const kinds[] = {"DNS:", "IP:", "EMAIL:", "URI:"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (bytes_starts_with(bytes_of(name), bytes_of(kinds[i])))
            return true;
    return false;
}

int trust_add_name(struct trust *t, const char *name, bool is_allow_list, struct error *err)
{
    struct bytes text = bytes_of(arena_strdup(&t->arena, name));
    struct name_pattern pattern;
    int result = has_kind(name) ? name_pattern_parse(text, is_allow_list, &t->arena, &pattern, err)
                                : name_pattern_of_host(text, &t->arena, &pattern, err);
    if (result < 0)
        return -1;
    t->names = mem_realloc(t->names, (t->policy.names_n + 1) * sizeof(*t->names));
    t->names[t->policy.names_n++] = pattern;
    t->policy.names = t->names;
    return 0;
}

typedef int add_fn(struct trust *t, struct bytes content, struct error *err);

static int read_into(struct trust *t, const char *path, add_fn *add, struct error *err)
{
    struct buf content;
    if (file_read(path, &content, err) < 0)
        return -1;
    struct error why;
    int result = add(t, buf_bytes(&content), &why);
    buf_fini(&content);
    return result < 0 ? error_set(err, "%s: %s", path, why.text) : 0;
}

static int add_ocsp(struct trust *t, struct bytes content, struct error *err)
{
    trust_set_ocsp(t, content);
    return 0;
}

int trust_read_ca(struct trust *t, const char *path, struct error *err)
{
    return read_into(t, path, trust_add_ca, err);
}

int trust_read_system_store(struct trust *t, struct error *err)
{
    return read_into(t, TRUST_SYSTEM_STORE, add_system_store, err);
}

int trust_read_crl(struct trust *t, const char *path, struct error *err)
{
    return read_into(t, path, trust_add_crl, err);
}

int trust_read_ocsp(struct trust *t, const char *path, struct error *err)
{
    return read_into(t, path, add_ocsp, err);
}

void trust_build(struct trust *t, bool partial_chain)
{
    t->policy.anchors = path_store_new(&t->anchors, partial_chain);
}
