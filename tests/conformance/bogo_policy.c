/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bogo_plan.h"
#include "crypto/key_share.h"
#include "tls/signature_scheme.h"

#include "base/ban.h"

#define FILE_MAX (256 * 1024)
#define ALPN_MAX 16

struct bytes plan_file(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        plan_end(1, "%s: cannot be read", path);
    uint8_t *at = mem_alloc_raw(FILE_MAX);
    size_t n = fread(at, 1, FILE_MAX, f);
    fclose(f);
    return (struct bytes){at, n};
}

void plan_free_file(struct bytes file)
{
    free((uint8_t *)(uintptr_t)file.at);
}

/* The runner's responses are none, which those who read a configuration would see. */
static void put_staple(struct credential *c, const struct plan *p)
{
    uint8_t staple[CONTENT_MAX];
    if (!p->ocsp_response || p->decline_ocsp)
        return;
    struct bytes content = plan_decode(p->ocsp_response, staple);
    c->ocsp = (struct bytes){(const uint8_t *)mem_strndup(content.at, content.n), content.n};
}

static struct credential *load_credential(
    const struct plan *p, const char *certificate, const char *key)
{
    struct report report;
    struct credential_files files = {.certificate = plan_file(certificate),
        .key = plan_file(key),
        .certificate_path = certificate,
        .key_path = key};
    report_init(&report);
    struct credential *c =
        credential_load(&files, p->is_server ? PATH_SERVER : PATH_CLIENT, clock_wall_s(), &report);
    if (!c) /* of a kind that we refuse when the configuration is read */
        plan_end(EXIT_UNIMPLEMENTED, "%s", report.n ? report.lines[0].text : "no credential");
    report_fini(&report);
    plan_free_file(files.certificate);
    plan_free_file(files.key);
    put_staple(c, p);
    return c;
}

/* One of "certificate,key". */
static struct credential *load_pair(const struct plan *p, const char *pair)
{
    char *certificate = mem_strdup(pair), *comma = strchr(certificate, ',');
    if (!comma)
        plan_end(1, "no certificate and key: %s", pair);
    *comma = 0;
    struct credential *c = load_credential(p, certificate, comma + 1);
    free(certificate);
    return c;
}

/* A client has one: the last. */
static void load_credentials(struct setup *s, const struct plan *p)
{
    const struct list *pairs = &p->certificates;
    size_t first = p->is_server || !pairs->n ? 0 : pairs->n - 1;
    if (pairs->n > SETUP_CREDENTIALS_MAX)
        plan_end(EXIT_UNIMPLEMENTED, "more than %d certificates", SETUP_CREDENTIALS_MAX);
    for (size_t i = first; i < pairs->n; i++)
        s->credentials[s->credentials_n++] = load_pair(p, pairs->at[i]);
    if (!pairs->n && p->cert_file && p->key_file && p->cert_file[0])
        s->credentials[s->credentials_n++] = load_credential(p, p->cert_file, p->key_file);
}

/* A server has one name, or one that nobody offers. A client's list has the form of RFC 7301 §3.1:
 * each name after its length. */
static size_t read_alpn(const struct plan *p, struct bytes names[ALPN_MAX])
{
    const char *own = p->reject_alpn ? "a name that no runner offers" : p->select_alpn;
    names[0] = bytes_of(own);
    if (p->is_server || !p->advertise_alpn)
        return p->is_server && own;
    size_t n = 0;
    struct bytes rest = bytes_of(p->advertise_alpn);
    while (rest.n > rest.at[0] && n < ALPN_MAX) {
        names[n++] = bytes_first(bytes_skip(rest, 1), rest.at[0]);
        rest = bytes_skip(rest, 1u + rest.at[0]);
        if (!rest.n)
            return n;
    }
    plan_end(EXIT_UNIMPLEMENTED, "no list of ALPN names");
}

static void set_versions(struct tlspolicy_config *config, const struct plan *p)
{
    unsigned long least = plan_number(p->min_version, TLS_1_2),
                  most = plan_number(p->max_version, TLS_1_3);
    if (p->no_tls12 && least < TLS_1_3)
        least = TLS_1_3;
    if (p->no_tls13 && most > TLS_1_2)
        most = TLS_1_2;
    if (most < TLS_1_2 || least > TLS_1_3 || least > most)
        plan_end(EXIT_UNIMPLEMENTED, "no version from %lu to %lu is spoken", least, most);
    config->version_min = least < TLS_1_2 ? TLS_1_2 : (uint16_t)least;
    config->version_max = (uint16_t)most;
}

/* Suites are not chosen one by one; "DEFAULT:3DES" only lets some in that we do not have. */
static void check_suites(const struct plan *p)
{
    static const char more[] = "DEFAULT:";
    if (p->suites && (strncmp(p->suites, more, strlen(more)) != 0 || strchr(p->suites, '!')))
        plan_end(EXIT_UNIMPLEMENTED, "no choice of suites: %s", p->suites);
}

/* What of L, a list of numbers, we have. */
static struct tlspolicy_list numbers_of(
    const struct list *l, bool (*is_ours)(uint16_t), uint16_t numbers[LIST_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        uint16_t number = (uint16_t)plan_number(l->at[i], 0);
        if (is_ours(number))
            numbers[n++] = number;
    }
    if (l->n && !n)
        plan_end(EXIT_UNIMPLEMENTED, "nothing of ours in a list of groups or signature schemes");
    return (struct tlspolicy_list){numbers, n};
}

static bool is_our_scheme(uint16_t number)
{
    return signature_scheme_find(number);
}

static enum tlspolicy_engine engine_of(const struct plan *p)
{
    for (int e = 0; p->engine && e < ENGINE_COUNT; e++)
        if (strcmp(tlspolicy_engine_name((enum tlspolicy_engine)e), p->engine) == 0)
            return (enum tlspolicy_engine)e;
    if (p->engine)
        plan_end(1, "-engine: there is no engine %s", p->engine);
    return ENGINE_NATIVE;
}

static enum tlspolicy_peer peer_of(const struct plan *p)
{
    if (!p->is_server || (!p->require_client_certificate && !p->verify_peer))
        return PEER_NOT_ASKED;
    return p->require_client_certificate ? PEER_REQUIRED : PEER_OPTIONAL;
}

void setup_init(struct setup *s, const struct plan *p)
{
    struct bytes alpn[ALPN_MAX];
    struct error err = {""};
    uint16_t groups[LIST_MAX], schemes[LIST_MAX], own_schemes[LIST_MAX];
    if (p->is_server && p->fail_ocsp)
        plan_end(EXIT_UNIMPLEMENTED, "a server of ours does not fail for want of a staple");
    check_suites(p);
    load_credentials(s, p);
    enum tlspolicy_engine engine = engine_of(p);
    enum tlspolicy_peer peer = peer_of(p);
    struct tlspolicy_config config = {.engine = engine,
        .role = p->is_server ? TLSPOLICY_SERVER : TLSPOLICY_CLIENT,
        .preference = PREFER_CLIENT, /* as the runner's own shim */
        .key_exchange_rsa = true,
        .groups = numbers_of(&p->groups, key_share_is_known, groups),
        .schemes = numbers_of(&p->schemes, is_our_scheme, schemes),
        .own_schemes = numbers_of(&p->own_schemes, is_our_scheme, own_schemes),
        .credentials = (const struct credential *const *)s->credentials,
        .credentials_n = s->credentials_n,
        .peer = peer,
        .alpn = alpn,
        .alpn_n = read_alpn(p, alpn),
        .tickets = !p->no_ticket && (peer == PEER_NOT_ASKED || engine == ENGINE_NATIVE),
        .session_lifetime_s = 7200,
        .hash = {1},
        .ticket_secret = {.at = {2}}};
    set_versions(&config, p);
    s->policy = tlspolicy_new(&config, &err);
    if (!s->policy)
        plan_end(EXIT_UNIMPLEMENTED, "%s", err.text);
}

void setup_fini(struct setup *s)
{
    tlspolicy_free(&s->policy);
    for (size_t i = 0; i < s->credentials_n; i++)
        credential_free(&s->credentials[i]);
}
