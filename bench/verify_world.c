/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_world.h"

#include <openssl/evp.h>

#include "base/attributes.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "crypto/issue.h"
#include "crypto/native.h"
#include "pki/certificate.h"

#include "base/ban.h"

#define DAY             86400
#define CERTIFICATE_MAX 4096
#define CRL_MAX         (256u << 20)
#define SERIAL_SIZE     20
#define HEADER_MAX      6   /* identifier and length of an element */
#define ENTRY_MAX       64  /* octets of an entry of the CRL */
#define TAIL_MAX        256 /* signatureAlgorithm and signature */

static void make_member(struct world_member *m, enum issue_profile profile, const char *name,
    const struct world_member *issuer)
{
    struct error err;
    struct bytes names = BYTES("DNS:" WORLD_NAME);
    m->key = private_key_generate(KEY_EC_P256, &err);
    ASSERT(m->key);
    buf_init(&m->der, CERTIFICATE_MAX);
    struct issue_request request = {
        .profile = profile,
        .common_name = name,
        .names = &names,
        .names_n = profile == ISSUE_SERVER ? 1 : 0,
        .not_before = WORLD_NOW - DAY,
        .not_after = WORLD_NOW + DAY,
        .issuer = issuer ? buf_bytes(&issuer->der) : (struct bytes){0},
        .issuer_key = issuer ? issuer->key : NULL,
        .key = m->key,
    };
    if (issue_certificate(&request, &m->der, &err))
        panic("%s", err.text);
}

/* ---- a CRL, written from its end: so each length is known when its element is begun ---- */

struct writer {
    uint8_t *start, *at;
};

static void put(struct writer *w, struct bytes b)
{
    ASSERT((size_t)(w->at - w->start) >= b.n);
    w->at -= b.n;
    memcpy(w->at, b.at, b.n);
}

/* Identifier and length in front of what was written since END. */
static void wrap(struct writer *w, uint8_t tag, const uint8_t *end)
{
    size_t n = (size_t)(end - w->at);
    uint8_t header[HEADER_MAX];
    size_t at = HEADER_MAX;
    if (n < 0x80) {
        header[--at] = (uint8_t)n;
    } else {
        for (size_t rest = n; rest; rest >>= 8)
            header[--at] = (uint8_t)rest;
        size_t octets = HEADER_MAX - at;
        header[--at] = (uint8_t)(0x80 | octets);
    }
    header[--at] = tag;
    put(w, (struct bytes){header + at, HEADER_MAX - at});
}

/* revokedCertificates: random serials, revoked on one day, keyCompromise. */
static void put_entries(struct writer *w, size_t n)
{
    const uint8_t *end = w->at;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *entry_end = w->at;
        uint8_t serial[SERIAL_SIZE];
        random_fill(serial, sizeof(serial));
        serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
        put(w, BYTES("\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"));
        put(w, BYTES("\x17\x0d"
                     "261101000000Z"));
        const uint8_t *serial_end = w->at;
        put(w, (struct bytes){serial, sizeof(serial)});
        wrap(w, 0x02, serial_end);
        wrap(w, 0x30, entry_end);
    }
    wrap(w, 0x30, end);
}

/* AlgorithmIdentifier of ecdsa-with-SHA256 */
#define ECDSA_SHA256 BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")

static void put_signed_part(struct writer *w, struct bytes issuer, size_t entries)
{
    const uint8_t *end = w->at;
    put(w,
        BYTES("\xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x01")); /* number 1 */
    put_entries(w, entries);
    put(w, BYTES("\x17\x0d"
                 "270120000000Z"));
    put(w, BYTES("\x17\x0d"
                 "270110000000Z"));
    put(w, issuer);
    put(w, ECDSA_SHA256);
    put(w, BYTES("\x02\x01\x01"));
    wrap(w, 0x30, end);
}

static size_t sign(const struct private_key *key, struct bytes message, uint8_t *out, size_t n)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context &&
           EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, private_key_pkey(key)) == 1 &&
           EVP_DigestSign(context, out, &n, message.at, message.n) == 1);
    EVP_MD_CTX_free(context);
    return n;
}

/* signatureAlgorithm and signature of SIGNED_PART into OUT; their size. */
static size_t put_signature(
    const struct private_key *key, struct bytes signed_part, uint8_t out[TAIL_MAX])
{
    uint8_t signature[TAIL_MAX / 2] = {0}; /* its first octet: no unused bits */
    size_t n = 1 + sign(key, signed_part, signature + 1, sizeof(signature) - 1);
    uint8_t tail[TAIL_MAX];
    struct writer w = {tail, tail + sizeof(tail)};
    put(&w, (struct bytes){signature, n});
    wrap(&w, 0x03, tail + sizeof(tail));
    put(&w, ECDSA_SHA256);
    n = (size_t)(tail + sizeof(tail) - w.at);
    memcpy(out, w.at, n);
    return n;
}

static void make_crl(struct world *w, size_t entries)
{
    struct error err;
    struct certificate *issuer = certificate_parse(buf_bytes(&w->intermediate.der), &err);
    ASSERT(issuer);
    size_t room = entries * ENTRY_MAX + 4096;
    struct buf scratch;
    buf_init(&scratch, CRL_MAX);
    uint8_t *start = buf_space(&scratch, room), *end = start + room - TAIL_MAX;
    struct writer writer = {start, end};
    put_signed_part(&writer, certificate_facts(issuer)->subject, entries);
    end += put_signature(
        w->intermediate.key, (struct bytes){writer.at, (size_t)(end - writer.at)}, end);
    wrap(&writer, 0x30, end);
    buf_init(&w->crl, CRL_MAX);
    ASSERT(buf_append(&w->crl, (struct bytes){writer.at, (size_t)(end - writer.at)}) == 0);
    buf_fini(&scratch);
    certificate_unref(&issuer);
}

void verify_world_make(struct world *w, size_t crl_entries)
{
    make_member(&w->root, ISSUE_CA, "Root", NULL);
    make_member(&w->intermediate, ISSUE_INTERMEDIATE, "Intermediate", &w->root);
    for (size_t i = 0; i < COUNT_OF(w->leaves); i++)
        make_member(&w->leaves[i], ISSUE_SERVER, WORLD_NAME, &w->intermediate);
    make_crl(w, crl_entries);
}

static void free_member(struct world_member *m)
{
    private_key_unref(&m->key);
    buf_fini(&m->der);
}

void verify_world_free(struct world *w)
{
    free_member(&w->root);
    free_member(&w->intermediate);
    for (size_t i = 0; i < COUNT_OF(w->leaves); i++)
        free_member(&w->leaves[i]);
    buf_fini(&w->crl);
}
