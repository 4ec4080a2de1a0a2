/* SPDX-License-Identifier: Apache-2.0 */
/* The batch is a protocol: whatever stands in a line, exactly one line answers it, and refuses
 * unless all is well. */
#include "cli/batch.c"
#include "test.h"

static char answer[65536];

static const char *ask(const char *line)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    batch_answer(bytes_of(line), 1800000000, &out);
    snprintf(answer, sizeof(answer), "%.*s", BYTES_ARG(buf_bytes(&out)));
    buf_fini(&out);
    return answer;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

TEST(strange_lines_are_answered_and_refused)
{
    static const struct {
        const char *line, *id, *detail;
    } cases[] = {
        {"", "null", "the line is no JSON"},
        {"x", "null", "the line is no JSON"},
        {"[]", "null", "no object"},
        {"{\"id\":\"a\",\"id\":\"b\"}", "null", "the line is no JSON"},
        {"{\"id\":7}", "null", ""},
        {"{\"id\":\"a\"}", "\"a\"", ""},
        {"{\"id\":\"a\",\"peer_certificate\":[]}", "\"a\"", ""},
        {"{\"id\":\"a\",\"peer_certificate\":\"-----BEGIN CERTIFICATE-----\\n\"}", "\"a\"", ""},
        {"{\"id\":\"a\",\"validation_time\":\"yesterday\"}", "\"a\"", "RFC 3339"},
        {"{\"id\":\"a\",\"trusted_certs\":[1]}", "\"a\"", ""},
        {"{\"id\":\"a\",\"expected_peer_name\":{\"kind\":\"X\",\"value\":\"y\"}}", "\"a\"", "kind"},
        {"{\"id\":\"a\",\"expected_peer_names\":[null]}", "\"a\"", "kind"},
        {"{\"id\":\"a\",\"expected_peer_name\":{\"kind\":\"IP\",\"value\":\"y\"}}", "\"a\"", "IP"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = ask(cases[i].line);
        char start[64];
        snprintf(start, sizeof(start), "{\"id\":%s,\"accepted\":false,\"reason\":\"malformed\",",
            cases[i].id);
        CHECK(strncmp(got, start, strlen(start)) == 0);
        CHECK(has(got, cases[i].detail));
        CHECK_INT(strchr(got, '\n') - got, strlen(got) - 1);
    }
}

static struct batch_case read_case(struct arena *a, const char *line)
{
    struct batch_case c;
    CHECK_INT(batch_case_read(bytes_of(line), a, &c, NULL), 0);
    return c;
}

TEST(fields_of_a_case)
{
    struct arena a;
    arena_init(&a);
    struct batch_case c = read_case(&a,
        "{\"id\":\"i\",\"validation_kind\":\"CLIENT\",\"trusted_certs\":[\"A\",2],\"crls\":[\"C\"],"
        "\"expected_peer_names\":[{\"kind\":\"RFC822\",\"value\":\"m@x\"}],\"max_chain_depth\":0,"
        "\"crl_depth\":\"leaf\",\"on_unknown\":\"accept\",\"partial_chain\":true,\"unheard\":{},"
        "\"max_crl_age_days\":3,\"max_ocsp_age_days\":2,\"peer_certificate\":\"P\",\"ocsp_"
        "responses\":[\"AQ==\"]}");
    CHECK_TEXT(c.id, "i");
    CHECK(c.purpose == PATH_CLIENT && c.leaf_only && c.accepts_unknown && c.partial_chain);
    CHECK_INT(c.anchors.n, 2);
    CHECK_INT(c.anchors.at[1].n, 0);
    CHECK_INT(c.depth_max, 0);
    CHECK_INT(c.crl_age_days_max, 3);
    CHECK_INT(c.ocsp_age_days_max, 2);
    CHECK_TEXT((const char *)c.names.at[0].at, "EMAIL:m@x");
    CHECK_INT(revocation_of(&c), REVOCATION_SOFT);
    c = read_case(&a, "{\"max_chain_depth\":null,\"crls\":[],\"max_crl_age_days\":-1}");
    CHECK(!c.id && c.purpose == PATH_SERVER && !c.leaf_only && !c.accepts_unknown &&
          !c.partial_chain);
    CHECK_INT(c.depth_max, -1);
    CHECK_INT(c.crl_age_days_max, -1);
    CHECK_INT(revocation_of(&c), REVOCATION_OFF);
    c = read_case(&a, "{\"crls\":[\"\"]}");
    CHECK_INT(revocation_of(&c), REVOCATION_HARD);
    arena_fini(&a);
}

TEST(the_usage_asked_for_outweighs_the_kind)
{
    static const struct {
        const char *kind, *usage;
        enum path_purpose want;
    } rows[] = {
        {"CLIENT", "", PATH_CLIENT},
        {"SERVER", "", PATH_SERVER},
        {"CLIENT", "serverAuth", PATH_SERVER},
        {"SERVER", "clientAuth", PATH_CLIENT},
        {"SERVER", "anyExtendedKeyUsage", PATH_ANY},
        {"CLIENT", "OCSPSigning", PATH_CLIENT},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *line =
            arena_printf(&a, "{\"validation_kind\":\"%s\",\"extended_key_usage\":[\"%s\"]}",
                rows[i].kind, rows[i].usage);
        CHECK_INT(read_case(&a, line).purpose, rows[i].want);
    }
    arena_fini(&a);
}

TEST(policies_of_a_case)
{
    static const struct {
        const char *text;
        struct bytes want;
    } rows[] = {
        {"2.5.29.32.0", BYTES("\x55\x1d\x20\x00")},
        {"1.3.6.1.4.1.4294967295", BYTES("\x2b\x06\x01\x04\x01\x8f\xff\xff\xff\x7f")},
        {"2.999", BYTES("\x88\x37")},
        {"1.40", {0}},
        {"3.1", {0}},
        {"2", {0}},
        {"", {0}},
        {"2.5.x", {0}},
        {"2..5", {0}},
        {"2.99999999999999999999", {0}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf oid;
        buf_init(&oid, OID_MAX);
        int result = append_oid(bytes_of(rows[i].text), &oid);
        CHECK_INT(result, rows[i].want.at ? 0 : -1);
        if (rows[i].want.at)
            CHECK(bytes_equal(buf_bytes(&oid), rows[i].want));
        buf_fini(&oid);
    }
    CHECK(has(ask("{\"id\":\"a\",\"initial_policy_set\":[\"any\"]}"), "object identifier"));
}

TEST(base64)
{
    uint8_t out[16];
    size_t n;
    CHECK_INT(base64_decode(BYTES("AP8Q"), out, &n), 0);
    CHECK(n == 3 && out[0] == 0 && out[1] == 0xff && out[2] == 0x10);
    CHECK_INT(base64_decode(BYTES("AQ=="), out, &n), 0);
    CHECK(n == 1 && out[0] == 1);
    CHECK_INT(base64_decode(BYTES("A Q="), out, &n), -1);
    CHECK_INT(base64_decode(BYTES("A\0Q="), out, &n), -1);
}
