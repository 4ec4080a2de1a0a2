/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a ClientHello: whatever is read of it lies inside it, each extension is in the place
 * that its number says, and what was read to the end is made of what was read. */
#include "base/panic.h"
#include "fuzz.h"
#include "tls/message.h"

#include "base/ban.h"

static void check_within(struct bytes whole, struct bytes part)
{
    ASSERT(!part.n || (part.at >= whole.at && part.at + part.n <= whole.at + whole.n));
}

/* An extension's number and length stand before its body. */
static void check_extensions(struct bytes body, const struct extensions *e)
{
    for (enum extension i = 0; i < EXTENSION_COUNT; i++) {
        ASSERT(!e->at[i].at == !(e->present & EXTENSION_BIT(i)));
        if (!e->at[i].at)
            continue;
        ASSERT(e->at[i].at >= body.at + 4 && e->at[i].at + e->at[i].n <= body.at + body.n);
        const uint8_t *header = e->at[i].at - 4;
        ASSERT((header[0] << 8 | header[1]) == extension_number(i));
        ASSERT((size_t)(header[2] << 8 | header[3]) == e->at[i].n);
    }
    check_within(body, e->last);
}

static void check_lists(struct bytes body, const struct bytes *at)
{
    struct bytes out, item;
    uint16_t group;
    uint8_t alert;
    if (extension_read_server_name(at[EXTENSION_SERVER_NAME], &out)) {
        check_within(body, out);
        ASSERT(out.n);
    }
    if (extension_read_versions(at[EXTENSION_SUPPORTED_VERSIONS], &out))
        ASSERT(out.n && out.n % 2 == 0);
    if (extension_read_list_16(at[EXTENSION_SUPPORTED_GROUPS], &out))
        ASSERT(out.n && out.n % 2 == 0);
    if (extension_read_alpn(at[EXTENSION_ALPN], &out)) {
        while (extension_next_alpn(&out, &item))
            ASSERT(item.n);
        ASSERT(!out.n);
    }
    if (extension_read_key_shares(at[EXTENSION_KEY_SHARE], &out, &alert)) {
        while (extension_next_key_share(&out, &group, &item)) {
            check_within(body, item);
            ASSERT(item.n);
        }
        ASSERT(!out.n);
    }
}

static void check_psk_offer(struct bytes body, struct bytes extension)
{
    struct psk_offer offer;
    struct bytes identity, binder;
    uint32_t age;
    uint8_t alert = 0;
    if (!extension_read_psk_offer(extension, body, &offer, &alert)) {
        ASSERT(alert == ALERT_DECODE_ERROR || alert == ALERT_ILLEGAL_PARAMETER);
        return;
    }
    ASSERT(offer.n && body.at + offer.truncated_n + 2 == offer.binders.at);
    size_t n = offer.n;
    for (; extension_next_psk(&offer, &identity, &age, &binder); n--) {
        check_within(body, identity);
        check_within(body, binder);
        ASSERT(identity.n && binder.n >= 32);
    }
    ASSERT(!n && !offer.identities.n && !offer.binders.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes body = {data, n};
    struct client_hello h;
    uint8_t alert = 0;
    if (!client_hello_read(body, &h, &alert)) {
        ASSERT(alert == ALERT_DECODE_ERROR);
        return 0;
    }
    check_within(body, h.random);
    check_within(body, h.session_id);
    check_within(body, h.suites);
    ASSERT(h.random.n == 32 && h.session_id.n <= 32 && h.suites.n >= 2);
    ASSERT(h.has_null_compression || !h.has_only_null_compression);
    ASSERT(h.has_extensions || !h.extensions.present);
    check_extensions(body, &h.extensions);
    check_lists(body, h.extensions.at);
    if (h.extensions.at[EXTENSION_PRE_SHARED_KEY].at)
        check_psk_offer(body, h.extensions.at[EXTENSION_PRE_SHARED_KEY]);
    /* Cut or lengthened, it is another message or none. */
    if (h.has_extensions)
        ASSERT(!client_hello_read(bytes_first(body, n - 1), &h, &alert));
    return 0;
}
