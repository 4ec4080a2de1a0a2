/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ratchet.h"

#include "base/memory.h"
#include "crypto/digest.h"

#include "base/ban.h"

static void step(struct ratchet *r, int64_t to_hour)
{
    static const char label[] = "sallyport ratchet";
    uint8_t info[sizeof(label) - 1 + 8], next[RATCHET_SIZE];
    memcpy(info, label, sizeof(label) - 1);
    for (int i = 0; i < 8; i++)
        info[sizeof(label) - 1 + i] = (uint8_t)((uint64_t)to_hour >> (56 - 8 * i));
    digest_hkdf((struct bytes){r->at, sizeof(r->at)}, BYTES("sallyport"),
        (struct bytes){info, sizeof(info)}, next, sizeof(next));
    memcpy(r->at, next, sizeof(r->at));
    mem_wipe(next, sizeof(next));
    r->hour = to_hour;
}

void ratchet_advance(struct ratchet *r, int64_t now_s)
{
    int64_t hour = now_s / RATCHET_PERIOD_S;
    while (r->hour < hour)
        step(r, r->hour + 1);
}
