/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hosts.h"

#include <stdlib.h>

#include "base/attributes.h"

#include "base/ban.h"

#define DNS_PORT  53
#define NDOTS_MAX 15 /* resolv.conf(5) */

/* The next line of *LEFT, without what follows one of COMMENTS. */
static struct bytes take_line(struct bytes *left, const char *comments)
{
    size_t n = bytes_find(*left, '\n');
    struct bytes line = bytes_first(*left, n);
    *left = bytes_skip(*left, n + 1);
    for (; *comments; comments++)
        line.n = bytes_find(line, (uint8_t)*comments);
    return line;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *LINE; empty at its end. */
static struct bytes take_word(struct bytes *line)
{
    while (line->n && is_space(line->at[0]))
        *line = bytes_skip(*line, 1);
    size_t n = 0;
    while (n < line->n && !is_space(line->at[n]))
        n++;
    struct bytes word = bytes_first(*line, n);
    *line = bytes_skip(*line, n);
    return word;
}

static bool names(struct bytes line, struct bytes name)
{
    for (struct bytes word; (word = take_word(&line)).n;)
        if (bytes_equal_nocase(word, name))
            return true;
    return false;
}

size_t hosts_find(struct bytes text, const char *name, struct address *out, size_t max)
{
    size_t n = 0;
    while (text.n && n < max) {
        struct bytes line = take_line(&text, "#");
        struct bytes address = take_word(&line);
        if (names(line, bytes_of(name)) && address_parse_host(address, 0, &out[n]) == 0)
            n++;
    }
    return n;
}

/* ---- resolv.conf ---- */

static void read_server(struct hosts_resolv_conf *c, struct bytes line)
{
    if (c->servers_n < HOSTS_SERVERS_MAX &&
        address_parse_host(take_word(&line), DNS_PORT, &c->servers[c->servers_n]) == 0)
        c->servers_n++;
}

static void read_domains(struct hosts_resolv_conf *c, struct bytes line)
{
    c->domains_n = 0;
    for (struct bytes word; (word = take_word(&line)).n && c->domains_n < HOSTS_DOMAINS_MAX;) {
        char *domain = c->domains[c->domains_n];
        if (word.n > HOSTS_DOMAIN_LENGTH_MAX || bytes_find(word, 0) < word.n)
            continue;
        memcpy(domain, word.at, word.n);
        domain[word.n] = 0;
        c->domains_n++;
    }
}

static void read_options(struct hosts_resolv_conf *c, struct bytes line)
{
    for (struct bytes word; (word = take_word(&line)).n;) {
        if (!bytes_starts_with(word, BYTES("ndots:")))
            continue;
        unsigned n = 0;
        struct bytes digits = bytes_skip(word, strlen("ndots:"));
        for (size_t i = 0; i < digits.n && digits.at[i] >= '0' && digits.at[i] <= '9'; i++)
            n = n < NDOTS_MAX ? 10 * n + (digits.at[i] - '0') : n;
        c->ndots = n < NDOTS_MAX ? n : NDOTS_MAX;
    }
}

static const struct {
    const char *word;
    void (*read)(struct hosts_resolv_conf *c, struct bytes line);
} readings[] = {
    {"nameserver", read_server},
    {"search", read_domains},
    {"domain", read_domains},
    {"options", read_options},
};

void hosts_read_resolv_conf(struct bytes text, struct hosts_resolv_conf *out)
{
    *out = (struct hosts_resolv_conf){.ndots = 1};
    while (text.n) {
        struct bytes line = take_line(&text, "#;");
        struct bytes word = take_word(&line);
        for (size_t i = 0; i < COUNT_OF(readings); i++)
            if (bytes_equal(word, bytes_of(readings[i].word)))
                readings[i].read(out, line);
    }
    if (!out->servers_n)
        out->servers_n =
            address_parse_host(BYTES("127.0.0.1"), DNS_PORT, &out->servers[0]) == 0 ? 1 : 0;
}
