# SPDX-License-Identifier: Apache-2.0
"""Traffic over TLS that knows on which connection a request was lost, for `processes.Traffic`; used here and by tests/soak."""
import os
import pathlib
import socket
import threading

import peers
from http_peers import Client, Cut, header
from processes import ADMIN


def config(pki, web, raw=None, certificate=None, crl=None, cas=("clients",), **keys):
    """An HTTPS listener `web` and (given RAW) a TCP_SSL listener `relay`, both mutual. WEB, RAW: ports."""
    revocation = f", revocation: {{crl: [{crl}], policy: hard}}" if crl else ""
    common = (f'address: "127.0.0.1:0", certificates: [{(certificate or pki.server).yaml()}], authentication: mutual, '
              f"client_ca: [{', '.join(str(pki.ca(name).crt) for name in cas)}]{revocation}")
    rows = [("web", "HTTPS", "HTTP", "rules: [{domain: localhost, path: /, target_group: web}]", web)]
    rows += [("relay", "TCP_SSL", "TCP", "target_group: relay", raw)] if raw else []
    keys = {"workers": 2, "admin": ADMIN, "access_log": "{file: access.log}", **keys}
    return "\n".join(["listeners:", *[f"  - {{name: {n}, protocol: {p}, {common}, {to}}}" for n, p, _, to, _ in rows],
                      "target_groups:", *[f'  - {{name: {n}, protocol: {p}, targets: [{{address: "127.0.0.1:{port}"}}]}}'
                                          for n, _, p, _, port in rows],
                      *[f"{key}: {value}" for key, value in keys.items()], ""])


class Lost(OSError):
    """A request without its answer; .port is the client's end of the connection, 0 if there was none."""

    def __init__(self, port, why):
        super().__init__(f"port {port}: {why!r}")
        self.port, self.why = port, why


class Requests:
    """GETs for `processes.Traffic`: on a new connection each, or on one per thread for as long as the server keeps it."""

    def __init__(self, port, context, is_kept):
        self.port, self.context, self.is_kept = port, context, is_kept
        self.held, self.opened = threading.local(), 0

    def _open(self):
        try:
            raw = socket.create_connection(("127.0.0.1", self.port), 30)
        except OSError as e:
            raise Lost(0, e) from e
        name = raw.getsockname()[1]
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            client = Client(sock=self.context.wrap_socket(raw, server_hostname="localhost"))
        except OSError as e:
            raise Lost(name, e) from e
        client.port, self.opened = name, self.opened + 1
        return client

    def __call__(self, path):
        client = getattr(self.held, "client", None) or self._open()
        self.held.client = None
        try:
            answer = client.ask(path, "GET", *([] if self.is_kept else ["Connection: close"]))
        except (OSError, Cut) as e:
            client.sock.close()
            raise Lost(client.port, e) from e
        if self.is_kept and header(answer, "Connection") != "close":
            self.held.client = client
        else:
            client.sock.close()
        return answer.status, answer.body


class Relays:
    """Rounds for `processes.Traffic` over one relay per thread, opened once."""

    def __init__(self, port, context):
        self.port, self.context, self.held, self.opened = port, context, threading.local(), 0

    def __call__(self, path):
        if not hasattr(self.held, "tls"):
            self.held.tls = peers.connect(self.port, self.context, timeout=30)
            self.opened += 1
        data = path.encode()
        self.held.tls.sendall(data)
        answer = b""
        while len(answer) < len(data) and (piece := self.held.tls.recv(1000)):
            answer += piece
        return (200 if answer == data else 0), answer


def echo(target, connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(65536):
        connection.sendall(data)


def ok(target, connection):
    """The cheapest answer to each request (which comes in one piece), as long as bench/load expects it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n" + 128 * b"x")


def connections(pid, port):
    """The clients' ports of the connections to PORT that PID holds."""
    mine = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        name = os.readlink(fd)
        if name.startswith("socket:["):
            mine.add(name[8:-1])
    rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {int(row[2].split(":")[1], 16) for row in rows if row[9] in mine and int(row[1].split(":")[1], 16) == port}
