/* SPDX-License-Identifier: Apache-2.0 */
#include "paper.h"
#include "pki/verdict_cache.h"
#include "test.h"

#include "base/ban.h"

#define NOW 1800000000

/* A key that differs from others in NUMBER; those with the same SET want the same place. */
struct key {
    uint8_t octets[VERDICT_CACHE_KEY_SIZE];
};
static struct key key_of(uint32_t set, uint32_t number)
{
    struct key k = {{0}};
    memcpy(k.octets, &set, sizeof(set));
    memcpy(k.octets + sizeof(k.octets) - sizeof(number), &number, sizeof(number));
    return k;
}

static struct certificate *leaf;

static void keep(struct verdict_cache *c, struct key key, bool accepted, int64_t until_s)
{
    struct verdict v;
    verdict_init(&v);
    v.accepted = accepted;
    v.reason = accepted ? REASON_ACCEPTED : REASON_UNTRUSTED;
    v.holds_until_s = until_s;
    verdict_set(&v, FACTOR_TRUST, accepted ? FACTOR_PASS : FACTOR_FAIL, "%s", "kept");
    certificate_list_add(&v.chain, leaf);
    verdict_cache_keep(c, key.octets, NOW, &v);
    verdict_fini(&v);
}

/* '+' accepted, '-' refused, ' ' unknown. */
static char look_up(struct verdict_cache *c, struct key key, int64_t now_s)
{
    struct verdict v;
    if (!verdict_cache_find(c, key.octets, now_s, &v))
        return ' ';
    CHECK_TEXT(v.factors[FACTOR_TRUST].detail, "kept");
    CHECK(v.chain.n == 1 && certificate_equal(v.chain.at[0], leaf));
    CHECK_INT(v.accepted, v.reason == REASON_ACCEPTED);
    char got = v.accepted ? '+' : '-';
    verdict_fini(&v);
    return got;
}

static struct verdict_cache *start(void)
{
    leaf = paper(COMMON(BYTES("CA")), COMMON(BYTES("a")), NOTHING);
    return verdict_cache_new();
}

static void end(struct verdict_cache **c)
{
    verdict_cache_free(c);
    CHECK(!*c);
    verdict_cache_free(c);
    certificate_unref(&leaf);
    written_free();
}

TEST(what_was_kept_is_found_and_nothing_else)
{
    struct verdict_cache *c = start();
    CHECK_INT(look_up(c, key_of(7, 1), NOW), ' ');
    keep(c, key_of(7, 1), true, INT64_MAX);
    keep(c, key_of(7, 2), false, INT64_MAX);
    CHECK_INT(look_up(c, key_of(7, 1), NOW), '+');
    CHECK_INT(look_up(c, key_of(7, 2), NOW), '-');
    for (unsigned octet = 0; octet < VERDICT_CACHE_KEY_SIZE; octet++) {
        struct key near = key_of(7, 1);
        near.octets[octet] ^= 0x80;
        CHECK_INT(look_up(c, near, NOW), ' ');
    }
    end(&c);
}

TEST(an_entry_holds_for_its_time_only)
{
    struct verdict_cache *c = start();
    struct key k = key_of(1, 1);
    keep(c, k, true, NOW + 100);
    CHECK_INT(look_up(c, k, NOW + 100), '+');
    CHECK_INT(look_up(c, k, NOW + 101), ' ');
    CHECK_INT(look_up(c, k, NOW), ' '); /* it was forgotten */
    keep(c, k, true, NOW + 100);
    CHECK_INT(look_up(c, k, NOW - 1), ' ');
    keep(c, k, true, NOW - 1);
    CHECK_INT(look_up(c, k, NOW), ' ');
    keep(c, k, true, INT64_MIN);
    CHECK_INT(look_up(c, k, NOW), ' ');
    end(&c);
}

TEST(refusals_do_not_hold_long)
{
    struct verdict_cache *c = start();
    struct key k = key_of(1, 1);
    keep(c, k, false, INT64_MAX);
    CHECK_INT(look_up(c, k, NOW + VERDICT_CACHE_REFUSED_S), '-');
    CHECK_INT(look_up(c, k, NOW + VERDICT_CACHE_REFUSED_S + 1), ' ');
    keep(c, k, false, NOW + 5);
    CHECK_INT(look_up(c, k, NOW + 6), ' ');
    end(&c);
}

TEST(refusals_push_out_no_acceptance)
{
    struct verdict_cache *c = start();
    keep(c, key_of(3, 0), true, INT64_MAX);
    for (uint32_t n = 1; n < 4 * VERDICT_CACHE_REFUSED; n++)
        keep(c, key_of(3, n), false, INT64_MAX);
    CHECK_INT(look_up(c, key_of(3, 0), NOW), '+');
    CHECK_INT(look_up(c, key_of(3, 1), NOW), ' ');
    CHECK_INT(look_up(c, key_of(3, 4 * VERDICT_CACHE_REFUSED - 1), NOW), '-');
    end(&c);
}

TEST(what_was_not_used_for_longest_goes_first)
{
    struct verdict_cache *c = start();
    for (uint32_t n = 0; n < 4; n++)
        keep(c, key_of(3, n), true, INT64_MAX);
    CHECK_INT(look_up(c, key_of(3, 0), NOW), '+');
    keep(c, key_of(3, 2), true, INT64_MAX); /* once more: in its own place */
    keep(c, key_of(3, 4), true, INT64_MAX);
    for (uint32_t n = 0; n < 5; n++)
        CHECK_INT(look_up(c, key_of(3, n), NOW), n == 1 ? ' ' : '+');
    end(&c);
}

TEST(it_is_bounded)
{
    struct verdict_cache *c = start();
    for (uint32_t n = 0; n < 3 * VERDICT_CACHE_ACCEPTED; n++)
        keep(c, key_of(n, n), true, INT64_MAX);
    unsigned found = 0;
    for (uint32_t n = 0; n < 3 * VERDICT_CACHE_ACCEPTED; n++)
        found += look_up(c, key_of(n, n), NOW) == '+';
    CHECK_INT(found, VERDICT_CACHE_ACCEPTED);
    end(&c);
}
