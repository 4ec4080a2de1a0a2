# SPDX-License-Identifier: Apache-2.0
"""What becomes of connections when a newer configuration takes the place of theirs."""
import threading
import time

import pytest

import peers
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


def renamed(configuration):
    """The same with other listeners: those that were are gone."""
    return configuration.replace("name: plain", "name: other").replace("name: relay", "name: another")


def test_what_came_in_where_no_listener_is_any_more_is_cut_after_the_time_to_drain(lb, target):
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
        instance.reload(renamed(config(target, "300ms")))
        assert relay.end() == "reset" and idle.end() == "fin"
        with pytest.raises((ConnectionResetError, Cut)):
            client.exactly(1000)
        for listener in ("plain", "relay"):
            line = instance.line(since=mark, listener=listener, close="drained")
            assert line["detail"] == "a newer configuration is in force"


def goes_on(ask, seconds=0.5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ask()


def test_what_would_still_be_let_in_goes_on_for_as_long_as_it_likes(lb, target):
    instance = lb(config(target, "100ms"))
    with Client(instance.port("relay")) as relay:
        assert relay.ask().status == 200
        replace(instance, config(target, "100ms"))
        goes_on(relay.ask)


def test_a_new_crl_ends_the_relays_that_the_old_one_let_in(lb, pki, tmp_path):
    """They may come in again, if it lets them."""
    ca, raw = pki.ca("clients"), peers.Target(peers.echo)
    crl = ca.crl(file=tmp_path / "clients.crl")
    text = f"""
listeners:
  - name: inner
    protocol: TCP_SSL
    address: 127.0.0.1:0
    authentication: mutual
    certificates: [{pki.server.yaml()}]
    client_ca: [{ca.crt}]
    revocation: {{crl: [{crl}], policy: hard}}
    target_group: raw
target_groups:
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{raw.port}", weight: 10}}]}}
timeouts: {{drain: 100ms}}
access_log: {{file: access.log}}
"""
    instance = lb(text)

    def ask():
        relay.sendall(b"x")
        assert relay.recv(100) == b"echo:x"

    with peers.connect(instance.port("inner"), peers.client_context(pki.ca("servers"), pki.good)) as relay:
        ask()
        replace(instance, text)
        goes_on(ask)
        ca.crl(file=crl)
        instance.reload(text)
        line = instance.line(listener="inner", close="drained")
        assert line["detail"] == "a newer configuration is in force"
        try:
            left = relay.recv(100)
        except OSError:
            left = b""
        assert left == b""
    raw.close()
