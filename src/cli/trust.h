/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust — the verification policy of `verify`, `verify --batch` and `connect`, put together from
 * files or texts.
 *
 * CRLs and OCSP answers bring the hard policy with them: whoever names such data wants them to
 * count. Memory: the policy borrows from its trust, which owns everything.
 */
#pragma once

#include "base/arena.h"
#include "pki/verify.h"

/* Certificates that `verify` and a case of the batch may bring: the leaf and all from which a path
 * may be built. No peer may send as many. */
#define TRUST_POOL_MAX     128
#define TRUST_SYSTEM_STORE "/etc/ssl/certs/ca-certificates.crt"

struct trust {
    struct verify_policy policy; /* complete after trust_build */
    struct certificate_list anchors;
    struct name_pattern *names;
    struct arena arena;
};

void trust_init(struct trust *t, enum path_purpose purpose);
void trust_fini(struct trust *t);

int trust_add_ca(struct trust *t, struct bytes pem, struct error *err) MUST_USE;
int trust_add_crl(struct trust *t, struct bytes pem, struct error *err) MUST_USE;
/* DER, copied. */
void trust_set_ocsp(struct trust *t, struct bytes response);
/* KIND:VALUE, or a bare host. Several: any may match. IS_ALLOW_LIST: `*` in VALUE is a pattern. */
int trust_add_name(
    struct trust *t, const char *name, bool is_allow_list, struct error *err) MUST_USE;

/* The same from files; messages name the file. */
int trust_read_ca(struct trust *t, const char *path, struct error *err) MUST_USE;
int trust_read_system_store(struct trust *t, struct error *err) MUST_USE;
int trust_read_crl(struct trust *t, const char *path, struct error *err) MUST_USE;
int trust_read_ocsp(struct trust *t, const char *path, struct error *err) MUST_USE;

/* Everything is there: make the policy complete. PARTIAL_CHAIN: an anchor need not be self-signed.
 */
void trust_build(struct trust *t, bool partial_chain);
