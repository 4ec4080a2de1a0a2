# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: what it answers can change at any time, and it can misbehave."""
import contextlib
import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


def labels(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, value, ttl):
    """NAME → VALUE, an address or the name that it is an alias of."""
    try:
        data = ipaddress.ip_address(value).packed
        kind = A if len(data) == 4 else AAAA
    except ValueError:
        kind, data = CNAME, labels(value)
    return labels(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


class NameServer:
    """UDP on a port of the kernel's choice. .says[name] is a list of addresses, [alias], or a code of failure; names that are not
    there do not exist. .silent: no answers. .answer(query, name, kind), if set: the datagrams to send."""

    def __init__(self, **says):
        self.says = {name.replace("_", "."): value for name, value in says.items()}
        self.ttl, self.silent, self.answer, self.asked = 1, False, None, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.text = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._loop, daemon=True).start()

    def _loop(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            name, at = [], 12
            while query[at]:
                name.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(name), struct.unpack_from(">H", query, at + 1)[0]
            self.asked.append(name)
            if self.silent:
                continue
            for datagram in (self.answer or self.usual)(query, name, kind):
                self.socket.sendto(datagram, peer)

    def usual(self, query, name, kind):
        says = self.says.get(name, NXDOMAIN)
        if isinstance(says, int):
            return [head(query, code=says) + query[12:]]
        records = [record(name, value, self.ttl) for value in says]
        records = [r for r in records if struct.unpack_from(">H", r, len(labels(name)))[0] in (kind, CNAME)]
        return [head(query, len(records)) + query[12:] + b"".join(records)]

    def forget(self):
        self.asked.clear()

    def close(self):
        with contextlib.suppress(OSError):  # not connected, but whoever waits for a datagram is woken
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def head(query, answers=0, code=0, flip=0):
    """The head of an answer to QUERY; FLIP bits of its identifier."""
    identifier = struct.unpack_from(">H", query)[0] ^ flip
    return struct.pack(">HBBHHHH", identifier, 0x81, 0x80 | code, 1, answers, 0, 0)
