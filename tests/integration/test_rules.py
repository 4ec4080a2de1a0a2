# SPDX-License-Identifier: Apache-2.0
"""What rules do besides choosing a target group: answers of their own, redirects, changes to heads."""
import pytest

import peers
from files import command
from http_peers import Client, Scripted, group, header, running
from programs import held_port

# (path, keys of its rule)
RULES = {
    "/": "target_group: web",
    "= /health": "respond: {status: 200, body: ok}",
    "= /gone": "respond: {status: 410}",
    "= /empty": "respond: {status: 204}",
    "= /json": "respond: {status: 503, body: '{\"a\": 1}', type: application/json}, response_headers: {set: ['Retry-After: 5']}",
    "/old/": "redirect: {to: 'https://new.test/', code: 302}",
    "/moved/": "redirect: {to: 'https://new.test/here', keep_uri: false}",
    "/secure/": "redirect: {to: 'https://$host', code: 308}",
    "/see/": "redirect: {to: 'https://$host/$$/$method?from=$path', code: 303, keep_uri: false}",
    "/headers/": """target_group: web, request_headers: {remove: [Accept, x-none], set: ['X-Who: $client_ip on $listener', 'X-Kept: new'],
                    add: ['X-List: b', 'X-Uri: $uri', 'X-Subject: $client_cert_subject']},
                    response_headers: {remove: [Server], set: ['X-Frame-Options: DENY'], add: ['Set-Cookie: b=2', 'X-Query: $query']}""",
    "= /slash": "target_group: web",
    "/slash/": "respond: {status: 200}",
    "/slash2": "target_group: web",
    "/slash2/": "respond: {status: 200}",
    "//evil.test/": "respond: {status: 200}",
    "/long/": "target_group: web, response_headers: {set: ['X-Long: $uri$uri']}",
}


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    target = Scripted()
    rules = ", ".join(f"{{domain: localhost, path: '{path}', {keys}}}" for path, keys in RULES.items())
    ca = pki.ca("clients").crt
    config = f"""
listeners:
  - name: web
    protocol: HTTP
    address: 127.0.0.1:0
    request_headers: {{set: ["X-Listener: $listener"]}}
    response_headers: {{set: ["Server: sallyport"]}}
    rules: [{rules}]
  - name: tls
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: mutual
    client_ca: [{ca}]
    certificates: [{pki.server.yaml()}]
    rules:
      - {{domain: localhost, path: /, target_group: web,
          request_headers: {{set: ["X-Tls: $scheme $tls_version $tls_cipher $sni $client_cert_subject $client_cert_sha256"]}}}}
      - {{domain: localhost, path: /secure/, redirect: {{to: "https://$host"}}}}
target_groups: {group("web", target)}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("rules"), config, target) as instance:
        instance.target = target
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("web")) as c:
        yield c


def all_of(response, name):
    return [v for k, v in response.headers if k.lower() == name.lower()]


@pytest.mark.parametrize("path, status, body, kind", [
    ("/health", 200, b"ok", "text/plain; charset=utf-8"), ("/gone", 410, b"", None), ("/json", 503, b'{"a": 1}', "application/json")])
def test_a_rule_answers_by_itself(world, client, path, status, body, kind):
    mark, calls = world.mark(), len(world.target.calls)
    for _ in range(2):  # and the connection goes on
        response = client.ask(path)
        assert (response.status, response.body, header(response, "Content-Type")) == (status, body, kind)
        assert header(response, "Server") == "sallyport" and header(response, "Date")
    line = world.line(since=mark, client=client.name)
    assert line["status"] == status and line["rule"]["path"] == f"= {path}" and "target_group" not in line
    assert line["bytes_out"] == len(body) and "close" not in line
    assert len(world.target.calls) == calls
    assert header(client.ask("/json"), "Retry-After") == "5"


def test_204_and_head_have_no_content(client):
    assert (client.ask("/empty").status, client.ask("/empty").body) == (204, b"")
    assert header(client.ask("/empty"), "Content-Length") is None
    response = client.ask("/json", "HEAD")
    assert (response.status, header(response, "Content-Length")) == (503, "8")
    assert client.ask("/health").body == b"ok"


def test_a_body_that_nobody_reads_is_not_taken_for_a_request(world, client):
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client.send(f"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(smuggled) + 1}\r\n\r\n".encode() + smuggled)
    response = client.response()
    assert response.status == 200 and header(response, "Connection") == "close"
    assert all(call.path != "/smuggled" for call in world.target.calls)


@pytest.mark.parametrize("path, status, location", [
    ("/old/a?b=c", 302, "https://new.test/old/a?b=c"), ("/moved/x?y", 301, "https://new.test/here"),
    ("/secure/a%20b", 308, "https://localhost/secure/a%20b"), ("/see/x?y", 303, "https://localhost/$/GET?from=/see/x"),
    ("/old//evil.test/", 302, "https://new.test/old//evil.test/")])
def test_redirects(world, client, path, status, location):
    calls = len(world.target.calls)
    response = client.ask(path)
    assert (response.status, header(response, "Location"), response.body) == (status, location, b"")
    assert client.ask("/health").status == 200
    assert len(world.target.calls) == calls


def test_a_redirect_to_the_host_that_was_asked_for_names_one(world, client):
    """Without a host, clients would take the first segment of the path for it."""
    client.send("GET /secure/x HTTP/1.1\r\nHost: [2001:DB8::1]:8080\r\n\r\n")
    assert header(client.response(), "Location") == "https://[2001:db8::1]/secure/x"
    mark = world.mark()
    client.send("GET /secure/x HTTP/1.0\r\n\r\n")
    response = client.response()
    assert response.status == 400 and header(response, "Location") is None
    assert "without a Host" in world.line(since=mark, client=client.name, status=400)["detail"]


def test_the_heads_of_requests_are_changed(world, client):
    assert client.ask("/headers/a?b", "GET", "Accept: */*", "X-Kept: old", "x-kept: older", "X-List: a", "X-Who: me").status == 200
    call = world.target.calls[-1]
    assert call.all("Accept") == [] and call.all("X-Kept") == ["new"] and call.all("X-List") == ["a", "b"]
    assert call.all("X-Who") == ["127.0.0.1 on web"] and call.all("X-Uri") == ["/headers/a?b"] and call.all("X-Listener") == ["web"]
    assert call.all("X-Subject") == []  # nothing to say
    assert client.ask("/other", "GET", "X-Kept: old").status == 200
    assert world.target.calls[-1].all("X-Kept") == ["old"] and world.target.calls[-1].all("X-Listener") == ["web"]


def test_the_heads_of_responses_are_changed(world, client):
    world.target.script("/headers/r")(
        lambda call: call.answer(b"ok", "Server: apache", "Set-Cookie: a=1", "X-Frame-Options: SAMEORIGIN", "x-frame-options: x"))
    response = client.ask("/headers/r?q=1")
    assert all_of(response, "Server") == [] and all_of(response, "X-Frame-Options") == ["DENY"]
    assert all_of(response, "Set-Cookie") == ["a=1", "b=2"] and all_of(response, "X-Query") == ["q=1"]


def test_what_does_not_fit_a_head_is_a_502(world, client):
    assert client.ask("/long/" + "x" * 3000).status == 200
    mark = world.mark()
    assert client.ask("/long/" + "x" * 5000).status == 502
    assert "too large" in world.line(since=mark, client=client.name, status=502)["detail"]


def test_variables_of_tls(world, pki):
    context = peers.client_context(pki.ca("servers"), pki.good)
    with peers.connect(world.port("tls"), context) as tls:
        status, _, _ = peers.ask(tls, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Tls: forged\r\n\r\n")
        assert status == 200
        scheme, version, cipher, sni, *subject, sha256 = world.target.calls[-1].all("X-Tls")[0].split(" ")
        assert (scheme, version, cipher, sni, subject) == ("https", "1.3", tls.cipher()[0], "localhost", ["CN=good"])
        assert len(sha256) == 64

# ---- a slash at the end ----

@pytest.mark.parametrize("asked, location", [
    ("/old", "/old/"), ("/old?a=b&c", "/old/?a=b&c"), ("/o%6cd?//evil.test", "/old/?//evil.test"), ("/old?", "/old/?"),
    ("http://localhost/old", "/old/")])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_path_that_lacks_the_slash_of_its_rule_is_sent_there(world, client, method, asked, location):
    mark, calls = world.mark(), len(world.target.calls)
    response = client.ask(asked, method)
    assert (response.status, header(response, "Location"), response.body) == (301, location, b"")
    assert header(response, "Server") == "sallyport"
    line = world.line(since=mark, client=client.name)
    assert (line["status"], line["rule"]["path"]) == (301, "/old/") and "close" not in line
    assert client.ask("/health").status == 200 and len(world.target.calls) == calls


@pytest.mark.parametrize("asked", ["/olds", "/ol", "//old", "/old//x", "/slash", "/slash2", "/", "/health/", "//evil.test"])
def test_what_another_rule_has_is_not_sent_anywhere(world, client, asked):
    """`= /slash` and the prefix `/slash2` stand beside `/slash/` and `/slash2/`; `//evil.test/` would lead to another host."""
    response = client.ask(asked)
    assert (response.status == 302) == (asked == "/old//x") and response.status != 301


def test_a_slash_is_missing_after_limits_and_authentication(pki, tmp_path):
    """The rule's own authentication comes first: who may not ask for it hears nothing of it."""
    config = f"""
listeners:
  - name: tls
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: optional
    client_ca: [{pki.ca('clients').crt}]
    certificates: [{pki.server.yaml()}]
    rules:
      - {{domain: localhost, path: /admin/, respond: {{status: 200}}, authentication: {{client_ca: [{pki.ca('clients').crt}]}}}}
target_groups: [{{name: t, protocol: HTTP, targets: [{{address: "127.0.0.1:1"}}]}}]
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path, config) as instance:
        def ask(certificate=None):
            with peers.connect(instance.port("tls"), peers.client_context(pki.ca("servers"), certificate)) as tls:
                status, headers, _ = peers.ask(tls, b"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return status, dict(headers).get("Location")
        assert ask() == (403, None)
        assert ask(pki.good) == (301, "/admin/")


# ---- to another listener ----

@pytest.mark.parametrize("protocol, scheme", [("HTTPS", "https"), ("HTTP", "http")])
def test_a_redirect_to_a_listener_leads_to_it(pki, tmp_path, protocol, scheme):
    """For every host, known or not: the first domain is the default one."""
    certificates = f"certificates: [{pki.server.yaml()}]," if protocol == "HTTPS" else ""
    with held_port() as port:
        config = f"""
listeners:
  - name: plain
    protocol: HTTP
    address: 127.0.0.1:0
    rules:
      - {{domain: first.test, redirect: {{to: "listener:other"}}}}
      - {{domain: first.test, path: "= /once", redirect: {{to: "listener:other", code: 307, keep_uri: false}}}}
      - {{domain: first.test, path: ^~ /.well-known/acme-challenge/, respond: {{status: 200, body: token}}}}
  - {{name: other, protocol: {protocol}, address: "127.0.0.1:{port}", {certificates}
      rules: [{{domain: localhost, respond: {{status: 200, body: here}}}}]}}
target_groups: [{{name: t, protocol: HTTP, targets: [{{address: "127.0.0.1:1"}}]}}]
access_log: {{file: access.log}}
workers: 1
"""
        with running(tmp_path, config) as instance, Client(instance.port("plain")) as client:
            response = client.ask("/a?b", host="localhost:80")
            assert (response.status, header(response, "Location")) == (301, f"{scheme}://localhost:{port}/a?b")
            assert header(client.ask("/once", "POST"), "Location") == f"{scheme}://localhost:{port}"
            assert client.ask("/once", "POST").status == 307
            assert client.ask("/.well-known/acme-challenge/x").body == b"token"
            assert "listener:other" in command("check", "-T", "-c", instance.file).stdout
