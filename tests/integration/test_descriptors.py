# SPDX-License-Identifier: Apache-2.0
"""A worker's descriptors: no more clients than can each have a connection to a target; the others wait until somebody leaves."""
import contextlib

import pytest

from http_peers import Client
from instance import until
from processes import ADMIN, admin_port, config, get, listener, through
from prometheus import Metrics

DESCRIPTORS = 150
WAITING = 5


def answer_once(target, connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def value(instance, name):
    return Metrics(get(admin_port(instance), "/metrics")[1].decode()).sum(f"sallyport_{name}")


@pytest.fixture
def scarce(lb, target, tmp_path, monkeypatch):
    through(monkeypatch, tmp_path, f'exec prlimit --nofile={DESCRIPTORS}:{DESCRIPTORS} "$SALLYPORT" "$@"')
    instance = lb(config(listener(), web=target(answer_once), admin=ADMIN, timeouts="{header: 1m}"))
    instance.expect_error("accepting pauses")
    until(lambda: value(instance, "worker_connections_max"), "the worker to know the commit")
    return instance


def test_whoever_was_let_in_reaches_targets_and_the_others_wait_for_a_place(scarce):
    port, most = scarce.port("web"), int(value(scarce, "worker_connections_max"))
    assert 20 < most < DESCRIPTORS / 2
    with contextlib.ExitStack() as crowd:
        inside = [crowd.enter_context(Client(port)) for _ in range(most)]
        until(lambda: value(scarce, "worker_connections_open") == most, "all to be inside")
        waiting = [crowd.enter_context(Client(port).send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")) for _ in range(WAITING)]
        until(lambda: "accepting pauses" in scarce.stderr(), "the pause")
        for each in inside:
            each.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [each.response().status for each in inside] == most * [200]
        assert value(scarce, "worker_connections_open") == most and not any(each.data for each in waiting)
        for each in inside:
            each.sock.close()
        assert [each.response().status for each in waiting] == WAITING * [200]
    until(lambda: "accepting goes on after" in scarce.stderr(), scarce.stderr)
    assert scarce.stderr().count("accepting pauses") == 1
    assert value(scarce, "worker_accept_pauses_total") == 1


def test_a_pause_is_told_once_and_outlasts_a_reload(scarce):
    port, most = scarce.port("web"), int(value(scarce, "worker_connections_max"))
    with contextlib.ExitStack() as crowd:
        inside = [crowd.enter_context(Client(port)) for _ in range(most + WAITING)]
        until(lambda: "accepting pauses" in scarce.stderr(), "the pause")
        scarce.reload()
        assert value(scarce, "worker_connections_open") == most
        for each in inside[:WAITING]:
            each.sock.close()
        until(lambda: value(scarce, "connections_total") == most + WAITING, "those who waited to be inside")
    until(lambda: "accepting goes on after" in scarce.stderr(), scarce.stderr)
    assert scarce.stderr().count("accepting pauses") == scarce.stderr().count("accepting goes on") == 1
