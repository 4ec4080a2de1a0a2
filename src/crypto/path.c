/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/path.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/decode.h"
#include "crypto/native.h"

#include "base/ban.h"

/* NIST SP 800-57: what RSA 2048 and SHA-224 give. SHA-1 and RSA 1024 are below. */
#define SECURITY_BITS_MIN 112

/* How far libcrypto builds: more than any depth_max in use, and than the certificates that a peer
 * may send. */
#define SEARCH_DEPTH_MAX 32

struct path_store {
    X509_STORE *store;
    struct certificate_list anchors;
    bool partial_chain;
};

/* One validation in progress; the callback finds it in the X509_STORE_CTX. */
struct validation {
    const struct path_request *request;
    struct path_result *result;
    unsigned detail_fault; /* the fault that result->detail is about */
};

/* What libcrypto reports, in our words. What is not listed is PATH_UNTRUSTED: fail closed. */
static const struct fault_row {
    int error;
    enum path_fault fault;
} fault_rows[] = {
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, PATH_BAD_SIGNATURE},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, PATH_BAD_SIGNATURE},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, PATH_BAD_SIGNATURE},
    {X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH, PATH_BAD_SIGNATURE},
    {X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY, PATH_BAD_SIGNATURE},
    {X509_V_ERR_INVALID_CA, PATH_BAD_CA},
    {X509_V_ERR_NO_ISSUER_PUBLIC_KEY, PATH_BAD_CA},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, PATH_BAD_CA},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, PATH_LENGTH},
    {X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED, PATH_LENGTH},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, PATH_DEPTH},
    {X509_V_ERR_PERMITTED_VIOLATION, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_EXCLUDED_VIOLATION, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_SUBTREE_MINMAX, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, PATH_NAME_CONSTRAINT},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, PATH_UNKNOWN_CRITICAL},
    {X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED, PATH_UNKNOWN_CRITICAL},
    {X509_V_ERR_UNSUPPORTED_EXTENSION_FEATURE, PATH_UNKNOWN_CRITICAL},
    {X509_V_ERR_CA_KEY_TOO_SMALL, PATH_WEAK_ALGORITHM},
    {X509_V_ERR_EE_KEY_TOO_SMALL, PATH_WEAK_ALGORITHM},
    {X509_V_ERR_CA_MD_TOO_WEAK, PATH_WEAK_ALGORITHM},
    {X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM, PATH_WEAK_ALGORITHM},
    {X509_V_ERR_EC_KEY_EXPLICIT_PARAMS, PATH_WEAK_ALGORITHM},
    {X509_V_ERR_INVALID_POLICY_EXTENSION, PATH_POLICY},
    {X509_V_ERR_NO_EXPLICIT_POLICY, PATH_POLICY},
    {X509_V_ERR_INVALID_PURPOSE, PATH_WRONG_USAGE},
    {X509_V_ERR_INVALID_NON_CA, PATH_WRONG_USAGE},
    {X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE, PATH_WRONG_USAGE},
    {X509_V_ERR_INVALID_EXTENSION, PATH_MALFORMED},
    {X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA, PATH_MALFORMED},
    {X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA, PATH_WRONG_USAGE},
    {X509_V_ERR_ISSUER_NAME_EMPTY, PATH_MALFORMED},
    {X509_V_ERR_SUBJECT_NAME_EMPTY, PATH_MALFORMED},
    {X509_V_ERR_EMPTY_SUBJECT_ALT_NAME, PATH_MALFORMED},
    {X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL, PATH_MALFORMED},
    {X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL, PATH_MALFORMED},
    {X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL, PATH_MALFORMED},
    {X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3, PATH_MALFORMED},
    {X509_V_ERR_UNNESTED_RESOURCE, PATH_NAME_CONSTRAINT},
};

static enum path_fault fault_of(int error)
{
    for (size_t i = 0; i < COUNT_OF(fault_rows); i++)
        if (fault_rows[i].error == error)
            return fault_rows[i].fault;
    return PATH_UNTRUSTED;
}

/* Reported by X509_V_FLAG_X509_STRICT against what RFC 5280 §4.2 asks of CAs, while validation
 * (§6.1) does not need it: the CAs that `openssl req -x509` and `openssl x509 -req` make lack these
 * extensions. */
static const int issuing_rules[] = {
    X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER,
    X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER,
    X509_V_ERR_CA_CERT_MISSING_KEY_USAGE,
    X509_V_ERR_CA_BCONS_NOT_CRITICAL,
    X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN,
};

/* Of an anchor, RFC 5280 §6.1.1 (d) wants a name and a key; how well its certificate is made is its
 * operator's affair. */
static const int anchor_rules[] = {
    X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL,
    X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL,
    X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3,
};

/* Judged by pki/, not here. The time is given to libcrypto only so that it prefers issuers that are
 * valid now. */
static const int date_rules[] = {
    X509_V_ERR_CERT_NOT_YET_VALID,
    X509_V_ERR_CERT_HAS_EXPIRED,
};

static bool is_among(int error, const int *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == error)
            return true;
    return false;
}

static bool is_forgiven(int error, const X509 *about, bool is_anchor)
{
    if (is_among(error, issuing_rules, COUNT_OF(issuing_rules)) ||
        is_among(error, date_rules, COUNT_OF(date_rules)))
        return true;
    if (is_anchor && is_among(error, anchor_rules, COUNT_OF(anchor_rules)))
        return true;
    /* RFC 5280 §4.2.1.12: anyExtendedKeyUsage does not restrict; libcrypto does not know it.
     * check_usage decides. */
    uint32_t purposes = about ? X509_get_extended_key_usage((X509 *)(uintptr_t)about) : 0;
    return error == X509_V_ERR_INVALID_PURPOSE && purposes != UINT32_MAX && purposes & XKU_ANYEKU;
}

/* Our handle of X, which libcrypto took from the leaf, the untrusted certificates or the anchors.
 */
static const struct certificate *handle_of(const struct path_request *r, const X509 *x)
{
    if (X509_cmp(certificate_x509(r->leaf), x) == 0)
        return r->leaf;
    for (size_t i = 0; i < r->untrusted_n; i++)
        if (X509_cmp(certificate_x509(r->untrusted[i]), x) == 0)
            return r->untrusted[i];
    for (size_t i = 0; i < r->store->anchors.n; i++)
        if (X509_cmp(certificate_x509(r->store->anchors.at[i]), x) == 0)
            return r->store->anchors.at[i];
    return NULL;
}

static bool is_anchor(const struct path_store *s, const struct certificate *c)
{
    for (size_t i = 0; i < s->anchors.n; i++)
        if (certificate_equal(s->anchors.at[i], c))
            return true;
    return false;
}

/* Add FAULT, which is about ABOUT (NULL: about the whole path). */
static void note(
    struct validation *v, enum path_fault fault, const struct certificate *about, const char *text)
{
    struct path_result *out = v->result;
    out->faults |= PATH_BIT(fault);
    if (v->detail_fault <= fault)
        return;
    v->detail_fault = fault;
    snprintf(out->detail, sizeof(out->detail), "%s%s%s",
        about ? certificate_facts(about)->subject : "", about ? ": " : "", text);
}

static const char *wrong_purpose(const struct validation *v)
{
    return v->request->purpose == PATH_SERVER
               ? "it is not for TLS servers (keyUsage, or extendedKeyUsage without serverAuth)"
               : "it is not for TLS clients (keyUsage, or extendedKeyUsage without clientAuth)";
}

static void describe(
    const struct validation *v, int error, const struct certificate *about, char *out, size_t size)
{
    bool no_issuer = error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
                     error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    if (no_issuer && about)
        snprintf(out, size, "its issuer %s is not trusted, and no such certificate was sent",
            certificate_facts(about)->issuer);
    else if (error == X509_V_ERR_INVALID_PURPOSE)
        snprintf(out, size, "%s", wrong_purpose(v));
    else
        snprintf(out, size, "%s", X509_verify_cert_error_string(error));
}

/* libcrypto's verify callback: 1 lets it go on, so that every fault is found. */
static int record_fault(int ok, X509_STORE_CTX *context)
{
    if (ok)
        return 1;
    struct validation *v = X509_STORE_CTX_get_app_data(context);
    int error = X509_STORE_CTX_get_error(context);
    const X509 *x = X509_STORE_CTX_get_current_cert(context);
    const struct certificate *about = x ? handle_of(v->request, x) : NULL;
    if (is_forgiven(error, x, about && is_anchor(v->request->store, about)))
        return 1;

    char text[200];
    describe(v, error, about, text, sizeof(text));
    note(v, fault_of(error), about, text);
    return 1;
}

/* The signature on an anchor is not part of a path (RFC 5280 §6.1). */
static void check_strength(struct validation *v, const struct certificate *c, bool anchor)
{
    X509 *x = certificate_x509(c);
    EVP_PKEY *key = X509_get0_pubkey(x);
    int bits;
    if (!key || EVP_PKEY_is_a(key, "DSA") || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
        note(v, PATH_WEAK_ALGORITHM, c, "its key is too short, or of a kind that is not accepted");
    if (!anchor &&
        (!X509_get_signature_info(x, NULL, NULL, &bits, NULL) || bits < SECURITY_BITS_MIN))
        note(v, PATH_WEAK_ALGORITHM, c,
            "it is signed with an algorithm that is not accepted (SHA-1, MD5, …)");
}

/* extendedKeyUsage restricts the leaf (RFC 5280 §4.2.1.12) and, as every verifier has it, what a CA
 * may issue for. */
static void check_purpose(struct validation *v, const struct certificate *c)
{
    bool server = v->request->purpose == PATH_SERVER;
    const struct certificate_facts *f = certificate_facts(c);
    if (!(server ? f->for_server : f->for_client))
        note(v, PATH_WRONG_USAGE, c, wrong_purpose(v));
}

/* A client signs its CertificateVerify; a server signs, decrypts or agrees (RFC 5280 §4.2.1.3, RFC
 * 5246 §7.4.2). */
static void check_leaf_usage(struct validation *v)
{
    const struct certificate *leaf = v->request->leaf;
    uint32_t usage = X509_get_key_usage(certificate_x509(leaf));
    uint32_t enough = KU_DIGITAL_SIGNATURE;
    if (v->request->purpose == PATH_SERVER)
        enough |= KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT;
    if (!(usage & enough))
        note(v, PATH_WRONG_USAGE, leaf, wrong_purpose(v));
    /* The key of a CA signs certificates; nobody should hold it on a server. A self-signed
     * certificate that was itself made an anchor is what its operator wants. */
    bool is_its_own_anchor = v->result->chain.n == 1 && v->result->has_anchor;
    if (certificate_facts(leaf)->is_ca && !is_its_own_anchor)
        note(v, PATH_WRONG_USAGE, leaf, "it is a CA certificate, not one of a server or client");
}

/* Anchor and leaf do not count. Checked here and not by libcrypto, which would stop building and
 * call it untrusted. */
static void check_depth(struct validation *v)
{
    const struct path_result *out = v->result;
    size_t ends = out->has_anchor ? 2 : 1;
    if (out->chain.n > ends && out->chain.n - ends > v->request->depth_max)
        note(v, PATH_DEPTH, NULL, "more intermediate certificates than allowed");
}

static void check_chain(struct validation *v)
{
    const struct path_result *out = v->result;
    for (size_t i = 0; i < out->chain.n; i++) {
        const struct certificate *c = out->chain.at[i];
        bool anchor = out->has_anchor && i + 1 == out->chain.n;
        check_strength(v, c, anchor);
        if (!anchor || i == 0)
            check_purpose(v, c);
        /* RFC 3820: proxy certificates are issued by end entities. */
        if (X509_get_extension_flags(certificate_x509(c)) & EXFLAG_PROXY)
            note(v, PATH_UNKNOWN_CRITICAL, c, "it is a proxy certificate");
    }
    check_leaf_usage(v);
    check_depth(v);
}

static void take_chain(struct validation *v, X509_STORE_CTX *context)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        const struct certificate *c = handle_of(v->request, sk_X509_value(chain, i));
        ASSERT(c);
        certificate_list_add(&v->result->chain, c);
    }
    const struct certificate_list *built = &v->result->chain;
    v->result->has_anchor = built->n && !(v->result->faults & PATH_BIT(PATH_UNTRUSTED)) &&
                            is_anchor(v->request->store, built->at[built->n - 1]);
}

static void set_rules(X509_STORE_CTX *context, const struct path_request *r)
{
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
    unsigned long flags =
        X509_V_FLAG_X509_STRICT | X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_POLICY_CHECK;
    if (r->store->partial_chain)
        flags |= X509_V_FLAG_PARTIAL_CHAIN;
    if (r->now_s)
        X509_VERIFY_PARAM_set_time(rules, r->now_s);
    else
        flags |= X509_V_FLAG_NO_CHECK_TIME;
    ASSERT(X509_VERIFY_PARAM_set_flags(rules, flags));
    /* RFC 5280 §6.1.1 (c): the user-initial-policy-set is any-policy, which libcrypto wants to be
     * told. */
    ASSERT(X509_VERIFY_PARAM_add0_policy(rules, OBJ_nid2obj(NID_any_policy)));
    bool server = r->purpose == PATH_SERVER;
    ASSERT(X509_VERIFY_PARAM_set_purpose(
        rules, server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT));
    /* A common name is never taken for a host name here, so no constraint on host names is about
     * it. */
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set_depth(rules, SEARCH_DEPTH_MAX);
}

static STACK_OF(X509) * borrow_untrusted(const struct path_request *r)
{
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    ASSERT(untrusted);
    for (size_t i = 0; i < r->untrusted_n; i++)
        ASSERT(sk_X509_push(untrusted, certificate_x509(r->untrusted[i])));
    return untrusted;
}

struct path_store *path_store_new(const struct certificate_list *anchors, bool partial_chain)
{
    struct path_store *s = mem_alloc(sizeof(*s));
    s->partial_chain = partial_chain;
    s->store = X509_STORE_new();
    ASSERT(s->store);
    for (size_t i = 0; i < anchors->n; i++) {
        ASSERT(X509_STORE_add_cert(s->store, certificate_x509(anchors->at[i])));
        certificate_list_add(&s->anchors, anchors->at[i]);
    }
    return s;
}

void path_store_free(struct path_store **sp)
{
    struct path_store *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    X509_STORE_free(s->store);
    certificate_list_fini(&s->anchors);
    free(s);
}

void path_validate(const struct path_request *request, struct path_result *out)
{
    *out = (struct path_result){0};
    struct validation v = {request, out, PATH_FAULT_COUNT};
    STACK_OF(X509) *untrusted = borrow_untrusted(request);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    ASSERT(context && X509_STORE_CTX_init(context, request->store->store,
                          certificate_x509(request->leaf), untrusted));
    set_rules(context, request);
    X509_STORE_CTX_set_app_data(context, &v);
    X509_STORE_CTX_set_verify_cb(context, record_fault);

    bool verified = X509_verify_cert(context) == 1;
    take_chain(&v, context);
    check_chain(&v);
    /* Whatever went wrong without being reported: no path is no trust. */
    if (!out->faults && (!verified || !out->has_anchor))
        note(&v, PATH_UNTRUSTED, request->leaf, "no path to a trust anchor was found");

    X509_STORE_CTX_free(context);
    sk_X509_free(untrusted);
    ERR_clear_error();
}

void path_result_fini(struct path_result *r)
{
    certificate_list_fini(&r->chain);
}
