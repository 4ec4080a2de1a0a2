/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is accepted is kept as it came, and everything that can be asked of it has an
 * answer that may be logged. */
#include "base/panic.h"
#include "fuzz.h"
#include "pki/certificate.h"
#include "pki/dn.h"
#include "pki/name.h"

#include "base/ban.h"

static void check_text(const char *text)
{
    for (; *text; text++)
        ASSERT(*text >= 0x20 && *text <= 0x7e);
}

static void check_names(const struct certificate_facts *f)
{
    ASSERT(f->names_n <= CERTIFICATE_NAMES_MAX && (f->has_names || !f->names_n));
    for (size_t i = 0; i < f->names_n; i++) {
        char text[64];
        name_format(&f->names[i], text, sizeof(text));
        check_text(text);
        ASSERT(
            f->names[i].kind != NAME_IP || f->names[i].value.n == 4 || f->names[i].value.n == 16);
        ASSERT(f->names[i].kind != NAME_DIRECTORY || dn_is_valid(f->names[i].value));
    }
}

static void check_texts(const struct certificate *c)
{
    check_text(certificate_subject(c));
    check_text(certificate_issuer(c));
    check_text(certificate_serial(c));
    ASSERT(strlen(certificate_sha256(c)) == 64 && certificate_digest(c));
    for (enum certificate_flaw flaw = 0; flaw < CERTIFICATE_FLAW_COUNT; flaw++)
        ASSERT(certificate_flaw_text(flaw));
}

static void check(const struct certificate *c, struct bytes der)
{
    const struct certificate_facts *f = certificate_facts(c);
    ASSERT(bytes_equal(certificate_der(c), der));
    ASSERT(f->version >= 1 && f->version <= 3 && f->serial.n && f->tbs.n < der.n);
    ASSERT(dn_is_valid(f->subject) && dn_is_valid(f->issuer));
    ASSERT(f->is_self_issued == dn_equal(f->issuer, f->subject));
    ASSERT(!f->is_self_issued || dn_hash(f->issuer) == dn_hash(f->subject));
    ASSERT(f->is_ca || !certificate_may_issue(c));
    ASSERT(f->path_length >= -1 && !(f->flaws >> CERTIFICATE_FLAW_COUNT));
    ASSERT(f->key_kind == KEY_UNSUPPORTED || f->key_bits);
    ASSERT(certificate_public_key(c) == certificate_public_key(c));
    check_names(f);
    check_texts(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct error err = {""};
    struct bytes der = {data, n};
    struct certificate *c = certificate_parse(der, &err);
    ASSERT(!c == (err.text[0] != 0));
    if (c) {
        struct certificate *again = certificate_parse(certificate_der(c), &err);
        check(c, der);
        ASSERT(again && certificate_equal(c, again));
        certificate_unref(&again);
    }
    certificate_unref(&c);
    return 0;
}
