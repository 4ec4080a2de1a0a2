/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/revocation.h"

#include "base/clock.h"
#include "pki/dn.h"
#include "pki/ocsp.h"
#include "pki/revocation_question.h"

#include "base/ban.h"

/* ---- OCSP ---- */

/* RFC 6960 §4.2.2.2.1: has the responder, whom the issuer appointed, been revoked itself? */
static bool is_responder_revoked(
    const struct revocation_question *q, const struct ocsp_answer *ocsp)
{
    struct revocation_question about = *q;
    about.serial = (struct bytes){ocsp->responder_serial, ocsp->responder_serial_n};
    return about.serial.n && revocation_crl_ask(&about).result == FACTOR_FAIL;
}

static struct revocation_answer ocsp_good(
    const struct revocation_question *q, const struct ocsp_answer *ocsp)
{
    char until[CLOCK_RFC3339_MAX];
    if (is_responder_revoked(q, ocsp))
        return revocation_answer_of(
            q, FACTOR_UNKNOWN, "OCSP answer: the responder's certificate is revoked");
    /* RFC 6960 §4.2.2.1: without nextUpdate, newer information is available all the time; we have
     * the older. */
    if (!ocsp->next_update)
        return revocation_answer_of(q, FACTOR_UNKNOWN, "OCSP answer has no nextUpdate");
    clock_format(ocsp->next_update, until);
    return revocation_answer_of(q, FACTOR_PASS, "OCSP answer: good until %s", until);
}

static struct revocation_answer ask_ocsp(const struct revocation_question *q)
{
    const struct revocation_request *r = q->request;
    struct ocsp_answer ocsp;
    if (!q->issuer)
        return revocation_answer_of(q, FACTOR_UNKNOWN,
            "OCSP answer: no certificate of %.110s to check it with",
            verdict_dn(certificate_issuer(q->subject)));
    ocsp_ask(r->policy->ocsp, q->subject, q->issuer, r->now_s, &ocsp);
    /* What is not good now may be in a moment: it may only be too early. */
    bool is_good = ocsp.status == OCSP_GOOD && ocsp.usable_until;
    revocation_answer_holds_until(q, is_good ? ocsp.usable_until : r->now_s);
    switch (ocsp.status) {
    case OCSP_REVOKED:
        return revocation_answer_revoked(q, ocsp.revoked_at, ocsp.reason, "OCSP answer");
    case OCSP_GOOD:
        return ocsp_good(q, &ocsp);
    case OCSP_UNKNOWN:
        return revocation_answer_of(q, FACTOR_UNKNOWN,
            "OCSP answer: the responder does not know serial %.42s",
            certificate_serial(q->subject));
    case OCSP_UNUSABLE:
        break;
    }
    return revocation_answer_of(q, FACTOR_UNKNOWN, "OCSP answer: %.160s", ocsp.detail);
}

/* ---- together ---- */

/* Two sources about one certificate: revoked wins, then what is known, then what is fresh. */
static struct revocation_answer either(const struct revocation_question *q,
    const struct revocation_answer *a, const struct revocation_answer *b)
{
    if (a->result == FACTOR_FAIL || b->result == FACTOR_FAIL)
        return a->result == FACTOR_FAIL ? *a : *b;
    if (a->result == FACTOR_PASS && !(a->is_late && b->result == FACTOR_PASS))
        return *a;
    if (b->result == FACTOR_PASS)
        return *b;
    return revocation_answer_of(q, FACTOR_UNKNOWN, "%.126s; %.126s", a->detail, b->detail);
}

static struct revocation_answer ask(const struct revocation_question *q)
{
    const struct verify_policy *policy = q->request->policy;
    if (!policy->ocsp.n || !q->is_leaf)
        return revocation_crl_ask(q);
    struct revocation_answer ocsp = ask_ocsp(q);
    if (!policy->crls.n)
        return ocsp;
    struct revocation_answer crls = revocation_crl_ask(q);
    return either(q, &ocsp, &crls);
}

/* In a path the next certificate, else whoever of the chain has the name. */
static const struct certificate *find_issuer(
    const struct certificate_list *chain, size_t i, bool is_path)
{
    if (is_path)
        return i + 1 < chain->n ? chain->at[i + 1] : NULL;
    struct bytes name = certificate_facts(chain->at[i])->issuer;
    for (size_t k = 0; k < chain->n; k++)
        if (dn_equal(certificate_facts(chain->at[k])->subject, name))
            return chain->at[k];
    return NULL;
}

/* Over the certificates of a chain: revoked wins, then unknown and not tolerated, then unknown,
 * then late, then the leaf's answer. */
static int weight(const struct revocation_answer *a)
{
    switch (a->result) {
    case FACTOR_FAIL:
        return 4;
    case FACTOR_UNKNOWN:
        return a->policy == REVOCATION_SOFT ? 2 : 3;
    case FACTOR_PASS:
        return a->is_late;
    case FACTOR_SKIPPED:
        break;
    }
    return 0;
}

static struct revocation_answer ask_all(const struct revocation_request *r, struct verdict *out)
{
    const struct certificate_list *chain = &out->chain;
    struct path_budget budget = PATH_BUDGET;
    /* RFC 5280 §6.1: a trust anchor is trusted as it stands; it is revoked by taking it out of the
     * configuration. */
    size_t n = r->has_anchor && chain->n > 1 ? chain->n - 1 : chain->n;
    struct revocation_answer worst = {0};
    for (size_t i = 0; i < n && (i == 0 || !r->policy->leaf_only); i++) {
        struct revocation_question q = {
            .request = r,
            .chain = chain,
            .subject = chain->at[i],
            .issuer = find_issuer(chain, i, r->has_anchor),
            .is_anchor = r->has_anchor && chain->n == 1,
            .is_leaf = i == 0,
            .is_vetted = r->has_anchor && out->factors[FACTOR_TRUST].result == FACTOR_PASS,
            .budget = r->budget ? r->budget : &budget,
            .holds_until_s = &out->holds_until_s,
        };
        revocation_answer_begin(&q);
        struct revocation_answer answer = ask(&q);
        if (i == 0 || weight(&answer) > weight(&worst))
            worst = answer;
    }
    return worst;
}

enum revocation_policy revocation_judge(const struct revocation_request *r, struct verdict *out)
{
    const struct verify_policy *policy = r->policy;
    const struct certificate_list *chain = &out->chain;
    if (!policy->crls.n && !policy->ocsp.n) {
        verdict_set(out, FACTOR_REVOCATION, FACTOR_UNKNOWN, "no revocation data configured");
        return policy->revocation;
    }
    struct revocation_answer answer = ask_all(r, out);
    enum factor_result result = answer.result;
    if (r->has_anchor && chain->n == 1 && result != FACTOR_FAIL)
        verdict_set(out, FACTOR_REVOCATION, FACTOR_PASS, "%.200s is itself a trust anchor",
            verdict_dn(certificate_subject(chain->at[0])));
    else if (!r->has_anchor && result == FACTOR_PASS)
        verdict_set(out, FACTOR_REVOCATION, FACTOR_UNKNOWN,
            "no trusted issuer vouches for the revocation data (%.180s)", answer.detail);
    else
        verdict_set(out, FACTOR_REVOCATION, result, "%s", answer.detail);
    return answer.policy;
}
