/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The curves of NIST go to libcrypto's own functions for them, which 3.0 calls deprecated but
 * keeps: EVP makes the group anew for each key. X25519 is in x25519.c.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/key_share.h"

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/x25519.h"

#include "base/ban.h"

/* A row of the table of groups. GENERATE fills in the private half and PUBLIC; DERIVE has a PEER of
 * PUBLIC_N octets and gives SECRET_N. */
struct group {
    uint16_t number;
    size_t public_n, secret_n;
    int curve; /* libcrypto's number, where it has one */
    void (*generate)(struct key_share *k);
    bool (*derive)(const struct key_share *k, struct bytes peer, uint8_t *out);
};

struct key_share {
    const struct group *group;
    EC_KEY *ec;
    struct x25519_key *x25519;
    uint8_t public[KEY_SHARE_PUBLIC_MAX];
};

/* ---- curves of NIST ---- */

/* Made once per process. */
static const EC_GROUP *curve_of(const struct group *g)
{
    static EC_GROUP *curves[GROUP_SECP521R1 - GROUP_SECP256R1 + 1];
    EC_GROUP **made = &curves[g->number - GROUP_SECP256R1];
    if (!*made)
        *made = EC_GROUP_new_by_curve_name(g->curve);
    ASSERT(*made);
    return *made;
}

static void ec_generate(struct key_share *k)
{
    const EC_GROUP *curve = curve_of(k->group);
    k->ec = EC_KEY_new();
    ASSERT(k->ec && EC_KEY_set_group(k->ec, curve) && EC_KEY_generate_key(k->ec));
    size_t n = EC_POINT_point2oct(curve, EC_KEY_get0_public_key(k->ec),
        POINT_CONVERSION_UNCOMPRESSED, k->public, sizeof(k->public), NULL);
    ASSERT(n == k->group->public_n);
}

/* RFC 8446 §4.2.8.2: peers MUST validate each other's public value: on the curve, and not the point
 * at infinity, for which there is no room; the cofactor is 1. */
static bool ec_derive(const struct key_share *k, struct bytes peer, uint8_t *out)
{
    const EC_GROUP *curve = curve_of(k->group);
    if (peer.at[0] != POINT_CONVERSION_UNCOMPRESSED)
        return false;
    EC_POINT *point = EC_POINT_new(curve);
    ASSERT(point);
    bool is_on_curve = EC_POINT_oct2point(curve, point, peer.at, peer.n, NULL);
    if (is_on_curve)
        ASSERT(ECDH_compute_key(out, k->group->secret_n, point, k->ec, NULL) ==
               (int)k->group->secret_n);
    EC_POINT_free(point);
    return is_on_curve;
}

/* ---- X25519, RFC 7748 ---- */

static void montgomery_generate(struct key_share *k)
{
    k->x25519 = x25519_generate(k->public);
}

/* Any 32 octets are a public half. RFC 8446 §7.4.2: "MUST check whether the computed Diffie-Hellman
 * shared secret is the all-zero value and abort if so". */
static bool montgomery_derive(const struct key_share *k, struct bytes peer, uint8_t *out)
{
    return x25519_derive(k->x25519, peer.at, out);
}

/* ---- all of them ---- */

static const struct group groups[] = {
    {GROUP_X25519, X25519_SIZE, X25519_SIZE, NID_undef, montgomery_generate, montgomery_derive},
    {GROUP_SECP256R1, 65, 32, NID_X9_62_prime256v1, ec_generate, ec_derive},
    {GROUP_SECP384R1, 97, 48, NID_secp384r1, ec_generate, ec_derive},
    {GROUP_SECP521R1, 133, 66, NID_secp521r1, ec_generate, ec_derive},
};

static const struct group *find(uint16_t number)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (groups[i].number == number)
            return &groups[i];
    return NULL;
}

bool key_share_is_known(uint16_t group)
{
    return find(group);
}

struct key_share *key_share_new(uint16_t group)
{
    struct key_share *k = mem_alloc(sizeof(*k));
    k->group = find(group);
    ASSERT(k->group);
    k->group->generate(k);
    return k;
}

struct key_share *key_share_new_x25519(const uint8_t private_half[KEY_SHARE_X25519_SIZE])
{
    struct key_share *k = mem_alloc(sizeof(*k));
    k->group = find(GROUP_X25519);
    k->x25519 = x25519_import(private_half, k->public);
    return k;
}

void key_share_free(struct key_share **kp)
{
    struct key_share *k = *kp;
    *kp = NULL;
    if (!k)
        return;
    EC_KEY_free(k->ec); /* both wipe the private half */
    x25519_free(&k->x25519);
    free(k);
}

uint16_t key_share_group(const struct key_share *k)
{
    return k->group->number;
}

struct bytes key_share_public(const struct key_share *k)
{
    return (struct bytes){k->public, k->group->public_n};
}

bool key_share_derive(
    const struct key_share *k, struct bytes peer, uint8_t out[KEY_SHARE_SECRET_MAX], size_t *n)
{
    if (peer.n != k->group->public_n)
        return false;
    *n = k->group->secret_n;
    bool is_derived = k->group->derive(k, peer, out);
    if (!is_derived)
        ERR_clear_error();
    return is_derived;
}
