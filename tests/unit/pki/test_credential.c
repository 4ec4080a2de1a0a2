/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may get wrong about a certificate, its key and its staple, and what we say about
 * it. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "forge.h"
#include "pki/credential.h"
#include "test.h"

#define NOW FORGE_NOW
#define DAY FORGE_DAY

/* What loading these files reported, as text; "" where it was good. */
struct outcome {
    bool is_loaded;
    size_t errors, warnings, chain_n, ocsp_n;
    char text[2048];
};

static struct outcome load(
    struct bytes certificate, struct bytes key, struct bytes ocsp, enum path_purpose purpose)
{
    struct credential_files files = {
        .certificate = certificate,
        .key = key,
        .ocsp = ocsp,
        .certificate_path = "server.crt",
        .key_path = "server.key",
        .at = {"x.yaml", 1, 2},
        .key_at = {"x.yaml", 3, 4},
        .ocsp_at = {"x.yaml", 5, 6},
    };
    struct report report;
    report_init(&report);
    struct credential *c = credential_load(&files, purpose, NOW, &report);
    struct outcome out = {
        .is_loaded = c != NULL, .errors = report.errors, .warnings = report.warnings};
    if (c) {
        out.chain_n = c->chain.n;
        out.ocsp_n = c->ocsp.n;
        CHECK(private_key_matches(c->key, certificate_facts(c->chain.at[0])->spki));
    }
    /* Errors give no credential, and only errors do. */
    CHECK_INT(out.is_loaded, report.errors == 0);
    char *text = report_text(&report);
    snprintf(out.text, sizeof(out.text), "%s", text);
    free(text);
    credential_free(&c);
    CHECK(!c);
    report_fini(&report);
    return out;
}

static struct outcome load_server(struct bytes certificate, const struct forged *key)
{
    return load(certificate, forge_key_pem(key), BYTES(""), PATH_SERVER);
}

static void check_text(const struct outcome *o, const char *want)
{
    if (!strstr(o->text, want))
        printf("# got %s# want %s\n", o->text, want);
    CHECK(strstr(o->text, want));
}

TEST(good_ones_without_a_word)
{
    const struct forged *root = forge_ca("Root", NULL), *ca = forge_ca("CA", root),
                        *leaf = forge_leaf("a", ca, "DNS:a.example");
    const struct forged *direct = forge_leaf("b", root, "DNS:b.example");
    struct outcome o = load_server(forge_pem(leaf, ca, NULL), leaf);
    CHECK_TEXT(o.text, "");
    CHECK_INT(o.chain_n, 2);
    o = load_server(forge_pem(leaf, ca, root, NULL), leaf);
    CHECK_TEXT(o.text, "");
    CHECK_INT(o.chain_n, 3);
    o = load_server(forge_pem(direct, NULL), direct);
    CHECK_TEXT(o.text, "");
    o = load(forge_pem(direct, root, NULL), forge_key_pem(direct),
        forge_ocsp(root, direct, OCSP_GOOD), PATH_SERVER);
    CHECK_TEXT(o.text, "");
    CHECK(o.ocsp_n > 0);
    forge_reset();
}

TEST(the_key_of_another_certificate)
{
    const struct forged *ca = forge_ca("CA", NULL), *a = forge_leaf("a", ca, "DNS:a.example"),
                        *b = forge_leaf("b", ca, "DNS:b.example");
    struct outcome o = load_server(forge_pem(a, ca, NULL), b);
    check_text(&o, "x.yaml:3:4: server.key is not the key of server.crt (CN=a): give the key that");
    CHECK_INT(o.errors, 1);
    /* The leaf comes last. */
    o = load_server(forge_pem(ca, a, NULL), a);
    check_text(&o, "x.yaml:1:2: server.crt: certificate 2 (CN=a) is the one that server.key "
                   "belongs to, and must come first: put the "
                   "leaf first and each issuer after it; `sallyport pki convert --order` does it");
    forge_reset();
}

TEST(a_chain_out_of_order_or_with_a_gap)
{
    const struct forged *root = forge_ca("Root", NULL), *ca = forge_ca("CA", root),
                        *leaf = forge_leaf("a", ca, "DNS:a.example");
    struct outcome o = load_server(forge_pem(leaf, root, ca, NULL), leaf);
    check_text(&o, "x.yaml:1:2: server.crt: certificate 2 (CN=Root) is not the issuer of "
                   "certificate 1 (CN=a): put the leaf first and "
                   "each issuer after it; `sallyport pki convert --order` does it");
    CHECK_INT(o.errors, 1);
    o = load_server(forge_pem(leaf, root, NULL), leaf);
    check_text(&o, "certificate 2 (CN=Root) is not the issuer of certificate 1 (CN=a): the issuer "
                   "is not in the file; put");
    o = load_server(forge_pem(leaf, leaf, ca, NULL), leaf);
    check_text(&o, "certificate 2 (CN=a) is not the issuer of certificate 1 (CN=a): put");
    /* The same name, another key. */
    const struct forged *impostor = forge_ca("CA", root);
    o = load_server(forge_pem(leaf, impostor, NULL), leaf);
    check_text(&o, "certificate 2 (CN=CA) is not the issuer of certificate 1 (CN=a): the issuer is "
                   "not in the file");
    forge_reset();
}

TEST(files_that_are_something_else)
{
    const struct forged *ca = forge_ca("CA", NULL), *leaf = forge_leaf("a", ca, "DNS:a.example");
    struct outcome o = load(forge_key_pem(leaf), forge_pem(leaf, NULL), BYTES(""), PATH_SERVER);
    check_text(&o, "x.yaml:1:2: server.crt: ");
    check_text(&o, "x.yaml:3:4: server.key: ");
    CHECK_INT(o.errors, 2);
    o = load(BYTES(""), BYTES(""), BYTES(""), PATH_SERVER);
    CHECK_INT(o.errors, 2);
    forge_reset();
}

TEST(keys_that_nobody_accepts)
{
    const struct forged *ca = forge_ca("CA", NULL);
    const struct forged *weak = forge_certificate(&(struct forge_request){.cn = "weak",
        .issuer = ca,
        .rsa_bits = 1024,
        .extensions = {{"subjectAltName", "DNS:a.example"}}});
    struct outcome o = load_server(forge_pem(weak, NULL), weak);
    check_text(&o, "server.crt: the RSA key of CN=weak has 1024 bits; accepted: 2048 and more");
    const struct forged key = {.key = EVP_EC_gen("P-224")};
    const struct forged *odd = forge_certificate(&(struct forge_request){.cn = "odd",
        .issuer = ca,
        .key_of = &key,
        .extensions = {{"subjectAltName", "DNS:a.example"}}});
    o = load(forge_pem(odd, NULL), forge_key_pem(weak), (struct bytes){0}, PATH_SERVER);
    CHECK(
        strstr(o.text, "server.crt: the key of CN=odd is of a kind that TLS peers do not accept"));
    EVP_PKEY_free(key.key);
    forge_reset();
}

TEST(warnings_about_the_certificate)
{
    static const struct {
        struct forge_request request;
        enum path_purpose purpose;
        const char *want;
    } cases[] = {
        {{.cn = "a",
             .not_before = NOW - 9 * DAY,
             .not_after = NOW - DAY,
             .extensions = {{"subjectAltName", "DNS:a.example"}}},
            PATH_SERVER,
            "warning: x.yaml:1:2: server.crt: CN=a expired 2027-01-14T08:00:00Z: renew it"},
        {{.cn = "a", .not_before = NOW + DAY, .extensions = {{"subjectAltName", "DNS:a.example"}}},
            PATH_SERVER, "CN=a is not valid before 2027-01-16T08:00:00Z"},
        {{.cn = "a",
             .extensions = {{"subjectAltName", "DNS:a.example"},
                 {"extendedKeyUsage", "clientAuth"}}},
            PATH_SERVER,
            "CN=a is not for servers: peers will refuse it; issue it with extendedKeyUsage "
            "serverAuth"},
        {{.cn = "a", .extensions = {{"extendedKeyUsage", "serverAuth"}}}, PATH_CLIENT,
            "CN=a is not for clients: peers will refuse it; issue it with extendedKeyUsage "
            "clientAuth"},
        {{.cn = "a",
             .extensions = {{"subjectAltName", "DNS:a.example"}, {"keyUsage", "keyEncipherment"}}},
            PATH_SERVER,
            "CN=a may not sign handshakes: only TLS 1.2 with key_exchange: rsa can use it"},
        {{.cn = "a",
             .extensions = {{"subjectAltName", "DNS:a.example"}, {"keyUsage", "keyEncipherment"}}},
            PATH_CLIENT, "CN=a may not sign handshakes; issue it with keyUsage digitalSignature"},
        {{.cn = "a",
             .extensions = {{"subjectAltName", "DNS:a.example"},
                 {"basicConstraints", "critical,CA:TRUE"}}},
            PATH_SERVER, "CN=a is a CA's certificate"},
        {{.cn = "a"}, PATH_SERVER, "CN=a has no subjectAltName"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forge_request r = cases[i].request;
        r.issuer = forge_ca("CA", NULL);
        const struct forged *leaf = forge_certificate(&r);
        struct outcome o =
            load(forge_pem(leaf, NULL), forge_key_pem(leaf), BYTES(""), cases[i].purpose);
        CHECK_INT(o.errors, 0);
        CHECK_INT(o.warnings, 1);
        check_text(&o, cases[i].want);
        forge_reset();
    }
    /* A client needs no name. */
    const struct forged *client =
        forge_certificate(&(struct forge_request){.cn = "c", .issuer = forge_ca("CA", NULL)});
    struct outcome o = load(forge_pem(client, NULL), forge_key_pem(client), BYTES(""), PATH_CLIENT);
    CHECK_TEXT(o.text, "");
    forge_reset();
}

TEST(staples)
{
    const struct forged *ca = forge_ca("CA", NULL), *leaf = forge_leaf("a", ca, "DNS:a.example"),
                        *other = forge_leaf("b", ca, "DNS:b.example");
    struct bytes chain = forge_pem(leaf, ca, NULL), alone = forge_pem(leaf, NULL),
                 key = forge_key_pem(leaf);
    struct bytes good = forge_ocsp(ca, leaf, OCSP_GOOD);
    struct outcome o = load(chain, key, forge_ocsp(ca, leaf, OCSP_REVOKED), PATH_SERVER);
    CHECK_TEXT(o.text, "warning: x.yaml:5:6: the OCSP answer says that CN=a is revoked: issue a "
                       "new certificate\n");
    CHECK(o.is_loaded && o.ocsp_n > 0);
    o = load(chain, key, forge_ocsp(ca, leaf, OCSP_UNKNOWN), PATH_SERVER);
    CHECK_TEXT(o.text,
        "warning: x.yaml:5:6: the OCSP answer is not stapled: it says that the responder does not "
        "know CN=a\n");
    CHECK(o.is_loaded && o.ocsp_n == 0);
    o = load(chain, key, forge_ocsp(ca, other, OCSP_GOOD), PATH_SERVER);
    check_text(&o, "warning: x.yaml:5:6: the OCSP answer is not stapled: it says nothing about "
                   "this certificate; ");
    CHECK(o.is_loaded && o.ocsp_n == 0);
    o = load(alone, key, good, PATH_SERVER);
    CHECK_TEXT(o.text, "warning: x.yaml:5:6: the OCSP answer's signature cannot be checked: append "
                       "the certificate of CN=CA to server.crt\n");
    CHECK(o.ocsp_n > 0);
    o = load(alone, key, forge_ocsp(ca, other, OCSP_GOOD), PATH_SERVER);
    CHECK_INT(o.warnings, 2);
    CHECK(o.is_loaded && o.ocsp_n == 0);

    const struct bytes broken[] = {BYTES("x"), BYTES("garbage"),
        BYTES("-----BEGIN OCSP RESPONSE-----\n"), bytes_first(good, good.n - 1),
        bytes_skip(good, 1), BYTES("\x30\x80\x0a\x01\x00\x00\x00"), BYTES("\x30\x85\x0a\x01\x00"),
        BYTES("\x30\x03\x02\x01\x00")};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        o = load(chain, key, broken[i], PATH_SERVER);
        CHECK_INT(o.errors, 1);
        check_text(&o, "x.yaml:5:6: the file is no OCSP response; accepted: DER");
    }
    /* tryLater is an answer, if no good one. */
    o = load(chain, key, BYTES("\x30\x03\x0a\x01\x03"), PATH_SERVER);
    CHECK(o.is_loaded && o.warnings == 1);
    forge_reset();
}
