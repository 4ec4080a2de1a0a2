/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ocsp_parse.h"

#include "pki/der.h"
#include "pki/reason_code.h"

#include "base/ban.h"

#define STATUS_MAX 6
#define REASON_MAX 10

/* id-pkix-ocsp-basic and id-pkix-ocsp-nonce: 1.3.6.1.5.5.7.48.1.1 and .2 */
static const struct bytes oid_basic = {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x30\x01\x01", 9};
static const struct bytes oid_nonce = {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x30\x01\x02", 9};

/* The one element that fills IN. */
static bool take_only(struct bytes in, uint8_t tag, struct bytes *content)
{
    return der_take(&in, tag, content) && in.n == 0;
}

/* [N] EXPLICIT around one element of TAG. */
static bool take_tagged(struct bytes *in, uint8_t n, uint8_t tag, struct bytes *content)
{
    struct bytes inner;
    return der_take(in, DER_CONTEXT_CONSTRUCTED(n), &inner) && take_only(inner, tag, content);
}

/* §4.2.1: "The value for response SHALL be the DER encoding of BasicOCSPResponse", and
 * GeneralizedTime is as in RFC 5280 (§4.2.2.1). */
static bool take_time(struct bytes *in, int64_t *wall_s)
{
    struct bytes content;
    return der_take(in, DER_GENERALIZED_TIME, &content) && der_generalized_time(content, wall_s);
}

static bool take_extension(struct bytes *in, struct bytes *oid, bool *is_critical)
{
    struct bytes body, content;
    *is_critical = false;
    if (!der_take(in, DER_SEQUENCE, &body) || !der_take(&body, DER_OID, oid) || !der_is_oid(*oid))
        return false;
    if (der_is_next(body, DER_BOOLEAN) &&
        (!der_take(&body, DER_BOOLEAN, &content) || !der_boolean(content, is_critical)))
        return false;
    return der_take(&body, DER_OCTET_STRING, NULL) && body.n == 0;
}

/* [1] EXPLICIT Extensions OPTIONAL. We process none but the nonce (§4.4.1), which nobody asked for.
 */
static bool take_extensions(struct bytes *in, bool *has_unknown_critical)
{
    struct bytes list, oid;
    bool is_critical;
    if (in->n == 0)
        return true;
    if (!take_tagged(in, 1, DER_SEQUENCE, &list) || list.n == 0)
        return false;
    while (list.n) {
        if (!take_extension(&list, &oid, &is_critical))
            return false;
        if (is_critical && !bytes_equal(oid, oid_nonce))
            *has_unknown_critical = true;
    }
    return true;
}

/* ---- one answer ---- */

/* CertID (§4.1.1). The digest has no parameters, or NULL. */
static bool take_certificate_id(struct bytes *in, struct ocsp_single *out)
{
    struct bytes id, algorithm, null;
    if (!der_take(in, DER_SEQUENCE, &id) || !der_take(&id, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &out->digest) || !der_is_oid(out->digest))
        return false;
    if (algorithm.n && (!take_only(algorithm, DER_NULL, &null) || null.n))
        return false;
    return der_take(&id, DER_OCTET_STRING, &out->issuer_name_digest) &&
           der_take(&id, DER_OCTET_STRING, &out->issuer_key_digest) &&
           der_take(&id, DER_INTEGER, &out->serial) && der_is_integer(out->serial) && id.n == 0;
}

/* RevokedInfo ::= SEQUENCE { revocationTime, revocationReason [0] EXPLICIT CRLReason OPTIONAL } */
static bool read_revoked(struct bytes info, struct ocsp_answer *out)
{
    struct bytes reason;
    uint64_t code = REASON_CODE_UNSPECIFIED;
    out->status = OCSP_REVOKED;
    if (!take_time(&info, &out->revoked_at))
        return false;
    if (info.n && (!take_tagged(&info, 0, DER_ENUMERATED, &reason) ||
                      !der_unsigned(reason, REASON_MAX, &code)))
        return false;
    out->reason = (unsigned)code;
    return info.n == 0 && reason_code_name(out->reason);
}

/* CertStatus ::= CHOICE { good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL }, all IMPLICIT.
 */
static bool take_status(struct bytes *in, struct ocsp_answer *out)
{
    struct der_element e;
    if (!der_next(in, &e))
        return false;
    switch (e.tag) {
    case DER_CONTEXT(0):
        out->status = OCSP_GOOD;
        return e.content.n == 0;
    case DER_CONTEXT_CONSTRUCTED(1):
        return read_revoked(e.content, out);
    case DER_CONTEXT(2):
        out->status = OCSP_UNKNOWN;
        return e.content.n == 0;
    default:
        return false;
    }
}

bool ocsp_parse_next(struct bytes *answers, struct ocsp_single *out)
{
    struct bytes body, next;
    *out = (struct ocsp_single){0};
    if (!der_take(answers, DER_SEQUENCE, &body) || !take_certificate_id(&body, out) ||
        !take_status(&body, &out->answer) || !take_time(&body, &out->answer.this_update))
        return false;
    if (der_is_next(body, DER_CONTEXT_CONSTRUCTED(0)) &&
        (!take_tagged(&body, 0, DER_GENERALIZED_TIME, &next) ||
            !der_generalized_time(next, &out->answer.next_update)))
        return false;
    return take_extensions(&body, &out->has_unknown_critical) && body.n == 0;
}

/* ---- the response ---- */

/* ResponderID ::= CHOICE { byName [1] Name, byKey [2] OCTET STRING }, both EXPLICIT. */
static bool take_responder(struct bytes *in, struct ocsp_response *out)
{
    struct bytes inner;
    if (!der_is_next(*in, DER_CONTEXT_CONSTRUCTED(1)))
        return take_tagged(in, 2, DER_OCTET_STRING, &out->responder_key);
    return der_take(in, DER_CONTEXT_CONSTRUCTED(1), &inner) &&
           der_take_whole(&inner, DER_SEQUENCE, &out->responder_name) && inner.n == 0;
}

/* version [0] EXPLICIT INTEGER DEFAULT v1. There is no other; responders that spell it out, against
 * X.690 §11.5, are let do so, since the signature is over what they wrote. */
static bool take_version(struct bytes *in)
{
    struct bytes version;
    uint64_t number;
    return !der_is_next(*in, DER_CONTEXT_CONSTRUCTED(0)) ||
           (take_tagged(in, 0, DER_INTEGER, &version) && der_unsigned(version, 0, &number));
}

static bool read_data(struct bytes data, struct ocsp_response *out)
{
    return take_version(&data) && take_responder(&data, out) &&
           take_time(&data, &out->produced_at) && der_take(&data, DER_SEQUENCE, &out->answers) &&
           take_extensions(&data, &out->has_unknown_critical) && data.n == 0;
}

static bool read_basic(struct bytes der, struct ocsp_response *out)
{
    struct bytes basic, whole, data, bits;
    if (!take_only(der, DER_SEQUENCE, &basic) ||
        !der_take_whole(&basic, DER_SEQUENCE, &out->signed_part) ||
        !der_take(&basic, DER_SEQUENCE, &out->algorithm) ||
        !der_take(&basic, DER_BIT_STRING, &bits) || !der_octets(bits, &out->signature))
        return false;
    if (basic.n && !take_tagged(&basic, 0, DER_SEQUENCE, &out->certificates))
        return false;
    whole = out->signed_part;
    return basic.n == 0 && der_take(&whole, DER_SEQUENCE, &data) && read_data(data, out);
}

static int check_answers(struct ocsp_response *r, struct error *err)
{
    struct ocsp_single single;
    struct bytes rest = r->answers;
    for (; rest.n; r->answers_n++) {
        if (r->answers_n == OCSP_ANSWERS_MAX)
            return error_set(err, "it has more than %d answers", OCSP_ANSWERS_MAX);
        if (!ocsp_parse_next(&rest, &single))
            return error_set(err, "an answer is malformed");
    }
    return 0;
}

/* §4.2.1: OCSPResponseStatus. 4 is not used. */
static const char *status_text(uint64_t status)
{
    static const char *const names[STATUS_MAX + 1] = {
        [1] = "malformedrequest",
        [2] = "internalerror",
        [3] = "trylater",
        [5] = "sigrequired",
        [6] = "unauthorized",
    };
    return names[status] ? names[status] : "a status that means nothing";
}

/* OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] EXPLICIT SEQUENCE {
 * responseType OBJECT IDENTIFIER, response OCTET STRING } OPTIONAL } */
static int open_response(struct bytes der, struct bytes *basic, struct error *err)
{
    static const char not_a_response[] = "it is no OCSP response in DER";
    struct bytes body, content, type;
    uint64_t status;
    if (!take_only(der, DER_SEQUENCE, &body) || !der_take(&body, DER_ENUMERATED, &content) ||
        !der_unsigned(content, STATUS_MAX, &status))
        return error_set(err, not_a_response);
    bool has_bytes = body.n > 0;
    if (has_bytes && (!take_tagged(&body, 0, DER_SEQUENCE, &content) || body.n ||
                         !der_take(&content, DER_OID, &type) || !der_is_oid(type) ||
                         !take_only(content, DER_OCTET_STRING, basic)))
        return error_set(err, not_a_response);
    if (status)
        return error_set(err, "the responder answered %s", status_text(status));
    if (!has_bytes || !bytes_equal(type, oid_basic))
        return error_set(err, "it holds no BasicOCSPResponse");
    return 0;
}

int ocsp_parse_response(struct bytes der, struct ocsp_response *out, struct error *err)
{
    struct bytes basic;
    *out = (struct ocsp_response){0};
    if (der.n > OCSP_SIZE_MAX)
        return error_set(err, "it has %zu bytes; at most %u are read", der.n, OCSP_SIZE_MAX);
    if (open_response(der, &basic, err))
        return -1;
    if (!read_basic(basic, out))
        return error_set(err, "its BasicOCSPResponse is malformed");
    return check_answers(out, err);
}
