# SPDX-License-Identifier: Apache-2.0
"""What rules do, where clients, and what they say of themselves, are against it: what a rule answers keeps requests and responses in
step, what it writes into heads is one field, and what it could never do is refused before."""
import pytest

import peers
from files import command
from http2_peers import NO_ERROR, Http2, request, value
from http_peers import Client, Scripted, group, header, running

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
HOSTILE = "a\r\nX-Smuggled: y\r\n\r\n\0\x7fb"
RULES = """
      - {domain: localhost, target_group: web, compression: true,
         request_headers: {set: ['X-Port: $server_port', 'X-Who: $client_cert_subject', 'X-Uri: $method $uri $path $query $host']},
         response_headers: {set: ['X-Who: $client_cert_subject', 'X-Uri: $method $uri $path $query $host'], remove: [Server]}}
      - {domain: localhost, path: "= /fixed", respond: {status: 200, body: fixed}, response_headers: {set: ['X-Who: $client_cert_subject']}}
      - {domain: localhost, path: "= /empty", respond: {status: 204}}
      - {domain: localhost, path: /moved/, redirect: {to: "https://$host/?from=$path&to=$query", keep_uri: false}}
      - {domain: localhost, path: /long/, target_group: web, request_headers: {set: ['X-Long: $uri$uri']}}"""


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    target = Scripted()
    pki.hostile = pki.ca("clients").issue("hostile", cn=HOSTILE)
    config = f"""
listeners:
  - name: plain
    protocol: HTTP
    address: 127.0.0.1:0
    rules: {RULES}
  - {{name: told, protocol: HTTP, address: "127.0.0.1:0", proxy_protocol: {{accept_from: [127.0.0.0/8]}}, rules: [
      {{domain: localhost, target_group: web, request_headers: {{set: ['X-Port: $server_port']}}}}]}}
  - name: tls
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: optional
    client_ca: [{pki.ca("clients").crt}]
    certificates: [{pki.server.yaml()}]
    rules: {RULES}
target_groups: {group("web", target)}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("rules_hostile"), config, target) as instance:
        instance.target = target
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def wire(path, *fields, method="GET", version="1.1"):
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/{version}", "Host: localhost", *fields, "")).encode()


def calls(world, since):
    return [call.path for call in world.target.calls[since:]]


# ---- answers of rules ----

def test_answers_come_in_the_order_of_the_requests(world, client):
    before = len(world.target.calls)
    client.send(wire("/fixed") + wire("/first") + wire("/fixed", method="HEAD") + wire("/empty") + wire("/moved/x?y")
                + wire("/second", "Content-Length: 0", method="POST") + wire("/fixed"))
    said = [client.response(method) for method in ("GET", "GET", "HEAD", "GET", "GET", "POST", "GET")]
    assert [(r.status, r.body) for r in said] == [
        (200, b"fixed"), (200, b"ok"), (200, b""), (204, b""), (301, b""), (200, b"ok"), (200, b"fixed")]
    assert calls(world, before) == ["/first", "/second"]


@pytest.mark.parametrize("fields, end", [((), "close"), (("Connection: keep-alive",), "keep-alive")])
def test_answers_to_http_1_0(client, fields, end):
    client.send(wire("/fixed", *fields, version="1.0"))
    response = client.response()
    assert (response.status, response.body, header(response, "Connection")) == (200, b"fixed", end)
    assert header(response, "Transfer-Encoding") is None
    if end == "close":
        assert client.end() == "fin"
    else:
        assert client.ask("/fixed").body == b"fixed"


@pytest.mark.parametrize("fields, body", [
    (("Expect: 100-continue", f"Content-Length: {len(SMUGGLED)}"), b""),       # which is not sent then, or is: nobody knows
    (("Expect: 100-continue", f"Content-Length: {len(SMUGGLED)}"), SMUGGLED),
    (("Transfer-Encoding: chunked",), b"%x\r\n%b\r\n" % (len(SMUGGLED), SMUGGLED)),
    ((f"Content-Length: {len(SMUGGLED) + 1}",), SMUGGLED)])
@pytest.mark.parametrize("path", ["/fixed", "/empty", "/moved/x", "/moved"])
def test_an_answer_before_the_end_of_the_request_is_the_last(world, client, path, fields, body):
    before = len(world.target.calls)
    client.send(wire(path, *fields, method="POST") + body)
    response = client.response()
    assert response.status in (200, 204, 301) and header(response, "Connection") == "close"
    assert client.until_close() == b"" and calls(world, before) == []


@pytest.mark.parametrize("path, status", [("/fixed", 200), ("/empty", 204), ("/moved/x", 301), ("/moved", 301)])
def test_in_http_2_the_rest_of_such_a_request_is_not_wanted(world, pki, path, status):
    with Http2(world.port("tls"), pki) as client:
        id = client.head(request(path, "POST", ("content-length", "5")), end=False)
        answer = client.answer(id)
        assert (answer.status, answer.body) == (status, b"fixed" if status == 200 else b"")
        client.until(lambda: client.streams[id].reset is not None)
        assert client.streams[id].reset == NO_ERROR
        client.content(id, b"hello", end=True)
        assert client.ask("/fixed").body == b"fixed"


# ---- what is written into heads ----

ODD = "/a!$&'()*+,;=:@-._~%20%22%3Cscript%3E%0d%0aX-Smuggled:%20y\"<>^`{|}"


def test_what_a_request_asks_for_is_one_field(world, client):
    asked = f"{ODD}?{ODD}?&x=%0d%0a"
    before = len(world.target.calls)
    response = client.ask(asked)
    want = f"GET {asked} {ODD} {ODD}?&x=%0d%0a localhost"
    assert header(response, "X-Uri") == want and header(response, "X-Smuggled") is None
    assert world.target.calls[before].all("X-Uri") == [want] and world.target.calls[before].all("X-Smuggled") == []


def test_what_a_request_asks_for_is_one_field_over_http_2(world, pki):
    asked = f"{ODD}?{ODD}"
    with Http2(world.port("tls"), pki) as client:
        answer = client.ask(asked)
    want = f"GET {asked} {ODD} {ODD} localhost"
    assert value(answer.headers, "x-uri") == want and world.target.calls[-1].all("X-Uri") == [want]


def test_what_a_redirect_keeps_of_a_request_leads_nowhere_else(client):
    response = client.ask("/moved/%0d%0a//evil.test/?@evil.test/%0d%0aX:y")
    assert header(response, "Location") == "https://localhost/?from=/moved/%0d%0a//evil.test/&to=@evil.test/%0d%0aX:y"


def test_what_a_certificate_says_is_one_field(world, pki):
    """In the request, in the response of a target and of a rule, in both versions."""
    expected = None
    with Http2(world.port("tls"), pki, certificate=pki.hostile) as client:
        for path in ("/x", "/fixed"):
            answer = client.ask(path)
            said = value(answer.headers, "x-who")
            assert said.startswith("CN=a") and said.endswith("b") and said.isprintable() and expected in (None, said)
            assert "x-smuggled" not in dict(answer.headers)
            expected = said
    call = world.target.calls[-1]
    assert call.all("X-Who") == [expected] and call.all("X-Smuggled") == []
    tls = peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"), pki.hostile))
    with Client(sock=tls) as client:
        for path in ("/x", "/fixed"):
            response = client.ask(path)
            assert header(response, "X-Who") == expected and header(response, "X-Smuggled") is None


def test_what_a_rule_adds_to_a_request_has_to_fit(world, client):
    mark, before = world.mark(), len(world.target.calls)
    assert client.ask("/long/" + "x" * 3000).status == 200
    assert client.ask("/long/" + "x" * 5000).status == 431
    assert world.line(since=mark, status=431)["close"] == "bad_request" and len(calls(world, before)) == 1


def test_the_port_that_was_connected_to(world, client):
    client.ask("/")
    assert world.target.calls[-1].all("X-Port") == [str(world.port("plain"))]
    with Client(world.port("told")) as told:
        told.send("PROXY TCP4 192.0.2.7 198.51.100.9 5555 443\r\n")
        told.ask("/")
    assert world.target.calls[-1].all("X-Port") == ["443"]


def test_an_upgrade_under_a_rule_that_changes_heads_and_compresses(world, client):
    """What follows is of another protocol: its bytes are nobody's to compress."""
    @world.target.script("/switch")
    def switch(call):
        assert call.all("X-Uri") == ["GET /switch /switch  localhost"]
        call.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nServer: t\r\nContent-Type: text/html\r\n\r\n")
        while data := call.file.read1(65536):
            call.send(data)
        return False
    response = client.ask("/switch", "GET", "Connection: Upgrade", "Upgrade: websocket", "Accept-Encoding: gzip")
    assert (response.status, header(response, "Upgrade"), header(response, "Connection")) == (101, "websocket", "Upgrade")
    assert header(response, "X-Uri") and header(response, "Server") is None
    assert header(response, "Content-Encoding") is None and header(response, "Vary") is None
    text = b"a word that comes again " * 1000
    client.send(text)
    assert client.exactly(len(text)) == text


# ---- compression ----

@pytest.mark.parametrize("method, status, fields, body", [
    ("HEAD", "200 OK", ["Content-Length: 10000"], b""), ("HEAD", "200 OK", ["Transfer-Encoding: chunked"], b""),
    ("GET", "304 Not Modified", ["Content-Length: 10000", 'ETag: "x"'], b""), ("GET", "304 Not Modified", [], b""),
    ("GET", "204 No Content", [], b""),
    ("GET", "206 Partial Content", ["Content-Length: 1000", "Content-Range: bytes 0-999/2000"], b"a" * 1000),
    ("GET", "206 Partial Content", ["Content-Length: 1000", "Content-Type: multipart/byteranges; boundary=x"], b"a" * 1000),
    ("GET", "200 OK", ["Content-Length: 1000", "Content-Encoding: identity"], b"a" * 1000)])
def test_what_has_no_content_of_its_own_is_not_compressed(world, client, method, status, fields, body):
    kind = [] if any("Content-Type" in f for f in fields) else ["Content-Type: text/html"]
    head = "".join(f"{line}\r\n" for line in [f"HTTP/1.1 {status}", *kind, *fields, ""]).encode()
    world.target.script("/page")(lambda call: call.send(head + body))
    for _ in range(2):  # and nobody is out of step
        response = client.ask("/page", method, "Accept-Encoding: gzip", "Range: bytes=0-999")
        assert (response.status, response.body) == (int(status[:3]), body)
        assert header(response, "Content-Encoding") == ("identity" if "Content-Encoding: identity" in fields else None)
        assert header(response, "Content-Length") == next((f[16:] for f in fields if f.startswith("Content-Length")), None)
        etag = [f for f in fields if f.startswith("ETag")]
        assert header(response, "ETag") == ('"x"' if etag else None)
    assert client.ask("/fixed").body == b"fixed"


# ---- what no rule can mean ----

NONSENSE = [
    ("", "a rule needs one of"), ("target_group: t, respond: {status: 200}", "a rule needs only one of"),
    ("respond: {status: 100}", "status"), ("respond: {body: x}", "needs status"), ("redirect: {to: /relative}", "is not an absolute URL"),
    ("redirect: {to: 'https://'}", "is not an absolute URL"), ("redirect: {to: 'https://$hots'}", "no variable behind a $"),
    ("redirect: {to: 'https://a.test$query'}", "has $query where the host stands"),
    ("redirect: {to: 'listener:b'}", "names no listener"), ("redirect: {to: 'listener:a'}", "is this listener itself"),
    ("redirect: {to: 'https://a', code: 300}", "code"),
    ("target_group: t, request_headers: {set: [Nonsense]}", "is not a header"),
    ("target_group: t, request_headers: {set: ['X-A: $x']}", "no variable behind a $"),
    ("target_group: t, request_headers: {set: ['X A: x']}", "is not the name of a header"),
    ("target_group: t, request_headers: {remove: [Host]}", "Host cannot be changed"),
    ("target_group: t, request_headers: {add: ['transfer-encoding: chunked']}", "cannot be changed"),
    ("target_group: t, request_headers: {set: ['X_Client.Cert-Verified: accepted']}", "cannot be changed"),
    ("target_group: t, response_headers: {set: ['Content-Length: 1']}", "cannot be changed"),
    (r'respond: {status: 200, type: "a\r\nX-Smuggled: y"}', "is no media type"), ('respond: {status: 200, type: "text/ü"}', "is no media type"),
    ("respond: {status: 204, body: x}", "has no content"), ("respond: {status: 304, body: x}", "has no content"),
    ("respond: {status: 600}", "out of range"), ("respond: 200", "a map of keys is wanted"), ("respond: {status: 200, to: x}", "unknown key"),
    ("redirect: {to: 'https://a.test/#x'}", "keep_uri: false"), ("redirect: {to: 'https://a.test/?x'}", "keep_uri: false"),
    (r'redirect: {to: "https://a.test/\r\nX: y"}', "a character that no URL has"), ("redirect: {to: '//a.test/'}", "is not an absolute URL"),
    ("redirect: {to: 'javascript:x'}", "is not an absolute URL"), ("redirect: {to: 'https://a.test$client_cert_subject'}", "where the host stands"),
    ("redirect: {to: 'https://$method'}", "where the host stands"), ("redirect: {to: 'https://a.test', keep_uri: maybe}", "keep_uri"),
    ("target_group: t, path: /%c3%bc", "upper case"), ("target_group: t, path: /%61", "upper case"), ("target_group: t, path: /a%2Fb", "upper case"),
    ("target_group: t, path: /%zz", "upper case"), ("target_group: t, path: '/a%2'", "upper case"), (r"target_group: t, path: '/a\b'", "upper case"),
    ("target_group: t, path: '~ ('", "no regular expression"), ("target_group: t, path: x", "is not a path"),
    (r'target_group: t, response_headers: {set: ["X: a\r\nY: b"]}', "printable ASCII"), ("target_group: t, response_headers: {set: ['X:']}", "printable ASCII"),
    ("target_group: t, response_headers: {remove: [':status']}", "is not the name of a header"),
    ("target_group: t, request_headers: {set: ['Expect: 100-continue']}", "Expect cannot be changed"),
    ("target_group: t, request_headers: {add: ['HTTP2-Settings: x']}", "HTTP2-Settings cannot be changed"),
    ("target_group: t, limits: {max_rps: -1}", "max_rps"), ("target_group: t, limits: {per_source: {max_rps: x}}", "max_rps"),
    ("target_group: t, compression: maybe", "compression"), ("target_group: t, max_body: -1", "max_body"),
    ("target_group: t, authentication: {client_names: ['DNS:a']}", "needs an HTTPS listener"),
]


@pytest.mark.parametrize("keys, why", NONSENSE)
def test_nonsense_is_refused_with_its_reason(tmp_path, keys, why):
    file = tmp_path / "sallyport.yaml"
    file.write_text(f"""
listeners: [{{name: a, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: a.test, {keys}}}]}}]
target_groups: [{{name: t, protocol: HTTP, targets: [{{address: "127.0.0.1:1"}}]}}]
""")
    done = command("check", "-c", file)
    assert done.returncode == 1 and why in done.stderr and "1 error" in done.stderr, done.stderr


def test_what_looks_odd_and_makes_sense_is_taken(tmp_path):
    file = tmp_path / "sallyport.yaml"
    file.write_text(r"""
listeners: [{name: a, protocol: HTTP, address: "127.0.0.1:0", rules: [
  {domain: a.test, path: /%C3%BC%20%7B/, redirect: {to: "https://$host:8443$uri", keep_uri: false}},
  {domain: a.test, path: "= /", redirect: {to: "https://a.test/?from=$uri#top", keep_uri: false, code: 307}},
  {domain: a.test, path: "/", respond: {status: 204}, response_headers: {set: ["X: $$1"]}}]}]
target_groups: [{name: t, protocol: HTTP, targets: [{address: "127.0.0.1:1"}]}]
""")
    assert command("check", "-c", file).returncode == 0
