# SPDX-License-Identifier: Apache-2.0
"""TCP and TCP_SSL: bytes both ways, each direction ending by itself, and no end that looks better than it was."""
import os
import socket
import threading

import pytest

import peers
from http_peers import Client, closed_port, comes_to_rest, descriptors, group, memory, name_of, running, steady
from instance import until
from peers import TLS

TEN = os.urandom(10 << 20)
LARGE = 200 << 20
BUFFERS = 48 << 20
GROWTH = 6 << 20
PIECE = os.urandom(1 << 20)


class Ends:
    """What a target saw: its bytes, and how they ended ("fin" or "reset")."""

    def __init__(self):
        self.data, self.end = b"", None

    def read(self, connection):
        try:
            while data := connection.recv(1 << 16):
                self.data += data
            self.end = "fin"
        except ConnectionResetError:
            self.end = "reset"


class Plain:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.name = name_of(self.sock)
        self.sendall, self.recv, self.close = self.sock.sendall, self.sock.recv, self.sock.close

    def end_writing(self):
        self.sock.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def target():
    return peers.Target(peers.echo)


@pytest.fixture(scope="module")
def world(pki, target, tmp_path_factory):
    """`plain`, `tls` and `mutual` in front of the target; `tunnel` leads through `mutual` of the same instance."""
    cert, ca = f"certificates: [{pki.server.yaml()}]", pki.ca("clients").crt
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost, certificate: {pki.good.crt}, key: {pki.good.key_file}}}"
    dead, port = closed_port()
    exit_folder, folder = tmp_path_factory.mktemp("exit"), tmp_path_factory.mktemp("relay")
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    kw = {"env": {"ASAN_OPTIONS": options}}
    exit_config = f"""
listeners:
  - {{name: mutual, protocol: TCP_SSL, address: "127.0.0.1:0", authentication: mutual, {cert}, client_ca: [{ca}], target_group: raw}}
target_groups: {group("raw", target, protocol="TCP")}
access_log: {{file: access.log}}
workers: 1
"""
    with running(exit_folder, exit_config, target, dead, **kw) as end:
        config = f"""
listeners:
  - {{name: plain, protocol: TCP, address: "127.0.0.1:0", target_group: raw}}
  - {{name: tls, protocol: TCP_SSL, address: "127.0.0.1:0", {cert}, target_group: raw}}
  - {{name: tunnel, protocol: TCP, address: "127.0.0.1:0", target_group: exit}}
  - {{name: dead, protocol: TCP, address: "127.0.0.1:0", target_group: dead}}
  - {{name: half, protocol: TCP, address: "127.0.0.1:0", target_group: half}}
  - {{name: drained, protocol: TCP, address: "127.0.0.1:0", target_group: drained}}
target_groups: {group("raw", target, protocol="TCP")} {group("exit", end.port("mutual"), protocol="TCP_SSL", more=tls)}
  {group("dead", port, protocol="TCP")} {group("half", port, target, protocol="TCP")} {group("drained", (target, 0), protocol="TCP")}
access_log: {{file: access.log}}
workers: 1
"""
        with running(folder, config, **kw) as instance:
            instance.end, instance.worker = end, instance.pids("worker")[0]
            yield instance


@pytest.fixture(params=["plain", "tls", "tunnel"])
def way(request):
    return request.param


@pytest.fixture
def connect(world, pki):
    opened = []

    def open_(way):
        opened.append(TLS(world.port(way), peers.client_context(pki.ca("servers"))) if way == "tls" else Plain(world.port(way)))
        return opened[-1]
    yield open_
    for c in opened:
        c.close()


def serve(target, f):
    """Let F(connection) be what the target does from now on."""
    target.serve = lambda _, connection: f(connection)


def read_all(peer):
    data = bytearray()
    while piece := peer.recv(1 << 16):
        data += piece
    return bytes(data)


def test_the_client_ends_first_and_still_gets_the_answer(world, connect, target, way):
    seen, mark = Ends(), world.mark()

    def answer(connection):
        seen.read(connection)
        connection.sendall(b"got " + seen.data)
    serve(target, answer)
    peer = connect(way)
    peer.sendall(b"request")
    peer.end_writing()
    assert read_all(peer) == b"got request" and seen.end == "fin"
    line = world.line(since=mark, client=peer.name)
    assert line["close"] == "done"
    if way == "plain":
        assert (line["bytes_in"], line["bytes_out"]) == (7, 11)


def test_an_end_in_one_piece_with_the_last_bytes_is_passed_on(connect, target):
    """close_notify, behind which the socket stays open: nothing more comes that could draw attention to it."""
    seen = Ends()

    def answer(connection):
        seen.read(connection)
        connection.sendall(b"got " + seen.data)
    serve(target, answer)
    peer = connect("tls")
    peer.tls.write(b"request")
    peer.end_writing()
    assert read_all(peer) == b"got request" and seen.end == "fin"


def test_the_target_ends_first_and_still_gets_the_rest(world, connect, target, way):
    seen = Ends()

    def greet(connection):
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        seen.read(connection)
    serve(target, greet)
    peer = connect(way)
    assert read_all(peer) == b"hello"
    peer.sendall(b"the rest")
    peer.end_writing()
    until(lambda: seen.end, "the target to see the end")
    assert (seen.data, seen.end) == (b"the rest", "fin")


def test_ten_mebibytes_cross_in_both_directions_at_once(connect, target, way):
    def cross(connection):
        sender = threading.Thread(target=connection.sendall, args=(TEN,))
        sender.start()
        seen.read(connection)
        sender.join()
    seen = Ends()
    serve(target, cross)
    peer = connect(way)
    if way == "tls":  # one thread at a time in there
        peer.sendall(TEN)
        got = b""
        while len(got) < len(TEN):
            got += peer.recv(1 << 16)
    else:
        sender = threading.Thread(target=peer.sendall, args=(TEN,))
        sender.start()
        got = b""
        while len(got) < len(TEN):
            got += peer.recv(1 << 16)
        sender.join()
    peer.end_writing()
    assert got == TEN
    until(lambda: seen.end, "the target to see the end")
    assert seen.data == TEN and seen.end == "fin"


def test_a_client_that_does_not_read_stops_the_target(world, connect, target, way):
    sent = [0]

    def pour(connection):
        while sent[0] < LARGE:
            connection.sendall(PIECE)
            sent[0] += len(PIECE)
    serve(target, pour)
    before = memory(world.worker)
    peer = connect(way)
    if way == "tls":
        peer.sendall(b"!")
    assert steady(lambda: sent[0], "the target to be stopped") < BUFFERS
    assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
    if way != "tls":  # enough is seen there, and slow to read in Python
        got = 0
        while piece := peer.recv(1 << 20):
            got += len(piece)
        assert got == LARGE and memory(world.worker) - before < GROWTH


def test_a_target_that_does_not_read_stops_the_client(world, connect, target):
    go, sent, seen = threading.Event(), [0], [0]

    def hold(connection):
        go.wait(20)
        while data := connection.recv(1 << 20):
            seen[0] += len(data)
    serve(target, hold)
    peer, before = connect("plain"), memory(world.worker)

    def pour():
        while sent[0] < LARGE:
            peer.sendall(PIECE)
            sent[0] += len(PIECE)
        peer.end_writing()
    threading.Thread(target=pour).start()
    assert steady(lambda: sent[0], "the client to be stopped") < BUFFERS
    assert memory(world.worker) - before < GROWTH and comes_to_rest(world.worker)
    go.set()
    until(lambda: seen[0] == LARGE, "all to arrive")
    assert memory(world.worker) - before < GROWTH


def test_a_reset_by_the_target_is_a_reset_for_the_client(world, connect, target, way):
    mark = world.mark()

    def slam(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    serve(target, slam)
    peer = connect(way)
    peer.sendall(b"hello")
    with pytest.raises(ConnectionResetError):
        read_all(peer)
    assert world.line(since=mark, client=peer.name)["close"] == "target_closed"


def test_a_reset_by_the_client_is_a_reset_for_the_target(world, connect, target, way):
    mark, seen = world.mark(), Ends()
    serve(target, seen.read)
    peer = connect(way)
    peer.sendall(b"hello")
    until(lambda: seen.data == b"hello", "the bytes to arrive")
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    until(lambda: seen.end, "the target to see the end")
    assert seen.end == "reset" and world.line(since=mark, client=peer.name)["close"] == "client_reset"


def test_a_client_cut_off_without_close_notify_is_no_clean_end_for_the_target(world, connect, target):
    mark, seen = world.mark(), Ends()
    serve(target, seen.read)
    peer = connect("tls")
    peer.sendall(b"transfer 1000")
    until(lambda: seen.data, "the bytes to arrive")
    peer.sock.shutdown(socket.SHUT_WR)
    until(lambda: seen.end, "the target to see the end")
    assert seen.end == "reset" and world.line(since=mark, client=peer.name)["close"] == "client_truncated"


def test_the_clients_end_comes_with_close_notify(connect, target):
    serve(target, lambda connection: connection.sendall(b"bye"))
    assert read_all(connect("tls")) == b"bye"  # a ragged end would be an SSLEOFError


def test_a_tunnel_shows_its_certificate_and_checks_the_other(world, connect, target):
    serve(target, lambda connection: peers.echo(target, connection))
    mark, end_mark = world.mark(), world.end.mark()
    peer = connect("tunnel")
    peer.sendall(b"through")
    assert peer.recv(100) == b"echo:through"
    peer.end_writing()
    assert read_all(peer) == b""
    here, there = world.line(since=mark, client=peer.name), world.end.line(since=end_mark, close="done")
    assert here["target_peer"]["accepted"] and "connect" in here["ms"] and "peer" not in here
    assert there["peer"]["accepted"] and there["peer"]["chain"][0]["subject"] == "CN=good"


def test_an_unreachable_target_ends_the_connection(world):
    mark = world.mark()
    with Client(world.port("dead")) as c:
        assert c.end() == "fin"
    assert world.line(since=mark, listener="dead")["close"] == "target_connect"


def test_another_target_is_tried_when_one_is_unreachable(world, connect, target):
    serve(target, lambda connection: peers.echo(target, connection))
    for _ in range(4):
        peer = connect("half")
        peer.sendall(b"x")
        assert peer.recv(100) == b"echo:x"


def test_weight_0_everywhere_ends_the_connection(world):
    mark = world.mark()
    with Client(world.port("drained")) as c:
        assert c.end() == "fin"
    assert world.line(since=mark, listener="drained")["close"] == "no_target"


def test_relays_leave_nothing_behind(world, connect, target, way):
    serve(target, lambda connection: peers.echo(target, connection))
    before = steady(lambda: descriptors(world.worker), "the relays before to end")
    for _ in range(50):
        peer = connect(way)
        peer.sendall(b"x")
        assert peer.recv(100) == b"echo:x"
        peer.end_writing()
        assert read_all(peer) == b""
        peer.close()
    until(lambda: descriptors(world.worker) <= before, lambda: f"{descriptors(world.worker)} descriptors to become {before}")


def test_a_relay_without_a_byte_ends_and_one_with_bytes_does_not(target, tmp_path):
    serve(target, lambda connection: peers.echo(target, connection))
    config = f"""
listeners: [{{name: plain, protocol: TCP, address: "127.0.0.1:0", target_group: raw}}]
target_groups: {group("raw", target, protocol="TCP")}
access_log: {{file: access.log}}
timeouts: {{relay_idle: 300ms}}
"""
    with running(tmp_path, config) as instance:
        with Client(instance.port("plain")) as busy, Client(instance.port("plain")) as silent:
            busy.send(b"x")
            while not instance.mark():  # until the silent one has ended
                assert busy.sock.recv(100) == b"echo:x"
                busy.send(b"x")
            assert silent.end() == "fin"
            assert busy.sock.recv(100) == b"echo:x"
            assert instance.lines()[0]["close"] == "relay_timeout" and instance.lines()[0]["bytes_in"] == 0
