/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/file.h"
#include "cli/session.h"
#include "config/config.h"
#include "proto/http1.h"

#include "base/ban.h"

#define READ_BYTES (64u * 1024)

/* ---- where ---- */

static bool is_any_host(const struct address *a)
{
    static const uint8_t v4_any[16] = {[10] = 0xff, [11] = 0xff}, v6_any[16] = {0};
    uint8_t octets[16];
    address_octets(a, octets);
    return memcmp(octets, v4_any, 16) == 0 || memcmp(octets, v6_any, 16) == 0;
}

static int split(const char *text, struct instance *out, struct error *err)
{
    struct address a;
    if (address_parse(bytes_of(text), true, &a, err) < 0)
        return -1;
    if (address_port(&a) == 0)
        return error_set(err,
            "the admin address %s has no fixed port; give the one that the event log names "
            "(\"admin: HTTP "
            "…\") with --admin ADDRESS",
            text);
    address_format_host(&a, out->host);
    if (is_any_host(&a))
        snprintf(out->host, sizeof(out->host), "%s",
            a.both_families || a.sa.any.sa_family == AF_INET ? "127.0.0.1" : "::1");
    snprintf(out->port, sizeof(out->port), "%u", address_port(&a));
    return 0;
}

static char *folder_of(const char *path)
{
    char *absolute = realpath(path, NULL);
    if (!absolute)
        return mem_strdup("/");
    char *slash = strrchr(absolute, '/');
    slash[slash == absolute] = 0;
    return absolute;
}

struct config *instance_read_config(const char *path, struct error *err)
{
    struct buf text;
    struct report report;
    if (file_read(path, &text, err) < 0)
        return NULL;
    report_init(&report);
    char *folder = folder_of(path);
    struct config *c = config_parse(buf_bytes(&text), path, folder, &report);
    if (!c) {
        char *faults = report_text(&report);
        fputs(faults, stderr);
        free(faults);
        error_set(err, "%s is no valid configuration; mend it", path);
    }
    free(folder);
    report_fini(&report);
    buf_fini(&text);
    return c;
}

int instance_find(const char *config, const char *admin, struct instance *out, struct error *err)
{
    if (admin)
        return split(admin, out, err);
    struct config *c = instance_read_config(config, err);
    if (!c)
        return -1;
    int result = c->admin
                     ? split(c->admin, out, err)
                     : error_set(err,
                           "%s names no admin address, through which an instance is asked; add "
                           "`admin: {address: \"127.0.0.1:9080\"}` and reload",
                           config);
    config_free(&c);
    return result;
}

/* ---- asking ---- */

static int send_request(int fd, struct bytes request, struct error *err)
{
    while (request.n) {
        ssize_t sent = send(fd, request.at, request.n, MSG_NOSIGNAL);
        if (sent < 0)
            return error_errno(err, errno, "the admin address does not take the request");
        request = bytes_skip(request, (size_t)sent);
    }
    return 0;
}

static int receive_all(int fd, struct buf *in, struct error *err)
{
    for (;;) {
        if (buf_room(in) < READ_BYTES)
            return error_set(err, "the answer is too large");
        ssize_t n = recv(fd, buf_space(in, READ_BYTES), READ_BYTES, 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_set(err, "no answer within %d s", INSTANCE_TIMEOUT_S);
        if (n < 0)
            return error_errno(err, errno, "the answer was cut off");
        buf_added(in, (size_t)n);
    }
}

/* Leave the body of the response in IN. */
static int take_head(struct buf *in, struct error *err)
{
    struct http1_head *head = mem_alloc(sizeof(*head));
    size_t scanned = 0;
    ssize_t n = http1_parse_response(buf_bytes(in), &scanned, BYTES("GET"), head);
    unsigned status = n > 0 ? head->status : 0;
    bool is_whole = n > 0 && head->framing == HTTP1_BODY_LENGTH &&
                    buf_size(in) == (size_t)n + head->content_length;
    free(head);
    if (!is_whole)
        return error_set(err, "what answers at the admin address is not Sallyport, or was cut off");
    buf_consume(in, (size_t)n);
    if (status != 200)
        return error_set(err, "the answer was %u: %.150s", status,
            buf_size(in) && buf_append(in, (struct bytes){(const uint8_t *)"", 1}) == 0
                ? (const char *)buf_bytes(in).at
                : "");
    return 0;
}

static int exchange(int fd, struct bytes request, struct buf *body, struct error *err)
{
    struct timeval limit = {.tv_sec = INSTANCE_TIMEOUT_S};
    /* It was dialled without blocking. */
    if (fcntl(fd, F_SETFL, 0) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return error_errno(err, errno, "the connection to the admin address");
    if (send_request(fd, request, err) < 0 || receive_all(fd, body, err) < 0)
        return -1;
    return take_head(body, err);
}

int instance_ask(
    const struct instance *i, struct bytes request, struct buf *body, struct error *err)
{
    int fd;
    struct error why;
    buf_init(body, INSTANCE_BODY_MAX);
    if (session_dial(i->host, i->port, &fd, &why) < 0)
        return error_set(
            err, "nobody answers at the admin address: %.180s; is it running?", why.text);
    int result = exchange(fd, request, body, err);
    close(fd);
    if (result < 0)
        buf_fini(body);
    return result;
}

int instance_get(const struct instance *i, const char *path, struct buf *body, struct error *err)
{
    char request[256];
    snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    return instance_ask(i, bytes_of(request), body, err);
}
