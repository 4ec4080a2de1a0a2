# SPDX-License-Identifier: Apache-2.0
"""Attacks on HTTP/2 by one connection: each ends with its close reason, or is held within the connection's memory; what it cost is
printed, and so is what a victim on another connection noticed."""
import collections
import contextlib
import os
import pathlib
import random
import threading
import time

import pytest
from hyperframe import frame as frames

from http2_peers import ENHANCE_YOUR_CALM, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, NO_ERROR, REFUSED_STREAM, Closed, Http2, request
from http_peers import Scripted, group, memory, plain, running, tls_listener
from instance import until
from processes import SANITIZED

SECONDS = 10  # that no attack takes
FRAMES = 20000  # that none gets taken
CONNECTION = 300 << 10  # bytes of a worker's memory that one may cost: 256 KiB, and how the heap keeps them
TURN = 256 << 10  # and what its worker needs for a turn of its loop, once
CPU_MS = 100
P99_MS = 1000  # the targets and the victim share one interpreter, and perhaps a busy machine
AT_ONCE = 4  # connections that hold something
if SANITIZED:  # which keeps what was freed, and takes its time
    CONNECTION, CPU_MS = 96 << 20, 3000
CALM_PART = 0.3  # seconds in which the victim is left alone
NOISE = random.Random(1).randbytes(1 << 15)
HOSTILE = int(os.environ.get("HOSTILE", 24))  # connections at once


@pytest.fixture
def target():
    t, over = Scripted(), threading.Event()
    t.script("/wait")(lambda call: over.wait(60) and False)
    t.script("/big")(lambda call: call.answer(bytes(1 << 20)))
    t.script("/text")(lambda call: call.answer(NOISE, "Content-Type: text/plain"))
    t.script("/heads")(lambda call: call.answer(b"ok", *(f"X-{i}: {'y' * 7500}" for i in range(2))))
    yield t
    over.set()


@pytest.fixture
def world(pki, target, tmp_path):
    """Each attack on a worker of its own, whose memory holds nothing of the one before."""
    calm = Scripted()  # of the victim: what the attacked one does under the load is its own affair
    rules = ", ".join(f"{{domain: localhost, path: {path}, {does}}}" for path, does in (
        ("/calm", "target_group: calm"), ("/", "target_group: web, compression: true"),
        ("/answered", f"respond: {{status: 200, body: {'x' * 4000}}}")))
    config = plain(group("web", target), group("calm", calm), listeners=tls_listener(pki, rules), timeouts="body: 20s, response: 60s")
    config = config.replace("access.log}", "access.log, sample: 1000000}")  # the victim's lines are many
    with running(tmp_path, config, target, calm) as instance:
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

    def p99(self, since=0):
        ms = sorted(self.ms[since:])
        assert not self.error and ms, self.error
        return ms[int(len(ms) * 0.99)]

    def stop(self):
        self.is_over = True
        self.join(20)
        self.client.sock.close()


class Cost:
    """What the worker takes beyond what its victim does, from `begin` to `end`."""

    def __init__(self, world, pki):
        self.worker, = world.pids("worker")
        self.victim = Victim(world.port("tls"), pki)
        before = cpu(self.worker)
        self.victim.start()
        until(lambda: sum(self.victim.ms) > CALM_PART * 1000, "the victim alone")
        self.alone, self.calm = self.victim.p99(), len(self.victim.ms)
        self.each = (cpu(self.worker) - before) / len(self.victim.ms)
        self.memory = memory(self.worker)
        pathlib.Path(f"/proc/{self.worker}/clear_refs").write_text("5")  # VmHWM begins anew
        self.time, self.cpu, self.asked = time.monotonic(), cpu(self.worker), len(self.victim.ms)

    def end(self, name, capsys, connections=1):
        asked = len(self.victim.ms) - self.asked
        spent, seconds = cpu(self.worker) - self.cpu - asked * self.each, time.monotonic() - self.time
        more = memory(self.worker, "VmHWM") - self.memory
        self.victim.stop()
        p99 = self.victim.p99(min(self.calm, len(self.victim.ms) - 1))
        with capsys.disabled():
            print(f"\n{name}: {seconds * 1000:.0f} ms; {more / connections / 1024:.0f} KiB and {max(0, spent) / connections:.1f} ms of CPU each; "
                  f"the victim's p99: {p99:.1f} ms, {self.alone:.1f} ms before")
        assert more < connections * CONNECTION + TURN
        assert spent < max(connections * CPU_MS, seconds * 100)  # a tenth of a core
        assert p99 < max(2 * self.alone, P99_MS)
        return seconds


@pytest.fixture
def attack(world, pki, capsys):
    """run(name, do): DO(client) attacks, CONNECTIONS times at once; what it cost, for the eye. The last client, and what DO said."""
    def run(name, do, settings=None, connections=1):
        cost = Cost(world, pki)
        with contextlib.ExitStack() as stack:
            for _ in range(connections):
                c = stack.enter_context(Http2(world.port("tls"), pki, settings, is_greedy=False))
                c.ping()
                result = do(c)
            assert cost.end(name, capsys, connections) < SECONDS
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
    assert code in (ENHANCE_YOUR_CALM, None) or reason == "http2_protocol" and code != "timeout", (code, sent)
    line = world.line(lambda line: line.get("close", "").startswith("http2"), client=c.name)
    assert line["close"] == reason or reason == "http2_protocol" and line["close"] == "http2_resets", line  # whichever comes first
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


# ---- what is held, and by how many

def uploads(c):
    """Bodies that targets do not take: as much as the windows let through."""
    ids = [c.head(request("/wait", "POST"), end=False) for _ in range(50)]
    c.ping()
    sent = collections.Counter()
    for _ in range(40):
        for id in ids:
            room = min(c.settings[INITIAL_WINDOW_SIZE] + c.updates[id] - sent[id], 65535 + c.updates[0] - sent.total(), 16384)
            if room > 0 and c.streams[id].reset is None:
                c.content(id, bytes(room))
                sent[id] += room
        c.ping()


def asks(path, *fields):
    def do(c):
        for i in range(50):
            c.head(request(path, "GET", *fields, ("z", str(i))))
        c.ping()
    return do


def takes_nothing(c):
    """Windows are open, and the socket is not read."""
    c.open_window(0, 1 << 20)
    for _ in range(50):
        c.head(request("/big"))


def begins_a_head(c):
    """Some 60 KiB of it, and its end does not come."""
    head = c.encoder.encode(request("/wait", "GET", *[("x", "y" * 4000)] * 14))
    c.send(frames.HeadersFrame(c.new(), data=head[:16000], flags=[]))


HELD = {
    "responses_windows_shut": ({INITIAL_WINDOW_SIZE: 0}, asks("/big")),
    "responses_windows_open": ({INITIAL_WINDOW_SIZE: 100000}, asks("/big")),
    "responses_not_read": ({INITIAL_WINDOW_SIZE: 1 << 20}, takes_nothing),
    "responses_compressed": ({INITIAL_WINDOW_SIZE: 0}, asks("/text", ("accept-encoding", "gzip"))),
    "responses_of_ours": ({INITIAL_WINDOW_SIZE: 0}, asks("/answered")),
    "response_heads": ({INITIAL_WINDOW_SIZE: 0}, asks("/heads")),
    "requests": ({}, asks("/wait")),
    "request_heads": ({}, asks("/wait", ("x", "y" * 4000))),
    "request_heads_large": ({}, asks("/wait", *[("x", "y" * 3900)] * 15)),
    "request_head_unfinished": ({}, begins_a_head),
    "request_bodies": ({}, uploads),
}


@pytest.mark.parametrize("name", HELD)
def test_a_connection_holds_no_more_than_its_share(world, attack, name):
    """As many requests as may be; those for which there is no memory are refused unprocessed, or get 503."""
    settings, do = HELD[name]

    def hold(c):
        do(c)
        return {s.reset for id, s in c.streams.items() if id}
    c, resets = attack(name, hold, settings, AT_ONCE)
    assert resets <= {None, NO_ERROR, REFUSED_STREAM}


def test_many_connections_hold_no_more_than_theirs(world, pki, target, capsys):
    """HOSTILE connections at once, in the environment: 1000 by hand, for docs/http.md."""
    cost = Cost(world, pki)
    with contextlib.ExitStack() as stack:
        for _ in range(HOSTILE):
            c = stack.enter_context(Http2(world.port("tls"), pki, {INITIAL_WINDOW_SIZE: 0}, is_greedy=False))
            asks("/answered")(c)
        cost.end(f"{HOSTILE} connections", capsys, HOSTILE)
