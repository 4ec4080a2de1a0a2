/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/credential.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "crypto/file_kind.h"
#include "crypto/key_file.h"
#include "pki/der.h"
#include "pki/ocsp.h"
#include "pki/verdict.h"

#include "base/ban.h"

static const char order_remedy[] =
    "put the leaf first and each issuer after it; `sallyport pki convert --order` does it";

static const char *subject_of(const struct certificate *c)
{
    return verdict_dn(certificate_subject(c));
}

/* ---- errors ---- */

/* Does the key belong to CERTIFICATE? */
static bool is_key_of(const struct credential_files *files, const struct credential *c,
    const struct certificate *certificate)
{
    struct bytes spki = certificate_facts(certificate)->spki;
    return files->held ? public_key_same(files->held->spki, spki)
                       : private_key_matches(c->key, spki);
}

/* The key, here or elsewhere, and the certificates that come with it in PKCS#12. */
struct taken_key {
    bool is_usable;
    struct key_file file;
    struct bytes certificates;
    struct error err;
};

static void take_key(
    const struct credential_files *files, struct credential *c, struct taken_key *out)
{
    const struct held_key *held = files->held;
    *out = (struct taken_key){0};
    if (held) {
        c->handle = held->handle;
        out->is_usable = held->spki.n > 0;
        out->certificates = held->certificates;
        error_set(&out->err, "%.*s", BYTES_ARG(held->flaw));
        return;
    }
    out->is_usable = key_file_read(files->key, files->passphrase, &out->file, &out->err) == 0;
    out->certificates = buf_bytes(&out->file.certificates);
    if (out->is_usable)
        c->key = private_key_ref(out->file.key);
}

/* Are certificate and key in one PKCS#12 file? Its certificates are known when it is decrypted. */
static bool is_bundle(const struct credential_files *files)
{
    return file_kind_of_der(files->certificate) == FILE_PKCS12 &&
           strcmp(files->certificate_path, files->key_path) == 0;
}

/* A bundle that cannot be decrypted has one flaw, which is the key's. */
static bool parse_chain(const struct credential_files *files, const struct taken_key *key,
    struct credential *c, struct report *report)
{
    struct error err;
    bool is_opened = is_bundle(files) && key->certificates.n;
    if (is_bundle(files) && !key->is_usable)
        return false;
    if (certificate_list_parse(
            is_opened ? key->certificates : files->certificate, &c->chain, &err) == 0)
        return true;
    report_error(report, files->at, "%s: %s", files->certificate_path, err.text);
    return false;
}

static bool parse_files(
    const struct credential_files *files, struct credential *c, struct report *report)
{
    struct taken_key key;
    take_key(files, c, &key);
    bool good = parse_chain(files, &key, c, report);
    if (!key.is_usable) {
        report_error(report, files->key_at, "%s: %s", files->key_path, key.err.text);
        good = false;
    }
    key_file_fini(&key.file);
    return good;
}

static bool check_key_kind(
    const struct credential_files *files, const struct credential *c, struct report *report)
{
    const struct certificate_facts *leaf = certificate_facts(c->chain.at[0]);
    if (leaf->key_kind == KEY_UNSUPPORTED) {
        report_error(report, files->at,
            "%s: the key of %.200s is of a kind that TLS peers do not accept; accepted: RSA, ECDSA "
            "with P-256, P-384 or "
            "P-521, Ed25519",
            files->certificate_path, subject_of(c->chain.at[0]));
        return false;
    }
    if (public_key_kind_is_rsa(leaf->key_kind) && leaf->key_bits < PUBLIC_KEY_RSA_BITS_MIN) {
        report_error(report, files->at,
            "%s: the RSA key of %.200s has %u bits; accepted: %d and more", files->certificate_path,
            subject_of(c->chain.at[0]), leaf->key_bits, PUBLIC_KEY_RSA_BITS_MIN);
        return false;
    }
    return true;
}

static bool check_key_matches(
    const struct credential_files *files, const struct credential *c, struct report *report)
{
    const struct certificate_list *chain = &c->chain;
    if (is_key_of(files, c, chain->at[0]))
        return true;
    for (size_t i = 1; i < chain->n; i++) {
        if (!is_key_of(files, c, chain->at[i]))
            continue;
        report_error(report, files->at,
            "%s: certificate %zu (%.120s) is the one that %s belongs to, and must come first: %s",
            files->certificate_path, i + 1, subject_of(chain->at[i]), files->key_path,
            order_remedy);
        return false;
    }
    report_error(report, files->key_at,
        "%s is not the key of %s (%.200s): give the key that the certificate was requested with, "
        "or the certificate that "
        "was issued for this key",
        files->key_path, files->certificate_path, subject_of(chain->at[0]));
    return false;
}

static bool has_issuer(const struct certificate_list *chain, size_t i)
{
    for (size_t k = 0; k < chain->n; k++)
        if (k != i && certificate_issued_by(chain->at[i], chain->at[k]))
            return true;
    return false;
}

/* RFC 5246 §7.4.2: "Each following certificate MUST directly certify the one preceding it." TLS 1.3
 * made it a SHOULD, and its peers still build better paths from a chain that is in order. */
static bool check_order(
    const struct credential_files *files, const struct credential *c, struct report *report)
{
    const struct certificate_list *chain = &c->chain;
    for (size_t i = 0; i + 1 < chain->n; i++) {
        if (certificate_issued_by(chain->at[i], chain->at[i + 1]))
            continue;
        report_error(report, files->at,
            "%s: certificate %zu (%.120s) is not the issuer of certificate %zu (%.120s): %s%s",
            files->certificate_path, i + 2, subject_of(chain->at[i + 1]), i + 1,
            subject_of(chain->at[i]), has_issuer(chain, i) ? "" : "the issuer is not in the file; ",
            order_remedy);
        return false;
    }
    return true;
}

/* OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, … } (RFC 6960 §4.2.1), filling the file.
 */
static bool is_ocsp_response(struct bytes file)
{
    struct bytes content;
    return der_take(&file, DER_SEQUENCE, &content) && !file.n &&
           der_is_next(content, DER_ENUMERATED);
}

static bool take_staple(
    const struct credential_files *files, struct credential *c, struct report *report)
{
    if (!files->ocsp.n)
        return true;
    if (!is_ocsp_response(files->ocsp)) {
        report_error(report, files->ocsp_at,
            "the file is no OCSP response; accepted: DER, as `openssl ocsp -respout FILE` writes "
            "it%s",
            bytes_starts_with(files->ocsp, BYTES("-----BEGIN")) ? " (this one is PEM)" : "");
        return false;
    }
    c->ocsp = (struct bytes){
        memcpy(mem_alloc(files->ocsp.n), files->ocsp.at, files->ocsp.n), files->ocsp.n};
    return true;
}

/* ---- warnings ---- */

static void warn_about_time(const struct credential_files *files, const struct credential *c,
    int64_t now_s, struct report *report)
{
    for (size_t i = 0; i < c->chain.n; i++) {
        const struct certificate_facts *facts = certificate_facts(c->chain.at[i]);
        char time[CLOCK_RFC3339_MAX];
        if (facts->not_after < now_s) {
            clock_format(facts->not_after, time);
            report_warning(report, files->at, "%s: %.200s expired %s: renew it",
                files->certificate_path, subject_of(c->chain.at[i]), time);
        } else if (facts->not_before > now_s) {
            clock_format(facts->not_before, time);
            report_warning(report, files->at,
                "%s: %.200s is not valid before %s: check the clock, or wait",
                files->certificate_path, subject_of(c->chain.at[i]), time);
        }
    }
}

static void warn_about_use(const struct credential_files *files, const struct credential *c,
    enum path_purpose purpose, struct report *report)
{
    const struct certificate_facts *leaf = certificate_facts(c->chain.at[0]);
    bool is_server = purpose == PATH_SERVER;
    unsigned purposes = EXTENDED_ANY | (is_server ? EXTENDED_SERVER : EXTENDED_CLIENT);
    const char *subject = subject_of(c->chain.at[0]), *file = files->certificate_path;
    if (!(leaf->extended_key_usage & purposes))
        report_warning(report, files->at,
            "%s: %.200s is not for %s: peers will refuse it; issue it with extendedKeyUsage %s",
            file, subject, is_server ? "servers" : "clients",
            is_server ? "serverAuth" : "clientAuth");
    /* RFC 8446 §4.4.2.2: "digitalSignature bit MUST be set if the Key Usage extension is present".
     */
    if (!(leaf->key_usage & USAGE_DIGITAL_SIGNATURE))
        report_warning(report, files->at,
            "%s: %.200s may not sign handshakes%s; issue it with keyUsage digitalSignature", file,
            subject,
            is_server && leaf->key_usage & USAGE_KEY_ENCIPHERMENT
                ? ": only TLS 1.2 with key_exchange: rsa can use it"
                : "");
    if (leaf->is_ca)
        report_warning(report, files->at,
            "%s: %.200s is a CA's certificate: some peers will refuse it, and its key can issue "
            "certificates; issue one "
            "for this use, as `sallyport pki %s` does",
            file, subject, is_server ? "server" : "client");
    if (is_server && !leaf->names_n)
        report_warning(report, files->at,
            "%s: %.200s has no subjectAltName: clients will refuse it, as they do not look at the "
            "common name",
            file, subject);
}

/* ---- the staple ---- */

/* NULL: not in the file, which may do without the root. */
static const struct certificate *issuer_of_leaf(const struct certificate_list *chain)
{
    if (chain->n > 1)
        return chain->at[1];
    return certificate_facts(chain->at[0])->is_self_issued ? chain->at[0] : NULL;
}

static enum ocsp_status ask_staple(const struct credential_files *files, const struct credential *c,
    int64_t now_s, struct report *report, struct ocsp_answer *out)
{
    const struct certificate *leaf = c->chain.at[0];
    const struct certificate *issuer = issuer_of_leaf(&c->chain);
    if (issuer) {
        ocsp_ask(c->ocsp, leaf, issuer, now_s, out);
    } else {
        report_warning(report, files->ocsp_at,
            "the OCSP answer's signature cannot be checked: append the certificate of %.200s to %s",
            verdict_dn(certificate_issuer(leaf)), files->certificate_path);
        ocsp_ask_unsigned(c->ocsp, leaf, now_s, out);
    }
    return out->status;
}

static void drop_staple(struct credential *c)
{
    free((void *)(uintptr_t)c->ocsp.at);
    c->ocsp = (struct bytes){0};
}

/* What helps no client is not shown to any. That the certificate is revoked is. */
static void judge_staple(const struct credential_files *files, struct credential *c, int64_t now_s,
    struct report *report)
{
    struct ocsp_answer answer;
    if (!c->ocsp.n)
        return;
    const char *subject = subject_of(c->chain.at[0]);
    switch (ask_staple(files, c, now_s, report, &answer)) {
    case OCSP_GOOD:
        break;
    case OCSP_REVOKED:
        report_warning(report, files->ocsp_at,
            "the OCSP answer says that %.200s is revoked: issue a new certificate", subject);
        break;
    case OCSP_UNKNOWN:
        report_warning(report, files->ocsp_at,
            "the OCSP answer is not stapled: it says that the responder does not know %.200s",
            subject);
        drop_staple(c);
        break;
    case OCSP_UNUSABLE:
        report_warning(report, files->ocsp_at,
            "the OCSP answer is not stapled: %s; fetch a new one", answer.detail);
        drop_staple(c);
        break;
    }
    c->ocsp_until_s = answer.usable_until ? answer.usable_until : INT64_MAX;
}

/* ---- public ---- */

struct credential *credential_load(const struct credential_files *files, enum path_purpose purpose,
    int64_t now_s, struct report *report)
{
    struct credential *c = mem_calloc(1, sizeof(*c));
    bool good = parse_files(files, c, report);
    if (good) {
        /* Each is asked, so that one run of `check` shows all that is wrong. */
        good &= check_key_kind(files, c, report);
        good &= check_key_matches(files, c, report);
        good &= check_order(files, c, report);
    }
    good &= take_staple(files, c, report);
    if (!good) {
        credential_free(&c);
        return NULL;
    }
    warn_about_time(files, c, now_s, report);
    warn_about_use(files, c, purpose, report);
    judge_staple(files, c, now_s, report);
    return c;
}

void credential_free(struct credential **c)
{
    if (!*c)
        return;
    certificate_list_fini(&(*c)->chain);
    private_key_unref(&(*c)->key);
    drop_staple(*c);
    free(*c);
    *c = NULL;
}
