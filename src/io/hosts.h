/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — the texts of the two files that say what names mean on this machine: /etc/hosts
 * (hosts(5)) and /etc/resolv.conf (resolv.conf(5)). Pure: bytes in, values out.
 */
#pragma once

#include "io/address.h"

#define HOSTS_FILE              "/etc/hosts"
#define HOSTS_RESOLV_CONF       "/etc/resolv.conf"

#define HOSTS_SERVERS_MAX       3 /* what the C library takes */
#define HOSTS_DOMAINS_MAX       6
#define HOSTS_DOMAIN_LENGTH_MAX 253

/* The addresses that TEXT, a hosts file, has for NAME, with port 0, in its order: at most MAX. How
 * many. Letters' case does not count; lines that are none are passed over. */
size_t hosts_find(struct bytes text, const char *name, struct address *out, size_t max);

struct hosts_resolv_conf {
    struct address servers[HOSTS_SERVERS_MAX]; /* port 53 */
    size_t servers_n;
    char domains[HOSTS_DOMAINS_MAX][HOSTS_DOMAIN_LENGTH_MAX + 1]; /* to complete names with */
    size_t domains_n;
    unsigned ndots; /* names with fewer dots are first looked for in these */
};

/* What TEXT, a resolv.conf, says: nameserver, search or domain (the last one counts) and ndots;
 * other options are passed over. Without a server it is the one on this machine. */
void hosts_read_resolv_conf(struct bytes text, struct hosts_resolv_conf *out);
