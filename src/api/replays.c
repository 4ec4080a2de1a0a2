/* SPDX-License-Identifier: Apache-2.0 */
#include "api/replays.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define SLOTS (2 * REPLAYS_MAX) /* open addressing, half full at most */

/* Names are parts of digests, so any part of one is as good as a hash. */
struct slot {
    uint8_t name[16];
    int64_t signed_s; /* 0: free */
};

struct replays {
    struct slot *slots;
    size_t n;
    int64_t swept_s; /* when it was last looked for what is out of date */
};

struct replays *replays_new(void)
{
    struct replays *r = mem_alloc(sizeof(*r));
    r->slots = mem_calloc(SLOTS, sizeof(*r->slots));
    return r;
}

void replays_free(struct replays **rp)
{
    if (!*rp)
        return;
    free((*rp)->slots);
    free(*rp);
    *rp = NULL;
}

void replays_name(struct bytes signature, char out[REPLAYS_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_SIZE];
    digest_sha256(signature, digest);
    for (size_t i = 0; i < sizeof(((struct slot *)0)->name); i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[REPLAYS_NAME_SIZE - 1] = 0;
}

/* NAME, or where it would be. */
static struct slot *find(struct slot *slots, const uint8_t name[16])
{
    uint32_t at;
    memcpy(&at, name, sizeof(at));
    while (slots[at % SLOTS].signed_s && memcmp(slots[at % SLOTS].name, name, 16) != 0)
        at++;
    return &slots[at % SLOTS];
}

/* Without what is too old to be sent again. */
static void sweep(struct replays *r, int64_t now_s)
{
    struct slot *old = r->slots;
    r->slots = mem_calloc(SLOTS, sizeof(*r->slots));
    r->n = 0;
    r->swept_s = now_s;
    for (size_t i = 0; i < SLOTS; i++)
        if (old[i].signed_s && old[i].signed_s + REPLAYS_WINDOW_S >= now_s) {
            *find(r->slots, old[i].name) = old[i];
            r->n++;
        }
    free(old);
}

/* The octets of a name; what is none is of no signature. */
static void read_name(const char *name, uint8_t out[16])
{
    memset(out, 0, 16);
    for (size_t i = 0; i < 32 && name[i]; i++) {
        uint8_t c = (uint8_t)name[i];
        uint8_t digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        out[i / 2] |= (uint8_t)(i % 2 ? digit & 15 : digit << 4);
    }
}

enum replays_verdict replays_add(
    struct replays *r, const char *name, int64_t signed_s, int64_t now_s)
{
    uint8_t octets[16];
    read_name(name, octets);
    if (r->n == REPLAYS_MAX && r->swept_s != now_s) /* once a second: it looks at all of them */
        sweep(r, now_s);
    struct slot *slot = find(r->slots, octets);
    if (slot->signed_s)
        return REPLAYS_KNOWN;
    if (r->n == REPLAYS_MAX)
        return REPLAYS_FULL;
    memcpy(slot->name, octets, sizeof(octets));
    slot->signed_s = signed_s ? signed_s : 1;
    r->n++;
    return REPLAYS_NEW;
}
