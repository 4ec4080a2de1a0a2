/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/suite.h"

#include <stdio.h>

#include "base/attributes.h"
#include "base/panic.h"

#include "base/ban.h"

/* Our own order, in case the client's does not decide: strongest first, AES (hardware) before
 * ChaCha20, ECDSA (cheaper for the server) before RSA. */
static const struct suite suites[SUITE_MAX] = {
    {0x1302, "TLS_AES_256_GCM_SHA384", TLS_1_3, 256, true, false, SUITE_KEY_ANY, AEAD_AES_256_GCM,
        HASH_SHA384},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", TLS_1_3, 256, false, false, SUITE_KEY_ANY,
        AEAD_CHACHA20_POLY1305, HASH_SHA256},
    {0x1301, "TLS_AES_128_GCM_SHA256", TLS_1_3, 128, true, false, SUITE_KEY_ANY, AEAD_AES_128_GCM,
        HASH_SHA256},
    {0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384", TLS_1_2, 256, true, false, SUITE_KEY_EC,
        AEAD_AES_256_GCM, HASH_SHA384},
    {0xc030, "ECDHE-RSA-AES256-GCM-SHA384", TLS_1_2, 256, true, false, SUITE_KEY_RSA,
        AEAD_AES_256_GCM, HASH_SHA384},
    {0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS_1_2, 256, false, false, SUITE_KEY_EC,
        AEAD_CHACHA20_POLY1305, HASH_SHA256},
    {0xcca8, "ECDHE-RSA-CHACHA20-POLY1305", TLS_1_2, 256, false, false, SUITE_KEY_RSA,
        AEAD_CHACHA20_POLY1305, HASH_SHA256},
    {0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256", TLS_1_2, 128, true, false, SUITE_KEY_EC,
        AEAD_AES_128_GCM, HASH_SHA256},
    {0xc02f, "ECDHE-RSA-AES128-GCM-SHA256", TLS_1_2, 128, true, false, SUITE_KEY_RSA,
        AEAD_AES_128_GCM, HASH_SHA256},
    {0x009d, "AES256-GCM-SHA384", TLS_1_2, 256, true, true, SUITE_KEY_RSA, AEAD_AES_256_GCM,
        HASH_SHA384},
    {0x009c, "AES128-GCM-SHA256", TLS_1_2, 128, true, true, SUITE_KEY_RSA, AEAD_AES_128_GCM,
        HASH_SHA256},
};

static bool is_allowed(const struct suite *s, struct suite_choice choice)
{
    if (s->version != choice.version)
        return false;
    if (s->is_rsa_kx)
        return choice.key_exchange_rsa || choice.key_exchange_rsa_only;
    return !choice.key_exchange_rsa_only;
}

/* Lower is taken first; equal ranks leave it to the client. */
static unsigned rank(const struct suite *s, enum tlspolicy_preference preference)
{
    unsigned without_forward_secrecy = s->is_rsa_kx ? 2 : 0;
    switch (preference) {
    case PREFER_STRONGEST:
        return without_forward_secrecy + (s->bits < 256);
    case PREFER_FASTEST:
        return without_forward_secrecy + !(s->is_aes && s->bits == 128);
    case PREFER_CLIENT:
        return without_forward_secrecy;
    }
    panic("no such preference: %d", (int)preference);
}

/* Insert S behind all that rank as high: the order of insertion breaks ties. */
static void insert(
    struct suite_list *l, const struct suite *s, enum tlspolicy_preference preference)
{
    size_t i = l->n++;
    for (; i > 0 && rank(l->at[i - 1], preference) > rank(s, preference); i--)
        l->at[i] = l->at[i - 1];
    l->at[i] = s;
}

static bool contains(const struct suite_list *l, const struct suite *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i] == s)
            return true;
    return false;
}

static const struct suite *find(uint16_t id)
{
    for (size_t i = 0; i < COUNT_OF(suites); i++)
        if (suites[i].id == id)
            return &suites[i];
    return NULL;
}

struct suite_list suite_list_own(struct suite_choice choice)
{
    struct suite_list list = {0};
    for (size_t i = 0; i < COUNT_OF(suites); i++)
        if (is_allowed(&suites[i], choice))
            insert(&list, &suites[i], choice.preference);
    return list;
}

struct suite_list suite_list_sorted(struct suite_choice choice, struct bytes offered)
{
    struct suite_list list = {0};
    for (; offered.n >= 2; offered = bytes_skip(offered, 2)) {
        const struct suite *s = find((uint16_t)(offered.at[0] << 8 | offered.at[1]));
        if (s && is_allowed(s, choice) && !contains(&list, s))
            insert(&list, s, choice.preference);
    }
    return list;
}

bool suite_list_agrees(const struct suite_list *a, const struct suite_list *b)
{
    size_t next = 0;
    for (size_t i = 0; i < a->n && next < b->n; i++)
        if (a->at[i] == b->at[next])
            next++;
    return next == b->n;
}

void suite_list_text(const struct suite_list *l, char text[SUITE_TEXT_MAX])
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < l->n; i++)
        n += (size_t)snprintf(text + n, SUITE_TEXT_MAX - n, "%s%s", i ? ":" : "", l->at[i]->name);
    ASSERT(n < SUITE_TEXT_MAX);
}
