/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/variables.h"

#include "config/template.h"
#include "proxy/conn.h"

#include "base/ban.h"

typedef int variable_fn(const struct exchange *e, struct buf *out);

static int text(struct buf *out, const char *value)
{
    return buf_append(out, bytes_of(value));
}

static int client_ip(const struct exchange *e, struct buf *out)
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(&e->conn->peer, host);
    return text(out, host);
}

static int client_port(const struct exchange *e, struct buf *out)
{
    return buf_append_number(out, address_port(&e->conn->peer));
}

static int server_port(const struct exchange *e, struct buf *out)
{
    struct proxy_protocol_end end;
    return proxy_header_destination(e->conn, &end) ? buf_append_number(out, end.port) : 0;
}

static int listener(const struct exchange *e, struct buf *out)
{
    return text(out, e->conn->listener->config->name);
}

static int scheme(const struct exchange *e, struct buf *out)
{
    return text(out, e->conn->client.tls ? "https" : "http");
}

static int method(const struct exchange *e, struct buf *out)
{
    return buf_append(out, e->method);
}

/* RFC 3986 §3.2.2: an IPv6 address stands in brackets, as it did in the request. */
static int host(const struct exchange *e, struct buf *out)
{
    bool is_v6 = bytes_find(e->host, ':') < e->host.n;
    return buf_printf(out, is_v6 ? "[%.*s]" : "%.*s", BYTES_ARG(e->host));
}

static int path(const struct exchange *e, struct buf *out)
{
    return buf_append(out, e->path);
}

static int query(const struct exchange *e, struct buf *out)
{
    return buf_append(out, bytes_skip(e->uri, e->path.n + 1));
}

static int uri(const struct exchange *e, struct buf *out)
{
    return buf_append(out, e->uri);
}

static int sni(const struct exchange *e, struct buf *out)
{
    return e->conn->client.tls ? text(out, tlsconn_facts(e->conn->client.tls)->sni) : 0;
}

static int tls_version(const struct exchange *e, struct buf *out)
{
    if (!e->conn->client.tls)
        return 0;
    return text(out, tlsconn_facts(e->conn->client.tls)->version == TLS_1_3 ? "1.3" : "1.2");
}

static int tls_cipher(const struct exchange *e, struct buf *out)
{
    return e->conn->client.tls ? text(out, tlsconn_facts(e->conn->client.tls)->cipher) : 0;
}

/* The client's certificate, if it was accepted; else NULL. */
static const struct certificate *leaf(const struct exchange *e)
{
    const struct verdict *v = e->conn->verdict;
    return v && v->accepted && v->chain.n ? v->chain.at[0] : NULL;
}

static int client_cert_subject(const struct exchange *e, struct buf *out)
{
    return leaf(e) ? text(out, certificate_subject(leaf(e))) : 0;
}

static int client_cert_sha256(const struct exchange *e, struct buf *out)
{
    return leaf(e) ? text(out, certificate_sha256(leaf(e))) : 0;
}

static int value(const void *owner, enum variable v, struct buf *out)
{
    static variable_fn *const values[VARIABLE_COUNT] = {
        [VARIABLE_CLIENT_IP] = client_ip,
        [VARIABLE_CLIENT_PORT] = client_port,
        [VARIABLE_SERVER_PORT] = server_port,
        [VARIABLE_LISTENER] = listener,
        [VARIABLE_SCHEME] = scheme,
        [VARIABLE_METHOD] = method,
        [VARIABLE_HOST] = host,
        [VARIABLE_PATH] = path,
        [VARIABLE_QUERY] = query,
        [VARIABLE_URI] = uri,
        [VARIABLE_SNI] = sni,
        [VARIABLE_TLS_VERSION] = tls_version,
        [VARIABLE_TLS_CIPHER] = tls_cipher,
        [VARIABLE_CLIENT_CERT_SUBJECT] = client_cert_subject,
        [VARIABLE_CLIENT_CERT_SHA256] = client_cert_sha256,
    };
    return values[v](owner, out);
}

int variables_expand(const struct exchange *e, const char *template, struct buf *out)
{
    return template_expand(template, value, e, out);
}
