/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_signature.h"
#include "base/panic.h"
#include "timing.h"

#include "base/ban.h"

#define KEY  "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
#define HOST "127.0.0.1:8080"

static volatile bool answer;

static const struct api_signed *request(void)
{
    static struct http1_head head = {.method = {(const uint8_t *)"POST", 4}, .fields_n = 2};
    static struct api_signed asked;
    head.authority = BYTES(HOST);
    head.fields[0] = (struct http1_field){BYTES("Host"), BYTES(HOST)};
    head.fields[1] = (struct http1_field){BYTES("Content-Type"), BYTES("application/json")};
    asked = (struct api_signed){
        .head = &head, .body = BYTES("{\"Limit\":20}"), .timestamp = BYTES("1795323525")};
    return &asked;
}

static struct api_credential credential(void)
{
    return (struct api_credential){.scheme = API_SCHEME_TC3,
        .secret_id = BYTES("AKIDx"),
        .date = BYTES("2026-11-22"),
        .service = BYTES("clb"),
        .signed_headers = BYTES("content-type;host")};
}

void timing_api_make(union timing_input *in, int class)
{
    struct api_credential c = credential();
    ASSERT(api_signature_make(&c, request(), BYTES(KEY)) == 0);
    memset(in, 0, sizeof(*in));
    memcpy(in->signature, c.signature, sizeof(in->signature));
    in->signature[class ? sizeof(in->signature) - 1 : 0] ^= 1;
}

void timing_api_verify(const union timing_input *in)
{
    struct api_credential c = credential();
    memcpy(c.signature, in->signature, sizeof(c.signature));
    c.signature_n = sizeof(c.signature);
    answer = api_signature_is_by(&c, request(), BYTES(KEY));
    ASSERT(!answer);
}
