/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — the texts that may stand in a configuration, and what they mean.
 *
 * Each function takes the text as it stands in the file. On -1 the error goes on where a quoted
 * text left off:
 * `"10" has no unit; write …` is the text in quotes and then err->text.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"

#define VALUE_FORMAT_MAX 64

/* Decimal digits, nothing else. */
int value_integer(const char *text, uint64_t *out, struct error *err) MUST_USE;

/* 500ms, 5s, 10m, 1h, 1d; in milliseconds. */
int value_duration(const char *text, uint64_t *ms, struct error *err) MUST_USE;
/* In the largest unit that divides it; value_duration reads it back. */
void value_format_duration(uint64_t ms, char out[VALUE_FORMAT_MAX]);

/* 4096, 64KiB, 10MiB, 1GiB; in bytes. */
int value_size(const char *text, uint64_t *bytes, struct error *err) MUST_USE;
/* In the largest unit that divides it; value_size reads it back. */
void value_format_size(uint64_t bytes, char out[VALUE_FORMAT_MAX]);

/* Letters, digits, `_`, `.` and `-`. */
int value_name(const char *text, struct error *err) MUST_USE;

/* IP:PORT or [IPv6]:PORT, and :PORT where we listen. *OUT is the same in its shortest spelling. */
int value_bind_address(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;
/* Or HOST:PORT, in lower case. */
int value_target_address(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;
/* The HOST of what value_target_address has spelled; NULL if that is an IP address. */
const char *value_target_host(struct arena *a, const char *address);
/* A name server: IP, IP:PORT, [IPv6]:PORT; *OUT has the port. */
int value_server_address(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;

/* An IP address alone, without brackets; *OUT is the same in its shortest spelling. */
int value_ip_address(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;

/* 10.0.0.0/8, 2001:db8::/32; without a length one address. */
int value_network(const char *text, struct config_network *out, struct error *err) MUST_USE;
void value_format_network(const struct config_network *n, char out[VALUE_FORMAT_MAX]);

/* A domain in lower case: exact or *.x; for a rule also x.*, an IPv4 address, and `~` with a
 * regular expression. */
int value_sni_domain(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;
int value_rule_domain(
    struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;
/* A host name in lower case, or an IP address. */
int value_host(struct arena *a, const char *text, const char **out, struct error *err) MUST_USE;

/* KIND:VALUE with KIND one of DNS, EMAIL, URI, IP; at most one `*` in VALUE, none in an IP address.
 */
int value_client_name(const char *text, struct error *err) MUST_USE;

/* "/prefix", "= /whole/path", "^~ /prefix", "~ regex" or "~* regex". */
int value_path(
    const char *text, enum config_path_match *match, const char **path, struct error *err) MUST_USE;

/* The listener that the redirect to TEXT names, "listener:web"; NULL: it is a URL. */
const char *value_redirect_listener(const char *text);
/* Where a redirect leads: an absolute URL of http or https, a template; or a listener. */
int value_url(const char *text, struct error *err) MUST_USE;
/* Nothing but characters of a token (RFC 9110 §5.6.2); of ASCII's visible ones; pairs of
 * hexadecimal digits. An empty text is all of them. */
bool value_is_token(const char *text);
bool value_is_visible(const char *text);
bool value_is_hex(const char *text);
/* A field name (RFC 9110 §5.1) of a header. */
int value_header_name(const char *text, struct error *err) MUST_USE;
/* "Name: value", the value a template; at most 1024 bytes. */
int value_header(struct arena *a, const char *text, const char **name, const char **value,
    struct error *err) MUST_USE;

/* "syslog:FACILITY", "syslog:FACILITY:/PATH". */
struct syslog_place {
    unsigned facility; /* RFC 5424 §6.2.1 */
    const char *path;
};
int value_syslog(const char *text, struct syslog_place *out, struct error *err) MUST_USE;
