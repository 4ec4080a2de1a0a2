# SPDX-License-Identifier: Apache-2.0
"""Who goes when a worker is full: those that wait, the longest waiting first; whoever comes then is served, and nobody else notices."""
import contextlib

import pytest

import peers
from http2_peers import Http2
from http_peers import Client
from instance import until
from processes import ADMIN, admin_port, config, get, listener, through
from prometheus import Metrics

DESCRIPTORS = 150


def value(instance, name, **labels):
    return Metrics(get(admin_port(instance), "/metrics")[1].decode()).sum(f"sallyport_worker_{name}", **labels)


@pytest.fixture
def full(lb, target, pki, tmp_path, monkeypatch):
    """start(enter, protocol) → an instance that is full of what ENTER(port) returns, and these in order."""
    through(monkeypatch, tmp_path, f'exec prlimit --nofile={DESCRIPTORS}:{DESCRIPTORS} "$SALLYPORT" "$@"')
    stack = contextlib.ExitStack()

    def start(enter, protocol="HTTP"):
        certificate = pki.server if protocol == "HTTPS" else None
        keys = {"admin": ADMIN, "timeouts": "{header: 1m, handshake: 1m, idle: 5m}"}
        instance = lb(config(listener(protocol=protocol, certificate=certificate), web=target(), **keys))
        instance.expect_error("accepting pauses")
        most = int(until(lambda: value(instance, "connections_max"), "the worker to know the commit"))
        inside = [stack.enter_context(enter(instance.port("web"))) for _ in range(most)]
        until(lambda: value(instance, "connections_open") == most, "all to be inside")
        return instance, inside
    with stack:
        yield start


def kept(port):
    client = Client(port)
    assert client.ask("/").status == 200
    return client


def test_idle_connections_make_room_the_oldest_first(full):
    instance, inside = full(kept)
    busy = inside.pop(0)
    newcomers = [Client(instance.port("web")).send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
    until(lambda: busy.ask("/").status == 200 and value(instance, "connections_crowded_out_total", state="idle"), "room to be made")
    assert inside[0].end() == "fin"  # as at any idle time-out: it comes again
    inside[0].sock.close()
    for i, newcomer in enumerate(newcomers, 1):
        inside[i].end()
        inside[i].sock.close()
        with newcomer:
            assert newcomer.response().status == 200
    assert inside[-1].ask("/").status == 200 and busy.ask("/").status == 200
    assert value(instance, "connections_crowded_out_total", state="arriving") == 0
    assert instance.stderr().count("there is hardly room for more") == 1


def test_heads_that_do_not_end_make_room_after_a_while(full):
    """timeouts.header is a minute here."""
    instance, inside = full(lambda port: Client(port).send(b"GET / HTTP/1.1\r\nHost: local"))
    with Client(instance.port("web")) as newcomer:
        newcomer.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert newcomer.response().status == 200
    assert inside[0].response().status == 503
    assert value(instance, "connections_crowded_out_total", state="arriving") >= 1
    assert instance.line(status=503)["close"] == "crowded_out"


def test_handshakes_that_do_not_end_make_room_after_a_while(full, pki):
    instance, inside = full(lambda port: Client(port).send(b"\x16\x03\x01"), "HTTPS")
    with peers.connect(instance.port("web"), peers.client_context(pki.ca("servers"))) as tls:
        assert peers.ask(tls)[0] == 200
    assert inside[0].end() == "reset"
    assert instance.line(close="crowded_out")["client"] == inside[0].name


def test_idle_connections_of_http2_are_told_what_was_not_looked_at(full, pki):
    def kept_http2(port):
        client = Http2(port, pki)
        assert client.ask().status == 200
        return client
    instance, inside = full(kept_http2, "HTTPS")
    with Http2(instance.port("web"), pki) as newcomer:
        assert newcomer.ask().status == 200
    inside[0].end()
    assert [(f.error_code, f.last_stream_id) for f in inside[0].goaways] == [(0, 1)]
    assert inside[-1].ask().status == 200
