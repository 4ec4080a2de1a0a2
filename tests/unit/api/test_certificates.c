/* SPDX-License-Identifier: Apache-2.0 */
/* What the API keeps of a certificate, and what an input means for a listener. */
#include "api/certificates.h"
#include "crypto/sealed.h"
#include "issued.h"
#include "test.h"

#include "base/ban.h"

static struct issued ca, intermediate, server, rsa, other;
static struct sealing_key sealing;
static const struct surroundings around = {.sealing = &sealing};
static struct call call;

/* What was sealed last, and for what (crypto/test_sealed.c has the real one). */
static char sealed_text[4096], sealed_info[64];

int sealed_make(
    const struct sealing_key *key, struct bytes info, struct bytes plain, struct buf *out)
{
    CHECK(key == &sealing && plain.n < sizeof(sealed_text));
    snprintf(sealed_info, sizeof(sealed_info), "%.*s", BYTES_ARG(info));
    snprintf(sealed_text, sizeof(sealed_text), "%.*s", BYTES_ARG(plain));
    return buf_append(out, BYTES("sealed"));
}

__attribute__((constructor)) static void begin(void)
{
    issued_make(&ca, ISSUE_CA, KEY_EC_P256, "Root", NULL);
    issued_make(&intermediate, ISSUE_INTERMEDIATE, KEY_EC_P256, "Intermediate", &ca);
    issued_make(&server, ISSUE_SERVER, KEY_EC_P256, "www\n\"example", &intermediate);
    issued_make(&rsa, ISSUE_SERVER, KEY_RSA, "rsa.example", &intermediate);
    issued_make(&other, ISSUE_SERVER, KEY_EC_P256, "other.example", &intermediate);
}

__attribute__((destructor)) static void end(void)
{
    issued_fini(&ca);
    issued_fini(&intermediate);
    issued_fini(&server);
    issued_fini(&rsa);
    issued_fini(&other);
    model_free(&call.model);
}

static void new_call(void)
{
    model_free(&call.model);
    call = (struct call){.model = model_new(), .around = &around, .now_s = NOW};
}

static struct certificate_upload of_server(const struct issued *i)
{
    return (struct certificate_upload){.type = CERTIFICATE_SERVER,
        .certificate = issued_text(&i->pem),
        .key = issued_text(&i->key_pem),
        .alias = "alias",
        .certificate_field = "CertContent",
        .key_field = "CertKey"};
}

static struct certificate_upload of_ca(const struct issued *i)
{
    return (struct certificate_upload){.type = CERTIFICATE_CA,
        .certificate = issued_text(&i->pem),
        .alias = "ca",
        .certificate_field = "CertCaContent"};
}

static const char *member(const char *id, const char *name)
{
    const char *value =
        json_string_value(json_object_get(model_find(call.model, MODEL_CERTIFICATE, id), name));
    return value ? value : "(none)";
}

static void upload(const struct certificate_upload *u, char id[MODEL_ID_MAX])
{
    if (certificates_upload(&call, u, id) < 0)
        CHECK_TEXT(call.sentence.text, "(accepted)");
}

/* ---- upload ---- */

TEST(a_record_tells_what_the_certificate_says)
{
    char id[MODEL_ID_MAX];
    new_call();
    const struct certificate_upload u = of_server(&server);
    upload(&u, id);
    CHECK_INT(strlen(id), 8);
    CHECK_TEXT(member(id, "CertificateId"), id);
    CHECK_TEXT(member(id, "Alias"), "alias");
    CHECK_TEXT(member(id, "CertificateType"), "SVR");
    CHECK_TEXT(member(id, "Domain"), "www\\x0a\\x22example");
    CHECK_TEXT(member(id, "EncryptAlgorithm"), "ECC 256");
    CHECK_TEXT(member(id, "CertBeginTime"), "2027-01-14 08:00:00");
    CHECK_TEXT(member(id, "CertEndTime"), "2027-04-15 08:00:00");
    const json_t *names =
        json_object_get(model_find(call.model, MODEL_CERTIFICATE, id), "SubjectAltName");
    CHECK_INT(json_array_size(names), 2);
    CHECK_TEXT(json_string_value(json_array_get(names, 1)), "192.0.2.1");
}

/* Not even if it stands among the certificates. */
TEST(a_private_key_is_kept_sealed_only)
{
    char id[MODEL_ID_MAX], info[32];
    struct buf both;
    new_call();
    buf_init(&both, 1 << 16);
    ASSERT(buf_printf(&both, "%s%s", issued_text(&server.key_pem), issued_text(&server.pem)) == 0 &&
           buf_append(&both, (struct bytes){(const uint8_t *)"", 1}) == 0);
    struct certificate_upload u = of_server(&server);
    u.certificate = issued_text(&both);
    upload(&u, id);
    char *kept = json_dumps(model_find(call.model, MODEL_CERTIFICATE, id), 0);
    CHECK(strstr(kept, "BEGIN CERTIFICATE") && !strstr(kept, "PRIVATE KEY"));
    free(kept);
    CHECK_TEXT(member(id, "SealedKey"), "c2VhbGVk");
    snprintf(info, sizeof(info), "api:/%s.key", id);
    CHECK_TEXT(sealed_info, info);
    CHECK_TEXT(sealed_text, issued_text(&server.key_pem));
    buf_fini(&both);
}

TEST(a_chain_is_put_in_order)
{
    char id[MODEL_ID_MAX];
    struct buf pem;
    new_call();
    buf_init(&pem, 1 << 16);
    ASSERT(buf_printf(&pem, "%s%s%s", issued_text(&ca.pem), issued_text(&intermediate.pem),
               issued_text(&server.pem)) == 0 &&
           buf_append(&pem, (struct bytes){(const uint8_t *)"", 1}) == 0);
    struct certificate_upload u = of_server(&server);
    u.certificate = issued_text(&pem);
    upload(&u, id);
    const char *kept = member(id, "PublicKey");
    CHECK(strncmp(kept, issued_text(&server.pem), strlen(issued_text(&server.pem))) == 0);
    buf_fini(&pem);
}

/* What is wrong, by name; and then nothing is kept. */
static void refuse(const struct certificate_upload *u, enum api_error error, const char *sentence)
{
    char id[MODEL_ID_MAX];
    new_call();
    CHECK_INT(certificates_upload(&call, u, id), -1);
    CHECK_INT(call.error, error);
    if (!strstr(call.sentence.text, sentence))
        CHECK_TEXT(call.sentence.text, sentence);
    CHECK_INT(model_count(call.model, MODEL_CERTIFICATE), 0);
}

TEST(what_cannot_be_used_is_not_kept)
{
    struct certificate_upload u = of_server(&server);
    u.certificate = "hello";
    refuse(&u, API_ERROR_CERTIFICATE_INVALID, "CertContent: ");
    u = of_server(&server);
    u.key = issued_text(&other.key_pem);
    refuse(&u, API_ERROR_CERTIFICATE_MISMATCH, "CertKey is not the key of CertContent");
    u.key = NULL;
    refuse(&u, API_ERROR_MISSING, "CertKey is missing");
    u.key = issued_text(&server.pem);
    refuse(&u, API_ERROR_CERTIFICATE_KEY, "CertKey: ");
    u = of_ca(&server);
    refuse(&u, API_ERROR_CERTIFICATE_CA, "certificate 1");
    u = of_ca(&ca);
    u.crl = issued_text(&ca.pem);
    refuse(&u, API_ERROR_VALUE, "CertCaCrl: ");
}

TEST(certificates_of_two_chains_are_refused)
{
    struct buf pem;
    buf_init(&pem, 1 << 16);
    ASSERT(buf_printf(&pem, "%s%s", issued_text(&server.pem), issued_text(&other.pem)) == 0 &&
           buf_append(&pem, (struct bytes){(const uint8_t *)"", 1}) == 0);
    struct certificate_upload u = of_server(&server);
    u.certificate = issued_text(&pem);
    refuse(&u, API_ERROR_CERTIFICATE_CHAIN, "is not part of the chain of");
    buf_fini(&pem);
}

/* ---- choice ---- */

static char server_id[MODEL_ID_MAX], rsa_id[MODEL_ID_MAX], other_id[MODEL_ID_MAX],
    ca_id[MODEL_ID_MAX];

static void new_call_with_certificates(void)
{
    new_call();
    struct certificate_upload u = of_server(&server);
    upload(&u, server_id);
    u = of_server(&rsa);
    upload(&u, rsa_id);
    u = of_server(&other);
    upload(&u, other_id);
    u = of_ca(&ca);
    upload(&u, ca_id);
}

/* SERVER, RSA, OTHER and CA in FORMAT are the ids. NULL: NULL. */
static json_t *with_ids(const char *format)
{
    static const struct {
        const char *name, *id;
    } ids[] = {{"SERVER", server_id}, {"RSA", rsa_id}, {"OTHER", other_id}, {"CA_", ca_id}};
    char json[1024], *at;
    if (!format)
        return NULL;
    snprintf(json, sizeof(json), "%s", format);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        while ((at = strstr(json, ids[i].name))) {
            size_t n = strlen(ids[i].name);
            memmove(at + 8, at + n, strlen(at + n) + 1);
            memcpy(at, ids[i].id, 8);
        }
    json_t *value = json_loads(json, 0, NULL);
    ASSERT(value);
    return value;
}

/* What INPUT (or MULTI) after BEFORE gives is WANT, or the refusal says so. */
static void choose(const char *before, const char *input, const char *multi, const char *want)
{
    json_t *old = with_ids(before), *in = with_ids(input), *all = with_ids(multi);
    json_t *got = certificates_choose(&call, in, all, old), *wanted = NULL;
    if (got && *want == '{' && !json_equal(got, wanted = with_ids(want))) {
        char *shown = json_dumps(got, 0);
        CHECK_TEXT(shown, want);
        free(shown);
    } else if (!got && !strstr(call.sentence.text, want)) {
        CHECK_TEXT(call.sentence.text, want);
    }
    CHECK_INT(!!got, *want == '{');
    json_decref(old);
    json_decref(in);
    json_decref(all);
    json_decref(got);
    json_decref(wanted);
}

#define ONE_WAY(id, others)                                                              \
    "{\"SSLMode\":\"UNIDIRECTIONAL\",\"CertId\":\"" id "\",\"ExtCertIds\":[" others "]," \
    "\"SSLVerifyClient\":null,\"CertCaId\":null,\"ClientNames\":null,\"Revocation\":null}"
#define MUTUAL(verify, names)                                                              \
    "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"ExtCertIds\":[],\"SSLVerifyClient\":" \
    "\"" verify "\",\"CertCaId\":\"CA_\",\"ClientNames\":[" names "],\"Revocation\":null}"
#define NAMES(name)                                                       \
    "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\"," \
    "\"ClientNames\":[\"" name "\"]}"

static const struct {
    const char *before, *input, *multi, *want;
} choices[] = {
    {NULL, "{\"CertId\":\"SERVER\"}", NULL, ONE_WAY("SERVER", "")},
    {NULL, "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\"}", NULL,
        MUTUAL("ON", "")},
    {NULL,
        "{\"SSLMode\":\"MUTUAL\",\"SSLVerifyClient\":\"OPTIONAL\",\"CertId\":\"SERVER\","
        "\"CertCaId\":\"CA_\",\"ClientNames\":[\"DNS:*.fleet.example\"]}",
        NULL, MUTUAL("OPTIONAL", "\"DNS:*.fleet.example\"")},
    /* a client that renews a certificate, and says nothing else, opens nothing */
    {MUTUAL("OPTIONAL", "\"IP:192.0.2.1\""), "{\"CertId\":\"SERVER\"}", NULL,
        MUTUAL("OPTIONAL", "\"IP:192.0.2.1\"")},
    {MUTUAL("ON", "\"IP:192.0.2.1\""), "{\"ClientNames\":[]}", NULL, MUTUAL("ON", "")},
    {MUTUAL("ON", ""), "{\"SSLMode\":\"UNIDIRECTIONAL\"}", NULL, ONE_WAY("SERVER", "")},
    {ONE_WAY("SERVER", "\"RSA\""), "{\"SSLMode\":\"UNIDIRECTIONAL\"}", NULL,
        ONE_WAY("SERVER", "\"RSA\"")},
    {ONE_WAY("SERVER", ""), "{\"SSLMode\":\"MUTUAL\"}", NULL, "CertCaId is missing"},
    {NULL, NULL,
        "{\"SSLMode\":\"UNIDIRECTIONAL\",\"CertList\":[{\"CertId\":\"SERVER\"},{\"CertId\":"
        "\"RSA\"}]}",
        ONE_WAY("SERVER", "\"RSA\"")},
    {NULL, NULL,
        "{\"SSLMode\":\"MUTUAL\",\"CertList\":[{\"CertId\":\"CA_\"},{\"CertId\":\"SERVER\"}]}",
        MUTUAL("ON", "")},
    {NULL, NULL, "{\"SSLMode\":\"MUTUAL\",\"CertList\":[{\"CertId\":\"SERVER\"}]}",
        "has no CA certificate"},
    {NULL, NULL, "{\"SSLMode\":\"MUTUAL\",\"CertList\":[{\"CertId\":\"CA_\"}]}",
        "has no server's certificate"},
    {NULL, NULL,
        "{\"SSLMode\":\"UNIDIRECTIONAL\",\"CertList\":[{\"CertId\":\"SERVER\"},{\"CertId\":"
        "\"OTHER\"}]}",
        "of the same algorithm"},
    {NULL, NULL, "{\"SSLMode\":\"UNIDIRECTIONAL\",\"CertList\":[{\"CertId\":\"CA_\"}]}",
        "under SSLMode MUTUAL only"},
    {NULL, NULL, "{\"SSLMode\":\"UNIDIRECTIONAL\",\"CertList\":[{}]}",
        "either CertId or CertContent"},
    {NULL, NULL, NULL, "one is needed, and one only"},
    {NULL, "{\"CertId\":\"SERVER\"}", "{\"CertList\":[]}", "one is needed, and one only"},
    {NULL, "{}", NULL, "CertId is missing"},
    {NULL, "{\"CertId\":\"nobody00\"}", NULL, "there is no certificate nobody00"},
    {NULL, "{\"CertId\":\"CA_\"}", NULL, "is a certificate of a CA"},
    {NULL, "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"RSA\"}", NULL,
        "is a certificate of a server"},
    {NULL, "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\"}", NULL, "CertCaId is missing"},
    {NULL, "{\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\"}", NULL,
        "CertCaId says who may enter, and under SSLMode UNIDIRECTIONAL no client is asked"},
    {NULL, "{\"CertId\":\"SERVER\",\"ClientNames\":[\"DNS:a\"]}", NULL, "ClientNames says who"},
    {NULL, "{\"CertId\":\"SERVER\",\"SSLVerifyClient\":\"ON\"}", NULL, "SSLVerifyClient says"},
    {NULL, "{\"CertId\":\"SERVER\",\"CertContent\":\"x\"}", NULL, "exclude each other"},
    {NULL, "{\"CertKey\":\"x\"}", NULL, "CertKey belongs to CertContent"},
    {NULL, "{\"CertContent\":\"x\",\"CertKey\":\"x\"}", NULL, "CertName is missing"},
    {NULL,
        "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\",\"CertCaCrl\":\"x\"}",
        NULL, "CertCaCrl belongs to CertCaContent"},
    {NULL, NAMES("x"), NULL, "ClientNames: \"x\" is not a client name"},
    {NULL, NAMES("DNS:*"), NULL,
        "ClientNames: \"DNS:*\" is not a name to look for; accepted: DNS:"},
    {NULL, NAMES("EMAIL:@"), NULL,
        "ClientNames: \"EMAIL:@\" is not a name to look for; accepted: EMAIL:"},
    {NULL, NAMES("URI:*"), NULL,
        "ClientNames: \"URI:*\" is not a name to look for; accepted: URI:"},
    {NULL,
        "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\",\"Revocation\":{"
        "\"Policy\":\"SOFT\"}}",
        NULL, "has no CRLs"},
    {NULL,
        "{\"SSLMode\":\"MUTUAL\",\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\",\"Revocation\":{"
        "\"Policy\":\"GRACE\"}}",
        NULL, "Policy GRACE needs it"},
};

TEST(an_input_means)
{
    new_call_with_certificates();
    for (size_t i = 0; i < COUNT_OF(choices); i++)
        choose(choices[i].before, choices[i].input, choices[i].multi, choices[i].want);
}

TEST(what_is_inline_is_uploaded)
{
    new_call();
    json_t *input = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "SSLMode", "MUTUAL", "CertContent",
        issued_text(&server.pem), "CertKey", issued_text(&server.key_pem), "CertName", "mine",
        "CertCaContent", issued_text(&ca.pem), "CertCaName", "theirs");
    json_t *got = certificates_choose(&call, input, NULL, NULL);
    CHECK(got);
    CHECK_INT(model_count(call.model, MODEL_CERTIFICATE), 2);
    CHECK_TEXT(member(json_string_value(json_object_get(got, "CertCaId")), "Alias"), "theirs");
    CHECK_TEXT(member(json_string_value(json_object_get(got, "CertId")), "Alias"), "mine");
    json_decref(input);
    json_decref(got);
}

/* ---- who uses it ---- */

static void count(void *owner, const struct certificate_use *use)
{
    int *counts = owner;
    counts[use->rule != NULL]++;
}

TEST(uses_are_found_everywhere)
{
    int counts[2] = {0};
    new_call();
    model_put(call.model, MODEL_LISTENER, "lbl-1",
        json_loads("{\"Certificate\":{\"CertId\":\"a\",\"ExtCertIds\":[\"x\"]},\"Rules\":["
                   "{\"Certificate\":{\"CertCaId\":\"x\"}},{\"TargetTls\":{\"CertId\":\"x\"}},"
                   "{\"Certificate\":null}]}",
            0, NULL));
    certificates_each_use(call.model, "x", count, counts);
    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 2);
}
