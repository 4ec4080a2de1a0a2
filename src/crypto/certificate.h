/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate — one X.509 certificate (RFC 5280), parsed once, immutable, reference-counted.
 *
 * It is the handle by which a peer's chain travels from the TLS engine to pki/ to the access log:
 * nobody parses twice. Memory: slices and pointers returned belong to the certificate and live as
 * long as it does.
 */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/public_key.h"

struct certificate;

enum certificate_name_kind { NAME_DNS, NAME_IP, NAME_EMAIL, NAME_URI, NAME_OTHER };

/* One entry of subjectAltName (RFC 5280 §4.2.1.6), raw: may hold NUL or any other byte. IP: 4 or 16
 * octets. */
struct certificate_name {
    enum certificate_name_kind kind;
    struct bytes value;
};

/* What certificates say, decoded. Times are seconds since 1970 UTC. */
struct certificate_facts {
    const char *subject; /* RFC 4514 order as OpenSSL's RFC2253 form: "CN=alice,O=Example"; escaped,
                            no control bytes */
    const char *issuer;
    const char *serial; /* lower-case hex without leading zeros: "1a2b" */
    const char *sha256; /* lower-case hex of SHA-256 over the DER */
    int64_t not_before, not_after;
    const struct certificate_name *names;
    size_t names_n;
    enum key_kind key_kind;
    unsigned key_bits;
    bool is_ca;                 /* basicConstraints cA (§4.2.1.9) */
    bool is_self_issued;        /* subject = issuer */
    bool has_key_usage;         /* §4.2.1.3; without it every usage is allowed */
    bool may_sign;              /* digitalSignature */
    bool may_encipher_keys;     /* keyEncipherment */
    bool may_sign_certificates; /* keyCertSign */
    bool may_sign_crls;         /* cRLSign */
    bool has_extended_key_usage;
    bool for_server, for_client; /* extendedKeyUsage id-kp-serverAuth, id-kp-clientAuth (or absent,
                                    or anyExtendedKeyUsage) */
};

/* Parse one DER certificate that fills DER exactly. NULL and ERR on failure. */
struct certificate *certificate_parse(struct bytes der, struct error *err) MUST_USE;

struct certificate *certificate_ref(const struct certificate *c);
/* Drop one reference and set the pointer to NULL. */
void certificate_unref(struct certificate **c);

const struct certificate_facts *certificate_facts(const struct certificate *c);
static inline const char *certificate_subject(const struct certificate *c)
{
    return certificate_facts(c)->subject;
}
struct bytes certificate_der(const struct certificate *c);
struct bytes certificate_subject_der(const struct certificate *c);
struct bytes certificate_issuer_der(const struct certificate *c);
/* SubjectPublicKeyInfo, DER. */
struct bytes certificate_spki_der(const struct certificate *c);
bool certificate_equal(const struct certificate *a, const struct certificate *b);
/* Did ISSUER's name and key sign C? Costs a signature check. */
bool certificate_issued_by(const struct certificate *c, const struct certificate *issuer);

/* A list that owns one reference of each element. */
struct certificate_list {
    struct certificate **at;
    size_t n;
};
/* Adds a reference of its own. */
void certificate_list_add(struct certificate_list *l, const struct certificate *c);
void certificate_list_fini(struct certificate_list *l);

/* All certificates of a PEM text, in order; other PEM blocks are skipped. DER is taken too (one
 * certificate). -1 with the remedy if there is none, if one is broken, or if the file is evidently
 * PKCS#12 or PKCS#7
 * ("looks like PKCS#12; convert it with: sallyport pki convert …"). */
int certificate_list_parse(
    struct bytes file, struct certificate_list *out, struct error *err) MUST_USE;
