/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bogo_plan.h"
#include "tls/message.h"

#include "base/ban.h"

static void keep(struct bytes content, uint8_t *out, size_t max, size_t *n)
{
    content = bytes_first(content, max);
    if (content.n)
        memcpy(out, content.at, content.n);
    *n = content.n;
}

static void watch_client_hello(struct watch *w, bool is_theirs, struct bytes body)
{
    struct client_hello hello;
    struct bytes names, schemes;
    uint8_t alert;
    if (!client_hello_read(body, &hello, &alert))
        return;
    if (extension_read_alpn(hello.extensions.at[EXTENSION_ALPN], &names))
        keep(names, w->alpn, sizeof(w->alpn), &w->alpn_n);
    if (is_theirs &&
        extension_read_list_16(hello.extensions.at[EXTENSION_SIGNATURE_ALGORITHMS], &schemes))
        keep(schemes, w->schemes, sizeof(w->schemes), &w->schemes_n);
}

static void watch_server_hello(struct watch *w, struct bytes body)
{
    struct server_hello hello;
    struct bytes unused;
    uint8_t alert;
    if (!server_hello_read(body, &hello, &alert))
        return;
    w->version = hello.version;
    w->has_retry = w->has_retry || hello.is_retry;
    w->has_extended_master_secret =
        hello.version == TLS_1_3 ||
        extension_find(hello.block, EXTENSION_EXTENDED_MASTER_SECRET, &unused);
}

static void watch_request(struct watch *w, bool is_theirs, struct bytes body)
{
    struct certificate_request request;
    uint8_t alert;
    if (!certificate_request_read(body, w->version == TLS_1_3, &request, &alert))
        return;
    keep(request.types, w->types, sizeof(w->types), &w->types_n);
    if (is_theirs)
        keep(request.schemes, w->schemes, sizeof(w->schemes), &w->schemes_n);
}

void watch_message(struct watch *w, bool is_theirs, struct bytes message)
{
    struct bytes body = bytes_skip(message, MESSAGE_HEADER_SIZE);
    if (message.at[0] == MESSAGE_CLIENT_HELLO)
        watch_client_hello(w, is_theirs, body);
    if (message.at[0] == MESSAGE_SERVER_HELLO)
        watch_server_hello(w, body);
    if (message.at[0] == MESSAGE_CERTIFICATE_REQUEST)
        watch_request(w, is_theirs, body);
}

static bool takes_schemes(const struct watch *w, const struct list *wanted)
{
    struct bytes schemes = {w->schemes, w->schemes_n};
    uint16_t number;
    for (size_t i = 0; i < wanted->n; i++)
        if (!wire_take_16(&schemes, &number) || number != plan_number(wanted->at[i], 0))
            return false;
    return !wanted->n || !schemes.n;
}

const char *watch_check(const struct watch *w, const struct plan *p)
{
    uint8_t types[CONTENT_MAX];
    if (p->expect_retry && !w->has_retry)
        return "no HelloRetryRequest";
    if (p->expect_no_retry && w->has_retry)
        return "a HelloRetryRequest, unexpectedly";
    if (p->expect_extended_master_secret && !w->has_extended_master_secret)
        return "no extended master secret";
    if (p->expect_advertised_alpn &&
        !bytes_equal(bytes_of(p->expect_advertised_alpn), (struct bytes){w->alpn, w->alpn_n}))
        return "other application protocols than expected were offered";
    if (!takes_schemes(w, &p->expect_schemes))
        return "the peer takes other signature schemes than expected";
    if (p->expect_certificate_types && w->version == TLS_1_2 &&
        !bytes_equal(
            plan_decode(p->expect_certificate_types, types), (struct bytes){w->types, w->types_n}))
        return "other certificate types than expected";
    return NULL;
}
