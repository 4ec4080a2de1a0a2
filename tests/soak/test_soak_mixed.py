# SPDX-License-Identifier: Apache-2.0
"""Everything at once, for SOAK_MINUTES: every protocol, reloads, a target that flaps, workers that are killed. What fails has a reason."""
import contextlib
import os
import signal
import threading
import time

import peers
from http2_peers import Closed, Http2
from instance import until
from processes import ADMIN, Traffic, only, status
from soak import MIB, Watch, figures, metrics
from traffic import Lost, Requests, connections, echo

SECONDS = float(os.environ.get("SOAK_MINUTES", "1")) * 60
RELOAD_EVERY, KILL_EVERY, ROUNDS = 3, 20, 300


class Server:
    """Answers requests, and checks with SAYS."""

    def __init__(self):
        self.says = b"200 OK"

    def __call__(self, target, connection):
        with connection.makefile("rb") as f:
            while lines := peers.read_head(f):
                is_check = "User-Agent: sallyport-health-check" in lines
                connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\n%b" % (
                    (self.says if is_check else b"200 OK"), b"" if lines[0].startswith("HEAD") else b"ok"))


def config(pki, web, raw, generation):
    mutual = f'certificates: [{pki.server.yaml()}], authentication: mutual, client_ca: [{pki.ca("clients").crt}]'
    targets = ", ".join(f'{{address: "127.0.0.1:{t.port}", weight: {10 + generation % 3}}}' for t in web)
    return f"""
listeners:
  - {{name: web, protocol: HTTPS, address: "127.0.0.1:0", {mutual}, rules: [{{domain: localhost, path: /, target_group: web}}]}}
  - {{name: relay, protocol: TCP_SSL, address: "127.0.0.1:0", {mutual}, target_group: raw}}
  - {{name: plain, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: localhost, path: /, target_group: web}}]}}
target_groups:
  - {{name: web, protocol: HTTP, targets: [{targets}], health_check: {{interval: 500ms, timeout: 400ms, healthy: 2, unhealthy: 2}}}}
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{raw.port}"}}], health_check: {{}}}}
access_log: {{file: access.log}}
admin: {ADMIN}
workers: 2
"""


class Http2Requests:
    """GETs for `processes.Traffic`, on one connection per thread until the server says that it is to end."""

    def __init__(self, port, pki):
        self.port, self.pki, self.held = port, pki, threading.local()

    def _open(self):
        try:
            return Http2(self.port, self.pki, certificate=self.pki.good)
        except (OSError, peers.Refused) as e:
            raise Lost(0, e) from e

    def __call__(self, path):
        client = getattr(self.held, "client", None)
        if not client or client.goaways:
            if client:
                client.sock.close()
            client = self.held.client = self._open()
        port = int(client.name.rpartition(":")[2])
        try:
            answer = client.ask(path)
            return answer.status, answer.body
        except (Closed, OSError) as e:
            self.held.client = None
            client.sock.close()
            if client.goaways and client.next_id - 2 > client.goaways[-1].last_stream_id:
                return self(path)  # RFC 9113 §6.8: it was not looked at
            raise Lost(port, e) from e


class RelayRounds:
    """Rounds over a relay per thread, a new one after ROUNDS of them."""

    def __init__(self, port, context):
        self.port, self.context, self.held = port, context, threading.local()

    def __call__(self, path):
        if not getattr(self.held, "tls", None):
            try:
                self.held.tls, self.held.left = peers.connect(self.port, self.context, timeout=30), ROUNDS
            except (OSError, peers.Refused) as e:
                raise Lost(0, e) from e
        tls, data, answer = self.held.tls, path.encode(), b""
        port = tls.getsockname()[1]
        try:
            tls.sendall(data)
            while len(answer) < len(data) and (piece := tls.recv(1000)):
                answer += piece
        except OSError as e:
            self.held.tls = None
            raise Lost(port, e) from e
        self.held.left -= 1
        if answer != data or not self.held.left:
            tls.close()
            self.held.tls = None
        if answer != data:
            raise Lost(port, f"{answer!r}")
        return 200, answer


def kill_worker_0(instance, ports):
    """The clients' ports of what it held."""
    pid = only(instance.pids("worker 0"))
    os.kill(pid, signal.SIGSTOP)  # so that what it holds stays what it holds
    until(lambda: status(pid)["State"][0] == "T", "it to stop")
    held = set().union(*(connections(pid, port) for port in ports))
    os.kill(pid, signal.SIGKILL)
    until(lambda: [p for p in instance.pids("worker 0") if p != pid], "its successor")
    return held


def test_everything_at_once(lb, pki, target):
    web, raw = [target(Server()) for _ in range(3)], target(echo)
    instance = lb(config(pki, web, raw, 0))
    context, ports = peers.client_context(pki.ca("servers"), pki.good), [instance.port(n) for n in ("web", "relay", "plain")]
    kinds = {"h1": Requests(ports[0], context, True), "h1, new": Requests(ports[0], context, False), "h2": Http2Requests(ports[0], pki),
             "relays": RelayRounds(ports[1], context)}
    with Watch(instance) as watch, contextlib.ExitStack() as stack:
        del watch.samples[only(instance.pids("worker 0"))]  # which is killed
        traffic = {name: stack.enter_context(Traffic(ask)) for name, ask in kinds.items()}
        end, doomed, reloads, kills, last_kill = time.monotonic() + SECONDS, set(), 0, 0, time.monotonic()
        while time.monotonic() < end:
            reloads += 1
            instance.reload(config(pki, web, raw, reloads))
            web[1].serve.says = b"503 No" if web[1].serve.says == b"200 OK" else b"200 OK"
            if time.monotonic() - last_kill > KILL_EVERY:
                doomed |= kill_worker_0(instance, ports)
                kills, last_kill = kills + 1, time.monotonic()
            time.sleep(RELOAD_EVERY)  # how often, and not a wait
    failures = {name: [why for _, why in t.failures] for name, t in traffic.items()}
    unexplained = {name: [w for w in whys if not isinstance(w, Lost) or w.port not in doomed] for name, whys in failures.items()}
    m = metrics(instance)
    watch.tell(f"{SECONDS / 60:g} minutes of everything", requests={name: len(t.sent) for name, t in traffic.items()}, reloads=reloads, kills=kills,
               of_the_killed=len(doomed), failed={n: len(w) for n, w in failures.items()}, unexplained={n: len(w) for n, w in unexplained.items()},
               health_changes=int(m.sum("sallyport_target_health_changes_total")))
    assert not any(unexplained.values()), {n: w[:3] for n, w in unexplained.items()}
    grown, fds = watch.growth(), watch.growth(2)
    assert all(n < 2 * MIB for n in grown.values()) and all(n < 40 for n in fds.values()), (grown, fds)
