/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — what a service is built from, and the parts that listeners and target groups build
 * alike: trust stores, revocation rules, credentials.
 */
#pragma once

#include "crypto/digest.h"
#include "pki/credential.h"
#include "pki/verify.h"
#include "proxy/service.h"
#include "tls/tlspolicy.h"

struct source {
    const struct service_source *from;
    struct report *report;
    struct arena *arena; /* the service's */
};

/* The content of a file that the configuration names; loading has made sure that it is there. */
struct bytes source_file(const struct source *s, const struct config_file *file);

/* As tls/ calls it. */
enum tlspolicy_engine source_engine(enum config_engine e);

/* C's lists by number, which lie in the service's arena, go into CONFIG. */
void source_negotiable(
    const struct source *s, const struct config_negotiable *c, struct tlspolicy_config *config);

/* What a policy is made of, for its hash (tlspolicy.h), unambiguously: a number; a text; the
 * content of files; our certificates; a revocation rule with its lists. */
void source_digest_number(struct digest *d, uint64_t n);
void source_digest_text(struct digest *d, const char *text);
void source_digest_files(
    struct digest *d, const struct source *s, const struct config_file *files, size_t n);
/* The certificates that we show; NULL: none. */
void source_digest_credential(struct digest *d, const struct credential *c);
/* RULE, and the CRLs that POLICY got by it: after source_revocation. */
void source_digest_revocation(struct digest *d, const struct config_revocation_rule *rule,
    const struct verify_policy *policy);

/* A certificate and its key, which is in this process or the signer's, or NULL after a report.
 * PURPOSE: for whom we show it, by ENGINE. */
struct credential *source_credential(const struct source *s,
    const struct config_certificate *config, enum config_engine engine, enum path_purpose purpose);

/* client_names as patterns, N of them, which the caller frees. */
struct name_pattern *source_names(
    const struct source *s, const struct config_text *names, size_t n) MUST_USE;

/* Append all CA certificates of FILES to OUT. Errors: what is no CA, or is an intermediate one
 * whose issuer is not there. */
void source_anchors(const struct source *s, const struct config_file *files, size_t files_n,
    struct certificate_list *out);
/* The revocation part of POLICY; CRLs of CAs other than ANCHORS are allowed (intermediates), stale
 * ones warned about. */
void source_revocation(const struct source *s, const struct config_revocation_rule *rule,
    const struct certificate_list *anchors, struct verify_policy *policy);
