/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hello.h"

#include "base/ban.h"

#define RECORD_HANDSHAKE 22
#define RECORD_HEADER    5
#define RANDOM_SIZE      32
#define SESSION_ID_MAX   32

/* ExtensionType, RFC 8446 §4.2. */
#define EXTENSION_SERVER_NAME          0
#define EXTENSION_STATUS_REQUEST       5
#define EXTENSION_SUPPORTED_GROUPS     10
#define EXTENSION_SIGNATURE_ALGORITHMS 13
#define EXTENSION_ALPN                 16
#define EXTENSION_SUPPORTED_VERSIONS   43
#define EXTENSION_KEY_SHARE            51

/* A reader that, once something does not fit, gives nothing but zeros and remembers it. */
struct reader {
    struct bytes rest;
    bool failed;
};

static struct bytes take(struct reader *r, size_t n)
{
    if (r->failed || n > r->rest.n) {
        r->failed = true;
        return (struct bytes){0};
    }
    struct bytes taken = bytes_first(r->rest, n);
    r->rest = bytes_skip(r->rest, n);
    return taken;
}

static uint32_t number(struct reader *r, size_t octets)
{
    struct bytes b = take(r, octets);
    uint32_t value = 0;
    for (size_t i = 0; i < b.n; i++)
        value = value << 8 | b.at[i];
    return value;
}

/* A vector with a length of LENGTH_OCTETS in front. */
static struct bytes vector(struct reader *r, size_t length_octets)
{
    return take(r, number(r, length_octets));
}

static bool is_read(const struct reader *r)
{
    return !r->failed && r->rest.n == 0;
}

static int read_list(struct bytes items, struct hello_list *out)
{
    struct reader r = {items, false};
    while (r.rest.n && !r.failed) {
        uint16_t item = (uint16_t)number(&r, 2);
        if (!r.failed && out->n++ < HELLO_LIST_MAX)
            out->at[out->n - 1] = item;
    }
    return r.failed ? -1 : 0;
}

/* A vector of 16-bit items that fills DATA. */
static int read_list_vector(struct bytes data, size_t length_octets, struct hello_list *out)
{
    struct reader r = {data, false};
    struct bytes items = vector(&r, length_octets);
    return is_read(&r) ? read_list(items, out) : -1;
}

/* RFC 6066 §3: a list of names, of which only host_name (0) is defined. */
static int read_sni(struct bytes data, struct hello_client *out)
{
    struct reader outer = {data, false};
    struct reader names = {vector(&outer, 2), false};
    if (!is_read(&outer))
        return -1;
    while (names.rest.n && !names.failed) {
        uint32_t type = number(&names, 1);
        struct bytes name = vector(&names, 2);
        if (type == 0 && !names.failed)
            out->sni = name;
    }
    return names.failed ? -1 : 0;
}

static int read_alpn(struct bytes data, struct hello_client *out)
{
    struct reader r = {data, false};
    out->alpn = vector(&r, 2);
    return is_read(&r) ? 0 : -1;
}

static int read_extension(uint16_t type, struct bytes data, struct hello_client *out)
{
    switch (type) {
    case EXTENSION_SERVER_NAME:
        return read_sni(data, out);
    case EXTENSION_ALPN:
        return read_alpn(data, out);
    case EXTENSION_SUPPORTED_VERSIONS:
        return read_list_vector(data, 1, &out->versions);
    case EXTENSION_SUPPORTED_GROUPS:
        return read_list_vector(data, 2, &out->groups);
    case EXTENSION_SIGNATURE_ALGORITHMS:
        return read_list_vector(data, 2, &out->signature_schemes);
    default:
        return 0;
    }
}

static int read_extensions(struct bytes extensions, struct hello_client *out, struct error *err)
{
    struct reader r = {extensions, false};
    while (r.rest.n && !r.failed) {
        uint16_t type = (uint16_t)number(&r, 2);
        struct bytes data = vector(&r, 2);
        if (r.failed)
            break;
        for (size_t i = 0; i < out->extensions.n && i < HELLO_LIST_MAX; i++)
            if (out->extensions.at[i] == type) /* RFC 8446 §4.2: no more than one of a type */
                return error_set(err, "extension %u appears twice", type);
        if (out->extensions.n++ < HELLO_LIST_MAX)
            out->extensions.at[out->extensions.n - 1] = type;
        if (read_extension(type, data, out) < 0)
            return error_set(err, "extension %u is malformed", type);
    }
    return r.failed ? error_set(err, "the extensions do not fit their length") : 0;
}

int hello_message(struct bytes message, uint8_t *type, struct bytes *body)
{
    struct reader r = {message, false};
    *type = (uint8_t)number(&r, 1);
    *body = vector(&r, 3);
    return is_read(&r) ? 0 : -1;
}

int hello_unwrap(struct bytes file, uint8_t *space, struct bytes *message, struct error *err)
{
    if (!file.n || file.at[0] != RECORD_HANDSHAKE) {
        *message = file;
        return 0;
    }
    struct reader r = {file, false};
    size_t n = 0;
    while (r.rest.n) {
        uint32_t type = number(&r, 1);
        take(&r, 2); /* legacy_record_version: RFC 8446 §5.1, MUST be ignored */
        struct bytes fragment = vector(&r, 2);
        if (r.failed)
            return error_set(err, "a TLS record is cut short");
        if (type != RECORD_HANDSHAKE)
            return error_set(err, "a TLS record has content type %u, not handshake (22)", type);
        if (fragment.n)
            memcpy(space + n, fragment.at, fragment.n);
        n += fragment.n;
    }
    *message = (struct bytes){space, n};
    return 0;
}

int hello_read_client(struct bytes body, struct hello_client *out, struct error *err)
{
    *out = (struct hello_client){0};
    struct reader r = {body, false};
    out->legacy_version = (uint16_t)number(&r, 2);
    out->random = take(&r, RANDOM_SIZE);
    out->session_id = vector(&r, 1);
    struct bytes suites = vector(&r, 2);
    struct bytes compression = vector(&r, 1);
    /* RFC 5246 §7.4.1.2: extensions may be absent; RFC 8446 §4.1.2: a ClientHello has them. */
    struct bytes extensions = r.rest.n ? vector(&r, 2) : (struct bytes){0};
    if (!is_read(&r))
        return error_set(err, "the ClientHello does not fit its length");
    if (out->session_id.n > SESSION_ID_MAX)
        return error_set(err, "the session id has %zu octets, more than 32", out->session_id.n);
    if (!suites.n || read_list(suites, &out->suites) < 0)
        return error_set(err, "the list of cipher suites is malformed");
    if (bytes_find(compression, 0) == compression.n) /* RFC 5246 §7.4.1.2: MUST contain null */
        return error_set(err, "the null compression method is not offered");
    return read_extensions(extensions, out, err);
}

int hello_read_server(struct bytes body, struct hello_server *out)
{
    *out = (struct hello_server){0};
    struct reader r = {body, false};
    out->version = (uint16_t)number(&r, 2);
    out->random = take(&r, RANDOM_SIZE);
    vector(&r, 1);
    out->suite = (uint16_t)number(&r, 2);
    number(&r, 1);
    struct reader extensions = {r.rest.n ? vector(&r, 2) : (struct bytes){0}, false};
    while (extensions.rest.n && !extensions.failed) {
        uint32_t type = number(&extensions, 2);
        struct reader data = {vector(&extensions, 2), false};
        if (type == EXTENSION_STATUS_REQUEST)
            out->has_status = true;
        if (type == EXTENSION_SUPPORTED_VERSIONS && !extensions.failed)
            out->version = (uint16_t)number(&data, 2);
        if (type == EXTENSION_KEY_SHARE && !extensions.failed)
            out->group = (uint16_t)number(&data, 2);
    }
    return is_read(&r) && !extensions.failed ? 0 : -1;
}

int hello_read_certificates(
    struct bytes body, bool is_tls13, struct bytes *at, size_t max, size_t *n)
{
    *n = 0;
    struct reader r = {body, false};
    if (is_tls13)
        vector(&r, 1); /* certificate_request_context */
    struct reader list = {vector(&r, 3), false};
    while (list.rest.n && !list.failed) {
        struct bytes der = vector(&list, 3);
        if (is_tls13)
            vector(&list, 2); /* the entry's extensions */
        if (*n < max)
            at[*n] = der;
        ++*n;
    }
    return is_read(&r) && !list.failed ? 0 : -1;
}

/* RFC 6066 §8: CertificateStatus { status_type(1) = ocsp(1), OCSPResponse<1..2^24-1> } */
static int read_status(struct bytes body, struct bytes *response)
{
    struct reader r = {body, false};
    uint32_t type = number(&r, 1);
    *response = vector(&r, 3);
    return type == 1 && is_read(&r) ? 0 : -1;
}

int hello_read_staple(struct bytes body, bool is_tls13, struct bytes *response)
{
    *response = (struct bytes){0};
    if (!is_tls13)
        return read_status(body, response);
    struct reader r = {body, false};
    vector(&r, 1); /* certificate_request_context */
    struct reader list = {vector(&r, 3), false};
    vector(&list, 3); /* the leaf */
    struct reader extensions = {vector(&list, 2), false};
    while (extensions.rest.n && !extensions.failed) {
        uint32_t type = number(&extensions, 2);
        struct bytes data = vector(&extensions, 2);
        if (type == EXTENSION_STATUS_REQUEST && read_status(data, response) < 0)
            return -1;
    }
    return is_read(&r) && !list.failed && !extensions.failed ? 0 : -1;
}

int hello_verify_scheme(struct bytes body, uint16_t *out)
{
    struct reader r = {body, false};
    *out = (uint16_t)number(&r, 2);
    vector(&r, 2);
    return is_read(&r) ? 0 : -1;
}

int hello_exchange_scheme(struct bytes body, uint16_t *group, uint16_t *scheme)
{
    struct reader r = {body, false};
    uint32_t curve_type = number(&r, 1);
    *group = (uint16_t)number(&r, 2);
    vector(&r, 1); /* the server's public share */
    *scheme = (uint16_t)number(&r, 2);
    vector(&r, 2);
    return is_read(&r) && curve_type == 3 ? 0 : -1; /* named_curve */
}

bool hello_next_protocol(struct bytes *alpn, struct bytes *name)
{
    struct reader r = {*alpn, false};
    if (!alpn->n)
        return false;
    *name = vector(&r, 1);
    *alpn = r.rest;
    return !r.failed;
}

struct code {
    uint16_t code;
    const char *name;
};

static const char *find(const struct code *codes, size_t n, uint16_t code)
{
    for (size_t i = 0; i < n; i++)
        if (codes[i].code == code)
            return codes[i].name;
    return NULL;
}

const char *hello_scheme_name(uint16_t scheme)
{
    static const struct code codes[] = {
        {0x0201, "rsa_pkcs1_sha1"},
        {0x0203, "ecdsa_sha1"},
        {0x0401, "rsa_pkcs1_sha256"},
        {0x0501, "rsa_pkcs1_sha384"},
        {0x0601, "rsa_pkcs1_sha512"},
        {0x0403, "ecdsa_secp256r1_sha256"},
        {0x0503, "ecdsa_secp384r1_sha384"},
        {0x0603, "ecdsa_secp521r1_sha512"},
        {0x0804, "rsa_pss_rsae_sha256"},
        {0x0805, "rsa_pss_rsae_sha384"},
        {0x0806, "rsa_pss_rsae_sha512"},
        {0x0807, "ed25519"},
        {0x0808, "ed448"},
        {0x0809, "rsa_pss_pss_sha256"},
        {0x080a, "rsa_pss_pss_sha384"},
        {0x080b, "rsa_pss_pss_sha512"},
    };
    return find(codes, COUNT_OF(codes), scheme);
}

const char *hello_group_name(uint16_t group)
{
    static const struct code codes[] = {
        {0x0017, "secp256r1"},
        {0x0018, "secp384r1"},
        {0x0019, "secp521r1"},
        {0x001d, "x25519"},
        {0x001e, "x448"},
    };
    return find(codes, COUNT_OF(codes), group);
}

const char *hello_version_name(uint16_t version)
{
    static const struct code codes[] = {
        {0x0300, "SSL 3.0"},
        {0x0301, "TLS 1.0"},
        {0x0302, "TLS 1.1"},
        {0x0303, "TLS 1.2"},
        {0x0304, "TLS 1.3"},
    };
    return find(codes, COUNT_OF(codes), version);
}
