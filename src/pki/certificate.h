/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate — one X.509 certificate (RFC 5280 §4), parsed once by our own reader, immutable,
 * reference-counted.
 *
 * It is the handle by which a peer's chain travels from the TLS engine to pki/ to the access log:
 * nobody parses twice. The parser refuses what is not DER or not the syntax of RFC 5280 appendix A;
 * what is well-formed but against the profile becomes a set of flaws that the verifier judges.
 * Parsing does no arithmetic: the public key is made on the first use (certificate_public_key).
 *
 * Memory: slices and texts belong to the certificate and live as long as it does. Not for several
 * threads: texts and the key are made when they are first asked for.
 */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/public_key.h"

#define CERTIFICATE_SIZE_MAX       65536 /* octets of one certificate */
#define CERTIFICATE_EXTENSIONS_MAX 64
#define CERTIFICATE_NAMES_MAX      2048 /* GeneralNames of subjectAltName that are decoded at all */

struct certificate;

enum certificate_name_kind { NAME_DNS, NAME_IP, NAME_EMAIL, NAME_URI, NAME_DIRECTORY, NAME_OTHER };

/* One entry of subjectAltName (RFC 5280 §4.2.1.6), raw: may hold NUL or any other byte. IP: 4 or 16
 * octets; DIRECTORY: the Name, DER; OTHER: the whole GeneralName. */
struct certificate_name {
    enum certificate_name_kind kind;
    struct bytes value;
};

/* keyUsage (RFC 5280 §4.2.1.3), as der_named_bits gives it. */
enum key_usage {
    USAGE_DIGITAL_SIGNATURE = 1 << 0,
    USAGE_KEY_ENCIPHERMENT = 1 << 2,
    USAGE_KEY_AGREEMENT = 1 << 4,
    USAGE_KEY_CERT_SIGN = 1 << 5,
    USAGE_CRL_SIGN = 1 << 6,
};

/* extendedKeyUsage (RFC 5280 §4.2.1.12): those that matter here. */
enum extended_key_usage {
    EXTENDED_ANY = 1 << 0,
    EXTENDED_SERVER = 1 << 1,
    EXTENDED_CLIENT = 1 << 2,
    EXTENDED_OCSP_SIGNING = 1 << 3,
    EXTENDED_OTHER = 1 << 4, /* one or more that we do not know */
};

/* What RFC 5280 §4 forbids, though it can be parsed. X(symbol, what is wrong) in
 * pki/certificate_flaw.def. A set: CERTIFICATE_FLAW_BIT. */
enum certificate_flaw {
#define X(symbol, text) FLAW_##symbol,
#include "pki/certificate_flaw.def"
#undef X
    CERTIFICATE_FLAW_COUNT
};
#define CERTIFICATE_FLAW_BIT(flaw) (1u << (flaw))
const char *certificate_flaw_text(enum certificate_flaw f);

/* What it says. Slices of the DER; a slice with .at == NULL is absent. Times are seconds since 1970
 * UTC. */
struct certificate_facts {
    unsigned version;                   /* 1, 2, 3 */
    struct bytes serial;                /* content octets of the INTEGER */
    struct bytes issuer, subject;       /* Name, whole */
    uint64_t issuer_hash, subject_hash; /* dn_hash of them */
    struct bytes tbs, signature;        /* what is signed; the signature's octets */
    enum signature_algorithm signature_algorithm;
    int64_t not_before, not_after;
    struct bytes spki; /* SubjectPublicKeyInfo, whole */
    struct bytes key;  /* the octets of its subjectPublicKey */
    enum key_kind key_kind;
    unsigned key_bits;
    bool is_self_issued; /* subject and issuer are the same name (dn_equal) */

    const struct certificate_name *names; /* subjectAltName */
    size_t names_n;
    bool has_names, names_critical;

    bool has_basic_constraints, is_ca; /* §4.2.1.9 */
    int path_length;                   /* pathLenConstraint; -1: none */
    bool has_key_usage;                /* without it every usage is allowed */
    uint16_t key_usage; /* enum key_usage; all of them where the extension is absent */
    bool has_extended_key_usage;
    unsigned extended_key_usage; /* enum extended_key_usage; EXTENDED_ANY where it is absent */
    struct bytes subject_key_id, authority_key_id; /* the key identifiers: hints only */
    struct bytes name_constraints;                 /* extnValue's content: NameConstraints */
    struct bytes policies, policy_mappings, policy_constraints, inhibit_any_policy; /* likewise */
    struct bytes crl_distribution_points, freshest_crl;                             /* likewise */
    bool is_ocsp_no_check;         /* RFC 6960 §4.2.2.2.1 */
    struct bytes unknown_critical; /* OID of the first critical extension that we do not process */
    unsigned flaws;                /* set of CERTIFICATE_FLAW_BIT */
};

/* Parse one DER certificate that fills DER exactly; the bytes are copied. NULL and ERR on failure.
 */
struct certificate *certificate_parse(struct bytes der, struct error *err) MUST_USE;

struct certificate *certificate_ref(const struct certificate *c);
/* Drop one reference and set the pointer to NULL. */
void certificate_unref(struct certificate **c);

const struct certificate_facts *certificate_facts(const struct certificate *c);
struct bytes certificate_der(const struct certificate *c);

/* For people, made on first use. Names: "CN=alice,O=Example" (RFC 4514, most specific first),
 * printable ASCII only, everything else escaped; "" for an empty name. Serial: lower-case hex
 * without leading zeros, "-1a" if negative. sha256: of the DER, in lower-case hex. */
const char *certificate_subject(const struct certificate *c);
const char *certificate_issuer(const struct certificate *c);
const char *certificate_serial(const struct certificate *c);
const char *certificate_sha256(const struct certificate *c);
/* SHA-256 of the DER, likewise. */
const uint8_t *certificate_digest(const struct certificate *c);

/* Made on first use and kept. NULL if the key is not one that can be used (its certificate can
 * still be shown). */
const struct public_key *certificate_public_key(const struct certificate *c);

/* Is it a CA whose key may sign certificates? (RFC 5280 §6.1.4 (k), (n); a v1 certificate is none.)
 */
bool certificate_may_issue(const struct certificate *c);
bool certificate_equal(const struct certificate *a, const struct certificate *b);
/* Did ISSUER's name and key sign C? Costs a signature check. */
bool certificate_issued_by(const struct certificate *c, const struct certificate *issuer);

/* A list that owns one reference of each element. */
struct certificate_list {
    struct certificate **at;
    size_t n;
};
/* Adds a reference of its own. */
void certificate_list_add(struct certificate_list *l, const struct certificate *c);
/* All of FROM's, likewise. */
void certificate_list_add_all(struct certificate_list *l, const struct certificate_list *from);
void certificate_list_fini(struct certificate_list *l);

/* All certificates of a PEM text, in order; other PEM blocks are skipped. DER is taken too (one
 * certificate). -1 with the remedy if there is none, if one is broken, or if the file is evidently
 * PKCS#12 or PKCS#7
 * ("looks like PKCS#12; convert it with: sallyport pki convert …"). */
int certificate_list_parse(
    struct bytes file, struct certificate_list *out, struct error *err) MUST_USE;
/* The same for the system's trust store, which others put together: a certificate in it that cannot
 * be parsed vouches for nobody, and is left out. */
int certificate_list_parse_store(
    struct bytes file, struct certificate_list *out, struct error *err) MUST_USE;
