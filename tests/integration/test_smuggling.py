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
from instance import until

SMUGGLED = b"GET /smuggled-00000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
NUMBERED = b"-00000"  # each request of a case gets a number here, of the same length
numbers = itertools.count(1)
ODD = [*range(0x00, 0x21), ord('"'), ord(","), ord(";"), ord(":"), ord("("), 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xff]
BYTES = [bytes([b]) for b in ODD]


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
    size, number = world.access_log.stat().st_size if world.access_log.exists() else 0, b"-%05d" % next(numbers)
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
        with open(world.access_log, "rb") as f:
            f.seek(size)
            return [line for line in map(json.loads, f.read().split(b"\n")[:-1]) if line["client"] == name]
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


def head(*fields, line=b"POST /outer-00000 HTTP/1.1"):
    return b"\r\n".join([line, b"Host: localhost", *fields, b"", b""])


def cl_te(*fields):
    """Whoever goes by the length sees one request; whoever goes by the coding sees a second one behind the empty body."""
    body = b"0\r\n\r\n" + SMUGGLED
    return head(b"Content-Length: %d" % len(body), *fields) + body


def te_cl(*fields):
    """Whoever goes by the coding sees one request; whoever goes by the length sees a second one in the chunk."""
    size = b"%x\r\n" % len(SMUGGLED)
    return head(b"Content-Length: %d" % len(size), *fields) + size + SMUGGLED + b"\r\n0\r\n\r\n"


def te_te(*fields):
    """Without a length: whoever does not see the coding sees a request without content, and the chunks as the next."""
    return head(*fields) + b"0\r\n\r\n" + SMUGGLED


def is_field(lines):
    """RFC 9110 §5.1, §5.5: are these fields, each with a name that is a token and a value without control bytes?"""
    return re.fullmatch(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|$))+", lines) is not None


FORMS = {"CL.TE": cl_te, "TE.CL": te_cl, "TE.TE": te_te}
each_form = pytest.mark.parametrize("form", FORMS)

# Where a byte is put into Transfer-Encoding: chunked
PLACES = {
    "before the name": b"%bTransfer-Encoding: chunked", "in the name": b"Transfer%bEncoding: chunked",
    "behind the name": b"Transfer-Encoding%b: chunked",
    "behind the colon": b"Transfer-Encoding:%bchunked", "before the value": b"Transfer-Encoding: %bchunked",
    "in the value": b"Transfer-Encoding: chu%bnked",
    "behind the value": b"Transfer-Encoding: chunked%b", "instead of the colon": b"Transfer-Encoding%bchunked",
    "behind another field": b"X: y%bTransfer-Encoding: chunked", "behind another field's line": b"X: y\r\n%bTransfer-Encoding: chunked",
}


@each_form
@pytest.mark.parametrize("place", PLACES)
def test_t29_a_byte_in_the_coding(world, place, form):
    for byte in BYTES:
        field = PLACES[place] % byte
        assert refused(world, FORMS[form](field)) or is_field(field)


CHUNKED = [  # which we write anew as `Transfer-Encoding: chunked`; empty elements of a list are none (RFC 9110 §5.6.1.2)
    b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"TRANSFER-ENCODING: cHuNkEd", b"Transfer-Encoding:chunked",
    b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: , ,chunked, ,",
    b"Trailer: Transfer-Encoding\r\nTransfer-Encoding: chunked",
]
CODINGS = [
    *CHUNKED, b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: x chunked",
    b"Transfer-Encoding: chunked chunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:", b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: ch\xc3\xbcnked", b"Transfer-Encoding: \xef\xbd\x83hunked", b"Transfer-Encoding: chun\xe2\x84\xaaed",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-encoding: x",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\r\n\tchunked",
    b"Transfer-Encoding: chu\r\n nked", b"Transfer\r\n -Encoding: chunked", b"Transfer_Encoding: chunked",
    b"Transfer-Encodin: chunked", b"Content-Encoding: chunked", b"X-Transfer-Encoding: chunked", b"TE: chunked",
    b"Transfer-Encoding\\: chunked", b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    b"Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked", b"X: y\r\r\nTransfer-Encoding: chunked",
    b"X: y\n\r\nTransfer-Encoding: chunked", b"X: y\r\n\rTransfer-Encoding: chunked", b"X\r\nTransfer-Encoding: chunked",
]


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

LENGTHS = [
    b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: %d\r\ncontent-length: %d", b"Content-Length: %d, %d", b"Content-Length: %d,0", b"Content-Length: %d 0",
    b"Content-Length: +%d", b"Content-Length: -%d", b"Content-Length: 0x%x", b"Content-Length: 0%o", b"Content-Length: 00%d",
    b"Content-Length: %d.0", b"Content-Length: %de0", b"Content-Length: 0_%d", b"Content-Length: %d_0", b"Content-Length: \x0b%d",
    b"Content-Length: %d\x0c", b"Content-Length: %d\0", b"Content-Length: \"%d\"", b"Content-Length: %d;x", b"Content-Length : %d",
    b"Content-Length\t: %d", b" Content-Length: %d", b"Content-Length\0: %d", b"Content-Length\xa0: %d", b"Content-Length:\r\n %d",
    b"Content_Length: %d", b"Content Length: %d", b"Content-Length: \xd9\xa5", b"Content-Length: \xef\xbc\x95",
    b"Content-Length: 18446744073709551616", b"Content-Length: 9223372036854775808", b"Content-Length: 4294967301", b"Content-Length:",
    b"Content-Length: ,", b"Content-Length: %d,", b"Connection: Content-Length\r\nContent-Length: %d", b"X: y\nContent-Length: %d",
    b"X: y\rContent-Length: %d", b"X: y\r\nContent-Length: %d\r\n : z", b": x\r\nContent-Length: %d",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked", b"Content-Length: %d\r\nTransfer-Encoding:",
]

LENGTHS_AFTER_ALL = {b"Content-Length: 00%d", b"Content_Length: %d"}  # RFC 9110 §8.6: 1*DIGIT; and a field of another name


@pytest.mark.parametrize("line", [b"POST /outer-00000 HTTP/1.1", b"GET /outer-00000 HTTP/1.1", b"POST /outer-00000 HTTP/1.0"])
@pytest.mark.parametrize("length", LENGTHS)
def test_t29_a_length_that_is_none(world, length, line):
    wire = head(re.sub(rb"%[dox]", lambda found: found[0] % len(SMUGGLED), length), line=line) + SMUGGLED
    assert refused(world, wire) != (length in LENGTHS_AFTER_ALL)


# ---- line ends, names, the request line ----

SHAPES = {
    "LF everywhere": b"POST /outer-00000 HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n",
    "LF behind the request line": b"POST /outer-00000 HTTP/1.1\nHost: localhost\r\n\r\n",
    "LF behind a field": head(b"X: y\nZ: z"),
    "LF as the end": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost\r\n\n",
    "CR as the end": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost\r\n\r",
    "CR CR LF": head(b"X: y\r"),
    "CR behind a field": head(b"X: y\rZ: z"),
    "CR in the request line": head(line=b"POST /outer-00000\r HTTP/1.1"),
    "an empty name": head(b": y"),
    "an empty name before a host": b"POST /outer-00000 HTTP/1.1\r\n: x\r\nHost: localhost\r\n\r\n",
    "nothing but a colon": head(b":"),
    "a name with a space": head(b"X Y: z"),
    "a name with NUL": head(b"X\0Y: z"),
    "a name in brackets": head(b"X[Y]: z"),
    "a name in UTF-8": head(b"X\xc3\xa4: z"),
    "a line without a colon": head(b"X"),
    "a folded field": head(b"X: y\r\n z"),
    "a folded request line": head(line=b"POST /outer-00000\r\n HTTP/1.1"),
    "a first field that is folded": b"POST /outer-00000 HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n",
    "NUL in a value": head(b"X: y\0z"),
    "two hosts": head(b"Host: localhost"),
    "two different hosts": head(b"Host: other"),
    "two hosts, one folded": head(b" Host: other"),
    "two hosts in a list": b"POST /outer-00000 HTTP/1.1\r\nHost: localhost, other\r\n\r\n",
    "no host": b"POST /outer-00000 HTTP/1.1\r\n\r\n",
    "a tab in the request line": head(line=b"POST\t/outer-00000\tHTTP/1.1"),
    "two spaces in the request line": head(line=b"POST  /outer-00000  HTTP/1.1"),
    "a space behind the version": head(line=b"POST /outer-00000 HTTP/1.1 "),
    "two versions": head(line=b"POST /outer-00000 HTTP/1.1 HTTP/1.1"),
    "another version": head(line=b"POST /outer-00000 HTTP/1.11"),
    "no version": b"POST /outer-00000\r\n\r\n",
    "a space before the method": head(line=b" POST /outer-00000 HTTP/1.1"),
    "NUL before the method": head(line=b"\0POST /outer-00000 HTTP/1.1"),
    "a colon behind the method": head(line=b"POST: /outer-00000 HTTP/1.1"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_t29_a_head_of_another_shape(world, shape):
    assert refused(world, SHAPES[shape] + SMUGGLED)


# ---- chunks: the head has gone on already, and the request never completes ----

CHUNKS = [
    b"5\nab\r\nc\r\n0\r\n\r\n", b"5\rabcde\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n", b"5\r\nabcde0\r\n\r\n",
    b"5\r\nabcdeX\r\n0\r\n\r\n", b"5\r\nabcde\r0\r\n\r\n", b"0\n\n", b"0\n\r\n", b"0\r\n\n", b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"+5\r\nabcde\r\n0\r\n\r\n", b"-5\r\nabcde\r\n0\r\n\r\n", b"5_\r\nabcde\r\n0\r\n\r\n", b" 5\r\nabcde\r\n0\r\n\r\n",
    b"5 \r\nabcde\r\n0\r\n\r\n", b"5\t\r\nabcde\r\n0\r\n\r\n", b"5,\r\nabcde\r\n0\r\n\r\n", b"5 5\r\nabcde\r\n0\r\n\r\n",
    b"\r\n5\r\nabcde\r\n0\r\n\r\n", b"5g\r\nabcde\r\n0\r\n\r\n", b"\r\n", b";\r\nabcde\r\n0\r\n\r\n",
    b"fffffffffffffffff5\r\nabcde\r\n0\r\n\r\n", b"10000000000000005\r\nabcde\r\n0\r\n\r\n", b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    b"5;\nabcde\r\n0\r\n\r\n", b"5;a=\"\n\"\r\nabcde\r\n0\r\n\r\n", b"5;a\rb\r\nabcde\r\n0\r\n\r\n", b"5;a\0\r\nabcde\r\n0\r\n\r\n",
    b"5;a=\"x\r\nabcde\r\n0\r\n\r\n", b"0;a\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\n X: y\r\n\r\n",
    b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nHost: other\r\n\r\n", b"0\r\nX: y\0\r\n\r\n", b"0\r\nX: y\rZ: z\r\n\r\n",
    b"00\r\n\n", b"0 \r\n\r\n", b"0\r\n\r",
]


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
