/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/authority.h"
#include "cli/file.h"

#include "base/ban.h"

#define CONFIG_MAX 16384
#define MARK       "# Made by `sallyport demo`, and replaced by its next run.\n"

/* ---- the folder ---- */

static bool is_empty(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return false;
    size_t entries = 0;
    while (readdir(d))
        entries++;
    closedir(d);
    return entries <= 2; /* . and .. */
}

static bool is_ours(const char *folder)
{
    char path[AUTHORITY_PATH_MAX];
    struct buf content;
    if (authority_path(folder, "sallyport", "yaml", path, NULL) < 0 ||
        file_read(path, &content, NULL) < 0)
        return false;
    bool ours = bytes_starts_with(buf_bytes(&content), BYTES(MARK));
    buf_fini(&content);
    return ours;
}

int demo_files_claim(const char *folder, struct error *err)
{
    if (mkdir(folder, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, errno, "cannot make the folder %s; choose one with --dir", folder);
    if (access(folder, W_OK) < 0)
        return error_errno(err, errno, "cannot write to %s; choose a folder with --dir", folder);
    if (is_empty(folder) || is_ours(folder))
        return 0;
    return error_set(
        err, "%s holds files that no demo made; choose another folder with --dir", folder);
}

/* ---- certificates ---- */

static const struct leaf {
    const char *stem, *issuer;
    enum issue_profile profile;
    const char *names[2];
    bool is_expired;
} leaves[] = {
    {"server", "ca", ISSUE_SERVER, {"DNS:localhost", "IP:127.0.0.1"}, false},
    {"client", "ca", ISSUE_CLIENT, {"DNS:client.example"}, false},
    {"expired", "ca", ISSUE_CLIENT, {"DNS:expired.example"}, true},
    {"revoked", "ca", ISSUE_CLIENT, {"DNS:revoked.example"}, false},
    {"stranger", "stranger-ca", ISSUE_CLIENT, {"DNS:stranger.example"}, false},
};

static int issue_ca(
    const char *folder, const char *stem, const char *name, int64_t now_s, struct error *err)
{
    struct authority_order order = {
        .folder = folder,
        .stem = stem,
        .profile = ISSUE_CA,
        .key_kind = KEY_EC_P256,
        .common_name = name,
        .now_s = now_s,
        .not_before = now_s - 60 * AUTHORITY_DAY_S, /* before the expired client's time */
        .not_after = now_s + AUTHORITY_LEAF_DAYS * AUTHORITY_DAY_S,
        .may_replace = true,
    };
    return authority_issue(NULL, &order, err);
}

static int issue_leaf(const char *folder, const struct leaf *leaf, int64_t now_s, struct error *err)
{
    struct bytes names[2] = {bytes_of(leaf->names[0]), bytes_of(leaf->names[1])};
    struct authority issuer;
    if (authority_load(folder, leaf->issuer, &issuer, err) < 0)
        return -1;
    struct authority_order order = {
        .folder = folder,
        .stem = leaf->stem,
        .profile = leaf->profile,
        .key_kind = KEY_EC_P256,
        .names = names,
        .names_n = leaf->names[1] ? 2 : 1,
        .now_s = now_s,
        .not_before = now_s - (leaf->is_expired ? 30 : 1) * AUTHORITY_DAY_S,
        .not_after = now_s + (leaf->is_expired ? -1 : AUTHORITY_CRL_DAYS) * AUTHORITY_DAY_S,
        .may_replace = true,
    };
    int result = authority_issue(&issuer, &order, err);
    authority_fini(&issuer);
    return result;
}

static int revoke_one(const char *folder, int64_t now_s, struct error *err)
{
    struct authority ca, revoked;
    if (authority_load(folder, "ca", &ca, err) < 0)
        return -1;
    int result = authority_load(folder, "revoked", &revoked, err);
    if (result == 0) {
        struct authority_revocation what = {
            revoked.chain.at[0], "keyCompromise", now_s, AUTHORITY_CRL_DAYS};
        result = authority_revoke(&ca, &what, err);
        authority_fini(&revoked);
    }
    authority_fini(&ca);
    return result;
}

/* ---- the configuration ---- */

static int print_config(const struct demo_layout *l, struct buf *out)
{
    return buf_printf(out,
        MARK "listeners:\n"
             "  - name: one-way\n"
             "    protocol: HTTPS\n"
             "    address: 127.0.0.1:%u\n"
             "    authentication: one-way\n"
             "    certificates: [{certificate: server.crt, key: server.key}]\n"
             "    rules: [{domain: localhost, path: /, target_group: web}]\n"
             "  - name: mutual\n"
             "    protocol: HTTPS\n"
             "    address: 127.0.0.1:%u\n"
             "    authentication: mutual\n"
             "    certificates: [{certificate: server.crt, key: server.key}]\n"
             "    client_ca: [ca.crt]\n"
             "    revocation: {crl: [ca.crl], policy: hard}\n"
             "    rules: [{domain: localhost, path: /, target_group: web}]\n"
             "  - name: mutual-tcp\n"
             "    protocol: TCP_SSL\n"
             "    address: 127.0.0.1:%u\n"
             "    authentication: mutual\n"
             "    certificates: [{certificate: server.crt, key: server.key}]\n"
             "    client_ca: [ca.crt]\n"
             "    revocation: {crl: [ca.crl], policy: hard}\n"
             "    target_group: echo\n"
             "target_groups:\n"
             "  - name: web\n"
             "    protocol: HTTP\n"
             "    targets:\n"
             "      - {address: 127.0.0.1:%u, weight: 10}\n"
             "      - {address: 127.0.0.1:%u, weight: 10}\n"
             "  - name: echo\n"
             "    protocol: TCP\n"
             "    targets:\n"
             "      - {address: 127.0.0.1:%u, weight: 10}\n"
             "access_log: {file: \"-\"}\n"
             "timeouts: {drain: 2s} # Ctrl-C does not wait longer for what is open\n"
             "workers: 2\n",
        l->ports[DEMO_ONE_WAY], l->ports[DEMO_MUTUAL], l->ports[DEMO_TCP_SSL], l->http[0],
        l->http[1], l->echo);
}

static int write_config(const struct demo_layout *l, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    struct buf text;
    if (authority_path(l->folder, "sallyport", "yaml", path, err) < 0)
        return -1;
    buf_init(&text, CONFIG_MAX);
    int result = print_config(l, &text) < 0
                     ? error_set(err, "the demo's configuration is too long")
                     : file_write(path, buf_bytes(&text), FILE_PUBLIC, true, err);
    buf_fini(&text);
    return result;
}

int demo_files_write(const struct demo_layout *layout, int64_t now_s, struct error *err)
{
    /* First the configuration, whose mark says that the files next to it are a demo's. */
    if (write_config(layout, err) < 0 ||
        issue_ca(layout->folder, "ca", "Sallyport demo CA", now_s, err) < 0 ||
        issue_ca(layout->folder, "stranger-ca", "A stranger's CA", now_s, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(leaves); i++)
        if (issue_leaf(layout->folder, &leaves[i], now_s, err) < 0)
            return -1;
    return revoke_one(layout->folder, now_s, err);
}
