/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert — between the formats in which certificates, keys and CRLs are handed about: PEM, DER,
 * PKCS#12, PKCS#7.
 *
 * Output is appended to a buf; -1 from a function without `err` means that the buf is full.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "crypto/encoding.h"
#include "crypto/private_key.h"

/* PEM of DER. */
int convert_certificate_pem(struct bytes der, struct buf *out) MUST_USE;
int convert_crl_pem(struct bytes der, struct buf *out) MUST_USE;
/* PKCS#8, not encrypted; the buf wipes it. */
int convert_key_pem(const struct private_key *k, struct buf *out) MUST_USE;
int convert_key_der(const struct private_key *k, struct buf *out) MUST_USE;

/* PKCS#12 (RFC 7292), as browsers and operating systems import it; AES-256 and PBKDF2 with SHA-256.
 */
struct convert_pkcs12 {
    struct bytes certificate;
    const struct private_key *key;
    const struct encoding_list *chain; /* without the certificate itself; NULL: none */
    const char *password;
    const char *friendly_name; /* NULL: none */
};
int convert_pkcs12_write(
    const struct convert_pkcs12 *what, struct buf *der_out, struct error *err) MUST_USE;

struct convert_bundle {
    struct encoding_list certificates; /* the key's own first */
    struct private_key *key;           /* NULL: none */
};
/* Old encryption (RC2, 3DES) is read too, where the system's libcrypto has its legacy provider. */
int convert_pkcs12_read(
    struct bytes der, const char *password, struct convert_bundle *out, struct error *err) MUST_USE;
/* Without it: opens no file, so that a process may do it that must not. */
int convert_pkcs12_read_modern(
    struct bytes der, const char *password, struct convert_bundle *out, struct error *err) MUST_USE;
void convert_bundle_fini(struct convert_bundle *b);

/* The certificates of a PKCS#7 SignedData (RFC 2315 §9), PEM or DER; its signatures are not looked
 * at. */
int convert_pkcs7_read(struct bytes file, struct encoding_list *out, struct error *err) MUST_USE;
/* PEM, certificates only. */
int convert_pkcs7_write(const struct encoding_list *l, struct buf *out, struct error *err) MUST_USE;
