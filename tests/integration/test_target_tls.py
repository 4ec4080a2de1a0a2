# SPDX-License-Identifier: Apache-2.0
"""What a target, or somebody between us and it, says before and outside of TLS never reaches a client (peers.md T14)."""
import contextlib
import pathlib
import socket
import ssl
import types

import pytest

import peers
import programs
from files import ocsp_answer, pem, write
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


# ---- how targets end, and what they leave out ----

each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])


def hear(tls, incoming, connection):
    """What comes next inside of TLS; b"" at the end."""
    while True:
        try:
            return tls.read(65536)
        except ssl.SSLWantReadError:
            data = connection.recv(65536)
            if not data:
                return b""
            incoming.write(data)


def answering(context, answer, is_clean):
    """A target that gives ANSWER to the first thing it hears, and ends in the same piece: with close_notify, keeping the socket open, or
    without it."""
    def serve(target, connection):
        tls, incoming, outgoing = handshake(context, connection)
        hear(tls, incoming, connection)
        tls.write(answer)
        if is_clean:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()
        connection.sendall(outgoing.read())
        if not is_clean:
            connection.shutdown(socket.SHUT_WR)
        target.received += hear(tls, incoming, connection)
    return serve


def towards(targets, more=""):
    """A configuration with a listener and a group of its name for each of TARGETS, name → (protocol of the group, target, CAs)."""
    front = {"HTTPS": "protocol: HTTP, rules: [{{domain: localhost, target_group: {0}}}]", "TCP_SSL": "protocol: TCP, target_group: {0}"}
    listeners = "".join(f"\n  - {{name: {name}, address: '127.0.0.1:0', {front[kind].format(name)}}}" for name, (kind, _, _) in targets.items())
    groups = "".join(f"\n  - {{name: {name}, protocol: {kind}, targets: [{{address: '127.0.0.1:{t.port}'}}], "
                     f"tls: {{ca: [{', '.join(str(ca.crt) for ca in cas)}], name: localhost}}}}" for name, (kind, t, cas) in targets.items())
    return f"listeners:{listeners}\ntarget_groups:{groups}\naccess_log: {{file: access.log}}\nworkers: 1\n{more}"


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def told(instance, listener):
    """(what came through LISTENER, how it ended, its line)"""
    got, end = b"", "fin"
    with socket.create_connection(("127.0.0.1", instance.port(listener)), 10) as s:
        s.sendall(REQUEST)
        try:
            while data := s.recv(65536):
                got += data
        except ConnectionResetError:
            end = "reset"
    return got, end, instance.line(listener=listener)


@each_version
def test_what_a_target_cuts_off_without_close_notify_never_looks_complete(pki, lb, target, version):
    context, ca = peers.server_context(pki.server, version=version), [pki.ca("servers")]
    until_close = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    instance = lb(towards({
        "http-cut": ("HTTPS", target(answering(context, until_close, False)), ca), "http-whole": ("HTTPS", target(answering(context, until_close, True)), ca),
        "raw-cut": ("TCP_SSL", target(answering(context, b"all of it", False)), ca), "raw-whole": ("TCP_SSL", target(answering(context, b"all of it", True)), ca)}))
    got, end, line = told(instance, "http-whole")
    assert got.endswith(b"9\r\nall of it\r\n0\r\n\r\n") and (end, line["close"]) == ("fin", "done")
    got, end, line = told(instance, "http-cut")
    assert got.endswith(b"9\r\nall of it\r\n") and (end, line["close"]) == ("reset", "target_closed")
    got, end, line = told(instance, "raw-whole")
    assert (got, end, line["close"]) == (b"all of it", "fin", "done")
    got, end, line = told(instance, "raw-cut")
    assert (got, end) == (b"all of it", "reset") and (line["close"], line["detail"]) == ("target_closed", "without close_notify")


@each_version
def test_a_target_that_ended_right_behind_its_response_is_not_asked_again(pki, lb, target, version):
    """Its close_notify came in one piece with the response, and nothing follows that would draw attention to it."""
    context = peers.server_context(pki.server, version=version)
    t = target(answering(context, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True))
    instance = lb(towards({"web": ("HTTPS", t, [pki.ca("servers")])}))
    with socket.create_connection(("127.0.0.1", instance.port("web")), 10) as s:
        f = s.makefile("rb")
        for n in (1, 2, 3):
            s.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            assert peers.read_head(f)[0] == "HTTP/1.1 200 OK" and f.read(2) == b"ok"
            assert t.accepted == n
    assert t.received == b""


@pytest.mark.parametrize("kind", ["HTTPS", "TCP_SSL"])
def test_a_target_that_takes_its_time_over_the_handshake_is_given_up(pki, lb, target, kind):
    silent = target(lambda target, connection: connection.recv(65536) and connection.recv(65536))  # a ClientHello, and the end
    instance = lb(towards({"web": (kind, silent, [pki.ca("servers")])}, "timeouts: {handshake: 200ms}\n"))
    got, end, line = told(instance, "web")
    assert got.startswith(b"HTTP/1.1 504 ") if kind == "HTTPS" else got == b""
    assert (end, line["close"]) == ("fin", "target_timeout") and "TLS handshake" in line["detail"]


@each_version
def test_a_target_sends_all_cas_below_the_root_or_they_are_configured(pki, lb, target, version):
    root = pki.ca("inner-root")
    middle = pki.ca("inner", issuer=root)
    leaf = middle.issue("inner-target", "server", ["DNS:localhost"])
    alone = types.SimpleNamespace(crt=write(pki.folder / "inner-alone.crt", pem(leaf)), key_file=leaf.key_file)
    t = target(peers.http_echo, context=peers.server_context(alone, version=version))
    instance = lb(towards({"root": ("HTTPS", t, [root]), "both": ("HTTPS", t, [root, middle])}))
    assert told(instance, "root")[2]["target_peer"]["reason"] == "untrusted"
    got, _, line = told(instance, "both")
    assert got.startswith(b"HTTP/1.1 200 ") and line["target_peer"]["accepted"]
