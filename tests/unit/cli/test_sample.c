/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sample.h"
#include "test.h"

static char got[4096];

static const char *answer(const char *head)
{
    struct buf out;
    buf_init(&out, 65536);
    sample_answer("one", bytes_of(head), &out);
    snprintf(got, sizeof(got), "%.*s", BYTES_ARG(buf_bytes(&out)));
    buf_fini(&out);
    return got;
}

TEST(the_answer_shows_who_the_client_is)
{
    const char *text = answer("GET /a HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n"
                              "X-Client-Cert-Subject: CN=alice\r\nclient-cert: :AA==:\r\n\r\n");
    const char *length = strstr(text, "Content-Length: "), *body = strstr(text, "\r\n\r\n");
    CHECK(length && body && strtoul(length + 16, NULL, 10) == strlen(body + 4));
    CHECK(strstr(text, "\r\n\r\nbackend one got: GET /a HTTP/1.1\n  Host: x\n"));
    CHECK(strstr(text, "  X-Client-Cert-Subject: CN=alice\n  client-cert: :AA==:\n"));
    CHECK(!strstr(text, "secret"));
}

TEST(a_head_request_gets_no_body)
{
    const char *text = answer("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(strstr(text, "Content-Length: 44\r\n"));
    CHECK(strcmp(text + strlen(text) - 4, "\r\n\r\n") == 0);
}
