/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/chain.h"

#include "pki/certificate.h"

#include "base/ban.h"

static bool holds(const struct certificate_list *l, const struct certificate *c)
{
    for (size_t i = 0; i < l->n; i++)
        if (certificate_equal(l->at[i], c))
            return true;
    return false;
}

/* The certificate of ALL that issued C and is not yet in CHAIN; NULL if there is none. */
static const struct certificate *find_issuer(const struct certificate_list *all,
    const struct certificate_list *chain, const struct certificate *c)
{
    for (size_t i = 0; i < all->n; i++)
        if (!holds(chain, all->at[i]) && certificate_issued_by(c, all->at[i]))
            return all->at[i];
    return NULL;
}

static bool issued_another(const struct certificate_list *all, const struct certificate *c)
{
    for (size_t i = 0; i < all->n; i++)
        if (!certificate_equal(all->at[i], c) && certificate_issued_by(all->at[i], c))
            return true;
    return false;
}

/* The leaf issued none of the others; of several such, an end entity comes before a CA. */
static const struct certificate *find_leaf(const struct certificate_list *all)
{
    const struct certificate *leaf = NULL;
    for (size_t i = 0; i < all->n; i++) {
        const struct certificate *c = all->at[i];
        bool better = !leaf || (certificate_facts(leaf)->is_ca && !certificate_facts(c)->is_ca);
        if (better && !issued_another(all, c))
            leaf = c;
    }
    return leaf;
}

int chain_order(struct certificate_list *l, struct error *err)
{
    struct certificate_list chain = {0};
    for (const struct certificate *c = find_leaf(l); c; c = find_issuer(l, &chain, c))
        certificate_list_add(&chain, c);
    for (size_t i = 0; i < l->n; i++)
        if (!holds(&chain, l->at[i])) {
            error_set(err,
                "%s is not part of the chain of %s; leave it out, or add the missing issuer",
                certificate_subject(l->at[i]),
                chain.n ? certificate_subject(chain.at[0]) : "any other");
            certificate_list_fini(&chain);
            return -1;
        }
    certificate_list_fini(l);
    *l = chain;
    return 0;
}
