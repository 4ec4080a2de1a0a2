# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 messages on their way through: framing, trailers, interim responses, versions."""
import os
import threading

import pytest

from http_peers import Client, Cut, Scripted, group, header, plain, running
from instance import until

SIZES = (0, 1, 65535, 65536, 65537)


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(target, tmp_path_factory):
    with running(tmp_path_factory.mktemp("bodies"), plain(group("web", target)), target) as instance:
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def chunks(data, size=1000, extension=""):
    return b"".join(f"{len(data[i:i + size]):x}{extension}\r\n".encode() + data[i:i + size] + b"\r\n"
                    for i in range(0, len(data), size)) + b"0\r\n\r\n"


def reflect(call):
    """Answers with the request's body, framed as the request was."""
    body, _ = call.body()
    if call.all("Transfer-Encoding"):
        return call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body, 30000))
    return call.answer(body)


@pytest.mark.parametrize("size", SIZES)
def test_a_body_with_a_length_arrives_whole_both_ways(client, target, size):
    path, body = target.script("/reflect")(reflect), os.urandom(size)
    r = client.ask(path, "POST", f"Content-Length: {size}", body=body)
    assert (r.status, r.body, header(r, "Content-Length")) == (200, body, str(size))
    assert target.calls[-1].all("Content-Length") == [str(size)]


@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_body_arrives_whole_both_ways(client, target, size):
    path, body = target.script("/reflect")(reflect), os.urandom(size)
    r = client.ask(path, "POST", "Transfer-Encoding: chunked", body=chunks(body))
    assert (r.status, r.body, header(r, "Transfer-Encoding")) == (200, body, "chunked")
    assert target.calls[-1].all("Transfer-Encoding") == ["chunked"] and not target.calls[-1].all("Content-Length")


def test_ten_mebibytes_in_chunks_of_every_size_arrive_whole(client, target):
    path, body = target.script("/reflect")(reflect), os.urandom(10 << 20)
    sender = threading.Thread(target=client.send, args=(
        b"POST /reflect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body, 7919),))
    sender.start()
    assert client.response().body == body
    sender.join()
    assert client.ask().body == b"ok"


def test_chunk_extensions_are_dropped(client, target):
    seen = []

    @target.script("/extensions")
    def path(call):
        while line := call.file.readline():
            seen.append(line)
            if line == b"\r\n" and seen[-2:-1] == [b"0\r\n"]:
                break
        return call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d;e\"\r\nok\r\n0;last\r\n\r\n")

    r = client.ask("/extensions", "POST", "Transfer-Encoding: chunked", body=b"3;x=y\r\nabc\r\n0;z\r\n\r\n")
    assert r.body == b"ok" and seen == [b"3\r\n", b"abc\r\n", b"0\r\n", b"\r\n"]


def test_trailers_arrive_both_ways(client, target):
    told = []

    @target.script("/trailers")
    def path(call):
        told.append(call.body())
        return call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")

    r = client.ask("/trailers", "POST", "Transfer-Encoding: chunked", "Trailer: X-In", body=b"1\r\na\r\n0\r\nX-In: 1\r\nX-Two: 2\r\n\r\n")
    assert r.trailers == [("X-Sum", "7")] and header(r, "Trailer") == "X-Sum"
    assert told == [(b"a", ["X-In: 1", "X-Two: 2"])]


@pytest.mark.parametrize("fields, told", [
    (["TE: trailers", "Connection: TE"], True), (["TE: gzip;q=0.5, Trailers", "Connection: close, te"], True),
    (["TE: trailers"], False), (["TE: gzip", "Connection: TE"], False),
    (["TE: trailers", "Connection: TE, Upgrade", "Upgrade: x"], True)])
def test_a_target_learns_that_the_client_takes_trailers(client, target, fields, told):
    """RFC 9110 §10.1.4: only who names it in Connection says so to us."""
    assert client.ask("/", "GET", *fields).status == 200
    assert target.calls[-1].all("TE") == (["trailers"] if told else [])
    assert ("TE" in (header(target.calls[-1], "Connection") or "")) == told


def test_trailers_that_speak_for_us_do_not_arrive(client, target):
    told = []

    @target.script("/forged")
    def path(call):
        told.append(call.body())
        return call.answer()

    r = client.ask("/forged", "POST", "Transfer-Encoding: chunked",
                   body=b"0\r\nX_Client.Cert-Verified: accepted\r\nX-Forwarded-For: 1.2.3.4\r\nX-Kept: 1\r\n\r\n")
    assert r.status == 200 and told == [(b"", ["X-Kept: 1"])]


def test_head_has_no_body_and_keeps_the_length(client, target):
    @target.script("/head")
    def path(call):
        return call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

    r = client.ask("/head", "HEAD")
    assert (r.status, header(r, "Content-Length")) == (200, "1000")
    assert client.ask().body == b"ok"


@pytest.mark.parametrize("status, fields", [("204 No Content", b""), ("304 Not Modified", b"Content-Length: 5\r\nETag: \"a\"\r\n")])
def test_responses_without_content_leave_the_connection_in_step(client, target, status, fields):
    @target.script("/empty")
    def path(call):
        return call.send(b"HTTP/1.1 " + status.encode() + b"\r\n" + fields + b"\r\n")

    r = client.ask("/empty")
    assert f"{r.status} {r.reason}" == status and r.body == b""
    assert header(r, "ETag") == ('"a"' if fields else None)
    assert client.ask().body == b"ok"


def test_the_reason_phrase_is_the_targets(client, target):
    @target.script("/reason")
    def path(call):
        return call.answer(status="299 Rather Fine")

    assert client.ask("/reason")[1:3] == (299, "Rather Fine")


def test_a_body_is_sent_only_after_the_targets_100(client, target):
    @target.script("/continue")
    def path(call):
        assert call.all("Expect") == ["100-continue"]
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return call.answer(call.body()[0])

    client.send(b"POST /continue HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert client.response().status == 100
    client.send(b"body")
    assert client.response().body == b"body"


def test_an_expectation_may_be_answered_without_the_body(client, target):
    @target.script("/refuse")
    def path(call):
        call.answer(b"no", status="413 Content Too Large")

    client.send(b"POST /refuse HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    r = client.response()
    assert (r.status, header(r, "Connection")) == (413, "close")
    assert client.end() == "fin"


def test_interim_responses_arrive_in_order(client, target):
    @target.script("/hints")
    def path(call):
        call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        return call.answer()

    client.send(b"GET /hints HTTP/1.1\r\nHost: localhost\r\n\r\n")
    first = client.response()
    assert (first.status, header(first, "Link")) == (103, "</a>")
    assert [client.response().status, client.response().body] == [102, b"ok"]


def test_interim_responses_are_not_for_http_1_0(client, target):
    @target.script("/hints10")
    def path(call):
        call.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        return call.answer()

    client.send(b"GET /hints10 HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert client.response().status == 200
    assert client.end() == "fin"


def test_an_http_1_0_client_gets_one_response_and_the_end(client, target):
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    r = client.response()
    assert (r.version, r.status, r.body, header(r, "Connection")) == ("HTTP/1.1", 200, b"ok", "close")
    assert client.end() == "fin"


def test_an_http_1_0_client_may_keep_the_connection(client):
    for _ in range(3):
        client.send(b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        r = client.response()
        assert (r.body, header(r, "Connection")) == (b"ok", "keep-alive")


def test_a_chunked_response_reaches_an_http_1_0_client_bare(client, target):
    @target.script("/chunked10")
    def path(call):
        return call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"x" * 5000) )

    client.send(b"GET /chunked10 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    r = client.response()
    assert (r.body, header(r, "Transfer-Encoding"), header(r, "Connection")) == (b"x" * 5000, None, "close")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_until_close_is_framed_anew(client, target, version):
    @target.script("/until-close")
    def path(call):
        call.send(f"HTTP/{version} 200 OK\r\n\r\n".encode() + b"y" * 70000)

    r = client.ask("/until-close")
    assert (r.body, header(r, "Transfer-Encoding")) == (b"y" * 70000, "chunked")
    assert client.ask().body == b"ok"


@pytest.mark.parametrize("head, part", [
    (b"Content-Length: 10\r\n", b"12345"), (b"Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\n0\r\n"), (b"Transfer-Encoding: chunked\r\n", b"5\r\n123")],
    ids=["length", "between_chunks", "before_trailers", "in_a_chunk"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_cut_off_by_the_target_is_never_complete(world, client, target, head, part, version):
    @target.script("/cut")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + part)

    mark = world.mark()
    client.send(f"GET /cut HTTP/{version}\r\nHost: localhost\r\n\r\n")
    with pytest.raises((Cut, ConnectionResetError)):
        client.response()
        assert client.end() == "reset"  # to HTTP/1.0 only the reset tells
        raise ConnectionResetError
    assert world.line(since=mark, client=client.name)["close"] == "target_closed"


def test_a_request_cut_off_by_the_client_never_looks_complete_to_the_target(world, target):
    ends = []

    @target.script("/upload")
    def path(call):
        try:
            ends.append(call.file.read())
        except ConnectionResetError:
            ends.append("reset")

    mark = world.mark()
    with Client(world.port("plain")) as c:
        c.send(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        c.sock.shutdown(1)
        assert c.end() == "reset"
    assert world.line(since=mark, client=c.name)["close"] == "client_truncated"
    until(lambda: ends, "the target to notice")
    assert ends == ["reset"]


def test_empty_chunks_sent_byte_by_byte_are_understood(client, target):
    path = target.script("/reflect")(reflect)
    wire = b"POST /reflect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abcdef", 2)
    for i in range(len(wire)):
        client.send(wire[i:i + 1])
    assert client.response().body == b"abcdef"
