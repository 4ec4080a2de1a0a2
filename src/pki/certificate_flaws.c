/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "pki/certificate_parts.h"
#include "pki/dn.h"

#include "base/ban.h"

static const char *const texts[CERTIFICATE_FLAW_COUNT] = {
#define X(symbol, text) [FLAW_##symbol] = text,
#include "pki/certificate_flaw.def"
#undef X
};

const char *certificate_flaw_text(enum certificate_flaw f)
{
    return texts[f];
}

static bool is_serial_positive(struct bytes serial)
{
    return !(serial.at[0] & 0x80) && (serial.n > 1 || serial.at[0]);
}

unsigned certificate_find_flaws(const struct certificate_facts *f)
{
    bool has_subject = !dn_is_empty(f->subject);
    bool may_sign_certificates = f->has_key_usage && f->key_usage & USAGE_KEY_CERT_SIGN;
    const struct {
        bool is_there;
        enum certificate_flaw flaw;
    } rows[] = {
        {!is_serial_positive(f->serial), FLAW_SERIAL_NOT_POSITIVE},
        {f->serial.n > 20, FLAW_SERIAL_TOO_LONG},
        {dn_is_empty(f->issuer), FLAW_ISSUER_EMPTY},
        {!has_subject && !f->has_names, FLAW_SUBJECT_EMPTY_NO_NAMES},
        {!has_subject && f->has_names && !f->names_critical, FLAW_NAMES_NOT_CRITICAL},
        {f->path_length >= 0 && !f->is_ca, FLAW_PATH_LENGTH_NOT_CA},
        {may_sign_certificates && !f->is_ca, FLAW_CERT_SIGN_NOT_CA},
        {f->is_ca && !f->has_key_usage, FLAW_CA_WITHOUT_KEY_USAGE},
        {f->is_ca && !has_subject, FLAW_CA_SUBJECT_EMPTY},
        {f->name_constraints.at && !f->is_ca, FLAW_CONSTRAINTS_NOT_CA},
        {f->has_key_usage && !f->key_usage, FLAW_KEY_USAGE_EMPTY},
    };
    unsigned flaws = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].is_there)
            flaws |= CERTIFICATE_FLAW_BIT(rows[i].flaw);
    return flaws;
}
