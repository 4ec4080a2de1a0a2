# SPDX-License-Identifier: Apache-2.0
"""Clients that come again find the target that they had, by cookie or by address, as long as that takes work."""
import os
import re
import signal
import socket
import time

import pytest

import peers
from http2_peers import Http2, value
from http_peers import Client, group, header
from instance import until
from processes import listener

SOURCES = [f"127.0.2.{i}" for i in range(1, 13)]


class Named:
    """Answers with its name, and keeps the Cookie fields of requests; at most REQUESTS on a connection."""

    def __init__(self, name, requests=1000):
        self.name, self.cookies, self.requests = name.encode(), [], requests

    def __call__(self, target, connection):
        with connection.makefile("rb") as f:
            for _ in range(self.requests):
                lines = peers.read_head(f)
                if not lines:
                    return
                self.cookies.append([line[8:] for line in lines if line.lower().startswith("cookie: ")])
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(self.name), self.name))


def by_cookie(*targets, keys="cookie: LB", workers=2, certificate=None):
    protocol = "HTTPS" if certificate else "HTTP"
    return (f"listeners:\n  - {listener(protocol=protocol, group='app', certificate=certificate)}\n"
            f"target_groups:{group('app', *targets, more=f', stickiness: {{{keys}}}')}\naccess_log: {{file: access.log}}\nworkers: {workers}\n")


def ask(instance, *cookies, sock=None):
    """On a new connection: (who answered, the Set-Cookie field or None)."""
    with Client(instance.port("web") if not sock else None, sock=sock) as client:
        answer = client.ask("/", "GET", *(f"Cookie: {c}" for c in cookies))
        return answer.body.decode(), header(answer, "Set-Cookie")


def pair(set_cookie):
    return set_cookie.split(";")[0]


def test_a_cookie_leads_back_to_the_target(lb, target):
    servers = {name: target(Named(name)) for name in "abc"}
    instance = lb(by_cookie(*servers.values()))
    cookies = {}
    while len(cookies) < 3:
        name, given = ask(instance)
        assert re.fullmatch(r"LB=[0-9a-f]{24}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax", given), given
        cookies[name] = pair(given)
    assert len({c[-16:] for c in cookies.values()}) == 3  # each names its target …
    assert not any(str(s.port) in given for s in servers.values())  # … to nobody else
    for name, cookie in cookies.items():
        assert [ask(instance, cookie) for _ in range(6)] == [(name, None)] * 6  # both workers know it; nothing new to say
    for pid in instance.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(instance.pids("worker")) == 2, "new workers")
    assert until(lambda: ask_or_none(instance, cookies["b"]), "an answer") == ("b", None)


def ask_or_none(instance, cookie):
    try:
        return ask(instance, cookie)
    except (OSError, AssertionError):
        return None


def test_the_cookie_is_secure_where_the_listener_is(lb, pki, target):
    instance = lb(by_cookie(target(Named("a")), certificate=pki.server))
    tls = peers.connect(instance.port("web"), peers.client_context(pki.ca("servers")))
    assert ask(instance, sock=tls)[1].endswith("; HttpOnly; SameSite=Lax; Secure")


def test_targets_do_not_see_it_but_all_other_cookies(lb, target):
    server = target(Named("a"))
    instance = lb(by_cookie(server))
    mine = pair(ask(instance)[1])
    for sent, arrived in (((mine,), []), ((f"x=1; {mine}; y=2",), ["x=1; y=2"]), ((f"{mine};z=3",), ["z=3"]),
                          (("x=LB=1; LBX=2; lb=3",), ["x=LB=1; LBX=2; lb=3"]), (("a=1", mine, "b=2"), ["a=1", "b=2"])):
        ask(instance, *sent)
        assert server.serve.cookies[-1] == arrived, sent


def test_over_http_2_each_request_finds_its_target(lb, pki, target):
    servers = {name: target(Named(name)) for name in "ab"}
    instance = lb(by_cookie(*servers.values(), certificate=pki.server))
    with Http2(instance.port("web"), pki) as client:
        answer = client.ask()
        name, cookie = answer.body.decode(), pair(value(answer.headers, "set-cookie"))
        for _ in range(6):
            again = client.ask("/", "GET", ("cookie", "x=1"), ("cookie", cookie))
            assert again.body.decode() == name and value(again.headers, "set-cookie") is None
    assert servers[name].serve.cookies[-1] == ["x=1"]


@pytest.mark.parametrize("how", ["weight 0", "removal"])
def test_a_client_of_a_target_that_drains_moves_with_its_cookie(lb, target, how):
    servers = {name: target(Named(name)) for name in "ab"}
    instance = lb(by_cookie(*servers.values()))
    name, given = ask(instance)
    old, new = servers[name], servers["ab".replace(name, "")]
    instance.reload(by_cookie((old, 0), new) if how == "weight 0" else by_cookie(new))
    moved = ask(instance, pair(given))
    assert moved[0] == new.serve.name.decode() and pair(moved[1])[-16:] != pair(given)[-16:]
    instance.reload(by_cookie(old, new))
    assert {ask(instance, pair(moved[1])) for _ in range(6)} == {(new.serve.name.decode(), None)}  # it stays there


def test_a_client_of_a_target_that_is_gone_moves_with_its_cookie(lb, target):
    servers = {name: target(Named(name, requests=1)) for name in "ab"}
    instance = lb(by_cookie(*servers.values()))
    name, given = ask(instance)
    servers[name].close()
    other, moved = ask(instance, pair(given))
    assert other == "ab".replace(name, "") and moved
    assert {ask(instance, pair(moved)) for _ in range(6)} == {(other, None)}


@pytest.mark.parametrize("change", [
    lambda c: c[:3] + "0" * 24,
    lambda c: c[:-1] + ("0" if c[-1] != "0" else "1"),  # a target that there is not
    lambda c: c.upper().replace("LB", "LB"),
    lambda c: c + "0",
    lambda c: "LB=",
    lambda c: "LB",
    lambda c: "LB=%08x%s" % (int(c[3:11], 16) - 3600, c[11:]),  # as old as it may not be
    lambda c: "LB=%08x%s" % (int(c[3:11], 16) + 3600, c[11:]),  # of the future
])
def test_a_cookie_that_is_not_ours_means_nothing(lb, target, change):
    servers = [target(Named(name)) for name in "ab"]
    instance = lb(by_cookie(*servers, workers=1))
    cookie = change(pair(ask(instance)[1]))
    answers = [ask(instance, cookie) for _ in range(4)]
    assert {name for name, _ in answers} == {"a", "b"} and all(given for _, given in answers)
    assert not any(servers[0].serve.cookies)  # it is taken away all the same


def test_a_cookie_is_renewed_when_half_of_its_time_is_over(lb, target):
    instance = lb(by_cookie(target(Named("a")), target(Named("b")), keys="cookie: LB, expires: 1h"))
    name, given = ask(instance)
    cookie = pair(given)
    aged = "LB=%08x%s" % (int(cookie[3:11], 16) - 1795, cookie[11:])
    assert ask(instance, aged) == (name, None)
    aged = "LB=%08x%s" % (int(cookie[3:11], 16) - 1805, cookie[11:])
    again, renewed = ask(instance, aged)
    assert again == name and pair(renewed)[11:] == cookie[11:] and int(renewed[3:11], 16) >= int(cookie[3:11], 16)


# ---- by address

def by_address(*targets, span="30m", workers=2, more=""):
    return (f"listeners:\n  - {listener(protocol='TCP', group='app')}\n"
            f"target_groups:{group('app', *targets, protocol='TCP', more=f', stickiness: {{source_ip: {span}}}{more}')}\n"
            f"access_log: {{file: access.log}}\nworkers: {workers}\n")


class Greets:
    def __init__(self, name):
        self.name = name.encode()

    def __call__(self, target, connection):
        connection.sendall(self.name)


def greet(instance, source):
    """Who greets a connection from SOURCE."""
    with socket.create_connection(("127.0.0.1", instance.port("web")), 10, (source, 0)) as s:
        return s.recv(100).decode()


def test_an_address_is_remembered_by_all_workers_and_outlives_them(lb, target):
    servers = {name: target(Greets(name)) for name in "abc"}
    instance = lb(by_address(*servers.values()))
    first = {s: greet(instance, s) for s in SOURCES}
    assert set(first.values()) == set("abc")  # by turns: the scheduler still chooses for those who are new
    for _ in range(4):
        assert {s: greet(instance, s) for s in SOURCES} == first
    for pid in instance.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(instance.pids("worker")) == 2, "new workers")
    assert until(lambda: greet_or_none(instance, SOURCES[0]), "a greeting") == first[SOURCES[0]]
    assert {s: greet(instance, s) for s in SOURCES} == first


def greet_or_none(instance, source):
    try:
        return greet(instance, source)
    except OSError:
        return None


def test_an_address_whose_target_drains_moves_and_stays(lb, target):
    servers = {name: target(Greets(name)) for name in "abc"}
    instance = lb(by_address(*servers.values()))
    first = {s: greet(instance, s) for s in SOURCES}
    instance.reload(by_address(*[s for n, s in servers.items() if n != "b"]))
    then = {s: greet(instance, s) for s in SOURCES}
    assert all(then[s] == first[s] for s in SOURCES if first[s] != "b") and "b" not in then.values()
    instance.reload(by_address(*servers.values()))
    assert {s: greet(instance, s) for s in SOURCES} == then


def test_an_address_is_forgotten_after_its_time(lb, target):
    servers = [target(Greets(name)) for name in "ab"]
    instance = lb(by_address(*servers, span="1s", workers=1))
    first = greet(instance, SOURCES[0])
    assert greet(instance, SOURCES[1]) != first
    assert greet(instance, SOURCES[0]) == first
    begin = time.monotonic()
    until(lambda: time.monotonic() > begin + 1.1, "its second to pass unused")
    assert greet(instance, "127.0.3.1") == first  # whose turn it is …
    assert greet(instance, SOURCES[0]) != first  # … and whose now
