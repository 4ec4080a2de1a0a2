/* SPDX-License-Identifier: Apache-2.0 */
/* fixture — certificates made on the spot for the tests of crypto/: no test data is committed,
 * nothing expires. */
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/issue.h"
#include "crypto/native.h"
#include "test.h"

#define NOW ((int64_t)1800000000) /* 2027-01-15 */
#define DAY ((int64_t)86400)
#define MUST(condition)                                                              \
    ((condition) ? (void)0                                                           \
                 : (printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, #condition), \
                       fflush(stdout), abort()))

/* A certificate and its key. */
struct identity {
    struct certificate *certificate;
    struct private_key *key;
};

static inline void identity_fini(struct identity *i)
{
    certificate_unref(&i->certificate);
    private_key_unref(&i->key);
}

/* P-256, from yesterday to tomorrow; ISSUER NULL: self-signed. NAME: "DNS:…" or NULL. */
static inline struct identity make_identity(enum issue_profile profile, const char *common_name,
    const char *name, const struct identity *issuer)
{
    struct error err = {0};
    struct identity i = {.key = private_key_generate(KEY_EC_P256, &err)};
    MUST(i.key);
    struct bytes names = bytes_of(name);
    struct issue_request r = {
        .profile = profile,
        .common_name = common_name,
        .names = &names,
        .names_n = name ? 1 : 0,
        .not_before = NOW - DAY,
        .not_after = NOW + DAY,
        .issuer = issuer ? issuer->certificate : NULL,
        .issuer_key = issuer ? issuer->key : NULL,
        .key = i.key,
    };
    i.certificate = issue_certificate(&r, &err);
    if (!i.certificate)
        printf("# %s\n", err.text);
    MUST(i.certificate);
    return i;
}

/* An extension for remake: VALUE in the syntax of openssl's configuration; NULL removes the
 * extension. */
struct change {
    int nid;
    const char *value;
};

static inline void apply_change(X509 *x, X509 *issuer, struct change change)
{
    int at = X509_get_ext_by_NID(x, change.nid, -1);
    if (at >= 0)
        X509_EXTENSION_free(X509_delete_ext(x, at));
    if (!change.value)
        return;
    CONF *empty = NCONF_new(NULL); /* some extensions insist on one */
    X509V3_CTX context = {0};
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509V3_set_nconf(&context, empty);
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(empty, &context, change.nid, change.value);
    MUST(e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
    NCONF_free(empty);
}

/* The certificate of WHO with other extensions, signed again by ISSUER (NULL: by itself) with
 * DIGEST. */
static inline struct certificate *remake(const struct identity *who, const struct identity *issuer,
    const struct change *changes, size_t n, const EVP_MD *digest)
{
    const struct identity *signer = issuer ? issuer : who;
    X509 *x = X509_dup(certificate_x509(who->certificate));
    MUST(x);
    for (size_t i = 0; i < n; i++)
        apply_change(x, certificate_x509(signer->certificate), changes[i]);
    MUST(X509_sign(x, private_key_pkey(signer->key), digest));
    struct error err = {0};
    struct certificate *c = certificate_from_x509(x, &err);
    if (!c)
        printf("# %s\n", err.text);
    MUST(c);
    X509_free(x);
    return c;
}

/* As remake, in place. */
static inline void change_identity(
    struct identity *who, const struct identity *issuer, struct change change)
{
    struct certificate *changed = remake(who, issuer, &change, 1, EVP_sha256());
    certificate_unref(&who->certificate);
    who->certificate = changed;
}
