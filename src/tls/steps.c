/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/steps.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/names.h"

#include "base/ban.h"

/* steps_seen.messages, and what else a step can depend on. */
enum {
    CLIENT_HELLO = 1 << 0,
    SERVER_HELLO = 1 << 1,
    SERVER_CERTIFICATE = 1 << 2,
    SERVER_KEY_EXCHANGE = 1 << 3,
    CERTIFICATE_REQUEST = 1 << 4,
    SERVER_VERIFY = 1 << 5,
    SERVER_FINISHED = 1 << 6,
    CLIENT_CERTIFICATE = 1 << 7,
    CLIENT_KEY_EXCHANGE = 1 << 8,
    CLIENT_VERIFY = 1 << 9,
    CLIENT_FINISHED = 1 << 10,
    SERVER_TICKET = 1 << 11,
    JUDGED = 1 << 16,   /* the client looked at the server's certificate */
    ACCEPTED = 1 << 17, /* and accepted it */
    ANSWERED = 1 << 18, /* the server looked at the client's */
    ADMITTED = 1 << 19, /* and accepted it */

    CLIENT_WENT_ON = CLIENT_CERTIFICATE | CLIENT_KEY_EXCHANGE | CLIENT_FINISHED,
};

/* DIRECTION: as the client sees it. */
static const struct {
    enum tlsconn_message_direction direction;
    uint8_t type;
    unsigned bit;
} message_bits[] = {
    {TLSCONN_SENT, MESSAGE_CLIENT_HELLO, CLIENT_HELLO},
    {TLSCONN_SENT, MESSAGE_CERTIFICATE, CLIENT_CERTIFICATE},
    {TLSCONN_SENT, MESSAGE_CLIENT_KEY_EXCHANGE, CLIENT_KEY_EXCHANGE},
    {TLSCONN_SENT, MESSAGE_CERTIFICATE_VERIFY, CLIENT_VERIFY},
    {TLSCONN_SENT, MESSAGE_FINISHED, CLIENT_FINISHED},
    {TLSCONN_RECEIVED, MESSAGE_SERVER_HELLO, SERVER_HELLO},
    {TLSCONN_RECEIVED, MESSAGE_CERTIFICATE, SERVER_CERTIFICATE},
    {TLSCONN_RECEIVED, MESSAGE_SERVER_KEY_EXCHANGE, SERVER_KEY_EXCHANGE},
    {TLSCONN_RECEIVED, MESSAGE_CERTIFICATE_REQUEST, CERTIFICATE_REQUEST},
    {TLSCONN_RECEIVED, MESSAGE_CERTIFICATE_VERIFY, SERVER_VERIFY},
    {TLSCONN_RECEIVED, MESSAGE_FINISHED, SERVER_FINISHED},
    {TLSCONN_RECEIVED, MESSAGE_NEW_SESSION_TICKET, SERVER_TICKET},
};

enum exchange { RSA_TRANSPORT, ECDHE_12, TLS13, EXCHANGE_COUNT };

/* ---- what the messages say ---- */

static void see_client_hello(struct steps_seen *seen, struct bytes body)
{
    struct client_hello hello;
    struct bytes versions;
    uint8_t alert;
    uint16_t version;
    if (!client_hello_read(body, &hello, &alert))
        return;
    memcpy(seen->client_random, hello.random.at, sizeof(seen->client_random));
    seen->suites_offered = hello.suites.n / 2;
    seen->versions_offered_n = 0;
    if (!extension_read_versions(hello.extensions.at[EXTENSION_SUPPORTED_VERSIONS], &versions)) {
        seen->versions_offered[seen->versions_offered_n++] = hello.legacy_version;
        return;
    }
    while (seen->versions_offered_n < COUNT_OF(seen->versions_offered) &&
           wire_take_16(&versions, &version))
        seen->versions_offered[seen->versions_offered_n++] = version;
}

static void see_server_hello(struct steps_seen *seen, struct bytes body)
{
    struct server_hello hello;
    uint8_t alert;
    if (!server_hello_read(body, &hello, &alert))
        return;
    memcpy(seen->server_random, hello.random.at, sizeof(seen->server_random));
    seen->version = hello.version;
    seen->suite = hello.suite;
    seen->group = hello_group(&hello);
}

static size_t count_certificates(const struct steps_seen *seen, struct bytes body)
{
    struct bytes context, list;
    size_t n;
    return certificate_message_read(body, seen->version == TLS_1_3, &context, &list, &n) ? n : 0;
}

static void see_server_key_exchange(struct steps_seen *seen, struct bytes body)
{
    struct server_key_exchange k;
    bool is_read = server_key_exchange_read(body, &k);
    seen->group = is_read ? k.group : 0;
    seen->exchange_scheme = is_read ? k.signature.scheme : 0;
}

static uint16_t scheme_of(struct bytes body)
{
    struct digitally_signed d;
    return certificate_verify_read(body, &d) ? d.scheme : 0;
}

/* RSA key transport has a length of two octets in front (RFC 5246 §7.4.7.1), a share has one (RFC
 * 8422 §5.7). */
static void see_client_key_exchange(struct steps_seen *seen, struct bytes body)
{
    size_t header = body.n && body.at[0] == body.n - 1 ? 1 : 2;
    seen->key_exchange_size = body.n >= header ? body.n - header : 0;
}

static void read_message(struct steps_seen *seen, unsigned bit, struct bytes body)
{
    switch (bit) {
    case CLIENT_HELLO:
        see_client_hello(seen, body);
        break;
    case SERVER_HELLO:
        see_server_hello(seen, body);
        break;
    case SERVER_CERTIFICATE:
        seen->server_certificates = count_certificates(seen, body);
        break;
    case CLIENT_CERTIFICATE:
        seen->client_certificates = count_certificates(seen, body);
        break;
    case SERVER_KEY_EXCHANGE:
        see_server_key_exchange(seen, body);
        break;
    case SERVER_VERIFY:
        seen->server_scheme = scheme_of(body);
        break;
    case CLIENT_VERIFY:
        seen->client_scheme = scheme_of(body);
        break;
    case CLIENT_KEY_EXCHANGE:
        see_client_key_exchange(seen, body);
        break;
    default: /* the others matter only by having been seen */
        break;
    }
}

void steps_see(
    struct steps_seen *seen, enum tlsconn_message_direction direction, struct bytes message)
{
    uint8_t type;
    struct bytes body;
    if (hello_message(message, &type, &body) < 0)
        return;
    if (seen->by_server)
        direction = direction == TLSCONN_SENT ? TLSCONN_RECEIVED : TLSCONN_SENT;
    for (size_t i = 0; i < COUNT_OF(message_bits); i++)
        if (message_bits[i].direction == direction && message_bits[i].type == type) {
            read_message(seen, message_bits[i].bit, body);
            seen->messages |= message_bits[i].bit;
        }
}

/* ---- evidence ---- */

struct text {
    char *at;
    size_t size, n;
};

static void add(struct text *t, const char *format, ...) PRINTF(2, 3);
static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->n, t->size - t->n, format, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < t->size ? t->n + (size_t)n : t->size - 1;
}

static void add_random(struct text *t, const char *whose, const uint8_t start[4])
{
    add(t, "%s random %02x%02x%02x%02x…", whose, start[0], start[1], start[2], start[3]);
}

static void add_code(struct text *t, const char *name, uint16_t code)
{
    if (name)
        add(t, "%s", name);
    else
        add(t, "0x%04x", code);
}

static void add_suite(struct text *t, const struct steps_seen *seen)
{
    add_code(t, tlsconn_cipher_name(seen->suite), seen->suite);
    add(t, ", one of %zu offered", seen->suites_offered);
}

static bool is_there(const struct steps_certificate *c)
{
    return c->sha256[0];
}

static void add_certificate(struct text *t, const struct steps_certificate *c)
{
    add(t, "%.80s, sha256 %.16s…", c->subject, c->sha256);
}

static const char *key_name(enum key_kind kind)
{
    switch (kind) {
    case KEY_RSA:
        return "RSA";
    case KEY_RSA_PSS:
    case KEY_RSA_PSS_SHA256:
    case KEY_RSA_PSS_SHA384:
    case KEY_RSA_PSS_SHA512:
        return "RSA-PSS";
    case KEY_EC_P256:
        return "P-256";
    case KEY_EC_P384:
        return "P-384";
    case KEY_EC_P521:
        return "P-521";
    case KEY_ED25519:
        return "Ed25519";
    case KEY_UNSUPPORTED:
        break;
    }
    return "unsupported";
}

typedef void evidence_fn(const struct steps_handshake *h, enum exchange x, struct text *t);

static void show_client_hello(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    for (size_t i = 0; i < h->seen.versions_offered_n; i++) {
        add(t, "%s", i ? ", " : "");
        add_code(t, names_version(h->seen.versions_offered[i]), h->seen.versions_offered[i]);
    }
    add(t, "; %zu cipher suites; ", h->seen.suites_offered);
    add_random(t, "client", h->seen.client_random);
}

static void show_server_hello(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    add_code(t, names_version(h->seen.version), h->seen.version);
    add(t, "; ");
    add_suite(t, &h->seen);
    add(t, "; ");
    add_random(t, "server", h->seen.server_random);
    add(t, "; %zu certificate%s", h->seen.server_certificates,
        h->seen.server_certificates == 1 ? "" : "s");
    if (is_there(&h->server)) {
        add(t, ": ");
        add_certificate(t, &h->server);
    }
}

/* Our verdict, and with what the peer's key proved itself. */
static void add_verdict(struct text *t, const struct steps_verdict *v,
    const struct steps_certificate *peer, uint16_t scheme)
{
    for (unsigned f = 0; f < FACTOR_COUNT; f++)
        add(t, "%s %s, ", factor_name(f), factor_result_token(v->factors[f]));
    add(t, "%s", v->accepted ? "accepted" : reason_token(v->reason));
    if (!is_there(peer))
        return;
    add(t, "; public key %s (%u bits)", key_name(peer->key_kind), peer->key_bits);
    if (v->accepted && scheme) {
        add(t, " verifies ");
        add_code(t, names_signature_scheme(scheme), scheme);
    }
}

/* As the server sees it: what the client thinks of the certificate, it shows by going on. */
static void show_verified(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    if (!h->seen.by_server)
        add_verdict(t, &h->verdict, &h->server,
            x == TLS13 ? h->seen.server_scheme : h->seen.exchange_scheme);
    else if (h->seen.messages & CLIENT_WENT_ON)
        add(t, "the client went on to its %s",
            h->seen.messages & CLIENT_CERTIFICATE    ? "Certificate"
            : h->seen.messages & CLIENT_KEY_EXCHANGE ? "ClientKeyExchange"
                                                     : "Finished");
    else
        add(t, "refused: the client sent the alert %s", tlsconn_alert_name(h->alert));
}

static void show_key_sent(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    switch (x) {
    case RSA_TRANSPORT:
        add(t, "encrypted premaster secret of %zu octets", h->seen.key_exchange_size);
        return;
    case ECDHE_12:
        add(t, "the client's ");
        add_code(t, names_group(h->seen.group), h->seen.group);
        add(t, " share of %zu octets; the server's is signed with ", h->seen.key_exchange_size);
        add_code(t, names_signature_scheme(h->seen.exchange_scheme), h->seen.exchange_scheme);
        return;
    case TLS13:
        add_code(t, names_group(h->seen.group), h->seen.group);
        add(t, " shares in both hellos; signed by the server with ");
        add_code(t, names_signature_scheme(h->seen.server_scheme), h->seen.server_scheme);
        return;
    case EXCHANGE_COUNT:
        return;
    }
}

static void show_keys_used(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    add(t, "the %s's Finished verifies; records are protected with ",
        h->seen.by_server ? "client" : "server");
    add_code(t, tlsconn_cipher_name(h->seen.suite), h->seen.suite);
}

static void show_certificate_sent(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    bool by_server = h->seen.by_server;
    add(t, "CertificateRequest %s; %zu certificate%s %s", by_server ? "sent" : "received",
        h->seen.client_certificates, h->seen.client_certificates == 1 ? "" : "s",
        by_server ? "received" : "sent");
    if (!is_there(&h->client))
        return;
    add(t, ": ");
    add_certificate(t, &h->client);
}

static void show_client_verified(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    if (h->seen.by_server)
        add_verdict(t, &h->verdict, &h->client, h->seen.client_scheme);
    else if (h->alert)
        add(t, "refused: the server sent the alert %s", tlsconn_alert_name(h->alert));
    else if (x != TLS13)
        add(t, "the server went on to its Finished");
    else if (h->has_answer)
        add(t, "the server sent application data after our Finished");
    else if (h->seen.messages & SERVER_TICKET)
        add(t, "the server sent NewSessionTicket after our Finished");
    else if (h->has_close)
        add(t, "the server answered our close_notify with its own, and sent no alert");
    else
        add(t, "no alert has come after our Finished");
}

static void show_schemes_offered(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    add(t, "%zu cipher suites, all of them in the ClientHello of step 1", h->seen.suites_offered);
}

static void show_scheme_chosen(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    add_suite(t, &h->seen);
    add(t, ", in the ServerHello of step 2; Finished on both sides covers it");
}

static void show_possession(const struct steps_handshake *h, enum exchange x, struct text *t)
{
    add(t, "CertificateVerify with ");
    add_code(t, names_signature_scheme(h->seen.client_scheme), h->seen.client_scheme);
    add(t, "; ");
    show_key_sent(h, x, t);
}

/* ---- the table ---- */

struct variant {
    const char *does;
    const char *message;
    enum steps_wire wire;
    unsigned needs;
};

struct row {
    unsigned number;
    const char *actor;
    evidence_fn *evidence;
    struct variant in[EXCHANGE_COUNT];
};

#define SAME(...)                                    \
    {                                                \
        {__VA_ARGS__}, {__VA_ARGS__}, {__VA_ARGS__}, \
    }

#define DOES_VERIFY_SERVER \
    "verifies server.crt by the four factors and takes the server's public key from it"
#define DOES_SHARE                                                                               \
    "both sides contribute a Diffie-Hellman share; the server signs its own: what they have in " \
    "common takes the place of the random number K"
#define DOES_PROVE "proves with a signature that it holds client.key, in place of a decryption; "

static const struct row common[] = {
    {1, "client", show_client_hello,
        SAME("asks for an encrypted connection: its protocol versions, encryption algorithms and "
             "a random number",
            "ClientHello", STEPS_LITERAL, CLIENT_HELLO)},
    {2, "server", show_server_hello,
        SAME("returns the version and algorithm chosen, a random number and its certificate "
             "(server.crt)",
            "ServerHello, Certificate", STEPS_LITERAL, SERVER_HELLO | SERVER_CERTIFICATE)},
    {3, "client", show_verified,
        {{DOES_VERIFY_SERVER, "Certificate", STEPS_LITERAL, JUDGED},
            {DOES_VERIFY_SERVER "; the key then verifies ServerKeyExchange",
                "Certificate, ServerKeyExchange", STEPS_LITERAL, JUDGED},
            {DOES_VERIFY_SERVER "; the key then verifies CertificateVerify",
                "Certificate, CertificateVerify", STEPS_LITERAL, JUDGED}}},
};

static const struct row one_way[] = {
    {4, "client", show_key_sent,
        {{"makes a random number K, encrypts it with the server's public key and sends it",
             "ClientKeyExchange", STEPS_LITERAL, ACCEPTED | CLIENT_KEY_EXCHANGE},
            {DOES_SHARE, "ServerKeyExchange, ClientKeyExchange", STEPS_EQUIVALENT,
                ACCEPTED | SERVER_KEY_EXCHANGE | CLIENT_KEY_EXCHANGE},
            {DOES_SHARE, "ClientHello, ServerHello, CertificateVerify", STEPS_EQUIVALENT,
                ACCEPTED | SERVER_VERIFY}}},
    {5, "server", show_keys_used,
        {{"decrypts K with server.key; both derive their keys from K and the random numbers",
             "Finished", STEPS_LITERAL, SERVER_FINISHED},
            {"computes the shared secret; both derive their keys from it", "Finished",
                STEPS_EQUIVALENT, SERVER_FINISHED},
            {"computes the shared secret; both derive their keys from it", "Finished",
                STEPS_EQUIVALENT, SERVER_FINISHED}}},
};

static const struct row mutual[] = {
    {4, "server", show_certificate_sent,
        SAME("requires the client's certificate, and the client sends it (client.crt)",
            "CertificateRequest, Certificate", STEPS_LITERAL,
            ACCEPTED | CERTIFICATE_REQUEST | CLIENT_CERTIFICATE)},
    {5, "server", show_client_verified,
        SAME("verifies client.crt with the root certificate's public key and takes the client's "
             "public key from it",
            "Certificate, CertificateVerify", STEPS_LITERAL, ANSWERED)},
    {6, "client", show_schemes_offered,
        SAME("tells the symmetric schemes that it supports: they were in step 1", "ClientHello",
            STEPS_EQUIVALENT, ADMITTED)},
    {7, "server", show_scheme_chosen,
        SAME("selects the strongest scheme: that was in step 2. No version of TLS encrypts the "
             "choice with the client's public key; Finished proves that nobody changed it",
            "ServerHello, Finished", STEPS_NOT_ON_THE_WIRE, SERVER_HELLO | SERVER_FINISHED)},
    {8, "client", show_possession,
        {{DOES_PROVE "makes K, encrypts it with the server's public key and sends it",
             "ClientKeyExchange, CertificateVerify", STEPS_EQUIVALENT,
             CLIENT_VERIFY | CLIENT_KEY_EXCHANGE},
            {DOES_PROVE DOES_SHARE, "ServerKeyExchange, ClientKeyExchange, CertificateVerify",
                STEPS_EQUIVALENT, CLIENT_VERIFY | SERVER_KEY_EXCHANGE | CLIENT_KEY_EXCHANGE},
            {DOES_PROVE DOES_SHARE, "ClientHello, ServerHello, CertificateVerify", STEPS_EQUIVALENT,
                CLIENT_VERIFY | SERVER_VERIFY}}},
    {9, "server", show_keys_used,
        {{"decrypts K with server.key; both derive their keys from K and the random numbers",
             "Finished", STEPS_LITERAL, SERVER_FINISHED},
            {"computes the shared secret; both derive their keys from it", "Finished",
                STEPS_EQUIVALENT, SERVER_FINISHED},
            {"computes the shared secret; both derive their keys from it", "Finished",
                STEPS_EQUIVALENT, SERVER_FINISHED}}},
};

/* ---- what is known besides ---- */

static void copy_start(char *out, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = 0;
}

void steps_describe(struct steps_certificate *out, const struct certificate *c)
{
    const struct certificate_facts *facts = certificate_facts(c);
    copy_start(out->subject, sizeof(out->subject), certificate_subject(c));
    copy_start(out->sha256, sizeof(out->sha256), certificate_sha256(c));
    out->key_kind = facts->key_kind;
    out->key_bits = facts->key_bits;
}

void steps_note_verdict(struct steps_verdict *out, const struct verdict *v)
{
    *out = (struct steps_verdict){.is_judged = true, .accepted = v->accepted, .reason = v->reason};
    for (unsigned f = 0; f < FACTOR_COUNT; f++)
        out->factors[f] = v->factors[f].result;
}

/* ---- the list ---- */

static enum exchange exchange_of(const struct steps_handshake *h)
{
    if (h->key_exchange_rsa)
        return RSA_TRANSPORT;
    return h->seen.version == TLS_1_2 ? ECDHE_12 : TLS13;
}

static unsigned happened_to_client(const struct steps_handshake *h, enum exchange x)
{
    unsigned set = h->seen.messages;
    if (h->verdict.is_judged)
        set |= JUDGED;
    if (h->verdict.accepted)
        set |= ACCEPTED;
    /* TLS 1.2: the server's Finished comes after it judged us; TLS 1.3: before (RFC 8446 §2). */
    bool went_on = set & (x == TLS13 ? CLIENT_FINISHED : SERVER_FINISHED);
    if (set & CLIENT_VERIFY && (h->alert || went_on))
        set |= ANSWERED;
    if (!h->alert && went_on)
        set |= ADMITTED;
    return set;
}

static unsigned happened_to_server(const struct steps_handshake *h)
{
    unsigned set = h->seen.messages;
    if (set & CLIENT_WENT_ON)
        set |= JUDGED | ACCEPTED;
    else if (h->alert)
        set |= JUDGED;
    if (h->verdict.is_judged)
        set |= ANSWERED;
    if (h->verdict.accepted)
        set |= ADMITTED;
    /* What both sides hold is proved by the later Finished: with TLS 1.3 the client's. */
    if (!(set & CLIENT_FINISHED))
        set &= ~(unsigned)SERVER_FINISHED;
    return set;
}

static unsigned happened(const struct steps_handshake *h, enum exchange x)
{
    return h->seen.by_server ? happened_to_server(h) : happened_to_client(h, x);
}

/* Appends those of ROWS that took place; false at the first one that did not. */
static bool list_rows(const struct steps_handshake *h, const struct row *rows, size_t rows_n,
    struct step *out, size_t *n)
{
    enum exchange x = exchange_of(h);
    unsigned set = happened(h, x);
    for (size_t i = 0; i < rows_n; i++) {
        const struct variant *v = &rows[i].in[x];
        if ((set & v->needs) != v->needs)
            return false;
        struct step *s = &out[(*n)++];
        *s = (struct step){rows[i].number, rows[i].actor, v->does, v->message, v->wire, ""};
        struct text t = {s->evidence, sizeof(s->evidence), 0};
        rows[i].evidence(h, x, &t);
    }
    return true;
}

bool steps_is_mutual(const struct steps_handshake *h)
{
    unsigned both = CERTIFICATE_REQUEST | CLIENT_CERTIFICATE;
    if ((h->seen.messages & both) != both)
        return false;
    bool is_refused_for_none = h->seen.by_server && h->verdict.is_judged && !h->verdict.accepted;
    return (h->seen.client_certificates && is_there(&h->client)) || is_refused_for_none;
}

size_t steps_list(const struct steps_handshake *h, struct step out[STEPS_MAX])
{
    size_t n = 0;
    if (!list_rows(h, common, COUNT_OF(common), out, &n))
        return n;
    if (steps_is_mutual(h))
        list_rows(h, mutual, COUNT_OF(mutual), out, &n);
    else
        list_rows(h, one_way, COUNT_OF(one_way), out, &n);
    return n;
}

const char *steps_wire_name(enum steps_wire w)
{
    switch (w) {
    case STEPS_LITERAL:
        return "literal";
    case STEPS_EQUIVALENT:
        return "equivalent";
    case STEPS_NOT_ON_THE_WIRE:
        return "not on the wire";
    }
    return "";
}

void steps_write(const struct steps_handshake *h, struct json *j, const char *key)
{
    struct step steps[STEPS_MAX];
    size_t n = steps_list(h, steps);
    json_open_array(j, key);
    for (size_t i = 0; i < n; i++) {
        json_open_object(j, NULL);
        json_int64(j, "number", steps[i].number);
        json_text(j, "actor", steps[i].actor);
        json_text(j, "does", steps[i].does);
        json_text(j, "message", steps[i].message);
        json_text(j, "evidence", steps[i].evidence);
        json_text(j, "wire", steps_wire_name(steps[i].wire));
        json_close_object(j);
    }
    json_close_array(j);
}
