/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/decode.h"

#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "base/panic.h"

#include "base/ban.h"

struct bytes decode_string(const ASN1_STRING *s)
{
    return (struct bytes){ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

/* libcrypto also takes fractions, numeric offsets and missing seconds; RFC 5280 §4.1.2.5.1 and
 * §4.1.2.5.2 do not. */
static bool has_rfc5280_form(const ASN1_TIME *t)
{
    struct bytes text = decode_string(t);
    size_t want = ASN1_STRING_type(t) == V_ASN1_UTCTIME           ? sizeof("YYMMDDHHMMSSZ") - 1
                  : ASN1_STRING_type(t) == V_ASN1_GENERALIZEDTIME ? sizeof("YYYYMMDDHHMMSSZ") - 1
                                                                  : 0;
    if (!want || text.n != want || text.at[want - 1] != 'Z')
        return false;
    for (size_t i = 0; i + 1 < want; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return true;
}

int decode_time(const ASN1_TIME *t, int64_t *wall_s)
{
    struct tm tm;
    if (!t || !has_rfc5280_form(t) || !ASN1_TIME_to_tm(t, &tm)) {
        ERR_clear_error();
        return -1;
    }
    *wall_s = timegm(&tm);
    return 0;
}

const char *decode_name(struct arena *a, const X509_NAME *n)
{
    BIO *out = BIO_new(BIO_s_mem());
    ASSERT(out);
    char *text = NULL;
    /* XN_FLAG_RFC2253 holds ASN1_STRFLGS_ESC_CTRL and _ESC_MSB: no control byte and no byte above
     * 0x7f is left. */
    if (X509_NAME_print_ex(out, n, 0, XN_FLAG_RFC2253) >= 0) {
        char *at;
        long size = BIO_get_mem_data(out, &at);
        text = arena_strndup(a, at, size > 0 ? (size_t)size : 0);
        /* Texts go into logs and headers: the promise does not rest on libcrypto's flags alone. */
        for (char *c = text; *c; c++)
            if (*c < 0x20 || *c > 0x7e)
                *c = '?';
    }
    BIO_free(out);
    return text;
}

struct bytes decode_name_der(const X509_NAME *n)
{
    const uint8_t *at = NULL;
    size_t size = 0;
    ASSERT(X509_NAME_get0_der(n, &at, &size));
    return (struct bytes){at, size};
}

const char *decode_hex(struct arena *a, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(a, 2 * b.n + 1);
    for (size_t i = 0; i < b.n; i++) {
        out[2 * i] = digits[b.at[i] >> 4];
        out[2 * i + 1] = digits[b.at[i] & 15];
    }
    return out;
}

const char *decode_serial(struct arena *a, const ASN1_INTEGER *n)
{
    const char *hex = decode_hex(a, decode_string(n));
    while (hex[0] == '0' && hex[1])
        hex++;
    if (!hex[0])
        return "0";
    return ASN1_STRING_type(n) == V_ASN1_NEG_INTEGER ? arena_printf(a, "-%s", hex) : hex;
}

/* RFC 4055 §3.1: the digest is in the parameters, SHA-1 if it is left out. NID_undef if they are
 * damaged. */
static int digest_of_pss(const X509_ALGOR *algorithm)
{
    const ASN1_TYPE *parameters = algorithm->parameter;
    RSA_PSS_PARAMS *pss =
        parameters ? ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), parameters) : NULL;
    int digest = NID_undef;
    if (pss)
        digest = pss->hashAlgorithm ? OBJ_obj2nid(pss->hashAlgorithm->algorithm) : NID_sha1;
    RSA_PSS_PARAMS_free(pss);
    return digest;
}

bool decode_is_weak_signature(const X509_ALGOR *algorithm)
{
    int signature = OBJ_obj2nid(algorithm->algorithm), digest = NID_undef, key;
    if (signature == NID_ED25519 || signature == NID_ED448)
        return false;
    if (signature == NID_rsassaPss)
        digest = digest_of_pss(algorithm);
    else if (!OBJ_find_sigid_algs(signature, &digest, &key))
        digest = NID_undef;
    const EVP_MD *md = digest == NID_undef ? NULL : EVP_get_digestbynid(digest);
    ERR_clear_error();
    return !md || EVP_MD_get_size(md) < 224 / 8;
}

const char *decode_libcrypto_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : "no reason given";
}
