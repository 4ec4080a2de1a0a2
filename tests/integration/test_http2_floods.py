# SPDX-License-Identifier: Apache-2.0
"""Attacks on HTTP/2 by one connection: each ends with its close reason, or is held within the connection's memory; what it cost is
printed, and so is what a victim on another connection noticed."""
import pathlib
import threading
import time

import pytest
from hyperframe import frame as frames

from http2_peers import ENHANCE_YOUR_CALM, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, REFUSED_STREAM, Closed, Http2, request
from http_peers import Scripted, group, memory, plain, running, tls_listener

SECONDS = 10  # that no attack takes
FRAMES = 20000  # that none gets taken


@pytest.fixture(scope="module")
def target():
    t = Scripted()
    t.script("/wait")(lambda call: call.connection.recv(1) and False)
    t.script("/big")(lambda call: call.answer(bytes(1 << 20)))
    return t


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    calm = Scripted()  # of the victim: what the attacked one does under the load is its own affair
    rules = "{domain: localhost, path: /calm, target_group: calm}, {domain: localhost, path: /, target_group: web}"
    config = plain(group("web", target), group("calm", calm), listeners=tls_listener(pki, rules), timeouts="body: 2s, response: 60s")
    with running(tmp_path_factory.mktemp("floods"), config, target, calm) as instance:
        yield instance


def cpu(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


class Victim(threading.Thread):
    """Requests on a connection of its own, one after the other, until it is stopped."""

    def __init__(self, port, pki):
        super().__init__(daemon=True)
        self.client, self.ms, self.error, self.is_over = Http2(port, pki), [], None, False

    def run(self):
        try:
            while not self.is_over:
                begin = time.monotonic()
                assert self.client.ask("/calm").status == 200
                self.ms.append((time.monotonic() - begin) * 1000)
        except Exception as e:
            self.error = e

    def p99(self):
        self.is_over = True
        self.join(20)
        self.client.sock.close()
        assert not self.error and self.ms, self.error
        return sorted(self.ms)[int(len(self.ms) * 0.99)]


@pytest.fixture
def attack(world, pki, capsys):
    """run(name, do): DO(client) attacks; what it cost, for the eye."""
    def run(name, do, settings=None):
        worker, = world.pids("worker")
        victim = Victim(world.port("tls"), pki)
        with Http2(world.port("tls"), pki, settings, is_greedy=False) as c:
            c.ping()
            before, rss, begin = cpu(worker), memory(worker), time.monotonic()
            victim.start()
            result = do(c)
            spent = time.monotonic() - begin
            cost = cpu(worker) - before, max(0, memory(worker) - rss) >> 10
        p99 = victim.p99()
        with capsys.disabled():
            print(f"\n{name}: {spent * 1000:.0f} ms until it ended; worker, victim included: {cost[0]:.0f} ms of CPU, "
                  f"{cost[1]} KiB more; the victim's p99: {p99:.1f} ms in {len(victim.ms)} requests")
        assert spent < SECONDS and p99 < 1000
        assert cost[1] < 48 << 10  # the sanitizer keeps what was freed
        return c, result
    return run


def flood(c, piece):
    """PIECE(i) as often as it is taken: how many. Ends with the GOAWAY."""
    sent, out = 0, None

    def read():
        nonlocal out
        try:
            out = c.end()
        except TimeoutError:
            out = "timeout"
    reader = threading.Thread(target=read)
    reader.start()
    try:
        while sent < FRAMES and reader.is_alive():
            c.sock.sendall(b"".join(piece(i) for i in range(sent, sent + 50)))
            sent += 50
    except OSError:
        pass
    reader.join(SECONDS)
    return sent, out


def begin(c, i, path="/wait", end=True):
    flags = ["END_HEADERS"] + ["END_STREAM"] * end
    return frames.HeadersFrame(2 * i + 1, data=c.wait_head if path == "/wait" else c.encoder.encode(request(path)), flags=flags).serialize()


def reset_by(*more):
    """A request, and what makes us reset it (CVE-2025-8671, MadeYouReset; CVE-2023-44487 if the client does)."""
    def make(c, i):
        id = 2 * i + 1
        return begin(c, i, end=False) + b"".join(f(id).serialize() for f in more)
    return make


# Those of http2_protocol are ended at the first, or when more streams are open than may be.
FLOODS = {
    "rapid_reset": ("http2_resets", reset_by(lambda id: frames.RstStreamFrame(id, error_code=8))),
    "made_reset_by_overflow": ("http2_protocol", reset_by(lambda id: frames.WindowUpdateFrame(id, window_increment=(1 << 31) - 1))),
    "made_reset_by_no_increment": ("http2_protocol", reset_by(lambda id: Raw(8, 0, id, b"\0\0\0\0"))),
    "made_reset_by_late_headers": ("http2_protocol", lambda c, i: begin(c, i) + Raw(1, 4, 2 * i + 1, c.wait_head).serialize()),
    "made_reset_by_late_data": ("http2_protocol", lambda c, i: begin(c, i) + frames.DataFrame(2 * i + 1, data=b"x").serialize()),
    "made_reset_by_dependency": ("http2_protocol", reset_by(lambda id: Raw(2, 0, id, id.to_bytes(4, "big") + b"\x10"))),
    "made_reset_by_length": ("http2_protocol", lambda c, i: Raw(1, 5, 2 * i + 1, c.long_head).serialize()),
    "settings": ("http2_control", lambda c, i: frames.SettingsFrame(0, settings={INITIAL_WINDOW_SIZE: 1000 + i}).serialize()),
    "table_sizes": ("http2_control", lambda c, i: frames.SettingsFrame(0, settings={HEADER_TABLE_SIZE: i % 2 * 4096}).serialize()),
    "ping": ("http2_control", lambda c, i: frames.PingFrame(0, opaque_data=b"12345678").serialize()),
    "priority": ("http2_control", lambda c, i: Raw(2, 0, 2 * i + 1001, b"\0\0\0\0\x10").serialize()),
    "unknown": ("http2_control", lambda c, i: Raw(0xfa, 0, 0, b"x" * 8).serialize()),
    "empty_data": ("http2_frames", lambda c, i: (begin(c, 0, end=False) if i == 0 else b"") + frames.DataFrame(1, data=b"").serialize()),
    "padding": ("http2_frames", lambda c, i: (begin(c, 0, end=False) if i == 0 else b"") + Raw(0, 8, 1, b"\x05" + bytes(5)).serialize()),
    "windows_of_a_byte": ("http2_frames", lambda c, i: (begin(c, 0, "/big") if i == 0 else b"")
                          + frames.WindowUpdateFrame(1, window_increment=1).serialize()),
    "windows_of_nobody": ("http2_frames", lambda c, i: frames.WindowUpdateFrame(0, window_increment=1).serialize()),
    "continuation": ("http2_protocol", lambda c, i: (Raw(1, 1, 1, c.wait_head) if i == 0 else Raw(9, 0, 1, b"")).serialize()),
}


class Raw:
    """A frame as a test wants it."""

    def __init__(self, type, flags, id, payload):
        self.type, self.flags, self.id, self.payload = type, flags, id, payload

    def serialize(self):
        return len(self.payload).to_bytes(3, "big") + bytes([self.type, self.flags]) + self.id.to_bytes(4, "big") + self.payload


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_ended(world, attack, target, name):
    reason, piece = FLOODS[name]
    before = len(target.calls)

    def do(c):
        # without the table, so that each can be sent again
        c.encoder.header_table_size = 0
        c.encoder.encode(request())  # which says so
        c.wait_head, c.long_head = (c.encoder.encode(request("/wait", "POST", *more)) for more in ((), [("content-length", "x")]))
        return flood(c, lambda i: piece(c, i))
    c, (sent, code) = attack(name, do, {INITIAL_WINDOW_SIZE: 0} if "window" in name else None)
    assert (code in (ENHANCE_YOUR_CALM, None) or reason == "http2_protocol") and sent < FRAMES, (code, sent)
    line = world.line(lambda line: line.get("close", "").startswith("http2"), client=c.name)
    assert line["close"] == reason, line
    assert len(target.calls) - before < 500


def test_who_makes_us_reset_streams_is_ended_as_if_it_had(world, attack, target):
    """CVE-2025-8671: malformed requests, never more at once than may be."""
    def do(c):
        sent = 0
        try:
            while sent < FRAMES:
                for _ in range(20):
                    c.head(request("/", "POST", ("content-length", "x")))
                    sent += 1
                c.ping()
        except (Closed, OSError):
            return sent, c.end()
    before = len(target.calls)
    c, (sent, code) = attack("made_reset", do)
    assert (code, sent < 500) == (ENHANCE_YOUR_CALM, True)
    assert world.line(lambda line: line.get("close", "").startswith("http2"), client=c.name)["close"] == "http2_resets"
    assert "/" not in {c.path for c in target.calls[before:] if c.method == "POST"}


def test_a_head_that_decodes_to_much_ends_the_connection(world, attack):
    """HPACK: one byte on the wire is 4 KiB; CVE-2026-47774 and others."""
    def do(c):
        c.head(request("/", "GET", ("x", "y" * 4000)))
        index = bytes([0x80 | 62])
        big = c.encoder.encode(request("/")) + index * 10000
        id = c.new()
        c.send(frames.HeadersFrame(id, data=big, flags=["END_HEADERS", "END_STREAM"]))
        return c.end()
    c, code = attack("hpack_bomb", do)
    assert code == ENHANCE_YOUR_CALM
    world.line(client=c.name, close="http2_headers")


def test_large_heads_that_cost_nothing_to_send_are_not_taken_for_ever(world, attack):
    """Each is within the limits, and a few bytes on the wire."""
    def do(c):
        big = [("x", "y" * 3900)]
        crumbs = [("cookie", "c" * 70)] * 100
        sent = 0
        try:
            while sent < FRAMES:
                for _ in range(20):
                    c.head(request("/wait", "GET", *(big * 15), *crumbs))
                    sent += 1
                    c.cancel(c.next_id - 2)
                c.ping()
        except (Closed, OSError):
            return sent, c.end()
    c, (sent, code) = attack("large_heads", do)
    assert (code, sent < 1000) == (ENHANCE_YOUR_CALM, True)


@pytest.mark.parametrize("path", ["/big", "/wait"])
def test_a_connection_holds_no_more_than_its_share(world, attack, path):
    """A hundred requests whose responses are not taken, or whose bodies are not: those that do not fit are refused unprocessed."""
    def do(c):
        ids = [c.head(request(path, "POST", ("x", "y" * 4000), ("z", str(i))), end=path == "/big") for i in range(100)]
        if path == "/wait":
            for id in ids[:4]:
                c.content(id, bytes(16000))
        c.ping()
        return [c.streams[id].reset for id in ids]
    c, resets = attack(f"held {path}", do, {INITIAL_WINDOW_SIZE: 0})
    assert set(resets) <= {None, REFUSED_STREAM}
