/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/json.h"
#include "test.h"

#include "base/ban.h"

static struct buf out;
static struct json j;

static void begin(size_t max)
{
    buf_init(&out, max);
    json_init(&j, &out);
}

static void end(const char *want)
{
    CHECK(!json_failed(&j));
    CHECK_INT(buf_append(&out, (struct bytes){(const uint8_t *)"", 1}), 0);
    CHECK_TEXT((const char *)buf_bytes(&out).at, want);
    buf_fini(&out);
}

TEST(nesting_and_commas)
{
    begin(1000);
    json_open_object(&j, NULL);
    json_bool(&j, "accepted", false);
    json_open_object(&j, "factors");
    json_close_object(&j);
    json_open_array(&j, "chain");
    json_open_object(&j, NULL);
    json_text(&j, "subject", "CN=alice");
    json_nil(&j, "name");
    json_close_object(&j);
    json_int64(&j, NULL, INT64_MIN);
    json_open_array(&j, NULL);
    json_close_array(&j);
    json_close_array(&j);
    json_decimal(&j, "ms", 1.5);
    json_raw(&j, "raw", BYTES("[1]"));
    json_close_object(&j);
    end("{\"accepted\":false,\"factors\":{},\"chain\":[{\"subject\":\"CN=alice\",\"name\":null},"
        "-9223372036854775808,[]],\"ms\":1.500,\"raw\":[1]}");
}

TEST(any_bytes_make_a_valid_string)
{
    static const struct {
        struct bytes value;
        const char *want;
    } cases[] = {
        {BYTES(""), "\"\""},
        {BYTES("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {BYTES("\0\n\r\x1f\x7f"), "\"\\u0000\\u000a\\u000d\\u001f\\u007f\""},
        {BYTES("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\""},
        {BYTES("\x80"), "\"\\u0080\""},
        {BYTES("\xc0\xaf"), "\"\\u00c0\\u00af\""},                       /* overlong */
        {BYTES("\xe0\x80\xaf"), "\"\\u00e0\\u0080\\u00af\""},            /* overlong */
        {BYTES("\xf0\x80\x80\xaf"), "\"\\u00f0\\u0080\\u0080\\u00af\""}, /* overlong */
        {BYTES("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\""},            /* surrogate */
        {BYTES("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\""}, /* beyond U+10FFFF */
        {BYTES("\xff"), "\"\\u00ff\""},
        {{(const uint8_t *)"a\xe2\x82\xac", 3}, "\"a\\u00e2\\u0082\""}, /* cut off */
        {BYTES("\xe2\x82x"), "\"\\u00e2\\u0082x\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(1000);
        json_bytes(&j, NULL, cases[i].value);
        end(cases[i].want);
    }
}

TEST(keys_are_escaped_like_values)
{
    begin(100);
    json_open_object(&j, NULL);
    json_text(&j, "a\"b", NULL);
    json_close_object(&j);
    end("{\"a\\\"b\":\"\"}");
}

TEST(numbers_that_json_does_not_have)
{
    static const double cases[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(100);
        json_decimal(&j, NULL, cases[i]);
        end("null");
    }
}

TEST(what_does_not_fit_is_a_failure)
{
    begin(5);
    json_text(&j, NULL, "abc");
    CHECK(!json_failed(&j));
    json_text(&j, NULL, "d");
    CHECK(json_failed(&j));
    CHECK(buf_size(&out) <= 5);
    buf_fini(&out);
}
