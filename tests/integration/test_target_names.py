# SPDX-License-Identifier: Apache-2.0
"""Targets with a host name: control finds their addresses, again and again; whatever the name servers do, requests do not wait."""
import collections
import os
import signal
import socket
import struct
import time

import pytest

import peers
from http_peers import Client
from instance import until
from nameserver import NXDOMAIN, REFUSED, SERVFAIL, NameServer, head, labels, record
from processes import get, kill, only


@pytest.fixture
def dns():
    """start(name=[address], …) → a NameServer, `_` standing for a dot; closed after the test."""
    started = []

    def start(**says):
        started.append(NameServer(**says))
        return started[-1]

    yield start
    for server in started:
        server.close()


class Named:
    """Answers every request with its name, and counts connections that have ended."""

    def __init__(self, name):
        self.name, self.ended = name.encode(), 0

    def __call__(self, target, connection):
        try:
            with connection.makefile("rb") as f:
                while peers.read_head(f):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.name) + self.name)
        finally:
            self.ended += 1


@pytest.fixture
def servers(target):
    """start("127.0.0.2", …) → targets at these addresses, all on one port."""
    def start(*hosts):
        for _ in range(50):
            first = target(Named(hosts[0]), host=hosts[0])
            try:
                return [first, *(target(Named(h), host=h, port=first.port) for h in hosts[1:])]
            except OSError:
                continue
        raise AssertionError("no port is free at all addresses")
    return start


def config(server, *addresses, protocol="HTTP", tls="", workers=1, timeouts=""):
    targets = ", ".join(f'{{address: "{a}"}}' for a in addresses)
    return f"""
listeners:
  - {{name: web, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: localhost, path: /, target_group: app}}]}}
target_groups:
  - {{name: app, protocol: {protocol}, targets: [{targets}]{tls}}}
resolver: {{servers: ["{server.text}"]}}
access_log: {{file: access.log}}
workers: {workers}
timeouts: {{{timeouts}}}
"""


def ask(instance):
    status, body = get(instance.port("web"))
    return body.decode() if status == 200 else status


def test_a_name_is_resolved_before_the_start(lb, dns, servers):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"App.test:{one.port}"))
    assert ask(instance) == "127.0.0.2"
    assert f"info control: target app.test:{one.port}: 127.0.0.2\n" in instance.stderr()
    line = instance.line(status=200)
    assert line["target"] == f"app.test:{one.port}" and line["target_address"] == f"127.0.0.2:{one.port}"


def test_localhost_needs_no_name_server(lb, dns, target):
    server, one = dns(), target(Named("here"))
    instance = lb(config(server, f"localhost:{one.port}"))
    assert [ask(instance) for _ in range(10)] == ["here"] * 10  # also where ::1 is an address of it, and nobody there
    assert not server.asked


def test_a_new_answer_moves_the_traffic_and_closes_what_is_kept(lb, dns, servers):
    server, (one, two) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2", "127.0.0.3")
    instance = lb(config(server, f"app.test:{one.port}"))
    assert ask(instance) == "127.0.0.2" and one.serve.ended == 0  # kept
    server.says["app.test"] = ["127.0.0.3"]
    until(lambda: one.serve.ended == 1, "the kept connection to the old address to be closed")
    assert ask(instance) == "127.0.0.3"
    assert instance.stderr().count("target app.test") == 2 and "reload" not in instance.stderr()


def test_addresses_take_turns_whatever_their_order(lb, dns, servers):
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    server, targets = dns(app_test=hosts), servers(*hosts)
    instance = lb(config(server, f"app.test:{targets[0].port}"))
    turns = [ask(instance) for _ in range(6)]
    assert turns[:3] == turns[3:] and sorted(turns[:3]) == hosts
    server.says["app.test"] = hosts[::-1]
    server.forget()
    until(lambda: len(server.asked) >= 4, "two more questions")
    assert collections.Counter(ask(instance) for _ in range(30)) == {h: 10 for h in hosts}
    assert [t.accepted for t in targets] == [1, 1, 1]  # no connection was lost to the order
    assert instance.stderr().count("target app.test") == 1


def test_the_weight_is_the_target_s_and_not_the_address_s(lb, dns, servers, target):
    hosts = ["127.0.0.2", "127.0.0.3"]
    server, targets = dns(app_test=hosts), servers(*hosts)
    other = target(Named("other"))
    instance = lb(config(server, f"app.test:{targets[0].port}", f"127.0.0.1:{other.port}"))
    assert collections.Counter(ask(instance) for _ in range(20)) == {"127.0.0.2": 5, "127.0.0.3": 5, "other": 10}


def test_an_address_that_refuses_is_passed_over(lb, dns, servers):
    server, (one,) = dns(app_test=["127.0.0.2", "127.0.0.3"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    assert [ask(instance) for _ in range(20)] == ["127.0.0.2"] * 20


def test_an_ipv6_address(lb, dns, target):
    server, one = dns(app_test=["::1"]), target(Named("six"), family=socket.AF_INET6)
    instance = lb(config(server, f"app.test:{one.port}"))
    assert ask(instance) == "six"


def test_an_alias(lb, dns, servers):
    server, (one,) = dns(), servers("127.0.0.2")
    server.answer = lambda query, name, kind: [
        head(query, 3 if kind == 1 else 2) + query[12:] + record(name, "a.test", 60) + record("a.test", "b.test", 60) +
        (record("b.test", "127.0.0.2", 60) if kind == 1 else b"")]
    instance = lb(config(server, f"app.test:{one.port}"))
    assert ask(instance) == "127.0.0.2"


@pytest.mark.parametrize("failure, why", [(NXDOMAIN, "no such name"), (SERVFAIL, "SERVFAIL"), (REFUSED, "refuse"), ([], "no address"),
                                          ("silent", "in time"), (["0.0.0.0"], "no address that a server can have")])
def test_a_failure_keeps_the_addresses(lb, dns, servers, failure, why):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    if failure == "silent":
        server.silent = True
    else:
        server.says["app.test"] = failure
    until(lambda: "it keeps 127.0.0.2" in instance.stderr(), "the warning")
    assert why in instance.stderr()
    assert ask(instance) == "127.0.0.2"
    server.forget()
    until(lambda: len(server.asked) >= 2, "another try")
    assert ask(instance) == "127.0.0.2" and instance.stderr().count("it keeps") == 1
    server.silent, server.says["app.test"] = False, ["127.0.0.2"]
    until(lambda: instance.stderr().count("target app.test:%d: 127.0.0.2\n" % one.port) == 2, "the end of the failure in the log")


def test_a_target_without_address_is_passed_over(lb, dns, servers):
    server, (one,) = dns(), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}", f"127.0.0.2:{one.port}"))
    assert [ask(instance) for _ in range(4)] == ["127.0.0.2"] * 4


@pytest.mark.parametrize("failure", ["silent", "unknown"])
def test_a_name_that_is_never_resolved_delays_the_start_and_nothing_else(lb, dns, servers, failure):
    server, (one,) = dns(), servers("127.0.0.2")
    server.silent = failure == "silent"
    begin = time.monotonic()
    instance = lb(config(server, f"app.test:{one.port}"))
    assert time.monotonic() - begin < (5 if server.silent else 0) + 4
    assert ask(instance) == 503
    assert instance.line(status=503)["close"] == "no_target"
    until(lambda: "it gets no work until it can" in instance.stderr(), "the failure in the log")
    server.silent, server.says["app.test"] = False, ["127.0.0.2"]
    until(lambda: ask(instance) == "127.0.0.2", "the name to be resolved")


def test_a_dead_name_server_delays_no_request(lb, dns, servers):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    server.silent = True
    server.forget()
    until(lambda: server.asked, "a question that is not answered")
    slowest = 0
    for _ in range(50):
        begin = time.monotonic()
        assert ask(instance) == "127.0.0.2"
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 1


def test_a_target_is_asked_for_by_its_name(lb, dns, pki, target):
    """The certificate must be the name's, and SNI says it, unless tls.name says another."""
    asked = []
    good = pki.ca("servers").issue("named", "server", ["DNS:app.test"])
    context = peers.server_context(good)
    context.sni_callback = lambda tls, name, context: asked.append(name)
    server = dns(app_test=["127.0.0.1"], other_test=["127.0.0.1"])
    one = target(Named("tls"), context=context)
    ca = f"ca: [{pki.ca('servers').crt}]"
    instance = lb(config(server, f"app.test:{one.port}", protocol="HTTPS", tls=f", tls: {{{ca}}}"))
    assert ask(instance) == "tls" and asked == ["app.test"]
    instance.reload(config(server, f"other.test:{one.port}", protocol="HTTPS", tls=f", tls: {{{ca}}}"))
    assert ask(instance) == 502 and asked[-1] == "other.test"
    assert instance.line(status=502)["target_peer"]["reason"] == "wrong_name"
    instance.reload(config(server, f"other.test:{one.port}", protocol="HTTPS", tls=f", tls: {{{ca}, name: app.test}}"))
    assert ask(instance) == "tls" and asked[-1] == "app.test"


def junk(query, name, kind):
    return [b"", query[:5], b"\xff" * 600, head(query) + b"\xc0\x0c" * 200]


def pointer_loop(query, name, kind):
    return [head(query, 1) + query[12:] + b"\xc0" + bytes([len(query)]) + struct.pack(">HHIH", kind, 1, 60, 4) + b"\x7f\0\0\2"]


def wrong_identifier(query, name, kind):
    return [head(query, 1, flip=1 << bit) + query[12:] + record(name, "127.0.0.9", 60) for bit in range(16)]


def many_records(query, name, kind):
    return [head(query, 2000) + query[12:] + b"".join(record(name, f"127.1.{i // 250}.{i % 250 + 1}", 60) for i in range(2000))]


def alias_of_itself(query, name, kind):
    return [head(query, 100) + query[12:] + record(name, name, 60) * 100]


def long_chain(query, name, kind):
    chain = [f"a{i}.test" for i in range(100)]
    return [head(query, 100) + query[12:] + b"".join(record(a, b, 60) for a, b in zip([name, *chain], chain))]


def length_beyond_the_end(query, name, kind):
    return [head(query, 1) + query[12:] + labels(name) + struct.pack(">HHIH", kind, 1, 60, 60000) + b"\x7f\0\0\2"]


def short_address(query, name, kind):
    return [head(query, 1) + query[12:] + labels(name) + struct.pack(">HHIH", kind, 1, 60, 2) + b"\x7f\0"]


def another_name(query, name, kind):
    question = labels("evil.test") + struct.pack(">HH", kind, 1)
    return [head(query, 1) + question + record("evil.test", "127.0.0.9", 60)]


@pytest.mark.parametrize("hostile", [junk, pointer_loop, wrong_identifier, many_records, alias_of_itself, long_chain,
                                     length_beyond_the_end, short_address, another_name], ids=lambda f: f.__name__)
def test_hostile_answers_harm_nobody(lb, dns, servers, hostile):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    control = only(instance.pids("control"))
    server.answer = hostile
    server.forget()
    until(lambda: len(server.asked) >= 4, "questions with hostile answers")
    server.answer = None
    server.says["app.test"] = ["127.0.0.2", "127.0.0.3"]
    until(lambda: f"target app.test:{one.port}: 127.0.0.2, 127.0.0.3\n" in instance.stderr(), "a good answer to be taken")
    assert ask(instance) == "127.0.0.2"
    assert only(instance.pids("control")) == control and "127.0.0.9" not in instance.stderr()


def test_when_control_is_killed_the_workers_keep_the_addresses(lb, dns, servers):
    server, (one, two) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2", "127.0.0.3")
    instance = lb(config(server, f"app.test:{one.port}"))
    server.silent = True
    kill(instance, "control")
    server.forget()
    until(lambda: server.asked, "the next control to ask")
    assert ask(instance) == "127.0.0.2"
    until(lambda: "it keeps 127.0.0.2" in instance.stderr(), "the next control to fail, knowing what the one before had found")
    kill(instance, "worker")
    assert ask(instance) == "127.0.0.2"
    server.silent, server.says["app.test"] = False, ["127.0.0.3"]
    until(lambda: ask(instance) == "127.0.0.3", "the next control to publish")


def test_a_worker_that_is_started_again_knows_the_addresses(lb, dns, servers):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    server.silent = True
    server.forget()
    until(lambda: server.asked, "a question that is not answered")
    kill(instance, "worker")
    assert ask(instance) == "127.0.0.2"


def test_a_reload_resolves_new_names_before_it_is_in_force(lb, dns, servers):
    server, (one, two) = dns(app_test=["127.0.0.2"], new_test=["127.0.0.3"]), servers("127.0.0.2", "127.0.0.3")
    instance = lb(config(server, f"app.test:{one.port}"))
    instance.reload(config(server, f"new.test:{one.port}"))
    assert ask(instance) == "127.0.0.3"
    server.forget()
    until(lambda: len(server.asked) >= 4, "more questions")
    assert set(server.asked) == {"new.test"}


def test_a_reload_under_a_dead_name_server_keeps_what_is_known(lb, dns, servers):
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    server.silent = True
    begin = time.monotonic()
    instance.reload(config(server, f"app.test:{one.port}", timeouts="idle: 30s"))
    assert ask(instance) == "127.0.0.2" and time.monotonic() - begin < 3  # nobody waits for a name that is known
    instance.reload(config(server, f"app.test:{one.port}", f"new.test:{one.port}"))
    assert [ask(instance) for _ in range(4)] == ["127.0.0.2"] * 4
    assert time.monotonic() - begin < 12


def test_a_failed_reload_leaves_its_names_behind(lb, dns, pki, servers):
    server, (one,) = dns(app_test=["127.0.0.2"], new_test=["127.0.0.3"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    instance.expect_error("reload failed|sallyport.yaml:")
    no_ca = f", tls: {{ca: [{pki.good.key_file}]}}"  # found by the workers: control has the names by then
    instance.reload(config(server, f"new.test:{one.port}", protocol="HTTPS", tls=no_ca), expect="reload failed")
    until(lambda: server.asked.count("new.test") == 2, "the new name to be asked for, in both families")
    server.forget()
    until(lambda: server.asked.count("app.test") >= 4, "more questions")
    assert set(server.asked) == {"app.test"} and ask(instance) == "127.0.0.2"


def test_without_supervisor_the_workers_go_on(lb, dns, servers):
    """Control is not heard any more; the addresses stay."""
    server, (one,) = dns(app_test=["127.0.0.2"]), servers("127.0.0.2")
    instance = lb(config(server, f"app.test:{one.port}"))
    os.kill(instance.process.pid, signal.SIGSTOP)
    server.says["app.test"] = ["127.0.0.3"]
    server.forget()
    until(lambda: len(server.asked) >= 2, "more questions")
    with Client(instance.port("web")) as client:
        assert client.ask().body == b"127.0.0.2"
    os.kill(instance.process.pid, signal.SIGCONT)
    until(lambda: f"target app.test:{one.port}: 127.0.0.3\n" in instance.stderr(), "the change")
