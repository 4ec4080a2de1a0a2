# SPDX-License-Identifier: Apache-2.0
"""Who there is, and that whoever dies is replaced at no greater cost than its own connections."""
import contextlib
import os
import signal
import socket
import statistics
import time

from http_peers import Client, Cut
from instance import Instance, is_ours, until
from processes import (ADMIN, SANITIZED, Traffic, admin_port, certificate_at, config, get, kill, kill_until_held_back, listener,
                       only, refuses, title)

BACK_WITHIN_S = 1 if SANITIZED else 0.2


def test_titles_say_the_roles(lb, target):
    instance = lb(config(listener(), web=target(), workers=3))
    roles = "control", "logger", "signer", "worker 0", "worker 1", "worker 2"
    assert title(instance.process.pid) == "sallyport: supervisor"
    until(lambda: sorted(map(title, instance.pids())) == [f"sallyport: {r}" for r in roles],
          lambda: f"the loader to end: {[title(p) for p in instance.pids()]}")


def test_a_killed_worker_is_back_at_once_and_what_arrives_meanwhile_is_served(lb, target):
    instance = lb(config(listener(), web=target()))
    port, took = instance.port("web"), []
    for _ in range(3):
        old = only(instance.pids("worker 0"))
        os.kill(old, signal.SIGKILL)
        began = time.monotonic()
        assert get(port)[0] == 200
        took.append(time.monotonic() - began)
        assert only(instance.pids("worker 0")) != old
    assert statistics.median(took) < BACK_WITHIN_S, took
    assert instance.stderr().count("worker 0 (pid") == 3


def test_a_killed_worker_costs_only_its_own_connections(lb, target):
    instance = lb(config(listener(), web=target(), workers=2))
    port = instance.port("web")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(24)]
        for c in clients:
            assert c.ask().status == 200
        kill(instance, "worker 0")
        served = 0
        for c in clients:
            with contextlib.suppress(ConnectionError, Cut):
                served += c.ask().status == 200
        assert 0 < served < len(clients)


def test_no_connection_is_refused_while_workers_are_killed(lb, target):
    instance = lb(config(listener(), web=target(), workers=2))
    port = instance.port("web")
    with Traffic(lambda path: get(port, path)) as traffic:
        for role in "worker 0", "worker 1", "worker 0":
            traffic.goes_on(20)
            kill(instance, role)
        traffic.goes_on(20)
    assert not [f for f in traffic.failures if isinstance(f[1], (ConnectionRefusedError, socket.timeout))]
    assert len(traffic.failures) <= 3 * 2  # those that the killed ones had in hand


def test_a_killed_worker_comes_back_with_the_generation_in_force(lb, pki, target):
    second = pki.ca("servers").issue("second", "server", ["DNS:localhost"])
    web = target()
    instance = lb(config(listener(protocol="HTTPS", certificate=pki.server), web=web))
    instance.reload(config(listener(protocol="HTTPS", certificate=second), web=web))
    kill(instance, "worker 0")
    assert certificate_at(instance.port("web"), pki.ca("servers")) == second.der


def test_a_worker_that_keeps_dying_is_slowed_down_and_not_given_up(lb, target):
    instance = lb(config(listener(), web=target()))
    assert kill_until_held_back(instance, "worker 0") == 6
    began = time.monotonic()
    assert get(instance.port("web"))[0] == 200
    assert 0.5 < time.monotonic() - began < 5


def test_lines_that_a_killed_logger_had_not_written_are_written_once(lb, target):
    instance = lb(config(listener(), web=target()))
    logger = only(instance.pids("logger"))
    os.kill(logger, signal.SIGSTOP)
    sent = [f"/{i}" for i in range(50)]
    with Client(instance.port("web")) as c:
        for path in sent:
            assert c.ask(path).status == 200
    assert not instance.lines()
    os.kill(logger, signal.SIGKILL)
    until(lambda: len(instance.lines()) >= len(sent), "the lines")
    assert [line["path"] for line in instance.lines()] == sent


def test_a_logger_killed_while_it_writes_loses_nothing(lb, target):
    instance = lb(config(listener(), web=target(), workers=2))
    port = instance.port("web")
    with Traffic(lambda path: get(port, path)) as traffic:
        for _ in range(3):
            traffic.goes_on(50)
            kill(instance, "logger")
        traffic.goes_on(50)
    instance.stop()
    assert not traffic.failures
    assert set(traffic.sent) == {line["path"] for line in instance.lines()}


def test_a_killed_control_answers_again_on_its_port(lb, target):
    instance = lb(config(listener(), web=target(), admin=ADMIN))
    port = admin_port(instance)
    before = get(port, "/readyz")
    kill(instance, "control")
    assert get(port, "/healthz")[0] == 200
    assert before[0] == 200 and until(lambda: get(port, "/readyz") == before, "readiness as before")


def test_workers_serve_on_without_their_supervisor_until_sigterm(tmp_path, target):
    instance = Instance(tmp_path, config(listener(), web=target(), workers=2, admin=ADMIN))
    port, others = instance.port("web"), instance.pids()
    instance.process.kill()
    instance.process.wait()
    until(lambda: instance.stderr().count("the supervisor is gone; going on without it") == 5, instance.stderr)
    for path in "/a", "/b", "/c":
        assert get(port, path)[0] == 200
    assert get(admin_port(instance), "/healthz")[0] == 200
    assert {"/a", "/b", "/c"} == {instance.line(path=p)["path"] for p in ("/a", "/b", "/c")}
    for pid in others:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not any(map(is_ours, others)), "them to end")
    assert refuses(port) and "Sanitizer" not in instance.stderr()
