/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hello.h"

#include "base/attributes.h"
#include "tls/record.h"

#include "base/ban.h"

int hello_message(struct bytes message, uint8_t *type, struct bytes *body)
{
    return wire_take_8(&message, type) && wire_take_vector_24(&message, body) && !message.n ? 0
                                                                                            : -1;
}

int hello_unwrap(struct bytes file, uint8_t *space, struct bytes *message, struct error *err)
{
    if (!file.n || file.at[0] != RECORD_HANDSHAKE) {
        *message = file;
        return 0;
    }
    size_t n = 0;
    while (file.n) {
        uint8_t type;
        uint16_t version; /* RFC 8446 §5.1: legacy_record_version MUST be ignored */
        struct bytes fragment;
        if (!wire_take_8(&file, &type) || !wire_take_16(&file, &version) ||
            !wire_take_vector_16(&file, &fragment))
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

static int explain(const struct client_hello *h, struct error *err)
{
    if (h->extensions.is_repeated) /* RFC 8446 §4.2: no more than one of a type */
        return error_set(err, "extension %u appears twice", h->extensions.last_number);
    if (h->suites.at && (!h->suites.n || h->suites.n % 2))
        return error_set(err, "the list of cipher suites is malformed");
    if (h->block.at)
        return error_set(err, "the extensions do not fit their length");
    return error_set(err, "the ClientHello does not fit its length");
}

static int read_extensions(struct hello_client *h, struct error *err)
{
    const struct {
        enum extension e;
        bool (*read)(struct bytes body, struct bytes *out);
        struct bytes *out;
    } readers[] = {
        {EXTENSION_SERVER_NAME, extension_read_server_name, &h->sni},
        {EXTENSION_ALPN, extension_read_alpn, &h->alpn},
        {EXTENSION_SUPPORTED_VERSIONS, extension_read_versions, &h->versions},
        {EXTENSION_SUPPORTED_GROUPS, extension_read_list_16, &h->groups},
        {EXTENSION_SIGNATURE_ALGORITHMS, extension_read_list_16, &h->signature_schemes},
    };
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        struct bytes body = h->hello.extensions.at[readers[i].e];
        if (body.at && !readers[i].read(body, readers[i].out))
            return error_set(err, "extension %u (%s) is malformed", extension_number(readers[i].e),
                extension_name(readers[i].e));
    }
    return 0;
}

int hello_read_client(struct bytes body, struct hello_client *out, struct error *err)
{
    uint8_t alert;
    *out = (struct hello_client){0};
    if (!client_hello_read(body, &out->hello, &alert))
        return explain(&out->hello, err);
    if (!out->hello.has_null_compression) /* RFC 5246 §7.4.1.2: MUST contain null */
        return error_set(err, "the null compression method is not offered");
    return read_extensions(out, err);
}

uint16_t hello_group(const struct server_hello *hello)
{
    struct bytes share;
    uint16_t group;
    bool has_group =
        extension_find(hello->block, EXTENSION_KEY_SHARE, &share) && wire_take_16(&share, &group);
    return has_group ? group : 0;
}
