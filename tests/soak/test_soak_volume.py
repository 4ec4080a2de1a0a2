# SPDX-License-Identifier: Apache-2.0
"""Much of everything, in constant memory: bytes on one connection, requests, handshakes with long chains."""
import os
import socket
import threading
import time

import peers
from soak import GIB, MIB, Backend, Load, Watch
from traffic import config

VOLUME = int(float(os.environ.get("SOAK_GIB", "2")) * GIB)  # through each listener, half of it in each direction
REQUESTS, HANDSHAKES = 10 ** 6, int(float(os.environ.get("SOAK_HANDSHAKES", "1e6")))
PATTERN = memoryview(os.urandom(MIB) * 2)
FLAT = MIB  # what a process may grow by from the second to the last quarter: 2 B an operation, where the half of a million is between


def send(connection, n):
    piece = PATTERN[:MIB]
    for _ in range(n // MIB):
        connection.sendall(piece)


def receive(connection, n, at=0):
    """Whether N bytes came and were as sent."""
    buffer = memoryview(bytearray(256 * 1024))
    while at < n and (got := connection.recv_into(buffer, min(len(buffer), n - at))):
        if buffer[:got] != PATTERN[at % MIB:at % MIB + got]:
            return False
        at += got
    return at == n


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head


def half_and_half(target, connection):
    """Takes a body, then sends one."""
    read_head(connection)
    target.is_right = receive(connection, VOLUME // 2)
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {VOLUME // 2}\r\n\r\n".encode())
    send(connection, VOLUME // 2)


def both_ways(target, connection):
    sender = threading.Thread(target=send, args=(connection, VOLUME // 2))
    sender.start()
    target.is_right = receive(connection, VOLUME // 2)
    sender.join()


def through(instance, pki, name):
    return peers.connect(instance.port(name), peers.client_context(pki.ca("servers"), pki.good), timeout=60)


def check_memory(watch, what, began, **more):
    watch.tell(what, **more, MiB_a_second=f"{VOLUME / MIB / (time.monotonic() - began):.0f}")
    assert all(most - least < 4 for least, most in watch.range().values()), watch.range()


def test_bodies_go_through_in_constant_memory(lb, pki, target):
    web = target(half_and_half)
    instance = lb(config(pki, web.port, workers=1))
    began = time.monotonic()
    with through(instance, pki, "web") as tls, Watch(instance) as watch:
        tls.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {VOLUME // 2}\r\n\r\n".encode())
        send(tls, VOLUME // 2)
        assert b" 200 " in read_head(tls) and receive(tls, VOLUME // 2) and web.is_right
    check_memory(watch, f"{VOLUME / GIB:g} GiB through HTTPS, one exchange", began)


def test_a_relay_goes_through_in_constant_memory(lb, pki, target):
    raw = target(both_ways)
    instance = lb(config(pki, raw.port, raw.port, workers=1))
    began = time.monotonic()
    # Python's ssl serves one thread at a time: the client sends first, and the other direction waits with full buffers.
    with through(instance, pki, "relay") as tls, Watch(instance) as watch:
        send(tls, VOLUME // 2)
        assert receive(tls, VOLUME // 2)
        tls.shutdown(socket.SHUT_RDWR)
    assert raw.is_right
    check_memory(watch, f"{VOLUME / GIB:g} GiB through TCP_SSL, one relay", began)


def check_flat(watch, what, result, count):
    watch.tell(what, errors=result["errors"], a_second=f"{count / result['seconds']:.0f}", p99=f"{result['p99_us'] / 1000:.1f} ms")
    assert result["errors"] == 0 and result["operations"] == count, result
    assert all(grown < FLAT for grown in watch.growth().values()), watch.growth()
    assert all(abs(grown) <= 8 for grown in watch.growth(2).values()), watch.growth(2)


def test_a_million_requests_on_kept_connections(lb, pki):
    with Backend() as backend:
        instance = lb(config(pki, backend.http, access_log="{file: /dev/null}"))
        load = Load(instance.port("web"), pki.good, "--mode", "kept", "--connections", 64, "--operations", REQUESTS)
        with Watch(instance) as watch:
            result = load.start().result()
    check_flat(watch, f"{REQUESTS} requests", result, REQUESTS)


def test_a_million_handshakes_with_a_chain_of_four(lb, pki):
    """peers.md T20: what a handshake leaves behind, if it is but one certificate of the chain, would be a gigabyte here."""
    issuer = pki.ca("clients")
    for i in range(3):
        issuer = pki.ca(f"between{i}", issuer=issuer)
    client = issuer.issue("chained")
    assert client.crt.read_bytes().count(b"BEGIN CERTIFICATE") == 4
    with Backend() as backend:
        instance = lb(config(pki, backend.http, access_log="{file: /dev/null}"))
        load = Load(instance.port("web"), client, "--mode", "full", "--connections", 16, "--operations", HANDSHAKES, seconds=7200)
        with Watch(instance) as watch:
            result = load.start().result()
    check_flat(watch, f"{HANDSHAKES} handshakes with 4 client certificates", result, HANDSHAKES)
