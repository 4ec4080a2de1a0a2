/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_request.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"

#include "base/ban.h"

#define FORM           "application/x-www-form-urlencoded"
#define UNSIGNED       "UNSIGNED-PAYLOAD"
#define TIMESTAMP_MAX  11         /* digits */
#define OLD_STYLE_BODY (1u << 20) /* what the cloud takes in its older style */

struct refusal {
    enum api_error *error;
    struct error *sentence;
};

static int PRINTF(3, 4)
    refuse(const struct refusal *f, enum api_error error, const char *format, ...);

/* error_set, with a code. */
static int refuse(const struct refusal *f, enum api_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->sentence->text, sizeof(f->sentence->text), format, args);
    va_end(args);
    *f->error = error;
    return -1;
}

/* ---- headers ---- */

/* Those that mean something to us. */
static const struct {
    const char *name;
    size_t at; /* where it goes */
} headers[] = {
    {"X-TC-Action", offsetof(struct api_request, action)},
    {"X-TC-Version", offsetof(struct api_request, version)},
    {"X-TC-Region", offsetof(struct api_request, region)},
    {"X-TC-Timestamp", offsetof(struct api_request, timestamp)},
    {"X-TC-Token", offsetof(struct api_request, token)},
    {"X-TC-TraceId", offsetof(struct api_request, trace)},
};

static struct bytes *part_at(struct api_request *r, size_t at)
{
    return (struct bytes *)(void *)((char *)r + at);
}

/* -1: it is there more than once, and who signed one could mean another. */
static int find_header(
    const struct http1_head *head, const char *name, struct bytes *out, const struct refusal *f)
{
    bool is_there = false;
    *out = (struct bytes){0};
    for (size_t i = 0; i < head->fields_n; i++)
        if (bytes_equal_nocase(head->fields[i].name, bytes_of(name))) {
            if (is_there)
                return refuse(f, API_ERROR_FORMAT, "There are several headers %s.", name);
            is_there = true;
            *out = head->fields[i].value;
        }
    return 0;
}

static int take_headers(struct api_request *r, const struct refusal *f)
{
    struct bytes content;
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        if (find_header(r->head, headers[i].name, part_at(r, headers[i].at), f) < 0)
            return -1;
    if (find_header(r->head, "X-TC-Content-SHA256", &content, f) < 0)
        return -1;
    r->is_unsigned = bytes_equal(content, BYTES(UNSIGNED));
    return 0;
}

/* ---- the older style ---- */

/* The parameters that are its envelope. */
static const struct {
    const char *name;
    size_t at;
} common[] = {
    {"Action", offsetof(struct api_request, action)},
    {"Version", offsetof(struct api_request, version)},
    {"Region", offsetof(struct api_request, region)},
    {"Timestamp", offsetof(struct api_request, timestamp)},
    {"Token", offsetof(struct api_request, token)},
};
static const char *const unread[] = {
    "Language", "Nonce", "RequestClient", "SecretId", "Signature", "SignatureMethod"};

static bool is_old_style_part(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(common); i++)
        if (bytes_equal(name, bytes_of(common[i].name)))
            return true;
    for (size_t i = 0; i < COUNT_OF(unread); i++)
        if (bytes_equal(name, bytes_of(unread[i])))
            return true;
    return false;
}

static bool is_no_part(struct bytes name)
{
    return false;
}

static int take_parameters(struct api_request *r, const struct refusal *f)
{
    if (r->body.n > OLD_STYLE_BODY)
        return refuse(f, API_ERROR_SIZE, "A request signed in the older style has at most 1 MB.");
    for (size_t i = 0; i < COUNT_OF(common); i++)
        *part_at(r, common[i].at) = api_flat_find(&r->flat, common[i].name);
    if (api_signature_take(&r->flat, &r->credential) < 0)
        return refuse(f, API_ERROR_AUTH_INVALID,
            "SecretId, Nonce, Signature or SignatureMethod is missing or is not what it must be.");
    return 0;
}

/* ---- the envelope ---- */

static int take_type(struct api_request *r, const struct refusal *f)
{
    struct bytes type;
    if (find_header(r->head, "Content-Type", &type, f) < 0)
        return -1;
    struct bytes media = bytes_trim(bytes_first(type, bytes_find(type, ';')));
    r->is_json = bytes_equal_nocase(media, BYTES("application/json"));
    if (bytes_equal(r->head->method, BYTES("GET"))) {
        r->is_json = false;
        return 0;
    }
    if (!r->is_json && !bytes_equal_nocase(media, BYTES(FORM)))
        return refuse(f, API_ERROR_FORMAT,
            "The Content-Type is application/json or " FORM "; multipart/form-data is not taken.");
    return 0;
}

static int take_target(struct api_request *r, const struct refusal *f)
{
    struct bytes target = r->head->path_and_query;
    bool is_get = bytes_equal(r->head->method, BYTES("GET"));
    r->query = bytes_skip(target, bytes_find(target, '?') + 1);
    if (!is_get && r->query.n)
        return refuse(f, API_ERROR_FORMAT, "The parameters of a POST are in its body.");
    if (is_get && r->body.n)
        return refuse(f, API_ERROR_FORMAT, "The parameters of a GET are in its query.");
    return 0;
}

static int take_time(struct api_request *r, const struct refusal *f)
{
    struct bytes t = r->timestamp;
    if (!t.n)
        return refuse(f, API_ERROR_MISSING, "The Timestamp is missing.");
    for (size_t i = 0; i < t.n; i++) {
        if (t.at[i] < '0' || t.at[i] > '9' || t.n > TIMESTAMP_MAX)
            return refuse(f, API_ERROR_FORMAT, "The Timestamp is no time in seconds since 1970.");
        r->time_s = r->time_s * 10 + (t.at[i] - '0');
    }
    return 0;
}

static int take_credential(
    struct api_request *r, struct bytes authorization, const struct refusal *f)
{
    char date[API_SIGNATURE_DATE_SIZE];
    if (take_headers(r, f) < 0)
        return -1;
    if (api_signature_parse(authorization, &r->credential) < 0)
        return refuse(f, API_ERROR_AUTH_INVALID, "%s", api_error_message(API_ERROR_AUTH_INVALID));
    if (!r->action.n)
        return refuse(f, API_ERROR_MISSING, "The header X-TC-Action is missing.");
    if (take_time(r, f) < 0)
        return -1;
    api_signature_date(r->time_s, date);
    if (!bytes_equal(r->credential.date, bytes_of(date)))
        return refuse(f, API_ERROR_AUTH_INVALID,
            "The date of the Credential is not that of X-TC-Timestamp, which is %s.", date);
    return 0;
}

int api_request_parse(const struct http1_head *head, struct bytes body, struct api_request *out,
    enum api_error *error, struct error *sentence)
{
    const struct refusal f = {error, sentence};
    struct error why;
    struct bytes authorization;
    *out = (struct api_request){.head = head, .body = body};
    if (take_target(out, &f) < 0 || take_type(out, &f) < 0 ||
        find_header(head, "Authorization", &authorization, &f) < 0)
        return -1;
    if (!out->is_json && api_flat_parse(out->query.n ? out->query : body, &out->flat, &why) < 0)
        return refuse(&f, API_ERROR_FORMAT, "%s", why.text);
    if (authorization.n || !api_flat_find(&out->flat, "Signature").n)
        return take_credential(out, authorization, &f);
    if (find_header(head, "X-TC-TraceId", &out->trace, &f) < 0 || take_parameters(out, &f) < 0)
        return -1;
    if (!out->action.n)
        return refuse(&f, API_ERROR_MISSING, "Action is missing.");
    return take_time(out, &f);
}

void api_request_fini(struct api_request *r)
{
    api_flat_fini(&r->flat);
}

bool api_request_is_by(const struct api_request *r, struct bytes secret_key)
{
    const struct api_signed is_signed = {.head = r->head,
        .query = r->query,
        .body = r->is_unsigned ? BYTES(UNSIGNED) : r->body,
        .timestamp = r->timestamp,
        .parameters = &r->flat};
    return api_signature_is_by(&r->credential, &is_signed, secret_key);
}

/* ---- parameters ---- */

/* Is TEXT, which may be no JSON at all, within our limits? Brackets and commas outside strings. */
static const char *exceeded(struct bytes text)
{
    size_t depth = 0, parts = 0;
    bool is_string = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.at[i];
        if (is_string) {
            is_string = c != '"';
            i += c == '\\';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '{' || c == '[') {
            parts++;
            if (++depth > API_REQUEST_DEPTH_MAX)
                return "is nested too deeply";
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',' && ++parts > API_REQUEST_PARTS_MAX) {
            return "has too many members";
        }
    }
    return parts > API_REQUEST_PARTS_MAX ? "has too many members" : NULL;
}

static json_t *decode_json(struct bytes text, const struct refusal *f)
{
    json_error_t why;
    const char *limit = exceeded(text);
    if (limit) {
        refuse(f, API_ERROR_FORMAT, "The body %s.", limit);
        return NULL;
    }
    if (!bytes_trim(text).n)
        return json_object();
    json_t *value = json_loadb((const char *)text.at, text.n, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(value))
        return value;
    if (value)
        refuse(f, API_ERROR_FORMAT, "The body must be a JSON object.");
    else
        refuse(
            f, API_ERROR_FORMAT, "The body is no JSON: line %d, column %d.", why.line, why.column);
    json_decref(value);
    return NULL;
}

json_t *api_request_decode(
    const struct api_request *r, enum api_error *error, struct error *sentence)
{
    const struct refusal f = {error, sentence};
    struct error why;
    if (r->is_json)
        return decode_json(r->body, &f);
    bool is_old_style = r->credential.scheme != API_SCHEME_TC3;
    json_t *value = api_flat_build(&r->flat, is_old_style ? is_old_style_part : is_no_part, &why);
    if (!value)
        refuse(&f, API_ERROR_FORMAT, "%s", why.text);
    return value;
}
