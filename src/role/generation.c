/* SPDX-License-Identifier: Apache-2.0 */
#include "role/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "role/logfile.h"
#include "role/memfile.h"

#include "base/ban.h"

#define ADMIN_NAME     "admin"
#define WARNING_PREFIX "warning: "

struct generation *generation_new(uint64_t number)
{
    struct generation *g = mem_alloc(sizeof(*g));
    g->number = number;
    g->archive_fd = g->keys_fd = g->worker_keys_fd = g->log_fd = -1;
    g->store_fd = g->table_fd = -1;
    report_init(&g->report);
    return g;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void generation_close_endpoints(struct generation *g)
{
    for (size_t i = 0; i < g->endpoints_n; i++)
        endpoint_unref(&g->endpoints[i]);
    free(g->endpoints);
    g->endpoints = NULL;
    g->endpoints_n = 0;
    endpoint_unref(&g->admin);
}

void generation_free(struct generation **gp)
{
    struct generation *g = *gp;
    *gp = NULL;
    if (!g)
        return;
    generation_close_endpoints(g);
    close_fd(&g->archive_fd);
    close_fd(&g->keys_fd);
    close_fd(&g->worker_keys_fd);
    close_fd(&g->store_fd);
    close_fd(&g->table_fd);
    close_fd(&g->log_fd);
    config_free(&g->config);
    report_fini(&g->report);
    free(g);
}

/* ---- reports ---- */

static void note_line(struct generation *g, struct bytes line, bool has_errors)
{
    bool is_warning = bytes_starts_with(line, BYTES(WARNING_PREFIX));
    if (is_warning)
        line = bytes_skip(line, strlen(WARNING_PREFIX));
    char *text = mem_strndup(line.at, line.n);
    if (!report_has(&g->report, text))
        report_line(&g->report, has_errors && !is_warning, text);
    free(text);
}

void generation_note(struct generation *g, const char *text, bool has_errors)
{
    struct bytes left = bytes_of(text);
    while (left.n) {
        struct bytes line = bytes_first(left, bytes_find(left, '\n'));
        left = bytes_skip(left, line.n + 1);
        if (line.n)
            note_line(g, line, has_errors);
    }
}

void generation_fault(struct generation *g, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report_line(&g->report, true, text);
}

void generation_log_report(const struct generation *g, const struct generation *old)
{
    for (size_t i = 0; i < g->report.n; i++) {
        if (g->report.lines[i].is_error)
            log_error("%s", g->report.lines[i].text);
        else if (!old || !report_has(&old->report, g->report.lines[i].text))
            log_warning("%s", g->report.lines[i].text);
    }
}

void generation_log_refusal(const struct generation *g)
{
    for (size_t i = 0; i < g->report.n; i++)
        if (g->report.lines[i].is_error)
            log_info("a change by the API is refused: %s", g->report.lines[i].text);
}

/* ---- loading ---- */

void generation_close_keys(struct generation *g)
{
    close_fd(&g->keys_fd);
}

int generation_load(struct generation *g, const struct generation_files *files)
{
    struct bytes archive;
    struct error err;
    g->archive_fd = files->archive_fd;
    g->keys_fd = files->keys_fd;
    g->worker_keys_fd = files->worker_keys_fd;
    if (memfile_map(g->archive_fd, &archive, &err) < 0) {
        generation_fault(g, "%s", err.text);
        return -1;
    }
    /* The loader has reported what there is to say about the text. */
    struct report again;
    report_init(&again);
    g->config = config_parse_archive(archive, &again);
    if (!g->config)
        report_append(&g->report, &again);
    report_fini(&again);
    memfile_unmap(&archive);
    return g->config ? 0 : -1;
}

int generation_may_follow(struct generation *g, const struct generation *previous)
{
    const struct config *c = g->config, *old = previous->config;
    if (c->workers != old->workers)
        report_error(&g->report, c->workers_at, "`workers` has changed, which takes a restart");
    if (strcmp(c->user, old->user) != 0)
        report_error(&g->report, c->user_at, "`user` has changed, which takes a restart");
    const char *dir = c->state_dir ? c->state_dir : "",
               *before = old->state_dir ? old->state_dir : "";
    if (strcmp(dir, before) != 0)
        report_error(&g->report, c->state_at, "`state` has changed, which takes a restart");
    return g->report.errors ? -1 : 0;
}

/* ---- opening ---- */

static struct endpoint *find_held(const struct generation *g, const char *name, const char *text)
{
    for (size_t i = 0; g && i < g->endpoints_n; i++)
        if (endpoint_is(g->endpoints[i], name, text))
            return g->endpoints[i];
    return NULL;
}

static bool is_covered(const struct generation *g, const char *text)
{
    struct address a;
    struct error err;
    if (address_parse(bytes_of(text), true, &a, &err) < 0)
        return false;
    for (size_t i = 0; g && i < g->endpoints_n; i++)
        if (endpoint_covers(g->endpoints[i], &a))
            return true;
    return false;
}

static int open_listeners(
    struct generation *g, const struct generation *previous, unsigned workers_n)
{
    const struct config *c = g->config;
    g->endpoints = mem_calloc(c->listeners_n, sizeof(struct endpoint *));
    for (; g->endpoints_n < c->listeners_n; g->endpoints_n++) {
        const struct config_listener *l = &c->listeners[g->endpoints_n];
        struct endpoint *e = find_held(previous, l->name, l->address);
        struct error err;
        if (e)
            endpoint_ref(e);
        else
            e = endpoint_new(
                l->name, l->address, workers_n, is_covered(previous, l->address), &err);
        if (!e) {
            report_error(&g->report, l->address_at, "%s", err.text);
            return -1;
        }
        g->endpoints[g->endpoints_n] = e;
    }
    return 0;
}

static int open_admin(struct generation *g, const struct generation *previous)
{
    const struct config *c = g->config;
    struct error err;
    if (!c->admin)
        return 0;
    if (previous && previous->admin && endpoint_is(previous->admin, ADMIN_NAME, c->admin))
        g->admin = endpoint_ref(previous->admin);
    else
        g->admin = endpoint_new(ADMIN_NAME, c->admin, 1, false, &err);
    if (g->admin)
        return 0;
    report_error(&g->report, c->admin_at, "%s", err.text);
    return -1;
}

int generation_reopen_log(struct generation *g, struct error *err)
{
    if (!g->config->access_log)
        return 0;
    int fd = logfile_open(g->config->access_log, err);
    if (fd < 0)
        return -1;
    close_fd(&g->log_fd);
    g->log_fd = fd;
    return 0;
}

/* The same path keeps the file that is open: only USR1 says that it has been rotated. */
static int open_log(struct generation *g, const struct generation *previous)
{
    const char *path = g->config->access_log;
    struct error err;
    if (path && previous && previous->log_fd >= 0 &&
        strcmp(path, previous->config->access_log) == 0) {
        g->log_fd = fcntl(previous->log_fd, F_DUPFD_CLOEXEC, 0);
        if (g->log_fd >= 0)
            return 0;
        error_errno(&err, errno, "the access log's descriptor");
    } else if (generation_reopen_log(g, &err) == 0) {
        return 0;
    }
    report_error(&g->report, g->config->access_log_at, "%s", err.text);
    return -1;
}

int generation_open(struct generation *g, const struct generation *previous, unsigned workers_n)
{
    return open_listeners(g, previous, workers_n) < 0 || open_admin(g, previous) < 0 ||
                   open_log(g, previous) < 0
               ? -1
               : 0;
}
