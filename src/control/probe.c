/* SPDX-License-Identifier: Apache-2.0 */
#include "control/probe.h"

#include <stdio.h>

#include "proto/proxy_protocol.h"

#include "base/ban.h"

/* Nothing but the connection, or the handshake. */
static const struct probe_kind none;

static const struct {
    const struct probe_kind *kind;
    bool is_tls;
} kinds[] = {
    [HEALTH_CHECK_TCP] = {&none, false},
    [HEALTH_CHECK_TLS] = {&none, true},
    [HEALTH_CHECK_HTTP] = {&probe_http, false},
    [HEALTH_CHECK_HTTPS] = {&probe_http, true},
    [HEALTH_CHECK_GRPC] = {&probe_grpc, false},
    [HEALTH_CHECK_CUSTOM] = {&probe_custom, false},
};

bool probe_is_tls(const struct config_group *g)
{
    enum config_health_type type = g->health_check.type;
    return kinds[type].is_tls || (type == HEALTH_CHECK_GRPC && config_protocol_is_tls(g->protocol));
}

const char *probe_host(const struct probe *p, char space[PROBE_HOST_MAX])
{
    const struct config_target *target = p->upstream->target->config;
    if (p->config->host[0])
        return p->config->host;
    if (target->host)
        return target->address;
    address_format(&p->upstream->address, space);
    return space;
}

/* ---- the answer ---- */

static void release(struct probe *p)
{
    loop_timer_stop(p->loop, &p->limit);
    if (p->kind->end)
        p->kind->end(p);
}

static void end(struct probe *p, bool is_good)
{
    release(p);
    if (p->kind == &none && !p->upstream->stream.tls)
        upstream_reset(&p->upstream); /* nothing was begun that would have to be ended */
    else
        upstream_close(&p->upstream);
    p->done(p->owner, is_good, is_good ? "" : p->why);
}

static void fail(struct probe *p, const char *why)
{
    snprintf(p->why, sizeof(p->why), "%.*s", PROBE_WHY_MAX - 1, why);
    end(p, false);
}

static void late(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, limit);
    static const char *const waited_for[] = {
        [UPSTREAM_CONNECTING] = "no connection",
        [UPSTREAM_HANDSHAKE] = "no TLS handshake",
        [UPSTREAM_READY] = "no answer",
        [UPSTREAM_IDLE] = "",
        [UPSTREAM_FAILED] = "",
    };
    char why[64];
    snprintf(why, sizeof(why), "%s within %llu ms", waited_for[p->upstream->state],
        (unsigned long long)p->config->timeout_ms);
    fail(p, why);
}

/* ---- what happens on the way ---- */

/* Where libssl shows a certificate of ours to targets, the check has none: its key is not
 * control's. A target that asks for it has by then shown its own, which was accepted. */
static bool is_only_our_certificate_missing(const struct upstream *u)
{
    return u->stream.tls && u->group->config->tls.certificate.path && !u->group->tls.credential &&
           u->verdict && u->verdict->accepted && tlsconn_facts(u->stream.tls)->peer_asked &&
           tlsconn_failure(u->stream.tls)->fault == TLSCONN_FAULT_ALERT_RECEIVED;
}

static void failed(struct probe *p)
{
    const struct upstream *u = p->upstream;
    char why[PROBE_WHY_MAX];
    if (p->kind == &none && is_only_our_certificate_missing(u)) {
        end(p, true);
    } else if (u->fault == UPSTREAM_FAULT_CERTIFICATE) {
        snprintf(
            why, sizeof(why), "its certificate is refused: %s", reason_token(u->verdict->reason));
        fail(p, why);
    } else {
        fail(p, u->detail);
    }
}

static void ready(struct probe *p)
{
    struct stream *s = &p->upstream->stream;
    if (!p->kind->send) {
        end(p, true);
        return;
    }
    if (!p->is_sent) {
        p->kind->send(p, &s->out);
        p->is_sent = true;
    }
    stream_flush(s);
    int answer;
    do
        answer = p->kind->judge(p, &s->in, &s->out);
    while (answer < 0 && stream_refill(s));
    stream_flush(s);
    if (answer >= 0)
        end(p, answer > 0);
    else if (s->state != STREAM_OPEN || s->write_failed)
        fail(p, "it closed the connection before its answer");
    else if (!buf_room(&s->in))
        fail(p, "its answer has no end");
    else
        stream_poll(s, true);
}

static void changed(void *owner, uint32_t events)
{
    struct probe *p = owner;
    if (p->upstream->state == UPSTREAM_FAILED)
        failed(p);
    else if (p->upstream->state == UPSTREAM_READY)
        ready(p);
}

/* ---- beginning and end ---- */

/* Targets that expect the PROXY protocol are told that the connection is nobody's (its §2.2: LOCAL
 * is for health checks). */
static void announce(struct probe *p, const struct config_group *g)
{
    static const struct proxy_protocol nobody;
    struct buf *preface = upstream_preface(p->upstream);
    if (preface && g->proxy_protocol == PROXY_PROTOCOL_V2)
        proxy_protocol_write(preface, &nobody, NULL);
}

void probe_begin(struct probe *p, struct loop *loop, struct group *g, struct target *t,
    probe_fn *done, void *owner)
{
    const struct config_health_check *config = &g->config->health_check;
    /* The probe's own limit comes first, or at the same time. */
    struct upstream_limits limits = {
        .connect_ms = config->timeout_ms, .handshake_ms = config->timeout_ms};
    *p = (struct probe){.loop = loop,
        .config = config,
        .kind = kinds[config->type].kind,
        .done = done,
        .owner = owner};
    p->upstream = upstream_open(loop, g, t, &limits, changed, p);
    announce(p, g->config);
    loop_timer_arm(loop, &p->limit, loop_now_ms(loop) + config->timeout_ms, late);
}

void probe_cancel(struct probe *p)
{
    if (!p->upstream)
        return;
    release(p);
    upstream_reset(&p->upstream);
}
