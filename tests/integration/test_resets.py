# SPDX-License-Identifier: Apache-2.0
"""A reset in any phase is told as what it was: the log has the reason, the other side is reset where it could take a part for the
whole, and neither the pool nor anybody else's connection is the worse for it. Resets of relays: test_relay.py."""
import contextlib
import os
import socket
import ssl
import threading

import pytest

import peers
from http_peers import Client, Cut, Scripted, descriptors, group, name_of, plain, running, steady
from instance import until

LINGER = b"\1\0\0\0\0\0\0\0"  # close() resets
REQUEST = "{} HTTP/1.1\r\nHost: localhost\r\n"
LARGE = 64 << 20


def reset(sock):
    sock = getattr(sock, "sock", sock)  # of a peers.TLS
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    sock.close()


class Stage(Scripted):
    """A target that plays scripts, resets when one of them says so, and keeps how each of its connections ended."""

    def __init__(self, **kw):
        self.ends = []
        super().__init__(**kw)

    def watch(self, call):
        """Read until the other side ends, and keep how it did. Python's ssl takes a reset for an end: below TLS, then."""
        with socket.socket(fileno=os.dup(call.connection.fileno())) as raw:
            try:
                while raw.recv(65536):
                    pass
                self.ends.append("fin")
            except ConnectionResetError:
                self.ends.append("reset")
        return False

    def slam(self, call):
        with contextlib.suppress(OSError):
            call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        call.file.close()
        call.connection.close()
        return False


@pytest.fixture(scope="module")
def stages(pki):
    return {"web": Stage(), "secure": Stage(context=peers.server_context(pki.server))}


@pytest.fixture(scope="module")
def world(pki, stages, tmp_path_factory):
    """Listeners `plain` and `tls`; what is asked for below /secure goes to a TLS target. `slammed` resets in its TLS handshake."""
    def slam(target, connection):
        connection.recv(100)
        reset(connection)
    slammed = peers.Target(slam)
    towards = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}"
    groups = (group("web", stages["web"]), group("secure", stages["secure"], protocol="HTTPS", more=towards),
              group("slammed", slammed, protocol="HTTPS", more=towards))
    rules = "".join(f"{{domain: localhost, path: {path}, target_group: {name}}}, "
                    for path, name in (("/", "web"), ("/secure", "secure"), ("/slammed", "slammed")))
    listeners = f"\n  - {{name: tls, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], rules: [{rules}]}}"
    with running(tmp_path_factory.mktemp("resets"), plain(*groups, rules=rules, listeners=listeners), *stages.values(), slammed) as instance:
        instance.worker, = instance.pids("worker")
        yield instance


@pytest.fixture(params=["plain", "tls"])
def listener(request):
    return request.param


@pytest.fixture(params=["web", "secure"])
def way(request, stages):
    """(the target, where its paths begin)"""
    return stages[request.param], "" if request.param == "web" else "/secure"


@pytest.fixture
def connect(world, pki, listener):
    opened = []

    def open_():
        port = world.port(listener)
        opened.append(Client(port) if listener == "plain" else Client(sock=peers.TLS(port, peers.client_context(pki.ca("servers")))))
        return opened[-1]
    yield open_
    for client in opened:
        client.sock.close()


def still_serves(connect, prefix):
    with connect() as client:
        assert client.ask(f"{prefix}/after").body == b"ok"


# ---- the client resets ----

def wait_for_call(target, path):
    until(lambda: any(call.path == path for call in target.calls), "the request to arrive")


def in_the_body(client, target, path):
    client.send(REQUEST.format(f"POST {path}") + "Content-Length: 1000\r\n\r\n" + 500 * "x")


def in_a_chunk(client, target, path):
    client.send(REQUEST.format(f"POST {path}") + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + 500 * "x")


def before_the_body(client, target, path):
    client.send(REQUEST.format(f"POST {path}") + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")


def while_it_waits(client, target, path):
    client.send(REQUEST.format(f"GET {path}") + "\r\n")


def in_the_response(client, target, path):
    while_it_waits(client, target, path)
    client.exactly(100000)


def answers_in_part(target):
    """Sends what is more than lies in all buffers between."""
    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        try:
            while True:
                call.send(bytes(1 << 20))
        except OSError:  # a FIN would let it go on
            target.ends.append("reset")
        return False
    return script


PHASES = {  # → (what the client has done by then, what the target does)
    "before the body": (before_the_body, lambda t: t.watch), "in the body": (in_the_body, lambda t: t.watch),
    "in a chunk": (in_a_chunk, lambda t: t.watch), "while it waits": (while_it_waits, lambda t: t.watch),
    "in the response's head": (while_it_waits, lambda t: lambda call: call.send(b"HTTP/1.1 200 O") and t.watch(call)),
    "in the response": (in_the_response, answers_in_part),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_client_that_resets_takes_its_exchange_along(world, connect, way, phase):
    target, prefix = way
    act, script = PHASES[phase]
    path = target.script(f"{prefix}/{phase.replace(' ', '-')}")(script(target))
    target.calls.clear()
    target.ends.clear()
    mark, client = world.mark(), connect()
    act(client, target, path)
    wait_for_call(target, path)
    reset(client.sock)
    line = world.line(since=mark, client=client.name)
    assert (line["close"], line["path"]) == ("client_reset", path), line
    until(lambda: target.ends, "the target to see the end")
    assert target.ends == ["reset"]
    still_serves(connect, prefix)


def test_a_client_that_resets_in_its_head_reaches_nobody(world, connect, stages):
    accepted = [stage.accepted for stage in stages.values()]
    before = steady(lambda: descriptors(world.worker), "the connections before to end", hold=0.1)
    client = connect()
    client.send("GET / HTTP/1.1\r\nHost: loc")
    until(lambda: descriptors(world.worker) > before, "the connection to be accepted")
    reset(client.sock)
    until(lambda: descriptors(world.worker) <= before, "the connection to be gone")
    assert [stage.accepted for stage in stages.values()] == accepted


def test_a_client_that_resets_while_idle_leaves_the_pool_alone(world, connect, way):
    target, prefix = way
    client = connect()
    assert client.ask(f"{prefix}/idle").body == b"ok"
    world.line(client=client.name)
    kept, mark = target.calls[-1].connection, world.mark()
    before = steady(lambda: descriptors(world.worker), "the connections before to end", hold=0.1)
    reset(client.sock)
    until(lambda: descriptors(world.worker) < before, "the connection to be gone")
    with connect() as other:
        assert other.ask(f"{prefix}/idle").body == b"ok"
        assert target.calls[-1].connection is kept
        world.line(since=mark, client=other.name)
    assert not [line for line in world.lines()[mark:] if line["client"] == client.name]


def client_hello(pki):
    outgoing = ssl.MemoryBIO()
    tls = peers.client_context(pki.ca("servers")).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("cut", [3, 50, None], ids=["in the record's head", "in the ClientHello", "behind it"])
def test_a_client_that_resets_in_the_handshake_has_a_line_and_no_target(world, pki, stages, cut):
    accepted, mark = [stage.accepted for stage in stages.values()], world.mark()
    raw = socket.create_connection(("127.0.0.1", world.port("tls")), 10)
    name = name_of(raw)
    raw.sendall(client_hello(pki)[:cut])
    if cut is None:
        assert raw.recv(100)  # the server's flight is there
    reset(raw)
    line = world.line(since=mark, client=name)
    assert line["close"] in ("client_reset", "handshake_closed") and "target" not in line, line
    assert [stage.accepted for stage in stages.values()] == accepted


def test_a_client_that_breaks_the_rules_of_tls_gets_to_know(world, pki):
    """The alert arrives, and behind it the end: no reset, which could overtake it. In TLS 1.2 its type can be seen."""
    with peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"), version="1.2")) as tls, \
            socket.socket(fileno=os.dup(tls.fileno())) as raw:
        raw.settimeout(10)
        raw.sendall(b"\x17\x03\x03\x00\x30" + bytes(48))
        received = b""
        while data := raw.recv(1000):
            received += data
        assert received[:3] == b"\x15\x03\x03", received


# ---- the target resets ----

def answer_of(client):
    """The status, or how the connection ended in the middle of the response."""
    try:
        return client.response().status
    except ConnectionResetError:
        return "reset"
    except (Cut, ssl.SSLError) as e:
        return f"no reset: {e!r}"


PARTS = {  # what the target has sent when it resets → what the client gets
    "nothing": (b"", 502), "a part of the head": (b"HTTP/1.1 200 OK\r\nContent-Le", 502),
    "an interim response": (b"HTTP/1.1 103 Early Hints\r\n\r\n", 502),
    "the head": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "reset"),
    "a part of the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", "reset"),
    "a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", "reset"),
    "a part of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", "reset"),
    "the last chunk but its end": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n", "reset"),
    "a body without a length": (b"HTTP/1.1 200 OK\r\n\r\n12345", "reset"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("part", PARTS)
def test_a_target_that_resets_after(world, connect, way, part, method):
    target, prefix = way
    sent, wanted = PARTS[part]

    @target.script(f"{prefix}/part")
    def path(call):
        call.body()
        if sent:
            call.send(sent)
            seen.wait(10)  # a reset overtakes what was sent before it and not yet read
        return target.slam(call)
    seen, mark, client = threading.Event(), world.mark(), connect()
    calls = len(target.calls)
    client.send(REQUEST.format(f"{method} {path}") + ("Content-Length: 0\r\n" if method == "POST" else "") + "\r\n")
    if wanted == 502:
        if part == "an interim response":
            assert client.response().status == 103
        seen.set()
    else:
        client.fill()
        seen.set()
    assert answer_of(client) == wanted
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "target_closed" and line["detail"], line
    assert line.get("status") == (502 if wanted == 502 else 200)
    if method == "POST" or part != "nothing":  # else it may have been a connection gone stale, and once more does no harm
        assert len(target.calls) == calls + 1
    still_serves(connect, prefix)


def test_a_target_that_resets_in_the_request_body_is_a_502(world, connect, way):
    target, prefix = way
    path = target.script(f"{prefix}/upload")(lambda call: call.file.read(100) and target.slam(call))
    mark, client = world.mark(), connect()
    client.send(REQUEST.format(f"POST {path}") + "Content-Length: 1000000\r\n\r\n" + 1000 * "x")
    assert answer_of(client) == 502
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "target_closed" and line["status"] == 502, line
    still_serves(connect, prefix)


def test_a_target_that_resets_in_the_tls_handshake_is_a_502(world, connect):
    mark, client = world.mark(), connect()
    assert client.ask("/slammed").status == 502
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "target_handshake" and line["detail"], line


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_target_that_resets_an_idle_connection_costs_no_request(world, connect, way, method):
    target, prefix = way
    client = connect()
    assert client.ask(f"{prefix}/kept").body == b"ok"
    pooled = steady(lambda: descriptors(world.worker), "the connections before to end", hold=0.1)
    call = target.calls[-1]
    with contextlib.suppress(OSError):
        call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        call.connection.shutdown(socket.SHUT_RD)  # its thread sees an end, and closes: a reset
    until(lambda: descriptors(world.worker) < pooled, "the idle connection to be given up")
    mark = world.mark()
    assert client.ask(f"{prefix}/kept", method, "Content-Length: 0").body == b"ok"
    line = world.line(since=mark, client=client.name)
    assert line["status"] == 200 and "close" not in line and target.calls[-1].connection is not call.connection
