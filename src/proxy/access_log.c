/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "proxy/access_log_clb.h"
#include "proxy/proxy_parts.h"
#include "proxy/tally.h"
#include "proxy/target_fault.h"
#include "tls/names.h"

#include "base/ban.h"

#define RULE_PATH_MAX 1100 /* see RULE.path in config/keys.def */

static void text_if(struct json *j, const char *key, const char *value)
{
    if (value[0])
        json_text(j, key, value);
}

static void bytes_if(struct json *j, const char *key, struct bytes value)
{
    if (value.n)
        json_bytes(j, key, value);
}

static void tls_object(struct json *j, const struct tlsconn *tls)
{
    const struct tlsconn_facts *f = tlsconn_facts(tls);
    const struct tlsconn_failure *failure = tlsconn_failure(tls);
    json_open_object(j, "tls");
    text_if(j, "version", names_version_token(f->version));
    text_if(j, "cipher", f->cipher);
    text_if(j, "group", f->group);
    if (f->is_handshake_complete)
        json_bool(j, "resumed", f->resumed);
    text_if(j, "alpn", f->alpn);
    json_open_array(j, "offered");
    for (size_t i = 0; i < f->offered_n; i++) {
        char number[8];
        const char *name = tlsconn_cipher_name(f->offered[i]);
        snprintf(number, sizeof(number), "0x%04x", f->offered[i]);
        json_text(j, NULL, name ? name : number);
    }
    json_close_array(j);
    if (failure->alert) {
        const char *key =
            failure->fault == TLSCONN_FAULT_ALERT_RECEIVED ? "alert_received" : "alert_sent";
        json_text(j, key, tlsconn_alert_name(failure->alert));
    }
    json_close_object(j);
}

/* The verdict on the client does not change while the connection lives: it is put into words once.
 */
struct bytes access_log_peer(struct conn *c)
{
    if (buf_size(&c->peer_json) == 0) {
        struct json once;
        json_init(&once, &c->peer_json);
        verdict_json(c->verdict, &once, NULL);
    }
    return buf_bytes(&c->peer_json);
}

/* What was negotiated with a target, and the verdict on it. */
static void target_tls(const struct upstream *u, struct json *j)
{
    if (u->stream.tls) {
        const struct tlsconn_facts *f = tlsconn_facts(u->stream.tls);
        json_open_object(j, "target_tls");
        text_if(j, "version", names_version_token(f->version));
        text_if(j, "cipher", f->cipher);
        text_if(j, "group", f->group);
        if (f->is_handshake_complete)
            json_bool(j, "resumed", f->resumed);
        json_close_object(j);
    }
    verdict_json(u->verdict, j, "target_peer");
}

static void begin(const struct exchange *e, struct json *j)
{
    struct conn *c = e->conn;
    struct proxy *p = c->proxy;
    const struct config_listener *l = c->listener->config;
    char now[CLOCK_RFC3339_MAX], peer[ADDRESS_TEXT_MAX];
    buf_clear(&p->line);
    json_init(j, &p->line);
    clock_format_ms(clock_wall_ms(), now);
    address_format(&c->peer, peer);
    json_open_object(j, NULL);
    json_text(j, "time", now);
    json_text(j, "listener", l->name);
    json_text(j, "protocol", config_protocol_name(l->protocol));
    json_text(j, "client", peer);
    if (c->announced) {
        address_format(&c->announced->via, peer);
        json_text(j, "via", peer);
    }
    if (c->client.tls) {
        text_if(j, "sni", tlsconn_facts(c->client.tls)->sni);
        tls_object(j, c->client.tls);
    }
    if (c->verdict)
        json_raw(j, "peer", access_log_peer(c));
    if (e->upstream && e->upstream->verdict)
        target_tls(e->upstream, j);
}

/* As it stands in the configuration. */
static void rule_object(struct json *j, const struct config_rule *rule)
{
    char path[RULE_PATH_MAX];
    snprintf(path, sizeof(path), "%s%s", config_path_mark(rule->match), rule->path);
    json_open_object(j, "rule");
    json_text(j, "domain", rule->domain);
    json_text(j, "path", path);
    json_close_object(j);
}

static void target(const struct exchange *e, struct json *j)
{
    char address[ADDRESS_TEXT_MAX];
    if (e->group)
        json_text(j, "target_group", e->group->config->name);
    if (e->upstream)
        json_text(j, "target", e->upstream->target->config->address);
    if (e->upstream && e->upstream->target->config->host) {
        address_format(&e->upstream->address, address);
        json_text(j, "target_address", address);
    }
}

/* The remedy in words: for whoever was refused, or for us where a target refused us. */
static void remedy(const struct exchange *e, struct json *j)
{
    const struct verdict *v = NULL;
    if (e->conn->verdict && !e->conn->verdict->accepted)
        v = e->conn->verdict;
    else if (e->refused)
        v = e->refused;
    else if (e->upstream && e->upstream->verdict && !e->upstream->verdict->accepted)
        v = e->upstream->verdict;
    if (v) {
        char text[512];
        verdict_explain(v, text, sizeof(text));
        json_text(j, "remedy", text);
    } else if (e->upstream && target_fault_remedy(e->upstream)) {
        json_text(j, "remedy", target_fault_remedy(e->upstream));
    }
}

static void finish(
    const struct exchange *e, struct json *j, enum close_reason reason, const char *detail)
{
    struct proxy *p = e->conn->proxy;
    remedy(e, j);
    text_if(j, "close", close_reason_token(reason));
    text_if(j, "detail", detail);
    json_close_object(j);
    if (!json_failed(j) && buf_append(&p->line, BYTES("\n")) == 0)
        p->log(p->log_owner, buf_bytes(&p->line));
}

static int64_t between(uint64_t from, uint64_t to)
{
    return to > from ? (int64_t)(to - from) : 0;
}

/* Of what went well, perhaps only one of so many. */
static bool is_wanted(const struct conn *c, bool went_well)
{
    const struct config *config = service_config(c->service);
    if (!config->access_log)
        return false;
    return !went_well || c->proxy->sampled++ % config->access_log_sample == 0;
}

static bool is_clb(const struct conn *c)
{
    return service_config(c->service)->access_log_format == LOG_FORMAT_CLB;
}

static void write_clb(const struct exchange *e)
{
    struct proxy *p = e->conn->proxy;
    access_log_clb(e, &p->line);
    p->log(p->log_owner, buf_bytes(&p->line));
}

/* When the connection to the target opened, and how long that took. */
static void connect_time(const struct exchange *e, struct json *j)
{
    const struct upstream *u = e->upstream;
    if (u && u->ready_ms)
        json_int64(j, "connect",
            between(u->opened_ms > e->started_ms ? u->opened_ms : e->started_ms, u->ready_ms));
}

void access_log_exchange(struct exchange *e, enum close_reason reason, const char *detail)
{
    struct conn *c = e->conn;
    struct json j;
    tally_exchange(e, reason);
    bool went_well = (reason == CLOSE_NONE || reason == CLOSE_DONE) && e->status < 500;
    if (!is_wanted(c, went_well))
        return;
    if (is_clb(c)) {
        write_clb(e);
        return;
    }
    begin(e, &j);
    bytes_if(&j, "method", e->method);
    bytes_if(&j, "host", e->host);
    bytes_if(&j, "path", e->path);
    if (e->status)
        json_int64(&j, "status", e->status);
    if (e->rule)
        rule_object(&j, e->rule);
    if (e->refused)
        verdict_json(e->refused, &j, "rule_peer");
    target(e, &j);
    json_int64(&j, "bytes_in", (int64_t)e->request.bytes);
    json_int64(&j, "bytes_out", (int64_t)e->response.bytes);
    json_open_object(&j, "ms");
    if (c->client.tls)
        json_int64(&j, "handshake", between(c->accepted_ms, c->secured_ms));
    connect_time(e, &j);
    if (e->answered_ms)
        json_int64(&j, "response", between(e->started_ms, e->answered_ms));
    json_int64(&j, "total", between(e->started_ms, conn_now_ms(c)));
    json_close_object(&j);
    finish(e, &j, reason, detail);
}

void access_log_connection(struct conn *c)
{
    const struct exchange *e = &c->exchange;
    struct json j;
    if (c->http2)
        tally_http2(c, c->reason);
    else if (c->state > CONN_HANDSHAKE)
        tally_relay(c, c->reason);
    else if (c->client.tls)
        tally_handshake(c, c->reason, c->detail);
    bool went_well = c->reason == CLOSE_DONE || c->reason == CLOSE_CLIENT_DONE;
    if (!is_wanted(c, went_well))
        return;
    if (is_clb(c)) {
        write_clb(e);
        return;
    }
    begin(e, &j);
    target(e, &j);
    json_int64(&j, "bytes_in", (int64_t)c->client.received);
    json_int64(&j, "bytes_out", (int64_t)c->client.sent);
    json_open_object(&j, "ms");
    if (c->secured_ms && c->client.tls)
        json_int64(&j, "handshake", between(c->accepted_ms, c->secured_ms));
    connect_time(e, &j);
    json_int64(&j, "total", between(c->accepted_ms, conn_now_ms(c)));
    json_close_object(&j);
    finish(e, &j, c->reason, c->detail);
}
