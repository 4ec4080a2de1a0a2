/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sticky.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/scatter.h"
#include "crypto/hash.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

/* A cookie's value: when it was given, in seconds since 1970, and the target's tag; in hexadecimal
 * digits. */
#define TIME_DIGITS   8
#define TAG_DIGITS    16
#define VALUE_N       (TIME_DIGITS + TAG_DIGITS)

#define CLOCK_SLACK_S 60 /* by which the clocks of several instances may differ */

static const struct config_stickiness *rule_of(const struct exchange *e)
{
    return &e->conn->service->groups[e->rule->group].config->stickiness;
}

void sticky_init_group(struct group *g, const uint8_t key[STICKY_KEY_SIZE])
{
    struct hmac_key k;
    hmac_key_init(&k, HASH_SHA256, (struct bytes){key, STICKY_KEY_SIZE});
    for (size_t i = 0; i < g->targets_n; i++) {
        struct target *t = &g->targets[i];
        uint8_t digest[HASH_SIZE_MAX];
        /* The NUL between the names is a part of the first. */
        struct bytes group = {(const uint8_t *)g->config->name, strlen(g->config->name) + 1};
        hmac_make(&k, group, bytes_of(t->config->address), digest);
        memcpy(&t->tag, digest, sizeof(t->tag));
    }
    hmac_key_wipe(&k);
}

/* ---- cookies in requests ---- */

/* N hexadecimal digits in lower case. */
static bool read_hex(struct bytes text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.at[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f'))
            return false;
        *out = *out << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static void read_value(struct exchange *e, struct bytes value)
{
    struct group *g = &e->conn->service->groups[e->rule->group];
    int64_t expires_s = (int64_t)rule_of(e)->expires_ms / 1000;
    uint64_t given_s, tag;
    if (value.n != VALUE_N || !read_hex(bytes_first(value, TIME_DIGITS), &given_s) ||
        !read_hex(bytes_skip(value, TIME_DIGITS), &tag))
        return;
    int64_t age_s = loop_wall_s(e->conn->proxy->loop) - (int64_t)given_s;
    if (age_s < -CLOCK_SLACK_S || age_s >= expires_s)
        return;
    for (size_t i = 0; i < g->targets_n; i++)
        if (g->targets[i].tag == tag)
            e->sticky = (struct sticky){&g->targets[i], age_s};
}

/* RFC 6265 §5.4: NAME=VALUE; NAME=VALUE. What is not ours goes to OUT, which has room for it. */
static size_t take_pairs(struct exchange *e, struct bytes pairs, uint8_t *out)
{
    struct bytes name = bytes_of(rule_of(e)->cookie);
    size_t n = 0;
    while (pairs.n) {
        struct bytes pair = bytes_first(pairs, bytes_find(pairs, ';'));
        pairs = bytes_skip(pairs, pair.n + 1);
        pair = bytes_trim(pair);
        size_t equals = bytes_find(pair, '=');
        if (bytes_equal(bytes_first(pair, equals), name)) {
            read_value(e, bytes_skip(pair, equals + 1));
        } else if (pair.n) {
            memcpy(out + n, "; ", n ? 2 : 0);
            n += n ? 2 : 0;
            memcpy(out + n, pair.at, pair.n);
            n += pair.n;
        }
    }
    return n;
}

void sticky_take(struct exchange *e, struct http1_head *h)
{
    size_t kept = 0;
    if (!rule_of(e)->cookie[0])
        return;
    for (size_t i = 0; i < h->fields_n; i++) {
        struct http1_field field = h->fields[i];
        if (bytes_equal_nocase(field.name, BYTES("Cookie"))) {
            /* Where "a;b" was, "a; b" may be. */
            uint8_t *out = arena_alloc(&e->arena, 2 * field.value.n + 1);
            field.value = (struct bytes){out, take_pairs(e, field.value, out)};
            if (!field.value.n)
                continue;
        }
        h->fields[kept++] = field;
    }
    h->fields_n = kept;
}

/* ---- cookies in responses ---- */

void sticky_give(struct exchange *e, struct http1_head *h)
{
    const struct config_stickiness *rule = rule_of(e);
    const struct target *t = e->upstream->target;
    int64_t expires_s = (int64_t)rule->expires_ms / 1000;
    bool is_known = e->sticky.wanted == t && e->sticky.age_s < expires_s / 2;
    if (!rule->cookie[0] || is_known || h->fields_n == HTTP1_FIELDS_MAX)
        return;
    char *value = arena_printf(&e->arena,
        "%s=%08" PRIx32 "%016" PRIx64 "; Path=/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Lax%s",
        rule->cookie, (uint32_t)loop_wall_s(e->conn->proxy->loop), t->tag, expires_s,
        e->conn->client.tls ? "; Secure" : "");
    h->fields[h->fields_n++] = (struct http1_field){BYTES("Set-Cookie"), bytes_of(value)};
}

/* ---- addresses ---- */

void sticky_close(struct sticky_tables *t)
{
    const struct sticky_table *own = t->own;
    sticky_table_close(&own);
    while (t->peers_n)
        sticky_table_close(&t->peers[--t->peers_n]);
    *t = (struct sticky_tables){0};
}

static bool is_by_address(const struct exchange *e)
{
    return e->group->config->stickiness.source_ip_ms && e->conn->proxy->sticky.own;
}

/* In a group. */
static uint64_t client_of(const struct exchange *e)
{
    uint8_t octets[16];
    address_octets(&e->conn->peer, octets);
    uint64_t group = scatter_bytes(0, bytes_of(e->group->config->name));
    return scatter_bytes(group, (struct bytes){octets, sizeof(octets)});
}

/* Whichever worker had it last. */
static struct sticky_place find_place(const struct exchange *e)
{
    const struct sticky_tables *all = &e->conn->proxy->sticky;
    uint64_t client = client_of(e);
    uint64_t now_ms = conn_now_ms(e->conn);
    struct sticky_place last = sticky_table_get(all->own, client, now_ms);
    for (size_t i = 0; i < all->peers_n; i++) {
        struct sticky_place p = sticky_table_get(all->peers[i], client, now_ms);
        if (p.until_ms > last.until_ms)
            last = p;
    }
    return last;
}

const struct target *sticky_wanted(const struct exchange *e)
{
    if (e->sticky.wanted || !is_by_address(e))
        return e->sticky.wanted;
    struct sticky_place place = find_place(e);
    for (size_t i = 0; place.until_ms && i < e->group->targets_n; i++)
        if (e->group->targets[i].label == place.label)
            return &e->group->targets[i];
    return NULL;
}

void sticky_chosen(const struct exchange *e, const struct target *t)
{
    if (!is_by_address(e))
        return;
    uint64_t until_ms = conn_now_ms(e->conn) + e->group->config->stickiness.source_ip_ms;
    sticky_table_put(
        e->conn->proxy->sticky.own, client_of(e), (struct sticky_place){t->label, until_ms});
}
