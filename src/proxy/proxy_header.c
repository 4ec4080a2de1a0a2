/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_header.h"

#include "base/memory.h"
#include "io/socket.h"
#include "pki/dn.h"
#include "proxy/conn.h"
#include "tls/names.h"

#include "base/ban.h"

bool proxy_header_is_due(const struct conn *c)
{
    const struct config_listener *l = c->listener->config;
    for (size_t i = 0; i < l->proxy_sources_n; i++)
        if (address_is_in(&c->peer, l->proxy_sources[i].address, l->proxy_sources[i].prefix))
            return true;
    return false;
}

int proxy_header_take(struct conn *c, const char **why)
{
    struct proxy_protocol said;
    struct bytes in = buf_bytes(&c->client.in);
    ssize_t n = proxy_protocol_read(in, &said);
    if (n == -PROXY_PROTOCOL_INCOMPLETE && buf_room(&c->client.in) &&
        c->client.state == STREAM_OPEN)
        return 1;
    if (n <= 0) {
        *why = proxy_protocol_fault_text((enum proxy_protocol_fault) - n);
        return -1;
    }
    buf_consume(&c->client.in, (size_t)n);
    c->announced = mem_alloc(sizeof(*c->announced));
    *c->announced = (struct proxy_header){.via = c->peer, .said = said};
    if (said.has_ends)
        address_of_octets(said.source.address, said.source.port, &c->peer);
    return 0;
}

static struct proxy_protocol_end end_of(const struct address *a)
{
    struct proxy_protocol_end e = {.port = address_port(a)};
    address_octets(a, e.address);
    return e;
}

bool proxy_header_destination(const struct conn *c, struct proxy_protocol_end *out)
{
    struct address local;
    if (c->announced && c->announced->said.has_ends) {
        *out = c->announced->said.destination;
        return true;
    }
    if (!socket_local(c->client.fd, &local))
        return false;
    *out = end_of(&local);
    return true;
}

static struct proxy_protocol_tls tls_of(const struct conn *c)
{
    const struct tlsconn_facts *f = tlsconn_facts(c->client.tls);
    struct proxy_protocol_tls said = {.alpn = bytes_of(f->alpn),
        .authority = bytes_of(f->sni),
        .version = bytes_of(names_version_token(f->version)),
        .cipher = bytes_of(f->cipher),
        .is_resumed = f->resumed};
    if (c->verdict && c->verdict->accepted && c->verdict->chain.n) {
        const struct certificate *leaf = c->verdict->chain.at[0];
        said.is_verified = true;
        said.signature = bytes_of(f->signature);
        said.common_name = dn_common_name(certificate_facts(leaf)->subject);
        said.certificate = certificate_der(leaf);
    }
    return said;
}

void proxy_header_write(const struct conn *c, struct buf *out)
{
    struct proxy_protocol said = {.source = end_of(&c->peer)};
    said.has_ends = proxy_header_destination(c, &said.destination);
    if (!c->client.tls) {
        proxy_protocol_write(out, &said, NULL);
        return;
    }
    struct proxy_protocol_tls tls = tls_of(c);
    proxy_protocol_write(out, &said, &tls);
}
