# SPDX-License-Identifier: Apache-2.0
"""memory_max: a worker that has as much as it may takes no more work, serves what it has, and goes on when there is room."""
import os
import socket

import pytest

from http_peers import Client, Scripted, group, memory, running
from instance import until
from processes import ADMIN, admin_port, get
from prometheus import Metrics

MIB = 1 << 20
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Filler: %s\r\n" % (b"x" * 8000) * 7  # which never ends


@pytest.fixture
def world(tmp_path, request):
    """A worker that may have 96 MiB (or the fixture's parameter) more than it has at rest."""
    target = Scripted()
    target.scripts["/large"] = lambda call: call.answer(MIB * b"x")

    def config(most):
        return f"""
listeners: [{{name: web, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: localhost, path: /, target_group: web}}]}}]
target_groups: {group("web", target)}
access_log: {{file: access.log}}
admin: {ADMIN}
timeouts: {{header: 60s}}
workers: 1
memory_max: {most}
"""
    # What is freed goes back to the system, as without sanitizers.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0:allocator_release_to_os_interval_ms=10"
    with running(tmp_path, config(0), target, env={"ASAN_OPTIONS": options}) as instance:
        pid, = instance.pids("worker")
        instance.reload(config(memory(pid, "RssAnon") + getattr(request, "param", 96) * MIB))
        instance.pid = pid
        yield instance


def test_beyond_the_ceiling_there_is_503_and_no_accept_until_there_is_room(world):
    world.expect_error("memory_max is reached")
    with Client(world.port("web")) as early, Client(world.port("web")) as idle:
        assert early.ask("/").status == idle.ask("/").status == 200
        held, mark = [], world.mark()
        while early.ask("/").status == 200:  # which also waits for the worker
            assert len(held) < 5000
            for _ in range(5):
                held.append(socket.create_connection(("127.0.0.1", world.port("web")), 10))
                held[-1].sendall(HEAD)
        assert "memory_max is reached" in world.stderr()
        assert world.line(since=mark, client=early.name, status=503)["close"] == "overloaded"
        late = socket.create_connection(("127.0.0.1", world.port("web")), 10)  # the kernel takes it; nobody answers
        late.settimeout(0.3)
        late.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(socket.timeout):
            late.recv(1)
        assert get(admin_port(world), "/metrics")[0] == 200  # control is not concerned
        assert idle.end() == "fin"  # which makes room, if little
        for sock in held:
            sock.close()
        late.settimeout(10)
        assert late.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert get(world.port("web"))[0] == 200
    body = get(admin_port(world), "/metrics")[1].decode()
    assert Metrics(body).sum("sallyport_worker_memory_ceilings_total") >= 1
    assert world.pids("worker") == [world.pid]
    assert "there is room below memory_max again" in world.stderr()


@pytest.mark.parametrize("world", [24], indirect=True)
def test_who_does_not_take_its_response_makes_room_after_a_while(world):
    """timeouts.body is a minute here, and nobody leaves."""
    world.expect_error("memory_max is reached|accepting pauses")
    slow = []
    with Client(world.port("web")) as other:
        while other.ask("/").status == 200:  # which also waits for the worker
            assert len(slow) < 2000
            for _ in range(5):
                slow.append(Client(world.port("web"), receive_buffer=4096).send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        until(lambda: other.ask("/").status == 200, "others to be served again")
    assert world.line(close="client_slow")["detail"] == "it held memory that was needed"
    body = get(admin_port(world), "/metrics")[1].decode()
    assert Metrics(body).sum("sallyport_worker_connections_crowded_out_total", state="stalled") >= 1
    for client in slow:
        client.sock.close()
