/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"
#include "test.h"
#include "tls/certificate_set.h"

#include "base/ban.h"

enum { DEFAULT, WILD, EXACT, EXACT_RSA, OTHER, SHARED_ED, NAMELESS, CREDENTIALS };
static struct credential *all[CREDENTIALS];

static struct certificate_sets *make(void)
{
    all[DEFAULT] = pair_credential(KEY_EC_P256, "www.first.example,FIRST.example");
    all[WILD] = pair_credential(KEY_RSA, "*.wild.example");
    all[EXACT] = pair_credential(KEY_EC_P384, "a.wild.example.");
    all[EXACT_RSA] =
        pair_credential(KEY_EC_P256, "a.wild.example"); /* the second of a kind: never shown */
    all[OTHER] = pair_credential(KEY_RSA, "other.example,bad name,*.*.example");
    all[SHARED_ED] = pair_credential(KEY_ED25519, "first.example");
    all[NAMELESS] = pair_credential(KEY_RSA, "");
    return certificate_sets_new((const struct credential *const *)all, CREDENTIALS);
}

static void free_all(struct certificate_sets **s)
{
    certificate_sets_free(s);
    for (size_t i = 0; i < CREDENTIALS; i++)
        pair_credential_free(&all[i]);
}

/* Index of the credential of KIND under NAME, -1 for none. */
static int shown(
    const struct certificate_sets *s, struct bytes name, enum certificate_set_kind kind)
{
    const struct certificate_set *set = certificate_sets_at(s, certificate_sets_find(s, name));
    for (int i = 0; i < CREDENTIALS; i++)
        if (set->by_kind[kind] == all[i])
            return i;
    return -1;
}

TEST(names_select)
{
    static const struct {
        const char *name;
        int rsa, ecdsa, ed25519;
    } cases[] = {
        {"", -1, DEFAULT, SHARED_ED},
        {"nobody.example", -1, DEFAULT, SHARED_ED},
        {"first.example", -1, DEFAULT, SHARED_ED},
        {"www.first.example", -1, DEFAULT, -1},
        {"b.wild.example", WILD, -1, -1},
        {"B.Wild.EXAMPLE.", WILD, -1, -1},
        {"a.wild.example", WILD, EXACT, -1},
        {"A.WILD.example.", WILD, EXACT, -1},
        {"wild.example", -1, DEFAULT, SHARED_ED},     /* a wildcard is one label, */
        {"a.b.wild.example", -1, DEFAULT, SHARED_ED}, /* not none and not two */
        {"*.wild.example", -1, DEFAULT, SHARED_ED},
        {"other.example", OTHER, -1, -1},
    };
    struct certificate_sets *s = make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes name = bytes_of(cases[i].name);
        CHECK_INT(shown(s, name, SET_RSA), cases[i].rsa);
        CHECK_INT(shown(s, name, SET_ECDSA), cases[i].ecdsa);
        CHECK_INT(shown(s, name, SET_ED25519), cases[i].ed25519);
    }
    free_all(&s);
}

TEST(bytes_that_no_name_has_select_the_default)
{
    struct certificate_sets *s = make();
    CHECK_INT(certificate_sets_find(s, BYTES("other.example\0")), 0);
    CHECK_INT(certificate_sets_find(s, BYTES("other.example\0.evil")), 0);
    CHECK_INT(certificate_sets_find(s, BYTES("other.example ")), 0);
    free_all(&s);
}

TEST(equal_sets_are_one)
{
    struct certificate_sets *s = make();
    /* default = first.example; www.first.example; *.wild; a.wild; other */
    CHECK_INT(certificate_sets_count(s), 5);
    free_all(&s);
}
