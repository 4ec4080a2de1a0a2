/* SPDX-License-Identifier: Apache-2.0 */
/* fixture — certificates made on the spot for the tests of crypto/: no test data is committed,
 * nothing expires. */
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/issue.h"
#include "crypto/native.h"
#include "test.h"

#define NOW ((int64_t)1800000000) /* 2027-01-15 */
#define DAY ((int64_t)86400)
#define MUST(condition)                                                              \
    ((condition) ? (void)0                                                           \
                 : (printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, #condition), \
                       fflush(stdout), abort()))

/* A certificate in DER and its key. */
struct issued {
    struct buf certificate;
    struct private_key *key;
};

static inline void issued_fini(struct issued *i)
{
    buf_fini(&i->certificate);
    private_key_unref(&i->key);
}

static inline struct bytes issued_der(const struct issued *i)
{
    return i ? buf_bytes(&i->certificate) : (struct bytes){0};
}

/* P-256, from yesterday to tomorrow; ISSUER NULL: self-signed. NAME: "DNS:…" or NULL. */
static inline struct issued issue_fixture(enum issue_profile profile, const char *common_name,
    const char *name, const struct issued *issuer)
{
    struct error err = {0};
    struct issued i = {.key = private_key_generate(KEY_EC_P256, &err)};
    MUST(i.key);
    buf_init(&i.certificate, 1 << 16);
    struct bytes names = bytes_of(name);
    struct issue_request r = {
        .profile = profile,
        .common_name = common_name,
        .names = &names,
        .names_n = name ? 1 : 0,
        .not_before = NOW - DAY,
        .not_after = NOW + DAY,
        .issuer = issued_der(issuer),
        .issuer_key = issuer ? issuer->key : NULL,
        .key = i.key,
    };
    if (issue_certificate(&r, &i.certificate, &err)) {
        printf("# %s\n", err.text);
        MUST(false);
    }
    return i;
}
