/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path — building and validating a certification path (RFC 5280 §6) with libcrypto's X.509 code,
 * behind an interface that a verifier of our own replaces later. Dates and revocation are not
 * judged here, only by pki/.
 */
#pragma once

#include "crypto/certificate.h"

struct path_store; /* the anchors, immutable once made, shared by all verifications */

enum path_purpose { PATH_SERVER, PATH_CLIENT };

/* Every way in which a path can be wrong. A set: PATH_BIT(p). */
enum path_fault {
    PATH_UNTRUSTED, /* no path to an anchor */
    PATH_BAD_SIGNATURE,
    PATH_BAD_CA, /* an issuer that is no CA, or may not sign certificates */
    PATH_LENGTH, /* pathLenConstraint exceeded */
    PATH_DEPTH,  /* longer than the limit in force */
    PATH_NAME_CONSTRAINT,
    PATH_UNKNOWN_CRITICAL,
    PATH_WEAK_ALGORITHM, /* SHA-1, MD5, RSA under 2048 bits, … */
    PATH_POLICY,
    PATH_WRONG_USAGE, /* keyUsage or extendedKeyUsage does not allow the purpose */
    PATH_MALFORMED,
    PATH_FAULT_COUNT,
};
#define PATH_BIT(fault) (1u << (fault))

struct path_request {
    const struct path_store *store;
    const struct certificate *leaf;
    const struct certificate *const *untrusted; /* in any order; the leaf may be among them */
    size_t untrusted_n;
    enum path_purpose purpose;
    unsigned depth_max; /* intermediate certificates allowed between leaf and anchor */
    int64_t now_s;      /* of issuers that fit alike, one valid now is preferred; 0: whichever */
};

struct path_result {
    unsigned faults; /* set of PATH_BIT; 0 = good */
    char
        detail[256]; /* the first fault of enum path_fault in words, with the subject it is about */
    struct certificate_list
        chain;       /* leaf first, as far as it was built; with the anchor if one was reached */
    bool has_anchor; /* the last element of chain is a trust anchor */
};

/* PARTIAL_CHAIN: an anchor need not be self-signed. */
struct path_store *path_store_new(const struct certificate_list *anchors, bool partial_chain);
void path_store_free(struct path_store **s);

/* All faults are looked for, not only the first. OUT is initialised here and released with
 * path_result_fini. */
void path_validate(const struct path_request *request, struct path_result *out);
void path_result_fini(struct path_result *r);
