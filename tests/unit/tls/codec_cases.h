/* SPDX-License-Identifier: Apache-2.0 */
/* codec_cases — the properties that every reader of a message or an extension has. */
#pragma once

#include "test.h"
#include "tls/message.h"

/* A reader under its simplest form, and a whole body that it accepts. AT_LENGTH: a length at which
 * the body is whole, too, without what TLS 1.2 may leave out; 0: there is none. */
struct codec_case {
    const char *name;
    bool (*read)(struct bytes body);
    struct bytes body;
    size_t at_length;
};

/* READ of the first N octets of BODY, and nothing readable behind them. */
static inline bool codec_reads(const struct codec_case *c, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    if (n)
        memcpy(exact, c->body.at, n);
    bool is_read = c->read((struct bytes){exact, n});
    free(exact);
    return is_read;
}

/* Accepted whole; refused when cut anywhere, and with an octet too many. */
static inline void codec_check(const struct codec_case *c)
{
    for (size_t n = 0; n <= c->body.n; n++) {
        bool want = n == c->body.n || (c->at_length && n == c->at_length);
        bool got = codec_reads(c, n);
        if (got != want)
            printf(
                "# %s, %zu of %zu octets: %s\n", c->name, n, c->body.n, got ? "read" : "refused");
        CHECK(got == want);
    }
    uint8_t *longer = calloc(1, c->body.n + 1);
    memcpy(longer, c->body.at, c->body.n);
    bool is_read = c->read((struct bytes){longer, c->body.n + 1});
    if (is_read)
        printf("# %s: read with an octet too many\n", c->name);
    CHECK(!is_read);
    free(longer);
}
