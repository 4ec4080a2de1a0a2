# SPDX-License-Identifier: Apache-2.0
"""The ends that Sallyport stands between: sample targets, and clients over Python's ssl."""
import errno
import http.client
import json
import os
import select
import socket
import ssl
import threading
import time

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Target:
    """A TCP server on a port of the kernel's choice. SERVE(connection) runs in a thread per connection."""

    def __init__(self, serve, context=None, family=socket.AF_INET, host=None, port=0):
        self.serve, self.context = serve, context
        self.accepted = 0   # TCP connections that reached it
        self.received = b""  # bytes that reached it (after TLS)
        self.errors = []
        host = host or ("::1" if family == socket.AF_INET6 else "127.0.0.1")
        self.socket = socket.create_server((host, port), family=family, backlog=128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._loop, daemon=True).start()

    def _loop(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.serve(self, connection)
        except (OSError, ValueError) as e:
            self.errors.append(e)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def echo(target, connection):
    """Raw: sends back what comes, until the other side ends."""
    while data := connection.recv(65536):
        target.received += data
        connection.sendall(b"echo:" + data)


def read_head(f):
    lines = []
    while (line := f.readline()) not in (b"\r\n", b"\n", b""):
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    return lines


def read_body(f, headers):
    fields = {k.lower(): v for k, v in headers}
    if fields.get("transfer-encoding") == "chunked":
        body, trailers = b"", []
        while size := int(f.readline().split(b";")[0], 16):
            body += f.read(size)
            f.readline()
        while (line := f.readline()) not in (b"\r\n", b""):
            trailers.append(line.decode("latin-1").rstrip("\r\n"))
        return body, trailers
    return f.read(int(fields.get("content-length", 0))), []


def http_echo(target, connection):
    """HTTP/1.1 kept alive: answers with JSON that tells what reached it."""
    f = connection.makefile("rb")
    while lines := read_head(f):
        method, path, _ = lines[0].split(" ", 2)
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines[1:]]
        if any(k.lower() == "expect" for k, _ in headers):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, trailers = read_body(f, headers)
        target.received += body
        answer = json.dumps({"method": method, "path": path, "headers": headers, "body": body.decode("latin-1")[:1000],
                             "length": len(body), "trailers": trailers}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
        connection.sendall(head + (b"" if method == "HEAD" else answer))


def server_context(certificate, client_ca=None, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.crt, certificate.key_file)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca.crt)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


class SharedSocket(ssl.SSLSocket):
    """One thread may read while another writes: OpenSSL's object takes one call at a time, and the module sees to that only since
    Python 3.13. So no call waits inside, and the time-out is kept here."""
    is_shared = False

    def do_handshake(self, block=False):
        super().do_handshake(block)
        self.patience, self.lock, self.is_shared = super().gettimeout(), threading.Lock(), True
        super().settimeout(0)

    def settimeout(self, seconds):
        if self.is_shared:
            self.patience = seconds
        else:
            super().settimeout(seconds)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def gettimeout(self):
        return self.patience if self.is_shared else super().gettimeout()

    def _wait_for(self, event, end):
        left = None if end is None else max(0, end - time.monotonic()) * 1000
        if self.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        waiting = select.poll()
        waiting.register(self.fileno(), event)
        if not waiting.poll(left):
            raise TimeoutError("timed out")

    def _again(self, call, *args):
        """CALL until it has not to wait any more."""
        if not self.is_shared or self.patience == 0:
            return call(*args)
        end = None if self.patience is None else time.monotonic() + self.patience
        while True:
            try:
                with self.lock:
                    return call(*args)
            except (ssl.SSLWantReadError, BlockingIOError):  # the second after shutdown, which takes TLS off
                self._wait_for(select.POLLIN, end)
            except ssl.SSLWantWriteError:
                self._wait_for(select.POLLOUT, end)

    def recv(self, *args):
        return self._again(super().recv, *args)

    def recv_into(self, *args):
        return self._again(super().recv_into, *args)

    def send(self, *args):
        return self._again(super().send, *args)

    def unwrap(self):
        raw = self._again(super().unwrap)
        self.is_shared = False
        self.settimeout(self.patience)
        return raw


def client_context(ca, certificate=None, version=None, ciphers=None, alpn=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = SharedSocket
    context.load_verify_locations(ca.crt)
    if certificate:
        context.load_cert_chain(certificate.crt, certificate.key_file)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class Refused(Exception):
    """The handshake ended with an alert; .alert is its OpenSSL reason, e.g. SSLV3_ALERT_CERTIFICATE_REVOKED."""

    def __init__(self, alert):
        super().__init__(alert)
        self.alert = alert


def connect(port, context, name="localhost", session=None, timeout=10):
    """A TLS connection to 127.0.0.1:PORT asking for NAME. Under TLS 1.3 a refusal of our certificate comes only with the first
    read: use `ask` or `talk`, which raise Refused either way."""
    raw = socket.create_connection(("127.0.0.1", port), timeout)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each request waits 40 ms for the ACK of our Finished
    try:
        return context.wrap_socket(raw, server_hostname=name, session=session)
    except ssl.SSLError as e:
        raw.close()
        raise Refused(e.reason) from e
    except (ConnectionError, socket.timeout):
        raw.close()
        raise


def ask(tls, request=b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
    """One exchange on a connected socket: (status, headers, body)."""
    try:
        tls.sendall(request)
        response = http.client.HTTPResponse(tls, method=request.split(b" ")[0].decode())
        response.begin()
        return response.status, response.getheaders(), response.read()
    except ssl.SSLError as e:
        raise Refused(e.reason) from e


def get(port, ca, certificate=None, version=None, name="localhost", path="/", headers=""):
    """GET over a new connection; the JSON of http_echo under 200, else (status, body)."""
    with connect(port, client_context(ca, certificate, version), name) as tls:
        status, _, body = ask(tls, f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{headers}Connection: close\r\n\r\n".encode())
    return (status, json.loads(body)) if status == 200 else (status, body)


def talk(port, ca, certificate=None, version=None, name="localhost", data=b"hello"):
    """One round through a TCP_SSL listener in front of `echo`."""
    with connect(port, client_context(ca, certificate, version), name) as tls:
        try:
            tls.sendall(data)
            return tls.recv(65536)
        except ssl.SSLError as e:
            raise Refused(e.reason) from e


def nameless(context):
    """CONTEXT, for tests that ask one server for many names: its certificate is checked, its name is not."""
    context.check_hostname = False
    return context


class ByHand:
    """A TLS client that carries its own bytes: it shows its first flight (`hello`), and sends the pieces that CUT makes of it one
    by one, each in a segment of its own. It calls PAUSE before its second flight."""

    def __init__(self, port, context, name="localhost", session=None, cut=lambda flight: [flight], pause=lambda: None):
        self.raw = socket.create_connection(("127.0.0.1", port), 10)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        self.cut, self.pause, self.hello = cut, pause, None
        self._do(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def _flush(self):
        flight = self.outgoing.read()
        if self.hello is None:
            self.hello = flight
            for piece in self.cut(flight):
                self.raw.sendall(piece)
        elif flight:
            self.pause()
            self.pause = lambda: None
            self.raw.sendall(flight)

    def _do(self, step, *args):
        while True:
            try:
                result = step(*args)
                self._flush()
                return result
            except (ssl.SSLWantReadError, BlockingIOError):  # the second after shutdown, which takes TLS off
                self._flush()
                data = self.raw.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
            except ssl.SSLError as e:
                raise Refused(e.reason) from e

    def ask(self, request):
        """One exchange that ends with the connection: (status, body)."""
        self._do(self.tls.write, request)
        answer = b""
        while data := self._do(self.tls.read, 65536):
            answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body


class TLS:
    """A TLS client that ends its directions one by one, and sees whether the other side ended with close_notify."""

    def __init__(self, port, context):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = f"127.0.0.1:{self.sock.getsockname()[1]}"  # as the access log has it
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.step(self.tls.do_handshake)

    def flush(self):
        if data := self.outgoing.read():
            self.sock.sendall(data)

    def step(self, f, *args):
        while True:
            try:
                result = f(*args)
                self.flush()
                return result
            except (ssl.SSLWantReadError, BlockingIOError):  # the second after shutdown, which takes TLS off
                self.flush()
                data = self.sock.recv(1 << 16)
                self.incoming.write(data) if data else self.incoming.write_eof()

    def sendall(self, data):
        for i in range(0, len(data), 16384):
            self.step(self.tls.write, data[i:i + 16384])

    def recv(self, n):
        """b"" after close_notify; an end without it is an SSLEOFError."""
        try:
            return self.step(self.tls.read, n)
        except ssl.SSLZeroReturnError:  # if we had ended as well
            return b""

    def end_writing(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def getsockname(self):
        return self.sock.getsockname()

    def close(self):
        self.sock.close()
