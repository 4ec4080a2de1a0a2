/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ocsp.h"

#include <stdio.h>

#include "base/panic.h"
#include "crypto/digest.h"
#include "pki/algorithm.h"
#include "pki/der.h"
#include "pki/dn.h"
#include "pki/ocsp_parse.h"
#include "pki/serial.h"

#include "base/ban.h"

#define CLOCK_SKEW_S 300

/* A response may come from the peer (stapled), and each candidate costs up to two signature checks.
 */
#define RESPONDERS_MAX 4

/* One question in progress. */
struct question {
    struct ocsp_response response;
    const struct certificate *certificate, *issuer; /* issuer NULL: not at hand */
    enum signature_algorithm algorithm;
    int64_t now_s;
};

/* ---- is it about us? ---- */

/* CertID.hashAlgorithm (RFC 6960 §4.1.1): an identifier, so SHA-1 will do. */
static const struct {
    struct bytes oid;
    enum digest_kind kind;
} digests[] = {
    {BYTES("\x2b\x0e\x03\x02\x1a"), DIGEST_SHA1},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), DIGEST_SHA256},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), DIGEST_SHA384},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), DIGEST_SHA512},
};

static bool is_digest_of(struct bytes digest, enum digest_kind kind, struct bytes data)
{
    uint8_t ours[DIGEST_SIZE_MAX];
    size_t n = digest_make(kind, data, ours);
    return bytes_equal(digest, (struct bytes){ours, n});
}

/* The same serial of another CA, or of one with the same name and another key, is not ours. */
static bool is_about_us(const struct question *q, const struct ocsp_single *s)
{
    const struct certificate_facts *ours = certificate_facts(q->certificate);
    if (!bytes_equal(s->serial, ours->serial))
        return false;
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (bytes_equal(s->digest, digests[i].oid))
            return is_digest_of(s->issuer_name_digest, digests[i].kind, ours->issuer) &&
                   (!q->issuer || is_digest_of(s->issuer_key_digest, digests[i].kind,
                                      certificate_facts(q->issuer)->key));
    return false;
}

/* ---- what does it say? ---- */

static const char *why_unusable(const struct question *q, const struct ocsp_single *s)
{
    const struct ocsp_answer *a = &s->answer;
    if (s->has_unknown_critical)
        return "an answer has a critical extension that is not understood";
    if (a->this_update > q->now_s + CLOCK_SKEW_S)
        return "its thisUpdate is in the future";
    if (a->next_update && a->next_update < q->now_s)
        return "it has expired (nextUpdate)";
    if (a->next_update && a->next_update < a->this_update)
        return "its nextUpdate is before its thisUpdate";
    return NULL;
}

static void set_unusable(struct ocsp_answer *out, const char *why)
{
    *out = (struct ocsp_answer){.status = OCSP_UNUSABLE};
    snprintf(out->detail, sizeof(out->detail), "%.*s", (int)sizeof(out->detail) - 1, why);
}

/* Of several answers about one certificate the worst counts. */
static const int badness[] = {
    [OCSP_GOOD] = 0, [OCSP_UNKNOWN] = 1, [OCSP_UNUSABLE] = 2, [OCSP_REVOKED] = 3};

/* Who was revoked stays revoked, so that dates and extensions, which may spoil any other answer, do
 * not spoil this one. False if none is about us. */
static bool find_answer(const struct question *q, struct ocsp_answer *out)
{
    struct bytes rest = q->response.answers;
    struct ocsp_single s;
    bool found = false;
    while (rest.n && ocsp_parse_next(&rest, &s)) {
        if (!is_about_us(q, &s))
            continue;
        const char *why = why_unusable(q, &s);
        if (why && s.answer.status != OCSP_REVOKED)
            set_unusable(&s.answer, why);
        if (!found || badness[s.answer.status] > badness[out->status])
            *out = s.answer;
        found = true;
    }
    return found;
}

/* ---- who says so? ---- */

/* RFC 6960 §4.2.2.3: the responder is named by its subject, or by the SHA-1 of its public key. */
static bool is_responder(const struct question *q, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    const struct ocsp_response *r = &q->response;
    return r->responder_name.at ? dn_equal(r->responder_name, f->subject)
                                : is_digest_of(r->responder_key, DIGEST_SHA1, f->key);
}

static bool has_signed(const struct question *q, const struct certificate *c)
{
    const struct public_key *key = certificate_public_key(c);
    return key &&
           public_key_verify(key, q->algorithm, q->response.signed_part, q->response.signature);
}

/* RFC 6960 §4.2.2.2: issued directly by the CA in question, with id-kp-OCSPSigning.
 * anyExtendedKeyUsage does not stand for it. Returns what is missing, or NULL; the costly question
 * comes last. */
static const char *lacks_authority(const struct question *q, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    if (f->flaws || f->unknown_critical.at)
        return "the responder's certificate is against RFC 5280, or has an unknown critical "
               "extension";
    if (!f->has_extended_key_usage || !(f->extended_key_usage & EXTENDED_OCSP_SIGNING))
        return "the responder's certificate does not have the extendedKeyUsage OCSPSigning";
    if (!(f->key_usage & USAGE_DIGITAL_SIGNATURE))
        return "the keyUsage of the responder's certificate does not allow digitalSignature";
    if (q->now_s < f->not_before || q->now_s > f->not_after)
        return "the responder's certificate has expired or is not valid yet";
    /* Whoever stole its key would clear it for ever. */
    if (bytes_equal(f->spki, certificate_facts(q->certificate)->spki))
        return "the responder is the certificate itself";
    if (!certificate_issued_by(c, q->issuer))
        return "the responder's certificate was not issued by the CA in question";
    return NULL;
}

/* NULL: C is a responder of the CA's, and signed this. */
static const char *judge_responder(
    const struct question *q, const struct certificate *c, struct ocsp_answer *out)
{
    const struct certificate_facts *f = certificate_facts(c);
    const char *why = lacks_authority(q, c);
    if (why)
        return why;
    if (!has_signed(q, c))
        return "its signature is not one by the responder whose certificate it holds";
    if (!out->usable_until || out->usable_until > f->not_after)
        out->usable_until = f->not_after;
    ASSERT(f->serial.n <= sizeof(out->responder_serial)); /* a longer one is a flaw */
    memcpy(out->responder_serial, f->serial.at, f->serial.n);
    out->responder_serial_n = f->serial.n;
    return NULL;
}

/* One of the certificates that the response brings along. */
static const char *judge_delegates(const struct question *q, struct ocsp_answer *out)
{
    const char *why =
        "it is not signed by the issuer nor by a responder whose certificate it holds";
    struct bytes rest = q->response.certificates, der;
    for (size_t i = 0; rest.n && i < RESPONDERS_MAX; i++) {
        struct error unread;
        if (!der_take_whole(&rest, DER_SEQUENCE, &der))
            return "a certificate in it is malformed";
        struct certificate *c = certificate_parse(der, &unread);
        if (!c)
            return "a certificate in it is malformed";
        if (is_responder(q, c))
            why = judge_responder(q, c, out);
        certificate_unref(&c);
        if (!why)
            return NULL;
    }
    return why;
}

static const char *judge_signer(const struct question *q, struct ocsp_answer *out)
{
    if (q->algorithm == SIGNATURE_WEAK)
        return "it is signed by an algorithm that is too weak";
    if (q->algorithm == SIGNATURE_UNKNOWN)
        return "it is signed by an algorithm that is not known";
    if (is_responder(q, q->issuer) && has_signed(q, q->issuer))
        return NULL;
    return judge_delegates(q, out);
}

/* ---- together ---- */

/* NULL, or why the response as a whole is of no use. The cheap questions come first, since a
 * response may come from the peer. */
static const char *judge_response(const struct question *q, struct ocsp_answer *out)
{
    if (q->response.has_unknown_critical)
        return "it has a critical extension that is not understood"; /* RFC 6960 §4.4 */
    if (q->response.produced_at > q->now_s + CLOCK_SKEW_S)
        return "its producedAt is in the future";
    if (!find_answer(q, out))
        return "it says nothing about this certificate";
    out->usable_until = out->next_update;
    return q->issuer ? judge_signer(q, out) : NULL;
}

static void ask(struct question *q, struct bytes response, struct ocsp_answer *out)
{
    struct error err;
    if (ocsp_parse_response(response, &q->response, &err)) {
        set_unusable(out, err.text);
        return;
    }
    q->algorithm = algorithm_of_signature(q->response.algorithm);
    const char *why = judge_response(q, out);
    if (why)
        set_unusable(out, why);
}

void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out)
{
    ASSERT(issuer); /* without it nobody's signature counts */
    ask(&(struct question){.certificate = certificate, .issuer = issuer, .now_s = now_s}, response,
        out);
}

void ocsp_ask_unsigned(struct bytes response, const struct certificate *certificate, int64_t now_s,
    struct ocsp_answer *out)
{
    ask(&(struct question){.certificate = certificate, .now_s = now_s}, response, out);
}

/* ---- for showing ---- */

static const char *responder_text(const struct ocsp_response *r, struct arena *a)
{
    if (r->responder_name.at)
        return dn_text(a, r->responder_name);
    char *text = arena_alloc(a, 2 * r->responder_key.n + 1);
    for (size_t i = 0; i < r->responder_key.n; i++)
        snprintf(text + 2 * i, 3, "%02x", r->responder_key.at[i]);
    return text;
}

int ocsp_describe(struct bytes response, struct arena *a, struct ocsp_facts *out, struct error *err)
{
    struct ocsp_response r;
    struct ocsp_single s;
    *out = (struct ocsp_facts){0};
    if (ocsp_parse_response(response, &r, err))
        return -1;
    out->responder = responder_text(&r, a);
    out->produced_at = r.produced_at;
    out->entries = arena_alloc(a, (r.answers_n + 1) * sizeof(*out->entries));
    while (r.answers.n && ocsp_parse_next(&r.answers, &s))
        out->entries[out->entries_n++] = (struct ocsp_entry){serial_text(a, s.serial), s.answer};
    return 0;
}
