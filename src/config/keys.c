/* SPDX-License-Identifier: Apache-2.0 */
#include "config/keys.h"

#include "base/ban.h"

#define WORD_MAX     32 /* names of keys and choices are shorter */
#define DISTANCE_MAX 2  /* more edits than this make another word */

/* In the order of the enums of config.h. */
static const char *const protocol_names[] = {"HTTP", "HTTPS", "TCP", "TCP_SSL", NULL};
static const char *const authentication_names[] = {"one-way", "mutual", "optional", NULL};
static const char *const preference_names[] = {"strongest", "fastest", "client", NULL};
static const char *const engine_names[] = {"native", "openssl", NULL};
static const char *const scheduler_names[] = {"wrr", "least_conn", "ip_hash", NULL};
static const char *const log_format_names[] = {"json", "clb", NULL};
static const char *const proxy_protocol_names[] = {"none", "v2", NULL};
static const char *const health_type_names[] = {
    "auto", "off", "TCP", "TLS", "HTTP", "HTTPS", "GRPC", "CUSTOM", NULL};
static const char *const health_method_names[] = {"HEAD", "GET", NULL};
static const char *const encoding_names[] = {"text", "hex", NULL};
static const char *const all_unhealthy_names[] = {"serve", "refuse", NULL};
static const char *const http_version_names[] = {"1.1", "2", NULL};
static const char *const key_exchange_names[] = {"ecdhe", "rsa", NULL};
static const char *const redirect_names[] = {"301", "302", "303", "307", "308", NULL};
static const char *const tls_group_names[] = {
    "x25519", "secp256r1", "secp384r1", "secp521r1", NULL};
#define FIRST_SCHEME "ecdsa_secp256r1_sha256"
/* clang-format off */
#define MORE_SCHEMES(X) \
    X(ed25519) X(ecdsa_secp384r1_sha384) X(ecdsa_secp521r1_sha512) \
    X(rsa_pss_rsae_sha256) X(rsa_pss_rsae_sha384) X(rsa_pss_rsae_sha512) \
    X(rsa_pss_pss_sha256) X(rsa_pss_pss_sha384) X(rsa_pss_pss_sha512) \
    X(rsa_pkcs1_sha256) X(rsa_pkcs1_sha384) X(rsa_pkcs1_sha512)
/* clang-format on */
#define AS_CHOICE(name) #name,
#define AS_ITEM(name)   ", " #name
static const char *const signature_scheme_names[] = {FIRST_SCHEME, MORE_SCHEMES(AS_CHOICE) NULL};
#define ALL_SIGNATURE_SCHEMES "[" FIRST_SCHEME MORE_SCHEMES(AS_ITEM) "]"
static const char *const switch_names[] = {"false", "true", NULL};

#define CHOICE(names)                                  .type = TYPE_CHOICE, .choices = names
#define CHOICES(names)                                 .type = TYPE_CHOICES, .choices = names
#define MAP(scope)                                     .type = TYPE_MAP, .child = SCOPE_##scope
#define MAPS(scope)                                    .type = TYPE_MAPS, .child = SCOPE_##scope
#define TEXT                                           .type = TYPE_TEXT
#define NAME                                           .type = TYPE_NAME
#define INTEGER                                        .type = TYPE_INTEGER
#define WORKERS                                        .type = TYPE_WORKERS
#define DURATION                                       .type = TYPE_DURATION
#define SIZE                                           .type = TYPE_SIZE
#define FILE_NAME                                      .type = TYPE_FILE
#define FILE_NAMES                                     .type = TYPE_FILES
#define LOG_FILE                                       .type = TYPE_LOG_FILE
#define FOLDER                                         .type = TYPE_FOLDER
#define VERSIONS                                       .type = TYPE_VERSIONS
#define POLICY                                         .type = TYPE_POLICY
#define CODES                                          .type = TYPE_CODES
#define CLIENT_NAMES                                   .type = TYPE_CLIENT_NAMES
#define BIND_ADDRESS                                   .type = TYPE_BIND_ADDRESS
#define ADDRESS                                        .type = TYPE_ADDRESS
#define IP_ADDRESSES                                   .type = TYPE_IP_ADDRESSES
#define NETWORKS                                       .type = TYPE_NETWORKS
#define SERVERS                                        .type = TYPE_SERVERS
#define SNI_DOMAIN                                     .type = TYPE_SNI_DOMAIN
#define RULE_DOMAIN                                    .type = TYPE_RULE_DOMAIN
#define HOST                                           .type = TYPE_HOST
#define PATH                                           .type = TYPE_PATH
#define URL                                            .type = TYPE_URL
#define FIELD_LINES                                    .type = TYPE_HEADERS
#define FIELD_NAMES                                    .type = TYPE_HEADER_NAMES
#define GROUP_NAME                                     .type = TYPE_GROUP
#define RANGE(from, to)                                .min = (from), .max = (to)
#define TIMEOUT                                        RANGE(10, 24ull * 3600 * 1000)
#define NO_RANGE                                       .min = 0, .max = 0

#define SCOPE(scope, of, path, noun, is_inline, help)  SCOPE_ROW(scope, of)
#define PLACED(scope, of, path, noun, is_inline, help) SCOPE_ROW(scope, of)
#define KEY(scope, name, member, type, fallback, range, on, help)
#define LIST(scope, name, member, type, fallback, range, on, help)
#define HERE(scope, name, type, fallback, range, on, help)
/* A type by the name of the scope, so that KEY can say offsetof without repeating the struct in
 * each row. */
#define SCOPE_ROW(scope, of)   \
    struct struct_of_##scope { \
        of is;                 \
    };
#include "config/keys.def"
#undef SCOPE
#undef PLACED
#undef KEY
#undef LIST
#undef HERE

#define SCOPE(scope, of, path_, noun_, is_inline_, help_) \
    [SCOPE_##scope] = {.path = path_,                     \
        .noun = noun_,                                    \
        .size = sizeof(of),                               \
        .at_offset = SCOPE_NOT_PLACED,                    \
        .is_inline = is_inline_,                          \
        .help = help_},
#define PLACED(scope, of, path_, noun_, is_inline_, help_) \
    [SCOPE_##scope] = {.path = path_,                      \
        .noun = noun_,                                     \
        .size = sizeof(of),                                \
        .at_offset = offsetof(of, at),                     \
        .is_inline = is_inline_,                           \
        .help = help_},
#define KEY(scope, name, member, type, fallback, range, on, help)
#define LIST(scope, name, member, type, fallback, range, on, help)
#define HERE(scope, name, type, fallback, range, on, help)
static const struct scope_info scopes[SCOPE_COUNT] = {
#include "config/keys.def"
};
#undef SCOPE
#undef PLACED
#undef KEY
#undef LIST
#undef HERE

#define MEMBER(scope_, member)                                \
    .offset = offsetof(struct struct_of_##scope_, is.member), \
    .size = sizeof(((struct struct_of_##scope_ *)NULL)->is.member)
#define SCOPE(scope, of, path, noun, is_inline, help)
#define PLACED(scope, of, path, noun, is_inline, help)
#define KEY(scope_, name_, member, type, fallback_, range, on_, help_) \
    {.scope = SCOPE_##scope_,                                          \
        .name = #name_,                                                \
        MEMBER(scope_, member),                                        \
        type,                                                          \
        .fallback = fallback_,                                         \
        range,                                                         \
        .on = on_,                                                     \
        .help = help_},
#define LIST(scope_, name_, member, type, fallback_, range, on_, help_)     \
    {.scope = SCOPE_##scope_,                                               \
        .name = #name_,                                                     \
        MEMBER(scope_, member),                                             \
        .count_offset = offsetof(struct struct_of_##scope_, is.member##_n), \
        type,                                                               \
        .fallback = fallback_,                                              \
        range,                                                              \
        .on = on_,                                                          \
        .help = help_},
#define HERE(scope_, name_, type, fallback_, range, on_, help_) \
    {.scope = SCOPE_##scope_,                                   \
        .name = #name_,                                         \
        type,                                                   \
        .fallback = fallback_,                                  \
        range,                                                  \
        .on = on_,                                              \
        .help = help_},
const struct key key_table[] = {
#include "config/keys.def"
};
const size_t key_count = COUNT_OF(key_table);
_Static_assert(COUNT_OF(key_table) <= KEY_COUNT_MAX, "KEY_COUNT_MAX");

const struct scope_info *keys_scope(enum scope scope)
{
    return &scopes[scope];
}

const struct key *keys_find(enum scope scope, const char *name)
{
    for (size_t i = 0; i < key_count; i++)
        if (key_table[i].scope == scope && strcmp(key_table[i].name, name) == 0)
            return &key_table[i];
    return NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many characters must be inserted, removed or replaced to make B of A (Levenshtein), case
 * apart. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            bool same = bytes_lower((uint8_t)a[i - 1]) == bytes_lower((uint8_t)b[j - 1]);
            size_t cost = smallest(row[j] + 1, row[j - 1] + 1, diagonal + !same);
            diagonal = row[j];
            row[j] = cost;
        }
    }
    return row[m];
}

/* Two edits make any short word of any other: at most a third of the letters may be wrong. */
static bool is_near(size_t edits, const char *word)
{
    return edits <= DISTANCE_MAX && 3 * edits <= strlen(word);
}

const struct key *keys_nearest(enum scope scope, const char *name)
{
    const struct key *best = NULL;
    size_t least = WORD_MAX;
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        size_t edits = k->scope == scope ? distance(name, k->name) : WORD_MAX;
        if (edits < least && is_near(edits, k->name)) {
            best = k;
            least = edits;
        }
    }
    return best;
}

const char *keys_nearest_choice(const char *const *choices, const char *text)
{
    const char *best = NULL;
    size_t least = WORD_MAX;
    for (; *choices; choices++) {
        size_t edits = distance(text, *choices);
        if (edits < least && is_near(edits, *choices)) {
            best = *choices;
            least = edits;
        }
    }
    return best;
}
