# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards targets: few connections for many requests, and none is sent twice that may have been processed."""
import contextlib
import os
import signal
import socket
import threading

import pytest
from hyperframe import frame as frames

import peers
from http2_peers import CANCEL, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, REFUSED_STREAM, Http2, Server, request, serving, value
from http_peers import Client, Scripted, group, plain, tls_listener
from instance import until
from processes import only


def config(pki, *targets, protocol="HTTP", more="", timeouts=""):
    return plain(group("web", *targets, protocol=protocol, more=", http_version: 2" + more), listeners=tls_listener(pki), timeouts=timeouts)


def always(server):
    while True:
        server.answer(server.request()[0])


def test_a_request_of_either_version_arrives_as_http_2(lb, pki, target):
    seen = []

    def script(server):
        while True:
            id, fields = server.request()
            seen.append(fields)
            server.answer(id, b"ok", ("x-answer", "yes"))
    instance = lb(config(pki, target(serving(script))))
    with Client(instance.port("plain")) as c:
        a = c.ask("/a?b", "GET", "Connection: x-hop, TE", "TE: trailers", "X-Hop: 1", "X-Real-IP: 6.6.6.6", "Upgrade: x")
        assert (a.status, a.reason, a.body) == (200, "OK", b"ok") and ("x-answer", "yes") in a.headers
    with Http2(instance.port("tls"), pki) as c:
        a = c.ask("/a?b", "GET", ("cookie", "a=1"), ("cookie", "b=2"))
        assert (a.status, a.body, a.headers) == (200, b"ok", [("x-answer", "yes")])
    for fields, proto in zip(seen, ("http", "https")):
        assert fields[:4] == [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/a?b")]
        assert value(fields, "x-forwarded-proto") == proto and value(fields, "x-real-ip") == "127.0.0.1"
        assert not {"host", "connection", "x-hop", "upgrade", "transfer-encoding"} & {k for k, _ in fields}
    assert value(seen[0], "te") == "trailers" and value(seen[1], "cookie") == "a=1; b=2"


def test_many_requests_share_a_connection(lb, pki, target):
    """As many as the target lets, whoever the clients are."""
    t = target(serving(lambda s: play(s), {MAX_CONCURRENT_STREAMS: 8}))
    held = []

    def play(server):
        while True:
            held.append((server, server.request()[0]))
    instance = lb(config(pki, t))
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Http2(instance.port("tls"), pki))
        one = first.head(request())
        until(lambda: len(held) == 1, "the first request")
        clients = [stack.enter_context(Http2(instance.port("tls"), pki)) for _ in range(3)]
        ids = [(c, c.head(request())) for c in clients for _ in range(5)]
        until(lambda: len(held) == 16, "all requests")
        assert t.accepted == 2 and max(len(s.ids) for s, _ in held) == 8
        for server, id in held:
            server.answer(id)
        assert all(c.answer(id).body == b"ok" for c, id in [(first, one), *ids])
    assert instance.line(path="/")["ms"]["connect"] >= 0


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("how", ["refused", "goaway"])
def test_what_was_not_processed_is_sent_again(lb, pki, target, how, method):
    """RFC 9113 §8.7: whatever the method."""
    tries = []

    def script(server):
        while True:
            id, fields = server.request()
            if value(fields, ":path") != "/again":
                server.answer(id)
                continue
            tries.append(id)
            if len(tries) > 1:
                server.answer(id, b"second")
            elif how == "refused":
                server.send(frames.RstStreamFrame(id, error_code=REFUSED_STREAM))
            else:
                server.send(frames.GoAwayFrame(0, last_stream_id=id - 2 if id > 1 else 0, error_code=0))
    instance = lb(config(pki, target(serving(script))))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/first").body == b"ok"
        id = c.head(request("/again", method, *([("content-length", "3")] if method == "POST" else [])), end=method == "GET")
        if method == "POST":
            c.content(id, b"abc", True)
        assert c.answer(id).body == b"second" and len(tries) == 2


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 502)])
def test_what_may_have_been_processed_is_sent_again_only_where_that_does_no_harm(lb, pki, target, method, status):
    tries = []

    def script(server):
        while True:
            id, fields = server.request()
            tries.append(value(fields, ":path"))
            if tries.count("/dies") == 1 and tries[-1] == "/dies":
                return  # without a word
            server.answer(id)
    instance = lb(config(pki, target(serving(script))))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/first").status == 200
        assert c.ask("/dies", method).status == status
        assert tries.count("/dies") == (2 if status == 200 else 1)
        assert c.ask("/after").status == 200


def test_it_is_refused_no_more_than_once_again(lb, pki, target):
    tries = []

    def script(server):
        while True:
            tries.append(server.request()[0])
            server.send(frames.RstStreamFrame(tries[-1], error_code=REFUSED_STREAM))
    instance = lb(config(pki, target(serving(script))))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/").status == 502 and len(tries) == 2
    assert instance.line(path="/")["close"] == "target_closed"


def test_a_stream_that_ends_badly_ends_alone(lb, pki, target):
    def script(server):
        while True:
            id, fields = server.request()
            path = value(fields, ":path")
            if path == "/reset":
                server.answer(id, b"part", end=False)
                server.send(frames.RstStreamFrame(id, error_code=2))
            elif path == "/malformed":
                head = server.encoder.encode([(":status", "200"), ("connection", "close")])
                server.send(frames.HeadersFrame(id, data=head, flags=["END_HEADERS", "END_STREAM"]))
            elif path == "/status":
                head = server.encoder.encode([(":status", "101")])
                server.send(frames.HeadersFrame(id, data=head, flags=["END_HEADERS", "END_STREAM"]))
            elif path == "/length":
                server.answer(id, b"four", ("content-length", "5"))
            else:
                server.answer(id)
    t = target(serving(script))
    instance = lb(config(pki, t))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/").status == 200
        a = c.ask("/reset")
        # what came before the reset may be cut off with it
        assert a.reset is not None and (a.status, a.body) in [(200, b"part"), (200, b""), (None, b"")]
        assert c.ask("/malformed").status == 502 and c.ask("/status").status == 502
        assert c.ask("/length").reset is not None
        assert c.ask("/").status == 200 and t.accepted == 1
    assert instance.line(path="/malformed")["close"] == "target_bad_response"


def test_a_client_that_takes_nothing_holds_up_nobody_elses_responses(lb, pki, target):
    """More of them than would fill any window that streams share."""
    def script(server):
        while True:
            id, fields = server.request()
            if value(fields, ":path") == "/":
                server.answer(id)
                continue
            server.send(frames.HeadersFrame(id, data=server.encoder.encode([(":status", "200")]), flags=["END_HEADERS"]))
            while not isinstance(f := server.read(), frames.WindowUpdateFrame) or f.stream_id != id:
                pass
            server.send(frames.DataFrame(id, data=bytes(f.window_increment)))
    t = target(serving(script))
    instance = lb(config(pki, t))
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Http2(instance.port("tls"), pki, {INITIAL_WINDOW_SIZE: 0})) for _ in range(5)]
        ids = [(c, c.head(request("/much"))) for c in slow for _ in range(4)]
        assert all(c.head_of(id) for c, id in ids)
        with Http2(instance.port("tls"), pki) as c:
            assert c.ask("/").body == b"ok"
        assert t.accepted == 1


def test_a_body_goes_only_as_the_target_opens_its_window_and_cancelling_is_passed_on(lb, pki, target):
    got, cancelled = [], threading.Event()

    def script(server):
        server.answer(server.request()[0])  # by now our settings are known
        id, _ = server.request()
        while True:
            f = server.read()
            if isinstance(f, frames.DataFrame):
                got.append(len(f.data))
            if isinstance(f, frames.DataFrame) and len(got) == 1:
                server.send(frames.WindowUpdateFrame(id, window_increment=50))
            if isinstance(f, frames.RstStreamFrame):
                assert f.error_code == CANCEL
                cancelled.set()
    instance = lb(config(pki, target(serving(script, {INITIAL_WINDOW_SIZE: 100}))))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/").status == 200
        id = c.head(request("/", "POST"), end=False)
        c.content(id, bytes(10000))
        until(lambda: sum(got) >= 150, "what the window lets through")
        c.ping()
        assert sum(got) == 150
        c.cancel(id)
        assert cancelled.wait(10)


def test_a_tls_target_has_to_agree_on_it(lb, pki, target):
    t = target(peers.http_echo, context=peers.server_context(pki.server))
    more = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}"
    instance = lb(config(pki, t, protocol="HTTPS", more=more))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/").status == 502
    line = instance.line(path="/")
    assert line["close"] == "target_handshake" and t.received == b""


def test_a_target_that_speaks_http_1_is_told_so(lb, pki, target):
    t = Scripted()
    instance = lb(config(pki, t))
    with Http2(instance.port("tls"), pki) as c:
        assert c.ask("/").status == 502
    assert instance.line(path="/")["close"].startswith("target_")
    t.close()


def test_a_target_that_answers_early_and_opens_windows_by_a_little_floods_nobody(lb, pki, target):
    """As servers of gRPC do: a few frames for each request, which are no flood as long as responses come with them."""
    def script(server):
        while True:
            id, _ = server.request()
            server.answer(id)
            server.send(*[frames.WindowUpdateFrame(0, window_increment=1)] * 2, frames.RstStreamFrame(id, error_code=0))
    t = target(serving(script))
    instance = lb(config(pki, t))
    with Http2(instance.port("tls"), pki) as c:
        for _ in range(40):
            ids = [c.head(request("/", "POST"), end=False) for _ in range(20)]
            assert all(c.answer(id).status == 200 for id in ids)
    assert t.accepted == 1


@pytest.mark.parametrize("piece", [1000, 10007, 20011])  # how much waits, and where, when nothing more goes
def test_a_target_that_ends_in_the_middle_of_a_body_ends_all_that_was_to_be_sent(lb, pki, target, piece):
    """The end and room for more come at once: the rest of the body is nobody's any more."""
    go, done = threading.Event(), threading.Event()

    def script(server):
        server.send(frames.WindowUpdateFrame(0, window_increment=1 << 30))
        server.request()
        assert go.wait(20)
        server.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while server.sock.recv(1 << 20):
                pass
        server.sock.shutdown(socket.SHUT_WR)
        server.sock.setblocking(True)
        done.set()
        while server.sock.recv(1 << 20):
            pass
    instance = lb(config(pki, target(serving(script, {INITIAL_WINDOW_SIZE: 1 << 30}))))
    with Client(instance.port("plain")) as c:
        c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
        c.sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while True:
                c.sock.send(bytes(piece))  # until nobody takes any more
        c.sock.settimeout(20)
        worker = only(instance.pids("worker"))
        os.kill(worker, signal.SIGSTOP)
        go.set()
        assert done.wait(20)
        os.kill(worker, signal.SIGCONT)
        assert c.response().status == 502
    assert instance.line(path="/", status=502)["close"] == "target_closed"
