/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_case — one case of `verify --batch`, from JSON in x509-limbo's words to plain data.
 *
 * Fields that we do not know are ignored, and so are values of another type than expected.
 * Memory: everything is in the arena given.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "pki/path.h"

struct batch_texts {
    struct bytes *at;
    size_t n;
};

struct batch_case {
    const char *id;               /* NULL: none */
    enum path_purpose purpose;    /* extended_key_usage, else validation_kind */
    struct bytes leaf;            /* PEM */
    struct batch_texts untrusted; /* PEM */
    struct batch_texts anchors;   /* PEM */
    struct batch_texts crls;      /* PEM */
    struct batch_texts ocsp;      /* base64 of DER */
    struct batch_texts names;     /* KIND:VALUE, NUL-terminated */
    struct bytes time;            /* empty: now */
    int64_t depth_max;            /* -1: ours */
    int64_t crl_age_days_max;     /* -1: any */
    int64_t ocsp_age_days_max;    /* -1: any */
    bool leaf_only, accepts_unknown, partial_chain;
    /* RFC 5280 §6.1.1 (c), (e)-(g); policies as dotted numbers, none: any */
    struct batch_texts policies;
    bool requires_policy, inhibits_mapping, inhibits_any_policy;
};

/* -1 if LINE is no JSON object or names a peer in a way that we do not know; OUT->id is set as far
 * as it was read. */
int batch_case_read(
    struct bytes line, struct arena *a, struct batch_case *out, struct error *err) MUST_USE;
