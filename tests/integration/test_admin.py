# SPDX-License-Identifier: Apache-2.0
"""The admin address: is it alive, is it ready; and nobody who connects can spoil that for others."""
import contextlib
import json
import os
import pathlib
import signal
import socket

import pytest

from http_peers import Client, header
from instance import until
from processes import ADMIN, Gate, admin_port, config, get, kill_until_held_back, listener, only, refuses

CONNECTIONS_MAX = 64


@pytest.fixture
def instance(lb, target):
    return lb(config(listener("web"), listener("relay", "TCP", "raw"), web=target(), raw=target(), workers=2, admin=ADMIN))


def test_healthz_and_readyz_say_what_is_running(instance):
    port = admin_port(instance)
    assert get(port, "/healthz") == (200, b"ok")
    code, body = get(port, "/readyz")
    listeners = [{"name": n, "protocol": p, "address": f"127.0.0.1:{instance.port(n)}"} for n, p in (("web", "HTTP"), ("relay", "TCP"))]
    assert code == 200 and json.loads(body) == {"generation": 1, "workers": 2, "listeners": listeners}
    instance.reload()
    assert json.loads(get(port, "/readyz")[1])["generation"] == 2


@pytest.mark.parametrize("line", ["GET /", "GET /healthz/", "GET /readyz?x=1", "POST /healthz", "DELETE /readyz", "OPTIONS *"])
def test_anything_else_is_not_here(instance, line):
    with Client(admin_port(instance)) as c:
        answer = c.send(f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
        assert answer.status == 404 and header(answer, "Connection") == "close" and c.end() == "fin"


def test_readyz_says_503_while_a_worker_is_missing_and_healthz_goes_on(instance):
    port = admin_port(instance)
    kill_until_held_back(instance, "worker 1")
    assert get(port, "/readyz") == (503, b"not ready")
    assert get(port, "/healthz")[0] == 200
    until(lambda: get(port, "/readyz")[0] == 200, "readiness")


def test_readyz_says_503_from_sigterm_on(lb, target):
    gate = Gate()
    instance = lb(config(listener(), web=target(gate), admin=ADMIN))
    with Client(instance.port("web")) as busy:
        busy.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        instance.send(signal.SIGTERM)
        until(lambda: get(admin_port(instance), "/readyz")[0] == 503, "the end of readiness")
        assert get(admin_port(instance), "/healthz")[0] == 200
        gate.opened.set()
        assert busy.response().status == 200


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "bare LF": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "space before the colon": (b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "HTTP/2": (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "a NUL": (b"GET /healthz HTTP/1.1\r\nHost: local\0host\r\n\r\n", 400),
    "no end to the head": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: %s\r\n" % (b"x" * 1000) * 20, 431),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_malformed_request_is_refused(instance, kind):
    request, code = REFUSED[kind]
    with Client(admin_port(instance)) as c:
        assert c.send(request).response().status == code and c.end() == "fin"
    assert get(admin_port(instance), "/healthz")[0] == 200


def test_a_request_in_single_bytes_is_one_request_and_makes_nobody_wait(instance):
    port = admin_port(instance)
    with Client(port) as slow:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r":
            slow.send(bytes([byte]))
        assert get(port, "/healthz")[0] == 200
        assert slow.send("\n").response().body == b"ok"


def clients(control):
    """How many connections control has accepted: its sockets, but for its channel and its listener."""
    sockets = 0
    for fd in pathlib.Path(f"/proc/{control}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets += os.readlink(fd).startswith("socket:")
    return sockets - 2


def test_those_who_say_nothing_hold_a_bounded_number_of_places_and_lose_them(instance):
    port, control = admin_port(instance), only(instance.pids("control"))
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(CONNECTIONS_MAX)]
        until(lambda: clients(control) == CONNECTIONS_MAX, lambda: f"{clients(control)} places to be taken")
        waiting = [stack.enter_context(Client(port)) for _ in range(10)]
        for c in waiting:
            c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        silent[0].close()
        assert waiting[0].response().status == 200  # in the place of the one that left
        assert clients(control) <= CONNECTIONS_MAX
        for c in waiting[1:]:
            assert c.response().status == 200
        assert all(s.recv(1) == b"" for s in silent[1:])  # 5 s after they came
    until(lambda: clients(control) == 0, "all places to be free")


def test_the_admin_address_can_be_moved_and_taken_away_by_a_reload(lb, target):
    web = target()
    instance = lb(config(listener(), web=web, admin=ADMIN))
    old = admin_port(instance)
    instance.reload(config(listener(), web=web, admin='{address: "127.0.0.2:0"}'))
    assert get(admin_port(instance), "/readyz", "127.0.0.2")[0] == 200
    instance.reload(config(listener(), web=web))
    until(lambda: refuses(old) and refuses(admin_port(instance), "127.0.0.2"), "both ports to refuse")
