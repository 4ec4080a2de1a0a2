/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of all engines have in common. */
#include "tls/tlspolicy.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "crypto/key_share.h"
#include "tls/policy_parts.h"
#include "tls/signature_scheme.h"
#include "tls/ticket_keys.h"
#include "tls/wire.h"

#include "base/ban.h"

/* Of our own certificates: a flight with them fits TLSCONN_WIRE_MAX. */
#define CHAIN_BYTES_MAX (64 * 1024)
/* RFC 8446 §4.6.1: ticket_lifetime MUST NOT be longer. */
#define SESSION_LIFETIME_MAX_S (7 * 24 * 3600)
#define ALPN_NAME_MAX          255

static const struct tlsconn_engine *const engines[ENGINE_COUNT] = {
    [ENGINE_OPENSSL] = &engine_openssl,
    [ENGINE_NATIVE] = &engine_native,
};

const char *tlspolicy_engine_name(enum tlspolicy_engine e)
{
    return engines[e]->name;
}

bool tlspolicy_is_first_of_name(const struct certificate_list *ca, size_t i)
{
    const struct certificate_facts *f = certificate_facts(ca->at[i]);
    for (size_t k = 0; k < i; k++) {
        const struct certificate_facts *before = certificate_facts(ca->at[k]);
        if (before->subject_hash == f->subject_hash && bytes_equal(before->subject, f->subject))
            return false;
    }
    return true;
}

/* Can the key of C sign a handshake under CONFIG, or serve it otherwise? */
static bool is_usable(const struct tlspolicy_config *config, const struct credential *c)
{
    const struct tlspolicy_list *l = &config->own_schemes;
    enum key_kind kind = credential_key_kind(c);
    if (!l->n || (config->key_exchange_rsa && kind == KEY_RSA))
        return true;
    for (size_t i = 0; i < l->n; i++) {
        const struct signature_scheme *s = signature_scheme_find(l->at[i]);
        if (signature_scheme_fits(s, config->version_min, kind) ||
            signature_scheme_fits(s, config->version_max, kind))
            return true;
    }
    return false;
}

static int check_credential(
    const struct tlspolicy_config *config, const struct credential *c, struct error *err)
{
    const char *subject = certificate_subject(c->chain.at[0]);
    size_t total = 0;
    for (size_t i = 0; i < c->chain.n; i++)
        total += certificate_der(c->chain.at[i]).n;
    if (total > CHAIN_BYTES_MAX)
        return error_set(err, "the chain of %s has %zu bytes; at most %d can be sent to a peer",
            subject, total, CHAIN_BYTES_MAX);
    if (credential_key_kind(c) == KEY_UNSUPPORTED)
        return error_set(err,
            "%s: this kind of key is not supported; use RSA, ECDSA (P-256, P-384, P-521) or "
            "Ed25519",
            subject);
    if (!is_usable(config, c))
        return error_set(err,
            "%s: its key cannot sign with any of signature_schemes; add one for this kind of key",
            subject);
    /* One that is elsewhere was compared by credential_load. */
    if (c->key && !private_key_matches(c->key, certificate_facts(c->chain.at[0])->spki))
        return error_set(err, "%s: the private key is not the certificate's", subject);
    return 0;
}

/* P-521, the last, is for those who ask for it: its certificates need it in TLS 1.2 (RFC 8422
 * §5.1), key shares of it cost several times those of P-256. Each number is below 256. */
static const uint8_t groups[] = {
    0, GROUP_X25519, 0, GROUP_SECP256R1, 0, GROUP_SECP384R1, 0, GROUP_SECP521R1};

static struct bytes all_groups(void)
{
    return (struct bytes){groups, sizeof(groups)};
}

struct bytes tlspolicy_usual_groups(void)
{
    return (struct bytes){groups, sizeof(groups) - 2};
}

static int check_list(
    const struct tlspolicy_list *l, struct bytes all, const char *what, struct error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (!wire_contains_16(all, l->at[i]))
            return error_set(err, "0x%04x is no %s that we have", l->at[i], what);
    return 0;
}

static int check_config(const struct tlspolicy_config *config, struct error *err)
{
    if (config->role == TLSPOLICY_SERVER && !config->credentials_n)
        return error_set(err, "a TLS server needs a certificate; none is configured");
    if (config->version_min < TLS_1_2 || config->version_max > TLS_1_3 ||
        config->version_min > config->version_max)
        return error_set(err, "TLS versions 0x%04x to 0x%04x; accepted are 1.2, 1.3 or both",
            config->version_min, config->version_max);
    if (config->key_exchange_rsa_only && config->version_min > TLS_1_2)
        return error_set(err, "RSA key transport does not exist in TLS 1.3; allow TLS 1.2");
    for (size_t i = 0; i < config->alpn_n; i++)
        if (!config->alpn[i].n || config->alpn[i].n > ALPN_NAME_MAX)
            return error_set(err, "an ALPN name of %zu bytes; it has 1 to %d (RFC 7301 §3.1)",
                config->alpn[i].n, ALPN_NAME_MAX);
    if (check_list(&config->groups, all_groups(), "group", err) < 0 ||
        check_list(&config->schemes, signature_schemes_ours(), "signature scheme", err) < 0 ||
        check_list(&config->own_schemes, signature_schemes_ours(), "signature scheme", err) < 0)
        return -1;
    for (size_t i = 0; i < config->credentials_n; i++)
        if (check_credential(config, config->credentials[i], err) < 0)
            return -1;
    return 0;
}

static void copy_alpn(struct tlspolicy *p, const struct tlspolicy_config *config)
{
    size_t total = 0;
    for (size_t i = 0; i < config->alpn_n; i++)
        total += 1 + config->alpn[i].n;
    p->alpn = mem_alloc(total + 1);
    for (size_t i = 0; i < config->alpn_n; i++) {
        p->alpn[p->alpn_n++] = (uint8_t)config->alpn[i].n;
        memcpy(p->alpn + p->alpn_n, config->alpn[i].at, config->alpn[i].n);
        p->alpn_n += config->alpn[i].n;
    }
}

static bool is_offered(struct bytes offered, struct bytes name)
{
    struct bytes one;
    while (wire_take_vector_8(&offered, &one))
        if (bytes_equal(one, name))
            return true;
    return false;
}

struct bytes tlspolicy_choose_alpn(const struct tlspolicy *p, bool is_rsa_kx, struct bytes offered)
{
    struct bytes ours = {p->alpn, p->alpn_n}, name;
    while (wire_take_vector_8(&ours, &name)) {
        bool is_prohibited = is_rsa_kx && bytes_equal(name, BYTES("h2"));
        if (!is_prohibited && is_offered(offered, name))
            return name;
    }
    return (struct bytes){0};
}

static struct bytes copy_list(
    struct arena *arena, const struct tlspolicy_list *l, struct bytes otherwise)
{
    uint8_t *copy = arena_alloc(arena, 2 * l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        copy[2 * i] = (uint8_t)(l->at[i] >> 8);
        copy[2 * i + 1] = (uint8_t)l->at[i];
    }
    return l->n ? (struct bytes){copy, 2 * l->n} : otherwise;
}

static void copy_lists(struct tlspolicy *p, const struct tlspolicy_config *config)
{
    p->groups = copy_list(&p->arena, &config->groups, tlspolicy_usual_groups());
    p->schemes = copy_list(&p->arena, &config->schemes, signature_schemes_ours());
    p->own_schemes = copy_list(&p->arena, &config->own_schemes, signature_schemes_ours());
}

/* A session carries version, suite and what authenticated it past their negotiation, so they are
 * part of what it is bound to. */
static void bind_sessions(struct tlspolicy *p, const struct tlspolicy_config *config)
{
    const struct bytes lists[] = {p->groups, p->schemes, p->own_schemes};
    const uint8_t negotiable[] = {(uint8_t)p->version_min, (uint8_t)p->version_max,
        p->key_exchange_rsa, p->key_exchange_rsa_only};
    struct digest *d = digest_new();
    digest_add(d, (struct bytes){config->hash, sizeof(config->hash)});
    digest_add(d, (struct bytes){negotiable, sizeof(negotiable)});
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        digest_add(d, lists[i]);
    digest_finish(&d, p->binding);
}

static struct tlspolicy *copy_config(const struct tlspolicy_config *config)
{
    struct tlspolicy *p = mem_alloc(sizeof(*p));
    arena_init(&p->arena);
    p->engine = engines[config->engine];
    p->role = config->role;
    p->version_min = config->version_min;
    p->version_max = config->key_exchange_rsa_only ? TLS_1_2 : config->version_max;
    p->preference = config->preference;
    p->key_exchange_rsa = config->key_exchange_rsa;
    p->key_exchange_rsa_only = config->key_exchange_rsa_only;
    p->peer = config->peer;
    p->tickets = config->tickets;
    p->session_lifetime_s = config->session_lifetime_s < SESSION_LIFETIME_MAX_S
                                ? config->session_lifetime_s
                                : SESSION_LIFETIME_MAX_S;
    p->ticket_keys = mem_alloc(sizeof(*p->ticket_keys));
    p->ticket_keys->ratchet = config->ticket_secret;
    p->credentials = mem_calloc(config->credentials_n + 1, sizeof(*p->credentials));
    for (; p->credentials_n < config->credentials_n; p->credentials_n++)
        p->credentials[p->credentials_n] = config->credentials[p->credentials_n];
    if (p->role == TLSPOLICY_SERVER)
        p->sets = certificate_sets_new(p->credentials, p->credentials_n);
    copy_alpn(p, config);
    copy_lists(p, config);
    bind_sessions(p, config);
    ticket_keys_init(p);
    return p;
}

struct tlspolicy *tlspolicy_new(const struct tlspolicy_config *config, struct error *err)
{
    ASSERT(config->engine < ENGINE_COUNT);
    if (check_config(config, err) < 0)
        return NULL;
    struct tlspolicy *p = copy_config(config);
    if (p->engine->policy_init(p, config, err) < 0)
        tlspolicy_free(&p);
    return p;
}

void tlspolicy_advance(const struct tlspolicy *p, int64_t monotonic_s)
{
    ticket_keys_advance(p, monotonic_s);
}

void tlspolicy_forget_sessions(const struct tlspolicy *p)
{
    ticket_keys_forget(p);
}

void tlspolicy_free(struct tlspolicy **p)
{
    if (!*p)
        return;
    (*p)->engine->policy_fini(*p);
    certificate_sets_free(&(*p)->sets);
    free((*p)->credentials);
    free((*p)->alpn);
    mem_wipe((*p)->ticket_keys, sizeof(*(*p)->ticket_keys));
    free((*p)->ticket_keys);
    arena_fini(&(*p)->arena);
    free(*p);
    *p = NULL;
}

struct suite_choice tlspolicy_suites(const struct tlspolicy *p, uint16_t version)
{
    return (struct suite_choice){
        version, p->preference, p->key_exchange_rsa, p->key_exchange_rsa_only};
}

bool tlspolicy_has_fewer_schemes(const struct tlspolicy *p)
{
    return !bytes_equal(p->schemes, signature_schemes_ours());
}
