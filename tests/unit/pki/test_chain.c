/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "pki/chain.h"

#include "base/ban.h"

static struct identity root, sub, leaf;

static void make_all(void)
{
    root = make_identity(ISSUE_CA, "Root", NULL, NULL);
    sub = make_identity(ISSUE_INTERMEDIATE, "Sub", NULL, &root);
    leaf = make_identity(ISSUE_CLIENT, "leaf", "DNS:leaf.example", &sub);
}

static void drop_all(void)
{
    identity_fini(&root);
    identity_fini(&sub);
    identity_fini(&leaf);
}

static struct certificate_list list_of(
    const struct certificate *a, const struct certificate *b, const struct certificate *c)
{
    struct certificate_list l = {0};
    const struct certificate *all[] = {a, b, c};
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            certificate_list_add(&l, all[i]);
    return l;
}

TEST(order_of_a_chain)
{
    make_all();
    struct error err;
    const struct certificate *c[] = {leaf.certificate, sub.certificate, root.certificate};
    static const int orders[][3] = {
        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        struct certificate_list l = list_of(c[orders[i][0]], c[orders[i][1]], c[orders[i][2]]);
        certificate_list_add(&l, c[orders[i][0]]); /* a duplicate */
        CHECK_INT(chain_order(&l, &err), 0);
        CHECK_INT(l.n, 3);
        for (size_t k = 0; k < 3; k++)
            CHECK(l.at[k] == c[k]);
        certificate_list_fini(&l);
    }
    drop_all();
}

TEST(order_of_cas_alone)
{
    make_all();
    struct error err;
    struct certificate_list l = list_of(root.certificate, sub.certificate, NULL);
    CHECK_INT(chain_order(&l, &err), 0);
    CHECK(l.n == 2 && l.at[0] == sub.certificate);
    certificate_list_fini(&l);
    drop_all();
}

TEST(order_without_a_chain)
{
    make_all();
    struct error err;
    struct identity stranger = make_identity(ISSUE_CLIENT, "stranger", "DNS:s.example", NULL);
    struct certificate_list l = list_of(stranger.certificate, sub.certificate, leaf.certificate);
    CHECK_INT(chain_order(&l, &err), -1);
    CHECK(strstr(err.text, "is not part of the chain of") != NULL);
    CHECK_INT(l.n, 3);
    certificate_list_fini(&l);
    l = list_of(root.certificate, leaf.certificate, NULL); /* the intermediate is missing */
    CHECK_INT(chain_order(&l, &err), -1);
    CHECK(strstr(err.text, "CN=Root is not part of the chain of CN=leaf") != NULL);
    certificate_list_fini(&l);
    CHECK_INT(chain_order(&l, &err), 0); /* empty */
    identity_fini(&stranger);
    drop_all();
}
