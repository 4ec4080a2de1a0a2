/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ssl.h>

#include "test.h"
#include "tls/names.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

/* libssl knows IANA's names too: a second source for our table. */
TEST(suites_are_named_as_libssl_names_them)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);
    unsigned known = 0;
    for (unsigned id = 0; id <= UINT16_MAX; id++) {
        const unsigned char wire[2] = {(unsigned char)(id >> 8), (unsigned char)id};
        const SSL_CIPHER *theirs = SSL_CIPHER_find(ssl, wire);
        const char *ours = tlsconn_cipher_name((uint16_t)id);
        if (theirs && ours) {
            CHECK_TEXT(ours, SSL_CIPHER_standard_name(theirs));
            known++;
        }
    }
    CHECK(known > 30);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

TEST(numbers_without_a_name)
{
    CHECK(tlsconn_cipher_name(0x0a0a) == NULL);
    CHECK_TEXT(tlsconn_alert_name(255), "unknown");
    CHECK_TEXT(tlsconn_message_name(99), "unknown");
    CHECK(names_signature_scheme(0xffff) == NULL);
    CHECK(names_group(0x0a0a) == NULL);
    CHECK(names_version(0x0305) == NULL);
}

TEST(a_name_finds_its_number)
{
    CHECK_INT(names_find_signature_scheme("rsa_pss_pss_sha256"), 0x0809);
    CHECK_INT(names_find_group("secp384r1"), 0x0018);
    CHECK_INT(names_find_group("ed25519"), 0);
    CHECK_INT(names_find_signature_scheme(""), 0);
}

TEST(names_of_each_kind)
{
    CHECK_TEXT(tlsconn_alert_name(44), "certificate_revoked");
    CHECK_TEXT(tlsconn_alert_name(116), "certificate_required");
    CHECK_TEXT(tlsconn_message_name(1), "client_hello");
    CHECK_TEXT(tlsconn_message_name(16), "client_key_exchange");
    CHECK_TEXT(names_signature_scheme(0x0807), "ed25519");
    CHECK_TEXT(names_group(0x001d), "x25519");
    CHECK_TEXT(names_version(0x0304), "TLS 1.3");
}
