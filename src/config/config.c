/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/build.h"
#include "config/check.h"
#include "config/dump.h"
#include "config/keys.h"
#include "config/tree.h"

#include "base/ban.h"

struct config *config_parse(
    struct bytes text, const char *file, const char *folder, struct report *report)
{
    size_t errors = report->errors;
    struct config *c = mem_alloc(sizeof(*c));
    arena_init(&c->arena);
    c->file = arena_strdup(&c->arena, file);
    struct node *root = tree_parse(&c->arena, text, c->file, report);
    if (root)
        build_config(c, root, folder, report);
    if (report->errors == errors)
        check_config(c, root, report);
    if (report->errors != errors)
        config_free(&c);
    return c;
}

void config_free(struct config **c)
{
    if (*c)
        arena_fini(&(*c)->arena);
    free(*c);
    *c = NULL;
}

void config_dump(const struct config *c, struct buf *out)
{
    dump_write(c, out);
}

const char *config_path_mark(enum config_path_match m)
{
    static const char *const marks[] = {[PATH_PREFIX] = "",
        [PATH_EXACT] = "= ",
        [PATH_PREFIX_FINAL] = "^~ ",
        [PATH_REGEX] = "~ ",
        [PATH_REGEX_NOCASE] = "~* "};
    return marks[m];
}

const char *config_protocol_name(enum config_protocol p)
{
    return keys_find(SCOPE_LISTENER, "protocol")->choices[p];
}

const char *config_authentication_name(enum config_authentication a)
{
    return keys_find(SCOPE_LISTENER, "authentication")->choices[a];
}

struct visit {
    config_file_fn *fn;
    void *owner;
};

static void visit_file(
    const struct visit *v, const struct config_file *file, enum config_file_kind kind)
{
    if (file->path)
        v->fn(v->owner, file, kind);
}

static void visit_files(
    const struct visit *v, const struct config_file *files, size_t n, enum config_file_kind kind)
{
    for (size_t i = 0; i < n; i++)
        visit_file(v, &files[i], kind);
}

static void visit_authn(const struct visit *v, const struct config_authn *authn)
{
    for (size_t i = 0; i < authn->certificates_n; i++) {
        visit_file(v, &authn->certificates[i].certificate, CONFIG_FILE_PUBLIC);
        visit_file(v, &authn->certificates[i].key, CONFIG_FILE_KEY);
        visit_file(v, &authn->certificates[i].ocsp, CONFIG_FILE_PUBLIC);
    }
    visit_files(v, authn->client_ca, authn->client_ca_n, CONFIG_FILE_PUBLIC);
    visit_files(v, authn->revocation.crl, authn->revocation.crl_n, CONFIG_FILE_CRL);
}

static void visit_group(const struct visit *v, const struct config_group *g)
{
    if (!config_protocol_is_tls(g->protocol))
        return;
    visit_files(v, g->tls.ca, g->tls.ca_n, CONFIG_FILE_PUBLIC);
    visit_files(v, g->tls.revocation.crl, g->tls.revocation.crl_n, CONFIG_FILE_CRL);
    visit_file(v, &g->tls.certificate, CONFIG_FILE_PUBLIC);
    visit_file(v, &g->tls.key, CONFIG_FILE_KEY);
}

void config_each_file(const struct config *c, config_file_fn *fn, void *owner)
{
    const struct visit v = {fn, owner};
    for (size_t i = 0; i < c->listeners_n; i++) {
        visit_authn(&v, &c->listeners[i].authn);
        for (size_t j = 0; j < c->listeners[i].domains_n; j++)
            visit_authn(&v, &c->listeners[i].domains[j].authn);
        for (size_t j = 0; j < c->listeners[i].rules_n; j++)
            visit_files(&v, c->listeners[i].rules[j].authn.client_ca,
                c->listeners[i].rules[j].authn.client_ca_n, CONFIG_FILE_PUBLIC);
    }
    for (size_t i = 0; i < c->groups_n; i++)
        visit_group(&v, &c->groups[i]);
}

bool config_has_names(const struct config *c)
{
    for (size_t i = 0; i < c->groups_n; i++)
        for (size_t j = 0; j < c->groups[i].targets_n; j++)
            if (c->groups[i].targets[j].host)
                return true;
    return false;
}
