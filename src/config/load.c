/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/archive.h"

#include "base/ban.h"

#define READ_SIZE 65536

struct loading {
    const struct load_api *api; /* NULL: it adds nothing */
    struct buf exported;        /* the exported generation, if it was read */
    struct bytes added;         /* what the API adds: an archive */
    const struct load_crls *crls;
    const struct load_keys *keys;       /* NULL: they are read */
    struct buf taken[NAMED_KIND_COUNT]; /* archives without content: the keys that were taken */
    struct loaded *out;
    struct report *report;
};

/* Append what is left in FD to OUT, until OUT is full; -1 with errno. */
static int read_all(int fd, struct buf *out)
{
    for (;;) {
        size_t room = buf_room(out);
        if (room == 0)
            return 0; /* one byte more than is accepted: the caller sees it */
        size_t want = room < READ_SIZE ? room : READ_SIZE;
        ssize_t n = read(fd, buf_space(out, want), want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        buf_added(out, (size_t)n);
    }
}

static const char *remedy(int errno_value, const char *path)
{
    bool is_system_trust = strcmp(path, CONFIG_SYSTEM_TRUST) == 0;
    if (errno_value == ENOENT && is_system_trust)
        return "; install the package ca-certificates, or name the targets' CA with the key ca";
    if (errno_value == ENOENT || errno_value == ENOTDIR)
        return "; create it, or correct its name (relative ones begin at the configuration's "
               "folder)";
    if (errno_value == EACCES)
        return "; it must be readable for the user who starts sallyport";
    return "";
}

/* The regular file PATH and its size. O_NONBLOCK: a FIFO or device is refused and not waited for.
 */
static int open_file(const char *path, size_t *size, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int why = errno;
        return error_set(
            err, "cannot open %s: %s%s", path, strerrordesc_np(why), remedy(why, path));
    }
    if (fstat(fd, &st) < 0)
        error_errno(err, errno, "cannot look at %s", path);
    else if (!S_ISREG(st.st_mode))
        error_set(err, "%s is no regular file; name a file", path);
    else {
        *size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

static int check_size(const char *path, size_t size, size_t max, struct error *err)
{
    if (size > max)
        return error_set(err, "%s is too large; at most %zu bytes are accepted", path, max);
    return size ? 0 : error_set(err, "%s is empty; write it again", path);
}

/* The whole of the regular file PATH, at most as OUT takes. */
static int read_file(const char *path, struct buf *out, struct error *err)
{
    size_t size, max = buf_room(out) - 1; /* OUT has one byte more than is accepted */
    int fd = open_file(path, &size, err);
    if (fd < 0)
        return -1;
    int result = read_all(fd, out) < 0 ? error_errno(err, errno, "cannot read %s", path)
                                       : check_size(path, buf_size(out), max, err);
    close(fd);
    return result;
}

/* What stands between the first and the last line of the first PEM block of a private key in TEXT,
 * of whatever kind (RFC 7468 §10, §11, and older ones); to the end of the text, if it has no last
 * line. */
static bool find_private_key(struct bytes text, struct bytes *key)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ", label[] = "PRIVATE KEY-----";
    for (;;) {
        const uint8_t *at = text.n ? memmem(text.at, text.n, begin, sizeof(begin) - 1) : NULL;
        if (!at)
            return false;
        text = bytes_skip(text, (size_t)(at - text.at));
        struct bytes line = bytes_first(text, bytes_find(text, '\n'));
        text = bytes_skip(text, line.n);
        if (memmem(line.at, line.n, label, sizeof(label) - 1))
            break;
    }
    const uint8_t *last = text.n ? memmem(text.at, text.n, end, sizeof(end) - 1) : NULL;
    *key = bytes_first(text, last ? (size_t)(last - text.at) : text.n);
    return true;
}

/* Stands for the key: still a PEM block, so that whoever gave a key in place of a certificate is
 * told so. */
#define KEY_CUT_OUT "\nAA==\n"
#define PKCS12_HEAD 32

/* PFX ::= SEQUENCE { version INTEGER {v3(3)}, … (RFC 7292 §4): a bundle with a key in it. */
static bool is_pkcs12(struct bytes content)
{
    if (content.n < PKCS12_HEAD || content.at[0] != 0x30)
        return false;
    size_t length_n = content.at[1] & 0x80 ? content.at[1] & 0x7f : 0;
    return length_n <= 4 && memcmp(content.at + 2 + length_n, "\2\1\3", 3) == 0;
}

/* What of a file may be seen by those who may not see keys: a PEM file may hold both. Of PKCS#12,
 * no more than it takes to tell that it is that. */
static int add_public(struct buf *archive, const char *path, struct bytes content)
{
    struct buf public;
    struct bytes key;
    if (is_pkcs12(content))
        content.n = PKCS12_HEAD;
    buf_init(&public, LOAD_FILE_MAX + 1);
    while (find_private_key(content, &key)) {
        size_t before = (size_t)(key.at - content.at);
        ignore_result(buf_append(&public, bytes_first(content, before)));
        if (key.n > sizeof(KEY_CUT_OUT))
            ignore_result(buf_append(&public, BYTES(KEY_CUT_OUT)));
        content = bytes_skip(content, before + key.n);
    }
    ignore_result(buf_append(&public, content));
    int result = archive_add(archive, path, buf_bytes(&public));
    buf_fini(&public);
    return result;
}

static int add_crls(struct loading *l, const struct config_file *file, struct bytes content)
{
    struct error err;
    struct buf crls;
    buf_init(&crls, LOAD_TOTAL_MAX);
    int result = l->crls->fn(l->crls->owner, file, content, &crls, &err);
    if (result < 0)
        report_error(l->report, file->at, "%s: %s", file->path, err.text);
    else
        result = archive_add_crls(&l->out->archive, file->path, buf_bytes(&crls));
    buf_fini(&crls);
    return result;
}

static int add_file(struct loading *l, const struct config_file *file, enum named_file_kind kind,
    struct bytes content)
{
    switch (kind) {
    case NAMED_PUBLIC:
        return add_public(&l->out->archive, file->path, content);
    case NAMED_KEY:
    case NAMED_WORKER_KEY:
        return archive_add(&l->out->keys, file->path, content);
    case NAMED_CRL:
        return add_crls(l, file, content);
    case NAMED_KIND_COUNT:
        break;
    }
    return -1;
}

static bool is_key(enum named_file_kind kind)
{
    return kind == NAMED_KEY || kind == NAMED_WORKER_KEY;
}

static bool is_gathered(
    const struct loading *l, const struct config_file *file, enum named_file_kind kind)
{
    struct bytes archive = buf_bytes(&l->out->archive);
    if (kind == NAMED_CRL)
        return archive_find_crls(archive, file->path).at;
    if (!is_key(kind))
        return archive_find(archive, file->path).at;
    return archive_find(buf_bytes(l->keys ? &l->taken[kind] : &l->out->keys), file->path).at;
}

static void take_key(struct loading *l, const struct config_file *file, enum named_file_kind kind)
{
    struct error err;
    size_t size;
    int fd = open_file(file->path, &size, &err);
    if (fd < 0 || check_size(file->path, size, LOAD_FILE_MAX, &err) < 0 ||
        l->keys->fn(l->keys->owner, file, kind, fd, size, &err) < 0)
        report_error(l->report, file->at, "%s", err.text);
    if (fd >= 0)
        close(fd);
    ignore_result(archive_add(&l->taken[kind], file->path, BYTES("")));
}

static void read_into(struct loading *l, const struct config_file *file, enum named_file_kind kind)
{
    struct error err;
    struct buf content;
    buf_init(&content, (kind == NAMED_CRL ? LOAD_CRL_MAX : LOAD_FILE_MAX) + 1);
    size_t errors = l->report->errors;
    if (read_file(file->path, &content, &err) < 0)
        report_error(l->report, file->at, "%s", err.text);
    else if (add_file(l, file, kind, buf_bytes(&content)) < 0 && l->report->errors == errors)
        report_error(l->report, file->at,
            "%s: all files together are too large; at most %u bytes are accepted", file->path,
            LOAD_TOTAL_MAX);
    buf_fini(&content);
}

/* The program reads it all the same: where it comes from a container's volume, its owner may have
 * no choice. */
static void warn_if_all_can_read(struct loading *l, const struct config_file *file)
{
    struct stat st;
    if (stat(file->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & S_IROTH)
        report_warning(l->report, file->at,
            "%s: every user of this machine may read this secret; chmod it to 0600", file->path);
}

static int take_sealed_key(struct loading *l, const struct config_file *file,
    enum named_file_kind kind, struct bytes sealed)
{
    struct error err;
    ignore_result(archive_add(&l->taken[kind], file->path, BYTES("")));
    if (l->keys->sealed_fn(l->keys->owner, file, sealed, &err) == 0)
        return 0;
    report_error(l->report, file->at, "%s", err.text);
    return -1;
}

static bool is_of_api(const struct config_file *file)
{
    return strncmp(file->path, ARCHIVE_API, strlen(ARCHIVE_API)) == 0;
}

/* A file of the API's is in what it adds, or nowhere. */
static void find_added(struct loading *l, const struct config_file *file, enum named_file_kind kind)
{
    struct bytes content = archive_find(l->added, file->path);
    size_t errors = l->report->errors;
    int failed = -1;
    if (content.n && is_key(kind) && l->keys)
        failed = take_sealed_key(l, file, kind, content);
    else if (content.n)
        failed = add_file(l, file, kind, content);
    if (failed && l->report->errors == errors)
        report_error(l->report, file->at, "%s is missing or too large", file->path);
}

/* Put FILE where its kind belongs. It is read once for each kind that it is named as. */
static void gather_file(void *owner, const struct config_file *file, enum named_file_kind kind)
{
    struct loading *l = owner;
    if (is_gathered(l, file, kind))
        return;
    if (is_of_api(file)) {
        find_added(l, file, kind);
        return;
    }
    if (is_key(kind))
        warn_if_all_can_read(l, file);
    if (is_key(kind) && l->keys)
        take_key(l, file, kind);
    else
        read_into(l, file, kind);
}

/* What the system knows of names, for control, which opens no file. Without it (a container may
 * have neither) there is nothing to know. */
static void gather_names(struct loading *l)
{
    static const char *const paths[] = {ARCHIVE_HOSTS, ARCHIVE_RESOLV_CONF};
    const struct position at = {.file = l->out->config->file};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct error err;
        struct stat st;
        struct buf content;
        if (stat(paths[i], &st) < 0 || st.st_size == 0)
            continue;
        buf_init(&content, LOAD_FILE_MAX + 1);
        if (read_file(paths[i], &content, &err) < 0)
            report_warning(l->report, at, "for the names of targets: %s", err.text);
        else if (archive_add(&l->out->archive, paths[i], buf_bytes(&content)) < 0)
            report_error(l->report, at, "%s: all files together are too large", paths[i]);
        buf_fini(&content);
    }
}

/* The absolute name of the folder that PATH is in; the caller frees it. NULL: errno. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
    char *absolute = realpath(folder, NULL);
    free(folder);
    return absolute;
}

static int add_text(struct loaded *out, const char *path, const char *folder, struct bytes text)
{
    return archive_add(&out->archive, ARCHIVE_CONFIG, text) < 0 ||
                   archive_add(&out->archive, ARCHIVE_CONFIG_FILE, bytes_of(path)) < 0 ||
                   archive_add(&out->archive, ARCHIVE_CONFIG_FOLDER, bytes_of(folder)) < 0
               ? -1
               : 0;
}

/* ---- what the API adds ---- */

/* NAME in the state folder, which is configured; to be freed. */
static char *state_path(const struct config *c, const char *name)
{
    char *path = NULL;
    ignore_result(asprintf(&path, "%s/%s", c->state_dir, name));
    return path;
}

/* The exported generation: none, where the API has never been used. */
static void read_exported(struct loading *l, const struct config *c)
{
    char *path = state_path(c, LOAD_GENERATION);
    struct error err;
    struct stat st;
    bool is_there = stat(path, &st) == 0 || errno != ENOENT;
    if (is_there && read_file(path, &l->exported, &err) < 0)
        (l->api->may_be_without ? report_warning : report_error)(
            l->report, c->state_at, "%s; the API's objects are not in force", err.text);
    else
        l->added = buf_bytes(&l->exported);
    free(path);
}

/* False: there is nothing, or what there is is no whole archive. */
static bool find_added_text(struct loading *l, const struct config *c)
{
    if (l->api && l->api->proposal.at)
        l->added = l->api->proposal;
    else if (l->api && c->state_dir)
        read_exported(l, c);
    if (!l->added.n)
        return false;
    if (archive_find(l->added, ARCHIVE_CONFIG).at)
        return true;
    (l->api->may_be_without ? report_warning : report_error)(l->report, c->state_at,
        "%s/" LOAD_GENERATION " is damaged; the API's objects are not in force",
        c->state_dir ? c->state_dir : "");
    return false;
}

static int keep_added_text(struct loading *l)
{
    static const char *const names[][2] = {
        {ARCHIVE_CONFIG, ARCHIVE_API_CONFIG}, {ARCHIVE_API_DIGEST, ARCHIVE_API_DIGEST}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (archive_add(&l->out->archive, names[i][1], archive_find(l->added, names[i][0])) < 0)
            return -1;
    return 0;
}

/* The file alone says where to look for what is added to it: it is parsed again with that. */
static void parse(const char *path, const char *folder, struct bytes text, struct loading *l)
{
    struct report alone;
    report_init(&alone);
    struct config *c = config_parse(text, path, folder, &alone);
    if (c && find_added_text(l, c)) {
        config_free(&c);
        if (keep_added_text(l) == 0)
            c = config_parse_all(
                text, archive_find(l->added, ARCHIVE_CONFIG), path, folder, l->report);
        else
            report_error(l->report, (struct position){.file = path}, "the API adds too much");
    } else {
        report_append(l->report, &alone);
    }
    report_fini(&alone);
    l->out->config = c;
}

/* What the signer opens the API's keys with. */
static void gather_sealing_key(struct loading *l)
{
    const struct config *c = l->out->config;
    bool has_sealed = false;
    struct bytes left = l->added, name, content;
    while (archive_next(&left, &name, &content))
        has_sealed = has_sealed || bytes_ends_with(name, BYTES(".key"));
    if (!has_sealed || !c->state_dir)
        return;
    char *path = state_path(c, LOAD_SEALING_KEY);
    gather_file(l, &(struct config_file){path, c->state_at}, NAMED_KEY);
    free(path);
}

static int load_text(const char *path, const char *folder, struct bytes text, struct loading *l)
{
    size_t errors = l->report->errors;
    if (add_text(l->out, path, folder, text) < 0) {
        report_error(l->report, (struct position){.file = path}, "the file is too large");
        return -1;
    }
    parse(path, folder, text, l);
    if (l->out->config) {
        named_files_each(l->out->config, gather_file, l);
        gather_sealing_key(l);
    }
    if (l->out->config && config_has_names(l->out->config))
        gather_names(l);
    return l->report->errors == errors ? 0 : -1;
}

int load_file(const char *path, const struct load_api *api, const struct load_crls *crls,
    const struct load_keys *keys, struct loaded *out, struct report *report)
{
    struct loading l = {.api = api, .crls = crls, .keys = keys, .out = out, .report = report};
    const struct position at = {.file = path};
    struct error err;
    struct buf text;
    int result = -1;
    *out = (struct loaded){0};
    buf_init(&out->archive, LOAD_TOTAL_MAX);
    buf_init(&out->keys, LOAD_TOTAL_MAX);
    for (size_t i = 0; i < COUNT_OF(l.taken); i++)
        buf_init(&l.taken[i], LOAD_TOTAL_MAX);
    buf_init(&text, LOAD_CONFIG_MAX + 1);
    buf_init(&l.exported, LOAD_API_MAX + 1);
    if (read_file(path, &text, &err) < 0) {
        report_error(report, at, "%s", err.text);
        goto out;
    }
    char *folder = folder_of(path);
    if (folder)
        result = load_text(path, folder, buf_bytes(&text), &l);
    else
        report_error(report, at, "cannot find the folder it is in: %s", strerrordesc_np(errno));
    free(folder);
out:
    buf_fini(&text);
    buf_fini(&l.exported);
    for (size_t i = 0; i < COUNT_OF(l.taken); i++)
        buf_fini(&l.taken[i]);
    if (result < 0)
        loaded_fini(out);
    return result;
}

void loaded_fini(struct loaded *l)
{
    config_free(&l->config);
    buf_fini(&l->archive);
    buf_fini(&l->keys);
}
