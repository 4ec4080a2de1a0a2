# SPDX-License-Identifier: Apache-2.0
"""Upgrade: after a 101 that was asked for, the connection is a relay; after anything else it is not, and nobody gets out of step."""
import base64
import hashlib
import os
import socket
import threading

import pytest

import peers
from http_peers import Client, Cut, Scripted, group, header, plain, running, tls_listener
from instance import until

ASK = b"GET /switch HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    with running(tmp_path_factory.mktemp("upgrade"), plain(group("web", target), listeners=tls_listener(pki)), target) as instance:
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def switch(call, answer=SWITCH):
    """Becomes an echo."""
    call.send(answer)
    while data := call.file.read1(65536):
        call.send(data)
    return False


@pytest.fixture(autouse=True)
def echo(target):
    target.script("/switch")(switch)


# ---- WebSocket ------------------------------------------------------------------------------------

def frame(payload):
    """A masked text frame of at most 125 bytes (RFC 6455 §5.2)."""
    mask = os.urandom(4)
    return bytes([0x81, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def serve_websocket(call):
    """RFC 6455 §4.2.2, then echoes one frame and closes."""
    key = call.all("Sec-WebSocket-Key")[0].encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    call.send(SWITCH[:-2] + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    first, length = call.file.read(2)
    mask = call.file.read(4)
    text = bytes(b ^ mask[i % 4] for i, b in enumerate(call.file.read(length & 0x7f)))
    call.send(bytes([first, len(text)]) + text + b"\x88\x02\x03\xe8")
    return False


@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_a_websocket_is_opened_used_and_closed(world, pki, target, listener):
    target.script("/socket")(serve_websocket)
    mark, key = world.mark(), base64.b64encode(os.urandom(16)).decode()
    sock = peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"))) if listener == "tls" else None
    with Client(world.port(listener), sock=sock) as client:
        r = client.ask("/socket", "GET", "Connection: keep-alive, Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {key}",
                       "Sec-WebSocket-Version: 13")
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        assert (r.status, header(r, "Connection"), header(r, "Upgrade")) == (101, "Upgrade", "websocket")
        assert header(r, "Sec-WebSocket-Accept") == accept
        client.send(frame(b"hello"))
        assert client.exactly(11) == b"\x81\x05hello\x88\x02\x03\xe8"
        client.sock.unwrap() if sock else client.sock.shutdown(socket.SHUT_WR)
        line = world.line(since=mark, client=client.name)
    assert (line["status"], line["close"], line["path"]) == (101, "done", "/socket")
    assert (line["bytes_in"], line["bytes_out"]) == (11, 11) and "response" in line["ms"]
    assert header(target.calls[-1], "Connection") == "Upgrade" and target.calls[-1].all("Upgrade") == ["websocket"]


# ---- what is asked for ----------------------------------------------------------------------------

@pytest.mark.parametrize("fields, told", [
    (["Connection: upgrade", "Upgrade: WebSocket"], "WebSocket"),
    (["Connection: Upgrade", "Upgrade: tcp"], "tcp"),
    (["Connection: Upgrade", "Upgrade: SPDY/3.1, h2c", "Upgrade: irc/6.9"], "SPDY/3.1, irc/6.9"),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket", "HTTP2-Settings: AAMAAABkAAQAAP"], "websocket"),
    (["Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP"], None),
    (["Connection: Upgrade", "Upgrade: H2C"], None),
    (["Connection: Upgrade", "Upgrade: HTTP/2.0"], None),
    (["Connection: Upgrade", "Upgrade: TLS/1.0"], None),
    (["Connection: Upgrade", "Upgrade: web socket"], None),
    (["Connection: Upgrade", "Upgrade: websocket/"], None),
    (["Upgrade: websocket"], None),
    (["Connection: Upgrade"], None),
])
def test_what_is_asked_for_goes_on_unless_it_hides_requests(client, target, fields, told):
    r = client.ask("/look", "GET", *fields)
    names = [k.lower() for k, _ in target.calls[-1].headers]
    assert r.status == 200 and header(target.calls[-1], "Upgrade") == told
    assert header(target.calls[-1], "Connection") == ("Upgrade" if told else None) and "http2-settings" not in names


@pytest.mark.parametrize("request_", [
    b"POST /look HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
    b"GET /look HTTP/1.0\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"], ids=["with_a_body", "http_1_0"])
def test_an_upgrade_that_cannot_be_is_ignored(client, target, request_):
    assert client.send(request_).response().status == 200
    assert header(target.calls[-1], "Upgrade") is None and header(target.calls[-1], "Connection") is None


# ---- what the target answers ----------------------------------------------------------------------

@pytest.mark.parametrize("asked, answer, detail", [
    (["Connection: Upgrade", "Upgrade: websocket"], SWITCH.replace(b"websocket", b"h2c"), "another protocol"),
    (["Connection: Upgrade", "Upgrade: websocket"], SWITCH.replace(b"websocket", b"websocket, h2c"), "another protocol"),
    (["Connection: Upgrade", "Upgrade: h2c"], SWITCH.replace(b"websocket", b"h2c"), "unasked"),
    ([], SWITCH, "unasked"),
    (["Connection: Upgrade", "Upgrade: websocket"], SWITCH.replace(b"1.1 101", b"1.0 101"), "does not name the protocol"),
    (["Connection: Upgrade", "Upgrade: websocket"], b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "does not name the protocol"),
])
def test_a_101_that_was_not_asked_for_is_a_502(world, client, target, asked, answer, detail):
    target.script("/switch")(lambda call: switch(call, answer))
    mark = world.mark()
    assert client.ask("/switch", "GET", *asked).status == 502
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "target_bad_response" and detail in line["detail"]
    assert client.ask().body == b"ok"


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "426 Upgrade Required"])
def test_any_other_answer_is_an_ordinary_one(client, target, status):
    target.script("/switch")(lambda call: call.answer(b"no", "Connection: Upgrade", "Upgrade: websocket", status=status))
    client.send(ASK)
    r = client.response()
    assert (r.status, r.body) == (int(status[:3]), b"no") and client.ask().body == b"ok"
    assert target.calls[-1].connection is target.calls[-2].connection


def test_interim_responses_come_before_the_101(client, target):
    target.script("/switch")(lambda call: switch(call, b"HTTP/1.1 103 Early Hints\r\n\r\n" + SWITCH))
    client.send(ASK)
    assert [client.response().status, client.response().status] == [103, 101]


# ---- what comes early -----------------------------------------------------------------------------

def test_what_follows_the_request_is_of_the_new_protocol_after_a_101(world, client, target):
    """It looks like a request; it is not one any more, and no rule sees it."""
    calls, mark = len(target.calls), world.mark()
    client.send(ASK + NEXT)
    assert client.response().status == 101 and client.exactly(len(NEXT)) == NEXT
    client.sock.shutdown(socket.SHUT_WR)
    assert client.end() == "fin"
    line = world.line(since=mark, client=client.name)
    assert line["bytes_in"] == len(NEXT) and [c.path for c in target.calls[calls:]] == ["/switch"]
    assert len([each for each in world.lines()[mark:] if each["client"] == client.name]) == 1


def test_what_follows_the_request_is_the_next_one_after_any_other_answer(world, client, target):
    target.script("/switch")(lambda call: call.answer(b"no"))
    target.script("/next")(lambda call: call.answer(b"next"))
    client.send(ASK + NEXT)
    assert [client.response().body, client.response().body] == [b"no", b"next"]


def test_requests_before_the_upgrade_are_answered_first(client, target):
    client.send(NEXT + ASK + b"!")
    assert [client.response().status, client.response().status, client.exactly(1)] == [200, 101, b"!"]


def test_what_the_target_says_behind_its_101_arrives(client, target):
    target.script("/switch")(lambda call: switch(call, SWITCH + b"HTTP/1.1 200 OK\r\n\r\n"))
    client.send(ASK)
    assert client.response().status == 101 and client.exactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_more_than_the_buffers_hold_may_follow_at_once(client, target):
    data = os.urandom(1 << 20)
    sender = threading.Thread(target=client.send, args=(ASK + data,))
    sender.start()
    assert client.response().status == 101 and client.exactly(len(data)) == data
    sender.join()


# ---- the end --------------------------------------------------------------------------------------

def test_after_a_101_the_connection_to_the_target_is_not_used_again(client, target, world):
    with Client(world.port("plain")) as other:
        other.send(ASK)
        assert other.response().status == 101
        other.sock.shutdown(socket.SHUT_WR)
        assert other.end() == "fin"
    switched = target.calls[-1].connection
    for _ in range(3):
        assert client.ask().body == b"ok" and target.calls[-1].connection is not switched


def test_either_side_may_end_first(client, target):
    got = []

    @target.script("/half")
    def path(call):
        call.send(SWITCH + b"bye")
        call.connection.shutdown(socket.SHUT_WR)
        got.append(call.file.read())

    client.send(ASK.replace(b"/switch", b"/half"))
    assert client.response().status == 101 and client.until_close() == b"bye"
    client.send(b"the rest").sock.shutdown(socket.SHUT_WR)
    until(lambda: got, "the target to see the end")
    assert got == [b"the rest"]


def test_a_reset_by_either_side_resets_the_other(world, target):
    linger = b"\1\0\0\0\0\0\0\0"
    ends = []

    @target.script("/reset")
    def path(call):
        call.send(SWITCH)
        if call.file.read(1) == b"t":
            call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        try:
            ends.append(call.file.read())
        except ConnectionResetError:
            ends.append("reset")

    for who, reason in (b"t", "target_closed"), (b"c", "client_reset"):
        mark = world.mark()
        with Client(world.port("plain")) as client:
            client.send(ASK.replace(b"/switch", b"/reset"))
            assert client.response().status == 101
            client.send(who)
            if who == b"t":
                with pytest.raises((ConnectionResetError, Cut)):
                    client.fill()
            else:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.sock.close()
            line = world.line(since=mark, client=client.name)
            assert (line["status"], line["close"]) == (101, reason)
    until(lambda: ends, "the target to see the end")
    assert ends == ["reset"]


def test_an_upgraded_connection_is_idle_for_as_long_as_a_relay(target, tmp_path):
    target.script("/switch")(switch)
    with running(tmp_path, plain(group("web", target), timeouts="relay_idle: 400ms, body: 50ms, idle: 50ms")) as instance:
        with Client(instance.port("plain")) as client:
            client.send(ASK)
            assert client.response().status == 101 and client.end() == "fin"
            line = instance.line(client=client.name)
            assert line["close"] == "relay_timeout" and line["ms"]["total"] >= 400


def test_a_reload_leaves_an_upgraded_connection_and_a_shutdown_ends_it(lb, target):
    config = plain(group("web", target), timeouts="drain: 300ms")
    instance = lb(config)
    with Client(instance.port("plain")) as client:
        client.send(ASK)
        assert client.response().status == 101
        instance.reload(config.replace("weight: 10", "weight: 11"))
        assert client.send(b"still here").exactly(10) == b"still here"
        instance.reload(config.replace("name: plain", "name: other"))  # nobody would be let in there now
        assert client.end() == "reset"
        line = instance.line(client=client.name)
        assert (line["status"], line["close"]) == (101, "drained")
