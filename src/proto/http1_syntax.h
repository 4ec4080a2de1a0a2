/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_syntax — what heads, chunk lines and trailer sections are made of: lines, fields, tokens
 * and lists.
 *
 * For the files of this folder. Pure; slices point into the input.
 */
#pragma once

#include <sys/types.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "proto/http1.h"

/* tchar of RFC 9110 §5.6.2 */
bool http1_is_tchar(uint8_t c);
bool http1_is_token(struct bytes b);
/* The same, without upper case. */
bool http1_is_lower_token(struct bytes b);
/* Visible ASCII, spaces, tabs and obs-text: what a field value may hold (RFC 9110 §5.5). */
bool http1_is_text(struct bytes b);

/* How long a line may be, with its CRLF, and what it is called when it is longer. */
struct http1_line_limit {
    size_t bytes;
    enum http1_fault fault;
};

/* The limit of a field line after USED bytes of its head or trailer section. */
struct http1_line_limit http1_field_line_limit(size_t used);

/* Look for the end of the line at the start of IN. > 0: its length with its CRLF. 0: need more. <
 * 0: -fault, at the first byte that no line may hold. *SEEN bytes were looked at by earlier calls
 * for this line; begin with 0. */
ssize_t http1_scan_line(struct bytes in, size_t *seen, struct http1_line_limit limit) MUST_USE;

/* Split LINE (without its CRLF, and scanned) into name and value. 0 or -fault. */
int http1_split_field(struct bytes line, struct http1_field *out) MUST_USE;

/* Take the next non-empty element of a comma-separated list (RFC 9110 §5.6.1.2) off the start of
 * LIST, without white space around it. False at the end. Commas inside quoted strings are not
 * understood: for lists of tokens only. */
bool http1_next_element(struct bytes *list, struct bytes *element) MUST_USE;

/* 0 to 15, or -1. */
int http1_hex_value(uint8_t c);
