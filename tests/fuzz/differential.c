/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differential [CASES [FIRST]]: our verifier beside libcrypto's X509_verify_cert, strict, on chains
 * whose certificates were changed. A disagreement must be in one of the tables below, with its
 * reason; what is not is shown and fails the test.
 *
 * Where we refuse what libcrypto accepts, we are stricter, and the reason that we tell says in
 * what. Where we accept what libcrypto refuses, its error must not be about security.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/convert.h"
#include "crypto/library.h"
#include "crypto/native.h"
#include "differential_chain.h"
#include "pki/verify.h"

#include "base/ban.h"

#define CASES_DEFAULT 2000

/* What one of the two says. */
struct opinion {
    bool accepts;
    int code;       /* libcrypto's */
    char text[320]; /* ours: "reason: detail" */
};

/* ---- ours ---- */

static struct certificate *parse(const struct buf *der, struct opinion *out)
{
    struct error err;
    struct certificate *c = certificate_parse(buf_bytes(der), &err);
    if (!c)
        snprintf(out->text, sizeof(out->text), "malformed: %.280s", err.text);
    return c;
}

static void judge(struct certificate *const *chain, bool is_swapped, struct opinion *out)
{
    const struct name_pattern name = {.kind = NAME_DNS, .value = BYTES(CHAIN_NAME)};
    const struct certificate_list anchors = {(struct certificate **)(uintptr_t)(chain + 2), 1};
    struct verify_policy policy = {
        .purpose = PATH_SERVER,
        .anchors = path_store_new(&anchors, false),
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .names = &name,
        .names_n = 1,
    };
    /* The leaf comes first in TLS, so what is swapped is what follows it: the root, sent along. */
    const struct certificate *sent[] = {
        chain[0], chain[is_swapped ? 2 : 1], chain[is_swapped ? 1 : 2]};
    struct verdict v;
    verify_chain(&policy, sent, COUNT_OF(sent), CHAIN_NOW, &v);
    out->accepts = v.accepted;
    verdict_explain(&v, out->text, sizeof(out->text));
    verdict_fini(&v);
    verify_policy_fini(&policy);
}

static struct opinion ask_ours(const struct chain *c)
{
    struct opinion out = {0};
    struct certificate *chain[CHAIN_LENGTH] = {0};
    size_t n = 0;
    while (n < CHAIN_LENGTH && (chain[n] = parse(&c->at[n], &out)))
        n++;
    if (n == CHAIN_LENGTH)
        judge(chain, c->is_swapped, &out);
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        certificate_unref(&chain[i]);
    return out;
}

/* ---- libcrypto's ---- */

#define UNREADABLE      (-1)
#define UNREADABLE_NAME (-2) /* an attribute of a name is what it does not read */

static int why_unreadable(void)
{
    const char *data;
    int flags, code = UNREADABLE;
    while (ERR_get_error_all(NULL, NULL, NULL, &data, &flags))
        if (flags & ERR_TXT_STRING && strstr(data, "Type=X509_NAME_ENTRY"))
            code = UNREADABLE_NAME;
    return code;
}

static int judge_native(X509 *const *chain)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    X509_VERIFY_PARAM *parameters = store ? X509_STORE_get0_param(store) : NULL;
    ASSERT(context && untrusted && parameters && X509_STORE_add_cert(store, chain[2]) &&
           sk_X509_push(untrusted, chain[1]) &&
           X509_VERIFY_PARAM_set1_host(parameters, CHAIN_NAME, 0) &&
           X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER) &&
           X509_VERIFY_PARAM_set_flags(
               parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK));
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    X509_VERIFY_PARAM_set_time(parameters, CHAIN_NOW);
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ASSERT(X509_STORE_CTX_init(context, store, chain[0], untrusted));
    int code = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    sk_X509_free(untrusted);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return code;
}

static struct opinion ask_native(const struct chain *c)
{
    struct opinion out = {0};
    ERR_clear_error();
    X509 *chain[CHAIN_LENGTH] = {0};
    size_t n = 0;
    while (n < CHAIN_LENGTH && (chain[n] = native_x509(buf_bytes(&c->at[n]))))
        n++;
    out.code = n == CHAIN_LENGTH ? judge_native(chain) : why_unreadable();
    out.accepts = out.code == X509_V_OK;
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        X509_free(chain[i]);
    ERR_clear_error();
    return out;
}

/* ---- disagreements ---- */

/* What we say where libcrypto accepts. */
static const struct {
    const char *says, *why;
} stricter[] = {
    {"cannot be decoded", "an extension is what RFC 5280 says, in DER, to its last octet; "
                          "libcrypto reads BER, and stops "
                          "where it has what it wants"},
    {"its version is none of 1, 2, 3 as DER has them",
        "version 1 is left out and not spelled out (X.690 11.5)"},
    {"is not a Name",
        "a string is of its type's characters, and a SET in order; libcrypto does not look"},
    {"an extension occurs twice in it",
        "RFC 5280 4.2: none may; libcrypto overlooks those it does not know"},
    {"it is not DER", "one certificate, one encoding"},
    {"its validity is not", "RFC 5280 4.1.2.5"},
    {"its serial number", "RFC 5280 4.1.2.2; libcrypto does not look"},
    {"its subject is an empty name", "RFC 5280 4.1.2.6"},
    {"it is a CA without a subject", "RFC 5280 4.1.2.6"},
    {"its issuer is an empty name", "RFC 5280 4.1.2.4"},
    {"it has a unique identifier", "RFC 5280 4.1.2.8: none may"},
    {"its nameConstraints has a subtree that means nothing",
        "what cannot be understood constrains everything; libcrypto takes it for a name that "
        "nobody has"},
    {"is not the syntax of RFC 5280", "the same, of constraints, policies and mappings"},
    {"it is signed with an algorithm that is not accepted",
        "parameters that the algorithm does not have (RFC 5758 3.2); libcrypto does not look"},
    {"its public key is not a valid one of its kind",
        "RFC 5480 2.2: a point is uncompressed, the hybrid form must not be used"},
    {"its issuer CN=\\0", "a control character is no space; libcrypto takes some for one"},
    {"does not allow EMAIL:", "a mailbox without a local part or a host name is within no subtree"},
    {"does not allow URI:", "a URI without a host name is within no subtree (RFC 5280 4.2.1.10)"},
    {"does not allow DNS:", "a name that is no host name is within no subtree"},
};

/* What libcrypto says where we accept. */
static const struct {
    int code;
    const char *why;
} laxer[] = {
    {X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER,
        "key identifiers are hints: the signature decides"},
    {X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER, "key identifiers are hints: the signature decides"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        "an identifier of another key, where the issuer's name and key are right: a hint"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
        "the same, of an intermediate that has its issuer's name"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        "self-issued, but signed by another key: a path like any other (RFC 5280 3.2)"},
    {X509_V_ERR_CA_BCONS_NOT_CRITICAL,
        "a duty of CAs (RFC 5280 4.2.1.9) that changes nothing for us"},
    {X509_V_ERR_CA_CERT_MISSING_KEY_USAGE, "without keyUsage a key may be used for all (4.2.1.3)"},
    {X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN, "the same; the pathLenConstraint is obeyed"},
    {UNREADABLE_NAME,
        "an attribute of a subject whose value is no character string: X.501 allows any, "
        "and nothing "
        "is decided by it"},
};

static const char *explain(const struct opinion *ours, const struct opinion *native)
{
    for (size_t i = 0; native->accepts && i < COUNT_OF(stricter); i++)
        if (strstr(ours->text, stricter[i].says))
            return stricter[i].why;
    for (size_t i = 0; ours->accepts && i < COUNT_OF(laxer); i++)
        if (native->code == laxer[i].code)
            return laxer[i].why;
    return NULL;
}

/* With the certificates: their keys are not the same in another run. */
static void show(
    unsigned seed, const struct chain *c, const struct opinion *ours, const struct opinion *native)
{
    printf("case %u: we %s (%s), libcrypto %s (%s)\n", seed, ours->accepts ? "accept" : "refuse",
        ours->text, native->accepts ? "accepts" : "refuses",
        native->code < 0 ? "cannot read it" : X509_verify_cert_error_string(native->code));
    for (size_t i = 0; i < CHAIN_LENGTH; i++) {
        struct buf pem;
        buf_init(&pem, 2 * CHAIN_DER_MAX);
        ignore_result(convert_certificate_pem(buf_bytes(&c->at[i]), &pem));
        fwrite(buf_bytes(&pem).at, 1, buf_size(&pem), stdout);
        buf_fini(&pem);
    }
}

int main(int argc, char **argv)
{
    unsigned cases = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : CASES_DEFAULT,
             first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1, unexplained = 0,
             explained = 0, accepted = 0;
    library_initialise();
    differential_chain_prepare();
    for (unsigned seed = first; seed < first + cases; seed++) {
        struct chain c;
        differential_chain_make(&c, seed);
        struct opinion ours = ask_ours(&c), native = ask_native(&c);
        accepted += ours.accepts && native.accepts;
        if (ours.accepts != native.accepts) {
            bool is_explained = explain(&ours, &native);
            explained += is_explained;
            unexplained += !is_explained;
            if (!is_explained)
                show(seed, &c, &ours, &native);
        }
        differential_chain_free(&c);
    }
    printf("%u cases: %u accepted by both, %u disagreements explained, %u not\n", cases, accepted,
        explained, unexplained);
    differential_chain_finish();
    return unexplained || !accepted;
}
