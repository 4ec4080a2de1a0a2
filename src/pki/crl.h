/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl — certificate revocation lists (RFC 5280 §5), compiled once into a compact index.
 *
 *   crl_compile   a CRL in DER → one run of bytes without pointers: its facts, a digest of what is
 *                 signed, and a hash table of its entries. Linear in the CRL; done by the loader,
 * once. crl_open      that run of bytes → struct crl. Costs nothing; every worker opens the same
 * shared pages, read-only.
 *
 * What is trusted in an index is that we made it: its digest and its entries are believed to belong
 * together. So an index is opened only where it comes from this program (the generation's archive),
 * and a file that an operator names is always parsed.
 *
 * The index takes the octets of the longest serial plus 4 for each entry, and one 32-bit number for
 * every 8 entries: 10^6 entries with serials of 20 octets stay below 24 MiB. A lookup reads one
 * bucket.
 *
 * Memory: a struct crl borrows the compiled bytes, or owns them if crl_list_parse made them. Not
 * for several threads: texts are made when they are first asked for, and who signed is remembered.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "crypto/public_key.h"
#include "pki/certificate.h"

#define CRL_SIZE_MAX       (256u << 20)
#define CRL_INDEX_SIZE_MAX (512u << 20)

struct crl;

/* onlySomeReasons and the reasons that a scope covers (RFC 5280 §4.2.1.13 ReasonFlags), bit 1
 * (keyCompromise) to bit 8. */
#define CRL_ALL_REASONS 0x1fe

enum crl_scope {
    CRL_SCOPE_ALL,
    CRL_SCOPE_USERS,       /* onlyContainsUserCerts */
    CRL_SCOPE_AUTHORITIES, /* onlyContainsCACerts */
    CRL_SCOPE_ATTRIBUTES   /* onlyContainsAttributeCerts: of no use here */
};

struct crl_facts {
    struct bytes issuer;           /* Name, whole */
    uint64_t issuer_hash;          /* its dn_hash */
    struct bytes authority_key_id; /* a hint */
    struct bytes number;           /* cRLNumber: octets without leading zeros; .at NULL: none */
    struct bytes base_number;      /* BaseCRLNumber of a delta CRL (§5.2.4); .at NULL: complete */
    int64_t this_update;
    int64_t next_update; /* 0: none given */
    enum signature_algorithm signature_algorithm;
    /* issuingDistributionPoint (§5.2.5) */
    bool has_distribution_point;
    struct bytes distribution_point; /* DistributionPointName, whole; .at NULL: none in it */
    enum crl_scope scope;
    unsigned only_some_reasons; /* 0: all */
    bool is_indirect;
    /* OID of an extension of the list or of an entry that is critical and not understood, or not
     * marked as RFC 5280 wants it; such a CRL may only condemn (§5.2, §5.3) */
    struct bytes unknown_critical;
    size_t entries;
};

/* Append the index of the CRL in DER to OUT. -1 and ERR, which says what is wrong with the CRL. */
int crl_compile(struct bytes der, struct buf *out, struct error *err) MUST_USE;
/* Open an index, which must fill COMPILED. NULL and ERR if it is damaged. */
struct crl *crl_open(struct bytes compiled, struct error *err) MUST_USE;
/* The two in one: the CRL owns its index. */
struct crl *crl_make(struct bytes der, struct error *err) MUST_USE;
void crl_free(struct crl **c);

/* Call F with the DER of every CRL of FILE: PEM (several) or DER (one). -1 with the remedy if there
 * is none, if FILE is evidently something else, or if F fails. The DER is valid during the call. */
typedef int crl_der_fn(void *owner, struct bytes der, struct error *err);
int crl_each_der(struct bytes file, crl_der_fn *f, void *owner, struct error *err) MUST_USE;

struct crl_list {
    struct crl **at;
    size_t n;
};
/* Every CRL of FILE, compiled and opened. */
int crl_list_parse(struct bytes file, struct crl_list *out, struct error *err) MUST_USE;
/* The same as one run of indexes, appended to OUT; crl_list_open opens such a run. */
int crl_list_compile(struct bytes file, struct buf *out, struct error *err) MUST_USE;
int crl_list_open(struct bytes compiled, struct crl_list *out, struct error *err) MUST_USE;
/* Moves the elements of FROM to the end of L. */
void crl_list_append(struct crl_list *l, struct crl_list *from);
void crl_list_fini(struct crl_list *l);

const struct crl_facts *crl_facts(const struct crl *c);
/* For people, made on first use: the issuer as certificate_subject, the number in decimal or "". */
const char *crl_issuer(const struct crl *c);
const char *crl_number(const struct crl *c);
/* The bytes of its index. */
struct bytes crl_compiled(const struct crl *c);
/* SHA-256 of its DER: 32 octets. */
struct bytes crl_digest(const struct crl *c);
/* Are both by the same issuer and key, and about the same certificates and reasons? A delta CRL and
 * the complete one that it belongs to are (RFC 5280 §5.2.4). */
bool crl_has_same_scope(const struct crl *a, const struct crl *b);
/* < 0: A is the smaller number; as cRLNumber and BaseCRLNumber are in the facts. */
int crl_compare_numbers(struct bytes a, struct bytes b);
/* < 0: A is older than B, by cRLNumber, else by thisUpdate. */
int crl_compare_age(const struct crl *a, const struct crl *b);
/* Is ISSUER of the CRL's issuer's name, may it sign CRLs (RFC 5280 §6.3.3 (f)), and does its key
 * verify the signature? One check over the digest, whatever the size; remembered for the last few
 * keys. */
bool crl_signed_by(const struct crl *c, const struct certificate *issuer);

struct crl_entry {
    int64_t revoked_at; /* to the minute */
    unsigned reason;    /* CRLReason (§5.3.1); 0: unspecified, or none given */
};
/* The entry for SERIAL (content octets of the INTEGER), whose certificate was issued by ISSUER
 * (matters in an indirect CRL, §5.3.3); removeFromCRL entries are found too. */
bool crl_find(const struct crl *c, struct bytes serial, struct bytes issuer, struct crl_entry *out);

/* Call F for every entry of the CRL in DER, in order; false from F stops. For showing it and
 * editing it. -1 as crl_compile. */
typedef bool crl_entry_fn(void *owner, struct bytes serial, int64_t revoked_at, unsigned reason);
int crl_each_entry(struct bytes der, crl_entry_fn *f, void *owner, struct error *err) MUST_USE;
