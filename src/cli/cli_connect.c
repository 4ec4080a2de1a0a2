/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport connect`: a TLS client that shows the handshake step by step, and then relays. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/trust.h"
#include "cli/verdict_text.h"
#include "pki/credential.h"
#include "tls/names.h"
#include "tls/steps.h"

#include "base/ban.h"

#define HOST_MAX 256
#define PORT_MAX 32
#define ALPN_MAX 8
#define JSON_MAX (2u << 20)

/* How long we wait for a refusal that comes after a TLS 1.3 handshake (see settle), and for the
 * peer's close_notify. */
#define SETTLE_MS            300
#define CLOSE_MS             3000

#define ALERT_INTERNAL_ERROR 80

enum tls_choice { TLS_ANY, TLS_ONLY_1_2, TLS_ONLY_1_3 };

struct connect_options {
    struct options_list ca, crl, alpn;
    const char *ocsp, *certificate, *key, *name;
    unsigned version;      /* enum tls_choice */
    unsigned key_exchange; /* 0: any, 1: rsa */
    unsigned engine;       /* 0: native, 1: openssl */
    bool json;
};

struct attempt {
    const struct connect_options *options;
    char host[HOST_MAX], port[PORT_MAX];
    struct trust trust;
    struct credential *credential; /* ours, or NULL */
    struct tlspolicy *policy;
    struct session session;
    struct verdict verdict;
    bool is_judged;
    bool is_shaken; /* the handshake is complete */
    struct steps_handshake steps;
    struct error failure; /* "" while all is well */
};

/* ---- the engine's questions ---- */

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct attempt *a = owner;
    struct verify_policy policy = a->trust.policy;
    if (!policy.ocsp.n)
        policy.ocsp = tlsconn_staple(a->session.tls);
    verdict_fini(&a->verdict);
    verify_chain(&policy, chain, chain_n, clock_wall_s(), &a->verdict);
    a->is_judged = true;
    if (a->verdict.accepted)
        return 0;
    uint8_t alert = reason_alert(a->verdict.reason);
    return alert ? alert : ALERT_INTERNAL_ERROR;
}

static void see(void *owner, enum tlsconn_message_direction direction, struct bytes message)
{
    struct attempt *a = owner;
    steps_see(&a->steps.seen, direction, message);
}

static const struct tlsconn_handler handler = {.judge = judge, .message = see};

/* ---- preparation ---- */

static int read_trust(struct attempt *a, struct error *err)
{
    const struct connect_options *o = a->options;
    struct trust *t = &a->trust;
    for (size_t i = 0; i < o->ca.n; i++)
        if (trust_read_ca(t, o->ca.at[i], err) < 0)
            return -1;
    if (!o->ca.n && trust_read_system_store(t, err) < 0)
        return -1;
    for (size_t i = 0; i < o->crl.n; i++)
        if (trust_read_crl(t, o->crl.at[i], err) < 0)
            return -1;
    if (o->ocsp && trust_read_ocsp(t, o->ocsp, err) < 0)
        return -1;
    if (trust_add_name(t, o->name ? o->name : a->host, false, err) < 0)
        return -1;
    trust_build(t, false);
    return 0;
}

static void load_credential(struct attempt *a, struct bytes certificate, struct bytes key)
{
    const struct connect_options *o = a->options;
    struct credential_files files = {
        .certificate = certificate,
        .key = key,
        .certificate_path = o->certificate,
        .key_path = o->key,
        .at = {.file = "--certificate"},
        .key_at = {.file = "--key"},
    };
    struct report report;
    report_init(&report);
    a->credential = credential_load(&files, PATH_CLIENT, clock_wall_s(), &report);
    char *text = report_text(&report);
    fputs(text, stderr);
    free(text);
    report_fini(&report);
}

static int read_credential(struct attempt *a, struct error *err)
{
    const struct connect_options *o = a->options;
    struct buf certificate, key;
    if (!o->certificate)
        return 0;
    if (file_read(o->certificate, &certificate, err) < 0)
        return -1;
    if (file_read(o->key, &key, err) < 0) {
        buf_fini(&certificate);
        return -1;
    }
    load_credential(a, buf_bytes(&certificate), buf_bytes(&key));
    buf_fini(&certificate);
    buf_fini(&key); /* wipes it */
    return a->credential
               ? 0
               : error_set(err, "the client certificate %s cannot be used", o->certificate);
}

static int make_policy(struct attempt *a, struct error *err)
{
    const struct connect_options *o = a->options;
    struct bytes alpn[ALPN_MAX];
    for (size_t i = 0; i < o->alpn.n; i++)
        alpn[i] = bytes_of(o->alpn.at[i]);
    const struct credential *credential = a->credential;
    bool only_rsa = o->key_exchange == 1;
    struct tlspolicy_config config = {
        .engine = o->engine ? ENGINE_OPENSSL : ENGINE_NATIVE,
        .role = TLSPOLICY_CLIENT,
        .version_min = o->version == TLS_ONLY_1_3 ? TLS_1_3 : TLS_1_2,
        .version_max = o->version == TLS_ONLY_1_2 || only_rsa ? TLS_1_2 : TLS_1_3,
        .key_exchange_rsa = only_rsa,
        .key_exchange_rsa_only = only_rsa,
        .credentials = &credential,
        .credentials_n = credential ? 1 : 0,
        .peer = PEER_REQUIRED,
        .alpn = alpn,
        .alpn_n = o->alpn.n,
    };
    a->policy = tlspolicy_new(&config, err);
    return a->policy ? 0 : -1;
}

/* What SNI carries: the DNS name that we look for. NULL where it is an address or another kind of
 * name. */
static const char *server_name(const struct attempt *a)
{
    const struct name_pattern *name = &a->trust.names[0];
    if (name->kind != NAME_DNS)
        return NULL;
    const char *given = a->options->name ? a->options->name : a->host;
    return bytes_starts_with(bytes_of(given), BYTES("DNS:")) ? given + 4 : given;
}

static int open_session(struct attempt *a, struct error *err)
{
    int fd;
    if (session_dial(a->host, a->port, &fd, err) < 0)
        return -1;
    session_init(&a->session, fd, tlsconn_new_client(a->policy, server_name(a), &handler, a));
    return 0;
}

/* ---- the handshake ---- */

/* TLS 1.3: the server judges our certificate after our side of the handshake is over (RFC 8446 §2),
 * so its refusal, an alert, is waited for as long as one usually takes to travel. Where nothing is
 * to be relayed we then say that we have finished, and a server that refuses will have sent its
 * alert before it closes too. */
static void settle(struct attempt *a)
{
    const struct tlsconn_facts *facts = tlsconn_facts(a->session.tls);
    if (facts->version != TLS_1_3 || !facts->peer_asked)
        return;
    session_listen(&a->session, SETTLE_MS);
    if (a->options->json)
        session_close(&a->session, CLOSE_MS);
}

static void collect_steps(struct attempt *a)
{
    a->steps.key_exchange_rsa = tlsconn_facts(a->session.tls)->key_exchange_rsa;
    if (a->is_judged)
        steps_note_verdict(&a->steps.verdict, &a->verdict);
    if (a->verdict.chain.n)
        steps_describe(&a->steps.server, a->verdict.chain.at[0]);
    if (a->credential)
        steps_describe(&a->steps.client, a->credential->chain.at[0]);
    a->steps.alert = session_alert(&a->session);
    a->steps.has_answer = buf_size(&a->session.plain) > 0;
    a->steps.has_close = a->session.is_closed && !a->session.is_truncated;
}

static void shake(struct attempt *a)
{
    if (session_handshake(&a->session, &a->failure) == 0) {
        a->is_shaken = true;
        settle(a);
        const struct tlsconn_failure *failure = tlsconn_failure(a->session.tls);
        if (failure->fault != TLSCONN_FAULT_NONE)
            error_set(&a->failure, "refused after the handshake: %s", failure->text);
    }
    collect_steps(a);
}

/* ---- what is shown ---- */

static const char *key_exchange_text(const struct tlsconn_facts *facts)
{
    if (!facts->version)
        return "";
    return facts->key_exchange_rsa ? "rsa" : "ecdhe";
}

static void write_tls(struct json *j, const struct attempt *a)
{
    const struct tlsconn_facts *facts = tlsconn_facts(a->session.tls);
    json_open_object(j, "tls");
    json_text(j, "version", names_version_token(facts->version));
    json_text(j, "cipher", facts->cipher);
    json_text(j, "key_exchange", key_exchange_text(facts));
    json_text(j, "group", facts->group);
    json_text(j, "signature", facts->signature);
    json_text(j, "alpn", facts->alpn);
    json_text(j, "sni", facts->sni);
    json_bool(j, "resumed", facts->resumed);
    json_bool(j, "handshake_complete", a->is_shaken);
    json_bool(j, "certificate_requested", facts->peer_asked);
    if (a->steps.alert)
        json_text(j, "alert", tlsconn_alert_name(a->steps.alert));
    if (*a->failure.text)
        json_text(j, "error", a->failure.text);
    json_close_object(j);
}

static void print_json(const struct attempt *a)
{
    struct buf text;
    struct json j;
    buf_init(&text, JSON_MAX);
    json_init(&j, &text);
    json_open_object(&j, NULL);
    write_tls(&j, a);
    if (a->is_judged)
        verdict_json(&a->verdict, &j, "peer");
    else
        json_nil(&j, "peer");
    steps_write(&a->steps, &j, "steps");
    json_close_object(&j);
    printf("%.*s\n", BYTES_ARG(buf_bytes(&text)));
    fflush(stdout);
    buf_fini(&text);
}

static void print_words(const struct attempt *a)
{
    struct step steps[STEPS_MAX];
    size_t n = steps_list(&a->steps, steps);
    const struct tlsconn_facts *facts = tlsconn_facts(a->session.tls);
    fprintf(stderr, "%s, %s authentication\n",
        facts->version ? names_version_token(facts->version) : "no version agreed on",
        steps_is_mutual(&a->steps) ? "mutual" : "one-way");
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "\n%2u  %-6s  %s\n            %s (%s)\n            %s\n", steps[i].number,
            steps[i].actor, steps[i].does, steps[i].message, steps_wire_name(steps[i].wire),
            steps[i].evidence);
    if (a->is_judged) {
        fputs("\nThe server's certificate:\n", stderr);
        verdict_text_print(stderr, &a->verdict);
    }
    if (*a->failure.text)
        fprintf(stderr, "sallyport connect: %s\n", a->failure.text);
}

static void show(const struct attempt *a)
{
    if (a->options->json)
        print_json(a);
    else
        print_words(a);
}

/* ---- the whole ---- */

static bool is_good(const struct attempt *a)
{
    return a->is_shaken && a->verdict.accepted && !*a->failure.text;
}

static int talk(struct attempt *a)
{
    shake(a);
    show(a);
    if (!is_good(a))
        return OPTIONS_EXIT_NEGATIVE;
    if (a->options->json) {
        session_close(&a->session, CLOSE_MS);
        return OPTIONS_EXIT_GOOD;
    }
    struct error err;
    int result = session_relay(&a->session, &err);
    if (result < 0)
        fprintf(stderr, "sallyport connect: %s\n", err.text);
    session_close(&a->session, 0);
    return result < 0 ? OPTIONS_EXIT_NEGATIVE : OPTIONS_EXIT_GOOD;
}

static int connect_to(const struct options_syntax *syntax, struct attempt *a, const char *address)
{
    const struct connect_options *o = a->options;
    struct error err;
    if (session_split(address, a->host, sizeof(a->host), a->port, sizeof(a->port), &err) < 0)
        return options_wrong(syntax, "%s", err.text);
    if (read_trust(a, &err) < 0 || read_credential(a, &err) < 0 || make_policy(a, &err) < 0) {
        fprintf(stderr, "sallyport connect: %s\n", err.text);
        return OPTIONS_EXIT_USAGE;
    }
    if (open_session(a, &err) < 0) {
        if (o->json) /* the caller parses an object, whatever happens */
            printf("{\"tls\":null,\"peer\":null,\"steps\":[]}\n");
        fprintf(stderr, "sallyport connect: %s\n", err.text);
        return OPTIONS_EXIT_NEGATIVE;
    }
    return talk(a);
}

static int check_options(const struct options_syntax *syntax, const struct connect_options *o)
{
    if (!o->certificate != !o->key)
        return options_wrong(syntax, "--certificate and --key go together");
    if (o->key_exchange == 1 && o->version == TLS_ONLY_1_3)
        return options_wrong(syntax, "--key-exchange rsa is a key exchange of TLS 1.2 only");
    if (o->alpn.n > ALPN_MAX)
        return options_wrong(syntax, "more than %d times --alpn", ALPN_MAX);
    return 0;
}

static int connect_with(
    const struct options_syntax *syntax, const struct connect_options *o, const char *address)
{
    int status = check_options(syntax, o);
    if (status)
        return status;
    struct attempt a = {.options = o};
    trust_init(&a.trust, PATH_SERVER);
    verdict_init(&a.verdict);
    status = connect_to(syntax, &a, address);
    session_fini(&a.session);
    verdict_fini(&a.verdict);
    tlspolicy_free(&a.policy);
    credential_free(&a.credential);
    trust_fini(&a.trust);
    return status;
}

int cli_connect(int argc, char **argv)
{
    struct connect_options o = {0};
    const struct options_row rows[] = {
        {"ca", 0, OPTIONS_LIST, &o.ca, "FILE", "trusted; default: the system's store"},
        {"crl", 0, OPTIONS_LIST, &o.crl, "FILE", "revocation lists; unknown is then refused"},
        {"ocsp", 0, OPTIONS_TEXT, &o.ocsp, "FILE", "an OCSP answer (DER); unknown is then refused"},
        {"certificate", 0, OPTIONS_TEXT, &o.certificate, "FILE", "the client certificate to show"},
        {"key", 0, OPTIONS_TEXT, &o.key, "FILE", "its private key"},
        {"name", 0, OPTIONS_TEXT, &o.name, "NAME",
            "who the server must be: a host, or KIND:VALUE (default: HOST)"},
        {"alpn", 0, OPTIONS_LIST, &o.alpn, "PROTOCOL", "offer it, like h2 or http/1.1"},
        {"tls", 0, OPTIONS_CHOICE, &o.version, "any|1.2|1.3", "the version to offer"},
        {"key-exchange", 0, OPTIONS_CHOICE, &o.key_exchange, "any|rsa",
            "rsa: TLS 1.2 with RSA key transport only"},
        {"engine", 0, OPTIONS_CHOICE, &o.engine, "native|openssl", "who speaks TLS here"},
        {"json", 0, OPTIONS_FLAG, &o.json, NULL, "print one JSON object, and relay nothing"},
    };
    const struct options_syntax syntax = {"connect", "HOST:PORT",
        "A TLS client: it shows the handshake as numbered steps and the four factors of the "
        "server's certificate\non standard error, then relays standard input and output until the "
        "server closes. With --json it prints\none object on standard output and ends. Exit "
        "status: 0 if the server was accepted and accepted us, 1 if\nnot, 2 wrong usage or "
        "unreadable input.",
        rows, COUNT_OF(rows), 1, 1};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    status = connect_with(&syntax, &o, arguments.at[0]);
    options_list_fini(&o.ca);
    options_list_fini(&o.crl);
    options_list_fini(&o.alpn);
    options_list_fini(&arguments);
    return status;
}
