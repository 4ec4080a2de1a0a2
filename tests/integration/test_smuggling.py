# SPDX-License-Identifier: Apache-2.0
"""Request smuggling: what two parsers could read in two ways goes nowhere, or arrives in a form that has one reading (peers.md T29).

The target records its bytes. What arrived is then read as servers of all kinds would: lines that end in LF or CR, names with white
space around them, folded lines, Content-Length before Transfer-Encoding or the reverse, numbers as C and Python take them. Under each
of these readings it has to be the one request that was meant, or nothing at all."""
import contextlib
import itertools
import json
import re
import socket

import pytest

import peers
from http_peers import Client, group, plain, running
from instance import lines_behind, size_of, until
from smuggling import (BYTES, CHUNKED, CHUNKS, CODINGS, FORMS, LENGTHS, LINES, NUMBERED, PLACES, SHAPES, SMUGGLED, cl_te, head, te_cl, te_te,
                       with_length)

numbers = itertools.count(1)


# ---- the target, and how its bytes could be read ----

def is_whole(data):
    """Is this at least one request, by a strict reading?"""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if re.search(rb"(?im)^transfer-encoding: chunked\r?$", head):
        return b"0\r\n\r\n" in rest or re.search(rb"0\r\n(?:[^\r\n]+\r\n)+\r\n", rest) is not None
    length = re.search(rb"(?im)^content-length: (\d+)\r?$", head)
    return len(rest) >= (int(length[1]) if length else 0)


def record(target, connection):
    """Answers one request, and goes on recording until the other side ends."""
    mine, answered = bytearray(), False
    target.connections.append(mine)
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            mine += data
            if not answered and is_whole(mine):
                answered = True
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


LINE_ENDS = {"CRLF": rb"\r\n", "LF": rb"\r?\n", "either": rb"\r\n|\r|\n"}
NUMBERS = {"decimal": lambda v: int(v) if re.fullmatch(rb"\d+", v) else 0, "python": int, "c": lambda v: int(v, 8 if re.match(rb"0\d", v) else 0),
           "prefix": lambda v: int(re.match(rb"\d*", v)[0] or b"0")}


def number(kind, value):
    try:
        return NUMBERS[kind](value)
    except ValueError:
        return 0


def lines_of(data, end, folds):
    """(the lines of a head, how many bytes it has), or None."""
    at, lines = 0, []
    for found in re.finditer(end, data):
        line, at_end = data[at:found.start()], found.end()
        if not line and lines:
            return lines, at_end
        if folds and lines and line[:1] in (b" ", b"\t"):
            lines[-1] += line
        elif line:
            lines.append(line)
        at = at_end
    return None


def length_of_chunks(data):
    at = 0
    while found := re.compile(rb"[ \t]*([0-9a-fA-F]+)[^\r\n]*\r?\n").match(data, at):
        size = int(found[1], 16)
        at = found.end() + size
        if size == 0:
            end = re.compile(rb"(?:[^\r\n]+\r?\n)*\r?\n").match(data, at)
            return end.end() if end else len(data)
        at += len(re.compile(rb"\r?\n?").match(data, at)[0])
    return len(data)


def read_as(data, end, coding_first, strips, folds, kind):
    """The request lines that a server of this kind would see."""
    seen = []
    while data and (head := lines_of(data, end, folds)):
        lines, size = head
        seen.append(lines[0])
        data, length, is_chunked = data[size:], 0, False
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name, value = (name.strip(bytes(range(33)) + b"\x7f\xa0\xff") if strips else name).lower(), value.strip(b" \t\v\f\0")
            is_chunked |= name == b"transfer-encoding" and b"chunked" in value.lower()
            length = number(kind, value) if name == b"content-length" else length
        if is_chunked and (coding_first or not length):
            data = data[length_of_chunks(data):]
        else:
            data = data[length:]
    return seen


READINGS = [dict(zip(("end", "coding_first", "strips", "folds", "kind"), how))
            for how in itertools.product(LINE_ENDS.values(), (True, False), (True, False), (True, False), NUMBERS)]


# ---- the world ----

@pytest.fixture(scope="module")
def world(tmp_path_factory):
    target = peers.Target(record)
    target.connections = []
    rules = "{domain: localhost, path: /outer, target_group: web}, {domain: localhost, path: /smuggled, target_group: web}"
    with running(tmp_path_factory.mktemp("smuggling"), plain(group("web", target), rules=rules), target) as instance:
        instance.target = target
        yield instance


def send(world, wire):
    """WIRE in one piece and the client's end: (the statuses that came back, our lines about it, what arrived at the target)."""
    size, number = size_of(world.access_log), b"-%05d" % next(numbers)
    with Client(world.port("plain")) as client:
        client.send(wire.replace(NUMBERED, number))
        with contextlib.suppress(OSError):
            client.sock.shutdown(socket.SHUT_WR)
        try:
            answer = client.until_close()
        except ConnectionResetError:
            answer = client.data
        name = client.name
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]

    def lines():  # the log is long by the end: only what is new
        return [line for line in map(json.loads, lines_behind(world.access_log, size)) if line["client"] == name]
    until(lambda: len(lines()) >= max(len(statuses), 1), "a line for each answer")
    return statuses, lines(), [bytes(data) for data in list(world.target.connections) if number in data]


def refused(world, wire):
    """Is it refused, with a reason and without a byte at the target? Else each request that arrived is one that we saw, and is
    nothing but this one request; or it is one that never got its end."""
    statuses, lines, arrived = send(world, wire)
    served = [line for line in lines if line.get("status") == 200]
    if lines[-1].get("close") == "client_truncated":
        assert not served and not any(map(is_whole, arrived)), (wire, arrived)
        return True
    assert len(statuses) == len(lines) and len(served) == len(arrived), (wire, statuses, lines, arrived)
    for line, data in zip(served, arrived):
        has_one_reading(data, line["path"].encode())
    for line in lines[len(served):]:  # the last one, if any
        assert line["status"] in (400, 501, 505) and line["close"] == "bad_request" and line["detail"], (wire, lines)
    return not served


def has_one_reading(data, path):
    for how in READINGS:
        seen = read_as(data, **how)
        assert len(seen) == 1 and seen[0].split(b" ")[1] == path, (data, how, seen)


def is_field(lines):
    """RFC 9110 §5.1, §5.5: are these fields, each with a name that is a token and a value without control bytes?"""
    return re.fullmatch(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|$))+", lines) is not None


each_form = pytest.mark.parametrize("form", FORMS)


@each_form
@pytest.mark.parametrize("place", PLACES)
def test_t29_a_byte_in_the_coding(world, place, form):
    for byte in BYTES:
        field = PLACES[place] % byte
        assert refused(world, FORMS[form](field)) or is_field(field)


@each_form
@pytest.mark.parametrize("coding", CODINGS)
def test_t29_a_coding_spelt_otherwise(world, coding, form):
    is_another_field = is_field(coding) and not re.search(rb"(?im)^Transfer-Encoding:", coding)
    assert refused(world, FORMS[form](coding)) == (not is_another_field and (form != "TE.TE" or coding not in CHUNKED))


def test_t29_what_is_meant_does_arrive(world):
    """Without this the tests around it would show nothing."""
    for wire in (head(b"Content-Length: 4") + b"seen", head(b"Transfer-Encoding: chunked") + b"4\r\nseen\r\n0\r\n\r\n",
                 head(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, head(b"transfer-encoding:\t CHUNKED ") + b"4\r\nseen\r\n0\r\n\r\n"):
        statuses, _, (data,) = send(world, wire)
        assert statuses == [200] and (b"seen" in data or b"GET /smuggled" in data)


def test_t29_the_readings_do_see_a_second_request():
    """Nor without this."""
    for wire in (cl_te(b"Transfer-Encoding: chunked"), te_cl(b"Transfer-Encoding: chunked"), te_cl(b"Transfer-Encoding : chunked"),
                 te_te(b"Transfer-Encoding\x0b: chunked"), head(b"Content-Length: 010") + b"12345678" + SMUGGLED,
                 head(b"Content-Length: 1_0") + b"1" + SMUGGLED, head(b"X: y\nContent-Length: 5") + SMUGGLED,
                 te_cl(b"Transfer-Encoding:\r\n chunked"), head(b"X: y\rContent-Length: 5") + SMUGGLED):
        assert any(len(read_as(wire, **how)) > 1 for how in READINGS), wire


# ---- lengths ----

LENGTHS_AFTER_ALL = {b"Content-Length: 00%d", b"Content_Length: %d"}  # RFC 9110 §8.6: 1*DIGIT; and a field of another name


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("length", LENGTHS)
def test_t29_a_length_that_is_none(world, length, line):
    assert refused(world, with_length(length, line)) != (length in LENGTHS_AFTER_ALL)


# ---- line ends, names, the request line ----


@pytest.mark.parametrize("shape", SHAPES)
def test_t29_a_head_of_another_shape(world, shape):
    assert refused(world, SHAPES[shape] + SMUGGLED)


# ---- chunks: the head has gone on already, and the request never completes ----


@pytest.mark.parametrize("chunks", CHUNKS)
def test_t29_chunks_that_could_be_read_in_two_ways_do_not_arrive(world, chunks):
    statuses, lines, arrived = send(world, head(b"Transfer-Encoding: chunked") + chunks + SMUGGLED)
    assert statuses == [400] and len(lines) == 1 and lines[0]["close"] == "bad_request" and lines[0]["detail"], (statuses, lines)
    assert all(not is_whole(data) for data in arrived), arrived


@pytest.mark.parametrize("chunks", [
    b"0005\r\nabcde\r\n0\r\n\r\n", b"5;a=b\r\nabcde\r\n0;c\r\n\r\n", b"5;a=\"0\\\"x\"\r\nabcde\r\n000\r\nX: y\r\n\r\n",
    b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"])
def test_t29_chunks_of_another_spelling_arrive_in_ours(world, chunks):
    statuses, (line,), (data,) = send(world, head(b"Transfer-Encoding: chunked") + chunks)
    assert statuses == [200]
    has_one_reading(data, line["path"].encode())
    body = data.partition(b"\r\n\r\n")[2]
    assert re.fullmatch(rb"(?:5\r\nabcde|2\r\nab\r\n3\r\ncde)\r\n0\r\n(?:X: y\r\n)?\r\n", body), body


# ---- what we answer ourselves: the content that came along is no request ----

@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(SMUGGLED), b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("line", [b"POST /nowhere HTTP/1.1", b"GET /nowhere HTTP/1.1", b"HEAD /nowhere HTTP/1.1", b"OPTIONS * HTTP/1.1"])
def test_t29_the_content_of_a_request_that_we_answer_is_no_request(world, line, framing):
    body = SMUGGLED if b"Length" in framing else b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    statuses, lines, arrived = send(world, head(framing, line=line) + body)
    assert len(statuses) == len(lines) == 1 and statuses[0] == lines[0]["status"] >= 400, (statuses, lines)
    assert not arrived
