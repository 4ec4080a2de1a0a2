/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader — reads the configuration and every file that it names, with the supervisor's privileges
 * and without a network, into sealed memory files: the public archive; the keys for the signer; the
 * keys that workers need themselves (tls: {engine: openssl}). Lives for one configuration.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/archive.h"
#include "proxy/crl_files.h"
#include "role/memfile.h"
#include "role/message.h"
#include "role/role.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

static int send_with_report(struct message *m, const struct report *report)
{
    struct error err;
    char *text = report_text(report);
    int fd = text[0] ? memfile_new("report", bytes_of(text), &err) : -1;
    bool has_failed = text[0] && fd < 0;
    free(text);
    if (has_failed) {
        log_error("%s", err.text);
        return -1;
    }
    if (fd >= 0)
        m->fds[m->fds_n++] = fd;
    int result = message_send(ROLE_CHANNEL_FD, m) == MESSAGE_OK ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return result;
}

/* ---- keys ---- */

/* Key files go into two memory files, the signer's and the workers'. The kernel copies them: no
 * octet of a key is in this process, unless a file holds a certificate, too. */
struct key_files {
    int fds[2];
};

static int *key_file_of(struct key_files *k, enum named_file_kind kind)
{
    return &k->fds[kind == NAMED_WORKER_KEY];
}

static int copy_all(int from, int to, size_t n)
{
    while (n) {
        ssize_t done = sendfile(to, from, NULL, n);
        if (done == 0)
            errno = ENODATA; /* it was cut meanwhile */
        if (done <= 0)
            return -1;
        n -= (size_t)done;
    }
    return 0;
}

static int add_key(void *owner, const struct config_file *file, enum named_file_kind kind, int fd,
    size_t size, struct error *err)
{
    int to = *key_file_of(owner, kind);
    struct buf head;
    buf_init(&head, 64 + PATH_MAX);
    int result = archive_begin(&head, file->path, size);
    if (result == 0)
        result =
            write(to, buf_bytes(&head).at, buf_size(&head)) == (ssize_t)buf_size(&head) ? 0 : -1;
    buf_fini(&head);
    if (result < 0 || copy_all(fd, to, size) < 0)
        return error_errno(err, errno, "cannot pass on %s", file->path);
    return 0;
}

/* Nobody but the signer can open it. */
static int add_sealed_key(
    void *owner, const struct config_file *file, struct bytes content, struct error *err)
{
    int to = *key_file_of(owner, NAMED_KEY);
    struct buf entry;
    buf_init(&entry, LOAD_API_MAX + PATH_MAX);
    int result = archive_add(&entry, file->path, content);
    if (result == 0)
        result =
            write(to, buf_bytes(&entry).at, buf_size(&entry)) == (ssize_t)buf_size(&entry) ? 0 : -1;
    buf_fini(&entry);
    return result < 0 ? error_errno(err, errno, "cannot pass on %s", file->path) : 0;
}

static int open_key_files(struct key_files *k, struct error *err)
{
    static const char *const names[] = {"keys", "worker keys"};
    for (size_t i = 0; i < COUNT_OF(k->fds); i++) {
        k->fds[i] = memfd_create(names[i], MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (k->fds[i] < 0)
            return error_errno(err, errno, "no memory file for keys (memfd_create)");
    }
    return 0;
}

static void close_key_files(struct key_files *k)
{
    for (size_t i = 0; i < COUNT_OF(k->fds); i++)
        if (k->fds[i] >= 0)
            close(k->fds[i]);
}

/* ---- the whole ---- */

static int send_loaded(
    const struct loaded *loaded, const struct key_files *keys, const struct report *report)
{
    struct error err;
    int archive = memfile_new("archive", buf_bytes(&loaded->archive), &err);
    if (archive < 0 || memfile_seal(keys->fds[0], &err) < 0 ||
        memfile_seal(keys->fds[1], &err) < 0) {
        log_error("%s", err.text);
        if (archive >= 0)
            close(archive);
        return -1;
    }
    struct message m = {
        .type = MESSAGE_LOADED, .fds = {archive, keys->fds[0], keys->fds[1]}, .fds_n = 3};
    int result = send_with_report(&m, report);
    close(archive);
    return result;
}

/* What is to be loaded. */
struct order {
    const char *path;
    struct bytes in_force; /* the public archive of the generation in force, or empty */
    struct load_api api;
};

static int load_with(const struct order *o, struct key_files *keys, struct report *report)
{
    struct loaded loaded = {0};
    struct crl_files files = {o->in_force, report};
    const struct load_crls crls = {crl_files_load, &files};
    const struct load_keys take = {add_key, add_sealed_key, keys};
    struct error err;
    if (open_key_files(keys, &err) < 0) {
        report_line(report, true, err.text);
    } else if (load_file(o->path, &o->api, &crls, &take, &loaded, report) == 0) {
        int result = send_loaded(&loaded, keys, report);
        loaded_fini(&loaded);
        return result;
    }
    struct message m = {.type = MESSAGE_FAILED};
    return send_with_report(&m, report);
}

static int load(const struct order *o)
{
    struct key_files keys = {{-1, -1}};
    struct report report;
    report_init(&report);
    int result = load_with(o, &keys, &report);
    close_key_files(&keys);
    report_fini(&report);
    return result;
}

/* A generation in force may be without what the API adds; what is to replace it may not. */
static int take_archives(struct message *m, struct order *o, struct error *err)
{
    unsigned next = 0;
    struct error unused;
    o->api.may_be_without = !(m->index & LOAD_HAS_IN_FORCE);
    if ((m->index & LOAD_HAS_IN_FORCE) && memfile_map(m->fds[next++], &o->in_force, &unused) < 0)
        log_warning("%s: CRLs are taken without regard to those in force", unused.text);
    if (!(m->index & LOAD_HAS_PROPOSAL))
        return 0;
    return next < m->fds_n ? memfile_map(m->fds[next], &o->api.proposal, err)
                           : error_set(err, "the supervisor did not say what is proposed");
}

int loader_run(unsigned index)
{
    struct message m;
    uint8_t text[MESSAGE_TEXT_MAX];
    struct error err;
    if (sandbox_seal(&err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    if (message_receive(ROLE_CHANNEL_FD, &m, text) != MESSAGE_OK || m.type != MESSAGE_LOAD) {
        log_error("the supervisor did not say what to load");
        return 1;
    }
    char *path = mem_strndup(m.text.at, m.text.n);
    struct order order = {.path = path};
    if (take_archives(&m, &order, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    int result = load(&order);
    free(path);
    return result < 0;
}
