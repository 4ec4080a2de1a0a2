# SPDX-License-Identifier: Apache-2.0
"""Which target gets what: schedulers over several workers, and the ways in which a target gets no more work."""
import collections
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

import peers
from http_peers import Client, closed_port, group
from instance import until
from processes import ADMIN, admin_port, get, listener
from prometheus import Metrics

THREADS = 8


class Named:
    """Answers each request with its name; WAITS: only when it may."""

    def __init__(self, name, waits=False):
        self.name, self.may, self.asked = name.encode(), threading.Event(), 0
        if not waits:
            self.may.set()

    def __call__(self, target, connection):
        with connection.makefile("rb") as f:
            while peers.read_head(f):
                self.asked += 1
                self.hold()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(self.name), self.name))


    def hold(self):
        self.may.wait(20)


class Slow(Named):
    """Answers when OTHERS have answered 250 more requests meanwhile, or rest for 0.1 s: slow on any machine."""

    def __init__(self, name, others):
        super().__init__(name)
        self.others = others

    def hold(self):
        def done():
            return sum(o.serve.asked for o in self.others)
        begin, last, since = done(), done(), time.monotonic()
        while done() < begin + 250 and time.monotonic() < since + 0.1:
            if done() != last:
                last, since = done(), time.monotonic()
            time.sleep(0.001)  # what a slow target does


def config(*targets, scheduler="wrr", workers=2, more=""):
    return (f"listeners:\n  - {listener(group='app')}\ntarget_groups:{group('app', *targets, more=f', scheduler: {scheduler}{more}')}\n"
            f"access_log: {{file: access.log}}\nadmin: {ADMIN}\nworkers: {workers}\n")


def asks(instance, n, results, kept=50):
    """N requests, KEPT on each connection, so that both workers get some."""
    for _ in range(n // kept):
        with Client(instance.port("web")) as client:
            for _ in range(kept):
                results[client.ask("/").body.decode()] += 1


def spread(instance, n):
    """Who answered, of N requests of several clients at a time."""
    each = [collections.Counter() for _ in range(THREADS)]
    threads = [threading.Thread(target=asks, args=(instance, n // THREADS, each[i])) for i in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(each, collections.Counter())


def ask(instance, source="127.0.0.1"):
    """Who answers a new connection from SOURCE."""
    with Client(sock=socket.create_connection(("127.0.0.1", instance.port("web")), 10, (source, 0))) as client:
        return client.ask("/").body.decode()


def of_target(instance, metric, target, **labels):
    """METRIC of TARGET, of all workers together."""
    text = get(admin_port(instance), "/metrics")[1].decode()
    return Metrics(text).sum(f"sallyport_target_{metric}", target=f"127.0.0.1:{target.port}", **labels)


@contextlib.contextmanager
def under_way(instance, server):
    """A request that SERVER has begun to answer; says afterwards who did."""
    answers, before = [], server.serve.asked
    thread = threading.Thread(target=lambda: answers.append(ask(instance)))
    thread.start()
    until(lambda: server.serve.asked > before, "the request to arrive")
    yield answers
    server.serve.may.set()
    thread.join()


def test_wrr_keeps_to_the_weights_over_two_workers(lb, target):
    servers = {name: target(Named(name)) for name in "abc"}
    instance = lb(config(*zip(servers.values(), (50, 30, 20))))
    answers = spread(instance, 10000)
    assert sum(answers.values()) == 10000
    for name, share in zip("abc", (5000, 3000, 2000)):
        assert abs(answers[name] - share) <= 100, answers


def test_least_conn_counts_what_all_workers_have_under_way(lb, target):
    busy, free = target(Named("busy", waits=True)), target(Named("free"))
    instance = lb(config((busy, 10), (free, 10), scheduler="least_conn"))
    threads = []
    while not busy.serve.asked:  # the first turn of either worker may be that of the other target
        threads.append(threading.Thread(target=ask, args=(instance,)))
        threads[-1].start()
        until(lambda: busy.serve.asked + free.serve.asked == len(threads), "the request to arrive")
    assert of_target(instance, "active", busy) == 1
    assert {ask(instance) for _ in range(40)} == {"free"}  # from connections that both workers have
    busy.serve.may.set()
    for t in threads:
        t.join()
    until(lambda: ask(instance) == "busy", "the target that is free again to have its turn")


def test_what_a_dead_worker_had_under_way_is_forgotten(lb, target):
    busy, free = target(Named("busy", waits=True)), target(Named("free"))
    instance = lb(config((busy, 10), (free, 10), scheduler="least_conn"))
    clients = []
    while not busy.serve.asked:
        clients.append(Client(instance.port("web")))
        clients[-1].send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: busy.serve.asked + free.serve.asked == len(clients), "the request to arrive")
    for pid in instance.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    busy.serve.may.set()
    until(lambda: of_target(instance, "active", busy) == 0 and len(instance.pids("worker")) == 2, "workers that have nothing to do")
    assert {ask(instance) for _ in range(40)} == {"busy", "free"}
    for client in clients:
        client.sock.close()


def p99(instance, n, clients=4):
    """The slowest but one percent of N requests of a few clients, in seconds."""
    took, turns = [], iter(range(n))  # whoever is free makes the next one

    def some():
        with Client(instance.port("web")) as client:
            for _ in turns:
                begin = time.monotonic()
                client.ask("/")
                took.append(time.monotonic() - begin)
    threads = [threading.Thread(target=some) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sorted(took)[len(took) * 99 // 100 - 1]


def test_with_one_slow_target_least_conn_has_the_better_p99(lb, target):
    others = [target(Named(name)) for name in "abc"]
    slow, by = target(Slow("slow", others)), {}
    for scheduler in ("wrr", "least_conn"):
        instance = lb(config((slow, 10), *((o, 20) for o in others), scheduler=scheduler))
        by[scheduler] = p99(instance, 500)
        instance.stop()
    print(f"p99 {by}, {slow.serve.asked} slow")
    assert by["least_conn"] < by["wrr"] / 2 and by["wrr"] > 0.1, by


def test_ip_hash_keeps_a_client_where_it_is_and_moves_few(lb, target):
    servers = {name: target(Named(name)) for name in "abcd"}
    instance = lb(config(*servers.values(), scheduler="ip_hash"))
    sources = [f"127.0.1.{i}" for i in range(1, 41)]
    first = {s: ask(instance, s) for s in sources}
    assert set(first.values()) == set("abcd")
    assert {s: ask(instance, s) for s in sources} == first  # whichever worker has the connection
    del servers["b"]
    instance.reload(config(*servers.values(), scheduler="ip_hash"))
    then = {s: ask(instance, s) for s in sources}
    assert all(then[s] == first[s] for s in sources if first[s] != "b")
    gone = {then[s] for s in sources if first[s] == "b"}
    assert len(gone) > 1 and "b" not in gone


@pytest.mark.parametrize("scheduler", ["wrr", "least_conn", "ip_hash"])
def test_a_target_that_refuses_is_passed_over_for_a_while(lb, target, scheduler):
    held, port = closed_port()
    good = target(Named("good"))
    instance = lb(config(port, good, scheduler=scheduler))
    with held:
        assert spread(instance, 400) == {"good": 400}
        failures = Metrics(get(admin_port(instance), "/metrics")[1].decode()).sum("sallyport_target_failures_total")
        assert failures <= 2 * THREADS, "asked again and again"  # those that were under way at the first failure, in each worker


@pytest.mark.parametrize("how", ["weight 0", "removal"])
def test_a_target_drains(lb, target, how):
    old, new = target(Named("old", waits=True)), target(Named("new"))
    instance = lb(config(old))
    with under_way(instance, old) as answers:
        instance.reload(config((old, 0), new) if how == "weight 0" else config(new))
        assert {ask(instance) for _ in range(20)} == {"new"}
        assert old.serve.asked == 1 and not answers
    assert answers == ["old"]  # what was under way goes on


def test_with_every_weight_0_nobody_is_asked(lb, target):
    server = target(Named("a"))
    instance = lb(config((server, 0)))
    assert get(instance.port("web"))[0] == 503 and not server.accepted
    assert instance.line(status=503)["close"] == "no_target"
