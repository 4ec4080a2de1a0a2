/* SPDX-License-Identifier: Apache-2.0 */
#include "api/access_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/memory.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define LIST_FILE   "api-keys"
#define SECRET_FILE "api-keys.secret"
#define ID_PREFIX   "AKID"
#define DERIVATION  "sallyport access key 1 "
#define KEYS_MAX    10000

struct access_keys {
    struct access_key_files files;
    uint8_t secret[ACCESS_KEYS_SECRET_SIZE];
    struct access_key *at;
    size_t n;
    off_t read_n; /* bytes of the list that AT is of */
};

/* ---- files ---- */

/* Made if it is missing, and then opened as FLAGS say. */
static int open_file(int folder, const char *name, const char *state, int flags, struct error *err)
{
    int made = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int fd = made < 0 ? -1 : openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        error_errno(err, errno,
            "%s/%s cannot be opened; it belongs to the user that `sallyport run` is started by",
            state, name);
    if (made >= 0)
        close(made);
    return fd;
}

/* The lock is for two that find it empty. */
static int fill_secret(int fd, const char *state, struct error *err)
{
    uint8_t secret[ACCESS_KEYS_SECRET_SIZE];
    struct stat st;
    if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "%s/" SECRET_FILE, state);
    int failed = 0;
    if (st.st_size == 0) {
        random_fill(secret, sizeof(secret));
        failed = pwrite(fd, secret, sizeof(secret), 0) != sizeof(secret) || fsync(fd) < 0;
        if (failed)
            error_errno(err, errno, "%s/" SECRET_FILE " cannot be written", state);
        mem_wipe(secret, sizeof(secret));
    }
    flock(fd, LOCK_UN);
    return failed ? -1 : 0;
}

static int open_folder(const char *state, struct error *err)
{
    if (mkdir(state, 0711) < 0 && errno != EEXIST)
        return error_errno(err, errno,
            "the folder %s (`state: {dir: …}`) cannot be made; make it, and the folder that it is "
            "in",
            state);
    int folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? error_errno(err, errno, "the folder %s (`state: {dir: …}`)", state)
                      : folder;
}

static int open_files(
    const char *state, int list_flags, struct access_key_files *out, struct error *err)
{
    *out = (struct access_key_files){-1, -1};
    int folder = open_folder(state, err);
    if (folder < 0)
        return -1;
    int secret = open_file(folder, SECRET_FILE, state, O_RDWR, err);
    int failed = secret < 0 ? -1 : fill_secret(secret, state, err);
    if (!failed && fsync(folder) < 0)
        failed = error_errno(err, errno, "the folder %s", state);
    if (secret >= 0)
        close(secret);
    if (!failed)
        out->list = open_file(folder, LIST_FILE, state, list_flags, err);
    if (out->list >= 0)
        out->secret = open_file(folder, SECRET_FILE, state, O_RDONLY, err);
    close(folder);
    if (out->secret >= 0)
        return 0;
    access_keys_close_files(out);
    return -1;
}

int access_keys_open_files(const char *state, struct access_key_files *out, struct error *err)
{
    return open_files(state, O_RDONLY, out, err);
}

int access_keys_open_to_change(const char *state, struct access_key_files *out, struct error *err)
{
    return open_files(state, O_RDWR | O_APPEND, out, err);
}

void access_keys_close_files(struct access_key_files *files)
{
    if (files->list >= 0)
        close(files->list);
    if (files->secret >= 0)
        close(files->secret);
    *files = (struct access_key_files){-1, -1};
}

/* ---- the list ---- */

static struct access_key *find(const struct access_keys *k, struct bytes id)
{
    for (size_t i = 0; i < k->n; i++)
        if (bytes_equal(bytes_of(k->at[i].id), id))
            return &k->at[i];
    return NULL;
}

static void add_key(struct access_keys *k, const json_t *line, const char *id)
{
    const char *role = json_string_value(json_object_get(line, "Role"));
    const char *created = json_string_value(json_object_get(line, "Created"));
    if (k->n == KEYS_MAX || strlen(id) >= ACCESS_KEY_ID_SIZE || !role || !created)
        return;
    k->at = mem_realloc(k->at, (k->n + 1) * sizeof(*k->at));
    struct access_key *key = &k->at[k->n++];
    *key = (struct access_key){.may_write = strcmp(role, "write") == 0};
    snprintf(key->id, sizeof(key->id), "%s", id);
    snprintf(key->created, sizeof(key->created), "%s", created);
}

/* A line that is none is of no effect: nobody gets in by it. */
static void take_line(struct access_keys *k, struct bytes text)
{
    json_t *line = json_loadb((const char *)text.at, text.n, 0, NULL);
    const char *id = json_string_value(json_object_get(line, "SecretId"));
    struct access_key *known = id ? find(k, bytes_of(id)) : NULL;
    if (known && json_object_get(line, "Revoked"))
        known->is_revoked = true;
    else if (id && !known)
        add_key(k, line, id);
    json_decref(line);
}

/* A last line without an end is still being written. */
static void take_lines(struct access_keys *k, struct bytes text)
{
    for (;;) {
        size_t n = bytes_find(text, '\n');
        if (n == text.n)
            return;
        take_line(k, bytes_first(text, n));
        text = bytes_skip(text, n + 1);
    }
}

/* Read it again if it is another than it was. If it cannot be read, nobody has a key. */
static void refresh(struct access_keys *k)
{
    struct stat st;
    if (fstat(k->files.list, &st) < 0)
        st.st_size = 0;
    if (st.st_size == k->read_n)
        return;
    k->n = 0;
    k->read_n = st.st_size;
    size_t n = st.st_size < ACCESS_KEYS_LIST_MAX ? (size_t)st.st_size : ACCESS_KEYS_LIST_MAX;
    uint8_t *text = mem_alloc_raw(n + 1);
    ssize_t got = pread(k->files.list, text, n, 0);
    take_lines(k, (struct bytes){text, got > 0 ? (size_t)got : 0});
    free(text);
}

struct access_keys *access_keys_new(struct access_key_files files, struct error *err)
{
    struct access_keys *k = mem_alloc(sizeof(*k));
    k->files = files;
    if (pread(files.secret, k->secret, sizeof(k->secret), 0) != sizeof(k->secret)) {
        error_set(err,
            SECRET_FILE " is damaged: it has not %d bytes; remove it and " LIST_FILE
                        ", start again, and make new access keys",
            ACCESS_KEYS_SECRET_SIZE);
        access_keys_free(&k);
        return NULL;
    }
    refresh(k);
    return k;
}

void access_keys_free(struct access_keys **kp)
{
    struct access_keys *k = *kp;
    if (!k)
        return;
    access_keys_close_files(&k->files);
    mem_wipe(k->secret, sizeof(k->secret));
    free(k->at);
    free(k);
    *kp = NULL;
}

const struct access_key *access_keys_find(struct access_keys *k, struct bytes id)
{
    refresh(k);
    const struct access_key *key = find(k, id);
    return key && !key->is_revoked ? key : NULL;
}

void access_keys_secret(
    const struct access_keys *k, struct bytes id, char out[ACCESS_KEY_SECRET_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t derived[(ACCESS_KEY_SECRET_SIZE - 1) / 2];
    uint8_t info[sizeof(DERIVATION) + ACCESS_KEY_ID_SIZE];
    struct bytes cut = bytes_first(id, ACCESS_KEY_ID_SIZE);
    memcpy(info, DERIVATION, sizeof(DERIVATION) - 1);
    if (cut.n)
        memcpy(info + sizeof(DERIVATION) - 1, cut.at, cut.n);
    digest_hkdf((struct bytes){k->secret, sizeof(k->secret)}, (struct bytes){0},
        (struct bytes){info, sizeof(DERIVATION) - 1 + cut.n}, derived, sizeof(derived));
    for (size_t i = 0; i < sizeof(derived); i++) {
        out[2 * i] = digits[derived[i] >> 4];
        out[2 * i + 1] = digits[derived[i] & 15];
    }
    out[ACCESS_KEY_SECRET_SIZE - 1] = 0;
    mem_wipe(derived, sizeof(derived));
}

size_t access_keys_count(struct access_keys *k)
{
    refresh(k);
    return k->n;
}

const struct access_key *access_keys_at(const struct access_keys *k, size_t i)
{
    return &k->at[i];
}

/* ---- changes ---- */

/* One write at the end of the file: two that do so at a time both have their line. It begins with
 * an empty line if the one before has no end. */
static int append_line(struct access_keys *k, struct bytes line, struct error *err)
{
    struct stat st;
    uint8_t last = '\n';
    struct buf text;
    buf_init(&text, 1024);
    int fd = k->files.list;
    int failed = fstat(fd, &st) < 0 || (st.st_size && pread(fd, &last, 1, st.st_size - 1) != 1) ||
                 (last != '\n' && buf_append(&text, BYTES("\n")) < 0) ||
                 buf_append(&text, line) < 0 || buf_append(&text, BYTES("\n")) < 0;
    if (!failed && (size_t)st.st_size + buf_size(&text) > ACCESS_KEYS_LIST_MAX)
        failed = error_set(err, LIST_FILE " is full: %u bytes", ACCESS_KEYS_LIST_MAX);
    else if (failed ||
             write(fd, buf_bytes(&text).at, buf_size(&text)) != (ssize_t)buf_size(&text) ||
             fsync(fd) < 0)
        failed = error_errno(err, errno, LIST_FILE " cannot be written");
    buf_fini(&text);
    return failed ? -1 : 0;
}

static int append_change(struct access_keys *k, const char *id, const char *role, const char *what,
    int64_t now_s, struct error *err)
{
    char time[CLOCK_RFC3339_MAX];
    struct json j;
    struct buf line;
    clock_format(now_s, time);
    buf_init(&line, 512);
    json_init(&j, &line);
    json_open_object(&j, NULL);
    json_text(&j, "SecretId", id);
    if (role)
        json_text(&j, "Role", role);
    json_text(&j, what, time);
    json_close_object(&j);
    int failed = append_line(k, buf_bytes(&line), err);
    buf_fini(&line);
    return failed;
}

static void make_id(char out[ACCESS_KEY_ID_SIZE])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned letters_n = sizeof(letters) - 1;
    size_t n = sizeof(ID_PREFIX) - 1;
    memcpy(out, ID_PREFIX, n);
    while (n < ACCESS_KEY_ID_SIZE - 1) {
        uint8_t octet;
        random_fill(&octet, 1);
        if (octet < 256 / letters_n * letters_n)
            out[n++] = letters[octet % letters_n];
    }
    out[n] = 0;
}

int access_keys_create(
    struct access_keys *k, bool may_write, int64_t now_s, struct access_key *out, struct error *err)
{
    *out = (struct access_key){.may_write = may_write};
    if (access_keys_count(k) >= KEYS_MAX)
        return error_set(err, "there are %d access keys already", KEYS_MAX);
    make_id(out->id);
    clock_format(now_s, out->created);
    return append_change(k, out->id, may_write ? "write" : "read", "Created", now_s, err);
}

int access_keys_revoke(struct access_keys *k, const char *id, int64_t now_s, struct error *err)
{
    if (!access_keys_find(k, bytes_of(id)))
        return error_set(err,
            "there is no access key %s, or it is revoked; `sallyport api-key list` shows them", id);
    return append_change(k, id, NULL, "Revoked", now_s, err);
}
