# SPDX-License-Identifier: Apache-2.0
"""Request smuggling and downgrades in front of real servers (peers.md T29): where each of them sees requests begin and end is where we
do, and what could be read in two ways none of them sees.

Each backend writes down what it took for a request, and is set to forgive what it can (backends.py). After every case another
request follows, on the client's connection if that is still good, over the same connection to the target: whatever a case had left
behind there would be taken for the beginning of it. test_smuggling.py has many more cases, judged by readings of our own."""
import collections
import contextlib
import itertools
import json
import socket

import pytest

from backends import BACKENDS
from http2_peers import Closed, Http2, request
from http_peers import Client, group, running
from instance import lines_behind, size_of, until
from smuggling import NUMBERED, SMUGGLED, everything, head

TARGETS = [(name, version) for name, (_, versions) in BACKENDS.items() for version in versions]
KNOWS_NO_TRAILERS = ("nginx", "2")  # in requests: it closes the connection with PROTOCOL_ERROR, and the client gets a 502
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t[0]}, HTTP/{t[1]}")
numbers = itertools.count(1)
HOST = b"Host: localhost"
OUTER = "/outer-00000"

# What is sent; the statuses of the answers; what arrives, as (method, target, body); and of the last answer, if it is a refusal, what
# the log says. A body of None: the backend answers without reading it.
Case = collections.namedtuple("Case", "wire statuses arrives detail")


# ---- the world ----

@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        backends, listeners, groups = {}, "", ""
        for i, (name, version) in enumerate(TARGETS):
            folder = tmp_path_factory.mktemp(f"backend{i}")
            folder.chmod(0o777)
            backends[name, version] = stack.enter_context(BACKENDS[name][0](folder, version))
            rules = f"rules: [{{domain: localhost, path: /, target_group: g{i}}}]"
            listeners += f"\n  - {{name: plain{i}, protocol: HTTP, address: '127.0.0.1:0', {rules}}}"
            listeners += f"\n  - {{name: tls{i}, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], {rules}}}"
            groups += group(f"g{i}", backends[name, version], more=f", http_version: {version}")
        config = f"listeners: {listeners}\ntarget_groups: {groups}\naccess_log: {{file: access.log}}\nworkers: 1\n"
        instance = stack.enter_context(running(tmp_path_factory.mktemp("smuggling"), config))
        instance.backends, instance.http2 = backends, {}
        yield instance


def port(world, kind, target):
    return world.port(f"{kind}{TARGETS.index(target)}")


class Watch:
    """What a backend and our log see of one case, until the request behind it has got there."""

    def __init__(self, world, target):
        self.backend, self.log, self.is_http2 = world.backends[target], world.access_log, target[1] == "2"
        self.number = f"-{next(numbers):05}"
        self.mark, self.log_mark = self.backend.mark(), size_of(self.log)
        self.after = ("GET", f"/after{self.number}", b"")

    def numbered(self, what):
        if isinstance(what, bytes):
            return what.replace(NUMBERED, self.number.encode())
        return what.replace(NUMBERED.decode(), self.number)

    def follow(self, client):
        """The request behind the case."""
        assert client.ask(self.after[1]).body == b"GET " + self.after[1].encode()
        if self.is_http2:
            client.ask("/nudge")  # Apache writes the line of a stream when the next one comes, if not before

    def passed(self):
        """What the backend took for a request and was whole, with the one behind."""
        def seen():
            new = self.backend.seen(self.mark)
            return new if any(s.target == self.after[1] for s in new) else None
        # What was cut off has its line when the backend notices, perhaps during the next case.
        return [s for s in until(seen, lambda: self.backend.seen(self.mark)) if self.number in s.target and s.status < 400]

    def lines(self, whose):
        """Our lines about the clients WHOSE: (those of what went to the backend, the others)."""
        def find():
            lines = map(json.loads, lines_behind(self.log, self.log_mark))
            mine = [line for line in lines if line["client"] in whose and line.get("path") != "/nudge"]
            return mine if any(line.get("path") == self.after[1] for line in mine) else None
        found = until(find, "our line of the request behind")
        passed = [line for line in found if line.get("status", 500) < 400]
        return passed, [line for line in found if line not in passed]

    def check(self, arrives, whose):
        """Did exactly ARRIVES, and what followed, reach the backend? Do the lines about the clients WHOSE say the same? The others."""
        expected = [(m, self.numbered(t), b and self.numbered(b)) for m, t, b in arrives] + [self.after]
        seen, (passed, others) = self.passed(), self.lines(whose)
        assert [(s.method, s.target) for s in seen] == [e[:2] for e in expected] == [(line["method"], line["path"]) for line in passed]
        for s, (_, _, body), line in zip(seen, expected, passed):
            assert body is None or (s.body in (body, None) and line["bytes_in"] == len(body)), (s, body, line)
        # Whatever is left over makes servers close the connection; if not, it is still in step.
        assert len({s.connection for s in seen}) == 1 or any(body is None for _, _, body in expected), seen
        return others


# ---- from HTTP/1.1 ----

def of_length(body, line=b"POST /outer-00000 HTTP/1.1", *fields):
    return head(b"Content-Length: %d" % len(body), *fields, line=line) + body


def chunked(body, line=b"POST /outer-00000 HTTP/1.1", *fields):
    return head(b"Transfer-Encoding: chunked", *fields, line=line) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def served(wire, *arrives):
    return Case(wire, [200] * len(arrives), arrives, None)


def refused(wire, detail, status=400):
    return Case(wire + SMUGGLED, [status], (), detail)


def cl_te(coding):
    return refused(of_length(b"0\r\n\r\n", b"POST /outer-00000 HTTP/1.1", coding), "together with")


def te_te(coding, detail, status=400):
    return refused(head(coding) + b"0\r\n\r\n", detail, status)


def length(text, detail="not one decimal number"):
    return refused(head(b"Content-Length: " + text) + b"hello", detail)


def chunks(text, detail):
    return refused(head(b"Transfer-Encoding: chunked") + text, detail)


UPGRADE_H2C = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"]
GET = b"GET /outer-00000 HTTP/1.1"

HTTP1 = {
    # what has one reading arrives, and the next request begins where we say
    "a length": served(of_length(b"hello"), ("POST", OUTER, b"hello")),
    "a length with zeros in front": served(head(b"Content-Length: 005") + b"hello", ("POST", OUTER, b"hello")),
    "chunks": served(chunked(b"hello"), ("POST", OUTER, b"hello")),
    "chunks with extensions": served(
        head(b"Transfer-Encoding: ChunKed,") + b"0003;a=b\r\nhel\r\n2;c=\"d\\\"e\"\r\nlo\r\n00;f\r\n\r\n", ("POST", OUTER, b"hello")),
    "chunks and trailers": served(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", ("POST", OUTER, b"hello")),
    "a body that is a request": served(of_length(SMUGGLED), ("POST", OUTER, SMUGGLED)),
    "a chunk that is a request": served(chunked(SMUGGLED), ("POST", OUTER, SMUGGLED)),
    "GET with a length": served(of_length(SMUGGLED, GET), ("GET", OUTER, SMUGGLED)),
    "GET with chunks": served(chunked(SMUGGLED, GET), ("GET", OUTER, SMUGGLED)),
    "DELETE with a length": served(of_length(SMUGGLED, b"DELETE /outer-00000 HTTP/1.1"), ("DELETE", OUTER, SMUGGLED)),
    "HEAD with a length": served(of_length(SMUGGLED, b"HEAD /outer-00000 HTTP/1.1"), ("HEAD", OUTER, SMUGGLED)),
    "CL.0: a body that the backend does not read": served(of_length(SMUGGLED, b"POST /early-00000 HTTP/1.1"), ("POST", "/early-00000", None)),
    "0.CL: GET with a body that the backend does not read": served(of_length(SMUGGLED, b"GET /early-00000 HTTP/1.1"), ("GET", "/early-00000", None)),
    "chunks that the backend does not read": served(chunked(SMUGGLED, b"POST /early-00000 HTTP/1.1"), ("POST", "/early-00000", None)),
    "one behind the other": served(
        of_length(b"one") + head(line=b"GET /second-00000 HTTP/1.1") + chunked(b"three", b"PUT /third-00000 HTTP/1.1")
        + of_length(b"", b"POST /fourth-00000 HTTP/1.1"),
        ("POST", OUTER, b"one"), ("GET", "/second-00000", b""), ("PUT", "/third-00000", b"three"), ("POST", "/fourth-00000", b"")),
    "HEAD before GET": served(head(line=b"HEAD /outer-00000 HTTP/1.1") + head(line=b"GET /second-00000 HTTP/1.1"),
                              ("HEAD", OUTER, b""), ("GET", "/second-00000", b"")),
    "204 and 304 before others": Case(
        head(line=b"GET /bare204-00000 HTTP/1.1") + head(line=b"GET /bare304-00000 HTTP/1.1") + head(line=GET), [204, 304, 200],
        (("GET", "/bare204-00000", None), ("GET", "/bare304-00000", None), ("GET", OUTER, b"")), None),
    "an expectation": served(of_length(SMUGGLED, b"POST /outer-00000 HTTP/1.1", b"Expect: 100-continue"), ("POST", OUTER, SMUGGLED)),
    "absolute-form": served(b"GET http://localhost/outer-00000 HTTP/1.1\r\nHost: other\r\n\r\n", ("GET", OUTER, b"")),
    "HTTP/1.0": served(of_length(SMUGGLED, b"POST /outer-00000 HTTP/1.0"), ("POST", OUTER, SMUGGLED)),
    "empty lines in front": served(b"\r\n\r\n" + head(line=GET), ("GET", OUTER, b"")),
    "line ends in the path, encoded": served(head(line=b"GET /outer-00000%0d%0aX:%20y HTTP/1.1"), ("GET", OUTER + "%0d%0aX:%20y", b"")),
    "other fields with underscores": served(
        head(b"Content_Length: 5", b"Transfer_Encoding: chunked", line=GET) + head(line=b"GET /second-00000 HTTP/1.1"),
        ("GET", OUTER, b""), ("GET", "/second-00000", b"")),
    "an upgrade to h2c": served(head(*UPGRADE_H2C, line=GET) + head(line=b"GET /second-00000 HTTP/1.1"),
                                ("GET", OUTER, b""), ("GET", "/second-00000", b"")),
    "an upgrade to h2c with a body": served(of_length(SMUGGLED, b"POST /outer-00000 HTTP/1.1", *UPGRADE_H2C), ("POST", OUTER, SMUGGLED)),
    "an upgrade that is not taken": served(
        head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777", line=GET) + head(line=b"GET /second-00000 HTTP/1.1"),
        ("GET", OUTER, b""), ("GET", "/second-00000", b"")),
    "the preface of HTTP/2 behind a request": Case(
        head(*UPGRADE_H2C, line=GET) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [200, 505], (("GET", OUTER, b""),), "neither HTTP/1.0 nor HTTP/1.1"),

    # two lengths: by Content-Length and by Transfer-Encoding
    "CL.TE": cl_te(b"Transfer-Encoding: chunked"),
    "CL.TE in capitals": cl_te(b"TRANSFER-ENCODING: CHUNKED"),
    "CL.TE with another coding": cl_te(b"Transfer-Encoding: xchunked"),
    "CL.TE with an empty coding": cl_te(b"Transfer-Encoding:"),
    "CL.TE with identity": cl_te(b"Transfer-Encoding: identity"),
    "TE.CL": refused(head(b"Transfer-Encoding: chunked", b"Content-Length: 3") + b"5\r\nhello\r\n0\r\n\r\n", "together with"),
    "TE.CL where the length is named in Connection": refused(
        head(b"Transfer-Encoding: chunked", b"Connection: Content-Length", b"Content-Length: 3") + b"0\r\n\r\n", "together with"),

    # a coding that one parser sees and another does not
    "a space before the colon": te_te(b"Transfer-Encoding : chunked", "white space between"),
    "a tab before the colon": te_te(b"Transfer-Encoding\t: chunked", "white space between"),
    "a vertical tab before the value": te_te(b"Transfer-Encoding: \x0bchunked", "control byte"),
    "NUL behind the value": te_te(b"Transfer-Encoding: chunked\0", "control byte"),
    "a space before the name": te_te(b"X: y\r\n Transfer-Encoding: chunked", "obs-fold"),
    "a folded value": te_te(b"Transfer-Encoding:\r\n chunked", "obs-fold"),
    "LF before the name": te_te(b"X: y\nTransfer-Encoding: chunked", "without a carriage return"),
    "CR before the name": te_te(b"X: y\rTransfer-Encoding: chunked", "without a line feed"),
    "the coding twice": te_te(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "repeated"),
    "the coding, and another": te_te(b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow", "not its last"),
    "another, and the coding": te_te(b"Transfer-Encoding: cow, chunked", "other than chunked", 501),
    "identity": te_te(b"Transfer-Encoding: identity", "other than chunked", 501),
    "a quoted coding": te_te(b'Transfer-Encoding: "chunked"', "other than chunked", 501),
    "a coding with a parameter": te_te(b"Transfer-Encoding: chunked;a=b", "other than chunked", 501),
    "an empty coding": te_te(b"Transfer-Encoding: ,", "repeated or malformed"),
    "a coding that Connection names": te_te(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "Connection"),
    "a coding in HTTP/1.0": refused(chunked(b"hello", b"POST /outer-00000 HTTP/1.0"), "in an HTTP/1.0 message"),

    # lengths
    "two lengths": length(b"5\r\nContent-Length: 50", "more than one Content-Length"),
    "the same length twice": length(b"5\r\nContent-Length: 5", "more than one Content-Length"),
    "a list of lengths": length(b"5, 5"),
    "a plus": length(b"+5"),
    "a minus": length(b"-5"),
    "hexadecimal": length(b"0x5"),
    "with an exponent": length(b"5e0"),
    "with an underscore": length(b"0_5"),
    "a space in it": length(b"5 5"),
    "an empty length": length(b""),
    "2^64 + 5": length(b"18446744073709551621"),
    "a length that Connection names": length(b"5\r\nConnection: close, content-length", "Connection"),
    "a length with a space before its colon": refused(head(b"Content-Length : 5") + b"hello", "white space between"),

    # heads
    "HTTP/0.9": refused(b"GET /outer-00000\r\n\r\n", "the request line"),
    "two spaces behind the method": refused(head(line=b"GET  /outer-00000 HTTP/1.1"), "request target"),
    "a second version": refused(head(line=b"GET /outer-00000 HTTP/1.1 HTTP/1.1"), "request target"),
    "LF behind the request line": refused(b"GET /outer-00000 HTTP/1.1\nHost: localhost\r\n\r\n", "without a carriage return"),
    "LF at the end": refused(b"GET /outer-00000 HTTP/1.1\r\nHost: localhost\r\n\n", "without a carriage return"),
    "a line without a colon": refused(head(b"nonsense", line=GET), "no colon"),
    "an empty name": refused(head(b": y", line=GET), "no name"),
    "no host": refused(b"GET /outer-00000 HTTP/1.1\r\n\r\n", "without a Host"),
    "two hosts": refused(head(HOST, line=GET), "more than one Host"),
    "a user in the host": refused(b"GET /outer-00000 HTTP/1.1\r\nHost: localhost@evil\r\n\r\n", "host is not"),
    "a user in an absolute target": refused(head(line=b"GET http://localhost@evil/outer-00000 HTTP/1.1"), "host is not"),
    "an absolute target of another scheme": refused(head(line=b"GET ftp://localhost/outer-00000 HTTP/1.1"), "request target"),
    "CONNECT": refused(head(line=b"CONNECT localhost:80 HTTP/1.1"), "CONNECT", 501),
    "another expectation": refused(of_length(b"hello", b"POST /outer-00000 HTTP/1.1", b"Expect: 200-ok"), "Expect", 417),

    # chunks: the head has gone on already; what comes of the body never completes
    "a size with 0x": chunks(b"0x5\r\nhello\r\n0\r\n\r\n", "chunk size"),
    "a size with a plus": chunks(b"+5\r\nhello\r\n0\r\n\r\n", "chunk size"),
    "a size with a space": chunks(b"5 \r\nhello\r\n0\r\n\r\n", "chunk size"),
    "a size of 17 digits": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n", "chunk size"),
    "an empty size": chunks(b"\r\nhello\r\n0\r\n\r\n", "chunk size"),
    "LF behind a size": chunks(b"5\nhello\r\n0\r\n\r\n", "without a carriage return"),
    "LF in an extension": chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n", "without a carriage return"),
    "LF behind the last size": chunks(b"0\n\n", "without a carriage return"),
    "a chunk longer than its size": chunks(b"5\r\nhelloX\r\n0\r\n\r\n", "longer than its size"),
    "LF behind a chunk": chunks(b"5\r\nhello\n0\r\n\r\n", "longer than its size"),
    "a length as trailer": chunks(b"0\r\nContent-Length: 50\r\n\r\n", "trailer field"),
    "a coding as trailer": chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n", "trailer field"),
    "a folded trailer": chunks(b"0\r\nX: y\r\n z\r\n\r\n", "obs-fold"),
}


def each_case_and_target(cases):
    pairs = [(name, target) for name in cases for target in TARGETS if target != KNOWS_NO_TRAILERS or "trailers" not in name]
    return pytest.mark.parametrize("name, target", pairs, ids=lambda x: x if isinstance(x, str) else f"{x[0]}, HTTP/{x[1]}")


def answers(client, case):
    """The answers to CASE: (status, body) of each, read strictly; whether the connection goes on."""
    out, methods = [], [method for method, _, _ in case.arrives] + ["GET"]
    for method in methods[:len(case.statuses)]:
        response = client.response(method)
        while response.status == 100:
            response = client.response(method)
        out.append((response.status, response.body))
    closes = any((k.lower(), v) == ("connection", "close") for k, v in response.headers)
    return out, not closes


@each_case_and_target(HTTP1)
def test_t29_from_http_1(world, name, target):
    case, watch = HTTP1[name], Watch(world, target)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Client(port(world, "plain", target)))
        names = [client.name]
        client.send(watch.numbered(case.wire))
        said, goes_on = answers(client, case)
        texts = {(m, t): watch.numbered(f"{m} {t}").encode() for m, t, _ in case.arrives}
        assert [status for status, _ in said] == case.statuses
        assert all(body == (b"" if m == "HEAD" or t.startswith("/bare") else texts[m, t]) for (_, body), (m, t, _) in zip(said, case.arrives))
        assert goes_on == (case.detail is None and name != "HTTP/1.0")
        if not goes_on:
            assert client.until_close() == b""
            client = stack.enter_context(Client(port(world, "plain", target)))
            names.append(client.name)
        watch.follow(client)
    not_passed = watch.check(case.arrives, names)
    if case.detail is None:
        assert not not_passed
    else:
        line, = not_passed
        assert line["status"] == case.statuses[-1] and line["close"] == "bad_request" and case.detail in line["detail"]


@each_target
def test_t29_of_all_mutations_arrives_what_we_say(world, target):
    """Those of test_smuggling.py, each over a connection of its own, and all together compared."""
    watch, names = Watch(world, target), set()
    for wire in everything():
        number = f"-{next(numbers):05}".encode()
        with Client(port(world, "plain", target)) as client:
            names.add(client.name)
            client.send(wire.replace(NUMBERED, number))
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                client.until_close()
    with Client(port(world, "plain", target)) as client:
        names.add(client.name)
        watch.follow(client)
    passed, others = watch.lines(names)

    def seen():
        return collections.Counter((s.method, s.target) for s in watch.backend.seen(watch.mark) if s.status < 400 and s.target != "/nudge")
    ours = collections.Counter((line["method"], line["path"]) for line in passed)
    until(lambda: seen() == ours, lambda: f"the same requests: {seen() - ours} and {ours - seen()}")
    assert max(ours.values()) == 1 and 100 < len(passed) < len(others)
    length = {line["path"]: line["bytes_in"] for line in passed}
    assert all(len(s.body) == length[s.target] for s in watch.backend.seen(watch.mark) if s.body and s.target in length)
    # A length of 4 GiB is one; a backend may refuse it before it shows that the client does not send as much.
    assert {line["close"] for line in others if line.get("status") != 413} == {"bad_request", "client_truncated"}


# ---- from HTTP/2 ----

# What is sent: (its fields, pieces of its body, the trailers); its answer: a status, or "reset"; and what arrives of it.
Case2 = collections.namedtuple("Case2", "fields pieces trailers answer arrives")


def served2(fields, *pieces, trailers=None):
    known = dict(fields)
    body = None if known[":path"].startswith("/early") else b"".join(pieces)
    return Case2(fields, pieces, trailers, 200, [(known[":method"], known[":path"], body)])


def refused2(fields, *pieces, answer="reset", trailers=None):
    return Case2(fields, pieces, trailers, answer, [])


def post(*fields, method="POST", path=OUTER, **kw):
    return request(path, method, *fields, **kw)


def get(*fields, path=OUTER, **kw):
    return request(path, "GET", *fields, **kw)


LEN = str(len(SMUGGLED))
NO_AUTHORITY = [(":method", "GET"), (":scheme", "https"), (":path", OUTER)]
LINES = "x\r\nX-Smuggled: y"
REQUEST = " HTTP/1.1\r\nHost: localhost\r\n\r\nGET /smuggled-00000"

HTTP2 = {
    "a body": served2(post(), b"hello"),
    "a body in pieces, one of them empty": served2(post(), b"he", b"", b"llo"),
    "a body that is a request": served2(post(), SMUGGLED),
    "a body with its length that is a request": served2(post(("content-length", LEN)), SMUGGLED),
    "GET with a body": served2(get(), SMUGGLED),
    "HEAD with a body": served2(post(method="HEAD"), SMUGGLED),
    "a body like chunks": served2(post(), b"0\r\n\r\n" + SMUGGLED),
    "a length of nothing": served2(post(("content-length", "0"))),
    "a body that the backend does not read": served2(post(path="/early-00000"), SMUGGLED),
    "trailers": served2(post(("te", "trailers")), b"hello", trailers=[("x", "y")]),
    "crumbs of cookies": served2(get(("cookie", "a=b"), ("cookie", "c=d"))),
    "a host and no authority": served2([*NO_AUTHORITY, ("host", "localhost")]),
    "a host like the authority": served2(get(("host", "localhost"))),
    "fields with underscores": served2(post(("content_length", "5"), ("transfer_encoding", "chunked")), SMUGGLED),
    "line ends in the path, encoded": served2(get(path=OUTER + "%0d%0aX:%20y")),

    "H2.CL: a length too short": refused2(post(("content-length", "5")), b"hello" + SMUGGLED),
    "H2.CL: a length too long": refused2(post(("content-length", "500")), SMUGGLED),
    "H2.CL: a length and no body": refused2(post(("content-length", "5"))),
    "H2.CL: two lengths": refused2(post(("content-length", "5"), ("content-length", LEN)), SMUGGLED),
    "H2.CL: a list": refused2(post(("content-length", f"{LEN}, {LEN}")), SMUGGLED),
    "H2.CL: a plus": refused2(post(("content-length", f"+{LEN}")), SMUGGLED),
    "H2.CL: in capitals": refused2(post(("Content-Length", "5")), SMUGGLED),
    "H2.CL: line ends behind it": refused2(post(("content-length", "0\r\n\r\n" + SMUGGLED.decode()))),
    "H2.TE": refused2(post(("transfer-encoding", "chunked")), b"0\r\n\r\n" + SMUGGLED),
    "H2.TE: in capitals": refused2(post(("Transfer-Encoding", "chunked")), b"0\r\n\r\n" + SMUGGLED),
    "H2.TE: identity": refused2(post(("transfer-encoding", "identity")), SMUGGLED),
    "H2.TE: a space behind the name": refused2(post(("transfer-encoding ", "chunked")), b"0\r\n\r\n" + SMUGGLED),
    "H2.TE: in a value": refused2(post(("x", "y\r\ntransfer-encoding: chunked")), b"0\r\n\r\n" + SMUGGLED),
    "H2.TE: in a name": refused2(post(("x: y\r\ntransfer-encoding", "chunked")), b"0\r\n\r\n" + SMUGGLED),
    "H2.TE: as trailer": refused2(post(), b"hello", trailers=[("transfer-encoding", "chunked")]),
    "a length as trailer": refused2(post(), b"hello", trailers=[("content-length", "5")]),
    "a pseudo-header as trailer": refused2(post(), b"hello", trailers=[(":path", "/smuggled-00000")]),
    "connection": refused2(get(("connection", "close"))),
    "upgrade": refused2(get(("upgrade", "h2c"))),
    "LF in a value": refused2(get(("x", "y\nX-Smuggled: y"))),
    "CR in a value": refused2(get(("x", "y\rX-Smuggled: y"))),
    "NUL in a value": refused2(get(("x", "y\0"))),
    "a colon in a name": refused2(get(("x: y", "z"))),
    "an empty name": refused2(get(("", "z"))),
    "line ends in a cookie": refused2(get(("cookie", "a=b\r\nX-Smuggled: y"))),
    "line ends in the method": refused2(post(method="GET / HTTP/1.1\r\nX: y\r\n\r\nGET")),
    "a request line in the method": refused2(post(method="GET /smuggled-00000 HTTP/1.1\r\nHost: localhost\r\n\r\nGET")),
    "a space in the method": refused2(post(method="GET /smuggled-00000")),
    "line ends in the path": refused2(get(path=OUTER + REQUEST)),
    "a space in the path": refused2(get(path="/smuggled-00000 HTTP/1.1")),
    "LF in the path": refused2(get(path=OUTER + "\nX: y")),
    "a path without a slash": refused2(get(path="smuggled-00000")),
    "a whole URI for a path": refused2(get(path="https://localhost/smuggled-00000")),
    "an empty path": refused2(get(path="")),
    "a fragment": refused2(get(path=OUTER + "#x"), answer=400),
    "line ends in the authority": refused2(get(authority="localhost\r\nX-Smuggled: y")),
    "a path in the authority": refused2(get(authority="localhost/smuggled-00000")),
    "a user in the authority": refused2(get(authority="evil@localhost"), answer=400),
    "line ends in the scheme": refused2(get(scheme="https\r\nX-Smuggled: y")),
    "a host other than the authority": refused2(get(("host", "other"))),
    "two hosts": refused2([*NO_AUTHORITY, ("host", "localhost"), ("host", "localhost")]),
    "no host at all": refused2(NO_AUTHORITY),
    "two paths": refused2(get() + [(":path", "/smuggled-00000")]),
    "two methods": refused2([(":method", "GET"), *post()]),
    "a pseudo-header behind a field": refused2([("x", "y"), *get()]),
    "an unknown pseudo-header": refused2(get() + [(":protocol", "websocket")]),
    "CONNECT": refused2([(":method", "CONNECT"), (":authority", "localhost:80")], answer=501),
}


# RFC 9113 §8.1.1: malformed, but what goes on as HTTP/1.1 is complete before that shows, and may even be answered. No octet beyond the
# length that was announced does. (its length, pieces of its body)
TOO_LONG = {"a frame that is as long as announced, and another": (b"hello", SMUGGLED), "none announced": (b"", SMUGGLED)}


@each_target
@pytest.mark.parametrize("name", TOO_LONG)
def test_t29_h2_cl_of_a_body_that_turns_out_longer(world, pki, name, target):
    body, more = TOO_LONG[name]
    watch, client = Watch(world, target), connection(world, pki, target)
    pieces = [piece for piece in (body, more) if piece]
    answer = send(client, Case2(post(("content-length", str(len(body)))), pieces, None, None, None), watch)
    watch.follow(client)
    announced = ("POST", watch.numbered(OUTER), body)
    assert sorted((s.method, s.target, s.body) for s in watch.passed()) in ([watch.after], [watch.after, announced])  # it may be over it when the next one comes
    passed, others = watch.lines([client.name])
    assert answer.status == 200 or answer.reset == 1
    assert [(line["path"], line["bytes_in"]) for line in passed[:-1]] in ([], [(announced[1], len(body))])
    assert len(passed) + len(others) == 2 and all(line["close"] == "bad_request" for line in others)


def connection(world, pki, target):
    """One for each target, as long as it lasts."""
    if target not in world.http2:
        world.http2[target] = Http2(port(world, "tls", target), pki)
    return world.http2[target]


def send(client, case, watch):
    fields = [(watch.numbered(name), watch.numbered(value)) for name, value in case.fields]
    id = client.head(fields, end=not case.pieces and not case.trailers)
    for i, piece in enumerate(case.pieces):
        client.content(id, watch.numbered(piece), end=i + 1 == len(case.pieces) and not case.trailers)
    if case.trailers:
        client.trailers(id, case.trailers)
    return client.answer(id)


@each_case_and_target(HTTP2)
def test_t29_from_http_2(world, pki, name, target):
    case, watch = HTTP2[name], Watch(world, target)
    client = connection(world, pki, target)
    try:
        answer = send(client, case, watch)
        assert (answer.status or "reset") == case.answer, answer
        if case.arrives:
            (method, path, _), = case.arrives
            assert answer.body == (b"" if method == "HEAD" else watch.numbered(f"{method} {path}").encode())
        watch.follow(client)
    except (Closed, TimeoutError):
        del world.http2[target]
        raise
    not_passed = watch.check(case.arrives, [client.name])
    if case.arrives:
        assert not not_passed
    else:
        line, = not_passed
        assert line["close"] == "bad_request" and line["detail"]
