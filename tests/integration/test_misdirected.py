# SPDX-License-Identifier: Apache-2.0
"""A connection authenticated for one domain carries no request for a domain of another policy (peers.md T11)."""
import json
import pathlib

import pytest

import peers
from instance import Instance

PROTECTED = ["secure.example", "SECURE.Example", "secure.example.", "secure.example:443", "SecurE.example.:8443",
             "www.private.example", "WWW.PRIVATE.EXAMPLE.:443"]


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """`open.example` and the listener itself are one-way; secure.example and *.private.example are mutual. The rules of the closed
    ones lead to a target of their own."""
    shown, hidden = peers.Target(peers.http_echo), peers.Target(peers.http_echo)
    server = pki.ca("servers").issue("misdirected", "server", ["DNS:*.example", "DNS:*.private.example", "DNS:localhost"])
    closed = f"authentication: mutual, client_ca: [{pki.ca('clients').crt}]"
    config = f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{server.yaml()}]
    domains: [{{name: open.example}}, {{name: secure.example, {closed}}}, {{name: "*.private.example", {closed}}}]
    rules:
      - {{domain: localhost, target_group: shown}}
      - {{domain: open.example, target_group: shown}}
      - {{domain: secure.example, target_group: hidden}}
      - {{domain: "*.private.example", target_group: hidden}}
target_groups:
  - {{name: shown, protocol: HTTP, targets: [{{address: "127.0.0.1:{shown.port}"}}]}}
  - {{name: hidden, protocol: HTTP, targets: [{{address: "127.0.0.1:{hidden.port}"}}]}}
access_log: {{file: access.log}}
workers: 1
"""
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("misdirected")), config)
    instance.shown, instance.hidden = shown, hidden
    yield instance
    instance.check()
    shown.close()
    hidden.close()


def connect(world, pki, name, certificate=None, version=None):
    context = peers.nameless(peers.client_context(pki.ca("servers"), certificate, version))
    return peers.connect(world.port("web"), context, name)


def request(host, target="/", version="1.1"):
    """With a body, by which a target that gets it tells."""
    fields = f"Host: {host}\r\n" if host is not None else ""
    return f"POST {target} HTTP/{version}\r\n{fields}Content-Length: 4\r\n\r\nseen".encode()


def traffic(world):
    return [(t.accepted, t.received) for t in (world.shown, world.hidden)]


def is_misdirected(world, tls, text):
    """The answer to TEXT is 421, the log says why, and no target saw any of it."""
    mark, before = world.mark(), traffic(world)
    status, _, _ = peers.ask(tls, text)
    host, port = tls.getsockname()
    line = world.line(client=f"{host}:{port}", since=mark)  # the line of a connection before may come late
    assert (status, line["close"], line["status"]) == (421, "misdirected", 421), line
    assert "target" not in line and traffic(world) == before
    return line


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("host", PROTECTED)
@pytest.mark.parametrize("name", ["open.example", "localhost", None])
def test_t11_an_open_connection_does_not_reach_a_closed_domain(world, pki, name, host, version):
    with connect(world, pki, name, version=version) as tls:
        line = is_misdirected(world, tls, request(host))
    assert line["host"] in ("secure.example", "www.private.example") and line.get("sni") == name


@pytest.mark.parametrize("host", PROTECTED)
def test_t11_nor_does_its_second_request(world, pki, host):
    mark = world.mark()
    with connect(world, pki, "open.example") as tls:
        status, _, body = peers.ask(tls, request("open.example"))
        assert status == 200 and ["Host", "open.example"] in json.loads(body)["headers"]
        world.line(listener="web", since=mark, status=200)
        is_misdirected(world, tls, request(host))


@pytest.mark.parametrize("host", PROTECTED)
@pytest.mark.parametrize("host_field", ["open.example", "secure.example"])
def test_t11_nor_does_a_request_in_absolute_form(world, pki, host, host_field):
    # RFC 9112 §3.2.2: the target's authority counts, and Host is ignored
    with connect(world, pki, "open.example") as tls:
        is_misdirected(world, tls, request(host_field, f"https://{host}/"))


def test_t11_absolute_form_for_the_right_domain_loses_its_wrong_host(world, pki):
    with connect(world, pki, "open.example") as tls:
        status, _, body = peers.ask(tls, request("secure.example", "http://open.example/a"))
    told = json.loads(body)
    assert status == 200 and told["path"] == "/a"
    assert [v for k, v in told["headers"] if k.lower() == "host"] == ["open.example"]


@pytest.mark.parametrize("host", ["secure%2eexample", "open.example@secure.example", "secure.example,open.example", "secure.example/",
                                  "[secure.example]", "secure.example:443:443", "secure.example:x"])
def test_t11_a_host_that_is_none_goes_nowhere(world, pki, host):
    before, mark = traffic(world), world.mark()
    with connect(world, pki, "open.example") as tls:
        assert peers.ask(tls, request(host))[0] == 400
    assert world.line(listener="web", since=mark)["close"] == "bad_request" and traffic(world) == before


def test_t11_two_hosts_go_nowhere(world, pki):
    before = traffic(world)
    with connect(world, pki, "open.example") as tls:
        assert peers.ask(tls, b"GET / HTTP/1.1\r\nHost: open.example\r\nHost: secure.example\r\n\r\n")[0] == 400
    assert traffic(world) == before


def test_t11_a_request_without_host_belongs_to_the_listener_itself(world, pki):
    with connect(world, pki, "open.example") as tls:
        is_misdirected(world, tls, request(None, version="1.0"))
    with connect(world, pki, "secure.example", pki.good) as tls:
        is_misdirected(world, tls, request(None, version="1.0"))
    with connect(world, pki, "localhost") as tls:
        assert peers.ask(tls, request(None, version="1.0"))[0] == 200


@pytest.mark.parametrize("host", ["open.example", "OPEN.example.:443", "localhost", "unknown.example", "www.private.example"])
def test_t11_the_reverse_a_closed_connection_serves_its_domain_only(world, pki, host):
    """Also www.private.example: that it asks for the same does not make it the same policy."""
    with connect(world, pki, "secure.example", pki.good) as tls:
        is_misdirected(world, tls, request(host))


@pytest.mark.parametrize("host", ["secure.example", "SECURE.example.:443"])
def test_t11_whoever_comes_to_the_right_door_is_let_in(world, pki, host):
    with connect(world, pki, "secure.example", pki.good) as tls:
        status, _, body = peers.ask(tls, request(host))
    assert status == 200 and ["X-Client-Cert-Verified", "accepted"] in json.loads(body)["headers"]


@pytest.mark.parametrize("name,host,is_served", [
    (None, "localhost", True), (None, "unknown.example", True), ("unknown.example", "localhost", True),
    ("127.0.0.1", "127.0.0.1", True), (None, "open.example", False), ("unknown.example", "open.example", False)])
def test_t11_without_a_known_name_the_listeners_own_policy_applies(world, pki, name, host, is_served):
    with connect(world, pki, name) as tls:
        if is_served:
            assert peers.ask(tls, request(host))[0] == 200
        else:
            is_misdirected(world, tls, request(host))
