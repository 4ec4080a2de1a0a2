# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow in every way: each is ended in its time, and the others do not notice (at length: tests/soak/test_soak_slow.py)."""
import pytest

import peers
from crowd import KINDS, Crowd, Idle, Sink, Timed
from instance import until
from processes import ADMIN, Traffic
from traffic import Requests

EACH = 30  # of each kind


def serve(target, connection):
    """GET /N: N bytes."""
    with connection.makefile("rb") as f:
        while lines := peers.read_head(f):
            n = int(lines[0].split(" ")[1][1:])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + n * b"x")


@pytest.fixture
def instance(lb, pki, target):
    with Sink() as sink:
        yield lb(f"""
listeners: [{{name: web, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}],
  rules: [{{domain: localhost, path: /, target_group: web}}, {{domain: localhost, path: /upload, target_group: sink}}]}}]
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{target(serve).port}"}}]}},
  {{name: sink, protocol: HTTP, targets: [{{address: "127.0.0.1:{sink.port}"}}]}}]
access_log: {{file: access.log}}
admin: {ADMIN}
timeouts: {{handshake: 2s, header: 2s, body: 2s, idle: 1m}}
workers: 1
""")


def test_slow_clients_are_ended_in_their_time_and_not_noticed_by_others(instance, pki):
    context = peers.client_context(pki.ca("servers"))
    kept, new = (Timed(Requests(instance.port("web"), context, is_kept)) for is_kept in (True, False))
    with Crowd(instance.port("web"), context, EACH) as crowd, Traffic(kept) as a, Traffic(new) as b:
        slow = {kind.__name__ for kind in KINDS} - {Idle.__name__}
        until(lambda: all(crowd.ended[kind] >= EACH for kind in slow), lambda: f"all to be ended: {crowd.ended}")
    assert not crowd.ended[Idle.__name__] and not crowd.refused
    times = sorted(kept.times + new.times)
    print(f"{len(times)} requests of others, p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {times[len(times) * 99 // 100] * 1000:.0f} ms")
    assert not a.failures + b.failures and len(times) > 100 and times[len(times) * 99 // 100] < 1
    assert {line.get("close") for line in instance.lines()} >= {"handshake_timeout", "header_timeout", "body_timeout", "client_slow"}
