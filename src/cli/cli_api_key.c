/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport api-key`: who may use the control API. */
#include <stdio.h>
#include <string.h>

#include "api/access_keys.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/options.h"
#include "cli/subcommands.h"
#include "config/config.h"

#include "base/ban.h"

#define ROLES "read|write" /* in the order of role_names */
#define CONFIG_ROW(out)                                          \
    {                                                            \
        "config", 'c', OPTIONS_TEXT, out, "FILE",                \
            "of the instance; default: " INSTANCE_CONFIG_DEFAULT \
    }
#define JSON_ROW(out)                                    \
    {                                                    \
        "json", 0, OPTIONS_FLAG, out, NULL, "print JSON" \
    }

static const char *const role_names[] = {"read", "write"};

static int report(const struct error *err)
{
    fprintf(stderr, "sallyport api-key: %s\n", err->text);
    return OPTIONS_EXIT_USAGE;
}

/* The keys of the instance that CONFIG (NULL: the default) is of. */
static struct access_keys *open_keys(const char *config, struct error *err)
{
    struct access_key_files files;
    struct access_keys *keys = NULL;
    const char *path = config ? config : INSTANCE_CONFIG_DEFAULT;
    struct config *c = instance_read_config(path, err);
    if (!c)
        return NULL;
    if (!c->state_dir)
        error_set(err,
            "%s names no folder for what the API keeps; add `state: {dir: /var/lib/sallyport}`",
            path);
    else if (access_keys_open_to_change(c->state_dir, &files, err) == 0)
        keys = access_keys_new(files, err);
    config_free(&c);
    return keys;
}

/* ---- what is shown ---- */

static void add_key(struct json *j, const struct access_key *key, const char *secret)
{
    json_open_object(j, NULL);
    json_text(j, "SecretId", key->id);
    if (secret)
        json_text(j, "SecretKey", secret);
    json_text(j, "Role", role_names[key->may_write]);
    json_text(j, "Created", key->created);
    json_bool(j, "Revoked", key->is_revoked);
    json_close_object(j);
}

static void print_json(const struct access_key *key, const char *secret)
{
    struct json j;
    struct buf text;
    buf_init(&text, 1024);
    json_init(&j, &text);
    add_key(&j, key, secret);
    printf("%.*s\n", BYTES_ARG(buf_bytes(&text)));
    buf_fini(&text);
}

/* ---- subcommands ---- */

static int run_create(int argc, char **argv)
{
    const char *config = NULL;
    bool as_json = false;
    unsigned role = 1;
    const struct options_row rows[] = {
        CONFIG_ROW(&config),
        {"role", 0, OPTIONS_CHOICE, &role, ROLES, "what it may do; default: write"},
        JSON_ROW(&as_json),
    };
    const struct options_syntax syntax = {"api-key create", "",
        "A new access key: SecretId and SecretKey, as the cloud's SDKs want them. The SecretKey is "
        "shown\nonly here. It counts at once; who runs the instance may run this.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    struct access_key key;
    struct error err;
    char secret[ACCESS_KEY_SECRET_SIZE];
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    struct access_keys *keys = open_keys(config, &err);
    int failed = keys ? access_keys_create(keys, role == 1, clock_wall_s(), &key, &err) : -1;
    if (failed) {
        access_keys_free(&keys);
        return report(&err);
    }
    access_keys_secret(keys, bytes_of(key.id), secret);
    if (as_json)
        print_json(&key, secret);
    else
        printf("SecretId   %s\nSecretKey  %s\n", key.id, secret);
    mem_wipe(secret, sizeof(secret));
    access_keys_free(&keys);
    return OPTIONS_EXIT_GOOD;
}

static int run_list(int argc, char **argv)
{
    const char *config = NULL;
    bool as_json = false;
    const struct options_row rows[] = {CONFIG_ROW(&config), JSON_ROW(&as_json)};
    const struct options_syntax syntax = {"api-key list", "",
        "All access keys, those that are revoked, too; with --json one object a line.", rows,
        COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    struct error err;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    struct access_keys *keys = open_keys(config, &err);
    if (!keys)
        return report(&err);
    size_t n = access_keys_count(keys);
    for (size_t i = 0; i < n; i++) {
        const struct access_key *key = access_keys_at(keys, i);
        if (as_json)
            print_json(key, NULL);
        else
            printf("%s  %-5s  %s%s\n", key->id, role_names[key->may_write], key->created,
                key->is_revoked ? "  revoked" : "");
    }
    access_keys_free(&keys);
    return OPTIONS_EXIT_GOOD;
}

static int run_revoke(int argc, char **argv)
{
    const char *config = NULL;
    const struct options_row rows[] = {CONFIG_ROW(&config)};
    const struct options_syntax syntax = {"api-key revoke", "SECRETID",
        "Revoke an access key, at once and for ever.", rows, COUNT_OF(rows), 1, 1};
    struct options_list arguments;
    struct error err;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    struct access_keys *keys = open_keys(config, &err);
    int failed = keys ? access_keys_revoke(keys, arguments.at[0], clock_wall_s(), &err) : -1;
    access_keys_free(&keys);
    options_list_fini(&arguments);
    return failed ? report(&err) : OPTIONS_EXIT_GOOD;
}

/* ---- the table ---- */

static const struct subcommand subcommands[] = {
    {"create", run_create, "a new access key"},
    {"list", run_list, "all access keys"},
    {"revoke", run_revoke, "revoke an access key"},
};

int cli_api_key(int argc, char **argv)
{
    const struct subcommands all = {
        "api-key", "Who may use the control API.", subcommands, COUNT_OF(subcommands)};
    return subcommands_run(&all, argc, argv);
}
