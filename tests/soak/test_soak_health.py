# SPDX-License-Identifier: Apache-2.0
"""Targets that come and go under load: no request fails, and none reaches a target that is known not to be well."""
import json
import time

import peers
from instance import until
from processes import ADMIN, Traffic, admin_port, get
from soak import figures, metrics, spread
from traffic import Requests

SECONDS = 30
INTERVAL, TIMEOUT, TIMES = 0.3, 0.25, 2


class Server:
    """Answers requests, and checks with SAYS."""

    def __init__(self):
        self.says, self.served, self.connections = b"200 OK", 0, set()

    def __call__(self, target, connection):
        self.connections.add(connection)
        with connection.makefile("rb") as f:
            while lines := peers.read_head(f):
                is_check = "User-Agent: sallyport-health-check" in lines
                self.served += not is_check
                connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % (self.says if is_check else b"200 OK"))
        self.connections.discard(connection)


def config(pki, targets):
    return f"""
listeners: [{{name: web, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}],
  rules: [{{domain: localhost, path: /, target_group: app}}]}}]
target_groups: [{{name: app, protocol: HTTP, targets: [{', '.join(f'{{address: "127.0.0.1:{t.port}"}}' for t in targets)}],
  health_check: {{interval: {INTERVAL * 1000:.0f}ms, timeout: {TIMEOUT * 1000:.0f}ms, healthy: {TIMES}, unhealthy: {TIMES}}}}}]
access_log: {{file: access.log}}
admin: {ADMIN}
workers: 2
"""


def becomes(instance, target, state):
    """Seconds until TARGET is in STATE."""
    def has():
        rows = json.loads(get(admin_port(instance), "/status")[1])["targets"]
        return any(row["target"].endswith(f":{target.port}") and row.get("health", {}).get("state") == state for row in rows)
    began = time.monotonic()
    until(has, f"{target.port} to be {state}")
    return time.monotonic() - began


def vanish(target):
    """As a program that is stopped in good order: it takes no connection and ends those that are idle."""
    target.close()
    for connection in list(target.serve.connections):
        connection.shutdown(0)  # no further request; the answer under way goes out


def test_targets_come_and_go_under_load(lb, pki, target):
    servers = [target(Server()) for _ in range(3)]
    _, flapping, stopped = servers
    instance = lb(config(pki, servers))
    for each in servers:
        becomes(instance, each, "healthy")
    context, detected, recovered, known_dead = peers.client_context(pki.ca("servers")), [], [], 0
    requests = [Requests(instance.port("web"), context, is_kept) for is_kept in (True, False)]
    end = time.monotonic() + SECONDS
    with Traffic(requests[0], n=4) as a, Traffic(requests[1], n=2) as b:
        while time.monotonic() < end:
            flapping.serve.says = b"503 Service Unavailable"
            detected.append(becomes(instance, flapping, "unhealthy"))
            b.goes_on(10)  # whose target had been chosen before
            served = flapping.serve.served
            a.goes_on(200)
            known_dead += flapping.serve.served - served
            flapping.serve.says = b"200 OK"
            recovered.append(becomes(instance, flapping, "healthy"))

            vanish(stopped)
            detected.append(becomes(instance, stopped, "unhealthy"))
            a.goes_on(50)
            again = peers.Target(stopped.serve, port=stopped.port)
            recovered.append(becomes(instance, again, "healthy"))
            stopped = again
    stopped.close()
    m = metrics(instance)
    figures(f"{len(detected)} failures of targets in {SECONDS} s", requests=len(a.sent) + len(b.sent), failed=len(a.failures + b.failures),
            to_targets_known_dead=known_dead, detected_after=spread(detected), recovered_after=spread(recovered),
            changes=int(m.sum("sallyport_target_health_changes_total")), second_attempts=int(m.sum("sallyport_target_failures_total")))
    assert not a.failures + b.failures and known_dead == 0, (a.failures[:3], b.failures[:3])
    # docs/balancing.md: interval × unhealthy + timeout; interval × healthy and the time that a check takes; and a busy machine
    assert sorted(detected)[len(detected) // 2] <= INTERVAL * TIMES + TIMEOUT and sorted(recovered)[len(recovered) // 2] <= INTERVAL * TIMES + 0.1
