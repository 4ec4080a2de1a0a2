# SPDX-License-Identifier: Apache-2.0
"""The log is rotated, the disk is full, no descriptor is left: traffic goes on, and what is lost is counted."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

import peers
from http_peers import descriptors, share_of_core
from instance import until
from processes import Traffic, needs_root, only, through
from soak import Backend, Load, figures, metrics
from traffic import Requests, config, ok

ROTATIONS = 15
DISK = "2m"
MOUNT = f'exec unshare --mount sh -c \'mkdir -p disk && mount -t tmpfs -o size={DISK} tmpfs disk && exec "$@"\' sh '
DESCRIPTORS, CROWD, INSIDE = 600, 2000, 20


def answered(instance, at_least):
    """How many requests the instance says it had, once it has counted them all."""
    def value():
        m = metrics(instance)
        return m.sum("sallyport_requests_total", listener="web") if m.sum("sallyport_connections_open", listener="web") == 0 else 0
    count = int(until(value, "all connections to end"))
    assert count >= at_least
    return count


def test_the_log_is_rotated_every_second(lb, pki):
    with Backend() as backend:
        instance = lb(config(pki, backend.http))
        files = [instance.folder / f"access.{i}" for i in range(ROTATIONS)]
        options = "--mode", "kept", "--connections", 16, "--rate", 4000
        load = Load(instance.port("web"), pki.good, *options, seconds=ROTATIONS + 1).start()
        for i, file in enumerate(files, 1):
            time.sleep(1)  # how often it is rotated, and not a wait
            instance.access_log.rename(file)
            instance.send(10)  # SIGUSR1
            until(lambda: instance.stderr().count("logs reopened") == i, "the logs to be reopened")
        result = load.result()
        count = answered(instance, result["operations"])
        instance.stop()
    whole = [file.read_bytes() for file in (*files, instance.access_log)]
    lines = [json.loads(line) for text in whole for line in text.split(b"\n")[:-1]]
    figures(f"{ROTATIONS} rotations", requests=count, lines=len(lines), failed=result["errors"], least_in_a_file=min(t.count(b"\n") for t in whole))
    assert all(text.endswith(b"\n") for text in whole) and all(line["status"] == 200 for line in lines)
    assert len(lines) == count and result["errors"] == 0 and "were dropped" not in instance.stderr()


@needs_root
def test_the_disk_of_the_log_is_full(lb, pki, tmp_path, monkeypatch):
    assert subprocess.run(["sh", "-c", MOUNT + "true"], cwd=tmp_path).returncode == 0
    through(monkeypatch, tmp_path, MOUNT + '"$SALLYPORT" "$@"')
    options = "--mode", "kept", "--connections", 16, "--rate", 2000
    with Backend() as backend:
        room = Load(lb(config(pki, backend.http)).port("web"), pki.good, *options, seconds=10).start().result()
        instance = lb(config(pki, backend.http, access_log="{file: disk/access.log}"))
        instance.expect_error("its lines are lost: No space left on device")
        log = pathlib.Path(f"/proc/{instance.process.pid}/root{instance.folder}/disk/access.log")
        load = Load(instance.port("web"), pki.good, *options, seconds=10).start()
        until(lambda: "No space left on device" in instance.stderr(), instance.stderr)
        full = time.monotonic()
        result = load.result()
        written = log.read_bytes().count(b"\n")
        os.truncate(log, 0)
        with Traffic(Requests(instance.port("web"), peers.client_context(pki.ca("servers"), pki.good), False)) as after:
            after.goes_on(20)
        count = answered(instance, result["operations"] + len(after.sent))
        lost = until(lambda: re.search(r"can be written again; (\d+) lines were lost", instance.stderr()), instance.stderr)
        m = metrics(instance)
        counted = int(m.sum("sallyport_access_log_lines_lost_total"))

        def whole():  # an empty line ends what was cut off
            return written + len([line for line in log.read_bytes().split(b"\n")[:-1] if line])
        until(lambda: whole() + int(lost[1]) == count, lambda: f"{whole()} lines and {lost[1]} lost of {count}", 5)
    figures(f"disk of {DISK} full", seconds_under_load=f"{time.monotonic() - full:.0f}", requests=count, failed=result["errors"] + len(after.failures),
            p99_ms=result["p99_us"] / 1000, p99_ms_with_room=room["p99_us"] / 1000, lines=written, lost=lost[1], counted_as_lost=counted)
    assert result["errors"] == 0 and not after.failures
    assert counted == int(lost[1])


class Crowd:
    """CROWD silent connections to a worker that has DESCRIPTORS, and lets nobody else in once `with` is entered."""

    def __init__(self, instance):
        self.instance, self.port, self.stack = instance, instance.port("web"), contextlib.ExitStack()

    def __enter__(self):
        for _ in range(CROWD):
            self.stack.enter_context(socket.create_connection(("127.0.0.1", self.port), 10))
        until(self.is_full, "the worker to be full")
        return self

    def is_full(self):
        m = metrics(self.instance)
        return m.sum("sallyport_worker_connections_open") == m.sum("sallyport_worker_connections_max")

    def __exit__(self, *_):
        self.stack.close()


def scarce(lb, pki, web, tmp_path, monkeypatch):
    through(monkeypatch, tmp_path, f'exec prlimit --nofile={DESCRIPTORS}:{DESCRIPTORS} "$SALLYPORT" "$@"')
    instance = lb(config(pki, web.port, workers=1, timeouts="{handshake: 1m}"))
    instance.expect_error("accepting pauses")
    return instance


def answered_among(crowd_of, inside):
    """How many requests were answered within two seconds in which nobody was let in, and the failures among them."""
    with Crowd(crowd_of):
        asked, failed = len(inside.sent), len(inside.failures)
        time.sleep(2)  # how long it is watched
        return len(inside.sent) - asked, inside.failures[failed:]


def answer_from_many(n):
    """A target that answers nobody until it has N connections, so that a pool of N is there from the first."""
    barrier = threading.Barrier(n)

    def serve(target, connection):
        barrier.wait(20)
        ok(target, connection)
    return serve


def test_no_descriptor_is_left(lb, pki, target, tmp_path, monkeypatch):
    instance = scarce(lb, pki, target(answer_from_many(INSIDE)), tmp_path, monkeypatch)
    port, worker = instance.port("web"), only(instance.pids("worker 0"))
    context = peers.client_context(pki.ca("servers"), pki.good)
    requests = Requests(port, context, True)
    with Traffic(requests, n=INSIDE) as inside:
        inside.goes_on(20 * INSIDE)
        before = descriptors(worker)
        asked, failures = answered_among(instance, inside)
        left = time.monotonic()
        with peers.connect(port, context) as tls:
            assert peers.ask(tls)[0] == 200
        recovered = time.monotonic() - left
    with Crowd(instance):
        said = instance.stderr().count("accepting ")
        share = share_of_core(worker, 3)
        said = instance.stderr().count("accepting ") - said
    until(lambda: descriptors(worker) <= before, lambda: f"{descriptors(worker)} descriptors after {before}")
    figures(f"{CROWD} connections, {DESCRIPTORS} descriptors", inside_answered_meanwhile=asked, failed=len(inside.failures),
            core_share_while_exhausted=f"{share:.1%}", lines_about_it_in_3_s=said, first_answer_after=f"{recovered * 1000:.0f} ms",
            descriptors=f"{before} before, {descriptors(worker)} after")
    assert not inside.failures and asked > INSIDE, inside.failures
    assert share < 0.2 and recovered < 5 and said == 0


def answer_once(target, connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_no_descriptor_is_left_for_a_new_connection_to_a_target(lb, pki, target, tmp_path, monkeypatch):
    instance = scarce(lb, pki, target(answer_once), tmp_path, monkeypatch)
    with Traffic(Requests(instance.port("web"), peers.client_context(pki.ca("servers"), pki.good), True), n=INSIDE) as inside:
        inside.goes_on(INSIDE)
        asked, failures = answered_among(instance, inside)
    figures("and a target that keeps no connection", inside_answered_meanwhile=asked, failed=len(failures))
    assert asked > INSIDE and not failures
