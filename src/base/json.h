/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json — writes JSON (RFC 8259) into a buf. Valid for any bytes: control characters and bytes that
 * are not UTF-8 are escaped (\u00XX), so a value never breaks the line it stands in.
 *
 * KEY is NULL inside an array and for the outermost value. What does not fit into the buf is
 * dropped, and json_failed says so.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct json {
    struct buf *out;
    bool need_comma;
    bool failed;
};

/* Length of the well-formed UTF-8 sequence at the start of B (RFC 3629 §4), or 0. B is not empty.
 */
size_t json_utf8_length(struct bytes b);

void json_init(struct json *j, struct buf *out);
static inline bool json_failed(const struct json *j)
{
    return j->failed;
}

void json_open_object(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_open_array(struct json *j, const char *key);
void json_close_array(struct json *j);

void json_bytes(struct json *j, const char *key, struct bytes value);
void json_text(struct json *j, const char *key, const char *value);
void json_int64(struct json *j, const char *key, int64_t value);
/* Three decimals. */
void json_decimal(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_nil(struct json *j, const char *key);
/* VALUE is JSON already, put in as it is. */
void json_raw(struct json *j, const char *key, struct bytes value);
