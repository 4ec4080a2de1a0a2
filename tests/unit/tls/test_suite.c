/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "tls/suite.h"

#include "base/ban.h"

static struct suite_list sorted(struct suite_choice choice, const char *offered, size_t n)
{
    return suite_list_sorted(choice, (struct bytes){(const uint8_t *)offered, n});
}

TEST(own_order)
{
    char text[SUITE_TEXT_MAX];
    struct suite_list l =
        suite_list_own((struct suite_choice){TLS_1_2, PREFER_STRONGEST, true, false});
    suite_list_text(&l, text);
    CHECK_TEXT(text,
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "AES256-GCM-SHA384:AES128-GCM-SHA256");
    l = suite_list_own((struct suite_choice){TLS_1_2, PREFER_STRONGEST, false, true});
    suite_list_text(&l, text);
    CHECK_TEXT(text, "AES256-GCM-SHA384:AES128-GCM-SHA256");
    l = suite_list_own((struct suite_choice){TLS_1_3, PREFER_FASTEST, false, false});
    suite_list_text(&l, text);
    CHECK_TEXT(text, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
}

TEST(rsa_key_transport_needs_leave)
{
    struct suite_list l =
        suite_list_own((struct suite_choice){TLS_1_2, PREFER_CLIENT, false, false});
    CHECK_INT(l.n, 6);
    for (size_t i = 0; i < l.n; i++)
        CHECK(!l.at[i]->is_rsa_kx);
}

TEST(unknown_repeated_and_cut_suites_are_skipped)
{
    struct suite_choice choice = {TLS_1_3, PREFER_STRONGEST, false, false};
    struct suite_list l = sorted(choice, "\x0a\x0a\x13\x01\x13\x01\xc0\x2c\x13\x03\x13", 11);
    CHECK_INT(l.n, 2);
    CHECK_INT(l.at[0]->id, 0x1303);
    CHECK_INT(l.at[1]->id, 0x1301);
}

TEST(agreement)
{
    struct suite_choice choice = {TLS_1_3, PREFER_STRONGEST, false, false};
    struct suite_list own = suite_list_own(choice);
    struct suite_list same = sorted(choice, "\x13\x01\x13\x02\x13\x03", 6);
    struct suite_list chacha = sorted(choice, "\x13\x03\x13\x02", 4);
    struct suite_list none = {0};
    CHECK(suite_list_agrees(&own, &same));
    CHECK(!suite_list_agrees(&own, &chacha));
    CHECK(suite_list_agrees(&own, &none));
}

TEST(grease)
{
    CHECK(suite_is_grease(0x0a0a) && suite_is_grease(0xfafa));
    CHECK(!suite_is_grease(0x0a1a) && !suite_is_grease(0x1301) && !suite_is_grease(0x0a0b));
}
