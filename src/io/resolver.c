/* SPDX-License-Identifier: Apache-2.0 */
#include "io/resolver.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "io/hosts.h"

#include "base/ban.h"

/* A server is given TRY_MS, and in the next round twice as long: where the only one is silent that
 * makes 4.5 s, less than the commit of a configuration waits for names. */
#define TRY_MS       1500
#define TRIES        2
#define SERVERS_TEXT 1024
#define LOCALHOST    "localhost"

/* A descriptor of c-ares. */
struct ares_watch {
    struct list link;
    struct watch watch;
    struct resolver *resolver;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct timer timer;
    struct list watches;
    char *hosts;
    size_t hosts_n;
};

struct question {
    resolver_fn *done;
    void *owner;
};

/* ---- the event loop ---- */

static void timer_fired(struct timer *t);

/* After whatever may have changed what c-ares waits for. */
static void rearm(struct resolver *r)
{
    struct timeval left;
    if (ares_timeout(r->channel, NULL, &left))
        loop_timer_arm(r->loop, &r->timer,
            loop_now_ms(r->loop) + (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1,
            timer_fired);
    else
        loop_timer_stop(r->loop, &r->timer);
}

static void timer_fired(struct timer *t)
{
    struct resolver *r = container_of(t, struct resolver, timer);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(r);
}

/* W may be gone when c-ares returns. */
static void ready(struct watch *w, uint32_t events)
{
    struct resolver *r = container_of(w, struct ares_watch, watch)->resolver;
    bool failed = events & (EPOLLERR | EPOLLHUP);
    int fd = w->fd;
    ares_process_fd(r->channel, events & EPOLLIN || failed ? fd : ARES_SOCKET_BAD,
        events & EPOLLOUT || failed ? fd : ARES_SOCKET_BAD);
    rearm(r);
}

static struct ares_watch *find_watch(struct resolver *r, int fd)
{
    LIST_FOREACH (it, &r->watches) {
        struct ares_watch *w = container_of(it, struct ares_watch, link);
        if (w->watch.fd == fd)
            return w;
    }
    return NULL;
}

static void forget_watch(struct resolver *r, struct ares_watch *w)
{
    loop_unwatch(r->loop, &w->watch);
    list_remove(&w->link);
    free(w);
}

/* c-ares says what it waits for on FD; for nothing: it is about to close it. */
static void socket_changed(void *owner, ares_socket_t fd, int reads, int writes)
{
    struct resolver *r = owner;
    struct ares_watch *w = find_watch(r, fd);
    uint32_t events = (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0);
    if (w && events) {
        loop_watch_change(r->loop, &w->watch, events);
    } else if (w) {
        forget_watch(r, w);
    } else if (events) {
        w = mem_alloc(sizeof(*w));
        *w = (struct ares_watch){.watch = {.fd = -1}, .resolver = r};
        list_append(&r->watches, &w->link);
        /* What cannot be watched is not heard, and so is late. */
        if (loop_watch(r->loop, &w->watch, fd, events, ready) < 0)
            forget_watch(r, w);
    }
}

/* ---- answers ---- */

static const struct {
    int status;
    const char *why;
} failures[] = {
    {ARES_ENOTFOUND, "there is no such name"},
    {ARES_ENODATA, "the name has no address"},
    {ARES_ETIMEOUT, "no name server answered in time"},
    /* c-ares tries all servers, and does not tell these apart then */
    {ARES_ECONNREFUSED, "the name servers cannot be reached, fail (SERVFAIL) or refuse"},
    {ARES_EBADRESP, "the name servers answered with what is no answer"},
};

static const char *why_failed(int status)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++)
        if (failures[i].status == status)
            return failures[i].why;
    return ares_strerror(status);
}

/* Can a server be there? Not at 0.0.0.0 (which some name servers answer with to block a name), nor
 * at an address of many, nor at one that says nothing without its interface. */
static bool is_usable(const struct address *a)
{
    uint8_t octets[16];
    struct in6_addr v6;
    address_octets(a, octets);
    memcpy(&v6, octets, sizeof(v6));
    if (!IN6_IS_ADDR_V4MAPPED(&v6))
        return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) &&
               !IN6_IS_ADDR_LINKLOCAL(&v6);
    return octets[12] != 0 && octets[12] < 224; /* RFC 1122 §3.2.1.3; class D and above */
}

static int compare(const struct address *a, const struct address *b)
{
    uint8_t x[16], y[16];
    address_octets(a, x);
    address_octets(b, y);
    return memcmp(x, y, sizeof(x));
}

/* Into its place. The last falls off the end. */
static void insert(struct resolver_answer *answer, const struct address *a)
{
    size_t at = 0;
    while (at < answer->addresses_n && compare(&answer->addresses[at], a) < 0)
        at++;
    if (at == RESOLVER_ADDRESSES_MAX ||
        (at < answer->addresses_n && compare(&answer->addresses[at], a) == 0))
        return;
    size_t behind = answer->addresses_n - at;
    if (answer->addresses_n == RESOLVER_ADDRESSES_MAX)
        behind--;
    else
        answer->addresses_n++;
    memmove(&answer->addresses[at + 1], &answer->addresses[at], behind * sizeof(*a));
    answer->addresses[at] = *a;
}

/* RFC 2181 §8: a TTL with its top bit set is taken for 0. */
static void limit_ttl(struct resolver_answer *answer, int ttl_s)
{
    unsigned limit_s = ttl_s > 0 ? (unsigned)ttl_s : 0;
    if (limit_s < answer->ttl_s)
        answer->ttl_s = limit_s;
}

static void collect(struct resolver_answer *answer, const struct ares_addrinfo *found)
{
    for (const struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next) {
        struct address a = {.n = n->ai_addrlen};
        if (n->ai_addrlen > sizeof(a.sa))
            continue;
        memcpy(&a.sa, n->ai_addr, n->ai_addrlen);
        limit_ttl(answer, n->ai_ttl);
        if (is_usable(&a))
            insert(answer, &a);
    }
    for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
        limit_ttl(answer, c->ttl);
    if (!answer->addresses_n)
        answer->why = "the name has no address that a server can have";
}

static void answered(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *q = owner;
    struct resolver_answer answer = {.ttl_s = RESOLVER_TTL_MAX_S};
    if (status == ARES_SUCCESS)
        collect(&answer, found);
    else
        answer.why = why_failed(status);
    ares_freeaddrinfo(found);
    if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED)
        q->done(q->owner, &answer);
    free(q);
}

/* ---- names that need no server ---- */

/* RFC 6761 §6.3: resolvers answer for localhost and whatever is below it themselves. */
static bool is_localhost(const char *name)
{
    struct bytes n = bytes_of(name), suffix = BYTES("." LOCALHOST);
    return bytes_equal_nocase(n, BYTES(LOCALHOST)) ||
           (n.n > suffix.n && bytes_equal_nocase(bytes_skip(n, n.n - suffix.n), suffix));
}

/* False: a server must be asked. */
static bool answer_at_once(const struct resolver *r, const char *name, struct resolver_answer *out)
{
    struct address found[RESOLVER_ADDRESSES_MAX];
    struct bytes hosts = {(const uint8_t *)r->hosts, r->hosts_n};
    size_t n = hosts_find(hosts, name, found, COUNT_OF(found));
    if (!n && is_localhost(name))
        n = hosts_find(
            BYTES("127.0.0.1 " LOCALHOST "\n::1 " LOCALHOST), LOCALHOST, found, COUNT_OF(found));
    *out = (struct resolver_answer){.ttl_s = RESOLVER_TTL_MAX_S};
    for (size_t i = 0; i < n; i++)
        if (is_usable(&found[i]))
            insert(out, &found[i]);
    return out->addresses_n > 0;
}

/* ---- creation ---- */

/* All that c-ares would look for in files is given to it, so that it opens none. */
static int open_channel(struct resolver *r, const struct hosts_resolv_conf *conf)
{
    char *domains[HOSTS_DOMAINS_MAX];
    for (size_t i = 0; i < conf->domains_n; i++)
        domains[i] = (char *)(uintptr_t)conf->domains[i];
    static char lookups[] = "b"; /* servers only: the hosts file is ours */
    struct ares_options options = {
        .timeout = TRY_MS,
        .tries = TRIES,
        .ndots = (int)conf->ndots,
        .domains = domains,
        .ndomains = (int)conf->domains_n,
        .lookups = lookups,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = r,
    };
    return ares_init_options(&r->channel, &options,
        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
            ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS | ARES_OPT_SORTLIST);
}

/* "192.0.2.1:53,[2001:db8::1]:53" */
static int set_servers(
    struct resolver *r, const struct resolver_config *config, const struct hosts_resolv_conf *conf)
{
    struct buf list;
    char text[ADDRESS_TEXT_MAX];
    buf_init(&list, SERVERS_TEXT);
    size_t n = config->servers_n ? config->servers_n : conf->servers_n;
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        if (!config->servers_n)
            address_format(&conf->servers[i], text);
        result =
            buf_printf(&list, "%s%s", i ? "," : "", config->servers_n ? config->servers[i] : text);
    }
    if (result == 0 && buf_append(&list, (struct bytes){(const uint8_t *)"", 1}) == 0)
        result = ares_set_servers_ports_csv(r->channel, (const char *)buf_bytes(&list).at);
    buf_fini(&list);
    return result;
}

struct resolver *resolver_new(
    struct loop *loop, const struct resolver_config *config, struct error *err)
{
    struct hosts_resolv_conf conf;
    hosts_read_resolv_conf(config->resolv_conf, &conf);
    if (config->servers_n)
        conf.domains_n = 0;
    struct resolver *r = mem_alloc(sizeof(*r));
    r->loop = loop;
    list_init(&r->watches);
    r->hosts =
        mem_strndup(config->hosts.at ? config->hosts.at : (const uint8_t *)"", config->hosts.n);
    r->hosts_n = config->hosts.n;
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status == ARES_SUCCESS)
        status = open_channel(r, &conf);
    if (status == ARES_SUCCESS)
        status = set_servers(r, config, &conf);
    if (status == ARES_SUCCESS)
        return r;
    error_set(err, "names cannot be resolved: %s", ares_strerror(status));
    resolver_free(&r);
    return NULL;
}

void resolver_free(struct resolver **rp)
{
    struct resolver *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    if (r->channel)
        ares_destroy(r->channel);
    loop_timer_stop(r->loop, &r->timer);
    LIST_FOREACH_SAFE (it, &r->watches)
        forget_watch(r, container_of(it, struct ares_watch, link));
    ares_library_cleanup();
    free(r->hosts);
    free(r);
}

void resolver_ask(struct resolver *r, const char *name, resolver_fn *done, void *owner)
{
    struct resolver_answer answer;
    if (answer_at_once(r, name, &answer)) {
        done(owner, &answer);
        return;
    }
    struct question *q = mem_alloc(sizeof(*q));
    *q = (struct question){done, owner};
    /* NOSORT: the order is ours, and finding theirs means sockets and routes. */
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(r->channel, name, NULL, &hints, answered, q);
    rearm(r);
}
