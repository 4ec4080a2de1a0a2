/* SPDX-License-Identifier: Apache-2.0 */
/* issued — certificates made on the spot, as texts: what requests bring. */
#pragma once

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/convert.h"
#include "crypto/issue.h"

#define NOW ((int64_t)1800000000) /* 2027-01-15 */
#define DAY ((int64_t)86400)

/* A certificate and its key, as texts. */
struct issued {
    struct buf der, pem, key_pem;
    struct private_key *key;
};

static inline void issued_make(struct issued *out, enum issue_profile profile, enum key_kind kind,
    const char *name, const struct issued *issuer)
{
    struct error err;
    struct bytes names[] = {BYTES("DNS:www.example"), BYTES("IP:192.0.2.1")};
    buf_init(&out->der, 1 << 16);
    buf_init(&out->pem, 1 << 16);
    buf_init(&out->key_pem, 1 << 16);
    out->key = private_key_generate(kind, &err);
    const struct issue_request r = {.profile = profile,
        .common_name = name,
        .names = names,
        .names_n = profile == ISSUE_SERVER ? 2 : 0,
        .not_before = NOW - DAY,
        .not_after = NOW + 90 * DAY,
        .issuer = issuer ? buf_bytes(&issuer->der) : (struct bytes){0},
        .issuer_key = issuer ? issuer->key : NULL,
        .key = out->key};
    ASSERT(issue_certificate(&r, &out->der, &err) == 0 &&
           convert_certificate_pem(buf_bytes(&out->der), &out->pem) == 0 &&
           convert_key_pem(out->key, &out->key_pem) == 0);
    ignore_result(buf_append(&out->pem, (struct bytes){(const uint8_t *)"", 1}));
    ignore_result(buf_append(&out->key_pem, (struct bytes){(const uint8_t *)"", 1}));
}

static inline const char *issued_text(const struct buf *b)
{
    return (const char *)buf_bytes(b).at;
}

static inline void issued_fini(struct issued *i)
{
    buf_fini(&i->der);
    buf_fini(&i->pem);
    buf_fini(&i->key_pem);
    private_key_unref(&i->key);
}
