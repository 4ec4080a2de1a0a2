# SPDX-License-Identifier: Apache-2.0
"""What targets are told about the client, and that nobody but us tells it."""
import json
import socket

import pytest

import peers
from http_peers import Client, Scripted, group, plain, running

FORGED = ["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 6.6.6.7", "X_Forwarded_For: 6.6.6.8", "X-Forwarded.For: 6.6.6.9", "X-Forwarded-Proto: gopher",
          "X-FORWARDED_PROTO: gopher", "X-Real-IP: 6.6.6.6", "X_Real_Ip: 6.6.6.6", "Client-Cert: :Zm9yZ2Vk:", "client_cert: forged",
          "Client-Cert-Chain: forged", "X-Client-Cert-Verified: accepted", "X_CLIENT_CERT_VERIFIED: accepted", "X.Client.Cert.Subject: CN=forged",
          "X-Client-Cert-Sha256: forged", "X-Client-Cert-Whatever: forged"]


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    rules = "rules: [{domain: localhost, path: /, target_group: web}]"
    cert = f"certificates: [{pki.server.yaml()}]"
    listeners = f"""
  - {{name: trusting, protocol: HTTP, address: "127.0.0.1:0", {rules}, trusted_proxies: [127.0.0.0/8, "::1/128"]}}
  - {{name: distrusting, protocol: HTTP, address: "127.0.0.1:0", {rules}, trusted_proxies: [10.0.0.0/8]}}
  - {{name: tls, protocol: HTTPS, address: "127.0.0.1:0", {cert}, {rules}}}
  - {{name: optional, protocol: HTTPS, address: "127.0.0.1:0", authentication: optional, {cert}, client_ca: [{pki.ca('clients').crt}], {rules}}}
  - {{name: six, protocol: HTTP, address: "[::1]:0", {rules}}}"""
    with running(tmp_path_factory.mktemp("headers"), plain(group("web", target), listeners=listeners), target) as instance:
        yield instance


def told(world, target, listener, *fields, **kw):
    """The header fields that the target got for a request with FIELDS: name in lower case → values."""
    with Client(world.port(listener)) as client:
        assert client.ask("/", "GET", *fields, **kw).status == 200
    return by_name(target.calls[-1].headers)


def by_name(headers):
    out = {}
    for k, v in headers:
        out.setdefault(k.lower(), []).append(v)
    return out


def test_the_target_learns_the_clients_address_and_scheme(world, target):
    got = told(world, target, "plain")
    assert (got["x-forwarded-for"], got["x-real-ip"], got["x-forwarded-proto"]) == (["127.0.0.1"], ["127.0.0.1"], ["http"])


def test_host_arrives_as_it_was_sent(world, target):
    assert told(world, target, "plain", host="LocalHost.:8080")["host"] == ["LocalHost.:8080"]


@pytest.mark.parametrize("listener", ["plain", "distrusting"])
def test_what_a_client_says_under_our_names_never_arrives(world, target, listener):
    got = told(world, target, listener, *FORGED, "X-Forwarded-Fort: kept")
    assert got["x-forwarded-for"] == ["127.0.0.1"] and got["x-forwarded-proto"] == ["http"] and got["x-real-ip"] == ["127.0.0.1"]
    assert not any("6.6.6" in v or "forged" in v or v == "accepted" or v == "gopher" for values in got.values() for v in values)
    assert got["x-forwarded-fort"] == ["kept"]


def test_a_trusted_proxys_forwarded_for_is_appended_to(world, target):
    got = told(world, target, "trusting", "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "X-Forwarded-For: 3.3.3.3", *FORGED[2:])
    assert got["x-forwarded-for"] == ["1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"] and got["x-real-ip"] == ["127.0.0.1"]
    assert told(world, target, "trusting")["x-forwarded-for"] == ["127.0.0.1"]


def test_naming_our_fields_in_connection_does_not_remove_them(world, target):
    got = told(world, target, "plain", "Connection: X-Forwarded-For, X-Real-IP, X-Client-Cert-Verified")
    assert got["x-forwarded-for"] == ["127.0.0.1"] and got["x-real-ip"] == ["127.0.0.1"] and "connection" not in got


def test_addresses_of_ipv6_clients_are_written_without_brackets(world, target):
    with Client(sock=socket.create_connection(("::1", world.port("six")), 10)) as client:
        assert client.ask().status == 200
    got = by_name(target.calls[-1].headers)
    assert (got["x-forwarded-for"], got["x-real-ip"]) == (["::1"], ["::1"])


def test_the_scheme_is_that_of_the_listener(world, target, pki):
    with peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"))) as tls:
        peers.ask(tls, b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n")
    got = by_name(target.calls[-1].headers)
    assert got["x-forwarded-proto"] == ["https"] and "x-client-cert-verified" not in got


@pytest.mark.parametrize("has_certificate", [False, True])
def test_who_is_asked_for_a_certificate_is_told_apart(world, target, pki, has_certificate):
    forged = "".join(f"{f}\r\n" for f in FORGED).encode()
    with peers.connect(world.port("optional"), peers.client_context(pki.ca("servers"), pki.good if has_certificate else None)) as tls:
        assert peers.ask(tls, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + forged + b"\r\n")[0] == 200
    got = by_name(target.calls[-1].headers)
    assert got["x-client-cert-verified"] == ["accepted" if has_certificate else "none"]
    assert ("client-cert" in got) == ("x-client-cert-subject" in got) == ("x-client-cert-sha256" in got) == has_certificate
    assert "forged" not in json.dumps(got)


def test_the_request_arrives_as_it_was_sent_otherwise(world, target):
    with Client(world.port("plain")) as client:
        client.send(b"GET /A%7e%2Db?q=%2f..%00&x HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\nAccept: */*\r\ncookie: c=d\r\nX-Bytes: \xe9\r\n\r\n")
        assert client.response().status == 200
    call = target.calls[-1]
    assert call.lines[0] == "GET /A%7e%2Db?q=%2f..%00&x HTTP/1.1"
    assert [h for h in call.headers if h[0] in ("Cookie", "Accept", "cookie", "X-Bytes")] == [
        ("Cookie", "a=b"), ("Accept", "*/*"), ("cookie", "c=d"), ("X-Bytes", "\xe9")]
