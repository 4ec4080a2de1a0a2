# SPDX-License-Identifier: Apache-2.0
"""Responses that are compressed on their way: which ones, and that nothing of them is lost or held back."""
import os
import random
import threading
import zlib

import pytest

from http2_peers import Http2, request
from http_peers import Client, Scripted, group, header, plain, running, tls_listener

TEXT = b"".join(f"line {i} of a page with words that come again\n".encode() for i in range(2000))
RULES = "{domain: localhost, path: /, target_group: web, compression: true}, {domain: localhost, path: /plain/, target_group: web}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    target = Scripted()
    with running(tmp_path_factory.mktemp("compression"), plain(group("web", target), rules=RULES), target) as instance:
        instance.target = target
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def gunzip(data):
    d = zlib.decompressobj(31)
    out = d.decompress(data)
    assert d.eof and not d.unused_data
    return out


def answer(world, path, body=TEXT, *fields, status="200 OK"):
    kind = () if any(f.startswith("Content-Type") for f in fields) else ("Content-Type: text/html",)
    return world.target.script(path)(lambda call: call.answer(body, *kind, *fields, status=status))


def chunked(pieces, trailers=""):
    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            call.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        return call.send(f"0\r\n{trailers}\r\n".encode())
    return script


def test_a_page_arrives_smaller_and_the_same(world, client):
    answer(world, "/page", TEXT, 'ETag: "abc"', "Accept-Ranges: bytes", "Vary: Origin")
    mark = world.mark()
    response = client.ask("/page", "GET", "Accept-Encoding: gzip")
    assert gunzip(response.body) == TEXT and len(response.body) < len(TEXT) / 5
    assert header(response, "Content-Encoding") == "gzip" and header(response, "Content-Length") is None
    assert header(response, "ETag") == 'W/"abc"' and header(response, "Accept-Ranges") is None
    assert [v for k, v in response.headers if k == "Vary"] == ["Origin", "Accept-Encoding"]
    assert world.line(since=mark, client=client.name)["bytes_out"] == len(response.body)
    assert client.ask("/other").body == b"ok"


@pytest.mark.parametrize("accept, want", [
    ("gzip, deflate, br", True), ("deflate, GZIP;q=0.5", True), ("x-gzip", True), ("*", True), ("br;q=1, *;q=0.1", True),
    ("gzip;q=0", False), ("gzip ; q=0.000, *", False), ("*;q=0", False), ("identity", False), ("deflate, br", False), ("", False), (None, False)])
def test_only_who_takes_gzip_gets_it(world, client, accept, want):
    answer(world, "/page", TEXT)
    response = client.ask("/page", "GET", *([f"Accept-Encoding: {accept}"] if accept is not None else []))
    assert (header(response, "Content-Encoding") == "gzip") == want
    assert (gunzip(response.body) if want else response.body) == TEXT
    assert header(response, "Vary") == "Accept-Encoding"  # either way: for caches


@pytest.mark.parametrize("fields, status, body, want", [
    (("Content-Type: application/json; charset=utf-8",), "200 OK", TEXT, True), (("Content-Type: IMAGE/SVG+XML",), "200 OK", TEXT, True),
    ((), "404 Not Found", TEXT, True), (("Content-Type: image/png",), "200 OK", TEXT, False), (("Content-Type: text/event-stream",), "200 OK", TEXT, False),
    (("Content-Encoding: br",), "200 OK", TEXT, False), (("Cache-Control: private, no-transform",), "200 OK", TEXT, False),
    (("Content-Range: bytes 0-9/10",), "206 Partial Content", TEXT, False), (("Content-Digest: sha-256=:x:",), "200 OK", TEXT, False),
    ((), "200 OK", b"x" * 255, False), ((), "200 OK", b"x" * 256, True)])
def test_what_is_compressed(world, client, fields, status, body, want):
    answer(world, "/what", body, *fields, status=status)
    response = client.ask("/what", "GET", "Accept-Encoding: gzip")
    assert (header(response, "Content-Encoding") == "gzip") == want
    assert (gunzip(response.body) if want else response.body) == body


def test_where_no_rule_asks_for_it_nothing_changes(world, client):
    answer(world, "/plain/page", TEXT)
    response = client.ask("/plain/page", "GET", "Accept-Encoding: gzip")
    assert response.body == TEXT and header(response, "Vary") is None and header(response, "Content-Length") == str(len(TEXT))


def test_head_tells_of_the_content_as_it_is(world, client):
    world.target.script("/head")(lambda call: call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n"))
    response = client.ask("/head", "HEAD", "Accept-Encoding: gzip")
    assert header(response, "Content-Length") == "5000" and header(response, "Content-Encoding") is None
    assert client.ask("/other").body == b"ok"


@pytest.mark.parametrize("size", [1, 100, 4095, 4096, 16384, 70000, 3 << 20])
@pytest.mark.parametrize("kind", ["text", "noise", "mixed"])
def test_any_content_in_any_pieces(world, client, size, kind):
    rest = random.Random(size)
    body = {"text": lambda: (TEXT * (size // len(TEXT) + 1))[:size], "noise": lambda: os.urandom(size),
            "mixed": lambda: b"".join(rest.randbytes(50) + b"x" * rest.randrange(400) for _ in range(size // 200 + 1))[:size]}[kind]()
    cuts = [0, *sorted(rest.randrange(size) for _ in range(min(20, size - 1))), size]
    pieces = [body[a:b] for a, b in zip(cuts, cuts[1:]) if a != b]
    world.target.script("/pieces")(chunked(pieces, "X-Sum: 1\r\n"))
    response = client.ask("/pieces", "GET", "Accept-Encoding: gzip", "TE: trailers", "Connection: TE")
    assert gunzip(response.body) == body
    assert response.trailers == [("X-Sum", "1")]


def test_http_1_0_gets_it_until_the_end_of_the_connection(world):
    answer(world, "/page", TEXT)
    with Client(world.port("plain")) as c:
        c.send("GET /page HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
        response = c.response()
        assert header(response, "Content-Encoding") == "gzip" and gunzip(response.body) == TEXT


def test_what_comes_piece_by_piece_is_not_held_back(world, client):
    """The target sends its next piece only when the client has read the one before."""
    seen = threading.Semaphore(0)

    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            call.send(b"5\r\nhello\r\n")
            assert seen.acquire(timeout=10)
        return call.send(b"0\r\n\r\n")

    world.target.script("/slow")(script)
    client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
    while client.line():
        pass
    d, text = zlib.decompressobj(31), b""
    for i in range(3):
        while len(text) < 5 * (i + 1):
            text += d.decompress(client.exactly(int(client.line(), 16)))
            assert client.exactly(2) == b"\r\n"
        seen.release()
    assert text == b"hello" * 3


def test_a_target_that_is_cut_off_does_not_look_complete(world, client):
    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)

    mark = world.mark()
    world.target.script("/cut")(script)
    client.send("GET /cut HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        client.response()
    assert world.line(since=mark, client=client.name)["close"] == "target_closed"


def test_a_connection_has_memory_for_a_few_at_a_time(tmp_path, pki):
    """Each compressor holds some 48 KiB as long as its response: the others pass as they are, and none waits for another."""
    target, release = Scripted(), threading.Event()

    @target.script("/held")
    def held(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10000\r\n\r\n" + b"x" * 5000)
        assert release.wait(20)
        return call.send(b"y" * 5000)

    with running(tmp_path, plain(group("web", target), listeners=tls_listener(pki, RULES)), target) as instance, \
            Http2(instance.port("tls"), pki) as client:
        ids = [client.head(request(held, "GET", ("accept-encoding", "gzip"))) for _ in range(20)]
        heads = [dict(client.head_of(id)) for id in ids]
        assert 1 <= [h.get("content-encoding") for h in heads].count("gzip") <= 4
        assert {h["vary"] for h in heads} == {"Accept-Encoding"}
        cancelled = next(id for id, h in zip(ids, heads) if h.get("content-encoding"))
        client.cancel(cancelled)
        later = client.head(request(held, "GET", ("accept-encoding", "gzip")))
        assert dict(client.head_of(later))["content-encoding"] == "gzip"
        release.set()
        for id in {*ids, later} - {cancelled}:
            got = client.answer(id)
            body = gunzip(got.body) if dict(got.headers).get("content-encoding") else got.body
            assert body == b"x" * 5000 + b"y" * 5000
