# SPDX-License-Identifier: Apache-2.0
"""Whoever is slow slows down the other side, and costs neither memory nor processor."""
import os
import socket
import threading

import pytest

import peers
from http_peers import Client, Scripted, comes_to_rest, descriptors, group, memory, plain, running, steady, tls_listener
from instance import until

LARGE = 200 << 20
BUFFERS = 48 << 20  # more than the kernel keeps in the sockets of both hops
GROWTH = 6 << 20
PIECE = os.urandom(1 << 20)


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    rules = "{domain: localhost, path: /served, target_group: web}"
    config = plain(group("web", target), listeners=tls_listener(pki, rules), rules=rules)
    # a sanitizer's quarantine would look like growth
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    with running(tmp_path_factory.mktemp("backpressure"), config, target, env={"ASAN_OPTIONS": options}) as instance:
        instance.worker = instance.pids("worker")[0]
        yield instance


@pytest.fixture(params=["plain", "tls"])
def client(world, pki, request):
    if request.param == "plain":
        c = Client(world.port("plain"), receive_buffer=65536)
    else:
        c = Client(sock=peers.connect(world.port("tls"), peers.client_context(pki.ca("servers"))))
    with c:
        c.ask("/served")
        yield c


def test_a_client_that_does_not_read_stops_the_target(world, client, target):
    sent = [0]

    @target.script("/served/large")
    def path(call):
        call.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        while sent[0] < LARGE:
            call.send(PIECE)
            sent[0] += len(PIECE)
        return True

    before = memory(world.worker)
    client.send(b"GET /served/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert steady(lambda: sent[0], "the target to be stopped") < BUFFERS
    assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
    assert client.line() == "HTTP/1.1 200 OK" and client.fields() == [("Content-Length", str(LARGE))]
    for _ in range(LARGE // len(PIECE)):
        assert client.exactly(len(PIECE)) == PIECE
    assert memory(world.worker) - before < GROWTH
    assert client.ask("/served").body == b"ok"


def test_a_target_that_does_not_read_stops_the_client(world, client, target):
    sent, go, seen = [0], threading.Event(), []

    @target.script("/served/upload")
    def path(call):
        go.wait(20)
        whole = all(call.file.read(len(PIECE)) == PIECE for _ in range(LARGE // len(PIECE)))
        seen.append(whole)
        return call.answer(b"taken")

    def send():
        client.send(f"POST /served/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGE}\r\n\r\n")
        for _ in range(LARGE // len(PIECE)):
            client.send(PIECE)
            sent[0] += len(PIECE)

    before = memory(world.worker)
    sender = threading.Thread(target=send)
    sender.start()
    assert steady(lambda: sent[0], "the client to be stopped") < BUFFERS
    assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
    go.set()
    assert client.response().body == b"taken" and seen == [True]
    sender.join()
    assert memory(world.worker) - before < GROWTH


def flood(client, request):
    """Send REQUEST over and over until nobody takes it any more; how often it was sent whole."""
    sent, data = 0, b""
    client.sock.settimeout(0.3)
    while sent < LARGE:
        try:
            data = data or request * 100
            n = client.sock.send(data)
            sent += n
            data = data[n:]
        except (socket.timeout, TimeoutError):
            break
    client.sock.settimeout(10)
    return sent // len(request)


@pytest.mark.parametrize("path, status", [("/nowhere", 404), ("/served", 200)])
def test_who_sends_requests_and_takes_no_response_is_not_read_from(world, path, status):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    before = memory(world.worker)
    with Client(world.port("plain"), receive_buffer=4096) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        whole = flood(client, request)
        assert 100 < whole < BUFFERS // len(request)
        assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
        for _ in range(min(whole, 20000)):
            assert client.response().status == status
    assert world.worker in world.pids("worker")


def test_interim_responses_without_end_do_not_pile_up(world, client, target):
    sent, n = [0], 100000
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 180 + b">\r\n\r\n"

    @target.script("/served/hints")
    def path(call):
        for _ in range(n // 100):
            call.send(hint * 100)
            sent[0] += 100
        return call.answer()

    before = memory(world.worker)
    client.send(b"GET /served/hints HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert steady(lambda: sent[0], "the target to be stopped") <= n
    assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
    for _ in range(n):
        assert client.response().status == 103
    assert client.response().body == b"ok"


def test_a_client_that_hangs_up_while_it_waits_costs_nothing(world, client, target):
    """The response is not there, and the client has gone: level-triggered readiness must not spin."""
    go = threading.Event()

    @target.script("/served/wait")
    def path(call):
        go.wait(20)
        return call.answer()

    mark = world.mark()
    client.send(b"GET /served/wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: target.calls[-1].path == "/served/wait", "the request")
    client.sock.shutdown(socket.SHUT_RDWR)
    client.sock.close()
    assert comes_to_rest(world.worker)
    go.set()
    assert world.line(since=mark, client=client.name, path="/served/wait")["target"]


def test_a_target_that_hangs_up_while_the_client_is_slow_costs_nothing(world, client, target):
    @target.script("/served/gone")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10000000)
        call.connection.shutdown(socket.SHUT_RDWR)

    finished = target.finished
    client.send(b"GET /served/gone HTTP/1.1\r\nHost: localhost\r\n\r\n")
    steady(lambda: target.finished, "the target")
    assert comes_to_rest(world.worker)
    assert len(client.response().body) == 10000000
    until(lambda: target.finished == finished + 1, "the target to be done")


def test_garbage_on_a_tls_port_that_never_stops_costs_nothing(world):
    with Client(world.port("tls")) as c:
        c.send(b"GET / HTTP/1.1\r\n\r\n")
        c.sock.settimeout(0.3)
        try:
            while True:
                c.send(b"x" * 65536)
        except OSError:
            pass
        assert comes_to_rest(world.worker)


def test_a_slow_client_gets_the_end_of_a_response_that_ends_the_connection(world, target):
    """What is unsent when the exchange is over is not given up as soon as what a client only has to hear."""
    sent = [0]

    @target.script("/served/last")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\n\r\n")
        call.connection.settimeout(0.3)
        try:
            while sent[0] < LARGE:
                sent[0] += call.connection.send(PIECE[:16384])
        except TimeoutError:
            pass

    size, finished = world.access_log.stat().st_size, target.finished
    with Client(world.port("plain"), receive_buffer=65536) as client:
        client.send(b"GET /served/last HTTP/1.0\r\nHost: localhost\r\n\r\n")
        until(lambda: target.finished > finished, "the target to have filled all that lies between")
        while client.line():
            pass
        got = len(client.data)
        while world.access_log.stat().st_size == size:
            got += len(client.sock.recv(16384))
        steady(lambda: descriptors(world.worker), "nothing to happen", hold=2.4)
        while piece := client.sock.recv(1 << 20):
            got += len(piece)
        assert got == sent[0] < LARGE
