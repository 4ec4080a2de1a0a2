# SPDX-License-Identifier: Apache-2.0
"""How large the body of a request may be: 413 before a target hears of it, or, where nobody says before, as soon as it is too much."""
import pytest

from http_peers import Client, Scripted, group, header, plain, running
from instance import until

MAX = 100000
RULES = ("{domain: localhost, path: /, target_group: web}, {domain: localhost, path: /any/, max_body: 0, target_group: web}, "
         "{domain: localhost, path: /small/, max_body: 10, target_group: web}")


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(target, tmp_path_factory):
    config = plain(group("web", target), rules=RULES, more=f", max_body: {MAX}")
    with running(tmp_path_factory.mktemp("limits"), config, target) as instance:
        yield instance


@pytest.fixture
def client(world):
    with Client(world.port("plain")) as c:
        yield c


def chunked(n):
    return b"".join(b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in [b"x" * 7777] * (n // 7777) + [b"x" * (n % 7777)] if piece) + b"0\r\n\r\n"


CASES = [("/", MAX), ("/small/", 10), ("/any/", 10 * MAX)]


@pytest.mark.parametrize("path, size", CASES)
def test_as_much_as_is_allowed_arrives(client, target, path, size):
    target.script(path)(lambda call: call.answer(str(len(call.body()[0])).encode()))
    assert client.ask(path, "POST", f"Content-Length: {size}", body=b"x" * size).body == str(size).encode()
    assert client.ask(path, "POST", "Transfer-Encoding: chunked", body=chunked(size)).body == str(size).encode()


@pytest.mark.parametrize("path, size", CASES[:2])
@pytest.mark.parametrize("fields", [[], ["Expect: 100-continue"]], ids=["", "expects_100"])
def test_a_length_that_is_too_much_is_refused_before_it_is_sent(world, client, target, path, size, fields):
    calls, mark = len(target.calls), world.mark()
    r = client.ask(path, "POST", f"Content-Length: {size + 1}", *fields)
    assert (r.status, header(r, "Connection")) == (413, "close") and b"max_body" in r.body
    assert client.end() == "fin" and len(target.calls) == calls
    line = world.line(since=mark, client=client.name)
    assert (line["status"], line["close"]) == (413, "bad_request") and "max_body" in line["detail"] and "target" not in line


@pytest.mark.parametrize("path, size", CASES[:2])
def test_chunks_that_become_too_much_are_refused_and_never_complete(world, client, target, path, size):
    whole, got, mark, finished = [], [], world.mark(), target.finished

    @target.script(path)
    def take(call):
        try:
            while piece := call.file.read1(65536):
                got.append(piece)
            whole.append("fin")
        except ConnectionResetError:
            pass

    client.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunked(size + 1))
    r = client.response()
    assert (r.status, header(r, "Connection")) == (413, "close")
    line = world.line(since=mark, client=client.name)
    assert line["close"] == "bad_request" and "max_body" in line["detail"] and line["bytes_in"] <= size
    until(lambda: target.finished > finished, "the target to see the end")
    assert not whole and b"".join(got).count(b"x") <= size


def test_the_413_arrives_although_the_client_goes_on_sending(client):
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000)
    assert client.response().status == 413
