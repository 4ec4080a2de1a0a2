/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP answers, good and wrong in every way: T22 of the known security bugs. */
#include <openssl/ocsp.h>

#include "fixture.h"
#include "pki/ocsp.h"
#include "pki/reason_code.h"

#include "base/ban.h"

static struct identity ca, client, other;

static void make_all(void)
{
    ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    client = make_identity(ISSUE_CLIENT, "client", "DNS:c.example", &ca);
    other = make_identity(ISSUE_CLIENT, "other", "DNS:o.example", &ca);
}

static void drop_all(void)
{
    identity_fini(&ca);
    identity_fini(&client);
    identity_fini(&other);
}

/* One answer of a response. */
struct answer {
    const struct identity *about;
    int status; /* V_OCSP_CERTSTATUS_… */
    int64_t this_update, next_update;
    const EVP_MD *id_digest; /* of its certID; NULL: SHA-1 */
};

static OCSP_CERTID *certificate_id(
    const EVP_MD *digest, const struct certificate *about, const struct certificate *issuer)
{
    X509 *x = must_x509(about), *by = must_x509(issuer);
    OCSP_CERTID *id = OCSP_cert_to_id(digest, x, by);
    MUST(id);
    X509_free(x);
    X509_free(by);
    return id;
}

/* A response in the making: change it between start and finish. */
static OCSP_BASICRESP *start(const struct answer *answers, size_t n)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    MUST(basic);
    for (size_t i = 0; i < n; i++) {
        const struct answer *a = &answers[i];
        const EVP_MD *digest = a->id_digest ? a->id_digest : EVP_sha1();
        OCSP_CERTID *id = certificate_id(digest, a->about->certificate, ca.certificate);
        ASN1_TIME *this_update = ASN1_GENERALIZEDTIME_set(NULL, a->this_update);
        ASN1_TIME *next_update =
            a->next_update ? ASN1_GENERALIZEDTIME_set(NULL, a->next_update) : NULL;
        ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_set(NULL, NOW - 500);
        bool is_revoked = a->status == V_OCSP_CERTSTATUS_REVOKED;
        MUST(OCSP_basic_add1_status(basic, id, a->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
            is_revoked ? revoked : NULL, this_update, next_update));
        OCSP_CERTID_free(id);
        ASN1_TIME_free(this_update);
        ASN1_TIME_free(next_update);
        ASN1_TIME_free(revoked);
    }
    return basic;
}

static struct bytes encode(OCSP_BASICRESP *basic)
{
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    uint8_t *der = NULL;
    int n = i2d_OCSP_RESPONSE(response, &der);
    MUST(n > 0);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    return (struct bytes){der, (size_t)n};
}

/* Signed by SIGNER, whose certificate comes along unless FLAGS (OCSP_NOCERTS, OCSP_RESPID_KEY) say
 * otherwise; the DER is the caller's. Frees BASIC. */
static struct bytes finish_with(
    OCSP_BASICRESP *basic, const struct identity *signer, const EVP_MD *digest, unsigned long flags)
{
    X509 *x = must_x509(signer->certificate);
    MUST(OCSP_basic_sign(basic, x, private_key_pkey(signer->key), digest, NULL, flags));
    X509_free(x);
    return encode(basic);
}

static struct bytes finish(
    OCSP_BASICRESP *basic, const struct identity *signer, const EVP_MD *digest)
{
    return finish_with(basic, signer, digest, 0);
}

static void release(struct bytes der)
{
    OPENSSL_free((void *)(uintptr_t)der.at);
}

/* What a response with these answers, signed by SIGNER, says about the client. */
static enum ocsp_status ask(
    const struct answer *answers, size_t n, const struct identity *signer, struct ocsp_answer *out)
{
    struct bytes der = finish(start(answers, n), signer, EVP_sha256());
    ocsp_ask(der, client.certificate, ca.certificate, NOW, out);
    CHECK((out->status == OCSP_UNUSABLE) == (out->detail[0] != 0));
    CHECK_INT(ERR_peek_error(), 0);
    if (out->detail[0])
        printf("# %s\n", out->detail);
    release(der);
    return out->status;
}

#define GOOD    V_OCSP_CERTSTATUS_GOOD, NOW - 10, NOW + DAY
#define REVOKED V_OCSP_CERTSTATUS_REVOKED, NOW - 10, NOW + DAY
#define UNKNOWN V_OCSP_CERTSTATUS_UNKNOWN, NOW - 10, NOW + DAY

TEST(good_revoked_and_unknown)
{
    make_all();
    struct ocsp_answer a;
    CHECK_INT(ask(&(struct answer){&client, GOOD}, 1, &ca, &a), OCSP_GOOD);
    CHECK_INT(a.this_update, NOW - 10);
    CHECK_INT(a.next_update, NOW + DAY);
    CHECK_INT(ask(&(struct answer){&client, UNKNOWN}, 1, &ca, &a), OCSP_UNKNOWN);
    CHECK_INT(ask(&(struct answer){&client, REVOKED}, 1, &ca, &a), OCSP_REVOKED);
    CHECK_INT(a.revoked_at, NOW - 500);
    CHECK_TEXT(reason_code_name(a.reason), "keyCompromise");
    drop_all();
}

TEST(cert_id_by_any_digest)
{
    make_all();
    const EVP_MD *digests[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
    struct ocsp_answer a;
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        CHECK_INT(ask(&(struct answer){&client, GOOD, digests[i]}, 1, &ca, &a), OCSP_GOOD);
    /* One that we do not know names nobody. */
    CHECK_INT(ask(&(struct answer){&client, GOOD, EVP_sha224()}, 1, &ca, &a), OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "it says nothing about this certificate");
    drop_all();
}

TEST(revoked_wins_in_any_position)
{
    make_all();
    struct ocsp_answer a;
    struct answer answers[] = {{&client, GOOD}, {&client, REVOKED, EVP_sha256()}, {&client, GOOD}};
    CHECK_INT(ask(answers, 3, &ca, &a), OCSP_REVOKED);
    CHECK_INT(ask(answers, 2, &ca, &a), OCSP_REVOKED);
    CHECK_INT(ask(answers + 1, 2, &ca, &a), OCSP_REVOKED);
    struct answer others[] = {{&other, REVOKED}, {&client, GOOD}};
    CHECK_INT(ask(others, 2, &ca, &a), OCSP_GOOD);
    drop_all();
}

TEST(wrong_serial)
{
    make_all();
    struct ocsp_answer a;
    CHECK_INT(ask(&(struct answer){&other, GOOD}, 1, &ca, &a), OCSP_UNUSABLE);
    drop_all();
}

TEST(dates)
{
    static const struct {
        int64_t this_update, next_update;
        bool usable;
    } rows[] = {
        {NOW - DAY, NOW - 1, false},
        {NOW - DAY, NOW, true},
        {NOW - DAY, 0, true},
        {NOW + 300, NOW + DAY, true},
        {NOW + 301, NOW + DAY, false},
    };
    make_all();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ocsp_answer a;
        struct answer one = {
            &client, V_OCSP_CERTSTATUS_GOOD, rows[i].this_update, rows[i].next_update};
        CHECK_INT(ask(&one, 1, &ca, &a), rows[i].usable ? OCSP_GOOD : OCSP_UNUSABLE);
    }
    drop_all();
}

TEST(wrong_signer)
{
    make_all();
    struct ocsp_answer a;
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity stranger = make_identity(ISSUE_CA, "Stranger", NULL, NULL);
    CHECK_INT(ask(&(struct answer){&client, GOOD}, 1, &twin, &a), OCSP_UNUSABLE);
    CHECK_INT(ask(&(struct answer){&client, GOOD}, 1, &stranger, &a), OCSP_UNUSABLE);
    identity_fini(&twin);
    identity_fini(&stranger);
    drop_all();
}

TEST(delegated_responder)
{
    static const struct {
        int nid;
        const char *value;
        bool authorised;
    } rows[] = {
        {NID_ext_key_usage, "OCSPSigning", true},
        {NID_ext_key_usage, "clientAuth,OCSPSigning", true},
        {NID_ext_key_usage, "clientAuth", false},
        {NID_ext_key_usage, "anyExtendedKeyUsage", false},
        {NID_ext_key_usage, NULL, false},
    };
    make_all();
    struct ocsp_answer a;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct identity r = make_identity(ISSUE_CLIENT, "Responder", NULL, &ca);
        change_identity(&r, &ca, (struct change){rows[i].nid, rows[i].value});
        CHECK_INT(ask(&(struct answer){&client, REVOKED}, 1, &r, &a),
            rows[i].authorised ? OCSP_REVOKED : OCSP_UNUSABLE);
        identity_fini(&r);
    }
    drop_all();
}

static struct identity make_responder(const struct identity *issuer)
{
    struct identity r = make_identity(ISSUE_CLIENT, "Responder", NULL, issuer);
    change_identity(&r, issuer, (struct change){NID_ext_key_usage, "OCSPSigning"});
    return r;
}

TEST(responder_of_another_ca)
{
    make_all();
    struct ocsp_answer a;
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity r = make_responder(&twin);
    CHECK_INT(ask(&(struct answer){&client, GOOD}, 1, &r, &a), OCSP_UNUSABLE);
    identity_fini(&twin);
    identity_fini(&r);
    drop_all();
}

TEST(responder_about_itself)
{
    make_all();
    struct ocsp_answer a;
    struct identity r = make_responder(&ca);
    struct bytes der = finish(start(&(struct answer){&r, GOOD}, 1), &r, EVP_sha256());
    ocsp_ask(der, r.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "the responder is the certificate itself");
    release(der);
    identity_fini(&r);
    drop_all();
}

TEST(responder_that_has_expired)
{
    make_all();
    struct ocsp_answer a;
    struct identity r = make_responder(&ca);
    struct bytes der = finish(
        start(&(struct answer){&client, V_OCSP_CERTSTATUS_GOOD, NOW, 0}, 1), &r, EVP_sha256());
    ocsp_ask(der, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_GOOD);
    CHECK_INT(a.usable_until, NOW + DAY);
    CHECK(bytes_equal((struct bytes){a.responder_serial, a.responder_serial_n},
        certificate_facts(r.certificate)->serial));
    ocsp_ask(der, client.certificate, ca.certificate, NOW + DAY + 1, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    release(der);
    identity_fini(&r);
    drop_all();
}

TEST(weak_signature)
{
    make_all();
    struct ocsp_answer a;
    struct bytes der = finish(start(&(struct answer){&client, GOOD}, 1), &ca, EVP_sha1());
    ocsp_ask(der, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    release(der);
    drop_all();
}

static X509_EXTENSION *unknown_extension(int critical)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *null = ASN1_OCTET_STRING_new();
    MUST(oid && null && ASN1_OCTET_STRING_set(null, (const unsigned char *)"\5\0", 2));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, critical, null);
    MUST(e);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(null);
    return e;
}

TEST(description_does_not_judge)
{
    make_all();
    struct arena arena;
    struct ocsp_facts f;
    struct answer answers[] = {{&client, REVOKED}, {&other, V_OCSP_CERTSTATUS_GOOD, 86400, 0}};
    struct bytes der = finish(start(answers, 2), &other, EVP_sha1());
    arena_init(&arena);
    CHECK_INT(ocsp_describe(der, &arena, &f, NULL), 0);
    CHECK_TEXT(f.responder, "CN=other");
    CHECK(f.produced_at > 0);
    CHECK_INT(f.entries_n, 2);
    CHECK_TEXT(f.entries[0].serial, certificate_serial(client.certificate));
    CHECK_INT(f.entries[0].answer.status, OCSP_REVOKED);
    CHECK_INT(f.entries[0].answer.revoked_at, NOW - 500);
    CHECK_INT(f.entries[0].answer.next_update, NOW + DAY);
    CHECK_TEXT(reason_code_name(f.entries[0].answer.reason), "keyCompromise");
    CHECK_TEXT(f.entries[1].serial, certificate_serial(other.certificate));
    CHECK_INT(f.entries[1].answer.status, OCSP_GOOD);
    CHECK_INT(f.entries[1].answer.this_update, 86400);
    CHECK_INT(f.entries[1].answer.next_update, 0);
    struct error err = {""};
    CHECK_INT(ocsp_describe(bytes_first(der, der.n - 1), &arena, &f, &err), -1);
    CHECK_TEXT(err.text, "it is no OCSP response in DER");
    CHECK_INT(f.entries_n, 0);
    arena_fini(&arena);
    release(der);
    drop_all();
}

TEST(critical_extensions)
{
    make_all();
    for (int critical = 0; critical < 2; critical++)
        for (int single = 0; single < 2; single++) {
            struct ocsp_answer a;
            OCSP_BASICRESP *basic = start(&(struct answer){&client, GOOD}, 1);
            X509_EXTENSION *e = unknown_extension(critical);
            MUST(single ? OCSP_SINGLERESP_add_ext(OCSP_resp_get0(basic, 0), e, -1)
                        : OCSP_BASICRESP_add_ext(basic, e, -1));
            X509_EXTENSION_free(e);
            struct bytes der = finish(basic, &ca, EVP_sha256());
            ocsp_ask(der, client.certificate, ca.certificate, NOW, &a);
            CHECK_INT(a.status, critical ? OCSP_UNUSABLE : OCSP_GOOD);
            release(der);
        }
    drop_all();
}

TEST(a_critical_nonce_is_ignored)
{
    make_all();
    struct ocsp_answer a;
    OCSP_BASICRESP *basic = start(&(struct answer){&client, GOOD}, 1);
    MUST(OCSP_basic_add1_nonce(basic, NULL, 16));
    X509_EXTENSION_set_critical(OCSP_BASICRESP_get_ext(basic, 0), 1);
    struct bytes der = finish(basic, &ca, EVP_sha256());
    ocsp_ask(der, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_GOOD);
    release(der);
    drop_all();
}

TEST(truncated_damaged_and_trailing)
{
    make_all();
    struct ocsp_answer a;
    struct bytes der = finish(start(&(struct answer){&client, GOOD}, 1), &ca, EVP_sha256());
    uint8_t copy[4096];
    MUST(der.n < sizeof(copy));
    for (size_t n = 0; n < der.n; n++) {
        ocsp_ask(bytes_first(der, n), client.certificate, ca.certificate, NOW, &a);
        CHECK_INT(a.status, OCSP_UNUSABLE);
    }
    memcpy(copy, der.at, der.n);
    copy[der.n] = 0;
    ocsp_ask((struct bytes){copy, der.n + 1}, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    /* No damaged byte turns it into an answer other than the signed one. */
    for (size_t i = 0; i < der.n; i += 3) {
        memcpy(copy, der.at, der.n);
        copy[i] ^= 0x41;
        ocsp_ask((struct bytes){copy, der.n}, client.certificate, ca.certificate, NOW, &a);
        CHECK(a.status == OCSP_UNUSABLE || a.status == OCSP_GOOD);
    }
    CHECK_INT(ERR_peek_error(), 0);
    release(der);
    drop_all();
}

/* DER of TAG around CONTENT, whose length takes two bytes. */
static struct bytes wrap(uint8_t tag, struct bytes content, uint8_t *out)
{
    out[0] = tag;
    out[1] = 0x82;
    out[2] = (uint8_t)(content.n >> 8);
    out[3] = (uint8_t)content.n;
    memmove(out + 4, content.at, content.n);
    return (struct bytes){out, content.n + 4};
}

TEST(trailing_byte_inside)
{
    make_all();
    static const uint8_t head[] = {
        0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
    struct bytes der = finish(start(&(struct answer){&client, GOOD}, 1), &ca, EVP_sha256());
    const uint8_t *at = der.at;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.n);
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    uint8_t *inner = NULL;
    int n = i2d_OCSP_BASICRESP(basic, &inner);
    MUST(n > 255 && n < 3000);
    for (size_t extra = 0; extra < 2; extra++) {
        uint8_t octets[4096] = {0}, body[4096], info[4096], tagged[4096], whole[4096];
        struct ocsp_answer a;
        memcpy(octets + 4, inner, (size_t)n);
        struct bytes b = wrap(0x04, (struct bytes){octets + 4, (size_t)n + extra}, octets);
        memcpy(body, head, sizeof(head));
        memcpy(body + sizeof(head), b.at, b.n);
        b = wrap(0x30, (struct bytes){body, b.n + sizeof(head)}, info);
        b = wrap(0xa0, b, tagged);
        memcpy(body, "\x0a\1\0", 3);
        memcpy(body + 3, b.at, b.n);
        b = wrap(0x30, (struct bytes){body, b.n + 3}, whole);
        ocsp_ask(b, client.certificate, ca.certificate, NOW, &a);
        CHECK_INT(a.status, extra ? OCSP_UNUSABLE : OCSP_GOOD);
    }
    OPENSSL_free(inner);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    release(der);
    drop_all();
}

TEST(same_serial_of_another_issuer)
{
    make_all();
    struct ocsp_answer a;
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = certificate_id(EVP_sha256(), client.certificate, twin.certificate);
    ASN1_TIME *now = ASN1_GENERALIZEDTIME_set(NULL, NOW);
    MUST(basic && id && now &&
         OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, NULL));
    struct bytes der = finish(basic, &ca, EVP_sha256());
    ocsp_ask(der, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "it says nothing about this certificate");
    release(der);
    ASN1_TIME_free(now);
    OCSP_CERTID_free(id);
    identity_fini(&twin);
    drop_all();
}

/* A revocation does not age, and what spoils another answer does not spoil it. */
TEST(revoked_whatever_its_dates_and_extensions)
{
    make_all();
    struct ocsp_answer a;
    struct answer rows[] = {
        {&client, V_OCSP_CERTSTATUS_REVOKED, NOW - DAY, NOW - 1},
        {&client, V_OCSP_CERTSTATUS_REVOKED, NOW + DAY, NOW + 2 * DAY},
        {&client, V_OCSP_CERTSTATUS_REVOKED, NOW - 1, NOW - 2},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(ask(&rows[i], 1, &ca, &a), OCSP_REVOKED);
    struct answer contradiction[] = {{&client, GOOD}, rows[0]};
    CHECK_INT(ask(contradiction, 2, &ca, &a), OCSP_REVOKED);
    /* Of what is left, the worse counts. */
    struct answer stale[] = {
        {&client, V_OCSP_CERTSTATUS_GOOD, NOW - DAY, NOW - 1}, {&client, GOOD}};
    CHECK_INT(ask(stale, 2, &ca, &a), OCSP_UNUSABLE);
    struct answer unsure[] = {{&client, GOOD}, {&client, UNKNOWN}, {&client, GOOD}};
    CHECK_INT(ask(unsure, 3, &ca, &a), OCSP_UNKNOWN);
    drop_all();
}

TEST(next_update_before_this_update)
{
    make_all();
    struct ocsp_answer a;
    struct answer one = {&client, V_OCSP_CERTSTATUS_GOOD, NOW + 200, NOW + 100};
    CHECK_INT(ask(&one, 1, &ca, &a), OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "its nextUpdate is before its thisUpdate");
    drop_all();
}

/* What FLAGS make of a good answer by SIGNER, asked with ISSUER's certificate. */
static enum ocsp_status ask_flags(
    const struct identity *signer, unsigned long flags, struct ocsp_answer *out)
{
    struct bytes der =
        finish_with(start(&(struct answer){&client, GOOD}, 1), signer, EVP_sha256(), flags);
    ocsp_ask(der, client.certificate, ca.certificate, NOW, out);
    release(der);
    return out->status;
}

TEST(responder_named_by_its_key)
{
    make_all();
    struct ocsp_answer a;
    struct identity r = make_responder(&ca), twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    CHECK_INT(ask_flags(&ca, OCSP_RESPID_KEY, &a), OCSP_GOOD);
    CHECK_INT(ask_flags(&ca, OCSP_RESPID_KEY | OCSP_NOCERTS, &a), OCSP_GOOD);
    CHECK_INT(a.usable_until, NOW + DAY);
    CHECK_INT(a.responder_serial_n, 0);
    CHECK_INT(ask_flags(&r, OCSP_RESPID_KEY, &a), OCSP_GOOD);
    CHECK_INT(ask_flags(&twin, OCSP_RESPID_KEY, &a), OCSP_UNUSABLE);
    /* Without its certificate nobody knows the responder. */
    CHECK_INT(ask_flags(&r, OCSP_RESPID_KEY | OCSP_NOCERTS, &a), OCSP_UNUSABLE);
    CHECK_INT(ask_flags(&r, OCSP_NOCERTS, &a), OCSP_UNUSABLE);
    CHECK_TEXT(
        a.detail, "it is not signed by the issuer nor by a responder whose certificate it holds");
    identity_fini(&r);
    identity_fini(&twin);
    drop_all();
}

TEST(responder_against_the_profile)
{
    static const struct {
        struct change change;
        const char *detail;
    } rows[] = {
        {{NID_key_usage, "critical,keyEncipherment"}, "does not allow digitalSignature"},
        {{NID_key_usage, NULL}, NULL},
        {{NID_netscape_comment, "critical,unknown"}, "unknown critical extension"},
        {{NID_name_constraints, "critical,permitted;DNS:a.example"}, "against RFC 5280"},
        {{NID_id_pkix_OCSP_noCheck, "ignored"}, NULL},
    };
    make_all();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ocsp_answer a;
        struct identity r = make_responder(&ca);
        change_identity(&r, &ca, rows[i].change);
        CHECK_INT(ask_flags(&r, 0, &a), rows[i].detail ? OCSP_UNUSABLE : OCSP_GOOD);
        CHECK(!rows[i].detail || strstr(a.detail, rows[i].detail));
        identity_fini(&r);
    }
    drop_all();
}

/* A good answer by RESPONDER with what CHANGE does to it, and DECOYS in front of its certificate.
 */
static enum ocsp_status ask_with_decoys(const struct identity *responder,
    const struct identity *decoy, size_t decoys, struct ocsp_answer *out)
{
    OCSP_BASICRESP *basic = start(&(struct answer){&client, GOOD}, 1);
    X509 *x = must_x509(decoy->certificate), *own = must_x509(responder->certificate);
    for (size_t i = 0; i < decoys; i++)
        MUST(OCSP_basic_add1_cert(basic, x));
    MUST(OCSP_basic_add1_cert(basic, own));
    X509_free(x);
    X509_free(own);
    struct bytes der = finish_with(basic, responder, EVP_sha256(), OCSP_NOCERTS);
    ocsp_ask(der, client.certificate, ca.certificate, NOW, out);
    release(der);
    return out->status;
}

TEST(responder_among_others)
{
    make_all();
    struct ocsp_answer a;
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity r = make_responder(&ca), impostor = make_responder(&twin);
    /* Of the same name, but not by this CA: the next one may still be the one. */
    CHECK_INT(ask_with_decoys(&r, &impostor, 1, &a), OCSP_GOOD);
    CHECK_INT(ask_with_decoys(&r, &impostor, 3, &a), OCSP_GOOD);
    CHECK_INT(ask_with_decoys(&r, &impostor, 4, &a), OCSP_UNUSABLE); /* more are not looked at */
    CHECK_INT(ask_with_decoys(&impostor, &r, 1, &a), OCSP_UNUSABLE);
    identity_fini(&impostor);
    identity_fini(&twin);
    identity_fini(&r);
    drop_all();
}

TEST(signature_that_does_not_fit)
{
    make_all();
    struct ocsp_answer a;
    struct identity r = make_responder(&ca);
    struct bytes der = finish(start(&(struct answer){&client, GOOD}, 1), &r, EVP_sha256());
    uint8_t *copy = OPENSSL_memdup(der.at, der.n);
    const uint8_t serial_of_status[] = {0x80, 0x00};
    uint8_t *good = memmem(copy, der.n, serial_of_status, sizeof(serial_of_status));
    MUST(good);
    good[0] = 0x82; /* good becomes unknown */
    ocsp_ask((struct bytes){copy, der.n}, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "its signature is not one by the responder whose certificate it holds");
    OPENSSL_free(copy);
    release(der);
    identity_fini(&r);
    drop_all();
}

TEST(produced_in_the_future)
{
    make_all();
    struct ocsp_answer a;
    struct answer one = {&client, GOOD};
    struct bytes der = finish(start(&one, 1), &ca, EVP_sha256());
    int64_t produced = 0;
    struct arena arena;
    struct ocsp_facts f;
    arena_init(&arena);
    MUST(ocsp_describe(der, &arena, &f, NULL) == 0);
    produced = f.produced_at;
    arena_fini(&arena);
    ocsp_ask(der, client.certificate, ca.certificate, produced - 301, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "its producedAt is in the future");
    release(der);
    drop_all();
}

TEST(more_answers_than_are_read)
{
    make_all();
    static struct answer many[OCSP_ANSWERS_MAX + 1];
    struct ocsp_answer a;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (struct answer){i == 500 ? &client : &other, GOOD};
    CHECK_INT(ask(many, OCSP_ANSWERS_MAX, &ca, &a), OCSP_GOOD);
    CHECK_INT(ask(many, OCSP_ANSWERS_MAX + 1, &ca, &a), OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "it has more than 1000 answers");
    drop_all();
}

TEST(larger_than_is_read)
{
    static const uint8_t huge[OCSP_SIZE_MAX + 1];
    make_all();
    struct ocsp_answer a;
    ocsp_ask((struct bytes){huge, sizeof(huge)}, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "it has 1048577 bytes; at most 1048576 are read");
    drop_all();
}

/* Forms that no responder signs: what is asked of them is only why they are refused. */
TEST(syntax)
{
    static const struct {
        struct bytes der;
        const char *detail;
    } rows[] = {
        {BYTES("\x30\x03\x0a\x01\x01"), "the responder answered malformedrequest"},
        {BYTES("\x30\x03\x0a\x01\x02"), "the responder answered internalerror"},
        {BYTES("\x30\x03\x0a\x01\x04"), "the responder answered a status that means nothing"},
        {BYTES("\x30\x03\x0a\x01\x05"), "the responder answered sigrequired"},
        {BYTES("\x30\x03\x0a\x01\x06"), "the responder answered unauthorized"},
        {BYTES("\x30\x03\x0a\x01\x07"), "it is no OCSP response in DER"},
        {BYTES("\x30\x03\x0a\x01\x00"), "it holds no BasicOCSPResponse"},
        {BYTES("\x30\x03\x02\x01\x00"), "it is no OCSP response in DER"},
        {BYTES("\x30\x80\x0a\x01\x03\0\0"), "it is no OCSP response in DER"},
        {BYTES("\x30\x0d\x0a\x01\x00\xa0\x08\x30\x06\x06\x02\x2a\x03\x04\x00"),
            "it holds no BasicOCSPResponse"},
    };
    make_all();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ocsp_answer a;
        ocsp_ask(rows[i].der, client.certificate, ca.certificate, NOW, &a);
        CHECK_INT(a.status, OCSP_UNUSABLE);
        CHECK_TEXT(a.detail, rows[i].detail);
    }
    drop_all();
}

TEST(responder_error)
{
    make_all();
    struct ocsp_answer a;
    OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
    uint8_t *der = NULL;
    int n = i2d_OCSP_RESPONSE(r, &der);
    ocsp_ask((struct bytes){der, (size_t)n}, client.certificate, ca.certificate, NOW, &a);
    CHECK_INT(a.status, OCSP_UNUSABLE);
    CHECK_TEXT(a.detail, "the responder answered trylater");
    OCSP_RESPONSE_free(r);
    OPENSSL_free(der);
    drop_all();
}
