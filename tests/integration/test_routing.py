# SPDX-License-Identifier: Apache-2.0
"""Which rule a request falls under: domain, then path."""
import pytest

from http_peers import Client, Scripted, group, plain, running

RULES = [
    ("www.example.com", "/"), ("www.example.com", "/api/"), ("www.example.com", "/api/v2"), ("www.example.com", "= /api/v2"),
    ("www.example.com", "= /health"), ("www.example.com", "/caf~"), ("*.example.com", "/"), ("*.eu.example.com", "/"),
    ("www.example.*", "/"), ("only.test", "/only/"), ("10.0.0.1", "/"),
    ("~^img[0-9]+\\.test$", "/"), ("~^img[0-9]+\\.test$", "~* \\.(png|jpg)$"), ("~^img[0-9]+\\.test$", "^~ /raw/"),
    ("slow.test", "~ ^(/[a/]*)+$"),
]

# (host, path) → the rule
ROUTES = {
    ("www.example.com", "/"): ("www.example.com", "/"),
    ("www.example.com", "/apix"): ("www.example.com", "/"),
    ("www.example.com", "/api/"): ("www.example.com", "/api/"),
    ("www.example.com", "/api/v1"): ("www.example.com", "/api/"),
    ("www.example.com", "/api/v2"): ("www.example.com", "= /api/v2"),
    ("www.example.com", "/api/v2?x"): ("www.example.com", "= /api/v2"),
    ("www.example.com", "/api/v22"): ("www.example.com", "/api/v2"),
    ("www.example.com", "/API/v2"): ("www.example.com", "/"),
    ("www.example.com", "/health"): ("www.example.com", "= /health"),
    ("www.example.com", "/health/"): ("www.example.com", "/"),
    ("www.example.com", "/%61pi/v1"): ("www.example.com", "/api/"),
    ("www.example.com", "/caf%7E/x"): ("www.example.com", "/caf~"),
    ("WWW.Example.COM", "/api/"): ("www.example.com", "/api/"),
    ("www.example.com:8443", "/api/"): ("www.example.com", "/api/"),
    ("www.example.com.", "/api/"): ("www.example.com", "/api/"),
    ("www.example.com.:80", "/api/"): ("www.example.com", "/api/"),
    ("a.example.com", "/api/"): ("*.example.com", "/"),
    ("a.b.example.com", "/"): ("*.example.com", "/"),
    ("a.eu.example.com", "/"): ("*.eu.example.com", "/"),
    ("eu.example.com", "/"): ("*.example.com", "/"),
    ("www.example.org", "/"): ("www.example.*", "/"),
    ("www.example.co.uk", "/"): ("www.example.*", "/"),
    ("only.test", "/only/x"): ("only.test", "/only/"),
    ("10.0.0.1:80", "/"): ("10.0.0.1", "/"),
    ("elsewhere.test", "/api/v1"): ("www.example.com", "/api/"),  # the first rule's domain is the default
    ("img7.test", "/a"): ("~^img[0-9]+\\.test$", "/"),
    ("IMG7.test", "/a.PNG?x"): ("~^img[0-9]+\\.test$", "~* \\.(png|jpg)$"),
    ("img7.test", "/a%2Epng"): ("~^img[0-9]+\\.test$", "~* \\.(png|jpg)$"),
    ("img7.test", "/a?x.png"): ("~^img[0-9]+\\.test$", "/"),
    ("img7.test", "/raw/a.png"): ("~^img[0-9]+\\.test$", "^~ /raw/"),
    ("img7.testing", "/a.png"): ("www.example.com", "/"),
    ("example.com", "/"): ("www.example.com", "/"),
    ("xexample.com", "/"): ("www.example.com", "/"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    target = Scripted()
    rules = ", ".join(f"{{domain: '{d}', path: '{p}', target_group: web}}" for d, p in RULES)
    with running(tmp_path_factory.mktemp("routing"), plain(group("web", target), rules=rules), target) as instance:
        instance.target = target
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def rule(line):
    return line["rule"]["domain"], line["rule"]["path"]


@pytest.mark.parametrize("asked", ROUTES, ids=lambda a: "".join(a))
def test_the_most_specific_rule_is_taken(world, client, asked):
    host, path = asked
    mark = world.mark()
    assert client.ask(path, host=host).status == 200
    assert rule(world.line(since=mark, client=client.name)) == ROUTES[asked]
    assert world.target.calls[-1].path == path


def test_no_rule_for_the_path_is_a_404_and_the_connection_stays(world, client):
    mark = world.mark()
    assert client.ask("/other", host="only.test").status == 404
    assert world.line(since=mark, client=client.name)["close"] == "no_rule"
    assert client.ask("/only/", host="only.test").status == 200


def test_a_rule_that_cannot_be_decided_lets_nothing_through(world, client):
    mark, calls = world.mark(), len(world.target.calls)
    assert client.ask("/a" * 500 + "!", host="slow.test").status == 500
    assert world.line(since=mark, client=client.name)["close"] == "rule_limit"
    assert len(world.target.calls) == calls


def test_a_404_to_a_request_with_a_body_does_not_take_the_body_for_a_request(world, client):
    body = b"GET /only/smuggled HTTP/1.1\r\nHost: only.test\r\n\r\n"
    assert client.ask("/other", "POST", f"Content-Length: {len(body)}", host="only.test", body=body).status == 404
    assert client.end() == "fin"
    assert world.target.calls[-1].path != "/only/smuggled"


def test_an_absolute_form_wins_over_host(world, client):
    mark = world.mark()
    client.send(b"GET http://only.test:80/only/x?y HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
    assert client.response().status == 200
    line, call = world.line(since=mark, client=client.name), world.target.calls[-1]
    assert rule(line) == ("only.test", "/only/") and line["host"] == "only.test"
    assert call.path == "/only/x?y" and call.all("Host") == ["only.test:80"]


def test_an_absolute_form_without_path_asks_for_the_root(world, client):
    client.send(b"GET http://www.example.com HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.response().status == 200 and world.target.calls[-1].path == "/"


def test_http_1_0_without_host_belongs_to_the_default_domain(world, client):
    mark = world.mark()
    client.send(b"GET /api/ HTTP/1.0\r\n\r\n")
    assert client.response().status == 200
    assert rule(world.line(since=mark, client=client.name)) == ("www.example.com", "/api/")


def test_the_line_tells_where_it_went(world, client):
    mark = world.mark()
    client.ask("/api/v1?secret", "POST", "Content-Length: 3", host="www.example.com", body=b"abc")
    line = world.line(since=mark, client=client.name)
    assert {k: line[k] for k in ("listener", "protocol", "method", "host", "path", "status", "target_group", "target", "bytes_in", "bytes_out")} == {
        "listener": "plain", "protocol": "HTTP", "method": "POST", "host": "www.example.com", "path": "/api/v1", "status": 200,
        "target_group": "web", "target": f"127.0.0.1:{world.target.port}", "bytes_in": 3, "bytes_out": 2}
    assert set(line["ms"]) == {"connect", "response", "total"} and "close" not in line and "tls" not in line and "peer" not in line
