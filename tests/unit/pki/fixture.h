/* SPDX-License-Identifier: Apache-2.0 */
/* fixture — certificates with their keys for the tests of pki/, made on the spot, also such as no
 * CA should issue. */
#pragma once

#include "../crypto/fixture.h"
#include "pki/certificate.h"

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

static inline struct certificate *must_parse(struct bytes der)
{
    struct error err = {0};
    struct certificate *c = certificate_parse(der, &err);
    if (!c)
        printf("# %s\n", err.text);
    MUST(c);
    return c;
}

/* libcrypto's form, which the caller frees. */
static inline X509 *must_x509(const struct certificate *c)
{
    X509 *x = native_x509(certificate_der(c));
    MUST(x);
    return x;
}

static inline struct certificate *must_parse_x509(X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    MUST(n > 0);
    struct certificate *c = must_parse((struct bytes){der, (size_t)n});
    OPENSSL_free(der);
    return c;
}

/* P-256, from yesterday to tomorrow; ISSUER NULL: self-signed. NAME: "DNS:…" or NULL. */
static inline struct identity make_identity(enum issue_profile profile, const char *common_name,
    const char *name, const struct identity *issuer)
{
    struct issued by = {.key = issuer ? issuer->key : NULL};
    buf_init(&by.certificate, 1 << 16);
    if (issuer)
        MUST(buf_append(&by.certificate, certificate_der(issuer->certificate)) == 0);
    struct issued made = issue_fixture(profile, common_name, name, issuer ? &by : NULL);
    struct identity i = {must_parse(issued_der(&made)), private_key_ref(made.key)};
    issued_fini(&made);
    buf_fini(&by.certificate);
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
    X509 *x = must_x509(who->certificate), *by = must_x509(signer->certificate);
    for (size_t i = 0; i < n; i++)
        apply_change(x, by, changes[i]);
    MUST(X509_sign(x, private_key_pkey(signer->key), digest));
    struct certificate *c = must_parse_x509(x);
    X509_free(x);
    X509_free(by);
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
