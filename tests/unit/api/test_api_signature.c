/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of requests: the cloud's published examples, one captured of its Node SDK, and what
 * must not pass. */
#include "api/api_signature.h"
#include "test.h"

#define KEY_A "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
#define BODY_A                                                                          \
    "{\"Limit\": 1, \"Filters\": [{\"Values\": [\"\\u672a\\u547d\\u540d\"], \"Name\": " \
    "\"instance-name\"}]}"
#define TYPE_A     "application/json; charset=utf-8"
#define OLD_SHA256 "A8uy2%2Fo7WBZXYCTWEFpMrVGhGBVlEGIOioeqRM%2BfzFs%3D"
#define HEAD       "TC3-HMAC-SHA256 Credential="

static const struct vector {
    const char *authorization, *host, *type, *action, *timestamp, *body, *key;
} vectors[] = {
    {HEAD "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
          "SignedHeaders=content-type;host, "
          "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        "cvm.tencentcloudapi.com", TYPE_A, "DescribeInstances", "1551113065", BODY_A, KEY_A},
    {HEAD "AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, "
          "Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
        "cvm.tencentcloudapi.com", TYPE_A, "DescribeInstances", "1551113065", BODY_A,
        "********************************"},
    {HEAD "AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, "
          "Signature=644be983de9a8a3f00db8eadaba61467c3b429e2215758ba897b738ca469fd26",
        "cvm.tencentcloudapi.com", TYPE_A, "DescribeInstances", "1551113065", BODY_A, KEY_A},
    /* the host was signed without its port */
    {HEAD "AKIDEXAMPLE/2026-11-22/127/tc3_request, SignedHeaders=content-type;host, "
          "Signature=cd7c33a1cf4fc4fa0f0e8477c4e74df49151e504aa26b600877747e3b37c2c75",
        "127.0.0.1:8080", "application/json", "DescribeLoadBalancers", "1795323525",
        "{\"LoadBalancerIds\":[\"lb-abc12345\"],\"Limit\":20}", "SKEXAMPLE"},
};

static struct http1_head head_of(const struct vector *v)
{
    struct http1_head head = {.method = BYTES("POST"),
        .authority = bytes_of(v->host),
        .path_and_query = BYTES("/"),
        .fields_n = 3};
    head.fields[0] = (struct http1_field){BYTES("Host"), bytes_of(v->host)};
    head.fields[1] = (struct http1_field){BYTES("Content-Type"), bytes_of(v->type)};
    head.fields[2] = (struct http1_field){BYTES("X-TC-Action"), bytes_of(v->action)};
    return head;
}

static bool is_by(const struct vector *v, const struct http1_head *head)
{
    struct api_credential c;
    const struct api_signed request = {
        .head = head, .body = bytes_of(v->body), .timestamp = bytes_of(v->timestamp)};
    return api_signature_parse(bytes_of(v->authorization), &c) == 0 &&
           api_signature_is_by(&c, &request, bytes_of(v->key));
}

static bool passes(const struct vector *v)
{
    struct http1_head head = head_of(v);
    return is_by(v, &head);
}

TEST(published_examples_pass)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        CHECK(passes(&vectors[i]));
}

TEST(nothing_that_is_signed_can_be_changed)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector v = vectors[i];
        struct vector w = v;
        w.host = "example.com";
        CHECK(!passes(&w));
        w = v;
        w.type = "application/xml";
        CHECK(!passes(&w));
        w = v;
        w.body = "{}";
        CHECK(!passes(&w));
        w = v;
        w.key = "another";
        CHECK(!passes(&w));
        w = v;
        w.timestamp = "1795323526";
        CHECK(!passes(&w));
        struct http1_head head = head_of(&v);
        head.method = BYTES("GET");
        CHECK(!is_by(&v, &head));
    }
    struct vector b = vectors[2];
    b.action = "TerminateInstances"; /* which B signs */
    CHECK(!passes(&b));
}

TEST(a_header_that_is_there_twice_is_signed_by_nobody)
{
    struct http1_head head = head_of(&vectors[0]);
    head.fields[head.fields_n++] = head.fields[1];
    CHECK(!is_by(&vectors[0], &head));
}

TEST(an_authorization_that_is_none_is_not_parsed)
{
    static const char *const wrong[] = {"", "SKIP", "Basic x", "TC3-HMAC-SHA256",
        HEAD "a/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=72",
        HEAD "/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
             "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        HEAD "a/2019-02-25/cvm/tc4_request, SignedHeaders=content-type;host, "
             "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        HEAD "a/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
             "Signature=72E494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        HEAD "a/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
             "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168, x"};
    struct api_credential c;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK_INT(api_signature_parse(bytes_of(wrong[i]), &c), -1);
}

/* What must be signed is, or nothing is. */
TEST(host_and_content_type_are_signed)
{
    struct vector v = vectors[0];
    v.authorization = HEAD "AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type, "
                           "Signature="
                           "621da526477b89e4d1c0d11b0482afcff1532c8a132b01901cd721b4524254fe";
    CHECK(!passes(&v));
}

#define OLD                                                                                   \
    "Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0&"      \
    "Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&Timestamp=1465185768&" \
    "Version=2017-03-12"

static bool old_passes(const char *query, const char *host, const char *key)
{
    struct api_flat flat;
    struct api_credential c;
    struct http1_head head = {.method = BYTES("GET"), .authority = bytes_of(host)};
    CHECK_INT(api_flat_parse(bytes_of(query), &flat, NULL), 0);
    const struct api_signed request = {.head = &head, .parameters = &flat};
    bool is_it =
        api_signature_take(&flat, &c) == 0 && api_signature_is_by(&c, &request, bytes_of(key));
    api_flat_fini(&flat);
    return is_it;
}

TEST(the_older_style_passes)
{
    const char *host = "cvm.tencentcloudapi.com";
    CHECK(old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D", host, KEY_A));
    CHECK(!old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D", "a.b", KEY_A));
    CHECK(!old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D", host, "x"));
    CHECK(!old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI%3D&X=1", host, KEY_A));
    /* the other spellings of its last character */
    CHECK(!old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeJ%3D", host, KEY_A));
    CHECK(!old_passes(OLD "&Signature=EliP9YW3pW28FpsEdkXt%2F%2BWcGeI", host, KEY_A));
    CHECK(!old_passes(OLD, host, KEY_A));
}

TEST(the_older_style_says_which_hash)
{
    const char *host = "cvm.tencentcloudapi.com";
    /* the published example with SignatureMethod among what is signed, computed apart */
    CHECK(old_passes(OLD "&SignatureMethod=HmacSHA256&Signature=" OLD_SHA256, host, KEY_A));
    CHECK(!old_passes(OLD "&SignatureMethod=HmacMD5&Signature=" OLD_SHA256, host, KEY_A));
}
