# SPDX-License-Identifier: Apache-2.0
"""A client that ends its side has asked its last, and still gets every answer; who waits for a 100 gets one only from the target."""
import socket
import threading

import pytest

import peers
from http_peers import Client, Scripted, group, header, plain, running, tls_listener
from instance import until

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    with running(tmp_path_factory.mktemp("half"), plain(group("web", target), listeners=tls_listener(pki)), target) as instance:
        yield instance


class Half(Client):
    def end_writing(self):
        self.end_(self.sock)
        return self


@pytest.fixture(params=["plain", "tls", "tls_without_close_notify"])
def client(world, pki, request):
    """The last is no way to end (RFC 8446 §6.1), but its requests were whole."""
    if request.param == "plain":
        c = Half(world.port("plain"))
    else:
        c = Half(sock=peers.TLS(world.port("tls"), peers.client_context(pki.ca("servers"))))
    c.end_ = {"plain": lambda s: s.shutdown(socket.SHUT_WR), "tls": lambda s: s.end_writing(),
              "tls_without_close_notify": lambda s: s.sock.shutdown(socket.SHUT_WR)}[request.param]
    with c:
        yield c


@pytest.mark.parametrize("method, more", [("GET", b""), ("POST", b"x" * 100000)], ids=["get", "post"])
def test_a_client_that_has_ended_gets_its_response(world, client, target, method, more):
    go = threading.Event()

    @target.script("/wait")
    def path(call):
        content, _ = call.body()
        go.wait(20)
        return call.answer(b"%d" % len(content))

    mark, calls = world.mark(), len(target.calls)
    client.send(f"{method} /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(more)}\r\n\r\n".encode() + more)
    client.end_writing()
    until(lambda: len(target.calls) > calls, "the request")
    go.set()
    assert client.response().body == b"%d" % len(more) and client.end() == "fin"
    line = world.line(since=mark, client=client.name)
    assert line["status"] == 200 and "close" not in line


def test_a_client_that_has_ended_gets_all_responses_in_order(client, target):
    for name in ("/one", "/two"):
        target.script(name)(lambda call: call.answer(call.path.encode()))
    client.send(GET % b"/one" + GET % b"/two" + GET % b"/nowhere")
    client.end_writing()
    assert [client.response().body for _ in range(3)] == [b"/one", b"/two", b"ok"]
    assert client.end() == "fin"


def test_half_a_request_and_the_end_is_no_request(world, client, target):
    calls = len(target.calls)
    client.send(GET % b"/one" + b"GET /two HTTP/1.1\r\nHost: loc")
    client.end_writing()
    assert client.response().status == 200 and client.end() == "fin"
    assert [c.path for c in target.calls[calls:]] == ["/one"]


def test_a_target_that_has_ended_its_side_has_still_answered(client, target):
    """Its FIN comes with the response; the next request needs another connection."""
    @target.script("/fin")
    def path(call):
        call.answer(b"last")
        call.connection.shutdown(socket.SHUT_WR)
        call.file.read()

    for _ in range(3):
        assert client.ask("/fin").body == b"last"


# ---- Expect: 100-continue -------------------------------------------------------------------------

def test_without_a_100_from_the_target_there_is_none(client, target):
    """A client may send its body without waiting any longer (RFC 9110 §10.1.1)."""
    target.script("/silent")(lambda call: call.answer(call.body()[0]))
    calls = len(target.calls)
    client.send(b"POST /silent HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    until(lambda: len(target.calls) > calls, "the head to arrive without the body")
    r = client.send(b"body").response()
    assert (r.status, r.body) == (200, b"body") and client.ask().body == b"ok"


def test_a_100_that_nobody_waits_for_goes_on_like_any_interim_response(client, target):
    @target.script("/eager")
    def path(call):
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return call.answer(call.body()[0])

    client.send(b"POST /eager HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody")
    assert [client.response().status, client.response().body] == [100, b"body"]


@pytest.mark.parametrize("sends_anyway", [False, True])
def test_a_final_response_in_place_of_a_100_ends_the_connection(client, target, sends_anyway):
    """What the client sends then is a part of the body, or the next request: nobody can know."""
    target.script("/refuse")(lambda call: not call.answer(b"no", status="417 Expectation Failed"))
    calls = len(target.calls)
    client.send(b"POST /refuse HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
    if sends_anyway:
        client.send(GET % b"/smuggled")
    r = client.response()
    assert (r.status, header(r, "Connection")) == (417, "close") and client.end() == "fin"
    assert [c.path for c in target.calls[calls:]] == ["/refuse"]
