/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/service.h"

#include <stdlib.h>

#include "balance/upstream.h"
#include "base/memory.h"
#include "base/panic.h"
#include "proxy/service_parts.h"
#include "proxy/sticky.h"
#include "proxy/target_http2.h"

#include "base/ban.h"

/* Everything that decides whom a group's targets may be, and as whom we come. The sessions that
 * they give are bound to it. */
static void group_hash(const struct group *g, const struct source *s, uint8_t out[SHA256_SIZE])
{
    const struct config_group_tls *c = &g->config->tls;
    struct digest *d = digest_new();
    source_digest_text(d, g->config->name);
    source_digest_number(d, (uint64_t)g->config->protocol | (uint64_t)g->config->http2 << 8);
    source_digest_files(d, s, c->ca, c->ca_n);
    source_digest_text(d, c->name);
    source_digest_revocation(d, &c->revocation, &g->tls.verify);
    source_digest_credential(d, g->tls.credential);
    digest_finish(&d, out);
}

void service_init_group_tls(struct group *g, const struct source *s, bool is_for_checks)
{
    const struct config_group_tls *c = &g->config->tls;
    struct certificate_list ca = {0};
    size_t errors = s->report->errors;
    source_anchors(s, c->ca, c->ca_n, &ca);
    g->tls.verify.purpose = PATH_SERVER;
    g->tls.verify.depth_max = VERIFY_DEPTH_DEFAULT;
    g->tls.verify.anchors = path_store_new(&ca, false);
    g->tls.verify.cache = verdict_cache_new();
    source_revocation(s, &c->revocation, &ca, &g->tls.verify);
    if (c->certificate.path && (!is_for_checks || c->engine == CONFIG_ENGINE_NATIVE)) {
        struct config_certificate own = {
            .certificate = c->certificate, .key = c->key, .passphrase = c->passphrase};
        g->tls.credential = source_credential(s, &own, c->engine, PATH_CLIENT);
    }
    static const struct bytes http[] = {
        {(const uint8_t *)"http/1.1", 8}, {(const uint8_t *)"h2", 2}};
    bool is_grpc = is_for_checks && g->config->health_check.type == HEALTH_CHECK_GRPC;
    bool is_http = config_protocol_is_http(g->config->protocol) || is_grpc;
    bool is_http2 = is_grpc || (g->config->http2 && !is_for_checks);
    struct tlspolicy_config config = {
        .engine = source_engine(c->engine),
        .role = TLSPOLICY_CLIENT,
        .version_min = c->tls12 ? TLS_1_2 : TLS_1_3,
        .version_max = c->tls13 ? TLS_1_3 : TLS_1_2,
        .key_exchange_rsa = c->key_exchange_rsa,
        .credentials = (const struct credential *const *)&g->tls.credential,
        .credentials_n = g->tls.credential ? 1 : 0,
        .alpn = is_http ? &http[is_http2] : NULL,
        .alpn_n = is_http ? 1 : 0,
        .tickets = c->resumption && !is_for_checks,
        .session_lifetime_s = GROUP_SESSION_LIFETIME_S,
    };
    source_negotiable(s, &c->negotiable, &config);
    group_hash(g, s, config.hash);
    struct error err;
    if (s->report->errors == errors) {
        g->tls.policy = tlspolicy_new(&config, &err);
        if (!g->tls.policy)
            report_error(s->report, c->at, "%s", err.text);
    }
    certificate_list_fini(&ca);
}

struct service *service_build(const struct service_source *from, struct report *report)
{
    size_t errors = report->errors;
    struct config *config = config_parse_archive(from->archive, report);
    if (!config) {
        if (from->release)
            from->release(from->archive);
        return NULL;
    }
    struct service *s = mem_alloc(sizeof(*s));
    s->references = 1;
    s->generation = from->generation;
    s->archive = from->archive;
    s->release = from->release;
    s->config = config;
    arena_init(&s->arena);
    struct source source = {.from = from, .report = report, .arena = &s->arena};
    s->groups = mem_calloc(config->groups_n, sizeof(*s->groups));
    for (size_t i = 0; i < config->groups_n; i++) {
        group_init(&s->groups[i], &config->groups[i], &s->idle, &s->arena);
        if (from->sticky_key)
            sticky_init_group(&s->groups[i], from->sticky_key);
        if (s->groups[i].is_tls)
            service_init_group_tls(&s->groups[i], &source, false);
    }
    s->listeners = mem_calloc(config->listeners_n, sizeof(*s->listeners));
    for (size_t i = 0; i < config->listeners_n; i++)
        listener_init(&s->listeners[i], &config->listeners[i], &source);
    if (report->errors != errors)
        service_unref(&s);
    return s;
}

struct service *service_ref(struct service *s)
{
    s->references++;
    return s;
}

static void destroy(struct service *s)
{
    for (size_t i = 0; i < s->config->listeners_n; i++)
        listener_fini(&s->listeners[i]);
    for (size_t i = 0; i < s->config->groups_n; i++) {
        upstream_close_idle(&s->groups[i]);
        target_http2_close_idle(&s->groups[i]);
        group_fini(&s->groups[i]);
    }
    free(s->listeners);
    free(s->groups);
    arena_fini(&s->arena);
    config_free(&s->config);
    if (s->release)
        s->release(s->archive);
    free(s);
}

void service_unref(struct service **sp)
{
    struct service *s = *sp;
    *sp = NULL;
    if (s && --s->references == 0)
        destroy(s);
}

void service_resolve(struct service *s, const struct address_book *book)
{
    for (size_t i = 0; i < s->config->groups_n; i++) {
        group_resolve(&s->groups[i], book);
        upstream_close_gone(&s->groups[i]);
        target_http2_close_gone(&s->groups[i]);
    }
}

void service_advance_tickets(const struct service *s, int64_t monotonic_s)
{
    const struct tlspolicy *p;
    for (size_t i = 0; i < s->config->listeners_n; i++)
        for (size_t k = 0; (p = listener_policy(&s->listeners[i], k)); k++)
            tlspolicy_advance(p, monotonic_s);
}

void service_forget_tickets(const struct service *s)
{
    const struct tlspolicy *p;
    for (size_t i = 0; i < s->config->listeners_n; i++)
        for (size_t k = 0; (p = listener_policy(&s->listeners[i], k)); k++)
            tlspolicy_forget_sessions(p);
}

void service_limit_idle(struct service *s, size_t max)
{
    s->idle.max = max;
    for (size_t i = 0; !max && i < s->config->groups_n; i++) {
        upstream_close_idle(&s->groups[i]);
        target_http2_close_idle(&s->groups[i]);
    }
}

const struct config *service_config(const struct service *s)
{
    return s->config;
}

uint64_t service_generation(const struct service *s)
{
    return s->generation;
}
