/* SPDX-License-Identifier: Apache-2.0 */
/* The OCSP half of revocation_list.h (RFC 6960). */
#include <limits.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "base/panic.h"
#include "crypto/decode.h"
#include "crypto/native.h"
#include "crypto/reason_code.h"
#include "crypto/revocation_list.h"

#include "base/ban.h"

#define CLOCK_SKEW_S 300

/* A response may come from the peer (stapled): how many of its certificates are looked at, and of
 * its answers. */
#define RESPONDERS_MAX 8
#define ANSWERS_MAX    1024

/* One question in progress. */
struct question {
    OCSP_RESPONSE *response;
    OCSP_BASICRESP *basic;
    X509 *certificate, *issuer;
    int64_t now_s;
    struct ocsp_answer *out;
};

static void unusable(struct ocsp_answer *out, const char *why)
{
    *out = (struct ocsp_answer){.status = OCSP_UNUSABLE, .reason = ""};
    snprintf(out->detail, sizeof(out->detail), "%s", why);
}

static int refuse(struct question *q, const char *why)
{
    unusable(q->out, why);
    return -1;
}

/* libcrypto ignores what follows the inner structure, and reads BER; a response ends with its
 * BasicOCSPResponse. */
static bool ends_with_basic(struct bytes der, OCSP_BASICRESP *basic)
{
    uint8_t *encoded = NULL;
    int n = i2d_OCSP_BASICRESP(basic, &encoded);
    bool ends = n > 0 && bytes_ends_with(der, (struct bytes){encoded, (size_t)n});
    OPENSSL_free(encoded);
    return ends;
}

static int decode(struct question *q, struct bytes der)
{
    const uint8_t *at = der.at;
    q->response = der.n && der.n <= INT_MAX ? d2i_OCSP_RESPONSE(NULL, &at, (long)der.n) : NULL;
    if (!q->response || at != der.at + der.n)
        return refuse(q, "it is no OCSP response in DER");
    int status = OCSP_response_status(q->response);
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        char why[64];
        snprintf(why, sizeof(why), "the responder answered %s", OCSP_response_status_str(status));
        return refuse(q, why);
    }
    q->basic = OCSP_response_get1_basic(q->response);
    if (!q->basic || !ends_with_basic(der, q->basic))
        return refuse(q, "its BasicOCSPResponse is malformed");
    /* RFC 6960 §4.4: unknown critical extensions make it unusable. A nonce (§4.4.1) that nobody
     * asked for does not. */
    for (int i = 0; i < OCSP_BASICRESP_get_ext_count(q->basic); i++) {
        X509_EXTENSION *e = OCSP_BASICRESP_get_ext(q->basic, i);
        if (X509_EXTENSION_get_critical(e) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(e)) != NID_id_pkix_OCSP_Nonce)
            return refuse(q, "it has a critical extension that is not understood");
    }
    return 0;
}

/* RFC 6960 §4.2.2.3: the responder is named by its subject, or by the SHA-1 hash of its public key.
 */
static bool is_responder(const struct question *q, const X509 *x)
{
    const ASN1_OCTET_STRING *key_hash;
    const X509_NAME *name;
    if (!OCSP_resp_get0_id(q->basic, &key_hash, &name))
        return false;
    if (name)
        return X509_NAME_cmp(name, X509_get_subject_name(x)) == 0;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    return X509_pubkey_digest(x, EVP_sha1(), hash, &n) &&
           bytes_equal(decode_string(key_hash), (struct bytes){hash, n});
}

static bool has_signed(const struct question *q, X509 *x)
{
    const X509_ALGOR *algorithm = OCSP_resp_get0_tbs_sigalg(q->basic);
    EVP_PKEY *key = X509_get0_pubkey(x);
    return key && !decode_is_weak_signature(algorithm) &&
           ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA), algorithm,
               OCSP_resp_get0_signature(q->basic), OCSP_resp_get0_respdata(q->basic), key) == 1;
}

static bool is_valid_now(const struct question *q, const X509 *x)
{
    int64_t not_before, not_after;
    return !decode_time(X509_get0_notBefore(x), &not_before) &&
           !decode_time(X509_get0_notAfter(x), &not_after) && q->now_s >= not_before &&
           q->now_s <= not_after;
}

/* RFC 6960 §4.2.2.2: issued directly by the CA in question, with id-kp-OCSPSigning. Returns what is
 * missing, or NULL. */
static const char *lacks_authority(const struct question *q, X509 *x)
{
    const X509_ALGOR *algorithm;
    uint32_t flags = X509_get_extension_flags(x);
    X509_get0_signature(NULL, &algorithm, x);
    if (flags & (EXFLAG_INVALID | EXFLAG_CRITICAL))
        return "the responder's certificate is malformed or has an unknown critical extension";
    /* Without the extension all bits are set, but here it is required. */
    if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(x) & XKU_OCSP_SIGN))
        return "the responder's certificate does not have the extendedKeyUsage OCSPSigning";
    if (!(X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE))
        return "the keyUsage of the responder's certificate does not allow digitalSignature";
    if (!is_valid_now(q, x))
        return "the responder's certificate has expired or is not valid yet";
    if (X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(q->issuer)) != 0 ||
        decode_is_weak_signature(algorithm) || X509_verify(x, X509_get0_pubkey(q->issuer)) != 1)
        return "the responder's certificate was not issued by the CA in question";
    return NULL;
}

static int check_signer(struct question *q)
{
    const char *why =
        "it is not signed by the issuer nor by a responder whose certificate it holds";
    const STACK_OF(X509) *sent = OCSP_resp_get0_certs(q->basic);
    if (is_responder(q, q->issuer) && has_signed(q, q->issuer))
        return 0;
    for (int i = 0; i < sk_X509_num(sent) && i < RESPONDERS_MAX; i++) {
        X509 *x = sk_X509_value(sent, i);
        if (!is_responder(q, x) || !has_signed(q, x))
            continue;
        why = lacks_authority(q, x);
        if (!why)
            return 0;
    }
    return refuse(q, why);
}

/* Is SINGLE about our certificate? Its certID may use any digest (RFC 6960 §4.1.1). */
static bool is_about_us(const struct question *q, const OCSP_SINGLERESP *single)
{
    const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
    ASN1_INTEGER *serial = NULL;
    ASN1_OBJECT *algorithm = NULL;
    OCSP_id_get0_info(NULL, &algorithm, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id);
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(q->certificate)) != 0)
        return false;
    const EVP_MD *digest = EVP_get_digestbyobj(algorithm);
    OCSP_CERTID *ours = digest ? OCSP_cert_to_id(digest, q->certificate, q->issuer) : NULL;
    bool same = ours && OCSP_id_cmp(ours, id) == 0;
    OCSP_CERTID_free(ours);
    return same;
}

static const char *check_dates(const struct question *q, const struct ocsp_answer *a)
{
    if (a->this_update > q->now_s + CLOCK_SKEW_S)
        return "its thisUpdate is in the future";
    if (a->next_update && a->next_update < q->now_s)
        return "it has expired (nextUpdate)";
    if (a->next_update && a->next_update < a->this_update)
        return "its nextUpdate is before its thisUpdate";
    return NULL;
}

/* SINGLE in plain C, whatever its dates. Returns why it is unusable, or NULL. */
static const char *decode_single(OCSP_SINGLERESP *single, struct ocsp_answer *out)
{
    ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
    int reason = OCSP_REVOKED_STATUS_NOSTATUS;
    int status = OCSP_single_get0_status(single, &reason, &revoked, &this_update, &next_update);
    *out = (struct ocsp_answer){.reason = ""};

    for (int i = 0; i < OCSP_SINGLERESP_get_ext_count(single); i++)
        if (X509_EXTENSION_get_critical(OCSP_SINGLERESP_get_ext(single, i)))
            return "an answer has a critical extension that is not understood";
    bool is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
    if (reason == OCSP_REVOKED_STATUS_NOSTATUS)
        reason = REASON_CODE_UNSPECIFIED;
    if (decode_time(this_update, &out->this_update) ||
        (next_update && decode_time(next_update, &out->next_update)) ||
        (is_revoked && decode_time(revoked, &out->revoked_at)) || !reason_code_name(reason))
        return "an answer is malformed";
    out->reason = is_revoked ? reason_code_name(reason) : "";
    out->status = is_revoked                         ? OCSP_REVOKED
                  : status == V_OCSP_CERTSTATUS_GOOD ? OCSP_GOOD
                                                     : OCSP_UNKNOWN;
    return NULL;
}

static void read_single(const struct question *q, OCSP_SINGLERESP *single, struct ocsp_answer *out)
{
    const char *why = decode_single(single, out);
    if (!why)
        why = check_dates(q, out);
    if (why)
        unusable(out, why);
}

/* Of several answers about one certificate the worst counts. */
static const int badness[] = {
    [OCSP_GOOD] = 0, [OCSP_UNKNOWN] = 1, [OCSP_UNUSABLE] = 2, [OCSP_REVOKED] = 3};

static void read_answers(struct question *q)
{
    int n = OCSP_resp_count(q->basic);
    bool found = false;
    for (int i = 0; i < n && n <= ANSWERS_MAX; i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(q->basic, i);
        struct ocsp_answer answer;
        if (!is_about_us(q, single))
            continue;
        read_single(q, single, &answer);
        if (!found || badness[answer.status] > badness[q->out->status])
            *q->out = answer;
        found = true;
    }
    if (!found)
        unusable(q->out, "it says nothing about this certificate");
}

void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out)
{
    struct question q = {
        .certificate = certificate_x509(certificate),
        .issuer = certificate_x509(issuer),
        .now_s = now_s,
        .out = out,
    };
    if (!decode(&q, response) && !check_signer(&q))
        read_answers(&q);
    OCSP_BASICRESP_free(q.basic);
    OCSP_RESPONSE_free(q.response);
    ERR_clear_error();
}

/* ---- for showing ---- */

static const char *responder_text(const OCSP_BASICRESP *basic, struct arena *a)
{
    const ASN1_OCTET_STRING *key_hash;
    const X509_NAME *name;
    if (!OCSP_resp_get0_id(basic, &key_hash, &name))
        return NULL;
    return name ? decode_name(a, name) : decode_hex(a, decode_string(key_hash));
}

static const char *serial_text(const OCSP_SINGLERESP *single, struct arena *a)
{
    const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
    ASN1_INTEGER *serial = NULL;
    OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id);
    return decode_serial(a, serial);
}

static const char *describe(OCSP_BASICRESP *basic, struct arena *a, struct ocsp_facts *out)
{
    int n = OCSP_resp_count(basic);
    out->responder = responder_text(basic, a);
    if (!out->responder || decode_time(OCSP_resp_get0_produced_at(basic), &out->produced_at))
        return "its responderID or producedAt is malformed";
    if (n > ANSWERS_MAX)
        return "it has more answers than are read";
    out->entries = arena_alloc(a, (size_t)(n + 1) * sizeof(*out->entries));
    for (int i = 0; i < n; i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        struct ocsp_entry *e = &out->entries[out->entries_n++];
        const char *why = decode_single(single, &e->answer);
        if (why)
            return why;
        e->serial = serial_text(single, a);
    }
    return NULL;
}

int ocsp_describe(struct bytes response, struct arena *a, struct ocsp_facts *out, struct error *err)
{
    struct ocsp_answer refusal;
    struct question q = {.out = &refusal};
    *out = (struct ocsp_facts){0};
    const char *why = decode(&q, response) ? refusal.detail : describe(q.basic, a, out);
    OCSP_BASICRESP_free(q.basic);
    OCSP_RESPONSE_free(q.response);
    ERR_clear_error();
    return why ? error_set(err, "%s", why) : 0;
}
