/* SPDX-License-Identifier: Apache-2.0 */
#include "role/endpoint.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/socket.h"

#include "base/ban.h"

/* The kernel cuts it down to net.core.somaxconn. */
#define BACKLOG 4096

static bool is_any_host(const uint8_t octets[16])
{
    static const uint8_t v4_any[16] = {[10] = 0xff, [11] = 0xff}, v6_any[16] = {0};
    return memcmp(octets, v4_any, 16) == 0 || memcmp(octets, v6_any, 16) == 0;
}

bool endpoint_is(const struct endpoint *e, const char *name, const char *text)
{
    struct address a;
    struct error err;
    if (strcmp(e->text, text) != 0)
        return false;
    bool picks_port = address_parse(bytes_of(text), true, &a, &err) == 0 && address_port(&a) == 0;
    return !picks_port || strcmp(e->name, name) == 0;
}

bool endpoint_covers(const struct endpoint *e, const struct address *a)
{
    uint8_t ours[16], theirs[16];
    if (address_port(&e->bound) != address_port(a))
        return false;
    address_octets(&e->bound, ours);
    address_octets(a, theirs);
    return is_any_host(ours) || is_any_host(theirs) || memcmp(ours, theirs, 16) == 0;
}

static int bind_all(struct endpoint *e, const struct address *wanted, unsigned n, struct error *err)
{
    /* The first socket picks the port, where there is one to pick; the others join it. */
    e->bound = *wanted;
    for (; e->fds_n < n; e->fds_n++) {
        struct address bound;
        int fd = socket_listen(&e->bound, true, BACKLOG, &bound, err);
        if (fd < 0)
            return -1;
        e->fds[e->fds_n] = fd;
        bound.both_families = wanted->both_families;
        e->bound = bound;
    }
    return 0;
}

struct endpoint *endpoint_new(
    const char *name, const char *text, unsigned n, bool is_ours, struct error *err)
{
    struct address wanted;
    /* SO_REUSEPORT would let a second instance of the same user in and share the connections
     * between the two: whether the port is free is asked without it. */
    if (address_parse(bytes_of(text), true, &wanted, err) < 0 ||
        (!is_ours && socket_probe(&wanted, err) < 0))
        return NULL;
    struct endpoint *e = mem_alloc(sizeof(*e));
    e->users = 1;
    e->name = mem_strdup(name);
    e->text = mem_strdup(text);
    e->fds = mem_calloc(n, sizeof(int));
    if (bind_all(e, &wanted, n, err) < 0)
        endpoint_unref(&e);
    return e;
}

int endpoint_mend(struct endpoint *e, unsigned index, struct error *err)
{
    if (socket_is_listening(e->fds[index]))
        return 0;
    int fd = socket_listen(&e->bound, true, BACKLOG, NULL, err);
    if (fd < 0)
        return -1;
    close(e->fds[index]);
    e->fds[index] = fd;
    return 1;
}

struct endpoint *endpoint_ref(struct endpoint *e)
{
    e->users++;
    return e;
}

void endpoint_unref(struct endpoint **ep)
{
    struct endpoint *e = *ep;
    *ep = NULL;
    if (!e || --e->users)
        return;
    for (unsigned i = 0; i < e->fds_n; i++)
        close(e->fds[i]);
    free(e->fds);
    free(e->text);
    free(e->name);
    free(e);
}
