/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/dn.h"
#include "pki/path_store.h"
#include "pki/revocation_question.h"

#include "base/ban.h"

/* A signer's certificate may itself be listed in a CRL that has such a signer, and there it ends.
 */
#define DEPTH_MAX 2

static bool is_same(const struct certificate *a, const struct certificate *b)
{
    const struct certificate_facts *x = certificate_facts(a), *y = certificate_facts(b);
    return bytes_equal(x->spki, y->spki) && dn_equal(x->subject, y->subject);
}

static bool is_in_path(const struct revocation_question *q, const struct certificate *c)
{
    /* What the leaf may do nobody has looked at. */
    for (size_t i = 1; i < q->chain->n; i++)
        if (certificate_equal(q->chain->at[i], c))
            return true;
    return false;
}

/* RFC 5280 §6.1.3 (a) (2); a later answer may differ where a date lies ahead. */
static bool is_in_time(const struct revocation_question *q, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    revocation_answer_holds_until(q, f->not_before - 1);
    revocation_answer_holds_until(q, f->not_after);
    return f->not_before <= q->request->now_s && q->request->now_s <= f->not_after;
}

/* RFC 5280 §6.1.3 (a) (3). What is unknown is as good as the policy for its issuer has it. */
static bool is_not_revoked(const struct revocation_question *q, const struct path *path, size_t i)
{
    struct revocation_question next = *q;
    next.subject = path->at[i];
    next.issuer = path->at[i + 1];
    next.is_leaf = next.is_anchor = false;
    next.signer = i == 0 ? path->at[0] : NULL;
    next.depth = q->depth + 1;
    revocation_answer_begin(&next);
    struct revocation_answer answer = revocation_crl_ask(&next);
    return answer.result == FACTOR_PASS ||
           (answer.result == FACTOR_UNKNOWN && next.revocation == REVOCATION_SOFT);
}

static bool is_good_path(const struct revocation_question *q, const struct path *path)
{
    /* RFC 5280 §6.3.3 (f): "The trust anchor for the certification path MUST be the same as the
     * trust anchor used to validate the target certificate." */
    if (path->faults || !path->has_anchor ||
        !is_same(path->at[path->n - 1], q->chain->at[q->chain->n - 1]))
        return false;
    for (size_t i = 0; i < path->n; i++)
        if (!is_in_time(q, path->at[i]))
            return false;
    /* Those of the path that is judged are asked about anyway. */
    for (size_t i = 0; i + 1 < path->n && !q->request->policy->leaf_only; i++)
        if (!is_in_path(q, path->at[i]) && !is_not_revoked(q, path, i))
            return false;
    return true;
}

static bool has_good_path(const struct revocation_question *q, const struct certificate *c)
{
    const struct verify_policy *policy = q->request->policy;
    const struct path_request request = {
        .store = policy->anchors,
        .leaf = c,
        .untrusted = q->request->presented,
        .untrusted_n = q->request->presented_n,
        .purpose = PATH_CRL_SIGNER,
        .depth_max = policy->depth_max,
        .now_s = q->request->now_s,
    };
    struct path_search *search = path_search_new(&request, q->budget);
    struct path path;
    bool is_good = false;
    while (!is_good && path_search_next(search, &path))
        is_good = is_good_path(q, &path);
    path_search_free(&search);
    return is_good;
}

/* An anchor of the CRL issuer's name is a key of that CA which the operator trusts. */
static bool may_sign(const struct revocation_question *q, const struct certificate *c)
{
    return is_in_path(q, c) ||
           (path_store_has(q->request->policy->anchors, c) ? is_in_time(q, c)
                                                           : has_good_path(q, c));
}

/* Whoever stole the key of a leaf would clear it with its own CRL. */
static bool vouches_for_itself(const struct revocation_question *q, const struct certificate *c)
{
    return bytes_equal(certificate_facts(c)->spki, certificate_facts(q->chain->at[0])->spki);
}

/* The path first: it costs what the budget allows, and a stranger's key is never tried. */
static bool is_signer(
    const struct revocation_question *q, const struct crl *crl, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    return f->key_usage & USAGE_CRL_SIGN && c != q->issuer && !vouches_for_itself(q, c) &&
           dn_equal(f->subject, crl_facts(crl)->issuer) && may_sign(q, c) && crl_signed_by(crl, c);
}

/* Whoever has not been vouched for may show a key for each handshake, and each costs a check for
 * each CRL. */
static bool is_signed_by_issuer(const struct revocation_question *q, const struct crl *crl)
{
    if (!q->is_vetted && !q->budget->signatures)
        return false;
    if (!q->is_vetted)
        q->budget->signatures--;
    return crl_signed_by(crl, q->issuer);
}

const struct certificate *revocation_signer_find(
    const struct revocation_question *q, const struct crl *crl)
{
    const struct revocation_request *r = q->request;
    size_t n;
    if (q->issuer && is_signed_by_issuer(q, crl))
        return q->issuer;
    /* A CA's own list may be what covers the certificate of the key that signed it; it vouches for
     * nobody above that. */
    if (q->signer && crl_signed_by(crl, q->signer))
        return q->signer;
    if (!r->has_anchor || q->depth == DEPTH_MAX)
        return NULL;
    for (size_t i = 1; i < q->chain->n; i++)
        if (is_signer(q, crl, q->chain->at[i]))
            return q->chain->at[i];
    const struct path_store_entry *anchors =
        path_store_find(r->policy->anchors, crl_facts(crl)->issuer_hash, &n);
    for (size_t i = 0; i < n; i++)
        if (anchors[i].is_anchor && is_signer(q, crl, anchors[i].certificate))
            return anchors[i].certificate;
    for (size_t i = 0; i < r->presented_n; i++)
        if (is_signer(q, crl, r->presented[i]))
            return r->presented[i];
    return NULL;
}
