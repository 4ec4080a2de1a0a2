/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define ALGORITHM     "TC3-HMAC-SHA256"
#define REQUEST_END   "tc3_request"
#define SIGNED_MAX    16            /* headers that a request may sign */
#define CANONICAL_MAX (256u * 1024) /* a whole head, in the canonical form */

/* ---- what is claimed ---- */

static int read_hex(struct bytes text, uint8_t *out, size_t n)
{
    if (text.n != 2 * n)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.at[i];
        uint8_t digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0xff;
        if (digit > 15)
            return -1;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    return 0;
}

/* Take what is before C off *REST. */
static struct bytes take(struct bytes *rest, uint8_t c)
{
    struct bytes part = bytes_first(*rest, bytes_find(*rest, c));
    *rest = bytes_skip(*rest, part.n + 1);
    return part;
}

/* The value of the next "NAME=value" of *REST, which ends at a comma. */
static struct bytes take_named(struct bytes *rest, struct bytes name)
{
    struct bytes part = bytes_trim(take(rest, ','));
    return bytes_starts_with(part, name) ? bytes_skip(part, name.n) : (struct bytes){0};
}

int api_signature_parse(struct bytes authorization, struct api_credential *out)
{
    struct bytes rest = bytes_trim(authorization);
    *out = (struct api_credential){.scheme = API_SCHEME_TC3};
    if (!bytes_equal(take(&rest, ' '), BYTES(ALGORITHM)))
        return -1;
    struct bytes credential = take_named(&rest, BYTES("Credential="));
    out->signed_headers = take_named(&rest, BYTES("SignedHeaders="));
    struct bytes signature = take_named(&rest, BYTES("Signature="));
    out->secret_id = take(&credential, '/');
    out->date = take(&credential, '/');
    out->service = take(&credential, '/');
    out->signature_n = SHA256_SIZE;
    bool is_whole = out->secret_id.n && out->service.n && out->signed_headers.n &&
                    bytes_equal(credential, BYTES(REQUEST_END)) && !rest.n;
    return is_whole ? read_hex(signature, out->signature, SHA256_SIZE) : -1;
}

/* N octets in Base64, in its one right spelling. */
static int read_base64(struct bytes text, uint8_t *out, size_t n)
{
    uint8_t octets[64];
    char again[64];
    size_t written;
    if (text.n != base64_size(n) || text.n > sizeof(octets) ||
        base64_decode(text, octets, &written) < 0 || written != n)
        return -1;
    memcpy(out, octets, n);
    size_t again_n = base64_encode((struct bytes){out, n}, again);
    return bytes_equal((struct bytes){(const uint8_t *)again, again_n}, text) ? 0 : -1;
}

int api_signature_take(const struct api_flat *parameters, struct api_credential *out)
{
    struct bytes method = api_flat_find(parameters, "SignatureMethod");
    *out = (struct api_credential){.secret_id = api_flat_find(parameters, "SecretId")};
    if (!method.n || bytes_equal(method, BYTES("HmacSHA1")))
        out->scheme = API_SCHEME_SHA1;
    else if (bytes_equal(method, BYTES("HmacSHA256")))
        out->scheme = API_SCHEME_SHA256;
    else
        return -1;
    out->signature_n = out->scheme == API_SCHEME_SHA1 ? 20 : SHA256_SIZE;
    if (!out->secret_id.n || !api_flat_find(parameters, "Nonce").n)
        return -1;
    return read_base64(api_flat_find(parameters, "Signature"), out->signature, out->signature_n);
}

void api_signature_date(int64_t time_s, char out[API_SIGNATURE_DATE_SIZE])
{
    struct tm tm = {0};
    time_t t = (time_t)time_s;
    if (!gmtime_r(&t, &tm) || !strftime(out, API_SIGNATURE_DATE_SIZE, "%Y-%m-%d", &tm))
        out[0] = 0;
}

/* ---- what may have been signed as the host ---- */

#define HOSTS_MAX 2

/* As it came, and without its port. */
static void find_hosts(const struct http1_head *head, struct bytes out[HOSTS_MAX])
{
    struct bytes host = head->authority;
    size_t n = host.n;
    while (n && host.at[n - 1] >= '0' && host.at[n - 1] <= '9')
        n--;
    out[0] = host;
    out[1] = n && host.at[n - 1] == ':' ? bytes_first(host, n - 1) : host;
}

/* ---- TC3 ---- */

static void write_hex(struct bytes b, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < b.n; i++) {
        *out++ = digits[b.at[i] >> 4];
        *out++ = digits[b.at[i] & 15];
    }
    *out = 0;
}

/* Hexadecimal SHA-256. */
static void write_digest(struct bytes data, char out[2 * SHA256_SIZE + 1])
{
    uint8_t digest[SHA256_SIZE];
    digest_sha256(data, digest);
    write_hex((struct bytes){digest, sizeof(digest)}, out);
}

static int append(struct buf *b, struct bytes text, bool lower)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = lower ? bytes_lower(text.at[i]) : text.at[i];
        if (buf_append(b, (struct bytes){&c, 1}) < 0)
            return -1;
    }
    return 0;
}

struct variant {
    const char *payload; /* digest of the body */
    struct bytes host;
    bool is_lower; /* values of headers */
};

/* A field that is there twice could be signed as one and read as the other. */
static const struct http1_field *find_once(const struct http1_head *head, struct bytes name)
{
    const struct http1_field *found = NULL;
    for (size_t i = 0; i < head->fields_n; i++)
        if (bytes_equal_nocase(head->fields[i].name, name)) {
            if (found)
                return NULL;
            found = &head->fields[i];
        }
    return found;
}

static int add_headers(const struct api_credential *c, const struct api_signed *request,
    const struct variant *v, struct buf *out)
{
    struct bytes rest = c->signed_headers;
    bool has_host = false, has_type = false;
    for (unsigned n = 0; rest.n; n++) {
        struct bytes name = take(&rest, ';');
        const struct http1_field *field = find_once(request->head, name);
        if (!field || n == SIGNED_MAX)
            return -1;
        bool is_host = bytes_equal(name, BYTES("host"));
        has_host |= is_host;
        has_type |= bytes_equal(name, BYTES("content-type"));
        if (append(out, name, true) < 0 || buf_append(out, BYTES(":")) < 0 ||
            append(out, is_host ? v->host : field->value, v->is_lower) < 0 ||
            buf_append(out, BYTES("\n")) < 0)
            return -1;
    }
    return has_host && has_type ? 0 : -1;
}

static int make_canonical(const struct api_credential *c, const struct api_signed *request,
    const struct variant *v, struct buf *out)
{
    if (buf_append(out, request->head->method) < 0 || buf_append(out, BYTES("\n/\n")) < 0 ||
        buf_append(out, request->query) < 0 || buf_append(out, BYTES("\n")) < 0 ||
        add_headers(c, request, v, out) < 0 || buf_append(out, BYTES("\n")) < 0 ||
        buf_append(out, c->signed_headers) < 0)
        return -1;
    return buf_printf(out, "\n%s", v->payload);
}

static void make_tc3_key(
    const struct api_credential *c, struct bytes secret_key, uint8_t key[DIGEST_SIZE_MAX])
{
    struct buf first;
    buf_init(&first, 256);
    if (buf_append(&first, BYTES("TC3")) < 0 || buf_append(&first, secret_key) < 0)
        panic("a secret key is longer than any that we make");
    digest_hmac(DIGEST_SHA256, buf_bytes(&first), c->date, key);
    digest_hmac(DIGEST_SHA256, (struct bytes){key, SHA256_SIZE}, c->service, key);
    digest_hmac(DIGEST_SHA256, (struct bytes){key, SHA256_SIZE}, BYTES(REQUEST_END), key);
    buf_fini(&first);
}

/* -1, and MAC is of no use, if it cannot be signed in this way. */
static int make_tc3(const struct api_credential *c, const struct api_signed *request,
    const struct variant *v, struct bytes key, uint8_t mac[DIGEST_SIZE_MAX])
{
    char canonical[2 * SHA256_SIZE + 1];
    struct buf text;
    buf_init(&text, CANONICAL_MAX);
    int failed = make_canonical(c, request, v, &text);
    write_digest(buf_bytes(&text), canonical);
    buf_clear(&text);
    failed |= buf_printf(&text, ALGORITHM "\n%.*s\n%.*s/%.*s/" REQUEST_END "\n%s",
        BYTES_ARG(request->timestamp), BYTES_ARG(c->date), BYTES_ARG(c->service), canonical);
    digest_hmac(DIGEST_SHA256, key, buf_bytes(&text), mac);
    buf_fini(&text);
    return failed;
}

static bool is_tc3_by(
    const struct api_credential *c, const struct api_signed *request, struct bytes secret_key)
{
    uint8_t key[DIGEST_SIZE_MAX], mac[DIGEST_SIZE_MAX];
    char payload[2 * SHA256_SIZE + 1];
    struct bytes hosts[HOSTS_MAX];
    bool is_it = false;
    find_hosts(request->head, hosts);
    write_digest(request->body, payload);
    make_tc3_key(c, secret_key, key);
    for (unsigned i = 0; i < 2 * HOSTS_MAX; i++) {
        int failed = make_tc3(c, request, &(struct variant){payload, hosts[i / 2], i % 2},
            (struct bytes){key, SHA256_SIZE}, mac);
        is_it |= constant_time_equal(mac, c->signature, SHA256_SIZE) && !failed;
    }
    mem_wipe(key, sizeof(key));
    return is_it;
}

int api_signature_make(
    struct api_credential *c, const struct api_signed *request, struct bytes secret_key)
{
    uint8_t key[DIGEST_SIZE_MAX], mac[DIGEST_SIZE_MAX];
    char payload[2 * SHA256_SIZE + 1];
    write_digest(request->body, payload);
    make_tc3_key(c, secret_key, key);
    int failed = make_tc3(c, request, &(struct variant){payload, request->head->authority, false},
        (struct bytes){key, SHA256_SIZE}, mac);
    memcpy(c->signature, mac, SHA256_SIZE);
    c->signature_n = SHA256_SIZE;
    mem_wipe(key, sizeof(key));
    return failed;
}

int api_signature_write(const struct api_credential *c, struct buf *out)
{
    char signature[2 * SHA256_SIZE + 1];
    write_hex((struct bytes){c->signature, SHA256_SIZE}, signature);
    return buf_printf(out,
        ALGORITHM " Credential=%.*s/%.*s/%.*s/" REQUEST_END ", SignedHeaders=%.*s, Signature=%s",
        BYTES_ARG(c->secret_id), BYTES_ARG(c->date), BYTES_ARG(c->service),
        BYTES_ARG(c->signed_headers), signature);
}

/* ---- the older style ---- */

/* METHOD host "/?" name=value&…, values as they are. The Python SDK writes the `_` of a name as `.`
 * here. */
static int make_source(
    const struct api_signed *request, struct bytes host, bool with_dots, struct buf *out)
{
    const char *separator = "/?";
    if (buf_append(out, request->head->method) < 0 || buf_append(out, host) < 0)
        return -1;
    for (size_t i = 0; i < request->parameters->n; i++) {
        const struct api_pair *pair = &request->parameters->at[i];
        if (bytes_equal(pair->name, BYTES("Signature")))
            continue;
        if (buf_append(out, bytes_of(separator)) < 0)
            return -1;
        for (size_t j = 0; j < pair->name.n; j++) {
            uint8_t c = with_dots && pair->name.at[j] == '_' ? '.' : pair->name.at[j];
            if (buf_append(out, (struct bytes){&c, 1}) < 0)
                return -1;
        }
        if (buf_append(out, BYTES("=")) < 0 || buf_append(out, pair->value) < 0)
            return -1;
        separator = "&";
    }
    return 0;
}

static bool is_old_style_by(
    const struct api_credential *c, const struct api_signed *request, struct bytes secret_key)
{
    enum digest_kind kind = c->scheme == API_SCHEME_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256;
    size_t room = request->parameters->text_n + 2 * request->parameters->n + CANONICAL_MAX;
    struct bytes hosts[HOSTS_MAX];
    uint8_t mac[DIGEST_SIZE_MAX];
    struct buf source;
    bool is_it = false;
    find_hosts(request->head, hosts);
    buf_init(&source, room);
    for (unsigned i = 0; i < 2 * HOSTS_MAX; i++) {
        buf_clear(&source);
        bool failed = make_source(request, hosts[i / 2], i % 2, &source) < 0;
        digest_hmac(kind, secret_key, buf_bytes(&source), mac);
        is_it |= constant_time_equal(mac, c->signature, c->signature_n) && !failed;
    }
    buf_fini(&source);
    return is_it;
}

bool api_signature_is_by(
    const struct api_credential *c, const struct api_signed *request, struct bytes secret_key)
{
    return c->scheme == API_SCHEME_TC3 ? is_tc3_by(c, request, secret_key)
                                       : is_old_style_by(c, request, secret_key);
}
