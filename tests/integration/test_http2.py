# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: each stream is an exchange like any other, and none of them holds up the rest."""
import json
import signal
import subprocess
import threading
import time

import pytest
from hyperframe import frame as frames

import peers
from http2_peers import CANCEL, INITIAL_WINDOW_SIZE, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, Closed, Http2, request, value
from http_peers import Scripted, group, plain, running, steady, tls_listener
from instance import until

LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    config = plain(group("web", target), listeners=tls_listener(pki), timeouts="body: 1s, header: 2s, body_rate: 1000")
    with running(tmp_path_factory.mktemp("http2"), config, target) as instance:
        yield instance


@pytest.fixture
def client(world, pki):
    with Http2(world.port("tls"), pki) as c:
        yield c


def told(answer):
    return json.loads(answer.body)


@pytest.fixture
def echo(target):
    """A path under which the target tells what it got."""
    @target.script("/echo")
    def path(call):
        body, trailers = call.body()
        return call.answer(json.dumps({"method": call.method, "headers": call.headers, "body": body.decode("latin-1"),
                                       "trailers": trailers}).encode(), "X-Answer: yes", "Connection: x-hop", "X-Hop: 1",
                           "Keep-Alive: timeout=5")
    return path


# ---- messages

def test_a_request_arrives_as_http_1_1_and_its_answer_as_http_2(client, echo, world):
    a = client.ask(echo + "?q=1", "GET", ("cookie", "a=1"), ("accept", "x/y"), ("cookie", "b=2"), ("te", "trailers"),
                   ("x-real-ip", "6.6.6.6"), ("client_cert", ":AAAA:"))
    assert a.status == 200
    assert a.headers == [("x-answer", "yes"), ("content-length", str(len(a.body)))]
    headers = told(a)["headers"]
    assert ["Host", "localhost"] in headers and ["cookie", "a=1; b=2"] in headers and ["TE", "trailers"] in headers
    assert [v for k, v in headers if k.lower() == "x-real-ip"] == ["127.0.0.1"]
    assert not [k for k, _ in headers if k.lower() == "client_cert"]
    line = world.line(client=client.name)
    assert (line["tls"]["alpn"], line["method"], line["path"], line["status"]) == ("h2", "GET", "/echo", 200)
    assert "close" not in line


def test_bodies_and_trailers_pass_in_both_directions(client, echo, target):
    id = client.head(request(echo, "POST"), end=False)
    client.content(id, b"one ")
    client.content(id, b"two")
    client.trailers(id, [("x-sum", "7"), ("x-client-cert-verified", "accepted")])
    a = told(client.answer(id))
    assert a["body"] == "one two" and a["trailers"] == ["x-sum: 7"]

    @target.script("/trailers")
    def _(call):
        return call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                         b"Trailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n")
    a = client.ask("/trailers")
    assert (a.interim, a.status, a.body, a.trailers) == ([103], 200, b"abc", [("x-sum", "3")])


@pytest.mark.parametrize("length", [True, False])
def test_large_bodies_pass_whole(client, target, length):
    got = []

    @target.script("/large")
    def path(call):
        got.append(call.body()[0])
        if length:
            return call.answer(LARGE)
        call.send(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE)
        return False
    id = client.head(request(path, "POST", *([("content-length", str(len(LARGE)))] if length else [])), end=False)
    sent = 0
    while sent < len(LARGE):
        client.until(lambda: min(65535 + client.updates[0], client.settings.get(INITIAL_WINDOW_SIZE, 0) + client.updates[id]) > sent)
        room = min(65535 + client.updates[0], client.settings[INITIAL_WINDOW_SIZE] + client.updates[id]) - sent
        piece = LARGE[sent:sent + min(room, 16384)]
        sent += len(piece)
        client.content(id, piece, sent == len(LARGE))
    assert client.answer(id).body == LARGE and got == [LARGE]


def test_a_response_in_small_pieces_is_no_flood(client, target):
    """A client that opens its windows again for each piece asks for nothing that the target did not."""
    pieces, taken = 600, threading.Semaphore(0)

    @target.script("/pieces")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            call.send(b"a\r\n0123456789\r\n")
            assert taken.acquire(timeout=20)
        return call.send(b"0\r\n\r\n")
    id = client.head(request(path))
    for i in range(pieces):
        client.until(lambda: len(client.streams[id].body) == 10 * (i + 1))
        taken.release()
    assert client.answer(id).body == b"0123456789" * pieces


def test_a_response_without_a_body_ends_with_its_head(client, target):
    @target.script("/none")
    def path(call):
        return call.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    @target.script("/length")
    def _(call):
        return call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (b"" if call.method == "HEAD" else b"12345"))
    assert client.ask(path).status == 204
    a = client.ask("/length", "HEAD")
    assert (a.status, value(a.headers, "content-length"), a.body) == (200, "5", b"")
    assert client.ask("/length").body == b"12345"


def test_a_request_whose_body_is_not_awaited_is_reset_after_its_answer(client, target):
    @target.script("/early")
    def path(call):
        call.answer(b"enough", status="403 Forbidden")
        return False
    id = client.head(request(path, "POST"), end=False)
    a = client.answer(id)
    assert (a.status, a.body) == (403, b"enough")
    client.until(lambda: client.streams[id].reset is not None)
    assert client.streams[id].reset == NO_ERROR
    assert client.ask("/").status == 200


def test_errors_of_ours_have_a_status(client, target, world):
    target.script("/cut")(lambda call: False)
    assert client.ask("/cut", "POST").status == 502
    for path, fields, status in [("/%2e%2e/", (), 400), ("/a\\b", (), 400), ("/", [("x", "y" * 9000)], 431), ("/" + "p" * 9000, (), 414),
                                 ("/", [(f"x{i}", "y") for i in range(101)], 431), ("/", [("expect", "magic")], 417)]:
        assert client.ask(path, "GET", *fields).status == status, path[:20]
    assert client.ask("/", authority="user@localhost").status == 400
    assert client.ask("/", "CONNECT").status is None  # RFC 9113 §8.5: with :path it is malformed
    id = client.head([(":method", "CONNECT"), (":authority", "localhost:443")])
    assert client.answer(id).status == 501
    world.line(client=client.name, status=501, close="bad_request")


# ---- what is no request

MALFORMED = {
    "no_path": [(":method", "GET"), (":scheme", "https"), (":authority", "localhost")],
    "no_scheme": [(":method", "GET"), (":authority", "localhost"), (":path", "/")],
    "no_method": [(":scheme", "https"), (":authority", "localhost"), (":path", "/")],
    "empty_path": request(""),
    "two_paths": request("/") + [(":path", "/b")],
    "status": request("/") + [(":status", "200")],
    "unknown_pseudo": request("/") + [(":protocol", "websocket")],
    "pseudo_after_field": [("x", "y")] + request("/"),
    "upper_case": request("/", "GET", ("X-Upper", "y")),
    "space_in_name": request("/", "GET", ("x y", "z")),
    "colon_in_name": request("/", "GET", ("x:y", "z")),
    "crlf_in_name": request("/", "GET", ("x\r\ny", "z")),
    "empty_name": request("/", "GET", ("", "z")),
    "crlf_in_value": request("/", "GET", ("x", "y\r\nhost: evil")),
    "lf_in_value": request("/", "GET", ("x", "y\nz")),
    "nul_in_value": request("/", "GET", ("x", "y\0z")),
    "crlf_in_path": request("/ HTTP/1.1\r\nHost: evil\r\n\r\n"),
    "crlf_in_authority": request("/", authority="localhost\r\nx: y"),
    "crlf_in_method": request("/", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET"),
    "space_in_method": request("/", "GET /x"),
    "connection": request("/", "GET", ("connection", "close")),
    "keep_alive": request("/", "GET", ("keep-alive", "5")),
    "proxy_connection": request("/", "GET", ("proxy-connection", "x")),
    "transfer_encoding": request("/", "POST", ("transfer-encoding", "chunked")),
    "upgrade": request("/", "GET", ("upgrade", "websocket")),
    "te": request("/", "GET", ("te", "gzip")),
    "te_and_more": request("/", "GET", ("te", "trailers, chunked")),
    "length_without_body": request("/", "POST", ("content-length", "5")),
    "two_lengths": request("/", "POST", ("content-length", "0"), ("content-length", "0")),
    "bad_length": request("/", "POST", ("content-length", "+0")),
    "host_differs": request("/", "GET", ("host", "admin.example")),
    "two_hosts": request("/", "GET", ("host", "localhost"), ("host", "localhost")),
    "comma_in_authority": request("/", authority="localhost,evil"),
    "path_without_slash": request("evil/"),
    "absolute_path": request("https://evil/"),
    "scheme": request("/", scheme="https://evil/x?"),
    "at": request("/", authority="a@localhost"),
    "leading_space": request("/", "GET", ("x", " y")),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_reaches_no_target(client, target, world, case):
    """RFC 9113 §8.1.1, §8.2, §8.3: a stream error, or a 4xx where the framing is beyond doubt; the next request is served."""
    before = len(target.calls)
    a = client.answer(client.head(MALFORMED[case]))
    assert a.reset == PROTOCOL_ERROR and a.status is None or a.status in (400, 501)
    assert client.ask("/after").status == 200
    assert [c.path for c in target.calls[before:]] == ["/after"]
    assert world.line(client=client.name)["close"] == "bad_request"


@pytest.mark.parametrize("length, pieces", [(3, [b"1234"]), (5, [b"1234"]), (3, [b"12", b"34"])])
def test_content_must_be_as_long_as_it_says(client, echo, length, pieces):
    """RFC 9113 §8.1.1."""
    id = client.head(request(echo, "POST", ("content-length", str(length))), end=False)
    for i, piece in enumerate(pieces):
        client.content(id, piece, i == len(pieces) - 1)
    a = client.answer(id)
    assert a.reset == PROTOCOL_ERROR and a.status is None
    assert client.ask("/after").status == 200


def test_trailers_that_would_be_headers_are_refused(client, echo):
    for fields in [(":path", "/x")], [("transfer-encoding", "chunked")], [("content-length", "3")], [("host", "evil")]:
        id = client.head(request(echo, "POST"), end=False)
        client.content(id, b"abc")
        client.trailers(id, fields)
        assert client.answer(id).status != 200, fields
    assert client.ask("/after").status == 200


# ---- many streams

def test_a_slow_stream_holds_up_no_other(client, target):
    release = threading.Event()

    @target.script("/slow")
    def path(call):
        release.wait(20)
        return call.answer(b"late")
    slow = [client.head(request(path)) for _ in range(20)]
    assert all(client.ask(f"/fast{i}").body == b"ok" for i in range(20))
    assert not any(client.streams[id].heads for id in slow)
    release.set()
    assert [client.answer(id).body for id in slow] == [b"late"] * 20


def test_large_heads_of_many_responses_at_once_wait_for_each_other(client, target):
    """Fifty of 15 KiB: more than a connection may hold of them."""
    release = threading.Event()

    @target.script("/heads")
    def path(call):
        release.wait(20)
        return call.answer(b"ok", *(f"X-{i}: {'y' * 7500}" for i in range(2)))
    ids = [client.head(request(path)) for _ in range(50)]
    client.ping()
    release.set()
    assert all(client.answer(id).body == b"ok" for id in ids)


def test_a_stream_whose_window_is_shut_holds_up_no_other_and_its_target_waits(world, pki, target):
    sent = [0]

    @target.script("/endless")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        call.connection.settimeout(20)
        while True:
            call.connection.send(bytes(65536))
            sent[0] += 65536
    with Http2(world.port("tls"), pki, {INITIAL_WINDOW_SIZE: 0}, is_greedy=False) as c:
        id = c.head(request(path))
        assert dict(c.head_of(id))[":status"] == "200"
        other = c.head(request("/"))
        c.open_window(other, 100)
        assert c.answer(other).body == b"ok"
        assert c.streams[id].body == b""
        assert steady(lambda: sent[0], "the target to be held back") < 16 << 20  # what the kernels hold
        c.open_window(id, 7)
        c.until(lambda: len(c.streams[id].body) == 7)
        line = world.line(client=c.name, path=path)  # body: 1s
        assert (line["close"], line["status"]) == ("client_slow", 200)
        c.until(lambda: c.streams[id].reset is not None)
        assert c.streams[id].reset == INTERNAL_ERROR


def test_a_target_that_takes_nothing_shuts_the_window_of_its_stream_alone(client, target):
    release = threading.Event()

    @target.script("/stuck")
    def path(call):
        release.wait(20)
        return call.answer(call.body()[0][:1])
    client.ping()
    window = client.settings[INITIAL_WINDOW_SIZE]
    id = client.head(request(path, "POST"), end=False)
    sent, more = 0, True
    while more:  # as long as the window is opened again
        room = window + client.updates[id] - sent
        client.content(id, b"x" * min(room, 16384))
        sent += min(room, 16384)
        client.ping()
        more = window + client.updates[id] > sent and sent < 64 << 20
    assert sent < 16 << 20
    assert client.ask("/").status == 200
    release.set()
    client.until(lambda: window + client.updates[id] > sent)
    client.content(id, b"", True)
    assert client.answer(id).body == b"x"


def test_a_cancelled_request_is_cancelled_at_the_target(client, target, world):
    gone = threading.Event()

    @target.script("/cancelled")
    def path(call):
        try:
            call.connection.recv(1)
        except OSError:
            pass
        gone.set()
        return False
    id = client.head(request(path))
    until(lambda: any(c.path == path for c in target.calls), "the request")
    client.cancel(id)
    assert gone.wait(10)
    assert world.line(client=client.name)["close"] == "client_reset"
    assert client.ask("/").status == 200


def test_a_response_that_is_cut_off_is_never_complete(client, target, world):
    @target.script("/short")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
        return False
    a = client.ask(path)
    assert (a.reset, a.status) == (INTERNAL_ERROR, 200)
    assert world.line(client=client.name)["close"] == "target_closed"
    assert client.ask("/").status == 200


def test_who_ends_in_the_middle_cuts_off_its_requests(world, pki, target):
    gone = threading.Event()

    @target.script("/left")
    def path(call):
        try:
            call.connection.recv(1)
        except OSError:
            pass
        gone.set()
        return False
    with Http2(world.port("tls"), pki) as c:
        c.head(request(path))
        until(lambda: any(x.path == path for x in target.calls), "the request")
    assert gone.wait(10)
    assert world.line(client=c.name, path=path)["close"].startswith("client_")


# ---- time

def test_each_stream_has_its_own_time(client, target, world):
    id = client.head(request("/late-body", "POST"), end=False)
    assert client.ask("/").status == 200
    assert client.answer(id).status == 408
    assert world.line(client=client.name, path="/late-body")["close"] == "body_timeout"
    assert client.ask("/").status == 200


def test_a_head_must_be_complete_in_time(world, pki):
    with Http2(world.port("tls"), pki) as c:
        head = c.encoder.encode(request("/"))
        c.send(frames.HeadersFrame(1, data=head[:3], flags=["END_STREAM"]))
        assert c.end() is not None
    with Http2(world.port("tls"), pki, preface=False) as c:  # who says nothing at all
        while c.sock.recv(1000):
            pass


def test_a_head_that_was_refused_is_not_waited_for(client, target):
    @target.script("/patient")
    def path(call):
        time.sleep(2.2)  # longer than a head may take
        return call.answer(b"late")
    id = client.head(request(path))
    assert client.answer(client.head(MALFORMED["upper_case"])).reset == PROTOCOL_ERROR
    assert client.answer(id).body == b"late"


def test_the_end_is_announced_before_it_comes(pki, target, lb):
    """RFC 9113 §6.8: no request that is on its way is lost, on shutdown and on reload."""
    release = threading.Event()

    @target.script("/long")
    def path(call):
        release.wait(20)
        return call.answer(b"whole")
    config = plain(group("web", target), listeners=tls_listener(pki))
    instance = lb(config)
    for end in (lambda: instance.reload(), lambda: instance.send(signal.SIGTERM)):
        release.clear()
        with Http2(instance.port("tls"), pki) as c:
            long = c.head(request(path))
            c.ping()
            end()
            c.until(lambda: c.goaways)
            assert (c.goaways[0].last_stream_id, c.goaways[0].error_code) == ((1 << 31) - 1, NO_ERROR)
            on_its_way = c.head(request("/"))  # before our answer to the PING behind that GOAWAY
            assert c.answer(on_its_way).status == 200
            c.until(lambda: len(c.goaways) == 2)
            assert c.goaways[1].last_stream_id == on_its_way
            release.set()
            assert c.answer(long).body == b"whole"
            assert c.end() == NO_ERROR
    assert instance.stop() == 0


# ---- negotiation

def test_it_can_be_left_out(pki, target, lb):
    listener = tls_listener(pki).rstrip("}") + ", http2: false}"
    instance = lb(plain(group("web", target), listeners=listener))
    context = peers.client_context(pki.ca("servers"), alpn=["h2", "http/1.1"])
    with peers.connect(instance.port("tls"), context) as s:
        assert s.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("engine", ["native", "openssl"])
def test_it_is_not_spoken_without_forward_secrecy(pki, target, lb, engine):
    """RFC 9113 §9.2.2: not under the suites of RSA key transport; what else is offered is, or nothing (RFC 7301 §3.2)."""
    rsa = pki.ca("servers").issue("h2-rsa", "server", ["DNS:localhost"], key="rsa")
    listener = tls_listener(pki).replace(pki.server.yaml(), rsa.yaml()).rstrip("}") + f", tls: {{engine: {engine}, key_exchange: rsa}}}}"
    instance = lb(plain(group("web", target), listeners=listener))

    def agreed(*alpn, ciphers="AES256-GCM-SHA384"):
        context = peers.client_context(pki.ca("servers"), version="1.2", ciphers=ciphers, alpn=list(alpn))
        with peers.connect(instance.port("tls"), context) as s:
            assert s.cipher()[0] in ciphers.split(":")
            return s.selected_alpn_protocol()
    assert agreed("h2", "http/1.1") == "http/1.1"
    assert agreed("h2", "http/1.1", ciphers="ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384") == "h2"
    with pytest.raises(peers.Refused):
        agreed("h2")
    assert instance.line(close="handshake_no_common")["tls"]["alert_sent"] == "no_application_protocol"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_and_nghttp_speak_it(world, pki, version, target):
    target.script("/curl")(lambda call: call.answer(LARGE[:300000]))
    url = f"https://localhost:{world.port('tls')}/curl"
    done = subprocess.run(["curl", "-sS", "--http2", f"--tlsv{version}", "--tls-max", version, "--cacert", pki.ca("servers").crt, url,
                           "-w", "%{http_version} %{http_code}", "-o", "/dev/null"], capture_output=True, text=True, timeout=20)
    assert done.stdout == "2 200", done
    done = subprocess.run(["nghttp", "-n", "-s", "-m", "8", url], capture_output=True, text=True, timeout=20)
    assert done.stdout.count(" 200 ") == 8, done


def test_misdirected(pki, target, lb):
    """RFC 9110 §15.5.20: streams share a connection, but not what it was authenticated for."""
    server = pki.ca("servers").issue("h2-misdirected", "server", ["DNS:*.h2.example"])
    listener = f"""
  - name: tls
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{server.yaml()}]
    domains: [{{name: closed.h2.example, authentication: mutual, client_ca: [{pki.ca('clients').crt}]}}]
    rules: [{{domain: "*.h2.example", path: /, target_group: web}}]"""
    instance = lb(plain(group("web", target), listeners=listener))
    before = len(target.calls)
    with Http2(instance.port("tls"), pki, name="open.h2.example") as c:
        assert c.ask("/", authority="closed.h2.example").status == 421
        assert c.ask("/", authority="CLOSED.h2.example.:443").status == 421
        assert len(target.calls) == before
        assert c.ask("/", authority="open.h2.example").status == 200
    with Http2(instance.port("tls"), pki, name="closed.h2.example", certificate=pki.good) as c:
        assert c.ask("/", authority="closed.h2.example").status == 200
        assert c.ask("/", authority="open.h2.example").status == 421
