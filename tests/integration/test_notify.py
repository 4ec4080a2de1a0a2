# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told (sd_notify)."""
import os
import re
import signal
import socket
import time

import pytest

import peers
from instance import until
from processes import config, listener, only

WATCHDOG_USEC = 600000  # a tick every 300 ms


class Manager:
    """The other end of NOTIFY_SOCKET. `messages` holds what has come; reading it takes nothing away."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address}
        self._messages = []

    @property
    def messages(self):
        try:
            while True:
                self._messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self._messages

    def wait(self, *expected):
        """Until these have come, in this order and nothing else (the watchdog aside)."""
        def others():
            return [m for m in self.messages if m != "WATCHDOG=1"]
        until(lambda: len(others()) >= len(expected), lambda: f"{expected} in {self.messages}")
        assert all(map(re.fullmatch, expected, others())) and len(others()) == len(expected), others()

    def forget(self):
        self.messages.clear()


@pytest.fixture
def manager(tmp_path):
    m = Manager(f"{tmp_path}/notify")
    yield m
    m.socket.close()


RELOADING = r"RELOADING=1\nMONOTONIC_USEC=\d+"


def test_ready_reloading_and_stopping_are_told(lb, target, manager):
    web = target()
    instance = lb(config(listener(), web=web), env=manager.environment)
    manager.wait("READY=1")
    manager.forget()
    before_us = time.monotonic_ns() // 1000
    instance.reload()
    manager.wait(RELOADING, "READY=1")
    assert before_us <= int(manager.messages[0].rpartition("=")[2]) <= time.monotonic_ns() // 1000
    manager.forget()
    instance.stop()
    manager.wait("STOPPING=1")


def test_a_failed_reload_is_over_too(lb, target, manager):
    instance = lb(config(listener(), web=target()), env=manager.environment)
    manager.wait("READY=1")
    instance.expect_error("reload failed|sallyport.yaml")
    instance.reload("nonsense", expect="reload failed")
    manager.wait("READY=1", RELOADING, "READY=1")


def test_nobody_is_told_ready_before_it_serves(lb, target, manager):
    instance = lb(config(listener(), web=target()), env=manager.environment, wait=False)
    manager.wait("READY=1")
    with socket.create_connection(("127.0.0.1", instance.port("web")), 10) as s:
        assert peers.ask(s)[0] == 200


def test_an_abstract_socket_is_told(lb, target):
    manager = Manager(f"@sallyport-test-{os.getpid()}")
    lb(config(listener(), web=target()), env=manager.environment)
    manager.wait("READY=1")
    manager.socket.close()


def beats(manager, n):
    """Wait for N more WATCHDOG=1; the seconds between them."""
    seen, times = manager.messages.count("WATCHDOG=1"), []

    def next_one():
        return manager.messages.count("WATCHDOG=1") > seen + len(times)
    for _ in range(n):
        until(next_one, "WATCHDOG=1")
        times.append(time.monotonic())
    return [b - a for a, b in zip(times, times[1:])]


@pytest.mark.parametrize("role", ["worker 1", "signer"])
def test_the_watchdog_is_fed_while_workers_and_signer_answer_and_only_then(lb, target, manager, role):
    instance = lb(config(listener(), web=target(), workers=2), env={**manager.environment, "WATCHDOG_USEC": str(WATCHDOG_USEC)})
    assert max(beats(manager, 4)) < WATCHDOG_USEC / 1e6
    instance.expect_error(rf"{role} \(pid \d+\) does not answer; the watchdog will hear of it")
    silent = only(instance.pids(role))

    def complaints():
        return instance.stderr().count("does not answer")
    os.kill(silent, signal.SIGSTOP)
    until(complaints, "the silence to be noticed")
    fed = manager.messages.count("WATCHDOG=1")
    until(lambda: complaints() >= 3, "two more ticks")
    assert manager.messages.count("WATCHDOG=1") == fed
    os.kill(silent, signal.SIGCONT)
    beats(manager, 2)


@pytest.mark.parametrize("environment", [{}, {"WATCHDOG_USEC": str(WATCHDOG_USEC), "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_for_it_is_not_fed(lb, target, manager, environment):
    instance = lb(config(listener(), web=target()), env={**manager.environment, **environment})
    manager.wait("READY=1")
    instance.reload()  # by when the first would have come
    manager.wait("READY=1", RELOADING, "READY=1")
    assert "WATCHDOG=1" not in manager.messages
