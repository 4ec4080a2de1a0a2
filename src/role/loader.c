/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader — reads the configuration and every file that it names, with the supervisor's privileges
 * and without a network, into two sealed memory files: the public archive and the keys. Lives for
 * one configuration.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
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

static int send_loaded(const struct loaded *loaded, const struct report *report)
{
    struct error err;
    int archive = memfile_new("archive", buf_bytes(&loaded->archive), &err);
    int keys = archive < 0 ? -1 : memfile_new("keys", buf_bytes(&loaded->keys), &err);
    int result = -1;
    if (keys >= 0) {
        struct message m = {.type = MESSAGE_LOADED, .fds = {archive, keys}, .fds_n = 2};
        result = send_with_report(&m, report);
    } else {
        log_error("%s", err.text);
    }
    if (archive >= 0)
        close(archive);
    if (keys >= 0)
        close(keys);
    return result;
}

/* IN_FORCE: the public archive of the generation in force, or empty. */
static int load(const char *path, struct bytes in_force)
{
    struct loaded loaded = {0};
    struct report report;
    struct crl_files files = {in_force, &report};
    const struct load_crls crls = {crl_files_load, &files};
    report_init(&report);
    int result;
    if (load_file(path, &crls, &loaded, &report) == 0) {
        result = send_loaded(&loaded, &report);
        loaded_fini(&loaded);
    } else {
        struct message m = {.type = MESSAGE_FAILED};
        result = send_with_report(&m, &report);
    }
    report_fini(&report);
    return result;
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
    struct bytes in_force = {0};
    if (m.fds_n && memfile_map(m.fds[0], &in_force, &err) < 0)
        log_warning("%s: CRLs are taken without regard to those in force", err.text);
    char *path = mem_strndup(m.text.at, m.text.n);
    int result = load(path, in_force);
    free(path);
    return result < 0;
}
