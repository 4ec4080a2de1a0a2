# SPDX-License-Identifier: Apache-2.0
"""A byte now and then holds no connection: who sends or takes a body too slowly is told apart, and cut off; who is only slow is not."""
import os
import select
import threading
import time

import pytest

import peers
from http_peers import Client, Scripted, group, header, plain, running, tls_listener
from instance import until

SPAN = 0.8
RATE = 4000  # 3200 bytes in a span
LARGE = 64 << 20
PIECE = os.urandom(1 << 20)


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    config = plain(group("web", target), listeners=tls_listener(pki), timeouts=f"body: {int(SPAN * 1000)}ms, body_rate: {RATE}")
    with running(tmp_path_factory.mktemp("pace"), config, target) as instance:
        yield instance


@pytest.fixture(params=["plain", "tls"])
def client(world, pki, request):
    if request.param == "plain":
        c = Client(world.port("plain"), receive_buffer=16384)
    else:
        c = Client(sock=peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"))))
    with c:
        yield c


def has_ended(sock):
    """Without taking a byte."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def trickle(step, ended, pause=0.02):
    """STEP() every 20 ms until ENDED()."""
    def once():
        try:
            step()
        except OSError:
            return True
        time.sleep(pause)  # this is how fast it is, not a wait
        return ended()
    until(once, "the trickle to be cut off")


@pytest.fixture
def pours(target):
    """Scripts `/pour`: a response of LARGE bytes."""
    @target.script("/pour")
    def path(call):
        call.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        for _ in range(LARGE // len(PIECE)):
            call.send(PIECE)
        return True
    return path


# ---- the client sends -----------------------------------------------------------------------------

@pytest.mark.parametrize("framing, piece", [("Content-Length: 1000000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")])
def test_a_request_body_that_trickles_in_is_a_408(world, target, client, framing, piece):
    complete = []
    target.script("/slow")(lambda call: complete.append(call.body()))
    mark = world.mark()
    client.send(f"POST /slow HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n")
    trickle(lambda: client.send(piece), lambda: select.select([client.sock], [], [], 0)[0])
    r = client.response()
    assert (r.status, header(r, "Connection")) == (408, "close")
    line = world.line(since=mark, client=client.name)
    assert (line["status"], line["close"]) == (408, "body_timeout") and not complete


def test_a_request_body_that_comes_slowly_but_fast_enough_arrives(client, target):
    target.script("/whole")(lambda call: call.answer(str(len(call.body()[0])).encode()))
    client.send(b"POST /whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 150000\r\n\r\n")
    for _ in range(50):
        client.send(b"x" * 3000)
        time.sleep(3 * SPAN / 50)
    assert client.response().body == b"150000"


def test_who_waits_for_a_100_is_not_too_slow(world, client, target):
    """It is the target that is waited for."""
    @target.script("/later")
    def path(call):
        time.sleep(1.5 * SPAN)
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return call.answer(call.body()[0])

    client.send(b"POST /later HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert client.response().status == 100
    assert client.send(b"body").response().body == b"body"


# ---- the client takes -----------------------------------------------------------------------------

def test_a_response_that_is_taken_in_drops_is_cut_off(world, client, pours):
    mark = world.mark()
    client.send(b"GET /pour HTTP/1.1\r\nHost: localhost\r\n\r\n")
    trickle(lambda: client.sock.recv(20), lambda: has_ended(client.sock))
    line = world.line(since=mark, client=client.name)
    assert (line["status"], line["close"]) == (200, "client_slow") and line["bytes_out"] < LARGE


def test_a_response_that_is_taken_slowly_but_fast_enough_is_not(world, client, pours):
    client.send(b"GET /pour HTTP/1.1\r\nHost: localhost\r\n\r\n")
    end = time.monotonic() + 4 * SPAN
    while time.monotonic() < end:
        client.fill(20000)
        time.sleep(0.02)
    while client.line():
        pass
    client.exactly(LARGE)
    assert client.ask().body == b"ok"


# ---- the target -----------------------------------------------------------------------------------

def test_a_target_that_takes_a_body_in_drops_is_a_504(world, client, target):
    @target.script("/drops")
    def path(call):
        try:
            while call.connection.recv(20):
                time.sleep(0.02)
        except OSError:
            pass

    mark = world.mark()
    client.send(f"POST /drops HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGE}\r\n\r\n")

    def pour():
        try:
            for _ in range(LARGE // len(PIECE)):
                client.send(PIECE)
        except OSError:
            pass

    sender = threading.Thread(target=pour)
    sender.start()
    line = world.line(since=mark, client=client.name)
    sender.join()
    assert (line["status"], line["close"]) == (504, "target_slow") and "take" in line["detail"]


def drip(call):
    """A response of 40 bytes, in three spans."""
    call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
    for _ in range(40):
        call.send(b"x")
        time.sleep(3 * SPAN / 40)
    return True


def test_a_stream_of_events_may_be_as_slow_as_it_likes(client, target):
    target.script("/events")(drip)
    assert client.ask("/events").body == b"x" * 40


def test_unless_targets_have_a_rate_to_keep(target, tmp_path):
    target.script("/events")(drip)
    config = plain(group("web", target), timeouts=f"body: {int(SPAN * 1000)}ms, response_rate: 1000")
    with running(tmp_path, config) as instance, Client(instance.port("plain")) as client:
        with pytest.raises(ConnectionResetError):
            client.ask("/events")
        line = instance.line(client=client.name)
        assert line["close"] == "target_slow" and "send" in line["detail"]


def test_the_client_is_to_blame_for_a_response_that_waits_for_its_request(world, client, target):
    @target.script("/both")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        call.file.read()

    mark = world.mark()
    client.send(b"POST /both HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
    assert world.line(since=mark, client=client.name)["close"] == "body_timeout"
