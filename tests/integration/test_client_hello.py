# SPDX-License-Identifier: Apache-2.0
"""However a ClientHello arrives, the policy of its server name applies (peers.md T9)."""
import pathlib

import pytest

import peers
from instance import Instance


RECORD_MAX = 16384


def message_of(flight):
    """The handshake message in the records of FLIGHT, and the version that their headers state."""
    message, at = b"", 0
    while at < len(flight):
        size = int.from_bytes(flight[at + 3:at + 5], "big")
        message += flight[at + 5:at + 5 + size]
        at += 5 + size
    return message, flight[1:3]


def framed(message, version, size):
    """MESSAGE in records of SIZE bytes each: RFC 8446 §5.1 allows any split."""
    pieces = [message[i:i + size] for i in range(0, len(message), size)]
    return b"".join(b"\x16" + version + len(p).to_bytes(2, "big") + p for p in pieces)


def into_records(size):
    return lambda flight: [framed(*message_of(flight), size)]


def into_segments(size):
    return lambda flight: [flight[i:i + size] for i in range(0, len(flight), size)]


def into_both(flight):
    return into_segments(1)(into_records(1)(flight)[0])


def inside_the_name(flight):
    """Two records at least, and a border between two runs through the server name."""
    message, version = message_of(flight)
    border = message.index(b".example") - 2
    return [framed(part, version, RECORD_MAX) for part in (message[:border], message[border:])]


CUTS = {
    "whole": lambda flight: [flight],
    "one_byte_segments": into_segments(1),
    "one_byte_records": into_records(1),
    "one_byte_records_in_one_byte_segments": into_both,
    "seven_byte_records": into_records(7),
    "split_inside_the_name": inside_the_name,
    "header_apart": lambda flight: [flight[:5], flight[5:]],
}
# bytes by which ALPN blows the ClientHello up: beyond one segment, beyond one record, as large as an extension can be
PADDINGS = (0, 1500, 17000, 60000)


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """The listener's own policy is one-way, the one of secure.example mutual: who fails to find the name lets everybody in."""
    web = peers.Target(peers.http_echo)
    server = pki.ca("servers").issue("hello", "server", ["DNS:*.example"])
    config = f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{server.yaml()}]
    domains:
      - {{name: secure.example, authentication: mutual, client_ca: [{pki.ca('clients').crt}]}}
    rules: [{{domain: open.example, target_group: web}}, {{domain: secure.example, target_group: web}}]
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]
access_log: {{file: access.log}}
workers: 1
"""
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("hello")), config)
    instance.web = web
    yield instance
    instance.check()
    web.close()


def visit(world, pki, version, name, cut, padding, certificate=None):
    """(status or alert, line of the access log)"""
    filler = [f"{n:03}{'x' * 250}" for n in range(padding // 254)]
    context = peers.nameless(peers.client_context(pki.ca("servers"), certificate, version, alpn=[*filler, "http/1.1"]))
    mark = world.mark()
    try:
        with peers.ByHand(world.port("web"), context, name, cut=cut) as client:
            assert len(client.hello) > padding * 0.9
            got, _ = client.ask(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    except peers.Refused as refused:
        got = refused.alert
    return got, world.line(listener="web", since=mark)


each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])
each_form = pytest.mark.parametrize("cut,padding", [
    pytest.param(cut, padding, id=f"{name}-{padding}") for name, cut in CUTS.items() for padding in PADDINGS
    if padding < 10000 or "one_byte" not in name])


@each_version
@each_form
def test_t9_the_closed_domain_stays_closed(world, pki, version, cut, padding):
    before = world.web.accepted
    got, line = visit(world, pki, version, "secure.example", cut, padding)
    assert got == {"1.2": "SSLV3_ALERT_HANDSHAKE_FAILURE", "1.3": "TLSV13_ALERT_CERTIFICATE_REQUIRED"}[version], line
    assert line["sni"] == "secure.example" and line["peer"]["reason"] == "no_certificate"
    assert world.web.accepted == before


@each_version
@each_form
def test_t9_both_domains_serve_those_they_are_for(world, pki, version, cut, padding):
    got, line = visit(world, pki, version, "secure.example", cut, padding, pki.good)
    assert got == 200 and line["peer"]["accepted"], line
    got, line = visit(world, pki, version, "open.example", cut, padding)
    assert got == 200 and "peer" not in line, line


@each_version
@pytest.mark.parametrize("name", ["SECURE.example", "secure.Example.", "SeCuRe.ExAmPlE."])
def test_t9_a_name_spelt_otherwise_is_the_same_name(world, pki, version, name):
    def as_spelt(flight):
        assert name.encode() in flight  # the client has not tidied it up
        return [flight]

    before = world.web.accepted
    _, line = visit(world, pki, version, name, as_spelt, 0)
    assert line["sni"].rstrip(".") == "secure.example" and line["peer"]["reason"] == "no_certificate", line
    assert world.web.accepted == before
    got, line = visit(world, pki, version, name, as_spelt, 0, pki.good)
    assert got == 200, line
