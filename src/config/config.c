/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/admin_https.h"
#include "config/archive.h"
#include "config/build.h"
#include "config/check.h"
#include "config/dump.h"
#include "config/keys.h"
#include "config/merge.h"
#include "config/tree.h"

#include "base/ban.h"

struct config *config_parse_all(struct bytes text, struct bytes api, const char *file,
    const char *folder, struct report *report)
{
    size_t errors = report->errors;
    struct config *c = mem_alloc(sizeof(*c));
    arena_init(&c->arena);
    c->file = arena_strdup(&c->arena, file);
    struct node *root = tree_parse(&c->arena, text, c->file, report);
    if (root && api.n)
        merge_api(&c->arena, root, api, report);
    if (root)
        admin_https_expand(&c->arena, root, report);
    if (root)
        build_config(c, root, folder, report);
    if (report->errors == errors)
        check_config(c, root, report);
    if (report->errors != errors)
        config_free(&c);
    return c;
}

struct config *config_parse(
    struct bytes text, const char *file, const char *folder, struct report *report)
{
    return config_parse_all(text, (struct bytes){0}, file, folder, report);
}

static char *text_of(struct bytes archive, const char *name)
{
    struct bytes text = archive_find(archive, name);
    return mem_strndup(text.at, text.n);
}

struct config *config_parse_archive(struct bytes archive, struct report *report)
{
    char *file = text_of(archive, ARCHIVE_CONFIG_FILE);
    char *folder = text_of(archive, ARCHIVE_CONFIG_FOLDER);
    struct config *c = config_parse_all(archive_find(archive, ARCHIVE_CONFIG),
        archive_find(archive, ARCHIVE_API_CONFIG), file, folder, report);
    free(folder);
    free(file);
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

bool config_has_names(const struct config *c)
{
    for (size_t i = 0; i < c->groups_n; i++)
        for (size_t j = 0; j < c->groups[i].targets_n; j++)
            if (c->groups[i].targets[j].host)
                return true;
    return false;
}
