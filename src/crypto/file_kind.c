/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/file_kind.h"

#include <limits.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>

#include "base/ban.h"

static const struct refusal {
    const char *is, *remedy;
} refusals[] = {
    [FILE_UNKNOWN] = {"is neither PEM nor DER",
        "give it as PEM, with its -----BEGIN and -----END lines"},
    [FILE_OTHER_PEM] = {"is PEM, but of another kind", "give the file that belongs here"},
    [FILE_EMPTY] = {"is empty", "write it again"},
    [FILE_CERTIFICATE] = {"looks like a certificate", "give the file that belongs here"},
    [FILE_TRUSTED_CERTIFICATE] = {"has a TRUSTED CERTIFICATE, which only OpenSSL reads",
        "write it as a CERTIFICATE with: openssl x509 -in FILE"},
    [FILE_CRL] = {"looks like a certificate revocation list", "give the file that belongs here"},
    [FILE_REQUEST] = {"looks like a certificate signing request",
        "give the certificate that the CA made from it"},
    [FILE_KEY] = {"looks like a private key", "give the file that belongs here"},
    [FILE_ENCRYPTED_KEY] = {"looks like an encrypted private key",
        "give the file that belongs here"},
    [FILE_PKCS7] = {"looks like PKCS#7", "convert it with: sallyport pki convert"},
    [FILE_PKCS12] = {"looks like PKCS#12", "convert it with: sallyport pki convert"},
};

int file_kind_refuse(enum file_kind found, const char *wanted, struct error *err)
{
    const struct refusal *r = &refusals[found];
    return error_set(err, "%s, where %s is wanted; %s", r->is, wanted, r->remedy);
}

static const struct {
    const char *label;
    enum file_kind kind;
} labels[] = {
    {PEM_STRING_X509, FILE_CERTIFICATE},
    {PEM_STRING_X509_OLD, FILE_CERTIFICATE},
    {PEM_STRING_X509_TRUSTED, FILE_TRUSTED_CERTIFICATE},
    {PEM_STRING_X509_CRL, FILE_CRL},
    {PEM_STRING_X509_REQ, FILE_REQUEST},
    {PEM_STRING_X509_REQ_OLD, FILE_REQUEST},
    {PEM_STRING_PKCS8INF, FILE_KEY},
    {PEM_STRING_RSA, FILE_KEY},
    {PEM_STRING_ECPRIVATEKEY, FILE_KEY},
    {PEM_STRING_DSA, FILE_KEY},
    {PEM_STRING_PKCS8, FILE_ENCRYPTED_KEY},
    {PEM_STRING_PKCS7, FILE_PKCS7},
    {PEM_STRING_CMS, FILE_PKCS7},
    {PEM_STRING_PKCS7_SIGNED, FILE_PKCS7},
};

enum file_kind file_kind_of_pem(const char *label, const char *header)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (strcmp(label, labels[i].label) == 0) {
            /* RFC 1421 §4.6.1.1, as OpenSSL writes old-style encrypted keys. */
            bool encrypted = labels[i].kind == FILE_KEY && strstr(header, "ENCRYPTED");
            return encrypted ? FILE_ENCRYPTED_KEY : labels[i].kind;
        }
    return FILE_OTHER_PEM;
}

bool file_kind_is_pem(struct bytes file)
{
    return file.n && memmem(file.at, file.n, "-----BEGIN ", 11) != NULL;
}

/* Enter or look at the element at the start of *B: its tag, or -1. A constructed element is
 * entered, any other skipped. */
static int next_tag(struct bytes *b)
{
    const unsigned char *at = b->at;
    long length;
    int tag, class;
    long room = b->n < LONG_MAX ? (long)b->n : LONG_MAX;
    int form = ASN1_get_object(&at, &length, &tag, &class, room);
    /* 0x80: the length is wrong, as in a truncated file; what the file is meant to be can still be
     * seen. */
    if (at == b->at || class != V_ASN1_UNIVERSAL)
        return -1;
    *b = bytes_skip(*b, (size_t)(at - b->at));
    if (!(form & V_ASN1_CONSTRUCTED))
        *b = bytes_skip(*b, length > 0 ? (size_t)length : 0);
    return tag;
}

/* What follows `SEQUENCE { INTEGER version`. */
static enum file_kind kind_after_version(struct bytes b, uint8_t version)
{
    int tag = next_tag(&b);
    /* RFC 7292 §4: PFX ::= SEQUENCE { version INTEGER {v3(3)}, authSafe ContentInfo, … */
    if (version == 3 && tag == V_ASN1_SEQUENCE)
        return FILE_PKCS12;
    /* PKCS#8 (RFC 5958 §2), PKCS#1 (RFC 8017 §A.1.2), SEC 1 (RFC 5915 §3) */
    bool is_key = tag == V_ASN1_SEQUENCE || tag == V_ASN1_INTEGER || tag == V_ASN1_OCTET_STRING;
    return version <= 1 && is_key ? FILE_KEY : FILE_UNKNOWN;
}

enum file_kind file_kind_of_der(struct bytes der)
{
    static const uint8_t pkcs7_signed_data[] = {
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
    static const uint8_t pkcs5_arc[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05};
    struct bytes b = der;
    if (!der.n)
        return FILE_EMPTY;
    if (next_tag(&b) != V_ASN1_SEQUENCE)
        return FILE_UNKNOWN;
    /* RFC 2315 §7: ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, … */
    if (bytes_starts_with(b, (struct bytes){pkcs7_signed_data, sizeof(pkcs7_signed_data)}))
        return FILE_PKCS7;
    if (b.n > 3 && b.at[0] == V_ASN1_INTEGER && b.at[1] == 1)
        return kind_after_version(bytes_skip(b, 3), b.at[2]);
    if (next_tag(&b) != V_ASN1_SEQUENCE)
        return FILE_UNKNOWN;
    /* EncryptedPrivateKeyInfo (RFC 5958 §3) starts with an AlgorithmIdentifier of PKCS#5. */
    if (bytes_starts_with(b, (struct bytes){pkcs5_arc, sizeof(pkcs5_arc)}))
        return FILE_ENCRYPTED_KEY;
    return FILE_CERTIFICATE;
}
