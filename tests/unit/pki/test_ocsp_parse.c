/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of RFC 6960 §4.2.1, field by field: each row is a good response but for one of them.
 */
#include "der_writer.h"
#include "pki/ocsp_parse.h"
#include "test.h"

#include "base/ban.h"

/* What stands in the place of a field; .at NULL: what is good there. */
struct shape {
    struct bytes status, type, behind_status, behind_type;           /* OCSPResponse */
    struct bytes signature, certificates, behind_basic;              /* BasicOCSPResponse */
    struct bytes version, responder, produced, extensions;           /* ResponseData */
    struct bytes digest, name_digest, key_digest, serial, behind_id; /* CertID */
    struct bytes said, this_update, next_update, single_extensions;  /* SingleResponse */
};

#define LEFT_OUT          BYTES("")
#define OID(octets)       TLV(0x06, BYTES(octets))
#define TIME(text)        TLV(0x18, BYTES(text))
#define BASIC             "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
#define NONCE             "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
#define SHA1              "\x2b\x0e\x03\x02\x1a"
#define NOW               "20270115080000Z"
#define AN_EXTENSION(...) TLV(0xa1, SEQUENCE_OF(SEQUENCE_OF(__VA_ARGS__)))
#define CRITICAL          BYTES("\x01\x01\xff")

static struct bytes or (struct bytes given, struct bytes good)
{
    return given.at ? given : good;
}

static struct bytes write_single(const struct shape *s)
{
    struct bytes id = SEQUENCE_OF(or (s->digest, SEQUENCE_OF(OID(SHA1), BYTES("\x05\x00"))),
        or (s->name_digest, TLV(0x04, BYTES("name"))), or (s->key_digest, TLV(0x04, BYTES("key"))),
        or (s->serial, TLV(0x02, BYTES("\x07"))), s->behind_id);
    return SEQUENCE_OF(id, or (s->said, BYTES("\x80\x00")), or (s->this_update, TIME(NOW)),
        s->next_update, s->single_extensions);
}

static struct bytes write_response(const struct shape *s)
{
    struct bytes data =
        SEQUENCE_OF(s->version, or (s->responder, TLV(0xa2, TLV(0x04, BYTES("hash")))),
            or (s->produced, TIME(NOW)), SEQUENCE_OF(write_single(s)), s->extensions);
    struct bytes basic = SEQUENCE_OF(data, SEQUENCE_OF(OID("\x2a\x03")),
        or (s->signature, TLV(0x03, BYTES("\0sig"))), s->certificates, s->behind_basic);
    struct bytes holder = SEQUENCE_OF(or (s->type, OID(BASIC)), TLV(0x04, basic), s->behind_type);
    return SEQUENCE_OF(or (s->status, BYTES("\x0a\x01\x00")), TLV(0xa0, holder), s->behind_status);
}

static const char not_a_response[] = "it is no OCSP response in DER";
static const char no_basic[] = "its BasicOCSPResponse is malformed";
static const char no_answer[] = "an answer is malformed";

struct row {
    struct shape shape;
    const char *why; /* NULL: it is good */
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ocsp_response r;
        struct error err = {""};
        CHECK_INT(
            ocsp_parse_response(write_response(&rows[i].shape), &r, &err), rows[i].why ? -1 : 0);
        CHECK_TEXT(err.text, rows[i].why ? rows[i].why : "");
        if (strcmp(err.text, rows[i].why ? rows[i].why : "") != 0)
            printf("# row %zu\n", i);
    }
    written_free();
}

TEST(outside)
{
    struct row rows[] = {
        {.why = NULL},
        {{.status = BYTES("\x0a\x02\x00\x00")}, not_a_response}, /* not minimal */
        {{.status = BYTES("\x0a\x00")}, not_a_response},
        {{.status = BYTES("\x0a\x01\xff")}, not_a_response},
        {{.status = BYTES("\x0a\x01\x03")}, "the responder answered trylater"},
        {{.type = OID("\x2a\x03")}, "it holds no BasicOCSPResponse"},
        {{.type = OID("\x2a\x80")}, not_a_response},
        {{.type = LEFT_OUT}, not_a_response},
        {{.behind_type = BYTES("\x05\x00")}, not_a_response},
        {{.behind_status = BYTES("\x05\x00")}, not_a_response},
        {{.signature = TLV(0x03, BYTES("\1sig"))}, no_basic}, /* an unused bit */
        {{.signature = TLV(0x04, BYTES("\0sig"))}, no_basic},
        {{.certificates = TLV(0xa0, SEQUENCE_OF(SEQUENCE_OF(NOTHING)))}, NULL},
        {{.certificates = TLV(0xa0, TLV(0x31, NOTHING))}, no_basic},
        {{.certificates = TLV(0xa1, SEQUENCE_OF(NOTHING))}, no_basic},
        {{.behind_basic = TLV(0xa0, SEQUENCE_OF(NOTHING), BYTES("\x05\x00"))}, no_basic},
        {{.certificates = TLV(0xa0, SEQUENCE_OF(NOTHING)), .behind_basic = BYTES("\x05\x00")},
            no_basic},
    };
    check(rows, COUNT_OF(rows));
}

TEST(data)
{
    struct row rows[] = {
        /* v1 spelled out, which DER leaves out, is let pass; there is no other. */
        {{.version = TLV(0xa0, TLV(0x02, BYTES("\x00")))}, NULL},
        {{.version = TLV(0xa0, TLV(0x02, BYTES("\x01")))}, no_basic},
        {{.version = TLV(0xa0, TLV(0x02, BYTES("\x00")), BYTES("\x05\x00"))}, no_basic},
        {{.responder = TLV(0xa1, SEQUENCE_OF(NOTHING))}, NULL},
        {{.responder = TLV(0xa1, SEQUENCE_OF(NOTHING), BYTES("\x05\x00"))}, no_basic},
        {{.responder = TLV(0xa1, TLV(0x31, NOTHING))}, no_basic},
        {{.responder = TLV(0xa2, TLV(0x0c, BYTES("hash")))}, no_basic},
        {{.responder = TLV(0xa3, TLV(0x04, BYTES("hash")))}, no_basic},
        {{.responder = LEFT_OUT}, no_basic},
        {{.produced = TIME("20270115080000.5Z")}, no_basic},
        {{.produced = TIME("20270115080000")}, no_basic},
        {{.produced = TLV(0x17, BYTES("270115080000Z"))}, no_basic},
        {{.extensions = AN_EXTENSION(OID("\x2a\x03"), TLV(0x04, NOTHING))}, NULL},
        {{.extensions = TLV(0xa1, SEQUENCE_OF(NOTHING))}, no_basic}, /* at least one */
        {{.extensions = TLV(0xa1, TLV(0x31, NOTHING))}, no_basic},
        {{.extensions = TLV(0xa2, SEQUENCE_OF(NOTHING))}, no_basic},
        {{.extensions = TLV(0xa1, SEQUENCE_OF(BYTES("\x05\x00")))}, no_basic},
        {{.extensions = AN_EXTENSION(TLV(0x04, NOTHING))}, no_basic},
        {{.extensions = AN_EXTENSION(OID("\x80"), TLV(0x04, NOTHING))}, no_basic},
        {{.extensions = AN_EXTENSION(OID("\x2a\x03"))}, no_basic},
        {{.extensions = AN_EXTENSION(OID("\x2a\x03"), BYTES("\x01\x01\x01"), TLV(0x04, NOTHING))},
            no_basic},
        {{.extensions = AN_EXTENSION(OID("\x2a\x03"), BYTES("\x01\x02"))}, no_basic},
        {{.extensions = AN_EXTENSION(OID("\x2a\x03"), TLV(0x04, NOTHING), BYTES("\x05\x00"))},
            no_basic},
        {{.extensions = JOIN(AN_EXTENSION(OID("\x2a\x03"), TLV(0x04, NOTHING)), BYTES("\x05\x00"))},
            no_basic},
    };
    check(rows, COUNT_OF(rows));
}

TEST(answers)
{
    struct row rows[] = {
        {{.digest = SEQUENCE_OF(OID(SHA1))}, NULL}, /* parameters absent */
        {{.digest = SEQUENCE_OF(OID(SHA1), BYTES("\x05\x01x"))}, no_answer},
        {{.digest = SEQUENCE_OF(OID(SHA1), TLV(0x04, NOTHING))}, no_answer},
        {{.digest = SEQUENCE_OF(OID(SHA1), BYTES("\x05\x00\x05\x00"))}, no_answer},
        {{.digest = SEQUENCE_OF(OID("\x80\x01"))}, no_answer},
        {{.digest = SEQUENCE_OF(TLV(0x04, NOTHING))}, no_answer},
        {{.digest = LEFT_OUT}, no_answer},
        {{.name_digest = TLV(0x0c, BYTES("name"))}, no_answer},
        {{.key_digest = TLV(0x0c, BYTES("key"))}, no_answer},
        {{.serial = TLV(0x02, BYTES("\x00\x07"))}, no_answer}, /* not minimal */
        {{.serial = TLV(0x02, NOTHING)}, no_answer},
        {{.serial = TLV(0x04, BYTES("\x07"))}, no_answer},
        {{.behind_id = BYTES("\x05\x00")}, no_answer},
        {{.said = BYTES("\x82\x00")}, NULL},
        {{.said = BYTES("\x80\x01x")}, no_answer},
        {{.said = BYTES("\x82\x01x")}, no_answer},
        {{.said = BYTES("\x83\x00")}, no_answer},
        {{.said = BYTES("\xa0\x02\x05\x00")}, no_answer}, /* EXPLICIT, where the module is not */
        {{.said = TLV(0xa1, TIME(NOW))}, NULL},
        {{.said = TLV(0xa1, TIME("x"))}, no_answer},
        {{.said = TLV(0xa1, TIME(NOW), TLV(0xa0, BYTES("\x0a\x01\x0a")))}, NULL},
        {{.said = TLV(0xa1, TIME(NOW), TLV(0xa0, BYTES("\x0a\x01\x07")))},
            no_answer}, /* not used */
        {{.said = TLV(0xa1, TIME(NOW), TLV(0xa0, BYTES("\x0a\x01\x0b")))}, no_answer},
        {{.said = TLV(0xa1, TIME(NOW), TLV(0xa0, BYTES("\x02\x01\x01")))}, no_answer},
        {{.said = TLV(0xa1, TIME(NOW), TLV(0xa0, BYTES("\x0a\x01\x01")), BYTES("\x05\x00"))},
            no_answer},
        {{.this_update = TIME("20271315080000Z")}, no_answer},
        {{.this_update = LEFT_OUT}, no_answer},
        {{.next_update = TLV(0xa0, TIME(NOW))}, NULL},
        {{.next_update = TLV(0xa0, TIME("20270115080000"))}, no_answer},
        {{.next_update = TLV(0xa0, TLV(0x17, BYTES("270115080000Z")))}, no_answer},
        {{.next_update = TIME(NOW)}, no_answer},
        {{.single_extensions = AN_EXTENSION(OID("\x2a\x03"), TLV(0x04, NOTHING))}, NULL},
        {{.single_extensions = TLV(0xa1, SEQUENCE_OF(NOTHING))}, no_answer},
    };
    check(rows, COUNT_OF(rows));
}

static bool has_unknown_critical(struct bytes extensions)
{
    struct ocsp_response r;
    struct ocsp_single s;
    CHECK_INT(
        ocsp_parse_response(write_response(&(struct shape){.extensions = extensions}), &r, NULL),
        0);
    CHECK(ocsp_parse_next(&r.answers, &s) && !s.has_unknown_critical);
    bool of_response = r.has_unknown_critical;
    CHECK_INT(ocsp_parse_response(
                  write_response(&(struct shape){.single_extensions = extensions}), &r, NULL),
        0);
    CHECK(ocsp_parse_next(&r.answers, &s) && !r.has_unknown_critical);
    CHECK_INT(s.has_unknown_critical, of_response);
    return of_response;
}

TEST(critical_extensions_are_noted_where_they_are)
{
    CHECK(has_unknown_critical(AN_EXTENSION(OID("\x2a\x03"), CRITICAL, TLV(0x04, NOTHING))));
    CHECK(!has_unknown_critical(
        AN_EXTENSION(OID("\x2a\x03"), BYTES("\x01\x01\x00"), TLV(0x04, NOTHING))));
    CHECK(!has_unknown_critical(AN_EXTENSION(OID(NONCE), CRITICAL, TLV(0x04, NOTHING))));
    written_free();
}
