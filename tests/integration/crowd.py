# SPDX-License-Identifier: Apache-2.0
"""Many clients that are slow in every way in which one can be, and a target that only listens; used here and by tests/soak.

One thread moves all of them on a byte a turn. Whoever is ended comes again at once, so that there are always as many.
"""
import collections
import contextlib
import os
import select
import selectors
import socket
import ssl
import threading
import time

BODY = 1 << 20  # what slow readers ask for
TURN = 1  # seconds


class Member:
    """One client over TLS that is slow from some point on; .sock does not wait."""

    small_buffer = False

    def __init__(self, crowd):
        self.crowd, self.sock, self.tls = crowd, socket.socket(), None
        if self.small_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(1)
        try:
            self.sock.bind((crowd.next_source(), 0))
            self.sock.connect(("127.0.0.1", crowd.port))
            self.begin()
            (self.tls or self.sock).setblocking(False)
        except OSError:
            self.close()
            raise

    def handshake(self):
        self.tls = self.crowd.context.wrap_socket(self.sock, server_hostname="localhost", suppress_ragged_eofs=False)

    def step(self):
        """A little more; OSError if it was ended."""
        self.hear()
        self.tls.send(b"x")

    def hear(self):
        """What has come must be nothing, but for session tickets: an answer, an alert or an end is the end of it."""
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            raise ConnectionError(f"{(self.tls or self.sock).recv(64)!r}")

    def fileno(self):
        return (self.tls or self.sock).fileno()

    def close(self):
        (self.tls or self.sock).close()


class SlowHandshake(Member):
    def begin(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.crowd.context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        self.hello = outgoing.read()

    def step(self):
        self.hear()
        self.sock.send(self.hello[:1])
        self.hello = self.hello[1:]


class SlowHead(Member):
    def begin(self):
        self.handshake()
        self.tls.sendall(b"GET /0 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")


class SlowBody(Member):
    def begin(self):
        self.handshake()
        self.tls.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")


class SlowReader(Member):
    small_buffer = True

    def begin(self):
        self.handshake()
        self.tls.sendall(f"GET /{BODY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def step(self):
        poll = select.poll()
        poll.register(self.fileno(), 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):  # before what can still be read
            raise ConnectionError("ended")
        with contextlib.suppress(BlockingIOError):
            os.read(self.fileno(), 16)  # of a record: what it means is of no interest


class Idle(Member):
    def begin(self):
        self.handshake()
        self.tls.sendall(b"GET /0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.tls.recv(1)

    def step(self):
        self.hear()


KINDS = (SlowHandshake, SlowHead, SlowBody, SlowReader, Idle)


class Crowd:
    """N of each of KINDS at PORT. Who enters `with` waits until each has come once, or could not. SOURCES: the addresses that they come
    from."""

    def __init__(self, port, context, n, kinds=KINDS, sources=("127.0.0.1",)):
        self.port, self.context, self.n, self.kinds, self.sources = port, context, n, kinds, sources
        self.members, self.ended, self.refused = [(kind, None) for _ in range(n) for kind in kinds], collections.Counter(), collections.Counter()
        self.turn, self.came, self.over, self.thread = 0, threading.Event(), threading.Event(), threading.Thread(target=self._loop)

    def next_source(self):
        self.turn += 1
        return self.sources[self.turn % len(self.sources)]

    def _enter(self, kind):
        try:
            return kind(self)
        except OSError:
            self.refused[kind.__name__] += 1
            return None

    def _loop(self):
        while not self.over.is_set():
            began = time.monotonic()
            for i, (kind, member) in enumerate(self.members):
                if self.over.is_set():
                    return
                try:
                    if member:
                        member.step()
                        continue
                except OSError:
                    self.ended[kind.__name__] += 1
                    member.close()
                self.members[i] = (kind, self._enter(kind))
            self.came.set()
            self.over.wait(max(0, began + TURN - time.monotonic()))

    def __enter__(self):
        self.thread.start()
        self.came.wait(60)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for _, member in self.members:
            if member:
                member.close()


class Sink:
    """A target that reads what comes and answers nothing, for any number of connections."""

    def __init__(self):
        self.selector, self.over = selectors.DefaultSelector(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._loop)

    def _loop(self):
        while not self.over.is_set():
            for key, _ in self.selector.select(0.2):
                if key.fileobj is self.listener:
                    with contextlib.suppress(OSError):
                        self.selector.register(self.listener.accept()[0], selectors.EVENT_READ)
                    continue
                with contextlib.suppress(OSError):
                    if key.fileobj.recv(65536):
                        continue
                self.selector.unregister(key.fileobj)
                key.fileobj.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


class Timed:
    """GETs of nothing by ASK, for `processes.Traffic`: .times that they took."""

    def __init__(self, ask):
        self.ask, self.times = ask, []

    def __call__(self, _):
        began = time.monotonic()
        try:
            return self.ask("/0")
        finally:
            self.times.append(time.monotonic() - began)
