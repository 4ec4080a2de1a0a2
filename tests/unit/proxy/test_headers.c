/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/headers.h"
#include "test.h"

static const char *reserved_spellings[] = {"X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For",
    "x.forwarded.for", "X-Forwarded.Proto", "X-REAL-IP", "X_Real-IP", "Client-Cert", "client_cert",
    "CLIENT.CERT", "Client~Cert", "Client-Cert-Chain", "client_cert_chain", "Client-Cert-Anything",
    "X-Client-Cert-Subject", "x_client_cert_sha256", "X-Client.Cert-Verified", "X-Client-Cert-New",
    "x!client#cert$verified"};
static const char *free_names[] = {"X-Forwarded-Host", "Client", "Client-Certificate", "X-Client",
    "X-Client-Certain", "Forwarded", "Host", "X-Real-IPs", "Via"};

TEST(every_spelling_of_our_names_is_reserved)
{
    for (size_t i = 0; i < sizeof(reserved_spellings) / sizeof(*reserved_spellings); i++)
        if (!headers_is_reserved(bytes_of(reserved_spellings[i])))
            CHECK_TEXT(reserved_spellings[i], "reserved");
    for (size_t i = 0; i < sizeof(free_names) / sizeof(*free_names); i++)
        if (headers_is_reserved(bytes_of(free_names[i])))
            CHECK_TEXT(free_names[i], "free");
}

static struct http1_head parsed;
static struct address peer;

static const char *rewritten(const char *request, bool is_trusted, const char *identity)
{
    static char text[4096];
    struct buf out;
    size_t scanned = 0;
    struct error err;
    buf_init(&out, 4096);
    CHECK(http1_parse_request(bytes_of(request), &scanned, &parsed) > 0);
    CHECK(address_parse(BYTES("192.0.2.7:1234"), false, &peer, &err) == 0);
    struct headers_client client = {.peer = &peer,
        .is_trusted_proxy = is_trusted,
        .is_tls = true,
        .identity = bytes_of(identity)};
    CHECK(headers_write_request(&out, &parsed, &client) == 0);
    snprintf(text, sizeof(text), "%.*s", BYTES_ARG(buf_bytes(&out)));
    buf_fini(&out);
    return text;
}

TEST(a_request_loses_what_is_hop_by_hop_and_what_only_we_may_say)
{
    CHECK_TEXT(
        rewritten(
            "GET /a?b HTTP/1.1\r\nHost: Example.com:80\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
            "X-Client-Cert-Verified: accepted\r\nclient_cert: evil\r\nX-Forwarded-For: 10.0.0.1\r\n"
            "X-Forwarded-Proto: http\r\nX-Real-IP: 10.0.0.1\r\nUpgrade: h2c\r\nKeep-Alive: "
            "5\r\nAccept: */*\r\n\r\n",
            false, "X-Client-Cert-Verified: none\r\n"),
        "GET /a?b HTTP/1.1\r\nHost: Example.com:80\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.7\r\n"
        "X-Forwarded-Proto: https\r\nX-Real-IP: 192.0.2.7\r\nX-Client-Cert-Verified: none\r\n\r\n");
}

TEST(connection_cannot_remove_what_we_say)
{
    const char *out = rewritten(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Client-Cert-Subject, X-Real-IP\r\n\r\n", false,
        "X-Client-Cert-Subject: CN=alice\r\n");
    CHECK(strstr(out, "\r\nX-Client-Cert-Subject: CN=alice\r\n") != NULL);
    CHECK(strstr(out, "\r\nX-Real-IP: 192.0.2.7\r\n") != NULL);
}

TEST(a_trusted_proxy_is_appended_to)
{
    const char *out = rewritten(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: evil\r\n"
        "x-forwarded-for: 10.0.0.2, 10.0.0.3\r\n\r\n",
        true, "");
    CHECK(strstr(out, "\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7\r\n") != NULL);
    CHECK(strstr(out, "evil") == NULL);
}

TEST(framing_is_written_anew)
{
    CHECK_TEXT(rewritten("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", false, ""),
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nX-Forwarded-For: 192.0.2.7\r\n"
        "X-Forwarded-Proto: https\r\nX-Real-IP: 192.0.2.7\r\n\r\n");
    CHECK(strstr(rewritten("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
                     false, ""),
              "\r\nTransfer-Encoding: chunked\r\n") != NULL);
}

TEST(absolute_form_becomes_origin_form_and_its_authority_the_host)
{
    const char *out =
        rewritten("GET http://b.example/p?q HTTP/1.1\r\nHost: a.example\r\n\r\n", false, "");
    CHECK(strstr(out, "GET /p?q HTTP/1.1\r\nHost: b.example\r\n") == out);
    CHECK(strstr(out, "a.example") == NULL);
}

static const char *response(
    const char *head, const char *method, bool is_chunked, enum headers_connection connection)
{
    static char text[4096];
    struct buf out;
    size_t scanned = 0;
    buf_init(&out, 4096);
    CHECK(http1_parse_response(bytes_of(head), &scanned, bytes_of(method), &parsed) > 0);
    CHECK(headers_write_response(&out, &parsed, is_chunked, connection) == 0);
    snprintf(text, sizeof(text), "%.*s", BYTES_ARG(buf_bytes(&out)));
    buf_fini(&out);
    return text;
}

TEST(a_response_is_framed_anew_too)
{
    CHECK_TEXT(response("HTTP/1.1 200 Fine\r\nServer: x\r\nConnection: "
                        "keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "GET", true, HEADERS_PERSIST),
        "HTTP/1.1 200 Fine\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK_TEXT(response("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", "GET", false, HEADERS_CLOSE),
        "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n\r\n");
    CHECK_TEXT(
        response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", false, HEADERS_KEEP_ALIVE),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
}

TEST(what_has_no_body_keeps_its_length_where_it_tells_something)
{
    CHECK_TEXT(
        response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", false, HEADERS_PERSIST),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    CHECK_TEXT(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", false,
                   HEADERS_PERSIST),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
}
