# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol: who the client is, as a balancer in front of us says, and as we say to targets."""
import hashlib
import pathlib
import socket
import ssl
import struct

import pytest

import peers
from files import command
from http_peers import Client, Scripted, group, name_of, running

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ALPN, AUTHORITY, SSL = 0x01, 0x02, 0x20
VERSION, CN, CIPHER, SCHEME, CERTIFICATE = 0x21, 0x22, 0x23, 0x27, 0x28
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.9 5555 443\r\n"


def v2(source="192.0.2.7", destination="198.51.100.9", ports=(5555, 443), tlvs=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack("!HH", *ports)
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x21 if ":" in source else 0x11, len(ends + tlvs)) + ends + tlvs


def tlvs(data):
    out = {}
    while data:
        kind, n = struct.unpack("!BH", data[:3])
        out[kind], data = data[3:3 + n], data[3 + n:]
    return out


class Behind(peers.Target):
    """A TCP target that expects a header of version 2, and echoes what follows it."""

    def __init__(self, context=None):
        self.headers, self.inner = [], context
        super().__init__(Behind.serve)

    def serve(self, connection):
        def exactly(n):
            data = b""
            while len(data) < n:
                piece = connection.recv(n - len(data))
                assert piece
                data += piece
            return data

        fixed = exactly(16)
        self.headers.append(fixed + exactly(struct.unpack("!H", fixed[14:])[0]))
        if self.inner:
            connection = self.inner.wrap_socket(connection, server_side=True)
        peers.echo(self, connection)

    def last(self):
        """(source, destination, extensions)"""
        header = self.headers[-1]
        assert header[:14] == SIGNATURE + b"\x21\x11"
        source, destination, *ports = struct.unpack("!4s4sHH", header[16:28])
        return f"{socket.inet_ntoa(source)}:{ports[0]}", f"{socket.inet_ntoa(destination)}:{ports[1]}", tlvs(header[28:])


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    web, raw = Scripted(), Behind()
    secure = Behind(peers.server_context(pki.server))
    cert, ca = f"certificates: [{pki.server.yaml()}]", pki.ca("clients").crt
    told = "proxy_protocol: {accept_from: [127.0.0.0/8]}"
    rules = "rules: [{domain: localhost, path: /, target_group: web}]"
    config = f"""
listeners:
  - {{name: web, protocol: HTTP, address: "127.0.0.1:0", {told}, {rules}}}
  - {{name: tls, protocol: HTTPS, address: "127.0.0.1:0", authentication: mutual, client_ca: [{ca}], {cert}, {told}, {rules}}}
  - {{name: others, protocol: HTTP, address: "127.0.0.1:0", proxy_protocol: {{accept_from: [10.0.0.0/8]}}, {rules}}}
  - {{name: raw, protocol: TCP, address: "127.0.0.1:0", target_group: raw}}
  - {{name: chain, protocol: TCP, address: "127.0.0.1:0", {told}, target_group: raw}}
  - {{name: mutual, protocol: TCP_SSL, address: "127.0.0.1:0", authentication: optional, client_ca: [{ca}], {cert}, target_group: raw}}
  - {{name: secure, protocol: TCP, address: "127.0.0.1:0", target_group: secure}}
target_groups:
  {group("web", web)}
  {group("raw", raw, protocol="TCP", more=", proxy_protocol: v2")}
  {group("secure", secure, protocol="TCP_SSL", more=f", proxy_protocol: v2, tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}")}
timeouts: {{handshake: 1s}}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("proxy_protocol"), config, web, raw, secure) as instance:
        instance.web, instance.raw, instance.secure = web, raw, secure
        yield instance


def ask(sock, header=b""):
    with Client(sock=sock) as c:
        c.send(header)
        return c.ask("/").status, c.name


def connection(world, listener):
    return socket.create_connection(("127.0.0.1", world.port(listener)), 10)


@pytest.mark.parametrize("header, client", [
    (V1, "192.0.2.7:5555"), (v2(), "192.0.2.7:5555"), (v2("2001:db8::7", "2001:db8::9"), "[2001:db8::7]:5555"),
    (v2(tlvs=b"\x04\x00\x02xx"), "192.0.2.7:5555"), (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 5555 1\r\n", "192.0.2.7:5555")],
    ids=["v1", "v2", "v2-ipv6", "extension", "mapped"])
def test_the_client_is_who_the_header_names(world, header, client):
    mark = world.mark()
    status, via = ask(connection(world, "web"), header)
    assert status == 200
    line = world.line(since=mark, client=client, via=via)
    assert line["via"] == via
    host = client.rpartition(":")[0].strip("[]")
    assert world.web.calls[-1].all("X-Forwarded-For") == [host] and world.web.calls[-1].all("X-Real-IP") == [host]


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\x00\x00"], ids=["v1", "v2"])
def test_a_header_that_names_nobody_leaves_the_connections_own_ends(world, header):
    mark = world.mark()
    status, name = ask(connection(world, "web"), header)
    assert status == 200 and world.line(since=mark, client=name)["via"] == name


def test_a_header_and_the_handshake_in_any_pieces(world, pki):
    context = peers.client_context(pki.ca("servers"), pki.good)
    for header in (V1, v2()):
        mark = world.mark()
        raw = connection(world, "tls")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(header)):
            raw.sendall(header[i:i + 1])
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert peers.ask(tls)[0] == 200
        assert world.line(since=mark, client="192.0.2.7:5555")["peer"]["accepted"]


def test_header_and_hello_in_one_segment(world, pki):
    context, incoming, outgoing = peers.client_context(pki.ca("servers"), pki.good), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with connection(world, "tls") as raw:
        raw.sendall(V1 + outgoing.read())
        incoming.write(raw.recv(1 << 16))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(1 << 16))


@pytest.mark.parametrize("sent, why", [
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "there is no header"), (b"PROXY TCP4 1.2.3.4 1.2.3.4 x 1\r\n", "malformed"),
    (v2(tlvs=b"\x03\x00\x04abcd"), "checksum"), (SIGNATURE + b"\x31\x11\x00\x00", "malformed")],
    ids=["none", "v1", "checksum", "version"])
def test_without_a_proper_header_nothing_is_served(world, sent, why):
    mark, calls = world.mark(), len(world.web.calls)
    with Client(world.port("web")) as c:
        c.send(sent)
        assert c.end() == "reset"
        line = world.line(since=mark, client=c.name)
    assert line["close"] == "proxy_protocol" and why in line["detail"]
    assert len(world.web.calls) == calls


def test_a_header_that_does_not_come_in_time(world):
    mark = world.mark()
    with Client(world.port("web")) as c:
        c.send(V1[:20])
        assert c.end() == "reset"
        assert world.line(since=mark, client=c.name)["close"] == "handshake_timeout"


def test_who_is_not_listed_cannot_pass_for_somebody_else(world):
    mark = world.mark()
    with Client(world.port("others")) as c:
        c.send(V1)
        assert c.response().status == 400
        assert "via" not in world.line(since=mark, client=c.name)
    status, name = ask(connection(world, "others"))
    assert status == 200 and world.web.calls[-1].all("X-Real-IP") == ["127.0.0.1"]


def test_targets_are_told_of_a_plain_client(world):
    with connection(world, "raw") as c:
        c.sendall(b"hello")
        assert c.recv(10) == b"echo:hello"
        assert world.raw.last() == (name_of(c), f"127.0.0.1:{world.port('raw')}", {})


def test_targets_are_told_what_the_balancer_in_front_said(world):
    with connection(world, "chain") as c:
        c.sendall(v2() + b"hello")
        assert c.recv(10) == b"echo:hello"
        assert world.raw.last() == ("192.0.2.7:5555", "198.51.100.9:443", {})


@pytest.mark.parametrize("shown", [True, False], ids=["certificate", "none"])
def test_targets_are_told_what_tls_knows(world, pki, shown):
    context = peers.client_context(pki.ca("servers"), pki.good if shown else None)
    with context.wrap_socket(connection(world, "mutual"), server_hostname="localhost") as c:
        c.sendall(b"hello")
        assert c.recv(10) == b"echo:hello"
        source, _, extensions = world.raw.last()
        assert source == name_of(c) and extensions[AUTHORITY] == b"localhost"
        client, verify = struct.unpack("!BL", extensions[SSL][:5])
        said = tlvs(extensions[SSL][5:])
        assert said.pop(VERSION) == b"TLSv1.3" and said.pop(CIPHER).decode() == c.cipher()[0]
        if not shown:
            assert (client, verify, said) == (0x01, 1, {})
            return
        leaf = ssl.PEM_cert_to_DER_cert(pathlib.Path(pki.good.crt).read_text())
        assert (client, verify) == (0x07, 0)
        assert said.pop(CERTIFICATE) == leaf and said.pop(CN) == b"good" and said.pop(SCHEME) == b"ecdsa_secp256r1_sha256"
        assert not said


NAMES = {"ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}  # OpenSSL's, and IANA's


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


@pytest.mark.parametrize("shown", [True, False], ids=["certificate", "none"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_t30_the_header_octet_by_octet(world, pki, version, shown):
    """peers.md T30: three octets of padding between two fields once told targets a wrong verdict. Here there is nothing between them."""
    context = peers.client_context(pki.ca("servers"), pki.good if shown else None, version)
    with context.wrap_socket(connection(world, "mutual"), server_hostname="localhost") as c:
        c.sendall(b"hello")
        assert c.recv(10) == b"echo:hello"
        leaf = ssl.PEM_cert_to_DER_cert(pathlib.Path(pki.good.crt).read_text())
        told = tlv(VERSION, b"TLSv" + version.encode()) + tlv(CIPHER, NAMES.get(c.cipher()[0], c.cipher()[0]).encode())
        told += tlv(SCHEME, b"ecdsa_secp256r1_sha256") + tlv(CN, b"good") + tlv(CERTIFICATE, leaf) if shown else b""
        verdict = b"\x07\0\0\0\0" if shown else b"\x01\0\0\0\1"
        assert world.raw.headers[-1] == v2("127.0.0.1", "127.0.0.1", (c.getsockname()[1], world.port("mutual")),
                                           tlv(AUTHORITY, b"localhost") + tlv(SSL, verdict + told))


def test_the_header_stands_before_tls_towards_targets(world):
    with connection(world, "secure") as c:
        c.sendall(b"hello")
        assert c.recv(10) == b"echo:hello"
        assert world.secure.last()[0] == name_of(c)


@pytest.mark.parametrize("listener, target_group, why", [
    (", proxy_protocol: {}", "", "accept_from"), (", proxy_protocol: {accept_from: [10.0.0.1/8]}", "", "has bits set beyond"),
    ("", "protocol: HTTP, proxy_protocol: v2", "not accepted under"), ("", "protocol: TCP, proxy_protocol: v1", "v2")])
def test_what_makes_no_sense_is_refused(tmp_path, listener, target_group, why):
    file = tmp_path / "sallyport.yaml"
    file.write_text(f"""
listeners: [{{name: a, protocol: TCP, address: "127.0.0.1:0", target_group: t{listener}}}]
target_groups: [{{name: t, protocol: TCP, targets: [{{address: "127.0.0.1:1"}}]}},
  {{name: h, {target_group or "protocol: TCP"}, targets: [{{address: "127.0.0.1:1"}}]}}]
""")
    done = command("check", "-c", file)
    assert done.returncode == 1 and why in done.stderr and "1 error" in done.stderr
