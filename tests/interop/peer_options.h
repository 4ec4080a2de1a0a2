/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_options — what the small peers over libraries of others are told on their command line:
 * client|server NAME=VALUE… (tests/interop/tls_peers.py has the names). All of them are tests'
 * programs: what goes wrong is printed in one line, and ends them.
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_REQUEST "GET /interop HTTP/1.0\r\n\r\n"
#define PEER_ANSWER  "HTTP/1.0 200 OK\r\n\r\nhello\n"

struct peer_options {
    char **at;
    int n;
};

/* The VALUE of NAME, or NULL. */
static inline const char *peer_option(const struct peer_options *o, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < o->n; i++)
        if (!strncmp(o->at[i], name, n) && o->at[i][n] == '=')
            return o->at[i] + n + 1;
    return NULL;
}

static inline bool peer_option_is(const struct peer_options *o, const char *name, const char *value)
{
    const char *is = peer_option(o, name);
    return is && !strcmp(is, value);
}

static inline void peer_fail(const char *what, const char *why)
{
    printf("%s: %s\n", what, why);
    exit(1);
}

static inline struct sockaddr_in peer_address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int peer_connect(const struct peer_options *o)
{
    struct sockaddr_in to = peer_address((int)strtol(peer_option(o, "port"), NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        peer_fail("connect", peer_option(o, "port"));
    return fd;
}

/* On a port of the kernel's choice. */
static inline int peer_listen(void)
{
    struct sockaddr_in at = peer_address(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
        peer_fail("listen", "no port");
    return fd;
}
