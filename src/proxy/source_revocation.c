/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/panic.h"
#include "config/archive.h"
#include "pki/dn.h"
#include "proxy/source.h"

#include "base/ban.h"

/* CRLs by their digests: a large one is not read again for each policy that it is in. */
void source_digest_revocation(
    struct digest *d, const struct config_revocation_rule *rule, const struct verify_policy *policy)
{
    source_digest_number(d, (uint64_t)rule->policy.kind);
    source_digest_number(d, rule->policy.grace_ms);
    source_digest_number(d, rule->per_ca_n);
    for (size_t i = 0; i < rule->per_ca_n; i++) {
        source_digest_text(d, rule->per_ca[i].issuer);
        source_digest_number(d, (uint64_t)rule->per_ca[i].policy.kind);
        source_digest_number(d, rule->per_ca[i].policy.grace_ms);
    }
    source_digest_number(d, policy->crls.n);
    for (size_t i = 0; i < policy->crls.n; i++)
        digest_add(d, crl_digest(policy->crls.at[i]));
}

/* ---- what is evidently wrong with a CRL ---- */

/* A CA may sign its CRLs with a key that has a certificate of its own; then authorityKeyIdentifier
 * says so. */
static bool is_by_another_key(const struct crl *crl, const struct certificate *issuer)
{
    struct bytes key_id = crl_facts(crl)->authority_key_id,
                 issuer_id = certificate_facts(issuer)->subject_key_id;
    return key_id.at && issuer_id.at && !bytes_equal(key_id, issuer_id);
}

/* Of several CAs of one name, one has signed it. */
static void check_signature(const struct source *s, const struct config_file *file,
    const struct crl *crl, const struct certificate_list *anchors)
{
    bool is_forged = false;
    for (size_t i = 0; i < anchors->n; i++) {
        const struct certificate *c = anchors->at[i];
        if (!dn_equal(certificate_facts(c)->subject, crl_facts(crl)->issuer))
            continue;
        if (is_by_another_key(crl, c) || crl_signed_by(crl, c))
            return;
        is_forged = true;
    }
    if (is_forged)
        report_error(s->report, file->at,
            "%s: the signature of this CRL is not that of %s in the CA file; publish the CRL anew",
            file->path, crl_issuer(crl));
}

static bool has_base(const struct crl *delta, const struct crl_list *crls)
{
    for (size_t i = 0; i < crls->n; i++)
        if (!crl_facts(crls->at[i])->base_number.at && crl_has_same_scope(crls->at[i], delta))
            return true;
    return false;
}

/* BESIDES: all CRLs that are named together. */
static void check_delta(const struct source *s, const struct config_file *file,
    const struct crl *crl, const struct crl_list *besides)
{
    const struct crl_facts *f = crl_facts(crl);
    if (!f->base_number.at)
        return;
    if (!f->number.at)
        report_error(s->report, file->at,
            "%s: the delta CRL of %s has no cRLNumber, so it fits no base; publish it anew",
            file->path, crl_issuer(crl));
    else if (!has_base(crl, besides))
        report_error(s->report, file->at,
            "%s: the CRL of %s is a delta, not a complete one; give the complete one that it "
            "belongs to as well",
            file->path, crl_issuer(crl));
}

static void check_crl(const struct source *s, const struct config_file *file, const struct crl *crl,
    const struct certificate_list *anchors)
{
    const struct crl_facts *f = crl_facts(crl);
    char until[CLOCK_RFC3339_MAX];
    clock_format(f->next_update, until);
    check_signature(s, file, crl, anchors);
    if (f->unknown_critical.at)
        report_error(s->report, file->at,
            "%s: the CRL of %s has a critical extension that is not understood, so it can vouch "
            "for "
            "nobody; publish it without",
            file->path, crl_issuer(crl));
    if (!f->number.at && !f->base_number.at)
        report_warning(s->report, file->at,
            "%s: the CRL of %s has no cRLNumber, which RFC 5280 section 5.2.3 demands, so it can "
            "vouch "
            "for nobody; publish it with one (in openssl.cnf: crlnumber)",
            file->path, crl_issuer(crl));
    if (f->scope == CRL_SCOPE_ATTRIBUTES)
        report_warning(s->report, file->at,
            "%s: the CRL of %s is about attribute certificates only, which are not used here; name "
            "the one for certificates",
            file->path, crl_issuer(crl));
    if (f->next_update && f->next_update < s->from->now_s)
        report_warning(s->report, file->at,
            "%s: the CRL of %s was due for renewal at %s; fetch the current one", file->path,
            crl_issuer(crl), until);
}

/* ---- policies ---- */

static enum revocation_policy revocation_policy(enum config_revocation r)
{
    switch (r) {
    case CONFIG_REVOCATION_OFF:
        return REVOCATION_OFF;
    case CONFIG_REVOCATION_HARD:
        return REVOCATION_HARD;
    case CONFIG_REVOCATION_SOFT:
        return REVOCATION_SOFT;
    case CONFIG_REVOCATION_GRACE:
        return REVOCATION_GRACE;
    }
    return REVOCATION_HARD;
}

static bool is_known_issuer(
    const struct certificate_list *anchors, const struct crl_list *crls, const char *issuer)
{
    for (size_t i = 0; i < anchors->n; i++)
        if (strcmp(certificate_subject(anchors->at[i]), issuer) == 0)
            return true;
    for (size_t i = 0; i < crls->n; i++)
        if (strcmp(crl_issuer(crls->at[i]), issuer) == 0)
            return true;
    return false;
}

static void set_exceptions(const struct source *s, const struct config_revocation_rule *rule,
    const struct certificate_list *anchors, struct verify_policy *policy)
{
    struct verify_exception *exceptions =
        arena_alloc(s->arena, rule->per_ca_n * sizeof(*exceptions));
    for (size_t i = 0; i < rule->per_ca_n; i++) {
        const struct config_revocation_ca *ca = &rule->per_ca[i];
        exceptions[i] = (struct verify_exception){
            .issuer = ca->issuer,
            .revocation = revocation_policy(ca->policy.kind),
            .grace_s = (int64_t)(ca->policy.grace_ms / 1000),
        };
        if (!is_known_issuer(anchors, &policy->crls, ca->issuer))
            report_warning(s->report, ca->at,
                "per_ca: no CA that is named here has the name %s, and no CRL is of one; write it "
                "as "
                "`sallyport parse --type cert` shows the CA's subject",
                ca->issuer);
    }
    policy->exceptions = exceptions;
    policy->exceptions_n = rule->per_ca_n;
}

/* Is whatever is unknown about certificates of the CA refused? */
static bool is_strict(const struct verify_policy *policy, const struct certificate *ca)
{
    for (size_t i = 0; i < policy->exceptions_n; i++)
        if (strcmp(policy->exceptions[i].issuer, certificate_subject(ca)) == 0)
            return policy->exceptions[i].revocation != REVOCATION_SOFT;
    return policy->revocation == REVOCATION_HARD || policy->revocation == REVOCATION_GRACE;
}

static bool has_crl(const struct crl_list *crls, const struct certificate *ca)
{
    for (size_t i = 0; i < crls->n; i++)
        if (dn_equal(crl_facts(crls->at[i])->issuer, certificate_facts(ca)->subject))
            return true;
    return false;
}

/* The CRLs of FILE, at the end of OUT. */
static void load_crls(const struct source *s, const struct config_file *file, struct crl_list *out)
{
    struct bytes run = archive_find_crls(s->from->archive, file->path);
    struct crl_list list;
    struct error err;
    ASSERT(run.at); /* load_file put it there */
    if (crl_list_open(run, &list, &err) < 0)
        report_error(s->report, file->at, "%s: %s", file->path, err.text);
    crl_list_append(out, &list);
}

static void load_all(const struct source *s, const struct config_revocation_rule *rule,
    const struct certificate_list *anchors, struct crl_list *out)
{
    size_t *ends = arena_alloc(s->arena, rule->crl_n * sizeof(*ends));
    for (size_t i = 0; i < rule->crl_n; i++) {
        load_crls(s, &rule->crl[i], out);
        ends[i] = out->n;
    }
    for (size_t i = 0, k = 0; i < rule->crl_n; i++)
        for (; k < ends[i]; k++) {
            check_crl(s, &rule->crl[i], out->at[k], anchors);
            check_delta(s, &rule->crl[i], out->at[k], out);
        }
}

void source_revocation(const struct source *s, const struct config_revocation_rule *rule,
    const struct certificate_list *anchors, struct verify_policy *policy)
{
    policy->revocation = revocation_policy(rule->policy.kind);
    policy->grace_s = (int64_t)(rule->policy.grace_ms / 1000);
    load_all(s, rule, anchors, &policy->crls);
    set_exceptions(s, rule, anchors, policy);
    for (size_t i = 0; i < anchors->n; i++)
        if (is_strict(policy, anchors->at[i]) && !has_crl(&policy->crls, anchors->at[i]))
            report_warning(s->report, rule->at,
                "no CRL of %s is named: everybody whom it vouches for is refused as "
                "revocation_unknown",
                certificate_subject(anchors->at[i]));
}
