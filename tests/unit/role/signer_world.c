/* SPDX-License-Identifier: Apache-2.0 */
#include "role/signer_world.h"

#include <string.h>

#include "base/panic.h"
#include "config/archive.h"
#include "crypto/convert.h"
#include "pki/algorithm.h"

#include "base/ban.h"

#define CONFIG                                                                             \
    "listeners:\n"                                                                         \
    "- {name: web, protocol: TCP_SSL, address: 127.0.0.1:0, target_group: g,\n"            \
    "   tls: {engine: native},\n"                                                          \
    "   certificates: [{certificate: /c, key: /b-ec}, {certificate: /c, key: /broken}]}\n" \
    "- {name: rsa, protocol: TCP_SSL, address: 127.0.0.1:0, target_group: g,\n"            \
    "   tls: {engine: native, key_exchange: rsa}, certificates: [{certificate: /c, key: "  \
    "/d-rsa}]}\n"                                                                          \
    "- {name: libssl, protocol: TCP_SSL, address: 127.0.0.1:0, target_group: g,\n"         \
    "   tls: {engine: openssl}, certificates: [{certificate: /c, key: /libssl}]}\n"        \
    "target_groups:\n"                                                                     \
    "- {name: g, protocol: TCP_SSL, targets: [{address: 127.0.0.1:1}],\n"                  \
    "   tls: {engine: native, ca: [/ca], certificate: /c, key: /c-out}}\n"

const char *const signer_names[KEYS] = {"/b-ec", "/c-out", "/d-rsa"};
static const enum key_kind kinds[KEYS] = {KEY_EC_P256, KEY_ED25519, KEY_RSA};

static void must(bool is_so)
{
    if (!is_so)
        panic("the signer's world cannot be made");
}

static struct public_key *public_of(const struct private_key *k)
{
    struct buf spki;
    struct bytes key = {0};
    struct error err;
    enum key_kind kind = KEY_UNSUPPORTED;
    unsigned bits;
    buf_init(&spki, 4096);
    must(private_key_spki(k, &spki) == 0);
    must(algorithm_of_key(buf_bytes(&spki), &kind, &bits, &key));
    struct public_key *p = public_key_new(kind, key, &err);
    must(p != NULL);
    buf_fini(&spki);
    return p;
}

static void make_keys(struct signer_world *w, struct buf *files)
{
    struct error err;
    for (int i = 0; i < KEYS; i++) {
        struct buf der;
        buf_init(&der, 1 << 16);
        w->keys[i] = private_key_generate(kinds[i], &err);
        must(w->keys[i] && convert_key_der(w->keys[i], &der) == 0);
        must(archive_add(files, signer_names[i], buf_bytes(&der)) == 0);
        w->publics[i] = public_of(w->keys[i]);
        buf_fini(&der);
    }
    must(archive_add(files, "/broken", BYTES("no key")) == 0);
}

void signer_world_init(struct signer_world *w)
{
    struct buf archive, files;
    struct error err;
    buf_init(&archive, 1 << 20);
    buf_init(&files, 1 << 20);
    buf_init(&w->store, 1 << 20);
    buf_init(&w->table, 1 << 20);
    must(archive_add(&archive, ARCHIVE_CONFIG, BYTES(CONFIG)) == 0 &&
         archive_add(&archive, ARCHIVE_CONFIG_FILE, BYTES("c.yaml")) == 0 &&
         archive_add(&archive, ARCHIVE_CONFIG_FOLDER, BYTES("/")) == 0);
    make_keys(w, &files);
    must(key_store_make(buf_bytes(&archive), buf_bytes(&files), &w->store, &w->table, &err) == 0);
    buf_fini(&archive);
    buf_fini(&files);
    w->ring = keyring_new();
    keyring_add(w->ring, STORE_NUMBER, buf_bytes(&w->store));
}

void signer_world_fini(struct signer_world *w)
{
    keyring_free(&w->ring);
    for (int i = 0; i < KEYS; i++) {
        private_key_unref(&w->keys[i]);
        public_key_free(&w->publics[i]);
    }
    buf_fini(&w->store);
    buf_fini(&w->table);
}

/* ---- what TLS says ---- */

/* The octets that may be signed for a request of KIND. Empty: none. */
static struct bytes signable(uint16_t kind, struct bytes content)
{
    static uint8_t out[64 + 34 + 48];
    bool is_server = kind == SIGNING_SERVER_13;
    if (is_server || kind == SIGNING_CLIENT_13) {
        if (content.n > 48)
            return (struct bytes){0};
        memset(out, 0x20, 64);
        memcpy(out + 64,
            is_server ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify",
            34);
        memcpy(out + 98, content.at, content.n);
        return (struct bytes){out, 98 + content.n};
    }
    bool is_exchange = kind == SIGNING_SERVER_12 && content.n > 68 && content.at[64] == 3 &&
                       content.n == 68u + content.at[67];
    bool is_messages = kind == SIGNING_CLIENT_12 && content.n > 8 && content.at[0] == 1;
    return is_exchange || is_messages ? content : (struct bytes){0};
}

static enum signature_algorithm algorithm_of(uint16_t scheme)
{
    static const struct {
        uint16_t scheme;
        enum signature_algorithm algorithm;
    } rows[] = {{0x0403, SIGNATURE_ECDSA_SHA256}, {0x0503, SIGNATURE_ECDSA_SHA384},
        {0x0603, SIGNATURE_ECDSA_SHA512}, {0x0807, SIGNATURE_ED25519},
        {0x0804, SIGNATURE_RSA_PSS_SHA256}, {0x0805, SIGNATURE_RSA_PSS_SHA384},
        {0x0806, SIGNATURE_RSA_PSS_SHA512}, {0x0401, SIGNATURE_RSA_SHA256},
        {0x0501, SIGNATURE_RSA_SHA384}, {0x0601, SIGNATURE_RSA_SHA512}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].scheme == scheme)
            return rows[i].algorithm;
    return SIGNATURE_UNKNOWN;
}

bool signer_world_is_of_a_handshake(
    const struct signer_world *w, struct bytes request, const struct signing_answer *answer)
{
    struct signing_head head;
    memcpy(&head, request.at, sizeof(head));
    struct bytes may_be_signed = signable(head.kind, bytes_skip(request, sizeof(head)));
    if (head.store != STORE_NUMBER || head.key >= KEYS)
        return false;
    if (head.kind == SIGNING_PREMASTER)
        return head.key == TRANSPORT && head.number >= 0x0303 && answer->n == 48;
    bool is_by_server = head.kind == SIGNING_SERVER_13 || head.kind == SIGNING_SERVER_12;
    return may_be_signed.n && is_by_server == (head.key != OUT) &&
           public_key_verify(w->publics[head.key], algorithm_of(head.number), may_be_signed,
               (struct bytes){answer->at, answer->n});
}
