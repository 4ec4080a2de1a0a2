/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on certificates: what they tell, and each way in which they are refused. */
#include "actions.h"
#include "api/certificates.h"
#include "crypto/sealed.h"
#include "issued.h"

#include "base/ban.h"

static struct issued ca, other_ca, server, other, client;
static struct sealing_key sealing;
static char server_id[16], other_id[16], ca_id[16], other_ca_id[16];

/* crypto/test_sealed.c has the real one. */
int sealed_make(
    const struct sealing_key *key, struct bytes info, struct bytes plain, struct buf *out)
{
    return buf_append(out, BYTES("sealed"));
}

__attribute__((constructor)) static void make_certificates(void)
{
    issued_make(&ca, ISSUE_CA, KEY_EC_P256, "Root", NULL);
    issued_make(&other_ca, ISSUE_CA, KEY_EC_P256, "Other", NULL);
    issued_make(&server, ISSUE_SERVER, KEY_EC_P256, "www.example", &ca);
    issued_make(&other, ISSUE_SERVER, KEY_EC_P256, "*.other.example", &ca);
    issued_make(&client, ISSUE_CLIENT, KEY_EC_P256, "client", &ca);
}

__attribute__((destructor)) static void end(void)
{
    issued_fini(&ca);
    issued_fini(&other_ca);
    issued_fini(&server);
    issued_fini(&other);
    issued_fini(&client);
    model_free(&model);
}

static const char *ssl(const char *name, const char *request)
{
    return actions_do(SERVICE_SSL, name, request);
}

/* FORMAT with ids for SERVER, OTHER, CA_ and 2CA, and PEM for %s. */
static const char *fill(const char *format, const char *pem)
{
    static char text[65536];
    static const struct {
        const char *name, *id;
    } ids[] = {{"SERVER", server_id}, {"OTHER", other_id}, {"CA_", ca_id}, {"2CA", other_ca_id}};
    size_t n = 0;
    for (const char *at = format; *at;) {
        size_t i = 0;
        while (i < COUNT_OF(ids) && strncmp(at, ids[i].name, strlen(ids[i].name)) != 0)
            i++;
        if (i < COUNT_OF(ids)) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", ids[i].id);
            at += strlen(ids[i].name);
        } else if (strncmp(at, "%s", 2) == 0) {
            for (const char *p = pem; *p; p++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, *p == '\n' ? "\\n" : "%c", *p);
            at += 2;
        } else {
            text[n++] = *at++;
        }
    }
    text[n] = '\0';
    return text;
}

static void upload(const struct issued *i, bool is_ca, const char *alias, char id[16])
{
    json_t *request = json_pack("{s:s, s:s, s:s}", "CertificatePublicKey", issued_text(&i->pem),
        "CertificateType", is_ca ? "CA" : "SVR", "Alias", alias);
    if (!is_ca)
        json_object_set_new(
            request, "CertificatePrivateKey", json_string(issued_text(&i->key_pem)));
    char *text = json_dumps(request, 0);
    const char *told = ssl("UploadCertificate", text);
    const char *at = strstr(told, "\"CertificateId\":\"");
    ASSERT(at);
    snprintf(id, 16, "%.8s", at + strlen("\"CertificateId\":\""));
    free(text);
    json_decref(request);
}

static void begin(void)
{
    around.sealing = &sealing;
    model_free(&model);
    model = model_new();
    upload(&server, false, "first", server_id);
    upload(&other, false, "second", other_id);
    upload(&ca, true, "clients", ca_id);
    upload(&other_ca, true, "others", other_ca_id);
}

/* A listener whose certificate is SERVER and whose clients are those of CA_; a rule that has OTHER.
 */
static void bind(void)
{
    model_put(model, MODEL_LISTENER, "lbl-1",
        json_loads(fill("{\"ListenerId\":\"lbl-1\",\"LoadBalancerId\":\"lb-1\",\"Certificate\":{"
                        "\"CertId\":\"SERVER\",\"CertCaId\":\"CA_\",\"ExtCertIds\":[]},\"Rules\":[{"
                        "\"Certificate\":{\"CertId\":\"OTHER\",\"ExtCertIds\":[\"SERVER\"]}}]}",
                       ""),
            0, NULL));
    model_keep(model);
}

/* ---- telling ---- */

static json_t *ask(const char *name, const char *request)
{
    enum api_error error;
    json_t *told = actions_ask(SERVICE_SSL, name, fill(request, ""), &error);
    ASSERT(told);
    return told;
}

TEST(the_detail_tells_the_certificate_and_never_its_key)
{
    begin();
    json_t *told = ask("DescribeCertificateDetail", "{\"CertificateId\":\"SERVER\"}");
    CHECK_TEXT(document_text(told, "CertificatePublicKey"), issued_text(&server.pem));
    CHECK(json_is_null(json_object_get(told, "CertificatePrivateKey")));
    CHECK(!json_object_get(told, "SealedKey") && !json_object_get(told, "PublicKey"));
    CHECK_TEXT(document_text(told, "CertificateType"), "SVR");
    CHECK_INT(document_integer(told, "Status"), 1);
    /* its own domain is not among the others */
    CHECK_INT(json_array_size(json_object_get(told, "SubjectAltName")), 1);
    const json_t *leaf = json_array_get(json_object_get(told, "CertChainInfo"), 0);
    CHECK_TEXT(document_text(leaf, "Issuer"), "CN=Root");
    json_decref(told);
}

static const struct {
    const char *request;
    int found;
} searches[] = {
    {"{}", 4},
    {"{\"CertificateType\":\"CA\"}", 2},
    {"{\"SearchKey\":\"second\"}", 1},
    {"{\"SearchKey\":\"www.example\"}", 2},
    {"{\"SearchKey\":\"SERVER\"}", 1},
    {"{\"CertIds\":[\"SERVER\",\"CA_\"]}", 2},
    {"{\"CertificateStatus\":[3]}", 0},
    {"{\"CertificateStatus\":[1,3]}", 4},
    {"{\"FilterExpiring\":1}", 0},
    {"{\"ProjectId\":7}", 0},
    {"{\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}", 0},
    {"{\"FilterSource\":\"upload\",\"Deployable\":1}", 4},
};

TEST(certificates_are_searched)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(searches); i++) {
        json_t *told = ask("DescribeCertificates", searches[i].request);
        if (document_integer(told, "TotalCount") != searches[i].found)
            CHECK_TEXT(searches[i].request, "(found)");
        json_decref(told);
    }
    json_t *told = ask("DescribeCertificates", "{\"Limit\":1,\"Offset\":1}");
    const json_t *list = json_object_get(told, "Certificates");
    CHECK_INT(document_integer(told, "TotalCount"), 4);
    CHECK_INT(json_array_size(list), 1);
    CHECK_TEXT(document_text(json_array_get(list, 0), "Alias"), "clients"); /* newest first */
    json_decref(told);
}

TEST(who_uses_a_certificate_is_told)
{
    begin();
    bind();
    model_put(model, MODEL_INSTANCE, "lb-1",
        json_loads("{\"LoadBalancerId\":\"lb-1\",\"Vip\":\"192.0.2.1\"}", 0, NULL));
    const char *told = actions_do(
        SERVICE_CLB, "DescribeLoadBalancerListByCertId", fill("{\"CertIds\":[\"OTHER\"]}", ""));
    CHECK(strstr(told, other_id) && strstr(told, "\"LoadBalancerId\":\"lb-1\""));
    told = actions_do(
        SERVICE_CLB, "DescribeLoadBalancerListByCertId", fill("{\"CertIds\":[\"2CA\"]}", ""));
    CHECK(strstr(told, "\"LoadBalancers\":[]"));
    json_t *listed = ask("DescribeCertificates", "{\"CertificateType\":\"CA\"}");
    const json_t *certificates = json_object_get(listed, "Certificates");
    for (size_t i = 0; i < json_array_size(certificates); i++) {
        const json_t *each = json_array_get(certificates, i);
        CHECK_INT(json_array_size(json_object_get(each, "BoundResource")),
            document_is(each, "CertificateId", ca_id));
    }
    json_decref(listed);
}

/* ---- changes ---- */

TEST(a_certificate_takes_the_place_of_another_everywhere)
{
    char third[16];
    begin();
    bind();
    upload(&server, false, "third", third);
    const char *request =
        fill("{\"OldCertificateId\":\"SERVER\",\"Certificate\":{\"SSLMode\":\"UNIDIRECTIONAL\","
             "\"CertId\":\"%s\"}}",
            third);
    actions_do(SERVICE_CLB, "ReplaceCertForLoadBalancers", request);
    char *after = actions_dump(MODEL_LISTENER);
    CHECK(!strstr(after, server_id) && strstr(after, ca_id));
    free(after);
    actions_do(SERVICE_CLB, "ReplaceCertForLoadBalancers",
        fill("{\"OldCertificateId\":\"CA_\",\"Certificate\":{\"CertCaId\":\"2CA\"}}", ""));
    after = actions_dump(MODEL_LISTENER);
    CHECK(!strstr(after, ca_id) && strstr(after, other_ca_id));
    free(after);
    ssl("DeleteCertificate", fill("{\"CertificateId\":\"SERVER\"}", ""));
    CHECK(!model_find(model, MODEL_CERTIFICATE, server_id));
}

TEST(the_same_certificate_is_not_kept_twice_where_nobody_wants_that)
{
    begin();
    json_t *request = json_pack("{s:s, s:s, s:b}", "CertificatePublicKey", issued_text(&ca.pem),
        "CertificateType", "CA", "Repeatable", 0);
    char *text = json_dumps(request, 0);
    const char *told = ssl("UploadCertificate", text);
    CHECK(strstr(told, "\"RepeatCertId\":\"") && strstr(told, ca_id));
    CHECK_INT(model_count(model, MODEL_CERTIFICATE), 4);
    free(text);
    json_decref(request);
}

static void issue_list(const struct issued *by, struct buf *pem)
{
    struct error err;
    const struct issue_crl_request r = {.ca = buf_bytes(&by->der),
        .ca_key = by->key,
        .number = 1,
        .this_update = NOW - DAY,
        .next_update = NOW + DAY};
    ASSERT(issue_crl(&r, pem, &err) == 0 &&
           buf_append(pem, (struct bytes){(const uint8_t *)"", 1}) == 0);
}

TEST(who_is_kept_out_by_a_list_stays_out)
{
    struct buf list;
    begin();
    bind();
    buf_init(&list, 1 << 16);
    issue_list(&ca, &list);
    ssl("UpdateCertificateRevocationList", fill("{\"CertificateId\":\"CA_\",\"CertCaCrl\":\"%s\"}",
                                               (const char *)buf_bytes(&list).at));
    CHECK(document_text(model_find(model, MODEL_CERTIFICATE, ca_id), "Crl"));
    actions_refuse(SERVICE_CLB, "ReplaceCertForLoadBalancers",
        fill("{\"OldCertificateId\":\"CA_\",\"Certificate\":{\"CertCaId\":\"2CA\"}}", ""),
        API_ERROR_VALUE, "whom they keep out would come in");
    buf_fini(&list);
}

/* ---- refusals ---- */

static const struct {
    enum action_service service;
    const char *action, *request;
    enum api_error error;
    const char *words;
} refusals[] = {
    {SERVICE_SSL, "UploadCertificate", "{}", API_ERROR_MISSING, "CertificatePublicKey"},
    {SERVICE_SSL, "UploadCertificate", "{\"CertificatePublicKey\":\"x\"}",
        API_ERROR_CERTIFICATE_INVALID, "CertificatePublicKey: "},
    {SERVICE_SSL, "UploadCertificate", "{\"CertificatePublicKey\":\"%s\"}", API_ERROR_MISSING,
        "CertificatePrivateKey is missing"},
    {SERVICE_SSL, "UploadCertificate",
        "{\"CertificatePublicKey\":\"%s\",\"CertificatePrivateKey\":\"x\"}",
        API_ERROR_CERTIFICATE_KEY, "CertificatePrivateKey: "},
    {SERVICE_SSL, "UploadCertificate",
        "{\"CertificatePublicKey\":\"%s\",\"CertificateType\":\"CA\"}", API_ERROR_CERTIFICATE_CA,
        "not that of a CA"},
    {SERVICE_SSL, "UploadCertificate",
        "{\"CertificatePublicKey\":\"%s\",\"CertificateType\":\"CA\",\"CertificatePrivateKey\":"
        "\"x\"}",
        API_ERROR_VALUE, "has no place here"},
    {SERVICE_SSL, "UploadCertificate",
        "{\"CertificatePublicKey\":\"%s\",\"CertificatePrivateKey\":\"x\",\"CertCaCrl\":\"x\"}",
        API_ERROR_VALUE, "only CAs"},
    {SERVICE_SSL, "UploadCertificate",
        "{\"CertificatePublicKey\":\"%s\",\"CertificatePrivateKey\":\"-----BEGIN ENCRYPTED PRIVATE "
        "KEY-----\\nMBQwDgYIKoZIhvcNAQUNBgIEAAQA\\n-----END ENCRYPTED PRIVATE KEY-----\\n\"}",
        API_ERROR_CERTIFICATE_KEY, "encrypted in a way that is not accepted"},
    {SERVICE_SSL, "DescribeCertificate", "{\"CertificateId\":\"nobody00\"}",
        API_ERROR_CERTIFICATE_NOT_FOUND, "nobody00"},
    {SERVICE_SSL, "DescribeCertificateDetail", "{\"CertificateId\":\"nobody00\"}",
        API_ERROR_CERTIFICATE_NOT_FOUND, "nobody00"},
    {SERVICE_SSL, "DescribeCertificates", "{\"FilterSource\":\"buy\"}", API_ERROR_UNSUPPORTED,
        "FilterSource"},
    {SERVICE_SSL, "DescribeCertificates", "{\"Limit\":1001}", API_ERROR_RANGE, "Limit"},
    {SERVICE_SSL, "ModifyCertificateAlias", "{\"CertificateId\":\"nobody00\",\"Alias\":\"a\"}",
        API_ERROR_CERTIFICATE_NOT_FOUND, "nobody00"},
    {SERVICE_SSL, "DeleteCertificate", "{\"CertificateId\":\"nobody00\"}",
        API_ERROR_CERTIFICATE_NOT_FOUND, "nobody00"},
    {SERVICE_SSL, "DeleteCertificate", "{\"CertificateId\":\"SERVER\"}",
        API_ERROR_CERTIFICATE_BOUND, "2 places, one of them listener lbl-1 of instance lb-1"},
    {SERVICE_SSL, "UpdateCertificateRevocationList",
        "{\"CertificateId\":\"SERVER\",\"CertCaCrl\":\"x\"}", API_ERROR_VALUE, "only CAs"},
    {SERVICE_SSL, "UpdateCertificateRevocationList",
        "{\"CertificateId\":\"CA_\",\"CertCaCrl\":\"x\"}", API_ERROR_VALUE, "CertCaCrl: "},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"nobody00\",\"Certificate\":{\"CertId\":\"SERVER\"}}",
        API_ERROR_VALUE, "nobody00"},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"SERVER\",\"Certificate\":{}}", API_ERROR_MISSING, "CertContent"},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"SERVER\",\"Certificate\":{\"CertId\":\"SERVER\"}}",
        API_ERROR_VALUE, "is the old certificate"},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"SERVER\",\"Certificate\":{\"CertId\":\"CA_\"}}", API_ERROR_VALUE,
        "of CertificateType CA"},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"CA_\",\"Certificate\":{\"CertId\":\"SERVER\"}}", API_ERROR_VALUE,
        "give the new one as CertCaId"},
    {SERVICE_CLB, "ReplaceCertForLoadBalancers",
        "{\"OldCertificateId\":\"2CA\",\"Certificate\":{\"CertCaId\":\"CA_\"}}", API_ERROR_VALUE,
        "nobody uses"},
    {SERVICE_SSL, "UpdateCertificateInstance",
        "{\"OldCertificateId\":\"SERVER\",\"ResourceTypes\":[\"cdn\"],\"CertificateId\":\"OTHER\"}",
        API_ERROR_VALUE, "ResourceTypes"},
    {SERVICE_SSL, "VerifyCertificate", "{\"CertificateId\":\"SERVER\"}", API_ERROR_MISSING,
        "CertCaId"},
    {SERVICE_SSL, "VerifyCertificate",
        "{\"CertificateId\":\"SERVER\",\"CertCaId\":\"CA_\",\"Names\":[\"x\"]}", API_ERROR_VALUE,
        "Names.0"},
    {SERVICE_CLB, "DescribeHandshakes", "{\"ListenerId\":\"lbl-1\"}", API_ERROR_MISSING,
        "LoadBalancerId"},
};

TEST(what_cannot_be_done_to_certificates_is_refused_and_changes_nothing)
{
    begin();
    bind();
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        actions_refuse(refusals[i].service, refusals[i].action,
            fill(refusals[i].request, issued_text(&server.pem)), refusals[i].error,
            refusals[i].words);
}

/* ---- verdicts ---- */

static const char *verdict(const char *request, const char *pem)
{
    return ssl("VerifyCertificate", fill(request, pem));
}

TEST(a_certificate_is_judged_without_a_handshake)
{
    const char *pem = issued_text(&client.pem);
    begin();
    const char *by_right = "{\"CertificatePublicKey\":\"%s\",\"CertCaId\":\"CA_\"}";
    CHECK(strstr(verdict(by_right, pem), "\"accepted\":true"));
    CHECK(strstr(
        verdict("{\"CertificatePublicKey\":\"%s\",\"CertCaId\":\"2CA\"}", pem), "untrusted"));
    CHECK(strstr(verdict("{\"CertificatePublicKey\":\"%s\",\"CertCaId\":\"CA_\","
                         "\"Time\":4102444800}",
                     pem),
        "expired"));
    CHECK(strstr(verdict("{\"CertificatePublicKey\":\"%s\",\"CertCaId\":\"CA_\",\"Purpose\":"
                         "\"server\"}",
                     pem),
        "\"accepted\":false"));
}

TEST(labels_are_told_of_instances)
{
    begin();
    model_put(model, MODEL_INSTANCE, "lb-1",
        json_loads("{\"LoadBalancerId\":\"lb-1\",\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}",
            0, NULL));
    const char *told = actions_do(SERVICE_TAG, "DescribeResourceTagsByResourceIds",
        "{\"ServiceType\":\"clb\",\"ResourcePrefix\":\"clb\",\"ResourceIds\":[\"lb-1\",\"lb-2\"],"
        "\"ResourceRegion\":\"ap-guangzhou\"}");
    CHECK(strstr(told, "\"TotalCount\":1") && strstr(told, "\"ResourceId\":\"lb-1\""));
}
