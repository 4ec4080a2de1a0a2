/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/certificate.h"
#include "tls/message.h"

#include "base/ban.h"

#define STATUS_TYPE_OCSP 1 /* RFC 6066 §8 */

bool certificate_message_next(struct bytes *list, bool is_tls13, struct certificate_entry *out)
{
    *out = (struct certificate_entry){0};
    return wire_take_vector_24(list, &out->der) && out->der.n &&
           (!is_tls13 || wire_take_vector_16(list, &out->block));
}

bool certificate_message_read(
    struct bytes body, bool is_tls13, struct bytes *context, struct bytes *list, size_t *n)
{
    *context = (struct bytes){0};
    if (is_tls13 && !wire_take_vector_8(&body, context))
        return false;
    if (!wire_take_vector_24(&body, list) || body.n)
        return false;
    struct bytes rest = *list;
    struct certificate_entry entry;
    for (*n = 0; rest.n; ++*n)
        if (!certificate_message_next(&rest, is_tls13, &entry))
            return false;
    return true;
}

bool certificate_status_read(struct bytes body, struct bytes *response)
{
    uint8_t type;
    return wire_take_8(&body, &type) && type == STATUS_TYPE_OCSP &&
           wire_take_vector_24(&body, response) && response->n && !body.n;
}

bool certificate_staple_read(struct bytes body, struct bytes *response)
{
    struct bytes context, list, status;
    struct certificate_entry leaf;
    size_t n;
    return certificate_message_read(body, true, &context, &list, &n) &&
           certificate_message_next(&list, true, &leaf) &&
           extension_find(leaf.block, EXTENSION_STATUS_REQUEST, &status) &&
           certificate_status_read(status, response);
}

/* The lists that both versions have, from the extensions that TLS 1.3 has in their place. */
static bool read_request_extensions(
    const struct extensions *e, struct certificate_request *out, uint8_t *alert)
{
    struct bytes authorities = e->at[EXTENSION_CERTIFICATE_AUTHORITIES];
    struct bytes schemes_cert = e->at[EXTENSION_SIGNATURE_ALGORITHMS_CERT];
    /* RFC 8446 §4.3.2: "The signature_algorithms extension MUST be specified". */
    *alert = ALERT_MISSING_EXTENSION;
    if (!(e->present & EXTENSION_BIT(EXTENSION_SIGNATURE_ALGORITHMS)))
        return false;
    *alert = ALERT_DECODE_ERROR;
    if (!extension_read_list_16(e->at[EXTENSION_SIGNATURE_ALGORITHMS], &out->schemes))
        return false;
    if (schemes_cert.at && !extension_read_list_16(schemes_cert, &out->schemes_cert))
        return false;
    /* §4.2.4: DistinguishedName authorities<3..2^16-1> */
    return !authorities.at ||
           (extension_read_authorities(authorities, &out->authorities) && out->authorities.n);
}

static bool read_request_13(struct bytes body, struct certificate_request *out, uint8_t *alert)
{
    struct bytes block;
    struct extensions e;
    if (!wire_take_vector_8(&body, &out->context) || !wire_take_vector_16(&body, &block) || body.n)
        return false;
    return extensions_read(block, IN_CERTIFICATE_REQUEST, 0, &e, alert) &&
           read_request_extensions(&e, out, alert);
}

/* RFC 5246 §7.4.4 */
static bool read_request_12(struct bytes body, struct certificate_request *out)
{
    if (!wire_take_vector_8(&body, &out->types) || !out->types.n ||
        !wire_take_vector_16(&body, &out->schemes) || !out->schemes.n || out->schemes.n % 2)
        return false;
    return extension_read_authorities(body, &out->authorities);
}

bool certificate_request_read(
    struct bytes body, bool is_tls13, struct certificate_request *out, uint8_t *alert)
{
    *out = (struct certificate_request){0};
    *alert = ALERT_DECODE_ERROR;
    return is_tls13 ? read_request_13(body, out, alert) : read_request_12(body, out);
}

/* RFC 8446 §4.4.2.1 */
static void put_staple(struct wire_writer *w, struct bytes ocsp)
{
    struct wire_mark extension = message_begin_extension(w, EXTENSION_STATUS_REQUEST);
    wire_put_8(w, STATUS_TYPE_OCSP);
    struct wire_mark response = wire_begin(w, 3);
    wire_put(w, ocsp);
    wire_end(w, response);
    wire_end(w, extension);
}

static void put_entry(struct wire_writer *w, bool is_tls13, struct bytes der, struct bytes ocsp)
{
    struct wire_mark mark = wire_begin(w, 3);
    wire_put(w, der);
    wire_end(w, mark);
    if (!is_tls13)
        return;
    mark = wire_begin(w, 2);
    if (ocsp.n)
        put_staple(w, ocsp);
    wire_end(w, mark);
}

void message_put_certificate(struct wire_writer *w, bool is_tls13, struct bytes context,
    const struct certificate_list *chain, struct bytes ocsp)
{
    if (is_tls13) {
        struct wire_mark mark = wire_begin(w, 1);
        wire_put(w, context);
        wire_end(w, mark);
    }
    struct wire_mark list = wire_begin(w, 3);
    for (size_t i = 0; i < chain->n; i++)
        put_entry(w, is_tls13, certificate_der(chain->at[i]), i ? (struct bytes){0} : ocsp);
    wire_end(w, list);
}
