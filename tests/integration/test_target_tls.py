# SPDX-License-Identifier: Apache-2.0
"""What a target, or somebody between us and it, says before and outside of TLS never reaches a client (peers.md T14)."""
import pathlib
import socket
import ssl

import pytest

import peers
import programs
from files import ocsp_answer
from instance import Instance

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal handshake_failure


def record(kind, content):
    return bytes([kind]) + b"\x03\x03" + len(content).to_bytes(2, "big") + content


def handshake(context, connection, injected=b"", before_last=b""):
    """A TLS server by hand: INJECTED goes out before its first flight, BEFORE_LAST before its second (TLS 1.2 has one)."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    extras = [injected, before_last]
    while True:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        if flight := outgoing.read():
            connection.sendall((extras.pop(0) if extras else b"") + flight)
        if done:
            return tls, incoming, outgoing
        incoming.write(connection.recv(65536))


def misbehaviour(context):
    """name → what such a target does with a new connection."""
    def immediately(data):
        def serve(target, connection):
            connection.sendall(data)
            target.received += connection.recv(65536)  # a ClientHello at most
            connection.recv(65536)
        return serve

    def instead(data):
        def serve(target, connection):
            target.received += connection.recv(65536)
            connection.sendall(data)
            connection.recv(65536)
        return serve

    def around(**extras):
        def serve(target, connection):
            tls, incoming, outgoing = handshake(context, connection, **extras)
            incoming.write(connection.recv(65536))
            target.received += tls.read(65536)
            tls.write(EVIL)
            connection.sendall(outgoing.read())
        return serve

    def plaintext_after(target, connection):
        """TLS to the letter, and then the response beside it."""
        tls, incoming, _ = handshake(context, connection)
        incoming.write(connection.recv(65536))
        tls.read(65536)
        connection.sendall(EVIL)
        connection.recv(65536)

    return {
        "plaintext_at_once": immediately(EVIL),
        "plaintext_instead": instead(EVIL),
        "plaintext_before_server_hello": around(injected=EVIL),
        "application_data_at_once": immediately(record(23, EVIL)),
        "application_data_instead": instead(record(23, EVIL)),
        "application_data_before_server_hello": around(injected=record(23, EVIL)),
        "application_data_before_finished": around(before_last=record(23, EVIL)),
        "plaintext_before_finished": around(before_last=EVIL),
        "alert": instead(ALERT),
        "cut_off": lambda target, connection: connection.sendall(b"\x16\x03"),
        "nothing": lambda target, connection: None,
        "plaintext_after": plaintext_after,
        "nothing_wrong": around(),
    }


# the request of the client is sent, and so seen by the target, in this one case
SEES_THE_REQUEST = {"plaintext_after"}
CASES = [name for name in misbehaviour(None) if name != "nothing_wrong"]


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """A listener and a group for each way to misbehave, over HTTP and as a relay; `good` is a target like any other."""
    listeners, groups, targets = "listeners:", "\ntarget_groups:", {}
    context = peers.server_context(pki.server, version="1.2")  # of all flights, TLS 1.2 has the most in plaintext
    good = {"http": peers.Target(peers.http_echo, context), "raw": peers.Target(peers.echo, context)}
    for name, serve in [*misbehaviour(context).items(), ("good", None)]:
        for kind in ("http", "raw"):
            targets[kind, name] = t = good[kind] if name == "good" else peers.Target(serve)
            group, port = f"{kind}-{name}", t.port
            route = f"rules: [{{domain: localhost, target_group: {group}}}]" if kind == "http" else f"target_group: {group}"
            front, back = ("HTTP", "HTTPS") if kind == "http" else ("TCP", "TCP_SSL")
            listeners += f"\n  - {{name: {group}, protocol: {front}, address: '127.0.0.1:0', {route}}}"
            groups += (f"\n  - {{name: {group}, protocol: {back}, targets: [{{address: '127.0.0.1:{port}'}}], "
                       f"tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}}}")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("target_tls")), listeners + groups +
                        "\naccess_log: {file: access.log}\nworkers: 1\n")
    instance.targets = targets
    yield instance
    instance.check()
    for t in targets.values():
        t.close()


def over_http(world, name):
    """(status, everything that the client got, line)"""
    mark, got = world.mark(), b""
    with socket.create_connection(("127.0.0.1", world.port(f"http-{name}")), 10) as s:
        s.sendall(b"GET /question HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while data := s.recv(65536):
            got += data
    return int(got.split(b" ")[1]), got, world.line(listener=f"http-{name}", since=mark)


def over_tcp(world, name):
    mark, got = world.mark(), b""
    with socket.create_connection(("127.0.0.1", world.port(f"raw-{name}")), 10) as s:
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        try:
            while data := s.recv(65536):
                got += data
        except ConnectionError:
            pass
    return got, world.line(listener=f"raw-{name}", since=mark)


def test_t14_a_target_that_behaves_is_served(world):
    """Without this the tests below would show nothing."""
    assert over_http(world, "good")[0] == 200
    assert over_tcp(world, "good")[0] == b"echo:question"
    status, got, _ = over_http(world, "nothing_wrong")
    assert status == 200 and got.endswith(b"evil")
    assert over_tcp(world, "nothing_wrong")[0] == EVIL


@pytest.mark.parametrize("name", CASES)
def test_t14_what_is_not_tls_is_no_response(world, name):
    status, got, line = over_http(world, name)
    assert status == 502 and b"evil" not in got
    assert line["close"] in ("target_handshake", "target_closed", "target_bad_response"), line
    if name not in SEES_THE_REQUEST:
        assert line["close"] == "target_handshake", line
        assert b"question" not in world.targets["http", name].received


@pytest.mark.parametrize("name", CASES)
def test_t14_nor_anything_that_a_relay_forwards(world, name):
    got, line = over_tcp(world, name)
    assert got == b""
    assert line["close"] == ("target_closed" if name in SEES_THE_REQUEST else "target_handshake"), line
    assert b"question" not in world.targets["raw", name].received


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("status, is_used", [("good", True), ("revoked", False), (None, False)])
def test_a_target_may_staple_what_the_policy_demands(pki, lb, tmp_path, status, is_used, version):
    """peers.md T21: without a CRL, only an OCSP answer says that a target's certificate is not revoked."""
    staple = ["-status_file", ocsp_answer(tmp_path / "staple.der", pki.server, pki.ca("servers"), status)] if status else []
    with programs.openssl_server(tmp_path, pki.server, version, answer="-www", more=staple) as server:
        instance = lb(f"""
listeners: [{{name: web, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: web}}]}}]
target_groups: [{{name: web, protocol: HTTPS, targets: [{{address: '127.0.0.1:{server.port}'}}],
                 tls: {{ca: [{pki.ca('servers').crt}], name: localhost, revocation: {{crl: [{pki.ca('clients').crl_file}], policy: hard}}}}}}]
access_log: {{file: access.log}}
workers: 1
""")
        with socket.create_connection(("127.0.0.1", instance.port("web")), 10) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200" if is_used else b"HTTP/1.1 502"), answer[:100]
    said = instance.line(listener="web")["target_peer"]
    assert said["reason"] == ("accepted" if is_used else "revoked" if status else "revocation_unknown"), said
