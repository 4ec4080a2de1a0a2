# SPDX-License-Identifier: Apache-2.0
"""Health checks: what makes a target unhealthy and healthy again, how soon, and who gets the work meanwhile."""
import collections
import concurrent.futures
import contextlib
import json
import os
import signal
import time

import grpc
import pytest

import peers
from http_peers import Client, closed_port, group
from instance import run, until
from pki import DAY
from processes import ADMIN, admin_port, get, listener, only
from prometheus import Metrics

CHECK = "interval: 300ms, timeout: 250ms, healthy: 2, unhealthy: 2"
SLACK = 2  # seconds that a busy machine may be late


class Server:
    """An HTTP server: its name to clients, SAYS to health checks, which it keeps the heads of."""

    def __init__(self, name):
        self.name, self.says, self.checks, self.served = name, "200 OK", [], 0

    def __call__(self, target, connection):
        with connection.makefile("rb") as f:
            while lines := peers.read_head(f):
                is_check = "User-Agent: sallyport-health-check" in lines
                if is_check:
                    self.checks.append(lines)
                else:
                    self.served += 1
                if is_check and self.says is None:  # a black hole
                    continue
                says, body = (self.says, b"") if is_check else ("200 OK", self.name.encode())
                connection.sendall(f"HTTP/1.1 {says}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def config(*targets, check="", workers=1, more="", protocol="HTTP", tls="", front="HTTP", certificate=None):
    health = f", health_check: {{{', '.join(filter(None, (CHECK, check)))}}}{tls}"
    return (f"listeners:\n  - {listener(protocol=front, group='app', certificate=certificate)}\n"
            f"target_groups:{group('app', *targets, protocol=protocol, more=health)}\n"
            f"access_log: {{file: access.log}}\nadmin: {ADMIN}\nworkers: {workers}\n{more}")


def ask(instance):
    with Client(instance.port("web")) as client:
        answer = client.ask("/")
        return answer.body.decode() if answer.status == 200 else answer.status


def answers(instance, n=20):
    return collections.Counter(ask(instance) for _ in range(n))


def port_of(target):
    return target if isinstance(target, int) else target.port


def status(instance, target):
    """What /status says of the health of TARGET; {} as long as no worker has told that there is one."""
    rows = json.loads(get(admin_port(instance), "/status")[1])["targets"]
    return next((row.get("health", {}) for row in rows if row["target"].endswith(f":{port_of(target)}")), {})


def becomes(instance, target, state, why=""):
    """Wait until TARGET is in STATE, with a reason that begins with WHY, as /status has it."""
    def has():
        seen = status(instance, target)
        return seen.get("state") == state and seen.get("reason", "").startswith(why)
    until(has, lambda: f"{state} {why!r}: {status(instance, target)}")


def said(instance, target, what):
    """How often the event log says that of TARGET."""
    return instance.stderr().count(f"target 127.0.0.1:{port_of(target)} of app is {what}")


def metric(instance, name, target, **labels):
    return Metrics(get(admin_port(instance), "/metrics")[1].decode()).sum(name, target=f"127.0.0.1:{port_of(target)}", **labels)


def test_a_target_that_fails_gets_no_work_until_it_is_well_again(lb, target):
    one, two = target(Server("one")), target(Server("two"))
    instance = lb(config(one, two, workers=2))
    for t in (one, two):
        becomes(instance, t, "healthy")
    assert set(answers(instance)) == {"one", "two"}
    one.serve.says = "503 Service Unavailable"
    becomes(instance, one, "unhealthy", "HTTP 503")
    served = one.serve.served
    assert answers(instance) == {"two": 20} and one.serve.served == served
    assert metric(instance, "sallyport_target_health", one, state="unhealthy") == 1
    one.serve.says = "204 No Content"
    becomes(instance, one, "healthy")
    until(lambda: ask(instance) == "one", "work for the target that is healthy again")
    assert said(instance, one, "unhealthy: HTTP 503, 2 in a row") == 1
    assert said(instance, one, "healthy: 2 good checks in a row") == 1
    assert metric(instance, "sallyport_target_health_changes_total", one) == 3  # the first check counts
    assert metric(instance, "sallyport_health_checks_total", one, result="failed") >= 2


def test_how_soon_failures_and_recoveries_are_noticed(lb, target):
    """docs/balancing.md: at most interval × unhealthy + timeout; at most interval × healthy and the time of a check."""
    bad, good, took = target(Server("bad")), target(Server("good")), {}
    instance = lb(config(bad, good))
    becomes(instance, bad, "healthy")
    for name, says in (("refusing", "500 Internal Server Error"), ("black-holed", None)):
        begin = time.monotonic()
        bad.serve.says = says
        until(lambda: said(instance, bad, "unhealthy") == len(took) // 2 + 1, "the failure to be noticed")
        took[name] = time.monotonic() - begin
        begin = time.monotonic()
        bad.serve.says = "200 OK"
        until(lambda: said(instance, bad, "healthy: 2 good") == len(took) // 2 + 1, "the recovery to be noticed")
        took[name + ", back"] = time.monotonic() - begin
    print({k: round(v, 2) for k, v in took.items()})
    assert took["refusing"] <= 2 * 0.3 + 0.25 + SLACK and took["black-holed"] <= 2 * 0.3 + 0.25 + SLACK
    assert min(took.values()) >= 0.2  # one result alone does not decide: two are an interval apart, less a tenth
    assert "no answer within 250 ms, 2 in a row" in instance.stderr()


class Flapping(Server):
    """Fails every other check."""

    @property
    def says(self):
        return "200 OK" if len(self.checks) % 2 else "500 No"

    @says.setter
    def says(self, _):
        pass


def test_a_target_that_flaps_faster_than_the_thresholds_stays_as_it_is(lb, target):
    server = target(Flapping("flaps"))
    instance = lb(config(server))
    becomes(instance, server, "healthy")
    until(lambda: len(server.serve.checks) > 7, "checks")
    assert status(instance, server)["state"] == "healthy" and not said(instance, server, "unhealthy")
    assert metric(instance, "sallyport_health_checks_total", server, result="failed") >= 3


def test_a_new_target_waits_until_it_is_healthy(lb, target):
    old, new = target(Server("old")), target(Server("new"))
    new.serve.says = None
    instance = lb(config(old))
    becomes(instance, old, "healthy")
    instance.reload(config(old, new))
    assert answers(instance, 10) == {"old": 10} and not new.serve.served
    new.serve.says = "200 OK"
    becomes(instance, new, "healthy")
    until(lambda: ask(instance) == "new", "work for the new target")
    assert said(instance, old, "healthy") == 1  # known from before the reload


@pytest.mark.parametrize("rule, result", [("serve", {"one", "two"}), ("refuse", {503})])
def test_when_all_are_unhealthy(lb, target, rule, result):
    servers = [target(Server("one")), target(Server("two"))]
    instance = lb(config(*servers, check=f"all_unhealthy: {rule}"))
    for t in servers:
        t.serve.says = "500 No"
    for t in servers:
        becomes(instance, t, "unhealthy")
    assert set(answers(instance)) == result
    until(lambda: f"no target of app is healthy: {'all are' if rule == 'serve' else 'none is'} used" in instance.stderr(), "the warning")
    servers[0].serve.says = "200 OK"
    becomes(instance, servers[0], "healthy")
    assert set(answers(instance)) == {"one"}


def test_what_is_asked_for(lb, target):
    server = target(Server("a"))
    instance = lb(config(server, check='method: GET, path: "/health?full=1", host: app.example, codes: [4xx]'))
    server.serve.says = "404 Not Found"
    becomes(instance, server, "healthy")
    assert server.serve.checks[0] == ["GET /health?full=1 HTTP/1.1", "Host: app.example", "User-Agent: sallyport-health-check", "Connection: close"]
    instance.reload(config(server))
    until(lambda: server.serve.checks[-1][0].startswith("HEAD"), "a check by the new rules")
    assert server.serve.checks[-1][:2] == ["HEAD / HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    becomes(instance, server, "unhealthy", "HTTP 404")  # the state stayed until the new rules spoke against it


def nonsense(data):
    def serve(t, connection):
        connection.recv(4096)
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(data)
                if len(data) < 1000:
                    break
    return serve


@pytest.mark.parametrize("data, why", [
    (b"SSH-2.0-x\r\n\r\n", "its answer is no HTTP/1.1: "),
    (b"HTTP/1.1 200 OK\r\nX: " + 9000 * b"x", "its answer is no HTTP/1.1: "),
    (1000 * b"HTTP/1.1 100 Continue\r\n\r\n", "no answer within 250 ms"),
    (b"", "it closed the connection before its answer"),
    (b"HTTP/1.1 200 ", "it closed the connection before its answer"),
])
def test_hostile_answers(lb, target, data, why):
    server = target(nonsense(data))
    instance = lb(config(server))
    becomes(instance, server, "unhealthy", why)


def drips(t, connection):
    """A good answer, a byte a tenth of a second, for ever."""
    with connection.makefile("rb") as f, contextlib.suppress(OSError):
        peers.read_head(f)
        for byte in b"HTTP/1.1 200 OK\r\nX: ":
            connection.sendall(bytes([byte]))
            time.sleep(0.1)  # what a slow target does


def test_a_target_that_drips_its_answer_does_not_hold_up_the_checks_of_others(lb, target):
    slow, good = target(drips), target(Server("good"))
    instance = lb(config(slow, good))
    becomes(instance, slow, "unhealthy", "no answer within 250 ms")
    becomes(instance, good, "healthy")
    before = len(good.serve.checks)
    until(lambda: len(good.serve.checks) > before + 2, "further checks")
    assert answers(instance) == {"good": 20}


def test_an_answer_is_enough_whatever_comes_behind_it(lb, target):
    """10 MB of a body that nobody asked for, or a connection that is never closed: the check is over, and is the one that ends it."""
    ended = []

    def pours(t, connection):
        with connection.makefile("rb") as f, contextlib.suppress(OSError):
            peers.read_head(f)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + 10000000 * b"x")
            connection.recv(1)
        ended.append(True)
    server = target(pours)
    instance = lb(config(server, check="method: GET"))
    until(lambda: len(ended) > 2, "several checks to be ended")
    until(lambda: metric(instance, "sallyport_health_checks_total", server, result="passed") > 2, "them to be good")


@pytest.mark.parametrize("answer, why", [
    (None, "no TLS handshake within 250 ms"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", ("not a TLS record", "wrong version number")),
    (b"\x15\x03\x03\0\2\2\x28", "alert handshake_failure"),
    (b"", "TLS handshake"),
])
def test_a_target_whose_tls_is_broken(lb, pki, target, answer, why):
    good = target(Server("good"), context=peers.server_context(pki.ca("servers").issue("health-tls", "server", ["DNS:localhost"])))
    bad = target(bytes_server(answer) if answer is not None else lambda t, connection: connection.recv(1 << 16) and connection.recv(1 << 16))
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}"
    instance = lb(config(good, bad, check="type: TLS", protocol="HTTPS", tls=tls))
    becomes(instance, good, "healthy")
    becomes(instance, bad, "unhealthy")
    assert any(each in status(instance, bad)["reason"] for each in ([why] if isinstance(why, str) else why)), status(instance, bad)
    assert answers(instance) == {"good": 20}


def test_a_target_that_is_not_there(lb, target):
    held, port = closed_port()
    with held:
        instance = lb(config(port, target(Server("there")), check="type: TCP"))
        becomes(instance, port, "unhealthy", f"connect to 127.0.0.1:{port}: Connection refused")
        assert answers(instance) == {"there": 20}
        assert metric(instance, "sallyport_target_failures_total", port) <= 1  # at the very start, perhaps


def bytes_server(answer):
    def serve(t, connection):
        t.received += connection.recv(100)
        connection.sendall(answer)
    return serve


@pytest.mark.parametrize("check, answer, state", [
    ('send: "PING\\r\\n", expect: "+PONG"', b"+PONG\r\n", "healthy"),
    ('send: "PING\\r\\n", expect: "+PONG"', b"-LOADING", "unhealthy"),
    ('send: "00ff41", expect: "ff00", encoding: hex', b"\xff\0", "healthy"),
    ('send: "00ff41", expect: "ff00", encoding: hex', b"\xff\1", "unhealthy"),
    ('send: x', b"anything", "healthy"),
    ('send: x, expect: "long"', b"lon", "unhealthy"),
])
def test_custom_checks(lb, target, check, answer, state):
    server = target(bytes_server(answer))
    instance = lb(config(server, check=f"type: CUSTOM, {check}", protocol="TCP", front="TCP"))
    becomes(instance, server, state, "its answer is not what is expected" if answer in (b"-LOADING", b"\xff\1") else "")
    assert server.received.startswith({"send: \"P": b"PING\r\n", "send: \"0": b"\0\xffA", "send: x": b"x"}[check[:8].rstrip(",")])


def test_targets_that_expect_the_proxy_protocol_are_told_that_it_is_nobody(lb, target):
    server = target(bytes_server(b"+PONG"))
    instance = lb(config(server, check="type: CUSTOM, send: PING", protocol="TCP", front="TCP", tls=", proxy_protocol: v2"))
    becomes(instance, server, "healthy")
    assert server.received.startswith(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PING")


class Grpc:
    """A server of gRPC whose health service says STATUS for the service `app`; others are unknown to it."""

    def __init__(self, credentials=None):
        self.status, self.asked, self.refuses = 1, [], None
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(self.check)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),))
        self.port = (self.server.add_secure_port("127.0.0.1:0", credentials) if credentials
                     else self.server.add_insecure_port("127.0.0.1:0"))
        self.server.start()

    def check(self, request, context):
        self.asked.append(request)
        if request not in (b"", b"\x0a\x03app"):
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        if self.refuses:
            context.abort(self.refuses, "as the test wants it")
        return b"\x08" + bytes([self.status])


@pytest.fixture
def grpc_server():
    started = []

    def start(*args):
        started.append(Grpc(*args))
        return started[-1]
    yield start
    for each in started:
        each.server.stop(0).wait()


def test_a_target_of_grpc_says_itself_how_it_is(lb, grpc_server):
    server = grpc_server()
    instance = lb(config(server.port, check="type: GRPC, service: app"))
    becomes(instance, server.port, "healthy")
    assert server.asked[0] == b"\x0a\x03app"
    server.status = 2
    becomes(instance, server.port, "unhealthy", "it says that it is not serving")
    instance.reload(config(server.port, check="type: GRPC"))
    server.status = 1
    becomes(instance, server.port, "healthy")
    instance.reload(config(server.port, check="type: GRPC, service: other"))
    becomes(instance, server.port, "unhealthy", "gRPC status 5")


@pytest.mark.parametrize("keys, refuses, state", [
    ('statuses: "5,14-16"', grpc.StatusCode.UNAVAILABLE, "healthy"),
    ('statuses: "5,15"', grpc.StatusCode.UNAVAILABLE, "unhealthy"),
    ('statuses: "12"', None, "unhealthy"),  # 0 is none of them
    ('call: /other.Service/Method, statuses: "12"', None, "healthy"),  # as CLB checks: it is there, and has no such method
    ("call: /other.Service/Method", None, "unhealthy"),
    ("call: /grpc.health.v1.Health/Check", None, "healthy"),
])
def test_the_statuses_of_grpc_that_are_good(lb, grpc_server, keys, refuses, state):
    server = grpc_server()
    server.refuses, server.status = refuses, 1
    instance = lb(config(server.port, check=f"type: GRPC, {keys}"))
    becomes(instance, server.port, state, "gRPC status " if state == "unhealthy" else "")


def test_grpc_over_tls_with_certificates_on_both_sides(lb, pki, grpc_server):
    certificate = pki.ca("servers").issue("health-grpc", "server", ["DNS:localhost"])
    pairs = [(certificate.key_file.read_bytes(), certificate.crt.read_bytes())]
    server = grpc_server(grpc.ssl_server_credentials(pairs, pki.ca("clients").crt.read_bytes(), require_client_auth=True))
    own = pki.ca("clients").issue("health-grpc-own", "client")
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost, certificate: {own.crt}, key: {own.key_file}}}"
    instance = lb(config(server.port, check="type: GRPC", protocol="HTTPS", tls=tls))
    becomes(instance, server.port, "healthy")
    assert b"" in server.asked


@pytest.mark.parametrize("answer, why", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "its answer is no HTTP/2: "),
    (b"", "it closed the connection before its answer"),
    (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\3\0\0\0\0\1\0\0\0\7", "no answer of gRPC"),  # SETTINGS, RST_STREAM
])
def test_hostile_answers_to_grpc(lb, target, answer, why):
    server = target(nonsense(answer))
    instance = lb(config(server, check="type: GRPC"))
    becomes(instance, server, "unhealthy", why)


@pytest.mark.parametrize("kind", ["TLS", "HTTPS"])
def test_a_certificate_that_is_refused_makes_a_target_unhealthy(lb, pki, target, kind):
    good, bad = (pki.ca("servers").issue(f"health-{n}", "server", ["DNS:localhost"], not_after=end) for n, end in (("good", DAY), ("bad", -DAY / 2)))
    good = target(Server("good"), context=peers.server_context(good))
    other = target(Server("other"), context=peers.server_context(bad))
    tls = f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}"
    instance = lb(config(good, other, check=f"type: {kind}", protocol="HTTPS", tls=tls))
    becomes(instance, good, "healthy")
    becomes(instance, other, "unhealthy", "its certificate is refused: expired")
    assert answers(instance) == {"good": 20}


def mutual(lb, pki, target, engine, versions=("1.2", "1.3"), own="clients"):
    clients = pki.ca("clients")
    server = pki.ca("servers").issue("health-mutual", "server", ["DNS:localhost"])
    own = pki.ca(own).issue(f"health-{own}", "client")
    servers = [target(Server(v), context=peers.server_context(server, clients, v)) for v in versions]
    tls = (f", tls: {{ca: [{pki.ca('servers').crt}], name: localhost, certificate: {own.crt}, key: {own.key_file}, engine: {engine}}}")
    return lb(config(*servers, protocol="HTTPS", tls=tls)), servers


def test_where_we_show_a_certificate_the_checks_show_it(lb, pki, target):
    instance, servers = mutual(lb, pki, target, "native")
    for t in servers:
        becomes(instance, t, "healthy")
        assert t.serve.checks  # HTTPS: the request came through
    instance.reload(instance.file.read_text())
    for t in servers:
        before = len(t.serve.checks)
        until(lambda: len(t.serve.checks) > before, "a check with the keys of the new generation")


def test_a_target_that_refuses_our_certificate_is_unhealthy(lb, pki, target):
    instance, servers = mutual(lb, pki, target, "native", own="strangers")
    for t in servers:
        becomes(instance, t, "unhealthy")


def test_where_libssl_has_the_key_a_handshake_goes_as_far_as_the_targets_certificate(lb, pki, target):
    instance, servers = mutual(lb, pki, target, "openssl")
    for t in servers:
        becomes(instance, t, "healthy")
    assert set(answers(instance)) == {"1.2", "1.3"}


def test_the_states_outlive_control_and_it_goes_on(lb, target):
    one, two = target(Server("one")), target(Server("two"))
    instance = lb(config(one, two, workers=2))
    becomes(instance, two, "healthy")
    one.serve.says = "503 No"
    becomes(instance, one, "unhealthy")
    control = only(instance.pids("control"))
    os.kill(control, signal.SIGSTOP)  # it is as good as dead, and stays so
    for pid in instance.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(instance.pids("worker")) == 2, "new workers")
    until(lambda: ask_or_none(instance) == "two", "their first answer")
    served = one.serve.served
    assert answers(instance) == {"two": 20} and one.serve.served == served
    os.kill(control, signal.SIGKILL)
    until(lambda: [p for p in instance.pids("control") if p != control], "another control")
    assert answers(instance) == {"two": 20}
    until(lambda: status(instance, one).get("state") == "unhealthy", "the state that was known")
    one.serve.says = "200 OK"
    becomes(instance, one, "healthy")
    assert said(instance, two, "healthy") == 1  # not anew


def ask_or_none(instance):
    with contextlib.suppress(OSError, AssertionError, ValueError):
        return ask(instance)
    return None


def test_status_shows_it(lb, target):
    server, unchecked = target(Server("a")), target(Server("b"))
    server.serve.says = "500 No"
    instance = lb(config(server, more="").replace("target_groups:", f"target_groups:{group('plain', unchecked)}"))
    becomes(instance, server, "unhealthy")
    shown = run("status", "--admin", f"127.0.0.1:{admin_port(instance)}").stdout
    row = next(line for line in shown.splitlines() if f":{server.port} " in line)
    assert row.split()[2] == "unhealthy" and "HTTP 500" in shown
    assert "unchecked" in next(line for line in shown.splitlines() if f":{unchecked.port} " in line)


@pytest.mark.parametrize("keys, why", [
    ("type: TLS", "needs a group of protocol HTTPS or TCP_SSL"),
    ("interval: 1s, timeout: 1s", "timeout must be shorter than its interval"),
    ("interval: 99ms", "accepted: 100ms to 5m"),
    ("type: TCP, path: /x", "path is of no use to a health check of type TCP"),
    ("path: x", "begins with /"),
    ('path: "/a b"', "begins with /"),
    ('host: "a\\r\\nb"', "host name or address of visible ASCII"),
    ("type: CUSTOM", "needs send, expect, or both"),
    ("type: CUSTOM, send: abc, encoding: hex", "write pairs of hexadecimal digits"),
    ('type: GRPC, statuses: "1-"', 'as "0", "12,14" or "0-99"'),
    ("type: GRPC, call: Check", "/package.Service/Method"),
    ("type: GRPC, call: /a/b, service: c", "remove it, or call"),
    ("codes: [6xx]", "accepted: 1xx, 2xx, 3xx, 4xx, 5xx"),
    ("healthy: 11", "accepted: 1 to 10"),
])
def test_contradictions_are_refused(tmp_path, keys, why):
    file = tmp_path / "sallyport.yaml"
    file.write_text(f"listeners:\n  - {listener(group='app')}\n"
                    f"target_groups:{group('app', 1, more=f', health_check: {{{keys}}}')}\n")
    result = run("check", "-c", file)
    assert result.returncode == 1 and why in result.stdout + result.stderr, result
