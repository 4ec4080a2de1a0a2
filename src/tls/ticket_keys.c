/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ticket_keys.h"

#include "crypto/digest.h"
#include "tls/policy_parts.h"

#include "base/ban.h"

#define LABEL "sallyport ticket"

static void derive(const struct tlspolicy *p, struct ticket_key *out)
{
    uint8_t info[sizeof(LABEL) - 1 + sizeof(p->binding)];
    memcpy(info, LABEL, sizeof(LABEL) - 1);
    memcpy(info + sizeof(LABEL) - 1, p->binding, sizeof(p->binding));
    _Static_assert(sizeof(*out) == TICKET_NAME_SIZE + 3 * 32, "its parts lie side by side");
    const struct ratchet *r = &p->ticket_keys->ratchet;
    digest_hkdf((struct bytes){r->at, sizeof(r->at)}, BYTES("sallyport"),
        (struct bytes){info, sizeof(info)}, (uint8_t *)out, sizeof(*out));
}

void ticket_keys_init(const struct tlspolicy *p)
{
    derive(p, &p->ticket_keys->current);
    p->ticket_keys->has_previous = false;
}

void ticket_keys_advance(const struct tlspolicy *p, int64_t now_s)
{
    struct ticket_keys *keys = p->ticket_keys;
    if (now_s / RATCHET_PERIOD_S <= keys->ratchet.hour)
        return;
    ratchet_advance(&keys->ratchet, now_s - RATCHET_PERIOD_S);
    derive(p, &keys->previous);
    ratchet_advance(&keys->ratchet, now_s);
    derive(p, &keys->current);
    keys->has_previous = true;
}

void ticket_keys_forget(const struct tlspolicy *p)
{
    random_fill((uint8_t *)p->ticket_keys, sizeof(*p->ticket_keys));
    p->ticket_keys->has_previous = false;
    p->ticket_keys->ratchet.hour = INT64_MAX;
}
