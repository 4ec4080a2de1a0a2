/* SPDX-License-Identifier: Apache-2.0 */
/* An OCSP response and whom it is about: two certificates, each behind its length in two octets,
 * and the rest is the response. */
#include "base/panic.h"
#include "fuzz.h"
#include "pki/ocsp.h"
#include "pki/reason_code.h"

#include "base/ban.h"

#define NOW 1800000000 /* of the seeds */

static struct certificate *take_certificate(struct bytes *in)
{
    struct error err;
    if (in->n < 2)
        return NULL;
    size_t n = (size_t)in->at[0] << 8 | in->at[1];
    struct bytes der = bytes_first(bytes_skip(*in, 2), n);
    *in = bytes_skip(*in, 2 + n);
    return certificate_parse(der, &err);
}

/* A response that can be asked can be shown, and has an answer about the certificate. */
static void check_shown(struct bytes response, const struct certificate *c, bool is_usable)
{
    struct arena arena;
    struct ocsp_facts facts;
    struct error err = {""};
    bool found = false;
    arena_init(&arena);
    bool is_shown = ocsp_describe(response, &arena, &facts, &err) == 0;
    ASSERT(is_shown == !err.text[0]);
    for (size_t i = 0; i < facts.entries_n; i++) {
        found |= strcmp(facts.entries[i].serial, certificate_serial(c)) == 0;
        ASSERT(reason_code_name(facts.entries[i].answer.reason));
    }
    ASSERT(!is_usable || (is_shown && found));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    struct ocsp_answer answer;
    struct certificate *about = take_certificate(&in), *issuer = take_certificate(&in);
    if (about && issuer) {
        ocsp_ask(in, about, issuer, NOW, &answer);
        ASSERT((answer.status == OCSP_UNUSABLE) == (answer.detail[0] != 0));
        check_shown(in, about, answer.status != OCSP_UNUSABLE);
    }
    certificate_unref(&about);
    certificate_unref(&issuer);
    return 0;
}
