/* SPDX-License-Identifier: Apache-2.0 */
#include "differential_chain.h"

#include <openssl/evp.h>

#include "../unit/pki/forge.h"
#include "base/attributes.h"
#include "base/panic.h"
#include "pki/der.h"

#include "base/ban.h"

#define SIGNATURE_MAX 128
#define CHANGES_MAX   3

/* libFuzzer's interface; der_mutator.c has the one, this file the other. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);

/* What the good chains have besides: of the intermediate, and of the leaf. */
static const struct kind {
    struct forge_extension intermediate[6], leaf[6];
} kinds[] = {
    {{{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign,cRLSign"},
         {"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid"}},
        {{"subjectAltName", "DNS:*.server.example,DNS:other.example"},
            {"extendedKeyUsage", "serverAuth,clientAuth"},
            {"keyUsage", "critical,digitalSignature"}, {"authorityKeyIdentifier", "keyid"}}},
    {{{"basicConstraints", "critical,CA:TRUE,pathlen:0"}, {"keyUsage", "critical,keyCertSign"},
         {"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid"},
         {"nameConstraints",
             "critical,permitted;DNS:server.example,excluded;DNS:bad.server.example,permitted;IP:"
             "192.0.2.0/255.255.255.0,permitted;email:.example"}},
        {{"subjectAltName", "DNS:a.server.example,IP:192.0.2.7,email:a@b.example"},
            {"basicConstraints", "critical,CA:FALSE"}, {"authorityKeyIdentifier", "keyid"},
            {"keyUsage", "digitalSignature"}}},
    {{{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign"},
         {"certificatePolicies", "DER:300E300506032A0304300506032A0305"},
         {"policyConstraints", "requireExplicitPolicy:0"}, {"extendedKeyUsage", "serverAuth"},
         {"subjectKeyIdentifier", "hash"}},
        {{"subjectAltName", "critical,DNS:a.server.example,URI:spiffe://a/b"},
            {"certificatePolicies", "DER:3007300506032A0304"}, {"extendedKeyUsage", "serverAuth"},
            {"authorityKeyIdentifier", "keyid"}}},
};

struct member {
    const struct forged *forged;
    EVP_PKEY *signer; /* borrowed */
};

static const struct forged *root, *stranger;
static struct member made[COUNT_OF(kinds)][2]; /* leaf, intermediate */

static unsigned state;
static unsigned pick(unsigned n)
{
    state = state * 1103515245 + 12345;
    return (state >> 12) % n;
}

/* ---- the good ones ---- */

static struct member forge_member(
    const char *cn, const struct forged *issuer, const struct forge_extension *extensions)
{
    struct forge_request r = {.cn = cn, .issuer = issuer};
    memcpy(r.extensions, extensions, sizeof(r.extensions));
    return (struct member){forge_certificate(&r), issuer->key};
}

void differential_chain_prepare(void)
{
    root = forge_ca("Root", NULL);
    stranger = forge_ca("Root", NULL);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        made[i][1] = forge_member("Intermediate", root, kinds[i].intermediate);
        made[i][0] = forge_member("leaf", made[i][1].forged, kinds[i].leaf);
    }
}

void differential_chain_finish(void)
{
    forge_reset();
}

/* ---- changes ---- */

/* Octets of a value, for der_mutator.c. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max)
{
    size_t at = n ? pick((unsigned)n) : 0;
    switch (pick(5)) {
    case 0:
        if (n)
            data[at] ^= (uint8_t)(1u << pick(8));
        return n;
    case 1:
        if (n)
            data[at] = (uint8_t)pick(256);
        return n;
    case 2:
        if (n == max)
            return n;
        memmove(data + at + 1, data + at, n - at);
        data[at] = (uint8_t)pick(256);
        return n + 1;
    case 3:
        if (!n)
            return n;
        memmove(data + at, data + at + 1, n - at - 1);
        return n - 1;
    default:
        return at;
    }
}

static void set(struct buf *b, const uint8_t *at, size_t n)
{
    buf_clear(b);
    ASSERT(buf_append(b, (struct bytes){at, n}) == 0);
}

static void change(struct buf *der)
{
    static uint8_t space[CHAIN_DER_MAX];
    size_t n = buf_size(der);
    memcpy(space, buf_bytes(der).at, n);
    for (unsigned i = pick(4) ? 1 : CHANGES_MAX; i; i--)
        n = LLVMFuzzerCustomMutator(space, n, sizeof(space) - 1024, pick(1u << 20));
    set(der, space, n);
}

static void add_element(struct buf *out, uint8_t tag, struct bytes content)
{
    uint8_t head[] = {tag, 0x82, (uint8_t)(content.n >> 8), (uint8_t)content.n};
    const uint8_t small[] = {tag, (uint8_t)content.n}, middle[] = {tag, 0x81, (uint8_t)content.n};
    struct bytes chosen = content.n < 0x80    ? (struct bytes){small, sizeof(small)}
                          : content.n < 0x100 ? (struct bytes){middle, sizeof(middle)}
                                              : (struct bytes){head, sizeof(head)};
    ASSERT(buf_append(out, chosen) == 0 && buf_append(out, content) == 0);
}

/* With a signature of its signed part, as it is now; what is no certificate any more stays as it
 * is. */
static void sign(struct buf *der, EVP_PKEY *key)
{
    struct bytes whole = buf_bytes(der), fields, part, algorithm;
    if (!der_take(&whole, DER_SEQUENCE, &fields) || !der_take_whole(&fields, DER_SEQUENCE, &part) ||
        !der_take_whole(&fields, DER_SEQUENCE, &algorithm))
        return;
    uint8_t signature[SIGNATURE_MAX] = {0}; /* the first octet: no unused bits */
    size_t n = sizeof(signature) - 1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestSign(context, signature + 1, &n, part.at, part.n) == 1);
    EVP_MD_CTX_free(context);
    struct buf content, out;
    buf_init(&content, CHAIN_DER_MAX);
    buf_init(&out, CHAIN_DER_MAX);
    ASSERT(buf_append(&content, part) == 0 && buf_append(&content, algorithm) == 0);
    add_element(&content, DER_BIT_STRING, (struct bytes){signature, n + 1});
    add_element(&out, DER_SEQUENCE, buf_bytes(&content));
    set(der, buf_bytes(&out).at, buf_size(&out));
    buf_fini(&content);
    buf_fini(&out);
}

void differential_chain_make(struct chain *c, unsigned seed)
{
    state = seed * 2654435761u;
    const struct member *members = made[pick(COUNT_OF(made))];
    const struct forged *forged[CHAIN_LENGTH] = {members[0].forged, members[1].forged, root};
    for (size_t i = 0; i < CHAIN_LENGTH; i++) {
        buf_init(&c->at[i], CHAIN_DER_MAX);
        struct bytes der = certificate_der(forged[i]->certificate);
        set(&c->at[i], der.at, der.n);
    }
    size_t which = pick(2);
    EVP_PKEY *signer = pick(16) ? members[which].signer : stranger->key;
    change(&c->at[which]);
    if (pick(16))
        sign(&c->at[which], signer);
    c->is_swapped = !pick(16);
}

void differential_chain_free(struct chain *c)
{
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        buf_fini(&c->at[i]);
}
