# SPDX-License-Identifier: Apache-2.0
"""What becomes of connections when a newer configuration takes the place of theirs."""
import threading

import pytest

from http_peers import Client, Cut, Scripted, group, header, plain

RELAY = "\n  - {name: relay, protocol: TCP, address: '127.0.0.1:0', target_group: raw}"


@pytest.fixture
def target():
    t = Scripted()
    yield t
    t.close()


def config(target, drain):
    return plain(group("web", target), group("raw", target, protocol="TCP"), listeners=RELAY, timeouts=f"drain: {drain}")


def replace(instance, configuration):
    """A reload to something else."""
    instance.reload(configuration.replace("weight: 10", "weight: 11"))


def test_an_exchange_under_way_finishes_and_is_the_last(lb, target):
    began, go = threading.Event(), threading.Event()

    @target.script("/wait")
    def path(call):
        began.set()
        go.wait(20)
        return call.answer(b"late")

    instance = lb(config(target, "1h"))
    with Client(instance.port("plain")) as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began.wait(20)
        replace(instance, config(target, "1h"))
        go.set()
        r = client.response()
        assert (r.body, header(r, "Connection")) == (b"late", "close") and client.end() == "fin"


def test_an_idle_connection_is_good_for_one_more_exchange(lb, target):
    """A request that was on its way already is not lost."""
    instance = lb(config(target, "1h"))
    with Client(instance.port("plain")) as client:
        assert header(client.ask(), "Connection") is None
        replace(instance, config(target, "1h"))
        r = client.ask()
        assert (r.status, header(r, "Connection")) == (200, "close") and client.end() == "fin"


def test_what_lasts_longer_than_the_time_to_drain_is_cut(lb, target):
    @target.script("/wait")
    def path(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        call.file.read()

    instance = lb(config(target, "300ms"))
    with Client(instance.port("plain")) as client, Client(instance.port("relay")) as relay, Client(instance.port("plain")) as idle:
        idle.ask()
        client.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.line() == "HTTP/1.1 200 OK"
        assert relay.ask().status == 200
        mark = instance.mark()
        replace(instance, config(target, "300ms"))
        assert relay.end() == "reset" and idle.end() == "fin"
        with pytest.raises((ConnectionResetError, Cut)):
            client.exactly(1000)
        for listener in ("plain", "relay"):
            line = instance.line(since=mark, listener=listener, close="drained")
            assert line["detail"] == "a newer configuration is in force"


def test_connections_of_the_configuration_in_force_have_no_such_end(lb, target):
    instance = lb(config(target, "300ms"))
    replace(instance, config(target, "300ms"))
    with Client(instance.port("relay")) as relay:
        assert relay.ask().status == 200
        with Client(instance.port("relay")) as old:
            assert old.ask().status == 200
            replace(instance, config(target, "1h"))
            with Client(instance.port("relay")) as new:
                assert old.end() == "reset" and relay.end() == "reset"
                assert new.ask().status == 200
