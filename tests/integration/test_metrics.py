# SPDX-License-Identifier: Apache-2.0
"""/metrics: the numbers are those of the traffic, whatever happened to workers and configurations meanwhile."""
import datetime
import os
import signal
import socket
import time

import pytest

import peers
from http_peers import Client
from instance import until
from matrix import REFUSED, Cases
from processes import ADMIN, KILLED, Gate, admin_port, config, get, kill, listener, only
from prometheus import Metrics


def metrics(instance):
    code, body = get(admin_port(instance), "/metrics")
    assert code == 200
    return Metrics(body.decode())


def reaches(instance, n, name, **labels):
    """Wait until the sum is N: what a client has seen the end of is counted a moment later."""
    until(lambda: metrics(instance).sum(name, **labels) == n, lambda: f"{name} {labels} = {n}: {metrics(instance).sum(name, **labels)}")


def ask(port, path="/", n=1):
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            peers.ask(s, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def secured(pki, cases, web):
    """Two listeners, one of which asks for certificates."""
    names = f"client_ca: [{', '.join(map(str, cases.cas()))}], revocation: {{crl: [{', '.join(map(str, cases.crls()))}], policy: hard}}"
    common = f'protocol: HTTPS, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}], rules: [{{domain: localhost, path: /, target_group: web}}]'
    return f"""
listeners:
  - {{name: open, {common}, authentication: one-way}}
  - {{name: asks, {common}, authentication: mutual, {names}, client_names: ["DNS:*.example"]}}
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web.port}"}}]}}
admin: {ADMIN}
workers: 2
"""


@pytest.fixture(scope="module")
def cases(pki):
    return Cases(pki, "client", "counted")


def test_the_text_is_what_prometheus_reads_and_says_what_is_in_force(lb, target):
    instance = lb(config(listener("web"), listener("relay", "TCP", "raw"), web=target(), raw=target(peers.echo), workers=2, admin=ADMIN))
    m = metrics(instance)
    assert m["sallyport_generation", frozenset()] == 1
    for name, protocol in (("web", "HTTP"), ("relay", "TCP")):
        assert m.sum("sallyport_listener_info", listener=name, protocol=protocol, address=f"127.0.0.1:{instance.port(name)}") == 1
    assert {m.sum("sallyport_worker_pid", worker=str(i)) for i in range(2)} == set(instance.pids("worker"))
    assert abs(m["sallyport_start_time_seconds", frozenset()] - time.time()) < 60


def test_requests_are_counted_by_listener_group_and_status(lb, target):
    web, raw = target(), target(peers.echo)
    instance = lb(config(listener("web"), listener("relay", "TCP", "raw"), web=web, raw=raw, workers=2, admin=ADMIN))
    ask(instance.port("web"), n=20)
    with Client(instance.port("web")) as c:
        assert c.send("GET / HTTP/1.1\r\nHost: localhost\r\nHost: twice\r\n\r\n").response().status == 400
    with socket.create_connection(("127.0.0.1", instance.port("relay"))) as s:
        s.sendall(b"12345")
        assert s.recv(100) == b"echo:12345"
        s.shutdown(socket.SHUT_WR)
        while s.recv(100):
            pass
    reaches(instance, 20, "sallyport_requests_total", listener="web", target_group="web", status="2xx")
    reaches(instance, 1, "sallyport_relays_total", listener="relay", target_group="raw")
    reaches(instance, 0, "sallyport_connections_open")
    m = metrics(instance)
    assert m.sum("sallyport_requests_total") == 21 and m.sum("sallyport_requests_total", status="4xx") == 1
    assert ("sallyport_requests_total", frozenset({("listener", "web"), ("status", "4xx")})) in m  # of no group
    assert m.sum("sallyport_request_duration_seconds_count", target_group="web") == 20
    assert m.sum("sallyport_bytes_total", listener="relay", direction="in") == 5
    assert m.sum("sallyport_bytes_total", listener="relay", direction="out") == 10
    assert m.sum("sallyport_connections_total", listener="web") == 21
    assert m.sum("sallyport_target_requests_total", target=f"127.0.0.1:{web.port}") == 20


def test_a_slow_request_is_in_the_bucket_of_its_time_and_open_while_it_lasts(lb, target):
    gate = Gate()
    instance = lb(config(listener("web"), web=target(gate), admin=ADMIN))
    with Client(instance.port("web")) as c:
        c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        m = metrics(instance)
        assert m.sum("sallyport_connections_open", listener="web") == m.sum("sallyport_worker_connections_open") == 1
        assert m.sum("sallyport_target_connections_open") == 1 and m.sum("sallyport_requests_total") == 0
        begin = time.monotonic()
        until(lambda: time.monotonic() > begin + 0.05, "50 ms of a request")
        gate.opened.set()
        assert c.response().status == 200
    reaches(instance, 1, "sallyport_request_duration_seconds_count")
    m = metrics(instance)
    assert m.sum("sallyport_request_duration_seconds_bucket", le="0.02") == 0
    assert m.sum("sallyport_request_duration_seconds_bucket", le="10") == 1
    assert 0.05 <= m.sum("sallyport_request_duration_seconds_sum") < 10


def test_what_fails_because_of_a_target_is_counted_for_that_target(lb, target):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        refusing = gone.getsockname()[1]
    good = target()
    text = config(listener("web"), web=good, admin=ADMIN).replace(
        f'{{address: "127.0.0.1:{good.port}"}}', f'{{address: "127.0.0.1:{good.port}"}}, {{address: "127.0.0.1:{refusing}"}}')
    assert str(refusing) in text
    instance = lb(text)
    ask(instance.port("web"), n=4)
    reaches(instance, 4, "sallyport_target_requests_total", target=f"127.0.0.1:{good.port}")
    m = metrics(instance)
    assert m.sum("sallyport_requests_total", status="2xx") == 4  # the other target was tried then
    assert m.sum("sallyport_target_failures_total", target=f"127.0.0.1:{refusing}", reason="target_connect") >= 1
    assert m.sum("sallyport_target_failures_total", target=f"127.0.0.1:{good.port}") == 0


def test_a_target_that_closes_early_is_counted(lb, target):
    def hang_up(t, connection):
        peers.read_head(connection.makefile("rb"))
    instance = lb(config(listener("web"), web=target(hang_up), admin=ADMIN))
    ask(instance.port("web"))
    reaches(instance, 1, "sallyport_target_failures_total", reason="target_closed")
    assert metrics(instance).sum("sallyport_requests_total", status="5xx") == 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_each_reason_to_refuse_a_client_has_its_series(lb, pki, cases, target, version):
    instance = lb(secured(pki, cases, target()))
    expected = {case: reason for case, (reason, _) in REFUSED.items()}
    expected |= {"wrong_name": "wrong_name", "stale_crl": "revocation_unknown"}
    counts = {}
    for case, reason in expected.items():
        with pytest.raises(peers.Refused):
            peers.get(instance.port("asks"), pki.ca("servers"), cases.certificates[case], version)
        counts[reason] = counts.get(reason, 0) + 1
        reaches(instance, counts[reason], "sallyport_handshakes_total", listener="asks", version=f"TLSv{version}", result="refused", reason=reason)
    with pytest.raises(peers.Refused):
        peers.get(instance.port("asks"), pki.ca("servers"), None, version)
    reaches(instance, 1, "sallyport_handshakes_total", listener="asks", result="refused", reason="no_certificate")
    assert metrics(instance).sum("sallyport_handshakes_total", result="refused") == len(expected) + 1
    assert metrics(instance).sum("sallyport_handshakes_total", result="accepted") == 0


def test_handshakes_that_fail_otherwise_are_counted_by_close_reason(lb, pki, cases, target):
    instance = lb(secured(pki, cases, target()))
    port = instance.port("open")
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while s.recv(100):
            pass
    reaches(instance, 1, "sallyport_handshakes_total", listener="open", version="none", result="failed", reason="handshake_not_tls")
    with pytest.raises(Exception):
        peers.get(port, pki.ca("strangers"))  # does not know our CA, and says so
    reaches(instance, 1, "sallyport_handshakes_total", listener="open", result="failed", reason="handshake_alert")
    with socket.create_connection(("127.0.0.1", port), 10):
        pass  # no byte: a health check of somebody else's
    reaches(instance, 3, "sallyport_connections_total", listener="open")
    assert metrics(instance).sum("sallyport_handshakes_total") == 2


def test_resumption_and_groups_are_told_apart(lb, pki, cases, target):
    instance = lb(secured(pki, cases, target()))
    context = peers.client_context(pki.ca("servers"), version="1.2")
    with peers.connect(instance.port("open"), context) as s:
        peers.ask(s)
        session = s.session
    with peers.connect(instance.port("open"), context, session=session) as s:
        assert s.session_reused
        peers.ask(s)
    reaches(instance, 1, "sallyport_handshakes_total", listener="open", resumed="yes", result="accepted", reason="accepted")
    reaches(instance, 1, "sallyport_handshakes_total", listener="open", resumed="no", version="TLSv1.2", group="x25519")


def test_totals_never_go_back(lb, target):
    """Over a reload, over the death of a worker, of control and of the logger."""
    web = target()
    text = config(listener("web"), web=web, workers=2, admin=ADMIN)
    instance = lb(text)
    instance.expect_error(KILLED)
    seen = {}

    def check():
        now = metrics(instance)
        for series, value in seen.items():
            assert now.get(series, -1) >= value, (series, value, now.get(series))
        seen.update(now.counters())

    total = 0
    steps = (lambda: None, lambda: instance.reload(), lambda: kill(instance, "worker 0"), lambda: kill(instance, "worker 1"),
             lambda: kill(instance, "control"), lambda: kill(instance, "logger"), lambda: instance.reload())
    for step in steps:
        step()
        until(lambda: answers(instance), "readiness")
        ask(instance.port("web"), n=10)
        total += 10
        reaches(instance, total, "sallyport_requests_total", status="2xx")
        reaches(instance, total, "sallyport_connections_total")
        reaches(instance, 0, "sallyport_connections_open")
        check()
    m = metrics(instance)
    assert [m.sum("sallyport_process_restarts_total", process=p) for p in ("worker 0", "worker 1", "control", "logger")] == [1] * 4
    assert m.sum("sallyport_reloads_total", result="good") == 2 and m.sum("sallyport_generation") == 3
    # A listener that is renamed keeps what it had, and what is gone is no longer in force.
    instance.reload(text.replace("name: web, protocol: HTTP,", "name: other, protocol: HTTP,", 1))
    check()
    m = metrics(instance)
    assert m.sum("sallyport_requests_total", listener="web", status="2xx") == total
    assert m.sum("sallyport_listener_info", listener="web") == 0 and m.sum("sallyport_listener_info", listener="other") == 1


def answers(instance):
    try:
        return get(admin_port(instance), "/readyz")[0] == 200
    except OSError:
        return False


def test_a_killed_worker_has_no_open_connections(lb, target):
    gate = Gate()
    instance = lb(config(listener("web"), web=target(gate), admin=ADMIN))
    instance.expect_error(KILLED)
    with Client(instance.port("web")) as c:
        c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        assert metrics(instance).sum("sallyport_connections_open") == 1
        os.kill(only(instance.pids("worker")), signal.SIGKILL)
        reaches(instance, 0, "sallyport_connections_open")
        assert metrics(instance).sum("sallyport_target_connections_open") == 0
    gate.opened.set()


def test_a_reload_that_fails_is_counted(lb, target):
    instance = lb(config(listener("web"), web=target(), admin=ADMIN))
    instance.expect_error("reload failed|nonsense|a configuration needs")
    instance.reload("nonsense: 1\n", expect="reload failed")
    reaches(instance, 1, "sallyport_reloads_total", result="bad")
    assert metrics(instance).sum("sallyport_generation") == 1


def test_the_times_of_certificates_and_crls(lb, pki, cases, target):
    text = secured(pki, cases, target())
    instance = lb(text)
    m = metrics(instance)
    until_s = pki.server.cert.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()
    assert m.sum("sallyport_certificate_not_after_seconds", listener="open", file=str(pki.server.crt)) == until_s
    stale = m.sum("sallyport_crl_next_update_seconds", listener="asks", issuer="CN=counted-stale")
    assert time.time() - 3 * 3600 < stale < time.time()
    assert m.sum("sallyport_crl_this_update_seconds", listener="asks", issuer="CN=counted") > stale - 86400
    instance.reload(text.replace("  - {name: asks", "  - {name: renamed"))

    def next_update(listener):
        return metrics(instance).sum("sallyport_crl_next_update_seconds", listener=listener)
    until(lambda: next_update("asks") == 0 < next_update("renamed"), "the listener that is gone to have no times")
