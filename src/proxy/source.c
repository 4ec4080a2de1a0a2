/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/source.h"

#include "base/clock.h"
#include "base/panic.h"
#include "config/archive.h"
#include "pki/dn.h"

#include "base/ban.h"

static struct bytes content(struct bytes archive, const struct config_file *file)
{
    struct bytes b = archive_find(archive, file->path);
    ASSERT(b.at); /* load_file put it there */
    return b;
}

struct bytes source_file(const struct source *s, const struct config_file *file)
{
    return content(s->from->archive, file);
}

struct bytes source_key(const struct source *s, const struct config_file *file)
{
    return content(s->from->keys, file);
}

void source_digest_number(struct digest *d, uint64_t n)
{
    digest_add(d, (struct bytes){(const uint8_t *)&n, sizeof(n)});
}

static void digest_piece(struct digest *d, struct bytes b)
{
    source_digest_number(d, b.n);
    digest_add(d, b);
}

void source_digest_text(struct digest *d, const char *text)
{
    digest_piece(d, bytes_of(text));
}

void source_digest_files(
    struct digest *d, const struct source *s, const struct config_file *files, size_t n)
{
    source_digest_number(d, n);
    for (size_t i = 0; i < n; i++)
        digest_piece(d, source_file(s, &files[i]));
}

void source_digest_revocation(
    struct digest *d, const struct source *s, const struct config_revocation_rule *rule)
{
    source_digest_number(d, (uint64_t)rule->policy);
    source_digest_number(d, rule->grace_ms);
    source_digest_files(d, s, rule->crl, rule->crl_n);
}

struct credential *source_credential(
    const struct source *s, const struct config_certificate *config, enum path_purpose purpose)
{
    struct credential_files files = {
        .certificate = source_file(s, &config->certificate),
        .key = source_key(s, &config->key),
        .certificate_path = config->certificate.path,
        .key_path = config->key.path,
        .at = config->certificate.at,
        .key_at = config->key.at,
        .ocsp_at = config->ocsp.at,
    };
    if (config->ocsp.path)
        files.ocsp = source_file(s, &config->ocsp);
    return credential_load(&files, purpose, s->from->now_s, s->report);
}

static void check_anchor(
    const struct source *s, const struct config_file *file, const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    char until[CLOCK_RFC3339_MAX];
    if (!certificate_may_issue(c)) {
        report_error(s->report, file->at,
            "%s: %s is not a CA that may sign certificates; name the certificate of the CA",
            file->path, certificate_subject(c));
    } else if (!certificate_issued_by(c, c)) {
        report_error(s->report, file->at,
            "%s: %s is an intermediate CA, issued by %s; name the root certificate: peers send the "
            "intermediates",
            file->path, certificate_subject(c), certificate_issuer(c));
    } else if (f->not_after < s->from->now_s) {
        clock_format(f->not_after, until);
        report_warning(s->report, file->at,
            "%s: %s expired at %s: nobody whom it vouches for is accepted", file->path,
            certificate_subject(c), until);
    }
}

/* The system's trust store holds what its distribution put there: it is taken as it is. */
static bool is_system_store(const struct config_file *file)
{
    return file->at.line == 0;
}

void source_anchors(const struct source *s, const struct config_file *files, size_t files_n,
    struct certificate_list *out)
{
    for (size_t i = 0; i < files_n; i++) {
        struct certificate_list list = {0};
        struct error err;
        struct bytes file = source_file(s, &files[i]);
        bool is_system = is_system_store(&files[i]);
        if ((is_system ? certificate_list_parse_store(file, &list, &err)
                       : certificate_list_parse(file, &list, &err)) < 0)
            report_error(s->report, files[i].at, "%s: %s", files[i].path, err.text);
        for (size_t k = 0; k < list.n; k++) {
            if (!is_system)
                check_anchor(s, &files[i], list.at[k]);
            certificate_list_add(out, list.at[k]);
        }
        certificate_list_fini(&list);
    }
}

static const struct certificate *issuer_among(
    const struct certificate_list *anchors, struct bytes issuer)
{
    for (size_t i = 0; i < anchors->n; i++)
        if (dn_equal(certificate_facts(anchors->at[i])->subject, issuer))
            return anchors->at[i];
    return NULL;
}

static void check_crl(const struct source *s, const struct config_file *file, const struct crl *crl,
    const struct certificate_list *anchors)
{
    const struct crl_facts *f = crl_facts(crl);
    const struct certificate *issuer = issuer_among(anchors, f->issuer);
    char until[CLOCK_RFC3339_MAX];
    clock_format(f->next_update, until);
    if (issuer && !crl_signed_by(crl, issuer))
        report_error(s->report, file->at,
            "%s: the signature of this CRL is not that of %s in the CA file; publish the CRL anew",
            file->path, crl_issuer(crl));
    if (f->next_update && f->next_update < s->from->now_s)
        report_warning(s->report, file->at,
            "%s: the CRL of %s was due for renewal at %s; fetch the current one", file->path,
            crl_issuer(crl), until);
}

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

void source_revocation(const struct source *s, const struct config_revocation_rule *rule,
    const struct certificate_list *anchors, struct verify_policy *policy)
{
    policy->revocation = revocation_policy(rule->policy);
    policy->grace_s = (int64_t)(rule->grace_ms / 1000);
    for (size_t i = 0; i < rule->crl_n; i++) {
        struct crl_list list = {0};
        struct error err;
        if (crl_list_parse(source_file(s, &rule->crl[i]), &list, &err) < 0)
            report_error(s->report, rule->crl[i].at, "%s: %s", rule->crl[i].path, err.text);
        for (size_t k = 0; k < list.n; k++)
            check_crl(s, &rule->crl[i], list.at[k], anchors);
        crl_list_append(&policy->crls, &list);
        crl_list_fini(&list);
    }
    bool is_strict =
        policy->revocation == REVOCATION_HARD || policy->revocation == REVOCATION_GRACE;
    for (size_t i = 0; i < anchors->n && is_strict; i++) {
        bool has_crl = false;
        for (size_t k = 0; k < policy->crls.n; k++)
            has_crl |= dn_equal(
                crl_facts(policy->crls.at[k])->issuer, certificate_facts(anchors->at[i])->subject);
        if (!has_crl)
            report_warning(s->report, rule->at,
                "no CRL of %s is named: everybody whom it vouches for is refused as "
                "revocation_unknown",
                certificate_subject(anchors->at[i]));
    }
}
