# SPDX-License-Identifier: Apache-2.0
"""Content through us to servers of others and back: every length in both framings, unchanged; and HTTP's special cases."""
import contextlib
import hashlib
import os
import random
import socket
import subprocess
import types

import peers
import pytest
import servers
from http_peers import Client, Cut, header
from instance import Instance
from servers import Tls

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZES = {"0 B": 0, "1 B": 1, "64 KiB-1": 64 * KIB - 1, "64 KiB": 64 * KIB, "64 KiB+1": 64 * KIB + 1, "64 MiB": 64 * MIB}
HUGE = {"2 GiB": 2 * GIB}
# How a server tells where the content ends; and as the last one, towards a client of HTTP/1.0, to whom we cannot tell it otherwise either.
FOLDERS = {"content-length": "files", "chunked": "chunked", "until close": "close", "until close, twice": "close"}
DIRECTIONS = [("up", "content-length"), ("up", "chunked"), *(("down", framing) for framing in FOLDERS)]
STAGES = [(name, protocol) for name in servers.BACKENDS for protocol in ("HTTP", "HTTPS")]


def digest(path):
    with open(path, "rb") as f:
        return path.stat().st_size, hashlib.file_digest(f, "sha256").hexdigest()


def fill(path, size):
    """SIZE bytes of which no MiB is like another."""
    if path.exists():
        return path
    with open(path, "wb") as f:
        source = random.Random(size)
        while left := size - f.tell():
            f.write(source.randbytes(min(left, MIB)))
    return path


@pytest.fixture(scope="module")
def files(open_folder):
    root = servers.root_folder(open_folder)
    for name, size in SIZES.items():
        fill(root / "files" / str(size), size)
    return root


def configuration(pki, port, protocol):
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}" if protocol == "HTTPS" else ""
    return f"""
listeners:
  - name: in
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: one-way
    certificates: [{pki.server.yaml()}]
    rules: [{{domain: localhost, path: /, target_group: them}}]
target_groups:
  - {{name: them, protocol: {protocol}, targets: [{{address: "127.0.0.1:{port}"}}]{tls}}}
access_log: {{file: access.log}}
workers: 1
"""


@contextlib.contextmanager
def staged(folder, root, pki, name, protocol):
    """A server of NAME behind an instance of ours."""
    own = servers.own_folder(folder, f"{name}-{protocol}")
    with servers.BACKENDS[name](own, root, Tls(pki.server) if protocol == "HTTPS" else None) as server:
        (own / "sallyport").mkdir()
        instance = Instance(own / "sallyport", configuration(pki, server.port, protocol))
        try:
            yield types.SimpleNamespace(name=name, protocol=protocol, root=root, pki=pki, port=instance.port("in"), folder=own,
                                        instance=instance, server=server)
        finally:
            instance.stop()
    instance.check()


@pytest.fixture(scope="module", params=STAGES, ids=[f"{n}-{p}" for n, p in STAGES])
def stage(request, open_folder, files, pki):
    with staged(open_folder, files, pki, *request.param) as stage:
        yield stage


def curl(stage, path, *args, **kw):
    """(status, the last head's fields by name)"""
    head = stage.folder / "head"
    done = subprocess.run(["curl", "-sS4", "--http1.1", "--noproxy", "*", "--cacert", stage.pki.ca("servers").crt, "-D", head, "-w", "%{http_code}", *args,
                           f"https://localhost:{stage.port}{path}"], capture_output=True, text=True, timeout=300, **kw)
    assert done.returncode == 0, done.stderr
    blocks = [block for block in head.read_text().replace("\r\n", "\n").split("\n\n") if block.startswith("HTTP/")]
    fields = dict(line.split(": ", 1) for line in blocks[-1].split("\n")[1:] if ": " in line)
    return int(done.stdout[-3:]), {k.lower(): v for k, v in fields.items()}


def upload(stage, source, framing, *more):
    name = f"{stage.name}-{stage.protocol}-{framing}-{source.name}"
    with open(source, "rb") as f:  # of a stream curl tells no length; told to chunk an empty file, it never ends it
        status, fields = curl(stage, f"/put/{name}", "-T", "-" if framing == "chunked" else source, "-o", stage.folder / "answer", *more, stdin=f)
    stored = stage.root / "put" / name
    assert status == 201 and fields["x-framing"] == framing
    assert digest(stored) == digest(source)
    stored.unlink()


def download(stage, source, framing, *more):
    got = stage.folder / "got"
    got.unlink(missing_ok=True)
    is_old, has_length = framing == "until close, twice", framing == "content-length"
    status, fields = curl(stage, f"/{FOLDERS[framing]}/{source.name}", "-o", got, *(["--http1.0"] if is_old else []), *more)
    got.touch()  # curl makes no file for an empty body
    assert status == 200
    assert fields.get("transfer-encoding") == (None if has_length or is_old else "chunked")
    assert fields.get("content-length") == (str(source.stat().st_size) if has_length else None)
    assert not is_old or fields["connection"] == "close"
    assert digest(got) == digest(source)


WAYS = {"up": upload, "down": download}
directions = pytest.mark.parametrize("way, framing", DIRECTIONS, ids=[f"{way}-{framing}" for way, framing in DIRECTIONS])
framings = pytest.mark.parametrize("framing", ["content-length", "chunked"])


@directions
@pytest.mark.parametrize("size", SIZES)
def test_body_arrives_unchanged(stage, matrix, size, framing, way):
    if stage.name == "nginx" and SIZES[size] == 0 and FOLDERS[framing] == "close":
        pytest.skip("nginx tells the length of an empty file, whatever it is asked")
    WAYS[way](stage, stage.root / "files" / str(SIZES[size]), framing)
    matrix.add("bodies", f"{stage.name}, {stage.protocol}", f"{size} {way}", "equal", framing)


@pytest.mark.skipif(not os.environ.get("INTEROP_HUGE"), reason="4 GiB of disk and some minutes: tests/interop/run --huge")
@pytest.mark.parametrize("name", servers.BACKENDS)
@directions
@pytest.mark.parametrize("size", HUGE)
def test_huge_body_arrives_unchanged(open_folder, files, pki, matrix, size, framing, way, name):
    source = fill(files / "files" / str(HUGE[size]), HUGE[size])
    folder = servers.own_folder(open_folder, f"huge-{name}-{DIRECTIONS.index((way, framing))}")
    with staged(folder, files, pki, name, "HTTP") as stage:
        WAYS[way](stage, source, framing)
        (stage.folder / "got").unlink(missing_ok=True)
    matrix.add("bodies", f"{name}, HTTP", f"{size} {way}", "equal", framing)


@contextlib.contextmanager
def client(stage):
    with Client(sock=peers.connect(stage.port, peers.client_context(stage.pki.ca("servers")))) as c:
        yield c


SMALL = 64 * KIB + 1


def whole(stage, c):
    """A GET whose answer comes whole: what was before it on this connection left nothing behind."""
    answer = c.ask(f"/files/{SMALL}")
    return answer.status == 200 and answer.body == (stage.root / "files" / str(SMALL)).read_bytes()


def test_head_has_the_length_and_no_body(stage, matrix):
    with client(stage) as c:
        answer = c.ask(f"/files/{SMALL}", "HEAD")
        assert answer.status == 200 and header(answer, "Content-Length") == str(SMALL)
        chunked = c.ask(f"/chunked/{SMALL}", "HEAD")
        assert chunked.status == 200 and header(chunked, "Content-Length") is None
        assert whole(stage, c)
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "HEAD", "passed")


def test_304_has_no_body(stage, matrix):
    with client(stage) as c:
        etag = header(c.ask(f"/files/{SMALL}"), "ETag")
        answer = c.ask(f"/files/{SMALL}", "GET", f"If-None-Match: {etag}")
        assert etag and answer.status == 304 and header(answer, "ETag") == etag
        assert whole(stage, c)
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "304", "passed")


@framings
def test_100_continue_comes_before_the_body(stage, matrix, framing):
    name = f"{stage.name}-{stage.protocol}-continue-{framing}"
    body = b"x" * 1000
    length = "Transfer-Encoding: chunked" if framing == "chunked" else "Content-Length: 1000"
    with client(stage) as c:
        interim = c.ask(f"/put/{name}", "PUT", "Expect: 100-continue", length)
        assert interim.status == 100
        c.send(b"3e8\r\n" + body + b"\r\n0\r\n\r\n" if framing == "chunked" else body)
        assert c.response("PUT").status == 201
        assert whole(stage, c)
    assert (stage.root / "put" / name).read_bytes() == body
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "100-continue", "passed", framing)


# Where a request's trailers can be read at all; nginx drops them for its own handlers.
READS_TRAILERS = {"apache2", "Node", "Python"}


def test_trailers_of_a_request(stage, matrix):
    path = f"/put/{stage.name}-{stage.protocol}-trailers"
    with client(stage) as c:
        answer = c.ask(path, "PUT", "Transfer-Encoding: chunked", "Trailer: X-Checksum", body=b"4\r\nbody\r\n0\r\nX-Checksum: 1234\r\n\r\n")
        assert answer.status == 201
        assert header(answer, "X-Trailers") == ("1234" if stage.name in READS_TRAILERS else None)
        assert whole(stage, c)
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "trailers of a request",
               "passed" if stage.name in READS_TRAILERS else "n/a: it drops them")


def test_trailers_of_a_response(stage, matrix):
    with client(stage) as c:
        answer = c.ask(f"/chunked/{SMALL}", "GET", "TE: trailers")
        sends = stage.name != "apache2"
        assert answer.trailers == ([("X-Checksum", "end")] if sends else [])
        assert answer.body == (stage.root / "files" / str(SMALL)).read_bytes()
        assert whole(stage, c)
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "trailers of a response", "passed" if sends else "n/a: it sends none")


# ---- slow ones, and ends in the middle ----

LARGE = SIZES["64 MiB"]


@pytest.mark.parametrize("way, framing", [("up", "content-length"), ("up", "chunked"), ("down", "content-length"), ("down", "chunked")])
def test_slow_client(stage, matrix, way, framing):
    """Two seconds for what would take a fraction of one: all buffers between are full, or empty, for most of that time."""
    WAYS[way](stage, stage.root / "files" / str(LARGE), framing, "--limit-rate", "32M")
    matrix.add("cases", f"{stage.name}, {stage.protocol}", {"up": "slow writer", "down": "slow reader"}[way], "equal", framing)


def reset(c):
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.sock.close()


def in_an_upload(stage, c):
    name = f"{stage.name}-{stage.protocol}-reset"
    interim = c.ask(f"/put/{name}", "PUT", "Expect: 100-continue", f"Content-Length: {LARGE}")
    assert interim.status == 100  # so the server has the request
    c.send(bytes(MIB))


def in_a_download(stage, c):
    c.send(f"GET /files/{LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    c.exactly(MIB)


@pytest.mark.parametrize("phase", [in_an_upload, in_a_download], ids=["upload", "download"])
def test_client_that_resets_in_the_middle(stage, matrix, phase):
    for _ in range(5):
        mark = stage.instance.mark()
        with client(stage) as c:
            phase(stage, c)
            reset(c)
        assert stage.instance.line(since=mark, client=c.name)["close"] == "client_reset"
        with client(stage) as other:
            assert whole(stage, other)
    matrix.add("cases", f"{stage.name}, {stage.protocol}", "the client resets in the middle", "passed", phase.__name__)


def until_end(c):
    """How it ends, whatever comes before that."""
    try:
        while True:
            c.fill(MIB)
            c.data = b""
    except ConnectionResetError:
        return "reset"
    except (Cut, OSError) as e:
        return repr(e)


# the phase → what the client gets, and what the log has
KILLED = {in_an_upload: (lambda c: c.response("PUT").status, (502, 502)), in_a_download: (until_end, ("reset", 200))}


@pytest.mark.parametrize("name", servers.BACKENDS)
@pytest.mark.parametrize("phase", KILLED, ids=["upload", "download"])
def test_server_that_is_killed_in_the_middle(open_folder, files, pki, matrix, name, phase):
    """A response that has begun is cut off by a reset, one that has not is a 502; and so is what comes next."""
    folder = servers.own_folder(open_folder, f"killed-{name}-{phase.__name__}")
    with staged(folder, files, pki, name, "HTTP") as stage:
        mark, (answer, wanted) = stage.instance.mark(), KILLED[phase]
        with Client(sock=peers.TLS(stage.port, peers.client_context(pki.ca("servers")))) as c:
            phase(stage, c)
            stage.server.process.kill()
            stage.server.process.wait()
            got = answer(c)
        line = stage.instance.line(since=mark, client=c.name)
        assert (got, line["status"]) == wanted and line["close"] == "target_closed" and line["detail"], (got, line)
        with client(stage) as other:
            assert other.ask("/files/1").status == 502
    matrix.add("cases", f"{name}, HTTP", "killed in the middle", "the client is told", phase.__name__)
