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

/* No two numbers of a kind have a name in common, and each is found by its own. */
TEST(a_name_is_that_of_one_number)
{
    const char *(*const octets[])(uint8_t) = {tlsconn_alert_name, tlsconn_message_name};
    for (size_t i = 0; i < 2; i++)
        for (unsigned a = 0; a < 256; a++)
            for (unsigned b = 0; b < a; b++) {
                const char *name = octets[i]((uint8_t)a);
                CHECK(strcmp(name, "unknown") == 0 || strcmp(name, octets[i]((uint8_t)b)) != 0);
            }
    for (unsigned n = 0; n <= UINT16_MAX; n++) {
        const char *scheme = names_signature_scheme((uint16_t)n), *group = names_group((uint16_t)n);
        CHECK(!scheme || names_find_signature_scheme(scheme) == n);
        CHECK(!group || names_find_group(group) == n);
    }
}

/* TLSv1.3, as in access logs; none of a version that is not spoken. */
TEST(versions_as_tokens)
{
    CHECK_TEXT(names_version_token(TLS_1_3), "TLSv1.3");
    CHECK_TEXT(names_version_token(TLS_1_2), "TLSv1.2");
    CHECK_TEXT(names_version_token(0x0302), "");
}
