/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/authn.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

bool authn_asks(const struct authn *a)
{
    return a->config->authentication != AUTHENTICATION_ONE_WAY;
}

/* Everything that decides who is let in and to whom they talk. A ticket opens only under the hash
 * that it was made under (peers.md §4.1: resumption that carries authentication across policies).
 */
static void policy_hash(const struct authn *a, const struct config_listener *listener,
    const struct config_domain *domain, const struct source *s, uint8_t out[SHA256_SIZE])
{
    const struct config_authn *c = a->config;
    struct digest *d = digest_new();
    source_digest_text(d, listener->name);
    source_digest_text(d, listener->address);
    source_digest_text(d, domain ? domain->name : "");
    source_digest_number(d, (uint64_t)listener->protocol);
    source_digest_number(d, (uint64_t)c->authentication);
    source_digest_number(d, (uint64_t)listener->tls.tls12 | (uint64_t)listener->tls.tls13 << 1 |
                                (uint64_t)listener->tls.key_exchange_rsa << 2 |
                                (uint64_t)listener->tls.preference << 3 |
                                (uint64_t)listener->tls.engine << 5);
    source_digest_number(d, listener->tls.session_lifetime_ms);
    source_digest_number(d, c->certificates_n);
    for (size_t i = 0; i < c->certificates_n; i++)
        source_digest_credential(d, i < a->credentials_n ? a->credentials[i] : NULL);
    source_digest_files(d, s, c->client_ca, c->client_ca_n);
    source_digest_number(d, c->client_names_n);
    for (size_t i = 0; i < c->client_names_n; i++)
        source_digest_text(d, c->client_names[i].text);
    source_digest_revocation(d, &c->revocation, &a->verify);
    digest_finish(&d, out);
}

static void load_credentials(
    struct authn *a, const struct config_listener *listener, const struct source *s)
{
    const struct config_authn *c = a->config;
    bool can_encipher = false;
    a->credentials = mem_calloc(c->certificates_n, sizeof(*a->credentials));
    for (size_t i = 0; i < c->certificates_n; i++) {
        struct credential *credential =
            source_credential(s, &c->certificates[i], listener->tls.engine, PATH_SERVER);
        if (!credential)
            continue;
        const struct certificate_facts *f = certificate_facts(credential->chain.at[0]);
        can_encipher |= f->key_kind == KEY_RSA && f->key_usage & USAGE_KEY_ENCIPHERMENT;
        a->credentials[a->credentials_n++] = credential;
    }
    if (listener->tls.key_exchange_rsa && !can_encipher && a->credentials_n == c->certificates_n)
        report_error(s->report, listener->tls.at,
            "key_exchange: rsa needs an RSA certificate whose keyUsage has keyEncipherment; add "
            "one to certificates, or "
            "remove key_exchange");
}

static enum tlspolicy_preference preference(enum config_preference p)
{
    switch (p) {
    case PREFERENCE_STRONGEST:
        return PREFER_STRONGEST;
    case PREFERENCE_FASTEST:
        return PREFER_FASTEST;
    case PREFERENCE_CLIENT:
        return PREFER_CLIENT;
    }
    return PREFER_STRONGEST;
}

static enum tlspolicy_peer peer(enum config_authentication a)
{
    switch (a) {
    case AUTHENTICATION_ONE_WAY:
        return PEER_NOT_ASKED;
    case AUTHENTICATION_OPTIONAL:
        return PEER_OPTIONAL;
    case AUTHENTICATION_MUTUAL:
        return PEER_REQUIRED;
    }
    return PEER_REQUIRED;
}

static void make_tls(struct authn *a, const struct config_listener *listener,
    const struct config_domain *domain, const struct certificate_list *ca, const struct source *s)
{
    /* RFC 7301 §6 and its registry: a client of HTTP/1.0 offers that alone */
    static const struct bytes http[] = {{(const uint8_t *)"h2", 2},
        {(const uint8_t *)"http/1.1", 8}, {(const uint8_t *)"http/1.0", 8}};
    const size_t skipped = (domain ? domain->http2 : listener->http2) ? 0 : 1;
    bool is_http = config_protocol_is_http(listener->protocol);
    /* The verdict on a resumed session's client is made anew, from the ticket: libssl does not. */
    bool can_judge_again = listener->tls.engine == CONFIG_ENGINE_NATIVE;
    struct tlspolicy_config config = {
        .engine = source_engine(listener->tls.engine),
        .role = TLSPOLICY_SERVER,
        .version_min = listener->tls.tls12 ? TLS_1_2 : TLS_1_3,
        .version_max = listener->tls.tls13 ? TLS_1_3 : TLS_1_2,
        .preference = preference(listener->tls.preference),
        .key_exchange_rsa = listener->tls.key_exchange_rsa,
        .credentials = (const struct credential *const *)a->credentials,
        .credentials_n = a->credentials_n,
        .peer = peer(a->config->authentication),
        .ca = authn_asks(a) ? ca : NULL,
        .alpn = is_http ? http + skipped : NULL,
        .alpn_n = is_http ? COUNT_OF(http) - skipped : 0,
        .tickets = !authn_asks(a) || can_judge_again,
        .session_lifetime_s = (uint32_t)(listener->tls.session_lifetime_ms / 1000),
    };
    source_negotiable(s, &listener->tls.negotiable, &config);
    policy_hash(a, listener, domain, s, a->hash);
    memcpy(config.hash, a->hash, sizeof(config.hash));
    config.ticket_secret = s->from->ticket_secret;
    struct error err;
    a->tls = tlspolicy_new(&config, &err);
    if (!a->tls)
        report_error(s->report, a->config->at, "%s", err.text);
    mem_wipe(&config, sizeof(config));
}

void authn_init(struct authn *a, const struct config_listener *listener,
    const struct config_domain *domain, const struct source *s)
{
    a->config = domain ? &domain->authn : &listener->authn;
    struct certificate_list ca = {0};
    size_t errors = s->report->errors;
    load_credentials(a, listener, s);
    if (authn_asks(a)) {
        a->verify.purpose = PATH_CLIENT;
        a->verify.depth_max = VERIFY_DEPTH_DEFAULT;
        source_anchors(s, a->config->client_ca, a->config->client_ca_n, &ca);
        a->verify.anchors = path_store_new(&ca, false);
        a->verify.cache = verdict_cache_new();
        source_revocation(s, &a->config->revocation, &ca, &a->verify);
        a->names = source_names(s, a->config->client_names, a->config->client_names_n);
        a->verify.names = a->names;
        a->verify.names_n = a->config->client_names_n;
    }
    if (s->report->errors == errors)
        make_tls(a, listener, domain, &ca, s);
    certificate_list_fini(&ca);
}

void authn_fini(struct authn *a)
{
    tlspolicy_free(&a->tls);
    verify_policy_fini(&a->verify);
    for (size_t i = 0; i < a->credentials_n; i++)
        credential_free(&a->credentials[i]);
    free(a->credentials);
    free(a->names);
    *a = (struct authn){0};
}

void authn_judge(const struct authn *a, const struct certificate *const *chain, size_t chain_n,
    int64_t now_s, struct verdict *out)
{
    if (chain_n == 0)
        verdict_no_certificate(out, a->config->authentication == AUTHENTICATION_OPTIONAL);
    else
        verify_chain(&a->verify, chain, chain_n, now_s, out);
}
