/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API: envelopes, JSON within its limits, and names and values as JSON. */
#include "api/api_request.h"
#include "base/buf.h"
#include "test.h"

static char *outcome;

/* ---- names and values ---- */

static bool is_common(struct bytes name)
{
    return bytes_equal(name, BYTES("Action"));
}

/* The JSON of TEXT, or the sentence. */
static const char *flat(const char *text)
{
    struct api_flat f;
    struct error err = {""};
    json_t *value = NULL;
    free(outcome);
    if (api_flat_parse(bytes_of(text), &f, &err) == 0)
        value = api_flat_build(&f, is_common, &err);
    outcome = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : strdup(err.text);
    json_decref(value);
    api_flat_fini(&f);
    return outcome;
}

TEST(names_and_values_become_objects_and_lists)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "{}"},
        {"&&", "{}"},
        {"Action=X&Limit=20", "{\"Limit\":\"20\"}"},
        {"Ports.1=443&Ports.0=80", "{\"Ports\":[\"80\",\"443\"]}"},
        {"P.10=k&P.9=j&P.8=i&P.7=h&P.6=g&P.5=f&P.4=e&P.3=d&P.2=c&P.1=b&P.0=a",
            "{\"P\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\"]}"},
        {"Rules.0.Domain=a.b&Rules.0.Check.Path=%2Fx+y%3D%26&Rules.1.Domain=",
            "{\"Rules\":[{\"Check\":{\"Path\":\"/x y=&\"},\"Domain\":\"a.b\"},{\"Domain\":\"\"}]}"},
        {"A=b=c", "{\"A\":\"b=c\"}"},
        {"A", "{\"A\":\"\"}"},
        {"A=%zz", "A % is followed by two hexadecimal digits."},
        {"A=%2", "A % is followed by two hexadecimal digits."},
        {"A=1&A=2", "A is there twice."},
        {"%41=1&A=2", "A is there twice."},
        {"A=1&A.B=2", "A is there as a value and as more."},
        {"A.0=1&A.B=2", "B is beside what is no list."},
        {"A.1=1", "An element of a list is missing; they count from 0."},
        {"A.1001=1", "An index is more than 1000."},
        {"A.00000000000000000000=1&A.0=2", "00000000000000000000 is there as a value and as more."},
        {"A..B=1", "The name of a parameter has an empty part."},
        {".A=1", "The name of a parameter has an empty part."},
        {"A.=1", "The name of a parameter has an empty part."},
        {"=1", "The name of a parameter has an empty part."},
        {"0=1", "0 is beside what is no list."},
        {"A=%00", "A has a value that is no UTF-8, or has a NUL in it."},
        {"A=%ff", "A has a value that is no UTF-8, or has a NUL in it."},
        {"%ff=1", "The name of a parameter is no UTF-8."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(flat(cases[i].text), cases[i].want);
}

/* A few bytes cannot ask for much memory. */
TEST(lists_within_lists_are_bounded)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < 40; i++)
        CHECK_INT(buf_printf(&b, "A.999.%u.999=1&", i), 0);
    CHECK_INT(buf_append(&b, (struct bytes){(const uint8_t *)"", 1}), 0);
    CHECK_TEXT(flat((const char *)buf_bytes(&b).at), "There are more than 10000 elements.");
    buf_clear(&b);
    for (unsigned i = 0; i < 33; i++)
        CHECK_INT(buf_append(&b, BYTES("A.")), 0);
    CHECK_INT(buf_append(&b, (struct bytes){(const uint8_t *)"A=1", 4}), 0);
    CHECK_TEXT(flat((const char *)buf_bytes(&b).at), "A parameter is nested deeper than 32.");
    buf_fini(&b);
}

/* ---- requests ---- */

#define SIGNED                                                                     \
    "Authorization: TC3-HMAC-SHA256 Credential=AKIDx/2026-11-22/clb/tc3_request, " \
    "SignedHeaders=content-type;host, "                                            \
    "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168\r\n"
#define TIME "X-TC-Timestamp: 1795323525\r\n"
#define JSON "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define NAME "X-TC-Action: A\r\n"

/* Action, version, time and parameters; or code and sentence. */
static const char *parsed(const char *line, const char *fields, struct bytes body)
{
    struct http1_head head;
    struct api_request r = {0};
    struct error sentence = {""};
    enum api_error error = API_ERROR_NONE;
    size_t scanned = 0;
    char *text, *dumped = NULL;
    json_t *value = NULL;
    free(outcome);
    CHECK(asprintf(&text, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line, fields) > 0);
    CHECK(http1_parse_request(bytes_of(text), &scanned, &head) > 0);
    if (api_request_parse(&head, body, &r, &error, &sentence) == 0)
        value = api_request_decode(&r, &error, &sentence);
    if (value)
        dumped = json_dumps(value, JSON_COMPACT);
    if (value)
        CHECK(asprintf(&outcome, "%.*s %.*s %lld %s", BYTES_ARG(r.action), BYTES_ARG(r.version),
                  (long long)r.time_s, dumped) > 0);
    else
        CHECK(asprintf(&outcome, "%s: %s", api_error_code(error), sentence.text) > 0);
    json_decref(value);
    api_request_fini(&r);
    free(dumped);
    free(text);
    return outcome;
}

TEST(envelopes_say_what_they_must)
{
    static const struct {
        const char *line, *fields, *body, *want;
    } cases[] = {
        {"POST /", JSON SIGNED TIME NAME "X-TC-Version: 2018-03-17\r\n", "{\"a\":[1,\"\\u0041\"]}",
            "A 2018-03-17 1795323525 {\"a\":[1,\"A\"]}"},
        {"POST /", JSON SIGNED TIME NAME, "", "A  1795323525 {}"},
        {"POST /", FORM SIGNED TIME NAME, "P.0=1", "A  1795323525 {\"P\":[\"1\"]}"},
        {"GET /?P.0=1&Action=B", FORM SIGNED TIME NAME, "",
            "A  1795323525 {\"Action\":\"B\",\"P\":[\"1\"]}"},
        {"GET /?P.0=1&Action=B&Version=V&Timestamp=7&Nonce=1&SecretId=i&Signature="
         "EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D",
            "", "", "B V 7 {\"P\":[\"1\"]}"},
        {"POST /", FORM,
            "Action=B&Timestamp=7&Nonce=1&SecretId=i&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D&"
            "SignatureMethod=HmacSHA1&Token=&Language=zh-CN&RequestClient=x&Region=r",
            "B  7 {}"},
        {"POST /?a=1", JSON SIGNED TIME NAME, "",
            "InvalidParameter.FormatError: The parameters of a POST are in its body."},
        {"POST /", "Content-Type: multipart/form-data\r\n" SIGNED TIME NAME, "",
            "InvalidParameter.FormatError: The Content-Type is application/json or "
            "application/x-www-form-urlencoded; multipart/form-data is not taken."},
        {"POST /", JSON TIME NAME, "",
            "AuthFailure.InvalidAuthorization: The Authorization field is not one of "
            "TC3-HMAC-SHA256."},
        {"POST /", JSON SIGNED TIME, "", "MissingParameter: The header X-TC-Action is missing."},
        {"POST /", JSON SIGNED NAME, "", "MissingParameter: The Timestamp is missing."},
        {"POST /", JSON SIGNED NAME "X-TC-Timestamp: -1\r\n", "",
            "InvalidParameter.FormatError: The Timestamp is no time in seconds since 1970."},
        {"POST /", JSON SIGNED NAME "X-TC-Timestamp: 179532352500\r\n", "",
            "InvalidParameter.FormatError: The Timestamp is no time in seconds since 1970."},
        {"POST /", JSON SIGNED NAME "X-TC-Timestamp: 1795478400\r\n", "",
            "AuthFailure.InvalidAuthorization: The date of the Credential is not that of "
            "X-TC-Timestamp, which is 2026-11-24."},
        {"POST /", JSON SIGNED TIME NAME NAME, "",
            "InvalidParameter.FormatError: There are several headers X-TC-Action."},
        {"GET /?Action=B&Timestamp=7&SecretId=i&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D", "",
            "",
            "AuthFailure.InvalidAuthorization: SecretId, Nonce, Signature or SignatureMethod is "
            "missing or is not what it must be."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(parsed(cases[i].line, cases[i].fields, bytes_of(cases[i].body)), cases[i].want);
}

TEST(json_is_strict_and_bounded)
{
    static const struct {
        struct bytes body;
        const char *want;
    } cases[] = {
        {BYTES("[]"), "InvalidParameter.FormatError: The body must be a JSON object."},
        {BYTES("{\"a\":1,}"),
            "InvalidParameter.FormatError: The body is no JSON: line 1, column 8."},
        {BYTES("{\"a\":1,\"a\":2}"),
            "InvalidParameter.FormatError: The body is no JSON: line 1, column 10."},
        {BYTES("{\"a\":\"\\u0000\"}"),
            "InvalidParameter.FormatError: The body is no JSON: line 1, column 13."},
        {BYTES("{\"a\":\"\xff\"}"),
            "InvalidParameter.FormatError: The body is no JSON: line 1, column 6."},
        {BYTES("{}\0"), "InvalidParameter.FormatError: The body is no JSON: line 1, column 3."},
        {BYTES("{} {}"), "InvalidParameter.FormatError: The body is no JSON: line 1, column 4."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(parsed("POST /", JSON SIGNED TIME NAME, cases[i].body), cases[i].want);
}

static const char *repeated(const char *begin, const char *part, unsigned n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    CHECK_INT(buf_append(&b, bytes_of(begin)), 0);
    for (unsigned i = 0; i < n; i++)
        CHECK_INT(buf_append(&b, bytes_of(part)), 0);
    const char *result = parsed("POST /", JSON SIGNED TIME NAME, buf_bytes(&b));
    buf_fini(&b);
    return result;
}

TEST(json_that_is_deep_or_long_is_not_even_read)
{
    CHECK_TEXT(repeated("{\"a\":", "[", 32),
        "InvalidParameter.FormatError: The body is nested too deeply.");
    CHECK_TEXT(repeated("{\"a\":[1", ",1", 10000),
        "InvalidParameter.FormatError: The body has too many members.");
    CHECK_TEXT(repeated("{\"a\":[{}", ",{}", 5000),
        "InvalidParameter.FormatError: The body has too many members.");
    /* brackets and commas in strings do not count */
    CHECK_TEXT(repeated("{\"\\\"", "[,", 20000),
        "InvalidParameter.FormatError: The body is no JSON: line 1, column 40004.");
}
