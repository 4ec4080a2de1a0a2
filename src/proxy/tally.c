/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tally.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "proxy/access_log.h"
#include "proxy/handshake_log.h"
#include "proxy/proxy_parts.h"
#include "tls/names.h"

#include "base/ban.h"

/* ---- rows ---- */

static struct count *route_row(struct counters *c, const char *listener, const char *group)
{
    return counters_row(c, COUNTERS_ROUTE, (const char *const[]){listener, group});
}

static void find_routes(
    struct tally *t, const struct listener *l, struct service *s, struct counters *c)
{
    const struct config_listener *config = l->config;
    t->routes = mem_calloc(s->config->groups_n + 1, sizeof(struct count *));
    if (!l->is_http)
        t->routes[config->group] =
            route_row(c, config->name, s->config->groups[config->group].name);
    for (size_t i = 0; i < config->rules_n; i++) {
        size_t group = config->rules[i].group;
        if (group == CONFIG_NO_GROUP)
            continue;
        t->routes[group] = route_row(c, config->name, s->config->groups[group].name);
    }
}

static void note_certificates(
    struct counters *c, const struct authn *a, const char *listener, const char *domain)
{
    for (size_t i = 0; i < a->credentials_n; i++) {
        const char *labels[] = {listener, domain, "", a->config->certificates[i].certificate.path};
        count_set(&counters_row(c, COUNTERS_CERTIFICATE, labels)[CERTIFICATE_NOT_AFTER],
            (uint64_t)certificate_facts(a->credentials[i]->chain.at[0])->not_after);
    }
}

/* Where there are several of one issuer, the newest is what counts. */
static void raise(struct count *c, int64_t to)
{
    if (to > 0 && (uint64_t)to > count_get(c))
        count_set(c, (uint64_t)to);
}

static void note_crls(struct counters *c, const struct crl_list *crls, const char *listener,
    const char *domain, const char *group)
{
    for (size_t i = 0; i < crls->n; i++) {
        const struct crl_facts *f = crl_facts(crls->at[i]);
        const char *labels[] = {listener, domain, group, crl_issuer(crls->at[i])};
        struct count *row = counters_row(c, COUNTERS_CRL, labels);
        raise(&row[CRL_THIS_UPDATE], f->this_update);
        raise(&row[CRL_NEXT_UPDATE], f->next_update);
    }
}

static void note_authn(struct counters *c, const struct listener *l)
{
    const char *name = l->config->name;
    note_certificates(c, &l->authn, name, "");
    note_crls(c, &l->authn.verify.crls, name, "", "");
    for (size_t i = 0; i < l->config->domains_n; i++) {
        note_certificates(c, &l->domain_authn[i], name, l->config->domains[i].name);
        note_crls(c, &l->domain_authn[i].verify.crls, name, l->config->domains[i].name, "");
    }
}

static void find_listener(struct listener *l, struct service *s, struct counters *c)
{
    l->tally = mem_alloc(sizeof(*l->tally));
    l->tally->listener = counters_row(c, COUNTERS_LISTENER, (const char *const[]){l->config->name});
    find_routes(l->tally, l, s, c);
    if (l->is_tls)
        note_authn(c, l);
}

static void find_group(struct group *g, struct counters *c)
{
    for (size_t i = 0; i < g->targets_n; i++) {
        const char *labels[] = {g->config->name, g->targets[i].config->address};
        g->targets[i].counts = counters_row(c, COUNTERS_TARGET, labels);
        count_set(&g->targets[i].counts[TARGET_IN_FORCE], 1);
    }
    if (!g->is_tls)
        return;
    note_crls(c, &g->tls.verify.crls, "", "", g->config->name);
    if (!g->tls.credential)
        return;
    const char *labels[] = {"", "", g->config->name, g->config->tls.certificate.path};
    count_set(&counters_row(c, COUNTERS_CERTIFICATE, labels)[CERTIFICATE_NOT_AFTER],
        (uint64_t)certificate_facts(g->tls.credential->chain.at[0])->not_after);
}

void tally_service(struct proxy *p, struct service *s)
{
    counters_clear(p->counters, COUNTERS_CERTIFICATE);
    counters_clear(p->counters, COUNTERS_CRL);
    counters_clear(p->counters, COUNTERS_TARGET);
    for (size_t i = 0; i < s->config->listeners_n; i++)
        find_listener(&s->listeners[i], s, p->counters);
    for (size_t i = 0; i < s->config->groups_n; i++)
        find_group(&s->groups[i], p->counters);
}

void tally_fini(struct tally **tp)
{
    struct tally *t = *tp;
    *tp = NULL;
    if (t)
        free(t->routes);
    free(t);
}

/* ---- connections ---- */

void tally_opened(struct conn *c)
{
    count_add(&c->listener->tally->listener[LISTENER_ACCEPTED], 1);
    count_add(&c->listener->tally->listener[LISTENER_OPEN], 1);
    count_add(&c->proxy->worker[WORKER_OPEN], 1);
}

void tally_closed(struct conn *c)
{
    count_drop(&c->listener->tally->listener[LISTENER_OPEN]);
    count_drop(&c->proxy->worker[WORKER_OPEN]);
}

/* ---- handshakes ---- */

void tally_message(struct conn *c, enum tlsconn_message_direction direction, struct bytes message)
{
    if (!c->secured_ms) /* what comes later (tickets, KeyUpdate) is no part of the handshake */
        steps_see(&c->steps, direction, message);
}

static void copy_text(char *out, size_t size, const char *text)
{
    struct bytes fitting = bytes_first(bytes_of(text), size - 1);
    memcpy(out, fitting.at, fitting.n);
    out[fitting.n] = 0;
}
#define COPY(array, text) copy_text((array), sizeof(array), (text))

/* As the messages say: libssl tells it only when the handshake is complete. */
static const char *group_name(const struct conn *c)
{
    return c->steps.group ? names_group(c->steps.group) : NULL;
}

static void record_tls(struct handshake_record *r, const struct conn *c)
{
    const struct tlsconn_facts *f = tlsconn_facts(c->client.tls);
    const struct tlsconn_failure *failure = tlsconn_failure(c->client.tls);
    r->version = f->version;
    r->resumed = f->resumed;
    COPY(r->sni, f->sni);
    COPY(r->cipher, f->cipher);
    COPY(r->group, group_name(c) ? group_name(c) : "");
    COPY(r->signature, f->signature);
    COPY(r->alpn, f->alpn);
    if (failure->fault == TLSCONN_FAULT_ALERT_RECEIVED)
        r->steps.alert = r->alert_received = failure->alert;
    else
        r->alert_sent = failure->alert;
    r->steps.seen = c->steps;
    r->steps.key_exchange_rsa = f->key_exchange_rsa;
    if (f->credential)
        steps_describe(&r->steps.server, f->credential->chain.at[0]);
}

/* The verdict as JSON; one with a chain so long that it does not fit is shown with the leaf alone,
 * or with none. */
static void record_peer(struct handshake_record *r, struct conn *c)
{
    struct bytes full = access_log_peer(c);
    steps_note_verdict(&r->steps.verdict, c->verdict);
    if (c->verdict->chain.n)
        steps_describe(&r->steps.client, c->verdict->chain.at[0]);
    struct verdict shown = *c->verdict;
    for (size_t n = 2; full.n > sizeof(r->peer) && n--;) {
        struct json j;
        shown.chain.n = n;
        buf_clear(&c->proxy->line);
        json_init(&j, &c->proxy->line);
        verdict_json(&shown, &j, NULL);
        full = buf_bytes(&c->proxy->line);
    }
    if (full.n > sizeof(r->peer))
        return;
    memcpy(r->peer, full.at, full.n);
    r->peer_n = (uint32_t)full.n;
}

static void record(
    struct conn *c, enum handshake_result result, enum close_reason reason, const char *detail)
{
    struct handshake_record *r = handshake_log_begin(c->proxy->handshakes);
    r->time_ms = clock_wall_ms();
    r->ms = conn_now_ms(c) - c->accepted_ms;
    r->result = result;
    r->close = reason;
    COPY(r->listener, c->listener->config->name);
    address_format(&c->peer, r->client);
    COPY(r->detail, detail);
    r->remedy[0] = 0;
    record_tls(r, c);
    if (c->verdict)
        record_peer(r, c);
    if (c->verdict && !c->verdict->accepted)
        verdict_explain(c->verdict, r->remedy, sizeof(r->remedy));
    handshake_log_end(c->proxy->handshakes);
}

static const char *version_label(uint16_t version)
{
    const char *token = names_version_token(version);
    return *token ? token : "none";
}

/* What tells one outcome from another. The group is one of those that we offer. */
static uint64_t outcome_of(
    const struct conn *c, enum handshake_result result, enum close_reason reason, unsigned verdict)
{
    const struct tlsconn_facts *f = tlsconn_facts(c->client.tls);
    return (uint64_t)f->version << 48 | (uint64_t)c->steps.group << 32 |
           (uint64_t)f->resumed << 24 | (uint64_t)result << 22 | (uint64_t)verdict << 12 |
           (uint64_t)reason;
}

static struct count *find_outcome(
    const struct conn *c, enum handshake_result result, const char *reason)
{
    const struct tlsconn_facts *f = tlsconn_facts(c->client.tls);
    const char *labels[] = {c->listener->config->name, version_label(f->version),
        group_name(c) ? group_name(c) : "none", f->resumed ? "yes" : "no",
        handshake_log_result_name(result), reason};
    return counters_row(c->proxy->counters, COUNTERS_HANDSHAKE, labels);
}

static void count_handshake(struct conn *c, enum handshake_result result, enum close_reason reason)
{
    struct tally *t = c->listener->tally;
    bool by_verdict = result != HANDSHAKE_FAILED;
    unsigned verdict = !by_verdict  ? 0
                       : c->verdict ? (unsigned)c->verdict->reason
                                    : (unsigned)REASON_ACCEPTED;
    uint64_t outcome = outcome_of(c, result, by_verdict ? CLOSE_NONE : reason, verdict);
    struct count *row = NULL;
    for (size_t i = 0; i < t->known_n && !row; i++)
        if (t->known[i].outcome == outcome)
            row = t->known[i].row;
    if (!row) {
        row = find_outcome(c, result,
            by_verdict ? reason_token((enum reason)verdict) : close_reason_token(reason));
        if (t->known_n < TALLY_KNOWN_MAX)
            t->known[t->known_n++] = (struct tally_known){outcome, row};
    }
    count_add(&row[HANDSHAKE_ENDED], 1);
}

void tally_handshake(struct conn *c, enum close_reason reason, const char *detail)
{
    bool is_refused = reason == CLOSE_CLIENT_REFUSED && c->verdict && !c->verdict->accepted;
    enum handshake_result result = reason == CLOSE_NONE ? HANDSHAKE_ACCEPTED
                                   : is_refused         ? HANDSHAKE_REFUSED
                                                        : HANDSHAKE_FAILED;
    count_handshake(c, result, reason);
    record(c, result, reason, detail);
}

/* ---- exchanges and relays ---- */

/* The row of the rule's group; or of none, which there is from the first such request on. */
static struct count *route_of(const struct conn *c, const struct config_rule *rule)
{
    struct count **none = &c->listener->tally->routes[c->service->config->groups_n];
    if (rule && rule->group != CONFIG_NO_GROUP)
        return c->listener->tally->routes[rule->group];
    if (!*none)
        *none = route_row(c->proxy->counters, c->listener->config->name, "");
    return *none;
}

/* The column of a failure that is a target's; REQUESTS if it is not. */
static enum target_column failure_column(enum close_reason reason)
{
    switch ((int)reason) {
    case CLOSE_TARGET_CONNECT:
        return TARGET_CONNECT;
    case CLOSE_TARGET_TIMEOUT:
        return TARGET_TIMEOUT;
    case CLOSE_TARGET_SLOW:
        return TARGET_SLOW;
    case CLOSE_TARGET_HANDSHAKE:
        return TARGET_HANDSHAKE;
    case CLOSE_TARGET_REFUSED:
        return TARGET_REFUSED;
    case CLOSE_TARGET_BAD_RESPONSE:
        return TARGET_BAD_RESPONSE;
    case CLOSE_TARGET_CLOSED:
        return TARGET_CLOSED;
    default:
        return TARGET_REQUESTS;
    }
}

void tally_target_failed(const struct exchange *e, enum close_reason reason)
{
    enum target_column column = failure_column(reason);
    if (column != TARGET_REQUESTS)
        count_add(&e->upstream->target->counts[column], 1);
}

/* What was begun with a target that took the connection. */
static void count_target(const struct exchange *e, enum close_reason reason)
{
    if (!e->upstream || e->upstream->state != UPSTREAM_READY)
        return;
    count_add(&e->upstream->target->counts[TARGET_REQUESTS], 1);
    tally_target_failed(e, reason);
}

static unsigned status_column(unsigned status)
{
    unsigned class = status / 100;
    return class >= 1 && class <= 5 ? ROUTE_STATUS_1XX + class - 1 : ROUTE_STATUS_NONE;
}

static unsigned duration_column(uint64_t ms)
{
    static const unsigned limits[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
    unsigned i = 0;
    while (i < COUNT_OF(limits) && ms > limits[i])
        i++;
    return ROUTE_WITHIN_1 + i;
}

void tally_exchange(const struct exchange *e, enum close_reason reason)
{
    struct count *route = route_of(e->conn, e->rule);
    /* How long an upgraded connection is used says nothing about who is slow. */
    uint64_t ended_ms = e->status == 101 ? e->answered_ms : conn_now_ms(e->conn);
    uint64_t ms = ended_ms > e->started_ms ? ended_ms - e->started_ms : 0;
    count_add(&route[status_column(e->status)], 1);
    count_add(&route[ROUTE_BYTES_IN], e->request.bytes);
    count_add(&route[ROUTE_BYTES_OUT], e->response.bytes);
    count_add(&route[duration_column(ms)], 1);
    count_add(&route[ROUTE_DURATION], ms);
    count_target(e, reason);
}

void tally_http2(struct conn *c, enum close_reason reason)
{
    static const struct {
        enum close_reason reason;
        enum listener_column column;
    } rows[] = {
        {CLOSE_HTTP2_PROTOCOL, LISTENER_HTTP2_PROTOCOL},
        {CLOSE_HTTP2_RESETS, LISTENER_HTTP2_RESETS},
        {CLOSE_HTTP2_CONTROL, LISTENER_HTTP2_CONTROL},
        {CLOSE_HTTP2_FRAMES, LISTENER_HTTP2_FRAMES},
        {CLOSE_HTTP2_HEADERS, LISTENER_HTTP2_HEADERS},
        {CLOSE_HTTP2_MEMORY, LISTENER_HTTP2_MEMORY},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].reason == reason)
            count_add(&c->listener->tally->listener[rows[i].column], 1);
}

void tally_relay(struct conn *c, enum close_reason reason)
{
    struct count *route = c->listener->tally->routes[c->listener->config->group];
    count_add(&route[ROUTE_RELAYS], 1);
    count_add(&route[ROUTE_BYTES_IN], c->client.received);
    count_add(&route[ROUTE_BYTES_OUT], c->client.sent);
    count_target(&c->exchange, reason);
}
