# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 that says frame by frame whatever a test wants, and reads strictly what comes back."""
import collections

from hpack import Decoder, Encoder
from hyperframe import frame as frames

import peers

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 5, 7, 8, 11
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4

Answer = collections.namedtuple("Answer", "status headers body trailers interim reset")


class Closed(Exception):
    """The connection ended."""


def request(path="/", method="GET", *fields, authority="localhost", scheme="https"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


class Stream:
    def __init__(self):
        self.heads, self.body, self.ended, self.reset = [], b"", False, None


class Http2:
    """A connection. `is_greedy`: windows are opened again by what has come."""

    def __init__(self, port, pki, settings=None, is_greedy=True, certificate=None, name="localhost", preface=True,
                 context=None, session=None):
        context = context or peers.client_context(pki.ca("servers"), certificate, alpn=["h2"])
        self.sock = peers.connect(port, context, name, session)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.name = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.encoder, self.decoder, self.is_greedy = Encoder(), Decoder(), is_greedy
        self.data, self.next_id, self.streams = b"", 1, collections.defaultdict(Stream)
        self.settings, self.goaways, self.pongs, self.updates = {}, [], [], collections.Counter()
        if preface:
            self.sock.sendall(PREFACE)
            self.send(frames.SettingsFrame(0, settings=settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # ---- sending

    def send(self, *what):
        self.sock.sendall(b"".join(f if isinstance(f, bytes) else f.serialize() for f in what))
        return self

    def new(self):
        self.next_id += 2
        return self.next_id - 2

    def head(self, fields, end=True, id=None):
        """Begin a request; its stream."""
        id = id or self.new()
        flags = ["END_HEADERS"] + ["END_STREAM"] * end
        self.send(frames.HeadersFrame(id, data=self.encoder.encode(fields), flags=flags))
        return id

    def content(self, id, data, end=False):
        self.send(frames.DataFrame(id, data=data, flags=["END_STREAM"] * end))

    def trailers(self, id, fields):
        self.send(frames.HeadersFrame(id, data=self.encoder.encode(fields), flags=["END_HEADERS", "END_STREAM"]))

    def cancel(self, id, code=CANCEL):
        self.send(frames.RstStreamFrame(id, error_code=code))

    def open_window(self, id, n):
        self.send(frames.WindowUpdateFrame(id, window_increment=n))

    # ---- receiving

    def _exactly(self, n):
        while len(self.data) < n:
            try:
                piece = self.sock.recv(1 << 16)
            except (ConnectionError, OSError) as e:
                if isinstance(e, TimeoutError):
                    raise
                raise Closed(str(e)) from e
            if not piece:
                raise Closed
            self.data += piece
        out, self.data = self.data[:n], self.data[n:]
        return out

    def read(self):
        """The next frame, after what it asks for was done."""
        f, length = frames.Frame.parse_frame_header(self._exactly(9))
        f.parse_body(memoryview(self._exactly(length)))
        s = self.streams[f.stream_id]
        if isinstance(f, frames.HeadersFrame):
            assert "END_HEADERS" in f.flags, "CONTINUATION is not read here"
            s.heads.append([(k, v) for k, v in self.decoder.decode(f.data)])
            s.ended |= "END_STREAM" in f.flags
        elif isinstance(f, frames.DataFrame):
            s.body += f.data
            s.ended |= "END_STREAM" in f.flags
            if self.is_greedy and f.flow_controlled_length:
                self.send(*[frames.WindowUpdateFrame(i, window_increment=f.flow_controlled_length)
                            for i in (0, f.stream_id) if i == 0 or not s.ended])
        elif isinstance(f, frames.RstStreamFrame):
            s.reset = f.error_code
        elif isinstance(f, frames.GoAwayFrame):
            self.goaways.append(f)
        elif isinstance(f, frames.WindowUpdateFrame):
            self.updates[f.stream_id] += f.window_increment
        elif isinstance(f, frames.SettingsFrame) and "ACK" not in f.flags:
            self.settings.update(f.settings)
            self.send(frames.SettingsFrame(0, flags=["ACK"]))
        elif isinstance(f, frames.PingFrame):
            if "ACK" in f.flags:
                self.pongs.append(f.opaque_data)
            else:
                self.send(frames.PingFrame(0, opaque_data=f.opaque_data, flags=["ACK"]))
        return f

    def until(self, condition):
        while not condition():
            self.read()

    def answer(self, id):
        """What came on the stream, once it has ended: an Answer, with .reset where it was reset."""
        s = self.streams[id]
        self.until(lambda: s.ended or s.reset is not None)
        heads = [(int(dict(h)[":status"]), h) for h in s.heads if h[0][0] == ":status"]
        final = [h for status, h in heads if status >= 200]
        status = int(dict(final[0])[":status"]) if final else None
        trailers = [h for h in s.heads if h[0][0] != ":status"]
        return Answer(status, final[0][1:] if final else [], s.body, trailers[0] if trailers else [],
                      [status for status, _ in heads if status < 200], s.reset)

    def ask(self, path="/", method="GET", *fields, **kw):
        return self.answer(self.head(request(path, method, *fields, **kw)))

    def head_of(self, id):
        s = self.streams[id]
        self.until(lambda: s.heads or s.reset is not None)
        return s.heads[-1] if s.heads else None

    def ping(self):
        """Everything sent before has been read when this returns."""
        before = len(self.pongs)
        self.send(frames.PingFrame(0, opaque_data=b"question"))
        self.until(lambda: len(self.pongs) > before)

    def end(self):
        """Read to the end of the connection: the last GOAWAY's code, or None."""
        try:
            while True:
                self.read()
        except Closed:
            return self.goaways[-1].error_code if self.goaways else None


def value(fields, name):
    found = [v for k, v in fields if k == name]
    return found[0] if len(found) == 1 else found or None


class Server:
    """One connection at a target that speaks HTTP/2 without negotiation: what a script says with it."""

    def __init__(self, connection, settings=None):
        self.sock, self.data = connection, b""
        self.encoder, self.decoder, self.ids, self.frames = Encoder(), Decoder(), [], []
        assert self.exactly(len(PREFACE)) == PREFACE
        self.send(frames.SettingsFrame(0, settings=settings or {}))

    exactly = Http2._exactly
    send = Http2.send

    def read(self):
        f, length = frames.Frame.parse_frame_header(self.exactly(9))
        f.parse_body(memoryview(self.exactly(length)))
        self.frames.append(f)
        if isinstance(f, frames.SettingsFrame) and "ACK" not in f.flags:
            self.send(frames.SettingsFrame(0, flags=["ACK"]))
        return f

    def request(self):
        """The next head: (stream, its fields)."""
        while not isinstance(f := self.read(), frames.HeadersFrame):
            pass
        self.ids.append(f.stream_id)
        return f.stream_id, self.decoder.decode(f.data)

    def answer(self, id, body=b"ok", *fields, status=200, end=True):
        head = self.encoder.encode([(":status", str(status)), *fields])
        self.send(frames.HeadersFrame(id, data=head, flags=["END_HEADERS"]), frames.DataFrame(id, data=body, flags=["END_STREAM"] * end))


def serving(script, settings=None):
    """For a Target: SCRIPT(server) plays each connection."""
    def serve(target, connection):
        try:
            script(Server(connection, settings))
        except Closed:
            pass
    return serve
