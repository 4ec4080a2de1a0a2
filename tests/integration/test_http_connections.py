# SPDX-License-Identifier: Apache-2.0
"""Connections of HTTP clients and to targets: kept, reused, gone stale, refused, late; and what is chosen among targets."""
import socket
import threading
import time

import pytest

from http_peers import Client, Scripted, answer_ok, closed_port, descriptors, group, header, plain, running
from instance import until

LIMIT = "300ms"


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(target, tmp_path_factory):
    dead, port = closed_port()
    other = Scripted()
    groups = (group("web", target), group("dead", port), group("half", port, other), group("mostly_dead", (port, 90), (other, 1)),
              group("drained", (target, 0)), group("uneven", (target, 3), (other, 1), (port, 0)))
    rules = "{domain: localhost, path: /, target_group: web}"
    for name in ("dead", "half", "mostly_dead", "drained", "uneven"):
        rules += f", {{domain: {name}, path: /, target_group: {name}}}"
    with running(tmp_path_factory.mktemp("connections"), plain(*groups, rules=rules), target, other, dead) as instance:
        instance.other, instance.dead = other, port
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


@pytest.fixture(scope="module")
def hurried(target, tmp_path_factory):
    """An instance that has no patience: LIMIT for clients, a second for targets, that they may be slow on a busy machine."""
    timeouts = f"header: {LIMIT}, idle: {LIMIT}, body: {LIMIT}, response: 1s"
    with running(tmp_path_factory.mktemp("hurried"), plain(group("web", target), timeouts=timeouts)) as instance:
        yield instance


# ---- kept and reused ------------------------------------------------------------------------------

def test_a_thousand_requests_on_one_connection_need_one_to_the_target(world, client, target):
    client.ask()
    before, accepted = descriptors(world.pids("worker")[0]), target.accepted
    for _ in range(1000):
        assert client.ask().body == b"ok"
    assert target.accepted == accepted
    assert descriptors(world.pids("worker")[0]) == before


def test_a_thousand_connections_leave_nothing_behind(world, target):
    worker, accepted = world.pids("worker")[0], target.accepted
    with Client(world.port("plain")) as c:
        c.ask()
    before = until(lambda: descriptors(worker), "descriptors")
    for _ in range(1000):
        with Client(world.port("plain")) as c:
            assert c.ask("/", "GET", "Connection: close").status == 200
    until(lambda: descriptors(worker) <= before, lambda: f"{descriptors(worker)} descriptors to become {before}")
    assert target.accepted <= accepted + 1


def test_pipelined_requests_are_answered_in_order(client, target):
    for name in ("one", "two", "three"):
        target.script(f"/{name}")(lambda call: call.answer(call.path.encode()))
    client.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % n for n in (b"one", b"missing", b"two", b"three")))
    assert [client.response().body for _ in range(4)] == [b"/one", b"ok", b"/two", b"/three"]


def test_a_request_after_connection_close_is_not_served(client, target):
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
    r = client.response()
    assert (r.status, header(r, "Connection")) == (200, "close")
    assert client.end() == "fin" and target.calls[-1].path == "/"


def test_hop_by_hop_fields_end_here(client, target):
    @target.script("/hops")
    def path(call):
        return call.answer(b"", "Connection: X-Private", "X-Private: 1", "Keep-Alive: timeout=5", "Proxy-Connection: x", "X-Public: 1")

    r = client.ask("/hops", "GET", "Connection: X-Mine, keep-alive", "X-Mine: 1", "Keep-Alive: 1", "TE: gzip", "Upgrade: h2c", "X-Other: 1")
    names = {k.lower() for k, _ in target.calls[-1].headers}
    assert "x-other" in names and not names & {"connection", "x-mine", "keep-alive", "te", "upgrade", "proxy-connection"}
    names = {k.lower() for k, _ in r.headers}
    assert "x-public" in names and not names & {"connection", "x-private", "keep-alive", "proxy-connection"}


def test_a_target_that_says_close_is_not_asked_again_on_that_connection(client, target):
    @target.script("/bye")
    def path(call):
        return call.answer(b"bye", "Connection: close")  # but leaves it open

    client.ask()
    client.ask("/bye")
    client.ask()
    assert target.calls[-1].connection is not target.calls[-2].connection


def test_what_a_target_says_unasked_on_an_idle_connection_is_no_response(client, target):
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    target.script("/poison")(lambda call: call.answer(b"ok"))
    for _ in range(20):
        assert client.ask("/poison").body == b"ok"
        target.calls[-1].send(poison)
        assert client.ask().body == b"ok"


def test_what_follows_a_response_is_no_other_response(client, target):
    target.script("/double")(lambda call: call.send(2 * b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert client.ask("/double").body == b"ok"
    assert client.ask().body == b"ok" and target.calls[-1].connection is not target.calls[-2].connection


# ---- gone stale -----------------------------------------------------------------------------------

def stale(target, n=1):
    """Scripts `/stale`: closes without an answer the first N times that it is asked on a connection that was used before."""
    left, seen = [n], set()

    @target.script("/stale")
    def path(call):
        if call.connection in seen and left[0]:
            left[0] -= 1
            return False
        seen.add(call.connection)
        call.body()
        return call.answer(b"again")
    return path


def test_get_is_sent_again_when_the_idle_connection_turns_out_closed(client, target):
    path = stale(target)
    calls = len(target.calls)
    assert [client.ask(path).body for _ in range(2)] == [b"again"] * 2
    assert len(target.calls) == calls + 3


def test_get_is_sent_again_only_once(world, client, target):
    together = threading.Barrier(3)
    target.script("/never")(lambda call: False)
    target.script("/together")(lambda call: (together.wait(20), call.answer()))
    with Client(world.port("plain")) as b, Client(world.port("plain")) as c:
        for each in (client, b, c):
            each.send(b"GET /together HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for each in (client, b, c):
            each.response()
    calls, mark = len(target.calls), world.mark()  # and three idle connections
    assert client.ask("/never").status == 502
    assert len(target.calls) == calls + 2
    assert world.line(since=mark, client=client.name, path="/never")["close"] == "target_closed"


def attempts(target, path):
    return sum(c.path == path for c in target.calls)


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
def test_what_is_not_idempotent_is_never_sent_twice(world, client, target, method):
    """It went over a connection that had been used, and nobody knows what the target did with it."""
    target.script("/never")(lambda call: False)
    client.ask()
    calls, mark, idle = len(target.calls), world.mark(), target.calls[-1].connection
    assert client.ask("/never", method, "Content-Length: 4", body=b"once").status == 502
    assert len(target.calls) == calls + 1 and target.calls[-1].connection is idle
    line = world.line(since=mark, client=client.name, path="/never")
    assert (line["close"], line["detail"]) == ("target_closed", "before its response")


def test_post_uses_an_idle_connection_only_if_that_was_used_just_now(client, target):
    client.ask()
    first = target.calls[-1].connection
    assert client.ask("/", "POST", "Content-Length: 4", body=b"soon").status == 200
    assert target.calls[-1].connection is first
    time.sleep(1.1)  # nothing is waited for: it is the time that counts
    assert client.ask("/", "POST", "Content-Length: 4", body=b"late").status == 200
    late = target.calls[-1].connection
    assert late is not first
    assert client.ask().status == 200 and target.calls[-1].connection is late  # the last one used


def test_a_connection_that_has_ended_is_replaced_before_post_is_sent(client, target):
    ended = threading.Event()

    @target.script("/last")
    def path(call):
        call.answer(b"last")
        call.connection.shutdown(socket.SHUT_RDWR)
        ended.set()
        return False

    for _ in range(20):
        ended.clear()
        client.ask("/last")
        assert ended.wait(20)
        assert client.ask("/", "POST", "Content-Length: 4", body=b"once").status == 200


def again(target, size):
    """Scripts `/again`: the first time on a used connection it takes SIZE bytes of the body and ends; bodies that came whole."""
    seen, whole = set(), []

    @target.script("/again")
    def path(call):
        if call.connection in seen and not whole:
            call.file.read(size)
            return False
        whole.append(call.body())
        return call.answer(b"again")
    target.scripts["/"] = lambda call: (seen.add(call.connection), answer_ok(call))[1]
    return whole


@pytest.mark.parametrize("fields, wire, body", [
    (["Content-Length: 5000"], b"x" * 5000, b"x" * 5000),
    (["Transfer-Encoding: chunked"], b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n", b"abcde")], ids=["length", "chunked"])
def test_put_is_sent_again_with_its_body(client, target, fields, wire, body):
    whole = again(target, 3)
    client.ask()
    before = attempts(target, "/again")
    assert client.ask("/again", "PUT", *fields, body=wire).body == b"again"
    assert attempts(target, "/again") == before + 2 and [content for content, _ in whole] == [body]


def test_put_is_sent_again_while_its_body_is_still_coming(client, target):
    whole = again(target, 3)
    client.ask()
    before, accepted = attempts(target, "/again"), target.accepted
    client.send(b"PUT /again HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
    until(lambda: target.accepted == accepted + 1, "the second attempt")
    client.send(b"67890")
    assert client.response().body == b"again" and whole == [(b"1234567890", [])]
    assert attempts(target, "/again") == before + 2


def test_put_is_not_sent_again_when_more_has_gone_than_was_kept(world, client, target):
    whole, mark = again(target, 40000), world.mark()
    client.ask()
    before = attempts(target, "/again")
    assert client.ask("/again", "PUT", "Content-Length: 50000", body=b"x" * 50000).status == 502
    assert attempts(target, "/again") == before + 1 and not whole
    assert world.line(since=mark, client=client.name, path="/again")["close"] == "target_closed"


def test_get_is_not_sent_again_after_an_interim_response(client, target):
    @target.script("/hinted")
    def path(call):
        call.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    client.ask()
    before = attempts(target, "/hinted")
    client.send(b"GET /hinted HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [client.response().status, client.response().status] == [103, 502]
    assert attempts(target, "/hinted") == before + 1


def test_get_is_not_sent_again_after_a_new_connection(tmp_path):
    alone = Scripted()
    alone.script("/never")(lambda call: False)
    with running(tmp_path, plain(group("web", alone)), alone) as instance, Client(instance.port("plain")) as client:
        assert client.ask("/never").status == 502 and attempts(alone, "/never") == 1


def test_get_is_sent_again_to_the_same_target(tmp_path):
    first, second = Scripted(), Scripted()
    with running(tmp_path, plain(group("web", first, second)), first, second) as instance, Client(instance.port("plain")) as client:
        paths = stale(first), stale(second, 0)
        for _ in range(3):  # the first, the second, the first
            assert client.ask(paths[0]).body == b"again"
        assert (len(first.calls), len(second.calls)) == (3, 1)


def test_get_goes_to_another_target_if_that_of_the_idle_connection_has_gone(tmp_path):
    """The target closes its listening socket, then the connection that was kept."""
    first, second = Scripted(), Scripted()
    gone = threading.Event()

    @first.script("/gone")
    def path(call):
        first.close()
        gone.set()
        return False

    config = plain(group("web", (first, 100), (second, 1)))
    with running(tmp_path, config, first, second) as instance, Client(instance.port("plain")) as client:
        client.ask()
        assert len(first.calls) == 1
        assert client.ask("/gone").body == b"ok" and gone.is_set()
        assert [c.path for c in first.calls] == ["/", "/gone"] and [c.path for c in second.calls] == ["/gone"]
        line = instance.line(path="/gone")
        assert line["status"] == 200 and line["target"] == f"127.0.0.1:{second.port}"


def test_get_is_not_sent_again_after_a_part_of_the_response(client, target):
    @target.script("/part")
    def path(call):
        call.send(b"HTTP/1.1 200 O")

    client.ask()
    calls = len(target.calls)
    assert client.ask("/part").status == 502
    assert len(target.calls) == calls + 1


def test_a_connection_that_the_target_closes_while_idle_is_forgotten(world, client, target):
    @target.script("/last")
    def path(call):
        call.answer(b"last")
        return False

    assert client.ask().body == b"ok"
    before = descriptors(world.pids("worker")[0])  # the client's and an idle one to the target among them
    assert client.ask("/last").body == b"last"
    until(lambda: descriptors(world.pids("worker")[0]) < before, "the idle connection to be closed")
    assert client.ask().body == b"ok"


# ---- early, bad and missing responses -------------------------------------------------------------

def test_an_early_response_arrives_while_the_body_is_still_being_sent(world, client, target):
    @target.script("/early")
    def path(call):
        call.answer(b"too large", status="413 Content Too Large")
        call.file.read(1)

    client.send(b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000)
    r = client.response()
    assert (r.status, r.body, header(r, "Connection")) == (413, b"too large", "close")
    assert client.end() == "fin"


def test_an_early_response_arrives_even_if_the_target_resets_at_once(client, target):
    @target.script("/slam")
    def path(call):
        call.answer(b"no", status="403 Forbidden")  # closes with the body unread: RST

    client.send(b"POST /slam HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n")
    client.sock.settimeout(10)
    try:
        client.send(b"x" * 3000000)
    except (ConnectionResetError, BrokenPipeError):
        pass
    assert client.response().status == 403


BAD = {
    "garbage": b"\x16\x03\x01\x00garbage\r\n\r\n", "bare_lf": b"HTTP/1.1 200 OK\n\n", "two_lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "length_with_coding": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown_coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "status_20": b"HTTP/1.1 20 OK\r\n\r\n", "http_2": b"HTTP/2.0 200 OK\r\n\r\n",
    "obs_fold": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "many_fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "body_in_204": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "large_head": b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"a" * 8000 + b"\r\n") * 9 + b"\r\n",
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_response_is_a_502_and_never_reaches_the_client(world, client, target, name):
    target.script("/bad")(lambda call: call.send(BAD[name]))
    mark = world.mark()
    r = client.ask("/bad")
    assert r.status == 502 and r.body == b"502 Bad Gateway\n"
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "target_bad_response" and line["detail"]
    assert client.ask().body == b"ok"


def test_bad_chunks_after_a_good_head_cut_the_response_off(world, client, target):
    target.script("/bad-chunk")(lambda call: call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"))
    mark = world.mark()
    with pytest.raises(ConnectionResetError):
        client.ask("/bad-chunk")
    assert world.line(since=mark, client=client.name)["close"] == "target_bad_response"


# ---- choosing a target ----------------------------------------------------------------------------

def test_an_unreachable_target_is_a_502(world, client):
    mark = world.mark()
    assert client.ask(host="dead").status == 502
    line = world.line(since=mark, client=client.name)
    assert (line["close"], line["target"]) == ("target_connect", f"127.0.0.1:{world.dead}") and "refused" in line["detail"]
    assert client.ask().status == 200


@pytest.mark.parametrize("name", ["half", "mostly_dead"])
def test_another_target_is_tried_when_one_is_unreachable(world, client, name):
    for _ in range(4):
        mark = world.mark()
        assert client.ask("/", "POST", "Content-Length: 0", host=name).status == 200
        assert world.line(since=mark, client=client.name)["target"] == f"127.0.0.1:{world.other.port}"


def test_weight_0_everywhere_is_a_503(world, client):
    mark = world.mark()
    assert client.ask(host="drained").status == 503
    assert world.line(since=mark, client=client.name)["close"] == "no_target"


def test_weights_are_kept_exactly_and_spread_evenly(world, client):
    mark = world.mark()
    for _ in range(40):
        assert client.ask(host="uneven").status == 200
    def lines():
        return [line for line in world.lines()[mark:] if line["client"] == client.name]
    until(lambda: len(lines()) == 40, "40 lines")
    chosen = [line["target"] == f"127.0.0.1:{world.other.port}" for line in lines()]
    assert [sum(chosen[i:i + 4]) for i in range(0, 40, 4)] == [1] * 10
    assert not any(line["target"] == f"127.0.0.1:{world.dead}" for line in lines())


# ---- too late -------------------------------------------------------------------------------------

@pytest.fixture
def late(hurried):
    with Client(hurried.port("plain")) as c:
        yield c


def hang(call):
    """Says nothing until the other side ends."""
    call.file.read()


def test_no_response_in_time_is_a_504(hurried, late, target):
    mark = hurried.mark()
    assert late.ask(target.script("/hang")(hang) or "/hang").status == 504
    assert hurried.line(since=mark, client=late.name)["close"] == "target_timeout"
    assert late.ask().status == 200  # the request was whole: the connection stays


def test_a_response_head_that_trickles_in_has_no_longer(hurried, late, target):
    @target.script("/trickle")
    def path(call):
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
                call.send(bytes([byte]))
                time.sleep(0.01)  # this is how slow it is
        except OSError:
            pass

    mark = hurried.mark()
    assert late.ask("/trickle").status == 504
    line = hurried.line(since=mark, client=late.name)
    assert line["close"] == "target_timeout" and line["ms"]["total"] < 5000


def test_a_response_that_stands_still_is_cut_off(hurried, late, target):
    @target.script("/stuck")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        hang(call)

    mark = hurried.mark()
    with pytest.raises(ConnectionResetError):
        late.ask("/stuck")
    assert hurried.line(since=mark, client=late.name)["close"] == "target_slow"


def test_a_request_head_that_stays_incomplete_is_a_408(hurried, late):
    mark = hurried.mark()
    late.send(b"GET / HTTP/1.1\r\nHost: loc")
    r = late.response()
    assert (r.status, header(r, "Connection")) == (408, "close") and late.end() == "fin"
    assert hurried.line(since=mark, client=late.name)["close"] == "header_timeout"


def test_a_head_that_trickles_in_has_no_longer(hurried, late):
    late.sock.settimeout(0.02)
    answer = b""
    for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1000:
        late.send(bytes([byte]))
        try:
            answer = late.sock.recv(100)
            break
        except socket.timeout:
            continue
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_request_body_that_stands_still_is_a_408_and_never_completes(hurried, late, target):
    mark = hurried.mark()
    ends = []
    target.script("/slow")(lambda call: ends.append(call.file.read(10)))
    late.send(b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
    r = late.response()
    assert (r.status, header(r, "Connection")) == (408, "close")
    assert hurried.line(since=mark, client=late.name)["close"] == "body_timeout"
    assert not ends


def test_an_idle_connection_is_closed_in_silence(hurried, late):
    late.ask()
    assert late.end() == "fin"
    with Client(hurried.port("plain")) as never_used:
        assert never_used.end() == "fin"
    with Client(hurried.port("plain")) as last:
        last.ask()
        hurried.line(client=last.name)
    assert [line.get("close") for line in hurried.lines() if line["client"] in (late.name, never_used.name)] == [None]


def test_a_client_that_ignores_the_end_is_left(hurried, late):
    worker = hurried.pids("worker")[0]
    late.ask("/", "GET", "Connection: close")
    before = descriptors(worker)
    until(lambda: descriptors(worker) < before, "the connection to be given up")
