/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — a configuration: validated, immutable, plain data (docs/config.md is generated from
 * config/keys.def).
 *
 * config_parse turns text into it without touching a file or socket. Everything is in force as it
 * stands: defaults are filled in, and no value means "unset". Memory: all of it is in the config's
 * arena; config_free frees it at once.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/report.h"
#include "config/config_api.h"
#include "config/config_timeouts.h"
#include "config/health_check.h"
#include "config/rule.h"

/* The system's trust store: what vouches for targets where a target group names no CA. */
#define CONFIG_SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

enum config_protocol { PROTOCOL_HTTP, PROTOCOL_HTTPS, PROTOCOL_TCP, PROTOCOL_TCP_SSL };
enum config_authentication {
    AUTHENTICATION_ONE_WAY,
    AUTHENTICATION_MUTUAL,
    AUTHENTICATION_OPTIONAL
};
enum config_revocation {
    CONFIG_REVOCATION_OFF,
    CONFIG_REVOCATION_HARD,
    CONFIG_REVOCATION_SOFT,
    CONFIG_REVOCATION_GRACE
};
enum config_preference { PREFERENCE_STRONGEST, PREFERENCE_FASTEST, PREFERENCE_CLIENT };
enum config_engine { CONFIG_ENGINE_NATIVE, CONFIG_ENGINE_OPENSSL };
enum config_scheduler { SCHEDULER_WRR, SCHEDULER_LEAST_CONN, SCHEDULER_IP_HASH };
enum config_log_format { LOG_FORMAT_JSON, LOG_FORMAT_CLB };
enum config_proxy_protocol { PROXY_PROTOCOL_NONE, PROXY_PROTOCOL_V2 };

/* A file that the configuration names; PATH, if relative there, begins at its folder. */
struct config_file {
    const char *path;
    struct position at;
};

struct config_text {
    const char *text;
    struct position at;
};

struct config_certificate {
    struct config_file certificate, key;
    struct config_file passphrase; /* of the key; path NULL: it is not encrypted */
    struct config_file ocsp;       /* path NULL: nothing is stapled */
};

struct config_policy {
    enum config_revocation kind;
    uint64_t grace_ms;
};

/* Certificates issued by the CA of this name fall under a policy of their own. */
struct config_revocation_ca {
    const char *issuer; /* as certificate_subject shows it */
    struct config_policy policy;
    struct position at;
};

struct config_revocation_rule {
    struct config_policy policy;
    const struct config_revocation_ca *per_ca;
    size_t per_ca_n;
    const struct config_file *crl;
    size_t crl_n;
    struct position at;
};

/* Who is authenticated how: of a listener, or of one of its domains. */
struct config_authn {
    enum config_authentication authentication;
    const struct config_certificate *certificates;
    size_t certificates_n;
    const struct config_file *client_ca;
    size_t client_ca_n;
    const struct config_text *client_names;
    size_t client_names_n;
    struct config_revocation_rule revocation;
    struct position at;
};

struct config_domain {
    const char *name;          /* lower case; exact or *.x */
    struct config_authn authn; /* what the domain leaves out was taken from the listener */
    bool http2;                /* likewise */
    struct position at;
};

/* What handshakes may be agreed on, by their IANA names, the one that we like best first. */
struct config_negotiable {
    const struct config_text *groups;
    size_t groups_n;
    const struct config_text *schemes;
    size_t schemes_n;
};

struct config_tls {
    bool tls12, tls13;
    enum config_engine engine;
    enum config_preference preference;
    struct config_negotiable negotiable;
    bool key_exchange_rsa;
    uint64_t session_lifetime_ms;
    struct position at;
};

/* An address and prefix length in binary. */
struct config_network {
    uint8_t address[16]; /* IPv4 as v4-mapped IPv6 */
    unsigned prefix;     /* 0–128 */
};

struct config_listener {
    const char *name;
    enum config_protocol protocol;
    const char *address; /* "127.0.0.1:443", "[::]:443", ":443" (both families); port 0 picks one */
    struct position at, address_at;
    struct config_authn authn;           /* HTTPS, TCP_SSL */
    struct config_tls tls;               /* HTTPS, TCP_SSL */
    const struct config_domain *domains; /* HTTPS */
    size_t domains_n;
    const struct config_rule *rules; /* HTTP, HTTPS: the first one's domain is the default domain */
    size_t rules_n;
    struct config_headers request_headers, response_headers; /* HTTP, HTTPS: before its rules' */
    bool http2;                                              /* HTTPS: offered */
    bool compression;  /* HTTP, HTTPS: what its rules leave out */
    uint64_t max_body; /* likewise */
    struct config_limits limits;
    size_t group;                                 /* TCP, TCP_SSL: index into config.groups */
    const struct config_network *trusted_proxies; /* whose X-Forwarded-For is appended to */
    size_t trusted_proxies_n;
    const struct config_network *proxy_sources; /* who puts a header of the PROXY protocol first */
    size_t proxy_sources_n;
};

struct config_target {
    const char *address; /* "10.0.0.5:8080", "[2001:db8::5]:8080", "app.internal:8080" */
    const char *host;    /* "app.internal": a name, that control resolves; NULL: it is numeric */
    unsigned weight;     /* 0–100; 0 gets no new work */
    struct position at;
};

struct config_group_tls {         /* HTTPS, TCP_SSL groups */
    const struct config_file *ca; /* never empty: the system's trust store where none is given */
    size_t ca_n;
    const char
        *name; /* DNS name or IP address that targets must prove; "" = each target's own host */
    struct config_revocation_rule revocation;
    struct config_file certificate, key; /* path NULL: none */
    struct config_file passphrase;       /* of the key; likewise */
    bool tls12, tls13, key_exchange_rsa;
    enum config_engine engine;
    struct config_negotiable negotiable;
    bool resumption; /* the targets' sessions are resumed */
    struct position at;
};

struct config_group {
    const char *name;
    enum config_protocol protocol;
    enum config_scheduler scheduler;
    bool http2;                                /* HTTP, HTTPS: spoken with the targets */
    enum config_proxy_protocol proxy_protocol; /* TCP, TCP_SSL: what a connection begins with */
    struct config_health_check health_check;
    struct config_stickiness stickiness;
    const struct config_target *targets;
    size_t targets_n;
    struct config_group_tls tls;
    struct position at;
};

/* How names of targets are resolved. */
struct config_resolver {
    const struct config_text *servers; /* "10.0.0.53:53"; none: the system's */
    size_t servers_n;
};

struct config {
    struct arena arena;
    const char *file; /* as given, for messages */
    const struct config_listener *listeners;
    size_t listeners_n;
    const struct config_group *groups;
    size_t groups_n;
    const char *access_log; /* absolute path; "-" is stdout; value_syslog; NULL: none */
    enum config_log_format access_log_format;
    unsigned access_log_sample;                  /* one of so many lines about what went well */
    const char *admin, *state_dir, *admin_https; /* address; absolute path; becomes a listener */
    struct position admin_at, state_at, user_at, workers_at, access_log_at;
    unsigned workers;    /* 0: one per core */
    uint64_t memory_max; /* bytes, of each worker; 0: any number */
    const char *user;    /* "" = sallyport if it exists, else nobody */
    struct config_timeouts timeouts;
    struct config_resolver resolver;
    struct config_api api;
};

/* So many targets can have a host name. */
#define CONFIG_NAMES_MAX 2048

bool config_has_names(const struct config *c); /* are there any to be resolved? */

/* TEXT is YAML; FILE names it in messages and FOLDER (absolute) is what relative paths are relative
 * to. NULL if REPORT got an error. */
struct config *config_parse(
    struct bytes text, const char *file, const char *folder, struct report *report) MUST_USE;
/* The same with what the control API adds: API is its text (config/archive.h), or empty. Its
 * objects have no place in a file: messages name them. */
struct config *config_parse_all(struct bytes text, struct bytes api, const char *file,
    const char *folder, struct report *report) MUST_USE;
/* All of that from a generation's public archive. */
struct config *config_parse_archive(struct bytes archive, struct report *report) MUST_USE;
void config_free(struct config **c);

/* The effective configuration as YAML, defaults included. Parses back to the same. What does not
 * fit into OUT is dropped. */
struct buf;
void config_dump(const struct config *c, struct buf *out);

const char *config_protocol_name(enum config_protocol p);
const char *config_authentication_name(enum config_authentication a);

static inline bool config_protocol_is_http(enum config_protocol p)
{
    return p == PROTOCOL_HTTP || p == PROTOCOL_HTTPS;
}
static inline bool config_protocol_is_tls(enum config_protocol p)
{
    return p == PROTOCOL_HTTPS || p == PROTOCOL_TCP_SSL;
}
