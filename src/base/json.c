/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/ban.h"

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

static void raw(struct json *j, struct bytes b)
{
    if (buf_append(j->out, b) < 0)
        j->failed = true;
}

size_t json_utf8_length(struct bytes b)
{
    uint8_t c = b.at[0];
    size_t n = c < 0x80                 ? 1
               : c >= 0xc2 && c <= 0xdf ? 2
               : c >= 0xe0 && c <= 0xef ? 3
               : c >= 0xf0 && c <= 0xf4 ? 4
                                        : 0;
    if (!n || b.n < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((b.at[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && b.at[1] < 0xa0) || (c == 0xed && b.at[1] > 0x9f) ||
        (c == 0xf0 && b.at[1] < 0x90) || (c == 0xf4 && b.at[1] > 0x8f))
        return 0;
    return n;
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escaped(struct json *j, uint8_t c)
{
    char text[8];
    int n = c == '"' || c == '\\' ? snprintf(text, sizeof(text), "\\%c", c)
                                  : snprintf(text, sizeof(text), "\\u%04x", c);
    raw(j, (struct bytes){(const uint8_t *)text, (size_t)n});
}

static void quoted(struct json *j, struct bytes b)
{
    raw(j, BYTES("\""));
    while (b.n) {
        size_t n = 0;
        while (n < b.n && is_plain(b.at[n]))
            n++;
        if (n) {
            raw(j, bytes_first(b, n));
        } else if ((n = json_utf8_length(b)) > 1) {
            raw(j, bytes_first(b, n));
        } else {
            escaped(j, b.at[0]);
            n = 1;
        }
        b = bytes_skip(b, n);
    }
    raw(j, BYTES("\""));
}

static void begin(struct json *j, const char *key)
{
    if (j->need_comma)
        raw(j, BYTES(","));
    if (key) {
        quoted(j, bytes_of(key));
        raw(j, BYTES(":"));
    }
    j->need_comma = true;
}

static void open(struct json *j, const char *key, struct bytes bracket)
{
    begin(j, key);
    raw(j, bracket);
    j->need_comma = false;
}

static void close(struct json *j, struct bytes bracket)
{
    raw(j, bracket);
    j->need_comma = true;
}

void json_open_object(struct json *j, const char *key)
{
    open(j, key, BYTES("{"));
}

void json_close_object(struct json *j)
{
    close(j, BYTES("}"));
}

void json_open_array(struct json *j, const char *key)
{
    open(j, key, BYTES("["));
}

void json_close_array(struct json *j)
{
    close(j, BYTES("]"));
}

void json_bytes(struct json *j, const char *key, struct bytes value)
{
    begin(j, key);
    quoted(j, value);
}

void json_text(struct json *j, const char *key, const char *value)
{
    json_bytes(j, key, bytes_of(value));
}

static void number(struct json *j, const char *key, const char *text)
{
    begin(j, key);
    raw(j, bytes_of(text));
}

void json_int64(struct json *j, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    number(j, key, text);
}

void json_decimal(struct json *j, const char *key, double value)
{
    char text[DBL_MAX_10_EXP + 8];
    snprintf(text, sizeof(text), "%.3f", value);
    number(j, key, isfinite(value) ? text : "null"); /* RFC 8259 §6: no Infinity, no NaN */
}

void json_bool(struct json *j, const char *key, bool value)
{
    number(j, key, value ? "true" : "false");
}

void json_nil(struct json *j, const char *key)
{
    number(j, key, "null");
}

void json_raw(struct json *j, const char *key, struct bytes value)
{
    begin(j, key);
    raw(j, value);
}
