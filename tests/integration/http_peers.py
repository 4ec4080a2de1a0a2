# SPDX-License-Identifier: Apache-2.0
"""The two ends of HTTP tests: a target that plays a script per path, and a client that reads strictly what comes back."""
import collections
import contextlib
import pathlib
import socket
import time

import peers
from instance import Instance, until

Response = collections.namedtuple("Response", "version status reason headers body trailers")


class Cut(Exception):
    """The connection ended in the middle of a message."""


class Call:
    """One request at a scripted target: its head is read, its body is not."""

    def __init__(self, target, connection, file, lines):
        self.target, self.connection, self.file, self.lines = target, connection, file, lines
        self.method, self.path, self.version = lines[0].split(" ")
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def body(self):
        """(content, trailers)"""
        return peers.read_body(self.file, self.headers)

    def send(self, data):
        self.connection.sendall(data)
        return True

    def answer(self, body=b"ok", *fields, status="200 OK"):
        lines = "".join(f"{f}\r\n" for f in fields)
        return self.send(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def answer_ok(call):
    call.body()
    return call.answer()


class Scripted(peers.Target):
    """A target that lets SCRIPTS[path] answer: script(call), true if the connection goes on. Other paths get 200 `ok`."""

    def __init__(self, **kw):
        self.scripts, self.calls, self.finished = {}, [], 0
        super().__init__(Scripted.play, **kw)

    def play(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection.makefile("rb") as f:
                while lines := peers.read_head(f):
                    call = Call(self, connection, f, lines)
                    self.calls.append(call)
                    if not self.scripts.get(call.path.split("?")[0], answer_ok)(call):
                        return
        finally:
            self.finished += 1

    def script(self, path):
        def add(answer):
            self.scripts[path] = answer
            return path
        return add


def name_of(sock):
    """As the access log calls this client."""
    return f"127.0.0.1:{sock.getsockname()[1]}"


class Client:
    """A raw connection (TCP, or TLS given one) and a reader of responses that forgives nothing."""

    def __init__(self, port=None, sock=None, receive_buffer=None):
        if sock is None:
            sock = socket.socket()
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(10)
            sock.connect(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.data = sock, b""
        self.name = name_of(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def fill(self, size=65536):
        piece = self.sock.recv(size)
        if not piece:
            raise Cut(f"after {self.data[:200]!r}")
        self.data += piece

    def line(self):
        while b"\n" not in self.data:
            self.fill()
        line, _, self.data = self.data.partition(b"\n")
        assert line.endswith(b"\r"), line
        return line[:-1].decode("latin-1")

    def exactly(self, n):
        out = bytearray()
        while True:
            take = min(n - len(out), len(self.data))
            out += self.data[:take]
            self.data = self.data[take:]
            if len(out) == n:
                return bytes(out)
            self.fill(1 << 20)

    def fields(self):
        out = []
        while line := self.line():
            name, _, value = line.partition(":")
            out.append((name, value.strip()))
        return out

    def chunked(self):
        body = b""
        while size := int(self.line(), 16):  # no extensions: they are dropped on the way
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        return body, self.fields()

    def until_close(self):
        with contextlib.suppress(Cut):
            while True:
                self.fill()
        body, self.data = self.data, b""
        return body

    def response(self, method="GET"):
        version, status, reason = (self.line() + " ").split(" ", 2)
        headers = self.fields()
        known = {k.lower(): v for k, v in headers}
        status, body, trailers = int(status), b"", []
        if method == "HEAD" or status < 200 or status in (204, 304):
            pass
        elif known.get("transfer-encoding") == "chunked":
            assert "content-length" not in known
            body, trailers = self.chunked()
        elif "content-length" in known:
            body = self.exactly(int(known["content-length"]))
        else:
            body = self.until_close()
        return Response(version, status, reason.strip(), headers, body, trailers)

    def ask(self, path="/", method="GET", *fields, host="localhost", body=b""):
        lines = "".join(f"{f}\r\n" for f in fields)
        self.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1") + body)
        return self.response(method)

    def end(self):
        """How the connection ends, when nothing more may come: "fin", "reset", or bytes that nobody announced."""
        try:
            return (self.data + self.sock.recv(65536)) or "fin"
        except ConnectionResetError:
            return "reset"


def header(response, name):
    found = [v for k, v in response.headers if k.lower() == name.lower()]
    return found[0] if len(found) == 1 else found or None


def steady(value, what, hold=0.25, patience=20):
    """The value of VALUE() once it has not changed for HOLD seconds: whatever moved it has come to rest."""
    last = [value(), time.monotonic()]

    def rests():
        now = value()
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > hold
    until(rests, what, patience)
    return last[0]


def memory(pid, field="VmRSS"):
    """Bytes of resident memory."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(field)


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


@contextlib.contextmanager
def running(folder, config, *targets, **kw):
    """An instance for a module's tests, looked over at the end; closes TARGETS."""
    instance = Instance(folder, config, **kw)
    try:
        yield instance
    finally:
        instance.stop()
        for t in targets:
            t.close()
    instance.check()


def group(name, *targets, protocol="HTTP", more=""):
    """A row of target_groups. TARGETS: targets, or (target, weight)."""
    rows = [t if isinstance(t, tuple) else (t, 10) for t in targets]
    listed = ", ".join(f"{{address: '127.0.0.1:{t if isinstance(t, int) else t.port}', weight: {w}}}" for t, w in rows)
    return f"\n  - {{name: {name}, protocol: {protocol}, targets: [{listed}]{more}}}"


def plain(*groups, listeners="", rules="{domain: localhost, path: /, target_group: web}", timeouts="", more=""):
    """A configuration with an HTTP listener `plain`, one worker."""
    return (f"listeners:\n  - {{name: plain, protocol: HTTP, address: '127.0.0.1:0', rules: [{rules}]{more}}}{listeners}\n"
            f"target_groups:{''.join(groups)}\naccess_log: {{file: access.log}}\nworkers: 1\n"
            f"timeouts: {{{timeouts}}}\n")


def tls_listener(pki, rules="{domain: localhost, path: /, target_group: web}"):
    """A row of listeners: an HTTPS listener `tls` beside `plain`."""
    return (f"\n  - {{name: tls, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], "
            f"rules: [{rules}]}}")


def closed_port():
    """A port on which nobody listens: bound, so that nobody else gets it, until the socket returned is closed."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]


def share_of_core(pid, window=0.2):
    """Which part of a core the process uses, measured for WINDOW seconds."""
    def ran():
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    begin, before = time.monotonic(), ran()
    time.sleep(window)  # a measurement, not a wait
    return (ran() - before) / (time.monotonic() - begin)


def comes_to_rest(pid):
    """It may have something to do still; one that spins never comes to rest."""
    return until(lambda: share_of_core(pid) < 0.2, "the process to rest")
