/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport parse`: what the parsers see, one JSON line a file. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/options.h"
#include "pki/crl.h"
#include "pki/name.h"
#include "pki/ocsp.h"
#include "pki/reason_code.h"
#include "tls/hello.h"
#include "tls/names.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

#define LINE_MAX_BYTES (16u << 20)
#define NAME_TEXT_MAX  1024

/* What FILE holds, as members of the object that is open in J. -1 with the reason, and nothing
 * written. */
typedef int describe_fn(struct bytes file, struct json *j, struct error *err);

static void write_time(struct json *j, const char *key, int64_t wall_s)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format(wall_s, text);
    json_text(j, key, text);
}

/* TIME 0: none given. */
static void write_time_or_null(struct json *j, const char *key, int64_t time)
{
    if (time)
        write_time(j, key, time);
    else
        json_nil(j, key);
}

static void write_hex(struct json *j, const char *key, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    char *text = mem_alloc(2 * b.n + 1);
    for (size_t i = 0; i < b.n; i++) {
        text[2 * i] = digits[b.at[i] >> 4];
        text[2 * i + 1] = digits[b.at[i] & 15];
    }
    json_text(j, key, text);
    free(text);
}

/* ---- certificates ---- */

static const char *key_text(enum key_kind kind)
{
    static const char *const names[] = {
        [KEY_RSA] = "rsa",
        [KEY_RSA_PSS] = "rsa-pss",
        [KEY_RSA_PSS_SHA256] = "rsa-pss-sha256",
        [KEY_RSA_PSS_SHA384] = "rsa-pss-sha384",
        [KEY_RSA_PSS_SHA512] = "rsa-pss-sha512",
        [KEY_EC_P256] = "p256",
        [KEY_EC_P384] = "p384",
        [KEY_EC_P521] = "p521",
        [KEY_ED25519] = "ed25519",
        [KEY_UNSUPPORTED] = "unsupported",
    };
    return names[kind];
}

static void write_usages(struct json *j, const struct certificate_facts *f)
{
    static const struct {
        enum key_usage usage;
        const char *name;
    } usages[] = {
        {USAGE_DIGITAL_SIGNATURE, "digitalSignature"},
        {USAGE_KEY_ENCIPHERMENT, "keyEncipherment"},
        {USAGE_KEY_AGREEMENT, "keyAgreement"},
        {USAGE_KEY_CERT_SIGN, "keyCertSign"},
        {USAGE_CRL_SIGN, "cRLSign"},
    };
    json_bool(j, "has_key_usage", f->has_key_usage);
    json_open_array(j, "key_usage");
    for (size_t i = 0; i < COUNT_OF(usages); i++)
        if (f->has_key_usage && f->key_usage & usages[i].usage)
            json_text(j, NULL, usages[i].name);
    json_close_array(j);
    json_bool(j, "has_extended_key_usage", f->has_extended_key_usage);
    json_bool(j, "for_server", f->extended_key_usage & (EXTENDED_ANY | EXTENDED_SERVER));
    json_bool(j, "for_client", f->extended_key_usage & (EXTENDED_ANY | EXTENDED_CLIENT));
}

/* What RFC 5280 forbids, though it can be parsed. */
static void write_flaws(struct json *j, unsigned flaws)
{
    json_open_array(j, "flaws");
    for (unsigned i = 0; i < CERTIFICATE_FLAW_COUNT; i++)
        if (flaws & CERTIFICATE_FLAW_BIT(i))
            json_text(j, NULL, certificate_flaw_text(i));
    json_close_array(j);
}

static void write_certificate(struct json *j, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    json_open_object(j, NULL);
    json_text(j, "subject", certificate_subject(c));
    json_text(j, "issuer", certificate_issuer(c));
    json_text(j, "serial", certificate_serial(c));
    json_text(j, "sha256", certificate_sha256(c));
    write_time(j, "not_before", f->not_before);
    write_time(j, "not_after", f->not_after);
    json_open_array(j, "names");
    for (size_t i = 0; i < f->names_n; i++) {
        char text[NAME_TEXT_MAX];
        name_format(&f->names[i], text, sizeof(text));
        json_text(j, NULL, text);
    }
    json_close_array(j);
    json_text(j, "key", key_text(f->key_kind));
    json_int64(j, "key_bits", f->key_bits);
    json_bool(j, "is_ca", f->is_ca);
    write_usages(j, f);
    write_flaws(j, f->flaws);
    json_close_object(j);
}

static int describe_certificates(struct bytes file, struct json *j, struct error *err)
{
    struct certificate_list found = {0};
    if (certificate_list_parse(file, &found, err) < 0)
        return -1;
    json_open_array(j, "certificates");
    for (size_t i = 0; i < found.n; i++)
        write_certificate(j, found.at[i]);
    json_close_array(j);
    certificate_list_fini(&found);
    return 0;
}

/* ---- CRLs ---- */

static const char *scope_text(enum crl_scope scope)
{
    static const char *const names[] = {
        [CRL_SCOPE_ALL] = "all",
        [CRL_SCOPE_USERS] = "users",
        [CRL_SCOPE_AUTHORITIES] = "authorities",
        [CRL_SCOPE_ATTRIBUTES] = "attributes",
    };
    return names[scope];
}

static void write_crl(struct json *j, const struct crl *crl)
{
    const struct crl_facts *f = crl_facts(crl);
    json_open_object(j, NULL);
    json_text(j, "issuer", crl_issuer(crl));
    json_text(j, "number", crl_number(crl));
    write_time(j, "this_update", f->this_update);
    write_time_or_null(j, "next_update", f->next_update);
    json_bool(j, "is_delta", f->base_number.at != NULL);
    json_bool(j, "is_indirect", f->is_indirect);
    json_text(j, "scope", scope_text(f->scope));
    json_bool(j, "has_all_reasons", !f->only_some_reasons);
    json_bool(j, "has_issuing_distribution_point", f->has_distribution_point);
    json_bool(j, "has_unknown_critical", f->unknown_critical.at != NULL);
    json_int64(j, "entries", (int64_t)f->entries);
    json_close_object(j);
}

static int describe_crls(struct bytes file, struct json *j, struct error *err)
{
    struct crl_list found = {0};
    if (crl_list_parse(file, &found, err) < 0)
        return -1;
    json_open_array(j, "crls");
    for (size_t i = 0; i < found.n; i++)
        write_crl(j, found.at[i]);
    json_close_array(j);
    crl_list_fini(&found);
    return 0;
}

/* ---- OCSP responses ---- */

static const char *ocsp_status_text(enum ocsp_status status)
{
    static const char *const names[] = {
        [OCSP_GOOD] = "good",
        [OCSP_REVOKED] = "revoked",
        [OCSP_UNKNOWN] = "unknown",
        [OCSP_UNUSABLE] = "unusable",
    };
    return names[status];
}

static void write_ocsp_entry(struct json *j, const struct ocsp_entry *e)
{
    json_open_object(j, NULL);
    json_text(j, "serial", e->serial);
    json_text(j, "status", ocsp_status_text(e->answer.status));
    write_time(j, "this_update", e->answer.this_update);
    write_time_or_null(j, "next_update", e->answer.next_update);
    if (e->answer.status == OCSP_REVOKED) {
        write_time(j, "revoked_at", e->answer.revoked_at);
        json_text(j, "reason", reason_code_name(e->answer.reason));
    }
    json_close_object(j);
}

static int describe_ocsp(struct bytes file, struct json *j, struct error *err)
{
    struct arena arena;
    struct ocsp_facts facts;
    arena_init(&arena);
    int result = ocsp_describe(file, &arena, &facts, err);
    if (result == 0) {
        json_text(j, "responder", facts.responder);
        write_time(j, "produced_at", facts.produced_at);
        json_open_array(j, "answers");
        for (size_t i = 0; i < facts.entries_n; i++)
            write_ocsp_entry(j, &facts.entries[i]);
        json_close_array(j);
    }
    arena_fini(&arena);
    return result;
}

/* ---- ClientHello ---- */

typedef const char *name_fn(uint16_t code);

static void write_codes(struct json *j, const char *key, struct bytes codes, name_fn *name)
{
    uint16_t code;
    json_open_array(j, key);
    while (wire_take_16(&codes, &code)) {
        const char *known = name(code);
        char number[8];
        snprintf(number, sizeof(number), "0x%04x", code);
        json_text(j, NULL, known ? known : number);
    }
    json_close_array(j);
}

static void write_extensions(struct json *j, struct bytes block)
{
    uint16_t number;
    struct bytes body;
    json_open_array(j, "extensions");
    while (extension_next(&block, &number, &body))
        json_int64(j, NULL, number);
    json_close_array(j);
}

static void write_client_hello(struct json *j, const struct hello_client *h)
{
    const struct client_hello *hello = &h->hello;
    uint8_t legacy[] = {(uint8_t)(hello->legacy_version >> 8), (uint8_t)hello->legacy_version};
    struct bytes versions = h->versions.n ? h->versions : (struct bytes){legacy, sizeof(legacy)};
    write_codes(j, "versions", versions, names_version);
    write_hex(j, "random", hello->random);
    write_hex(j, "session_id", hello->session_id);
    write_codes(j, "suites", hello->suites, tlsconn_cipher_name);
    json_int64(j, "suites_n", (int64_t)hello->suites.n / 2);
    if (h->sni.n)
        json_bytes(j, "sni", h->sni);
    else
        json_nil(j, "sni");
    struct bytes alpn = h->alpn, name;
    json_open_array(j, "alpn");
    while (extension_next_alpn(&alpn, &name))
        json_bytes(j, NULL, name);
    json_close_array(j);
    write_codes(j, "groups", h->groups, names_group);
    write_codes(j, "signature_schemes", h->signature_schemes, names_signature_scheme);
    write_extensions(j, hello->block);
}

static int read_client_hello(
    struct bytes file, uint8_t *space, struct hello_client *out, struct error *err)
{
    struct bytes message, body;
    uint8_t type;
    if (hello_unwrap(file, space, &message, err) < 0)
        return -1;
    if (hello_message(message, &type, &body) < 0)
        return error_set(err, "this is not one whole handshake message");
    if (type != MESSAGE_CLIENT_HELLO)
        return error_set(err, "the message is %s, not client_hello", tlsconn_message_name(type));
    return hello_read_client(body, out, err);
}

static int describe_client_hello(struct bytes file, struct json *j, struct error *err)
{
    struct hello_client hello;
    uint8_t *space = mem_alloc(file.n + 1);
    int result = read_client_hello(file, space, &hello, err);
    if (result == 0)
        write_client_hello(j, &hello);
    free(space);
    return result;
}

/* ---- the command ---- */

static describe_fn *const describers[] = {
    describe_certificates, describe_crls, describe_ocsp, describe_client_hello};
#define TYPES "cert|crl|ocsp|client-hello" /* in the order of describers */

static int read_and_describe(
    const char *path, describe_fn *describe, struct json *j, struct error *err)
{
    struct buf content;
    if (file_read(path, &content, err) < 0)
        return -1;
    int result = describe(buf_bytes(&content), j, err);
    buf_fini(&content);
    return result;
}

static int parse_file(const char *path, describe_fn *describe)
{
    struct buf line;
    struct json j;
    struct error err;
    buf_init(&line, LINE_MAX_BYTES);
    json_init(&j, &line);
    json_open_object(&j, NULL);
    json_text(&j, "file", path);
    int result = read_and_describe(path, describe, &j, &err);
    if (result < 0)
        json_text(&j, "error", err.text);
    json_close_object(&j);
    if (json_failed(&j)) {
        buf_clear(&line);
        json_init(&j, &line);
        json_open_object(&j, NULL);
        json_text(&j, "file", path);
        json_text(&j, "error", "the description is longer than a line may be");
        json_close_object(&j);
        result = -1;
    }
    fwrite(buf_bytes(&line).at, 1, buf_size(&line), stdout);
    putchar('\n');
    buf_fini(&line);
    return result;
}

int cli_parse(int argc, char **argv)
{
    unsigned type = COUNT_OF(describers);
    const struct options_row rows[] = {
        {"type", 0, OPTIONS_CHOICE, &type, TYPES, "what the files hold"},
    };
    const struct options_syntax syntax = {"parse", "FILE…",
        "What the parsers see, one JSON line a file: {\"file\": …, …}, or {\"file\": …, "
        "\"error\": …}.\nCertificates and CRLs are PEM or DER, an OCSP response is DER, a "
        "ClientHello is the TLS records or the bare message.\nExit status: 0 all could be parsed, "
        "1 some could not, 2 wrong usage.",
        rows, COUNT_OF(rows), 1, SIZE_MAX};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    if (type == COUNT_OF(describers)) {
        status = options_wrong(&syntax, "--type is missing; accepted is %s", TYPES);
    } else {
        status = OPTIONS_EXIT_GOOD;
        for (size_t i = 0; i < arguments.n; i++)
            if (parse_file(arguments.at[i], describers[type]) < 0)
                status = OPTIONS_EXIT_NEGATIVE;
    }
    options_list_fini(&arguments);
    return status;
}
