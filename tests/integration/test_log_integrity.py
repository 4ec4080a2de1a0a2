# SPDX-License-Identifier: Apache-2.0
"""Whatever peers send, the access log stays one JSON object a line, without a byte that a terminal obeys (peers.md T33)."""
import base64
import json
import pathlib
import socket

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

import peers
from instance import Instance, until
from pki import raw_san

BYTES = {  # what is smuggled in
    "cr_lf": b"\r\n", "lf": b"\n", "cr": b"\r", "escape": b"\x1b[2J\x1b]0;owned\x07", "quote": b'","close":"done","x":"',
    "backslash": b"\\", "backslash_quote": b'\\"', "nul": b"\0", "del": b"\x7f", "bell": b"\x07", "tab": b"\t", "invalid_utf8": b"\xff\xfe\xc3",
    "overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "cut_short": b"\xe2\x82", "beyond_unicode": b"\xf4\x90\x80\x80",
    "c1_csi": b"\xc2\x9b2J", "next_line": b"\xc2\x85", "line_separator": b"\xe2\x80\xa8", "right_to_left": b"\xe2\x80\xae",
    "whole_line": b'\n{"time":"2026-01-01T00:00:00Z","listener":"forged"}\n', "format": b"%s%n%x", "brace": b"}}]",
}
each = pytest.mark.parametrize("what", BYTES)


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    web = peers.Target(peers.http_echo)
    server = pki.ca("servers").issue("log", "server", ["DNS:*.example", "DNS:localhost"])
    rules = "rules: [{domain: localhost, target_group: web}]"
    ca = f"client_ca: [{pki.ca('clients').crt}]"
    config = f"""
listeners:
  - {{name: plain, protocol: HTTP, address: "127.0.0.1:0", {rules}}}
  - {{name: one_way, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{server.yaml()}], {rules}}}
  - {{name: mutual, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{server.yaml()}], authentication: mutual, {ca}, {rules}}}
  - {{name: listed, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{server.yaml()}], authentication: mutual, {ca},
     client_names: ["DNS:somebody.example"], {rules}}}
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web.port}"}}]}}]
access_log: {{file: access.log}}
workers: 1
"""
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("log")), config)
    instance.web = web
    yield instance
    assert is_printable(instance.err.read_bytes().decode("utf-8", errors="strict").replace("\n", ""))
    instance.check()
    web.close()


def is_printable(text):
    """No C0 or C1 control, no DEL: nothing that moves a cursor or ends a line."""
    return not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in text)


def raw_lines(world):
    return world.access_log.read_bytes().split(b"\n") if world.access_log.exists() else [b""]


class Watch:
    """What the log gained, in sound lines."""

    def __init__(self, world):
        self.world, self.before = world, len(raw_lines(world))

    def lines(self):
        """One or more; what has no end yet is still being written."""
        told = []
        for line in until(lambda: raw_lines(self.world)[self.before - 1:-1], "a line"):
            text = line.decode("utf-8", errors="strict")
            assert is_printable(text), line
            told.append(json.loads(text))
            assert list(told[-1])[:3] == ["time", "listener", "protocol"] and told[-1]["listener"] != "forged"
        return told

    def line(self):
        (line,) = self.lines()
        return line


def send(world, listener, request):
    """The status that REQUEST earns, or None if the connection ended without one."""
    with socket.create_connection(("127.0.0.1", world.port(listener)), 10) as s:
        s.sendall(request)
        answer = b""
        while b"\r\n" not in answer and (data := s.recv(65536)):
            answer += data
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/") else None  # else an alert


# ---- requests ----

PLACES = {  # where the bytes stand in a request
    "method": b"GE%bT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "path": b"GET /a%bb HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "query": b"GET /?a%bb HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "version": b"GET / HTTP/1.1%b\r\nHost: localhost\r\n\r\n",
    "host": b"GET / HTTP/1.1\r\nHost: local%bhost\r\n\r\n",
    "authority": b"GET http://local%bhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "field_name": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-%bY: 1\r\n\r\n",
    "field_value": b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a%bb\r\n\r\n",
    "forwarded_for": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: a%bb\r\n\r\n",
    "length": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0%b\r\n\r\n",
    "first_bytes": b"%bGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@each
@pytest.mark.parametrize("place", PLACES)
def test_t33_in_a_request(world, what, place):
    watch = Watch(world)
    status = send(world, "plain", PLACES[place] % BYTES[what])
    lines = watch.lines()  # where the head ends early, what follows it is another request
    assert status is not None and lines[0]["status"] == status
    assert all(line.get("host", "localhost") == "localhost" for line in lines), lines


@each
def test_t33_percent_encoded_in_a_path_it_is_as_it_came(world, what):
    encoded = "".join(f"%{b:02x}" for b in BYTES[what])
    watch = Watch(world)
    status = send(world, "plain", f"GET /{encoded} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    line = watch.line()
    assert line["status"] == status and line["path"] == f"/{encoded}"
    assert status == (400 if {"nul": 1, "backslash": 1, "backslash_quote": 1}.get(what) else 200)


# ---- certificates ----

def issue(pki, what, **kw):
    return pki.ca("clients").issue(f"log-{what}", **kw)


def visit(world, pki, listener, certificate):
    try:
        return peers.get(world.port(listener), pki.ca("servers"), certificate)[0]
    except peers.Refused:
        return None


@each
@pytest.mark.parametrize("listener", ["mutual", "listed"])
def test_t33_in_a_distinguished_name(world, pki, what, listener):
    text = BYTES[what].decode("utf-8", errors="replace").replace("\ufffd", "?")[:50]
    attributes = [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME]
    certificate = issue(pki, what, subject=x509.Name([x509.NameAttribute(oid, f"a{text}b") for oid in attributes]))
    watch = Watch(world)
    came_in = visit(world, pki, listener, certificate) == 200
    line = watch.line()
    assert came_in == (listener == "mutual") and line["peer"]["chain"][0]["subject"].isascii(), line


@each
def test_t33_in_a_distinguished_name_that_is_no_utf8(world, pki, what):
    """Bytes that no library would write: put into the finished certificate, whose signature they break."""
    value = (b"a" + BYTES[what])[:24].ljust(24, b"b")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 24, _ASN1Type.T61String)])
    certificate = forge(issue(pki, f"raw-{what}", subject=name), b"x" * 24, value)
    watch = Watch(world)
    assert visit(world, pki, "mutual", certificate) is None
    line = watch.line()
    assert line["peer"]["reason"] == "bad_signature" and line["peer"]["chain"][0]["subject"].isascii(), line


@each
@pytest.mark.parametrize("kind", ["DNS", "EMAIL", "URI", "OTHER"])
def test_t33_in_a_subject_alternative_name(world, pki, what, kind):
    certificate = issue(pki, f"san-{what}", raw_san=raw_san(kind, b"a" + BYTES[what] + b"b"))
    watch = Watch(world)
    assert visit(world, pki, "listed", certificate) is None
    assert watch.line()["close"] == "client_refused"


def forge(certificate, old, new):
    """The PEM of CERTIFICATE with NEW for OLD: DER of the same length."""
    der = certificate.der
    assert len(old) == len(new) and old in der
    text = base64.encodebytes(der.replace(old, new)).decode()
    certificate.crt.write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    return certificate


# ---- server names ----

@each
def test_t33_in_a_server_name(world, pki, what):
    smuggled = BYTES[what][:40]
    name = "x" * (len(smuggled) + 2) + ".example"

    def replace(flight):  # the lengths stay; that the two ends then disagree about the ClientHello comes later than the log needs
        assert flight.count(name.encode()) == 1
        return [flight.replace(name.encode(), b"x" + smuggled + b"x.example")]

    watch = Watch(world)
    with pytest.raises((peers.Refused, ConnectionError)):
        peers.ByHand(world.port("one_way"), peers.nameless(peers.client_context(pki.ca("servers"))), name, cut=replace)
    line = watch.line()
    assert line["close"].startswith("handshake_"), line
    assert "sni" not in line or (line["sni"].isascii() and line["sni"].isprintable()), line


@each
def test_t33_instead_of_a_client_hello(world, what):
    watch = Watch(world)
    send(world, "one_way", BYTES[what] * 10)
    assert watch.line()["close"].startswith("handshake_")
