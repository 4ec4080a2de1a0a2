# SPDX-License-Identifier: Apache-2.0
"""Requests that are refused: with which status, for which reason, and that neither they nor what follows them is served."""
import pytest

from http_peers import Client, Scripted, group, header, plain, running
from instance import until

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"

# name → (request, status, a part of `detail`)
REFUSED = {
    "bare_lf_after_the_request_line": (b"GET / HTTP/1.1\nHost: localhost\r\n\r\n", 400, "line feed"),
    "bare_lf_after_a_field": (HEAD + b"A: b\nC: d\r\n\r\n", 400, "line feed"),
    "bare_lf_as_the_end": (HEAD + b"\n", 400, "line feed"),
    "bare_cr": (HEAD + b"A: b\rC: d\r\n\r\n", 400, "carriage return"),
    "nul_in_a_value": (HEAD + b"A: b\0c\r\n\r\n", 400, "control byte"),
    "nul_in_the_path": (b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "control byte"),
    "space_before_the_colon": (HEAD + b"A : b\r\n\r\n", 400, "white space between"),
    "no_colon": (HEAD + b"nonsense\r\n\r\n", 400, "no colon"),
    "empty_name": (HEAD + b": b\r\n\r\n", 400, "no name"),
    "obs_fold": (HEAD + b"A: b\r\n c\r\n\r\n", 400, "obs-fold"),
    "white_space_before_the_first_field": (b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400, "obs-fold"),
    "two_lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400, "more than one Content-Length"),
    "two_equal_lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, "more than one Content-Length"),
    "a_list_of_lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", 400, "not one decimal number"),
    "signed_length": (POST + b"Content-Length: +1\r\n\r\na", 400, "not one decimal number"),
    "negative_length": (POST + b"Content-Length: -1\r\n\r\na", 400, "not one decimal number"),
    "hexadecimal_length": (POST + b"Content-Length: 0x1\r\n\r\na", 400, "not one decimal number"),
    "enormous_length": (POST + b"Content-Length: 18446744073709551617\r\n\r\na", 400, "not one decimal number"),
    "empty_length": (POST + b"Content-Length:\r\n\r\n", 400, "not one decimal number"),
    "length_with_coding": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "together with"),
    "coding_with_length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400, "together with"),
    "two_codings": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "repeated"),
    "chunked_twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "repeated"),
    "chunked_not_last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, "not its last"),
    "unknown_coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "other than chunked"),
    "misspelt_coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, "other than chunked"),
    "vertical_tab_before_a_coding": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, "control byte"),
    "coding_in_http_1_0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "HTTP/1.0"),
    "connection_names_the_length": (POST + b"Connection: Content-Length\r\nContent-Length: 1\r\n\r\na", 400, "Connection"),
    "no_host": (b"GET / HTTP/1.1\r\n\r\n", 400, "without a Host"),
    "two_hosts": (HEAD + b"Host: localhost\r\n\r\n", 400, "more than one Host"),
    "a_host_with_a_path": (b"GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400, "host is not"),
    "a_host_with_a_user": (b"GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400, "host is not"),
    "connect": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "CONNECT"),
    "lower_case_version": (b"GET / http/1.1\r\nHost: localhost\r\n\r\n", 400, "request line"),
    "http_0_9": (b"GET /\r\n\r\n", 400, "request line"),
    "http_1_2": (b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", 505, "version"),
    "http_2_0": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "version"),
    "preface_of_http_2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
    "two_spaces": (b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "request target"),
    "a_method_that_is_no_token": (b"G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "method"),
    "a_fragment": (b"GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "fragment"),
    "a_byte_above_ascii_in_the_path": (b"GET /\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "request target"),
    "dot_segments": (b"GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "dot-segment"),
    "a_dot_segment_at_the_end": (b"GET /a/.. HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "dot-segment"),
    "encoded_dot_segments": (b"GET /a/%2e%2E/b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "dot-segment"),
    "dot_segments_with_a_parameter": (b"GET /a/..;x/b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "dot-segment"),
    "encoded_slash": (b"GET /a%2fb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "encoded slash"),
    "encoded_backslash": (b"GET /a%5Cb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "backslash"),
    "encoded_nul": (b"GET /a%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "encoded NUL"),
    "a_percent_sign_alone": (b"GET /a%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "percent"),
    "a_long_request_line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "longer than 8192"),
    "a_long_field": (HEAD + b"A: " + b"a" * 9000 + b"\r\n\r\n", 431, "longer than 8192"),
    "many_fields": (HEAD + b"A: b\r\n" * 101 + b"\r\n", 431, "more than 100"),
    "a_large_head": (HEAD + b"".join(b"A: " + b"a" * 8000 + b"\r\n" for _ in range(9)) + b"\r\n", 431, "larger than 65536"),
    "an_unknown_expectation": (POST + b"Expect: miracles\r\nContent-Length: 1\r\n\r\na", 417, "Expect"),
}

# What is wrong shows only after the head has gone on: the target gets a request that never completes.
REFUSED_LATER = {
    "a_chunk_size_that_is_no_number": (b"zz\r\na\r\n0\r\n\r\n", "chunk size"),
    "a_negative_chunk": (b"-1\r\na\r\n0\r\n\r\n", "chunk size"),
    "a_chunk_size_with_0x": (b"0x1\r\na\r\n0\r\n\r\n", "chunk size"),
    "a_chunk_size_with_a_space": (b"1 \r\na\r\n0\r\n\r\n", "chunk size"),
    "an_overflowing_chunk": (b"10000000000000001\r\na\r\n0\r\n\r\n", "chunk size"),
    "an_enormous_chunk": (b"ffffffffffffffff\r\na\r\n0\r\n\r\n", "2^63"),
    "a_chunk_longer_than_it_says": (b"1\r\nab\r\n0\r\n\r\n", "longer than its size"),
    "bare_lf_after_a_chunk_size": (b"1\na\r\n0\r\n\r\n", "line feed"),
    "bare_lf_after_a_chunk": (b"1\r\na\n0\r\n\r\n", "longer than its size"),
    "bare_lf_in_an_extension": (b"1;a\nb\r\na\r\n0\r\n\r\n", "line feed"),
    "a_malformed_extension": (b"1;=\r\na\r\n0\r\n\r\n", "chunk extension"),
    "a_length_as_a_trailer": (b"0\r\nContent-Length: 1\r\n\r\n", "trailer field"),
    "a_space_before_the_colon_of_a_trailer": (b"0\r\nA : b\r\n\r\n", "white space between"),
}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def target():
    return Scripted()


@pytest.fixture(scope="module")
def world(target, tmp_path_factory):
    with running(tmp_path_factory.mktemp("refusals"), plain(group("web", target)), target) as instance:
        yield instance


def expect_refusal(world, request, status, detail):
    """One answer, then the end; and what followed REQUEST in the same segment was never served."""
    mark = world.mark()
    with Client(world.port("plain")) as client:
        client.send(request + SMUGGLED)
        r = client.response()
        assert (r.status, header(r, "Connection")) == (status, "close"), r
        assert client.end() == "fin"
    line = world.line(since=mark, client=client.name)
    assert (line["status"], line["close"]) == (status, "bad_request") and detail in line["detail"], line
    assert status >= 500 or detail in r.body.decode()
    assert len([line for line in world.lines() if line["client"] == client.name]) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_is_refused_and_reaches_no_target(world, target, name):
    accepted, calls = target.accepted, len(target.calls)
    expect_refusal(world, *REFUSED[name])
    assert (target.accepted, len(target.calls)) == (accepted, calls)


@pytest.mark.parametrize("name", REFUSED_LATER)
def test_a_malformed_body_is_refused_and_never_completes_at_the_target(world, target, name):
    wire, detail = REFUSED_LATER[name]
    complete = []
    target.script("/later")(lambda call: complete.append(call.body()))
    calls, finished = len(target.calls), target.finished
    expect_refusal(world, b"POST /later HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + wire, 400, detail)
    until(lambda: target.finished == finished + 1, "the target to see the end")
    assert not complete and all(c.path == "/later" for c in target.calls[calls:])


def test_a_body_that_holds_a_request_is_a_body(world, target):
    with Client(world.port("plain")) as client:
        calls = len(target.calls)
        r = client.ask("/outer", "POST", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED)
        assert r.status == 200 and [c.path for c in target.calls[calls:]] == ["/outer"]
        assert client.ask("/after").status == 200


def test_two_empty_lines_before_a_request_are_ignored_and_more_are_not(world):
    with Client(world.port("plain")) as client:
        assert client.send(b"\r\n\r\n" + HEAD + b"\r\n").response().status == 200
    with Client(world.port("plain")) as client:
        assert client.send(b"\r\n\r\n\r\n" + HEAD + b"\r\n").response().status == 400


def test_a_refusal_is_not_told_in_a_body_to_head(world):
    with Client(world.port("plain")) as client:
        r = client.send(b"HEAD /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n").response("HEAD")
        assert r.status == 400 and client.end() == "fin"


def test_what_a_client_sends_cannot_forge_a_log_line(world):
    mark = world.mark()
    with Client(world.port("plain")) as client:
        assert client.ask('/"},"close":"forged","x":{"').status == 200
        assert client.ask("/", "GET", host='a"b').status == 400
    line = world.line(since=mark, client=client.name)
    assert line["path"] == '/"},"close":"forged","x":{"' and "close" not in line
    assert world.line(since=mark, client=client.name, status=400)["close"] == "bad_request"
