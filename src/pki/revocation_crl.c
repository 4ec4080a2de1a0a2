/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pki/der.h"
#include "pki/distribution_point.h"
#include "pki/dn.h"
#include "pki/reason_code.h"
#include "pki/revocation_question.h"

#include "base/ban.h"

#define POINTS_MAX 64 /* distribution points of a certificate that are looked at */

/* How much of a name or number is shown, so that the date behind it still fits. */
#define DN_SHOWN     "%.110s"
#define NUMBER_SHOWN "%.42s"

/* How far a CRL is of use, from nothing to all. */
enum crl_use { CRL_NONE, CRL_NOT_SIGNED, CRL_PARTIAL, CRL_FUTURE, CRL_STALE, CRL_LATE, CRL_FRESH };

/* A CRL, as it concerns the question. */
struct source {
    const struct crl *crl;
    const struct certificate *signer;
    const struct crl *delta; /* that keeps it current */
    enum crl_use use;
    unsigned reasons; /* that it covers for the subject */
    int64_t until_s;  /* from CRL_LATE on: how long it counts */
};

struct sources {
    struct source *at;
    size_t n;
    bool has_delta;
};

/* "CRL 17 of CN=Clients CA" */
struct crl_label {
    char text[224];
};

static struct crl_label label_of(const struct source *s)
{
    struct crl_label label;
    char delta[64] = "";
    const char *number = crl_number(s->crl);
    if (s->delta)
        snprintf(delta, sizeof(delta), " and delta %.20s", crl_number(s->delta));
    snprintf(label.text, sizeof(label.text), "CRL%s" NUMBER_SHOWN "%s of " DN_SHOWN,
        number[0] ? " " : "", number, delta, verdict_dn(crl_issuer(s->crl)));
    return label;
}

/* ---- whose CRL, and about whom ---- */

/* RFC 5280 §6.3.3 (b) (1): the CRL is by the certificate's issuer. */
static bool is_by_issuer(const struct revocation_question *q, const struct crl *crl)
{
    const struct crl_facts *f = crl_facts(crl);
    return f->issuer_hash == q->issuer_hash &&
           dn_equal(f->issuer, certificate_facts(q->subject)->issuer);
}

static bool next_point(struct bytes *points, struct distribution_point *out)
{
    return points->n && distribution_point_next(points, out);
}

static struct bytes points_of(const struct certificate *c)
{
    struct bytes extension = certificate_facts(c)->crl_distribution_points, points;
    return der_take(&extension, DER_SEQUENCE, &points) ? points : (struct bytes){0};
}

/* RFC 5280 §6.3.3 (b) (1): by one whom the certificate names as its cRLIssuer. */
static bool is_by_crl_issuer(const struct crl_facts *f, const struct distribution_point *point)
{
    return f->is_indirect && distribution_point_list_has(point->crl_issuer, f->issuer);
}

static bool concerns(const struct revocation_question *q, const struct crl *crl)
{
    struct bytes points = {0};
    struct distribution_point point;
    if (is_by_issuer(q, crl))
        return true;
    if (crl_facts(crl)->is_indirect)
        points = points_of(q->subject);
    for (size_t i = 0; i < POINTS_MAX && next_point(&points, &point); i++)
        if (point.crl_issuer.at && is_by_crl_issuer(crl_facts(crl), &point))
            return true;
    return false;
}

/* RFC 5280 §6.3.3 (b) (2) (i): do the point of the CRL and that of the certificate have a name in
 * common? */
static bool is_same_point(const struct revocation_question *q, const struct crl_facts *f,
    const struct distribution_point *point)
{
    if (!f->distribution_point.at)
        return true;
    if (!point->name.at)
        return distribution_point_name_meets(f->distribution_point, f->issuer, point->crl_issuer);
    struct bytes base = point->crl_issuer.at ? distribution_point_directory(point->crl_issuer)
                                             : certificate_facts(q->subject)->issuer;
    return distribution_point_names_meet(f->distribution_point, f->issuer, point->name, base);
}

/* RFC 5280 §6.3.3 (b) (2) (ii) to (iv) */
static bool is_in_scope(const struct revocation_question *q, enum crl_scope scope)
{
    bool is_ca = certificate_facts(q->subject)->is_ca;
    return scope == CRL_SCOPE_ALL || (scope == CRL_SCOPE_USERS && !is_ca) ||
           (scope == CRL_SCOPE_AUTHORITIES && is_ca);
}

/* The reasons for which CRL would list the subject (RFC 5280 §6.3.3 (d)). */
static unsigned reasons_of(const struct revocation_question *q, const struct crl *crl)
{
    const struct crl_facts *f = crl_facts(crl);
    unsigned all = f->only_some_reasons ? f->only_some_reasons : CRL_ALL_REASONS, covered = 0;
    struct bytes points = points_of(q->subject);
    struct distribution_point point;
    bool is_direct = is_by_issuer(q, crl);
    if (!is_in_scope(q, f->scope))
        return 0;
    for (size_t i = 0; i < POINTS_MAX && next_point(&points, &point); i++) {
        bool is_by_it = point.crl_issuer.at ? is_by_crl_issuer(f, &point) : is_direct;
        if (is_by_it && is_same_point(q, f, &point))
            covered |= all & (point.has_reasons ? point.reasons : CRL_ALL_REASONS);
    }
    /* At the end of §6.3.3: for CRLs that are not at a distribution point of the certificate,
     * assume one without reasons and cRLIssuer, named as the certificate's issuer. */
    if (is_direct &&
        (!f->distribution_point.at || distribution_point_name_has(f->distribution_point, f->issuer,
                                          certificate_facts(q->subject)->issuer)))
        covered |= all;
    return covered;
}

/* ---- delta CRLs ---- */

/* May DELTA be applied to the CRL of S (RFC 5280 §5.2.4, §6.3.3 (c) and (h))? */
static bool fits(
    const struct revocation_question *q, const struct source *delta, const struct source *s)
{
    const struct crl_facts *d = crl_facts(delta->crl), *f = crl_facts(s->crl);
    return d->base_number.at && d->number.at && f->number.at &&
           d->this_update <= q->request->now_s && delta->signer && s->signer &&
           bytes_equal(
               certificate_facts(delta->signer)->spki, certificate_facts(s->signer)->spki) &&
           crl_has_same_scope(delta->crl, s->crl) &&
           crl_compare_numbers(d->base_number, f->number) <= 0 &&
           crl_compare_numbers(f->number, d->number) < 0;
}

/* The newest delta for S, if it can be used now: what an older one says may be outdated. */
static const struct source *delta_for(
    const struct revocation_question *q, const struct sources *all, const struct source *s)
{
    const struct source *newest = NULL;
    for (size_t i = 0; all->has_delta && i < all->n; i++)
        if (fits(q, &all->at[i], s) &&
            (!newest || crl_compare_age(all->at[i].crl, newest->crl) > 0))
            newest = &all->at[i];
    const struct crl_facts *f = newest ? crl_facts(newest->crl) : NULL;
    return f && !f->unknown_critical.at && f->next_update >= q->request->now_s ? newest : NULL;
}

/* ---- how far each is of use ---- */

static enum crl_use use_of(const struct revocation_question *q, struct source *s)
{
    const struct crl_facts *f = crl_facts(s->crl);
    int64_t now_s = q->request->now_s;
    /* RFC 5280 §6.3.3 (g): "Validate the signature on the complete CRL". A CA of the same name is
     * another CA. */
    if (!s->signer)
        return CRL_NOT_SIGNED;
    /* RFC 5280 §5.2: "If a CRL contains a critical extension that the application cannot process,
     * then the application MUST NOT use that CRL to determine the status of certificates." */
    if (f->unknown_critical.at || f->base_number.at || !s->reasons)
        return CRL_PARTIAL;
    /* RFC 5280 §5.2.3: it MUST be there; without it nobody knows which of two lists is the newer.
     */
    if (!f->number.at)
        return CRL_PARTIAL;
    if (f->this_update > now_s)
        return CRL_FUTURE;
    if (s->until_s >= now_s)
        return CRL_FRESH;
    /* RFC 5280 §5.1.2.5: nextUpdate MUST be there; a CRL without it is as good as the day it was
     * made.
     */
    s->until_s = (f->next_update ? f->next_update : f->this_update) + q->grace_s;
    return q->revocation == REVOCATION_GRACE && s->until_s >= now_s ? CRL_LATE : CRL_STALE;
}

static void judge_source(
    const struct revocation_question *q, const struct sources *all, struct source *s)
{
    const struct crl_facts *f = crl_facts(s->crl);
    const struct source *delta = delta_for(q, all, s);
    s->reasons = f->base_number.at ? 0 : reasons_of(q, s->crl);
    s->until_s = f->next_update ? f->next_update : INT64_MIN;
    if (delta && crl_facts(delta->crl)->next_update > s->until_s) {
        s->delta = delta->crl;
        s->until_s = crl_facts(delta->crl)->next_update;
    }
    s->use = use_of(q, s);
    revocation_answer_holds_until(q, f->this_update - 1);
    revocation_answer_holds_until(q, f->next_update);
    revocation_answer_holds_until(q, s->until_s);
}

/* All CRLs that concern the subject. AT is to be freed. */
static struct sources find_sources(const struct revocation_question *q)
{
    const struct crl_list *crls = &q->request->policy->crls;
    struct sources found = {.at = mem_calloc(crls->n + 1, sizeof(*found.at))};
    for (size_t i = 0; i < crls->n; i++) {
        const struct crl *crl = crls->at[i];
        if (!concerns(q, crl))
            continue;
        found.at[found.n++] = (struct source){.crl = crl, .signer = revocation_signer_find(q, crl)};
        found.has_delta |= crl_facts(crl)->base_number.at != NULL;
    }
    for (size_t i = 0; i < found.n; i++)
        judge_source(q, &found, &found.at[i]);
    return found;
}

/* ---- listings ---- */

static bool find_entry(
    const struct revocation_question *q, const struct crl *crl, struct crl_entry *out)
{
    return crl_find(crl, q->serial, certificate_facts(q->subject)->issuer, out);
}

/* RFC 5280 §5.3.1: removeFromCRL, in a delta CRL only, takes out who was on hold. */
static bool is_lifted(
    const struct revocation_question *q, const struct sources *all, const struct source *listing)
{
    const struct source *delta = delta_for(q, all, listing);
    struct crl_entry entry;
    return delta && find_entry(q, delta->crl, &entry) &&
           entry.reason == REASON_CODE_REMOVE_FROM_CRL;
}

static bool lists(const struct revocation_question *q, const struct sources *all,
    const struct source *s, struct crl_entry *entry)
{
    /* Who is trusted by itself may come without the issuer that could vouch for the CRL: the
     * operator did, by configuring it. */
    bool counts = s->use > CRL_NOT_SIGNED || (q->is_anchor && !q->issuer);
    if (!counts || !find_entry(q, s->crl, entry))
        return false;
    /* RFC 5280 §5.3.1: removeFromCRL "may only appear in delta CRLs"; elsewhere it is a listing. */
    if (entry->reason == REASON_CODE_REMOVE_FROM_CRL)
        return !crl_facts(s->crl)->base_number.at;
    return !(entry->reason == REASON_CODE_CERTIFICATE_HOLD && is_lifted(q, all, s));
}

/* ---- who is not listed ---- */

static struct revocation_answer passed(const struct revocation_question *q, const struct source *s)
{
    const struct crl_facts *f = crl_facts(s->crl);
    struct crl_label label = label_of(s);
    char text[CLOCK_RFC3339_MAX];
    if (s->use == CRL_FRESH) {
        clock_format(s->until_s, text);
        return revocation_answer_of(q, FACTOR_PASS, "%s until %s", label.text, text);
    }
    clock_format(f->next_update ? f->next_update : f->this_update, text);
    struct revocation_answer answer = revocation_answer_of(
        q, FACTOR_PASS, "%s stale since %s, within the grace period", label.text, text);
    answer.is_late = true;
    return answer;
}

static const char *partial_reason(const struct source *s)
{
    const struct crl_facts *f = crl_facts(s->crl);
    if (s->use == CRL_FRESH || s->use == CRL_LATE)
        return "covers some of the reasons only (onlySomeReasons)";
    if (f->base_number.at)
        return "is a delta CRL, which needs its base";
    if (f->unknown_critical.at)
        return "has a critical extension that is not understood";
    if (!f->number.at)
        return "has no cRLNumber (RFC 5280 section 5.2.3)";
    return "covers a part of the certificates only (issuingDistributionPoint)";
}

/* What the most useful of the CRLs says, which is not enough. */
static struct revocation_answer unknown(const struct revocation_question *q, const struct source *s)
{
    const struct crl_facts *f = crl_facts(s->crl);
    struct crl_label label = label_of(s);
    char text[CLOCK_RFC3339_MAX];
    switch (s->use) {
    case CRL_STALE:
        clock_format(f->next_update ? f->next_update : f->this_update, text);
        return revocation_answer_of(q, FACTOR_UNKNOWN,
            f->next_update ? "%s expired %s" : "%s of %s has no nextUpdate", label.text, text);
    case CRL_FUTURE:
        clock_format(f->this_update, text);
        return revocation_answer_of(
            q, FACTOR_UNKNOWN, "%s is not valid before %s", label.text, text);
    case CRL_PARTIAL:
    case CRL_LATE:
    case CRL_FRESH:
        return revocation_answer_of(q, FACTOR_UNKNOWN, "%s %s", label.text, partial_reason(s));
    case CRL_NOT_SIGNED:
    case CRL_NONE:
        break;
    }
    return revocation_answer_of(q, FACTOR_UNKNOWN,
        q->issuer ? "%s is not signed by the issuer of the certificate"
                  : "%s cannot be checked without its certificate",
        label.text);
}

static bool is_better(const struct source *a, const struct source *b)
{
    return !b || a->use > b->use || (a->use == b->use && a->until_s > b->until_s);
}

static const struct source *best_of(
    const struct sources *all, enum crl_use at_least, unsigned missing)
{
    const struct source *best = NULL;
    for (size_t i = 0; i < all->n; i++)
        if (all->at[i].use >= at_least && (!missing || all->at[i].reasons & missing) &&
            is_better(&all->at[i], best))
            best = &all->at[i];
    return best;
}

/* RFC 5280 §6.3.3: until every reason is covered, by one CRL or several. The freshest come first,
 * so the last one that is needed is the first to end. */
static struct revocation_answer cover(
    const struct revocation_question *q, const struct sources *all)
{
    unsigned missing = CRL_ALL_REASONS;
    const struct source *last = NULL;
    while (missing && (last = best_of(all, CRL_LATE, missing)))
        missing &= ~last->reasons;
    if (!missing)
        return passed(q, last);
    const struct source *best = best_of(all, CRL_NONE, 0);
    if (best)
        return unknown(q, best);
    return revocation_answer_of(
        q, FACTOR_UNKNOWN, "no CRL of " DN_SHOWN, verdict_dn(certificate_issuer(q->subject)));
}

struct revocation_answer revocation_crl_ask(const struct revocation_question *q)
{
    struct sources all = find_sources(q);
    struct crl_entry entry;
    struct revocation_answer answer;
    size_t i = 0;
    while (i < all.n && !lists(q, &all, &all.at[i], &entry))
        i++;
    if (i < all.n)
        answer =
            revocation_answer_revoked(q, entry.revoked_at, entry.reason, label_of(&all.at[i]).text);
    else
        answer = cover(q, &all);
    free(all.at);
    return answer;
}
