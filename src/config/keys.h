/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys — the table of configuration keys (config/keys.def) as data: what parser, dump and
 * documentation read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* A scope is a kind of map in the file. */
enum scope {
    SCOPE_ROOT,
    SCOPE_LISTENER,
    SCOPE_CERTIFICATE,
    SCOPE_REVOCATION,
    SCOPE_REVOCATION_CA,
    SCOPE_DOMAIN,
    SCOPE_TLS,
    SCOPE_RULE,
    SCOPE_RULE_AUTHN,
    SCOPE_RESPOND,
    SCOPE_REDIRECT,
    SCOPE_HEADERS,
    SCOPE_PROXY_PROTOCOL,
    SCOPE_LIMITS,
    SCOPE_SOURCE_LIMITS,
    SCOPE_RULE_LIMITS,
    SCOPE_RULE_SOURCE_LIMITS,
    SCOPE_GROUP,
    SCOPE_HEALTH_CHECK,
    SCOPE_STICKINESS,
    SCOPE_TARGET,
    SCOPE_GROUP_TLS,
    SCOPE_ACCESS_LOG,
    SCOPE_API,
    SCOPE_STATE,
    SCOPE_ADMIN,
    SCOPE_ADMIN_HTTPS,
    SCOPE_TIMEOUTS,
    SCOPE_RESOLVER,
    SCOPE_COUNT
};

#define SCOPE_NOT_PLACED SIZE_MAX

struct scope_info {
    const char *noun; /* "a listener": in messages */
    const char *path; /* where it stands in the file */
    size_t size;      /* of the struct that a map of this scope becomes */
    size_t at_offset; /* of its struct position, or SCOPE_NOT_PLACED */
    bool is_inline;   /* the dump writes it on one line */
    const char *help;
};

enum key_type {
    TYPE_TEXT,         /* const char *; min, max: bytes */
    TYPE_NAME,         /* const char *: letters, digits, _ . - */
    TYPE_CHOICE,       /* enum or bool, an index into choices */
    TYPE_CHOICES,      /* list of struct config_text, each one of choices */
    TYPE_INTEGER,      /* unsigned */
    TYPE_WORKERS,      /* unsigned; `auto` is 0 */
    TYPE_DURATION,     /* uint64_t, milliseconds */
    TYPE_SIZE,         /* uint64_t, bytes */
    TYPE_FILE,         /* struct config_file */
    TYPE_FILES,        /* list of struct config_file */
    TYPE_LOG_FILE,     /* const char *: a path, or "-" */
    TYPE_FOLDER,       /* const char *: a path */
    TYPE_VERSIONS,     /* bool tls12, tls13 */
    TYPE_POLICY,       /* struct config_policy */
    TYPE_CODES,        /* unsigned: a set of bits, 1 for 1xx */
    TYPE_CLIENT_NAMES, /* list of struct config_text */
    TYPE_BIND_ADDRESS, /* const char *: IP:PORT or :PORT */
    TYPE_ADDRESS,      /* const char *: IP:PORT or HOST:PORT */
    TYPE_SERVERS,      /* list of struct config_text: IP:PORT */
    TYPE_IP_ADDRESSES, /* list of struct config_text */
    TYPE_NETWORKS,     /* list of struct config_network */
    TYPE_SNI_DOMAIN,   /* const char *: exact or *.x */
    TYPE_RULE_DOMAIN,  /* const char *: exact, *.x or x.* */
    TYPE_HOST,         /* const char *: a host name or an IP address; may be empty */
    TYPE_PATH,         /* the path and match of struct config_rule */
    TYPE_URL,          /* const char *: a template of an absolute http or https URL */
    TYPE_HEADERS,      /* list of struct config_header: Name: value */
    TYPE_HEADER_NAMES, /* list of struct config_text */
    TYPE_GROUP,        /* size_t, an index into config.groups */
    TYPE_MAP,          /* the struct of scope `child` */
    TYPE_MAPS,         /* list of them */
    TYPE_COUNT
};

/* Sets of protocols: where a key is accepted. */
#define ON(protocol) (1u << (protocol))
#define ON_HTTPS     ON(PROTOCOL_HTTPS)
#define ON_HTTP      (ON(PROTOCOL_HTTP) | ON(PROTOCOL_HTTPS))
#define ON_TCP       (ON(PROTOCOL_TCP) | ON(PROTOCOL_TCP_SSL))
#define ON_TLS       (ON(PROTOCOL_HTTPS) | ON(PROTOCOL_TCP_SSL))
#define ON_ALL       (ON_HTTP | ON_TCP)
/* Sets of types of health checks, likewise. */
#define ON_CHECK(type) (1u << (16 + (type)))
#define ON_REQUESTS    (ON_CHECK(HEALTH_CHECK_HTTP) | ON_CHECK(HEALTH_CHECK_HTTPS))
#define ON_HOSTS       (ON_REQUESTS | ON_GRPC)
#define ON_GRPC        ON_CHECK(HEALTH_CHECK_GRPC)
#define ON_CUSTOM      ON_CHECK(HEALTH_CHECK_CUSTOM)

#define KEY_REQUIRED   "\x01required"  /* must be given */
#define KEY_INHERITED  "\x01inherited" /* the listener's, where the domain leaves it out */
#define KEY_NONE       "null"          /* nothing */

struct key {
    enum scope scope;
    const char *name;
    enum key_type type;
    size_t offset;        /* of the value in the scope's struct */
    size_t size;          /* of the value */
    size_t count_offset;  /* lists: of the number of items */
    const char *fallback; /* the default as YAML, or KEY_… */
    uint64_t min, max;    /* integers, durations and sizes: the value; texts: bytes; lists: items */
    unsigned on;      /* protocols of the listener or group that the map belongs to, types … */
    enum scope child; /* TYPE_MAP, TYPE_MAPS */
    const char *const *choices; /* TYPE_CHOICE, TYPE_CHOICES: ended by NULL */
    const char *help;
};

#define KEY_COUNT_MAX 160
extern const struct key key_table[];
extern const size_t key_count;

const struct scope_info *keys_scope(enum scope scope);
/* The key NAME of SCOPE, or NULL. */
const struct key *keys_find(enum scope scope, const char *name);
/* The key of SCOPE whose name is nearest to NAME, if it is near enough to have been meant; else
 * NULL. */
const struct key *keys_nearest(enum scope scope, const char *name);
/* The choice nearest to TEXT, or NULL. */
const char *keys_nearest_choice(const char *const *choices, const char *text);

static inline bool key_is_required(const struct key *k)
{
    return strcmp(k->fallback, KEY_REQUIRED) == 0;
}
static inline bool key_is_inherited(const struct key *k)
{
    return strcmp(k->fallback, KEY_INHERITED) == 0;
}
static inline bool key_is_optional(const struct key *k)
{
    return strcmp(k->fallback, KEY_NONE) == 0;
}
static inline bool key_is_list(const struct key *k)
{
    return k->type == TYPE_MAPS || k->type == TYPE_FILES || k->type == TYPE_CLIENT_NAMES ||
           k->type == TYPE_NETWORKS || k->type == TYPE_SERVERS || k->type == TYPE_IP_ADDRESSES ||
           k->type == TYPE_HEADERS || k->type == TYPE_HEADER_NAMES || k->type == TYPE_CHOICES;
}
/* The place of the value in OWNER, a struct of the key's scope. */
static inline void *key_value(const struct key *k, const void *owner)
{
    return (char *)(uintptr_t)owner + k->offset;
}
/* Lists: how many items OWNER has. */
static inline size_t key_items(const struct key *k, const void *owner)
{
    return *(const size_t *)(const void *)((const char *)owner + k->count_offset);
}
