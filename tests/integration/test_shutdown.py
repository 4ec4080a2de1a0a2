# SPDX-License-Identifier: Apache-2.0
"""The end: what is idle goes at once, what is under way may finish, nothing is left; and starts that come to nothing."""
import os
import signal
import socket
import subprocess
import time

import pytest

import instance as instances
import peers
from http_peers import Client, header
from instance import Instance, until
from processes import ADMIN, Gate, Relay, admin_port, config, get, listener, refuses, start_that_fails


@pytest.fixture
def gate():
    g = Gate()
    yield g
    g.opened.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_connections_are_closed_and_an_exchange_under_way_finishes(lb, target, gate, number):
    instance = lb(config(listener("slow"), listener("fast", group="fast"), web=target(gate)).replace(
        "target_groups:", f"target_groups:\n  - {{name: fast, protocol: HTTP, targets: [{{address: \"127.0.0.1:{target().port}\"}}]}}"))
    with Client(instance.port("slow")) as busy, Client(instance.port("fast")) as idle:
        assert idle.ask().status == 200
        busy.send("GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        instance.send(number)
        assert idle.end() == "fin"
        assert until(lambda: refuses(instance.port("slow")), "new connections to be refused")
        gate.opened.set()
        answer = busy.response()
        assert answer.body == b"late" and header(answer, "Connection") == "close" and busy.end() == "fin"
    assert instance.process.wait(10) == 0
    assert {line["path"]: line["status"] for line in instance.lines()} == {"/": 200, "/late": 200}


def test_tls_connections_are_closed_with_close_notify(lb, pki, target):
    instance = lb(config(listener(protocol="HTTPS", certificate=pki.server), web=target()))
    raw = socket.create_connection(("127.0.0.1", instance.port("web")), 10)
    with peers.client_context(pki.ca("servers")).wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        assert Client(sock=tls).ask().status == 200
        instance.send(signal.SIGTERM)
        assert tls.recv(1) == b""


def test_a_relay_is_cut_when_the_time_to_drain_is_over(lb, target):
    instance = lb(config(listener("relay", "TCP", "raw"), raw=target(peers.echo), timeouts="{drain: 500ms}"))
    with Relay(instance.port("relay")) as relay:
        assert relay.says(b"one")
        began = time.monotonic()
        instance.send(signal.SIGTERM)
        until(lambda: "stopping: open exchanges may take 500 ms more" in instance.stderr(), instance.stderr)
        assert relay.says(b"two")
        assert relay.wait_end() in ("fin", "reset")
        assert 0.45 < time.monotonic() - began < 5
    assert instance.process.wait(10) == 0
    assert instance.line(listener="relay")["close"] == "drained"


def test_told_twice_it_ends_at_once(lb, target, gate):
    instance = lb(config(listener(), listener("relay", "TCP", "raw"), web=target(gate), raw=target(peers.echo), timeouts="{drain: 1h}"))
    with Relay(instance.port("relay")) as relay, Client(instance.port("web")) as busy:
        assert relay.says(b"one")
        busy.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        instance.send(signal.SIGTERM)
        until(lambda: "stopping: open" in instance.stderr(), instance.stderr)
        assert relay.says(b"two")
        instance.send(signal.SIGTERM)
        assert instance.process.wait(10) == 0
        assert relay.wait_end() in ("fin", "reset")
    assert "stopping at once" in instance.stderr()
    assert {line["close"] for line in instance.lines()} == {"drained"}


def test_a_drain_of_nothing_does_not_wait(lb, target):
    instance = lb(config(listener(), web=target(), timeouts="{drain: 1h}"))
    port = instance.port("web")
    assert instance.stop() == 0
    assert refuses(port)


def test_a_worker_that_hangs_is_killed_when_the_time_to_drain_is_over(lb, target):
    instance = lb(config(listener(), web=target(), timeouts="{drain: 0s}"))
    os.kill(instance.pids("worker")[0], signal.SIGSTOP)
    began = time.monotonic()
    assert instance.stop() == 0
    assert time.monotonic() - began < 10 and "worker 0 (pid" in instance.stderr() and "does not end; killing it" in instance.stderr()


def test_sigterm_before_it_is_ready_ends_it(tmp_path, target):
    instance = Instance(tmp_path, config(listener(), web=target(), workers=2), wait=False)
    until(lambda: instance.pids(), "its first process")
    assert instance.stop() == 0
    instance.check()


def test_a_second_instance_on_the_port_is_refused_and_the_first_goes_on(lb, target, tmp_path):
    web = target()
    first = lb(config(listener(), web=web, admin=ADMIN))
    for name, port in ("web", first.port("web")), ("admin", admin_port(first)):
        keys = {"admin": f'{{address: "127.0.0.1:{port}"}}'} if name == "admin" else {}
        text = config(listener(address=f"127.0.0.1:{port if name == 'web' else 0}"), web=web, **keys)
        said = start_that_fails(tmp_path, text)
        assert f"cannot listen on 127.0.0.1:{port}: another process listens there; stop it or choose another port" in said
        assert "ready:" not in said and get(first.port("web"))[0] == 200


# what is done to the configuration → what is said; noticed by the loader, by the supervisor, and last by the workers
FAILS = {
    "not_yaml": (lambda pki, t: t + "workers: [1\n", "sallyport.yaml:"),
    "unknown_key": (lambda pki, t: t + "wrokers: 1\n", "wrokers"),
    "no_such_file": (lambda pki, t: t.replace(str(pki.server.crt), "/nowhere.crt"), "/nowhere.crt"),
    "log_in_no_folder": (lambda pki, t: t.replace("access.log", "nowhere/access.log"), "nowhere/access.log"),
    "key_of_another": (lambda pki, t: t.replace(str(pki.server.key_file), str(pki.good.key_file)), "is not the key of"),
}


@pytest.mark.parametrize("kind", FAILS)
def test_a_bad_configuration_at_start_leaves_nothing(tmp_path, pki, target, kind):
    change, why = FAILS[kind]
    said = start_that_fails(tmp_path, change(pki, config(listener(protocol="HTTPS", certificate=pki.server), web=target(), workers=2)))
    assert why in said and "ready:" not in said and "Sanitizer" not in said


def test_no_configuration_at_all_is_said(tmp_path):
    ended = subprocess.run([instances.BINARY, "run", "-c", tmp_path / "none.yaml"], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and f"{tmp_path}/none.yaml" in ended.stderr and "No such file" in ended.stderr


@pytest.mark.parametrize("arguments", [["-x"], ["-c"], ["-c", ""], ["extra"]])
def test_wrong_usage_is_two(arguments):
    ended = subprocess.run([instances.BINARY, "run", *arguments], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2 and ended.stderr
