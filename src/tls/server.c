/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server: a ClientHello is read, the policy for its name chosen, then version, suite
 * and all that is the same in TLS 1.2 and 1.3; server13.c and server12.c go on.
 *
 * The policy comes first: resumption, version, everything is decided under it (reliability: a
 * session never crosses from one name's policy to another's).
 */
#include "tls/server.h"

#include "base/panic.h"
#include "crypto/digest.h"
#include "tls/server_name.h"

#include "base/ban.h"

#define FALLBACK_SCSV      0x5600 /* RFC 7507 */
#define RENEGOTIATION_SCSV 0x00ff /* RFC 5746 §3.3 */

bool server_was_sent(const struct machine *m, enum extension e)
{
    return m->hs->hello->extensions.present & EXTENSION_BIT(e);
}

struct bytes server_extension(const struct machine *m, enum extension e)
{
    return m->hs->hello->extensions.at[e];
}

int server_keep_hello(struct machine *m, struct bytes message)
{
    uint8_t alert;
    struct handshake *hs = m->hs;
    hs->hello_message = arena_copy(&hs->arena, message);
    hs->hello = arena_alloc(&hs->arena, sizeof(*hs->hello));
    if (!client_hello_read(bytes_skip(hs->hello_message, MESSAGE_HEADER_SIZE), hs->hello, &alert))
        return machine_violation(m, alert, "malformed ClientHello");
    return 0;
}

static void note_offered(struct machine *m)
{
    struct tlsconn_facts *f = &m->facts;
    struct bytes suites = m->hs->hello->suites;
    uint16_t id;
    while (f->offered_n < TLSCONN_OFFERED_MAX && wire_take_16(&suites, &id))
        if (!suite_is_grease(id))
            f->offered[f->offered_n++] = id;
}

/* ---- policy and version ---- */

static int choose_policy(struct machine *m)
{
    struct tlsconn_hello hello = {.has_sni = server_was_sent(m, EXTENSION_SERVER_NAME)};
    if (hello.has_sni &&
        !extension_read_server_name(server_extension(m, EXTENSION_SERVER_NAME), &hello.sni))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed server_name");
    server_name_escape(hello.sni, m->facts.sni, sizeof(m->facts.sni));
    const struct tlspolicy *p = m->handler->choose(m->owner, &hello);
    if (!p)
        return machine_violation(m, ALERT_UNRECOGNIZED_NAME, "no policy for this server name");
    ASSERT(p->role == TLSPOLICY_SERVER && p->engine == m->engine);
    m->policy = p;
    m->hs->set = certificate_sets_at(p->sets, certificate_sets_find(p->sets, hello.sni));
    return 0;
}

/* RFC 8446 §4.2.1: supported_versions decides alone if it is there; else legacy_version, which can
 * mean TLS 1.2 at most. */
static int choose_version(struct machine *m)
{
    static const uint8_t only_tls12[] = {TLS_1_2 >> 8, TLS_1_2 & 0xff};
    const struct client_hello *hello = m->hs->hello;
    struct bytes offered = {0};
    if (server_was_sent(m, EXTENSION_SUPPORTED_VERSIONS)) {
        if (!extension_read_versions(server_extension(m, EXTENSION_SUPPORTED_VERSIONS), &offered))
            return machine_violation(m, ALERT_DECODE_ERROR, "malformed supported_versions");
    } else if (hello->legacy_version >= TLS_1_2) {
        offered = (struct bytes){only_tls12, sizeof(only_tls12)};
    }
    /* RFC 8446 D.5: legacy_version 0x0300 is protocol_version, whatever the extension says. */
    if (hello->legacy_version <= SSL_3_0)
        offered = (struct bytes){0};
    for (uint16_t v = m->policy->version_max; v >= m->policy->version_min; v--)
        if (wire_contains_16(offered, v)) {
            m->version = v;
            break;
        }
    if (!m->version)
        return machine_fail(
            m, ALERT_PROTOCOL_VERSION, TLSCONN_FAULT_NO_COMMON, "unsupported protocol");
    /* RFC 7507 §3: the client has come down, though it need not have. */
    if (m->version < m->policy->version_max && wire_contains_16(hello->suites, FALLBACK_SCSV))
        return machine_violation(m, ALERT_INAPPROPRIATE_FALLBACK, "inappropriate fallback");
    return 0;
}

/* RFC 8446 §4.1.2; RFC 5246 §7.4.1.2. */
static int check_compression(struct machine *m)
{
    const struct client_hello *hello = m->hs->hello;
    bool is_good =
        m->version == TLS_1_3 ? hello->has_only_null_compression : hello->has_null_compression;
    if (!is_good)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "invalid compression algorithm");
    return 0;
}

/* ---- extensions of both versions ---- */

int server_read_groups(struct machine *m, struct bytes *groups)
{
    if (!extension_read_list_16(server_extension(m, EXTENSION_SUPPORTED_GROUPS), groups))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed supported_groups");
    return 0;
}

uint16_t server_choose_group(const struct machine *m, struct bytes groups)
{
    struct bytes ours = m->policy->groups;
    uint16_t group;
    while (wire_take_16(&ours, &group))
        if (wire_contains_16(groups, group))
            return group;
    return 0;
}

static int check_alpn(struct machine *m)
{
    struct bytes offered;
    if (!extension_read_alpn(server_extension(m, EXTENSION_ALPN), &offered))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed ALPN");
    return 0;
}

static int read_status_request(struct machine *m)
{
    if (!extension_read_status_request(
            server_extension(m, EXTENSION_STATUS_REQUEST), &m->hs->wants_staple))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed status_request");
    return 0;
}

static int read_schemes(struct machine *m)
{
    if (!extension_read_list_16(
            server_extension(m, EXTENSION_SIGNATURE_ALGORITHMS), &m->hs->peer_schemes))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed signature_algorithms");
    return 0;
}

static int read_record_size_limit(struct machine *m)
{
    uint8_t alert;
    if (!extension_read_record_size_limit(
            server_extension(m, EXTENSION_RECORD_SIZE_LIMIT), &m->hs->record_limit, &alert))
        return machine_violation(m, alert, "bad record_size_limit");
    return 0;
}

static int read_psk_modes(struct machine *m)
{
    if (!extension_read_psk_modes(
            server_extension(m, EXTENSION_PSK_KEY_EXCHANGE_MODES), &m->hs->has_psk_dhe))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed psk_key_exchange_modes");
    return 0;
}

/* RFC 5746 §3.6: in an initial handshake the extension is empty. */
static int read_renegotiation_info(struct machine *m)
{
    static const uint8_t empty[] = {0};
    if (!bytes_equal(server_extension(m, EXTENSION_RENEGOTIATION_INFO),
            (struct bytes){empty, sizeof(empty)}))
        return machine_violation(m, ALERT_HANDSHAKE_FAILURE, "renegotiation mismatch");
    return 0;
}

/* RFC 8422 §5.1.2: the uncompressed format must be among them. */
static int read_point_formats(struct machine *m)
{
    struct bytes formats;
    if (!extension_read_list_8(server_extension(m, EXTENSION_EC_POINT_FORMATS), &formats))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed ec_point_formats");
    if (bytes_find(formats, 0) == formats.n)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "no uncompressed points");
    return 0;
}

/* Whom the client trusts, and what its verifier knows, does not change what we show; but it has to
 * be well-formed (RFC 8446 §4.2.3, §4.2.4). */
static int check_schemes_cert(struct machine *m)
{
    struct bytes unused;
    if (!extension_read_list_16(server_extension(m, EXTENSION_SIGNATURE_ALGORITHMS_CERT), &unused))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed signature_algorithms_cert");
    return 0;
}

static int check_authorities(struct machine *m)
{
    struct bytes names;
    if (!extension_read_authorities(
            server_extension(m, EXTENSION_CERTIFICATE_AUTHORITIES), &names) ||
        !names.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed certificate_authorities");
    return 0;
}

/* RFC 7627 §5.1: empty. */
static int read_extended_master_secret(struct machine *m)
{
    if (server_extension(m, EXTENSION_EXTENDED_MASTER_SECRET).n)
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed extended_master_secret");
    m->hs->has_extended_master_secret = m->version == TLS_1_2;
    return 0;
}

static int read_extensions(struct machine *m)
{
    static const struct {
        enum extension e;
        machine_fn *read;
        bool is_tls12_only;
    } readers[] = {
        {EXTENSION_RENEGOTIATION_INFO, read_renegotiation_info, true},
        {EXTENSION_EXTENDED_MASTER_SECRET, read_extended_master_secret, true},
        {EXTENSION_EC_POINT_FORMATS, read_point_formats, true},
        {EXTENSION_STATUS_REQUEST, read_status_request, false},
        {EXTENSION_SIGNATURE_ALGORITHMS, read_schemes, false},
        {EXTENSION_SIGNATURE_ALGORITHMS_CERT, check_schemes_cert, false},
        {EXTENSION_CERTIFICATE_AUTHORITIES, check_authorities, false},
        {EXTENSION_RECORD_SIZE_LIMIT, read_record_size_limit, false},
        {EXTENSION_PSK_KEY_EXCHANGE_MODES, read_psk_modes, false},
        {EXTENSION_ALPN, check_alpn, false},
    };
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        bool is_wanted = server_was_sent(m, readers[i].e) &&
                         !(readers[i].is_tls12_only && m->version == TLS_1_3);
        if (is_wanted && readers[i].read(m) < 0)
            return -1;
    }
    m->hs->is_renegotiation_safe = server_was_sent(m, EXTENSION_RENEGOTIATION_INFO) ||
                                   wire_contains_16(m->hs->hello->suites, RENEGOTIATION_SCSV);
    return 0;
}

/* ---- certificate ---- */

/* RFC 8422 §5.1.1: in TLS 1.2 supported_groups speaks of the certificate's key, too. */
static bool is_curve_supported(const struct machine *m, enum key_kind kind)
{
    static const struct {
        enum key_kind kind;
        uint16_t group;
    } curves[] = {{KEY_EC_P256, GROUP_SECP256R1}, {KEY_EC_P384, GROUP_SECP384R1},
        {KEY_EC_P521, GROUP_SECP521R1}};
    struct bytes groups;
    if (m->version == TLS_1_3 || !server_was_sent(m, EXTENSION_SUPPORTED_GROUPS) ||
        !extension_read_list_16(server_extension(m, EXTENSION_SUPPORTED_GROUPS), &groups))
        return true;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (curves[i].kind == kind)
            return wire_contains_16(groups, curves[i].group);
    return true;
}

static bool can_show(struct machine *m, const struct credential *c)
{
    if (!c)
        return false;
    m->hs->scheme = machine_choose_scheme(m, c);
    if (!m->hs->scheme || !is_curve_supported(m, credential_key_kind(c)))
        return false;
    m->hs->credential = c;
    return true;
}

bool server_choose_certificate(struct machine *m, enum suite_key key)
{
    /* Cheapest for us first. */
    static const struct {
        enum certificate_set_kind kind;
        enum suite_key key;
    } order[] = {{SET_ECDSA, SUITE_KEY_EC}, {SET_ED25519, SUITE_KEY_EC}, {SET_RSA, SUITE_KEY_RSA},
        {SET_RSA_PSS, SUITE_KEY_RSA}};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        bool is_wanted = key == SUITE_KEY_ANY || key == order[i].key;
        if (is_wanted && can_show(m, m->hs->set->by_kind[order[i].kind]))
            return true;
    }
    return false;
}

/* ---- answers ---- */

/* RFC 7301 §3.2: without overlap the server "SHALL respond with a fatal no_application_protocol".
 * One without ALPN ignores it. */
int server_choose_alpn(struct machine *m)
{
    struct bytes offered, name;
    if (!m->policy->alpn_n || !server_was_sent(m, EXTENSION_ALPN) ||
        !extension_read_alpn(server_extension(m, EXTENSION_ALPN), &offered))
        return 0;
    name = tlspolicy_choose_alpn(m->policy, m->suite->is_rsa_kx, offered);
    if (!name.n)
        return machine_fail(
            m, ALERT_NO_APPLICATION_PROTOCOL, TLSCONN_FAULT_NO_COMMON, "no application protocol");
    m->hs->alpn = name;
    server_name_escape(name, m->facts.alpn, sizeof(m->facts.alpn));
    return 0;
}

static void put_empty_extension(struct wire_writer *w, enum extension e)
{
    wire_end(w, message_begin_extension(w, e));
}

static void put_alpn(const struct machine *m, struct wire_writer *w)
{
    struct wire_mark mark = message_begin_extension(w, EXTENSION_ALPN);
    struct wire_mark list = wire_begin(w, 2);
    struct wire_mark name = wire_begin(w, 1);
    wire_put(w, m->hs->alpn);
    wire_end(w, name);
    wire_end(w, list);
    wire_end(w, mark);
}

/* RFC 8449 §4: what we take, which is as much as without it; the content type counts in TLS 1.3. */
static void put_record_size_limit(const struct machine *m, struct wire_writer *w)
{
    struct wire_mark mark = message_begin_extension(w, EXTENSION_RECORD_SIZE_LIMIT);
    wire_put_16(w, (uint16_t)(RECORD_PLAIN_MAX + (m->version == TLS_1_3)));
    wire_end(w, mark);
}

void server_put_answers(const struct machine *m, struct wire_writer *w)
{
    const struct handshake *hs = m->hs;
    /* RFC 6066 §3: whoever used the name says so, but not when TLS 1.2 resumes a session. */
    if (server_was_sent(m, EXTENSION_SERVER_NAME) && !(hs->is_resuming && m->version == TLS_1_2))
        put_empty_extension(w, EXTENSION_SERVER_NAME);
    if (hs->alpn.n)
        put_alpn(m, w);
    if (hs->record_limit)
        put_record_size_limit(m, w);
}

/* ---- the first ClientHello ---- */

static int read_client_hello(struct machine *m, struct bytes message, struct bytes body)
{
    if (server_keep_hello(m, message) < 0)
        return -1;
    struct handshake *hs = m->hs;
    const struct client_hello *hello = hs->hello;
    note_offered(m);
    memcpy(hs->client_random, hello->random.at, sizeof(hs->client_random));
    hs->session_id = hello->session_id;
    m->authenticated_s = m->now_s;
    if (choose_policy(m) < 0 || choose_version(m) < 0 || check_compression(m) < 0 ||
        read_extensions(m) < 0)
        return -1;
    return m->version == TLS_1_3 ? server13_continue(m, hello) : server12_continue(m, hello);
}

static const struct machine_row rows[] = {
    {MACHINE_START, MESSAGE_CLIENT_HELLO, read_client_hello},
    {MACHINE_STATE_COUNT, 0, NULL},
};

const struct machine_role machine_server = {true, NULL, rows, server13_rows, server12_rows};
