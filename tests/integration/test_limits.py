# SPDX-License-Identifier: Apache-2.0
"""Limits of listeners and rules: all workers together keep them, and who is within them notices nothing."""
import os
import signal
import socket
import time

import pytest

import peers
from http_peers import Client, Scripted, group, header, running
from instance import until
from processes import ADMIN, admin_port, get
from prometheus import Metrics

PROXY = "proxy_protocol: {accept_from: [127.0.0.0/8]}"
RULES = """rules: [{domain: localhost, path: /, target_group: web},
      {domain: localhost, path: /few/, limits: {max_rps: 5}, target_group: web},
      {domain: localhost, path: /each/, limits: {per_source: {max_rps: 3}}, respond: {status: 200}}]"""


@pytest.fixture
def world(pki, tmp_path):
    target = Scripted()
    raw = peers.Target(peers.echo)
    config = f"""
listeners:
  - {{name: conn, protocol: TCP, address: "127.0.0.1:0", limits: {{max_conn: 5}}, target_group: raw}}
  - {{name: tls, protocol: HTTPS, address: "127.0.0.1:0", limits: {{max_conn: 2}}, certificates: [{pki.server.yaml()}], {RULES}}}
  - {{name: cps, protocol: HTTP, address: "127.0.0.1:0", limits: {{max_cps: 4}}, {RULES}}}
  - {{name: source, protocol: HTTP, address: "127.0.0.1:0", {PROXY}, limits: {{max_conn: 6, per_source: {{max_conn: 2, max_cps: 100}}}}, {RULES}}}
  - {{name: rps, protocol: HTTP, address: "127.0.0.1:0", {PROXY}, {RULES}}}
target_groups:
  {group("web", target)}
  {group("raw", raw, protocol="TCP")}
access_log: {{file: access.log}}
admin: {ADMIN}
workers: 2
"""
    with running(tmp_path, config, target, raw) as instance:
        instance.target = target
        yield instance


def limited(world, listener, limit):
    _, body = get(admin_port(world), "/metrics")
    return Metrics(body.decode()).sum("sallyport_limited_total", listener=listener, limit=limit)


def echoing(world, listener="conn"):
    """A connection that was let in, or None."""
    try:
        sock = socket.create_connection(("127.0.0.1", world.port(listener)), 10)
        sock.sendall(b"x")
        return sock if sock.recv(6) == b"echo:x" else None
    except ConnectionError:
        return None


def test_max_conn_counts_in_all_workers_and_what_ends_makes_room(world):
    held = [echoing(world) for _ in range(5)]
    assert all(held)
    assert not any(echoing(world) for _ in range(10))
    held.pop().close()
    until(lambda: echoing(world), "room for one more")
    assert limited(world, "conn", "max_conn") >= 10
    for sock in held:
        sock.sendall(b"y")
        assert sock.recv(6) == b"echo:y"


def test_a_worker_that_dies_leaves_nothing_counted(world):
    held = [echoing(world) for _ in range(5)]
    assert all(held) and not echoing(world)
    world.expect_error("was killed by signal 9")
    old = world.pids("worker")
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len([p for p in world.pids("worker") if p not in old]) == 2, "other workers")
    held = []

    def fill():
        held.extend(filter(None, [echoing(world)]))
        return len(held) == 5
    until(fill, "room for five")
    assert not echoing(world)


def test_a_tls_client_beyond_the_limit_is_closed_before_its_handshake(world, pki):
    context = peers.client_context(pki.ca("servers"))
    with peers.connect(world.port("tls"), context) as one, peers.connect(world.port("tls"), context):
        with pytest.raises((ConnectionError, peers.Refused)):
            peers.connect(world.port("tls"), context)
        assert peers.ask(one)[0] == 200


def test_max_cps_is_a_burst_and_then_the_rate(world):
    def is_answered():
        try:
            with Client(world.port("cps")) as c:
                return c.ask("/").status == 200
        except ConnectionError:
            return False

    assert sum(is_answered() for _ in range(20)) in (4, 5)  # the burst, and perhaps one that the time brought
    end, passed = time.monotonic() + 2, 0
    while time.monotonic() < end:
        passed += is_answered()
    assert 6 <= passed <= 10  # four a second
    assert limited(world, "cps", "max_cps") > 10


def test_each_source_has_its_share(world):
    held = []

    def is_let_in(address):
        try:
            held.append(Client(world.port("source")))
            held[-1].send(f"PROXY TCP4 {address} 192.0.2.1 1 1\r\n")
            return held[-1].ask("/").status == 200
        except ConnectionError:
            return False

    assert [is_let_in("198.51.100.1") for _ in range(4)] == [True, True, False, False]
    assert [is_let_in("198.51.100.2") for _ in range(3)] == [True, True, False]
    assert is_let_in("198.51.100.3") and is_let_in("198.51.100.4")
    assert not is_let_in("198.51.100.5")  # the listener's own limit
    assert limited(world, "source", "per_source.max_conn") == 3 and limited(world, "source", "max_conn") == 1
    for client in held:
        client.sock.close()


def test_requests_beyond_a_rules_rate_get_429_and_the_connection_stays(world):
    with Client(world.port("rps")) as c:
        c.send("PROXY UNKNOWN\r\n")
        mark = world.mark()
        got = [c.ask("/few/").status for _ in range(20)]
        assert got[:5] == [200] * 5 and got.count(200) in (5, 6) and set(got) == {200, 429}
        line = world.line(since=mark, status=429)
        assert (line["close"], line["detail"], line["rule"]["path"]) == ("limited", "max_rps", "/few/")
        assert c.ask("/").status == 200  # another rule
        calls = len(world.target.calls)
        refused = c.ask("/few/")
        assert (refused.status, header(refused, "Retry-After")) == (429, "1") and len(world.target.calls) == calls


def test_requests_of_each_source(world):
    def statuses(address, n):
        with Client(world.port("rps")) as c:
            c.send(f"PROXY TCP6 {address} 2001:db8:f::1 1 1\r\n")
            return [c.ask("/each/").status for _ in range(n)]

    assert statuses("2001:db8::1", 5) == [200, 200, 200, 429, 429]
    assert statuses("2001:db8::2", 1) == [429]  # the same /64
    assert statuses("2001:db8:0:1::1", 3) == [200, 200, 200]
