# SPDX-License-Identifier: Apache-2.0
"""Thousands of clients that are slow in every way: what the others notice, and what it costs."""
import contextlib
import os
import resource
import time

import pytest

import peers
from crowd import Crowd, Sink, SlowReader, Timed
from http_peers import descriptors, memory
from processes import ADMIN, Traffic, through
from soak import MIB, Backend, Load, figures, metrics
from traffic import Requests

EACH = int(os.environ.get("SOAK_SLOW", "1000"))  # of each kind
SECONDS = 60
SOURCES = [f"127.0.1.{i}" for i in range(1, 6)]


def config(pki, web, sink, limits="", **keys):
    keys = {"workers": 2, "admin": ADMIN, "access_log": "{file: access.log, sample: 1000}", **keys}
    return "\n".join([
        f'listeners: [{{name: web, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}], '
        f'authentication: mutual, client_ca: [{pki.ca("clients").crt}]{limits},'
        "  rules: [{domain: localhost, path: /, target_group: web}, {domain: localhost, path: /upload, target_group: sink}]}]",
        f'target_groups: [{{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web}"}}]}}, '
        f'{{name: sink, protocol: HTTP, targets: [{{address: "127.0.0.1:{sink}"}}]}}]',
        *[f"{key}: {value}" for key, value in keys.items()], ""])


@contextlib.contextmanager
def served(lb, pki, **keys):
    with Backend() as backend, Sink() as sink:
        yield lb(config(pki, backend.http, sink.port, **keys))


def victims(instance, pki, seconds):
    """What well-behaved clients get: on kept connections, and with a full handshake each."""
    loads = [Load(instance.port("web"), pki.good, "--mode", mode, "--connections", n, "--rate", rate, seconds=seconds)
             for mode, n, rate in (("kept", 16, 400), ("full", 16, 50))]
    return [load.result() for load in [load.start() for load in loads]]


def told(result):
    return f"p50 {result['p50_us'] / 1000:.1f} ms, p99 {result['p99_us'] / 1000:.1f} ms, {result['errors']} of {result['operations']} failed"


def watched(instance, pki, crowd, what):
    workers = instance.pids("worker")
    before = [memory(pid) for pid in workers]
    calm = victims(instance, pki, 10)
    with crowd:
        inside = metrics(instance).sum("sallyport_worker_connections_open")
        slow = victims(instance, pki, SECONDS)
        held = [memory(pid) for pid in workers]
        fds = [descriptors(pid) for pid in workers]
    m = metrics(instance)
    figures(f"{crowd.n * len(crowd.kinds)} slow clients, {what}", inside=int(inside), kept=told(slow[0]), kept_before=told(calm[0]), new=told(slow[1]),
            new_before=told(calm[1]), workers_MiB=[f"{b / MIB:.0f} to {h / MIB:.0f}" for b, h in zip(before, held)], descriptors=fds,
            ended=dict(crowd.ended), not_let_in=dict(crowd.refused),
            crowded_out=int(m.sum("sallyport_worker_connections_crowded_out_total")), ceilings=int(m.sum("sallyport_worker_memory_ceilings_total")))
    assert instance.pids("worker") == workers
    return calm, slow


@pytest.fixture
def context(pki):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return peers.client_context(pki.ca("servers"), pki.good)


def test_slow_clients_are_not_noticed_by_others(lb, pki, context):
    with served(lb, pki) as instance:
        _, slow = watched(instance, pki, Crowd(instance.port("web"), context, EACH), "room for all")
        assert [r["errors"] for r in slow] == [0, 0]


def test_slow_clients_that_take_all_descriptors(lb, pki, context, tmp_path, monkeypatch):
    """A limit per source keeps places for others; who is slow to say what it wants makes room besides."""
    through(monkeypatch, tmp_path, 'exec prlimit --nofile=2000:2000 "$SALLYPORT" "$@"')
    limits = f", limits: {{per_source: {{max_conn: {EACH // 5}}}}}"
    with served(lb, pki, limits=limits) as instance:
        instance.expect_error("accepting pauses")
        _, slow = watched(instance, pki, Crowd(instance.port("web"), context, EACH, sources=SOURCES), "2000 descriptors")
        assert [r["errors"] for r in slow] == [0, 0]


def test_slow_clients_that_take_all_memory(lb, pki, context):
    """They come again as soon as they are ended, and want four times as much as there is: others may get a 503, and nothing worse."""
    with served(lb, pki, memory_max=32 * MIB) as instance:
        instance.expect_error("memory_max is reached|accepting pauses")
        workers, port = instance.pids("worker"), instance.port("web")
        requests = Timed(Requests(port, context, True))
        with Crowd(port, context, EACH, kinds=[SlowReader] * 2) as crowd, Traffic(requests, n=8) as others:
            time.sleep(SECONDS)  # how long it is watched
            held = [memory(pid, "RssAnon") / MIB for pid in workers]
    refused = [why for _, why in others.failures if isinstance(why, tuple) and why[0] == 503]
    times, m = sorted(requests.times), metrics(instance)
    figures(f"{2 * EACH} slow readers, 32 MiB for each worker", requests=len(times), refused=len(refused), lost=len(others.failures) - len(refused),
            p50=f"{times[len(times) // 2] * 1000:.1f} ms", p99=f"{times[len(times) * 99 // 100] * 1000:.1f} ms", workers_MiB=[f"{h:.0f}" for h in held],
            ended=dict(crowd.ended), not_let_in=dict(crowd.refused), ceilings=int(m.sum("sallyport_worker_memory_ceilings_total")),
            crowded_out=int(m.sum("sallyport_worker_connections_crowded_out_total")))
    assert len(refused) == len(others.failures) < len(times) / 2 and max(held) < 36 and instance.pids("worker") == workers
