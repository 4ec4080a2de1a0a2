/* SPDX-License-Identifier: Apache-2.0 */
#include "api/certificate_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "crypto/convert.h"
#include "crypto/digest.h"
#include "crypto/key_file.h"
#include "crypto/pem_reader.h"
#include "crypto/sealed.h"
#include "pki/chain.h"
#include "pki/credential.h"
#include "pki/crl.h"
#include "pki/der.h"
#include "pki/dn.h"
#include "pki/name.h"
#include "pki/verdict.h"
#include "pki/verify.h"

#include "base/ban.h"

#define PEM_MAX          (8u << 20)
#define KEY_PEM_MAX      65536
#define CA_BUNDLE_MAX    1000
#define ITERATIONS_MAX   2000000 /* of PBKDF2: a second of work */
#define SECONDS_OF_MONTH (365 * 24 * 3600 / 12)
#define NAME_SHOWN_MAX   1024

/* ---- texts ---- */

/* DATA (which may be anything) as a JSON string. */
static json_t *string_of(struct bytes data)
{
    return json_stringn(data.n ? (const char *)data.at : "", data.n);
}

json_t *certificate_record_text(struct bytes text)
{
    char shown[NAME_SHOWN_MAX];
    const struct certificate_name name = {NAME_DNS, text};
    name_format(&name, shown, sizeof(shown));
    return json_string(shown + strlen("DNS:"));
}

static json_t *algorithm_text(const struct certificate_facts *facts)
{
    if (public_key_kind_is_rsa(facts->key_kind))
        return json_sprintf("RSA %u", facts->key_bits);
    if (facts->key_kind == KEY_ED25519)
        return json_string("Ed25519");
    return json_sprintf("ECC %u", facts->key_bits);
}

/* DNS names and IP addresses of subjectAltName. */
static json_t *alternative_names(const struct certificate_facts *facts)
{
    json_t *names = json_array();
    for (size_t i = 0; i < facts->names_n && i < VERDICT_NAMES_MAX; i++) {
        char shown[NAME_SHOWN_MAX];
        enum certificate_name_kind kind = facts->names[i].kind;
        if (kind != NAME_DNS && kind != NAME_IP)
            continue;
        name_format(&facts->names[i], shown, sizeof(shown));
        json_array_append_new(names, json_string(strchr(shown, ':') + 1));
    }
    return names;
}

/* What the cloud calls its domain: the common name, else the first alternative name. */
static json_t *domain_of(const struct certificate_facts *facts, const json_t *names)
{
    struct bytes common_name = dn_common_name(facts->subject);
    if (!common_name.n && json_array_size(names))
        return json_copy(json_array_get(names, 0));
    return certificate_record_text(common_name);
}

json_t *certificate_record_fingerprint(const struct certificate *c)
{
    uint8_t digest[DIGEST_SIZE_MAX];
    char text[2 * DIGEST_SIZE_MAX + 1];
    size_t n = digest_make(DIGEST_SHA1, certificate_der(c), digest);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02X", digest[i]);
    return json_string(text);
}

/* ---- certificates ---- */

/* CHAIN as PEM, and nothing besides. */
static json_t *pem_of(const struct certificate_list *chain)
{
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    json_t *text = NULL;
    int failed = 0;
    for (size_t i = 0; i < chain->n && !failed; i++)
        failed = convert_certificate_pem(certificate_der(chain->at[i]), &pem);
    if (!failed)
        text = string_of(buf_bytes(&pem));
    buf_fini(&pem);
    return text;
}

static int read_certificates(
    struct call *c, const struct certificate_upload *u, struct certificate_list *chain)
{
    struct error why;
    size_t max = u->type == CERTIFICATE_CA ? CA_BUNDLE_MAX : VERIFY_CHAIN_MAX;
    if (certificate_list_parse(bytes_of(u->certificate), chain, &why) < 0)
        return call_refuse(
            c, API_ERROR_CERTIFICATE_INVALID, "%s: %s.", u->certificate_field, why.text);
    if (chain->n > max)
        return call_refuse(c, API_ERROR_CERTIFICATE_INVALID,
            "%s has %zu certificates; accepted are at most %zu.", u->certificate_field, chain->n,
            max);
    if (u->type == CERTIFICATE_SERVER && chain_order(chain, &why) < 0)
        return call_refuse(
            c, API_ERROR_CERTIFICATE_CHAIN, "%s: %s.", u->certificate_field, why.text);
    return 0;
}

static int check_authorities(
    struct call *c, const struct certificate_upload *u, const struct certificate_list *bundle)
{
    for (size_t i = 0; i < bundle->n; i++)
        if (!certificate_may_issue(bundle->at[i]))
            return call_refuse(c, API_ERROR_CERTIFICATE_CA,
                "%s: certificate %zu (%.200s) is not that of a CA, so that no client's certificate "
                "can be issued by it.",
                u->certificate_field, i + 1, verdict_dn(certificate_subject(bundle->at[i])));
    return 0;
}

/* ---- private keys ---- */

/* EncryptedPrivateKeyInfo (RFC 5958 §3) with PBES2 and PBKDF2 (RFC 8018 appendix A): how often
 * whoever opens it has to hash. 0: encrypted in some other way. */
static uint64_t iterations_of(struct bytes der)
{
    struct bytes algorithm, parameters, derivation, pbkdf2, salt, count;
    uint64_t n = 0;
    bool is_known =
        der_take(&der, DER_SEQUENCE, &der) && der_take(&der, DER_SEQUENCE, &algorithm) &&
        der_take(&algorithm, DER_OID, NULL) && der_take(&algorithm, DER_SEQUENCE, &parameters) &&
        der_take(&parameters, DER_SEQUENCE, &derivation) && der_take(&derivation, DER_OID, NULL) &&
        der_take(&derivation, DER_SEQUENCE, &pbkdf2) &&
        der_take(&pbkdf2, DER_OCTET_STRING, &salt) && der_take(&pbkdf2, DER_INTEGER, &count) &&
        der_unsigned(count, UINT32_MAX, &n);
    return is_known ? n : 0;
}

/* How the private key in TEXT is encrypted. */
enum encryption { ENCRYPTION_NONE, ENCRYPTION_GOOD, ENCRYPTION_REFUSED };

/* The API's process does nothing else while it derives a key from a passphrase, and how long that
 * takes is what the text says. Of RFC 1421's form it is nothing. */
static enum encryption encryption_of(const char *text)
{
    struct pem_reader reader;
    struct pem_block block;
    enum encryption found = ENCRYPTION_NONE;
    pem_reader_init(&reader, bytes_of(text));
    while (found == ENCRYPTION_NONE && pem_reader_next(&reader, &block) == PEM_BLOCK) {
        bool is_pkcs8 = strcmp(block.label, "ENCRYPTED PRIVATE KEY") == 0;
        uint64_t n = is_pkcs8 ? iterations_of(block.der) : 1;
        if (block.kind == FILE_ENCRYPTED_KEY)
            found = n && n <= ITERATIONS_MAX ? ENCRYPTION_GOOD : ENCRYPTION_REFUSED;
    }
    pem_reader_fini(&reader);
    return found;
}

static int refuse_key(
    struct call *c, const struct certificate_upload *u, enum encryption how, const char *why)
{
    if (how == ENCRYPTION_GOOD)
        return call_refuse(c, API_ERROR_CERTIFICATE_KEY,
            u->passphrase ? "%s cannot be decrypted: KeyPassword is not its passphrase."
                          : "%s is encrypted; give its passphrase as KeyPassword of "
                            "UploadCertificate, or the key without encryption.",
            u->key_field);
    return call_refuse(c, API_ERROR_CERTIFICATE_KEY, "%s: %s.", u->key_field, why);
}

static int read_key(struct call *c, const struct certificate_upload *u, struct key_file *out)
{
    struct error why;
    struct bytes passphrase = {0};
    if (!u->key)
        return call_refuse(c, API_ERROR_MISSING,
            "%s is missing: the private key of a server's certificate.", u->key_field);
    enum encryption how = encryption_of(u->key);
    if (how == ENCRYPTION_REFUSED)
        return call_refuse(c, API_ERROR_CERTIFICATE_KEY,
            "%s is encrypted in a way that is not accepted here; accepted is PBES2 with PBKDF2 and "
            "at most %d iterations (`openssl pkcs8 -topk8`).",
            u->key_field, ITERATIONS_MAX);
    if (u->passphrase)
        passphrase = bytes_of(u->passphrase);
    if (key_file_read(bytes_of(u->key), passphrase, out, &why) < 0)
        return refuse_key(c, u, how, why.text);
    return 0;
}

/* All that is checked when a configuration names the certificate, so that none is kept that no
 * configuration can have. */
static int check_credential(
    struct call *c, const struct certificate_upload *u, struct bytes chain, struct bytes key)
{
    struct report report;
    const struct credential_files files = {.certificate = chain,
        .key = key,
        .certificate_path = u->certificate_field,
        .key_path = u->key_field};
    report_init(&report);
    struct credential *credential = credential_load(&files, PATH_SERVER, c->now_s, &report);
    int result = 0;
    if (!credential) {
        const char *why = report.n ? report.lines[0].text : "";
        const char *after_place = strstr(why, u->certificate_field);
        result =
            call_refuse(c, API_ERROR_CERTIFICATE_INVALID, "%s.", after_place ? after_place : why);
    }
    credential_free(&credential);
    report_fini(&report);
    return result;
}

static int seal(struct call *c, struct bytes key, json_t *record)
{
    struct buf sealed;
    char info[MODEL_ID_MAX + 16];
    snprintf(info, sizeof(info), "api:/%s.key",
        json_string_value(json_object_get(record, "CertificateId")));
    buf_init(&sealed, 2 * KEY_PEM_MAX);
    int result = sealed_make(c->around->sealing, bytes_of(info), key, &sealed);
    if (result == 0) {
        size_t n = base64_size(buf_size(&sealed));
        char *text = mem_alloc_raw(n);
        base64_encode(buf_bytes(&sealed), text);
        json_object_set_new(record, "SealedKey", json_stringn(text, n));
        free(text);
    }
    buf_fini(&sealed);
    return result == 0 ? 0
                       : call_refuse(c, API_ERROR_INTERNAL, "The private key cannot be sealed.");
}

static int add_key(struct call *c, const struct certificate_upload *u,
    const struct certificate_list *chain, json_t *record)
{
    struct key_file file = {0};
    struct buf pem;
    struct bytes certificates = bytes_of(json_string_value(json_object_get(record, "PublicKey")));
    buf_init(&pem, KEY_PEM_MAX);
    int result = read_key(c, u, &file);
    if (result == 0 && !private_key_matches(file.key, certificate_facts(chain->at[0])->spki))
        result = call_refuse(c, API_ERROR_CERTIFICATE_MISMATCH, "%s is not the key of %s (%.200s).",
            u->key_field, u->certificate_field, verdict_dn(certificate_subject(chain->at[0])));
    if (result == 0 && convert_key_pem(file.key, &pem) < 0)
        result = call_refuse(c, API_ERROR_CERTIFICATE_KEY, "%s is too large.", u->key_field);
    if (result == 0)
        result = check_credential(c, u, certificates, buf_bytes(&pem));
    if (result == 0)
        result = seal(c, buf_bytes(&pem), record);
    buf_fini(&pem);
    key_file_fini(&file);
    return result;
}

/* ---- CRLs ---- */

static int add_crl(void *owner, struct bytes der, struct error *err)
{
    struct buf *pem = owner;
    struct crl *crl = crl_make(der, err);
    if (!crl)
        return -1;
    crl_free(&crl);
    return convert_crl_pem(der, pem) < 0
               ? error_set(err, "the lists are too large; accepted are %u MiB", PEM_MAX >> 20)
               : 0;
}

json_t *certificate_record_crls(struct call *c, const char *crls, const char *name)
{
    struct buf pem;
    struct error why;
    json_t *text = NULL;
    buf_init(&pem, PEM_MAX);
    if (crl_each_der(bytes_of(crls), add_crl, &pem, &why) == 0)
        text = string_of(buf_bytes(&pem));
    else
        call_refuse(c, API_ERROR_VALUE, "%s: %s.", name, why.text);
    buf_fini(&pem);
    return text;
}

/* ---- the record ---- */

static json_t *make_record(struct call *c, const struct certificate_upload *u, const char *id,
    const struct certificate *leaf)
{
    const struct certificate_facts *facts = certificate_facts(leaf);
    json_t *names = alternative_names(facts), *domain = domain_of(facts, names);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}",
        "CertificateId", id, "Alias", u->alias ? u->alias : "", "CertificateType",
        u->type == CERTIFICATE_CA ? "CA" : "SVR", "Domain", domain, "SubjectAltName", names,
        "CertBeginTime", call_time(facts->not_before), "CertEndTime", call_time(facts->not_after),
        "NotAfter", (json_int_t)facts->not_after, "InsertTime", call_time(c->now_s),
        "ValidityPeriod",
        json_sprintf(
            "%lld", (long long)((facts->not_after - facts->not_before) / SECONDS_OF_MONTH)),
        "EncryptAlgorithm", algorithm_text(facts), "CertFingerprint",
        certificate_record_fingerprint(leaf));
}

/* What the cloud tells of each certificate of a CA bundle. */
static void add_authorities(json_t *record, const struct certificate_list *bundle)
{
    json_t *names = json_array(), *ends = json_array(), *algorithms = json_array();
    for (size_t i = 0; i < bundle->n; i++) {
        const struct certificate_facts *facts = certificate_facts(bundle->at[i]);
        struct bytes common_name = dn_common_name(facts->subject);
        const char *subject = certificate_subject(bundle->at[i]);
        json_array_append_new(
            names, certificate_record_text(common_name.n ? common_name : bytes_of(subject)));
        json_array_append_new(ends, call_time(facts->not_after));
        json_array_append_new(algorithms, algorithm_text(facts));
    }
    json_object_set_new(record, "CACommonNames", names);
    json_object_set_new(record, "CAEndTimes", ends);
    json_object_set_new(record, "CAEncryptAlgorithms", algorithms);
}

static int add_crls(struct call *c, const struct certificate_upload *u, json_t *record)
{
    if (!u->crl)
        return 0;
    json_t *crls = certificate_record_crls(c, u->crl, "CertCaCrl");
    return crls ? json_object_set_new(record, "Crl", crls) : -1;
}

static int fill(struct call *c, const struct certificate_upload *u,
    const struct certificate_list *chain, json_t *record)
{
    json_t *pem = pem_of(chain);
    if (!pem)
        return call_refuse(
            c, API_ERROR_CERTIFICATE_INVALID, "%s is too large.", u->certificate_field);
    json_object_set_new(record, "PublicKey", pem);
    if (u->type == CERTIFICATE_SERVER)
        return add_key(c, u, chain, record);
    add_authorities(record, chain);
    return add_crls(c, u, record);
}

json_t *certificate_record_make(struct call *c, const struct certificate_upload *u, const char *id)
{
    struct certificate_list chain = {0};
    json_t *record = NULL;
    int result = read_certificates(c, u, &chain);
    if (result == 0 && u->type == CERTIFICATE_CA)
        result = check_authorities(c, u, &chain);
    if (result == 0) {
        record = make_record(c, u, id, chain.at[0]);
        result = fill(c, u, &chain, record);
    }
    certificate_list_fini(&chain);
    if (result < 0 && record) {
        json_decref(record);
        record = NULL;
    }
    return record;
}

int certificate_record_chain(const json_t *record, struct certificate_list *out)
{
    *out = (struct certificate_list){0};
    return certificate_list_parse(
        bytes_of(json_string_value(json_object_get(record, "PublicKey"))), out, NULL);
}
