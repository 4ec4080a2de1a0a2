/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/path_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "pki/dn.h"
#include "pki/name.h"
#include "pki/name_constraint.h"
#include "pki/policy_set.h"
#include "pki/verdict.h"

#include "base/ban.h"

/* Where in the path a certificate stands. */
enum place { PLACE_LEAF, PLACE_BETWEEN, PLACE_ANCHOR, PLACE_COUNT };

struct check {
    struct path *path;
    const struct path_request *request;
    struct path_budget *budget;
};

/* ---- faults ---- */

void path_check_note(struct path *path, enum path_fault fault, const struct certificate *about,
    const char *format, ...)
{
    /* The detail is about the first of the faults, and of those alike about the first found. */
    bool is_first = !(path->faults & (PATH_BIT(fault + 1) - 1));
    path->faults |= PATH_BIT(fault);
    if (!is_first)
        return;
    int n = about ? snprintf(path->detail, sizeof(path->detail),
                        "%.120s: ", verdict_dn(certificate_subject(about)))
                  : 0;
    va_list args;
    va_start(args, format);
    vsnprintf(path->detail + n, sizeof(path->detail) - (size_t)n, format, args);
    va_end(args);
}

/* ---- each certificate by itself ---- */

#define FORGIVEN PATH_FAULT_COUNT

/*
 * What each flaw is in each place: a fault, or forgiven.
 *
 * Of an anchor, RFC 5280 §6.1.1 (d) wants a name and a key; how well the rest of its certificate is
 * made is its operator's affair. In other places these are forgiven: SERIAL_NOT_POSITIVE  §4.1.2.2:
 * "Certificate users SHOULD be prepared to gracefully handle such certificates." CAs made negative
 * ones by leaving out an octet; each is still one of a kind, so that it can be revoked. Zero is not
 * forgiven (check_flaws): who does not number certificates gives it to several. CA_NOT_CRITICAL,
 * CA_WITHOUT_KEY_USAGE RFC 5280 §4.2.1.9 and §4.2.1.3 ask them of CAs; validation (§6.1.4 (k), (n))
 * does not, and the CAs that `openssl req -x509` makes lack them. CONSTRAINTS_NOT_CRITICAL They are
 * enforced all the same; the CA/Browser Forum allows it (BR 7.1.2.5.2). KEY_USAGE_EMPTY      The
 * key may then be used for nothing, which other checks find. UNIQUE_ID            §4.1.2.8:
 * "applications conforming to this profile MUST be capable of parsing certificates that include
 * unique identifiers, but there are no processing requirements". PATH_LENGTH_NOT_CA,
 * CERT_SIGN_NOT_CA and CONSTRAINTS_NOT_CA between leaf and anchor are what makes an issuer BAD_CA,
 * which is the better reason.
 */
static const enum path_fault flaw_faults[CERTIFICATE_FLAW_COUNT][PLACE_COUNT] = {
    [FLAW_SERIAL_NOT_POSITIVE] = {FORGIVEN, FORGIVEN, FORGIVEN},
    [FLAW_SERIAL_TOO_LONG] = {PATH_MALFORMED, PATH_MALFORMED, FORGIVEN},
    [FLAW_ISSUER_EMPTY] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_SUBJECT_EMPTY_NO_NAMES] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_NAMES_NOT_CRITICAL] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_NAMES_EMPTY] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_EXTENSIONS_NOT_VERSION_3] = {PATH_MALFORMED, PATH_MALFORMED, FORGIVEN},
    [FLAW_AKI_CRITICAL] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_SKI_CRITICAL] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_PATH_LENGTH_NOT_CA] = {PATH_MALFORMED, FORGIVEN, FORGIVEN},
    [FLAW_CERT_SIGN_NOT_CA] = {PATH_WRONG_USAGE, FORGIVEN, FORGIVEN},
    [FLAW_CA_NOT_CRITICAL] = {FORGIVEN, FORGIVEN, FORGIVEN},
    [FLAW_CA_WITHOUT_KEY_USAGE] = {FORGIVEN, FORGIVEN, FORGIVEN},
    [FLAW_CA_SUBJECT_EMPTY] = {PATH_MALFORMED, PATH_MALFORMED, PATH_MALFORMED},
    [FLAW_CONSTRAINTS_NOT_CA] = {PATH_MALFORMED, FORGIVEN, FORGIVEN},
    [FLAW_CONSTRAINTS_NOT_CRITICAL] = {FORGIVEN, FORGIVEN, FORGIVEN},
    [FLAW_KEY_USAGE_EMPTY] = {FORGIVEN, FORGIVEN, FORGIVEN},
    [FLAW_UNIQUE_ID] = {FORGIVEN, FORGIVEN, FORGIVEN},
};

static void check_flaws(struct check *k, const struct certificate *c, enum place place)
{
    const struct certificate_facts *f = certificate_facts(c);
    for (unsigned flaw = 0; f->flaws >> flaw; flaw++) {
        enum path_fault fault = flaw_faults[flaw][place];
        if (f->flaws & CERTIFICATE_FLAW_BIT(flaw) && fault != FORGIVEN)
            path_check_note(
                k->path, fault, c, "%s", certificate_flaw_text((enum certificate_flaw)flaw));
    }
    if (place != PLACE_ANCHOR && f->serial.n == 1 && f->serial.at[0] == 0)
        path_check_note(k->path, PATH_MALFORMED, c, "its serial number is zero (RFC 5280 4.1.2.2)");
}

static void check_critical(struct check *k, const struct certificate *c)
{
    if (certificate_facts(c)->unknown_critical.at)
        path_check_note(k->path, PATH_UNKNOWN_CRITICAL, c,
            "it has a critical extension that is not understood");
}

/* NULL: its key is one that we accept. */
static const char *weakness_of_key(const struct certificate *c)
{
    const struct certificate_facts *f = certificate_facts(c);
    if (f->key_kind == KEY_UNSUPPORTED)
        return "its key is of a kind that is not accepted";
    if (public_key_kind_is_rsa(f->key_kind) &&
        (f->key_bits < PUBLIC_KEY_RSA_BITS_MIN || f->key_bits > PUBLIC_KEY_RSA_BITS_MAX))
        return "its RSA key is too short or too long: 2048 to 8192 bits are accepted";
    /* CA/Browser Forum BR 6.1.5. */
    if (public_key_kind_is_rsa(f->key_kind) && f->key_bits % 8)
        return "its RSA key is not of whole octets";
    return certificate_public_key(c) ? NULL : "its public key is not a valid one of its kind";
}

/* The signature on an anchor is not part of a path (RFC 5280 §6.1). */
static void check_strength(struct check *k, const struct certificate *c, enum place place)
{
    const char *weakness = weakness_of_key(c);
    if (weakness)
        path_check_note(k->path, PATH_WEAK_ALGORITHM, c, "%s", weakness);
    if (place != PLACE_ANCHOR && certificate_facts(c)->signature_algorithm <= SIGNATURE_WEAK)
        path_check_note(k->path, PATH_WEAK_ALGORITHM, c,
            "it is signed with an algorithm that is not accepted (SHA-1, MD5, ...)");
}

/* What is asked for the purposes of TLS; of others nothing. */
static const struct {
    unsigned extended; /* one of these */
    uint16_t usage;    /* of the leaf: one of these */
    const char *wrong;
} purposes[] = {
    /* A server signs, decrypts or agrees (RFC 5280 §4.2.1.3, RFC 5246 §7.4.2). */
    [PATH_SERVER] = {EXTENDED_SERVER | EXTENDED_ANY,
        USAGE_DIGITAL_SIGNATURE | USAGE_KEY_ENCIPHERMENT | USAGE_KEY_AGREEMENT,
        "it is not for TLS servers (keyUsage, or extendedKeyUsage without serverAuth)"},
    /* A client signs its CertificateVerify. */
    [PATH_CLIENT] = {EXTENDED_CLIENT | EXTENDED_ANY, USAGE_DIGITAL_SIGNATURE,
        "it is not for TLS clients (keyUsage, or extendedKeyUsage without clientAuth)"},
};

static bool is_for_tls(const struct check *k)
{
    return k->request->purpose == PATH_SERVER || k->request->purpose == PATH_CLIENT;
}

/* extendedKeyUsage restricts the leaf (RFC 5280 §4.2.1.12) and, as every verifier has it, what a CA
 * may issue for; an anchor only if it is the leaf itself. */
static void check_purpose(struct check *k, const struct certificate *c, enum place place)
{
    enum path_purpose purpose = k->request->purpose;
    const struct certificate_facts *f = certificate_facts(c);
    if (!is_for_tls(k) || place == PLACE_ANCHOR)
        return;
    if (!(f->extended_key_usage & purposes[purpose].extended) ||
        (place == PLACE_LEAF && !(f->key_usage & purposes[purpose].usage)))
        path_check_note(k->path, PATH_WRONG_USAGE, c, "%s", purposes[purpose].wrong);
}

/* The key of a CA signs certificates; nobody should hold it on a server. A self-signed certificate
 * that was itself made an anchor is what its operator wants. */
static void check_leaf(struct check *k)
{
    const struct certificate *leaf = k->path->at[0];
    bool is_its_own_anchor = k->path->n == 1 && k->path->has_anchor;
    if (certificate_facts(leaf)->is_ca && !is_its_own_anchor && is_for_tls(k))
        path_check_note(k->path, PATH_WRONG_USAGE, leaf,
            "it is a CA certificate, not one of a server or client");
}

/* ---- the path ---- */

static void check_issuers(struct check *k)
{
    const struct path *p = k->path;
    int below = 0; /* CAs that are not self-issued */
    for (size_t i = 1; i < p->n; i++) {
        const struct certificate_facts *f = certificate_facts(p->at[i]);
        if (!certificate_may_issue(p->at[i]))
            path_check_note(k->path, PATH_BAD_CA, p->at[i],
                f->is_ca ? "it may not sign certificates (keyUsage)" : "it is no CA");
        /* RFC 5280 §4.2.1.9: "the maximum number of non-self-issued intermediate certificates that
         * may follow this certificate". */
        if (f->path_length >= 0 && below > f->path_length)
            path_check_note(k->path, PATH_LENGTH, p->at[i],
                "it allows %d CAs below it, and has %d (pathLenConstraint)", f->path_length, below);
        below += !f->is_self_issued;
    }
}

/* Anchor and leaf do not count. */
static void check_depth(struct check *k)
{
    size_t ends = k->path->has_anchor ? 2 : 1;
    if (k->path->n > ends && k->path->n - ends > k->request->depth_max)
        path_check_note(k->path, PATH_DEPTH, NULL,
            "%zu intermediate certificates between leaf and trust anchor; at most %u are allowed",
            k->path->n - ends, k->request->depth_max);
}

static void check_names_below(struct check *k, size_t ca)
{
    const struct path *p = k->path;
    struct bytes constraints = certificate_facts(p->at[ca])->name_constraints;
    for (size_t i = ca; i-- > 0;) {
        struct certificate_name which;
        char name[100];
        /* RFC 5280 §4.2.1.10: "Name constraints are not applied to self-issued certificates (unless
         * the certificate is the final certificate in the path)." */
        if (i > 0 && certificate_facts(p->at[i])->is_self_issued)
            continue;
        switch (name_constraint_check(constraints, p->at[i], &k->budget->comparisons, &which)) {
        case NAME_CONSTRAINT_ALLOWS:
            continue;
        case NAME_CONSTRAINT_FORBIDS:
            name_format(&which, name, sizeof(name));
            path_check_note(k->path, PATH_NAME_CONSTRAINT, p->at[i],
                "%.80s does not allow %s (nameConstraints)",
                verdict_dn(certificate_subject(p->at[ca])), name);
            continue;
        case NAME_CONSTRAINT_UNDECIDED:
            path_check_note(
                k->path, PATH_LIMIT, p->at[i], "too many names and nameConstraints to compare");
            return;
        }
    }
}

/* Also those of the anchor (RFC 5937 §3.2): who wrote them into his CA means them. Not those of
 * whom nobody vouches for, who could make us compare a lot: they would explain nothing. */
static void check_names(struct check *k)
{
    const struct path *p = k->path;
    for (size_t i = p->vouched ? p->vouched : 1; i < p->n; i++) {
        struct bytes constraints = certificate_facts(p->at[i])->name_constraints;
        if (!constraints.at)
            continue;
        const char *fault = name_constraint_fault(constraints, &k->budget->comparisons);
        if (fault)
            path_check_note(k->path, PATH_NAME_CONSTRAINT, p->at[i], "%s", fault);
        else
            check_names_below(k, i);
    }
}

static void check_policies(struct check *k)
{
    const struct path *p = k->path;
    if (p->vouched)
        return;
    size_t n = p->has_anchor && p->n > 1 ? p->n - 1 : p->n;
    struct policy_fault fault = policy_set_check(p->at, n, &k->request->policies);
    if (fault.fault != PATH_FAULT_COUNT)
        path_check_note(k->path, fault.fault, p->at[fault.about], "%s", fault.text);
}

void path_check(struct path *path, const struct path_request *request, struct path_budget *budget)
{
    struct check k = {path, request, budget};
    for (size_t i = 0; i < path->n; i++) {
        bool is_anchor = path->has_anchor && i + 1 == path->n;
        enum place place = is_anchor ? PLACE_ANCHOR : i == 0 ? PLACE_LEAF : PLACE_BETWEEN;
        const struct certificate *c = path->at[i];
        check_flaws(&k, c, place);
        check_critical(&k, c);
        check_strength(&k, c, place);
        check_purpose(&k, c, i == 0 ? PLACE_LEAF : place);
    }
    check_leaf(&k);
    check_issuers(&k);
    check_depth(&k);
    check_names(&k);
    check_policies(&k);
}
