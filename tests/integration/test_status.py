# SPDX-License-Identifier: Apache-2.0
"""`sallyport status`: what an operator sees of a running instance, and what he is told where there is none."""
import json
import re
import socket

import peers
from instance import run, until
from processes import ADMIN, KILLED, Gate, admin_port, config, kill, kill_until_held_back, listener, refuses
from test_metrics import ask, secured
from test_metrics import cases  # noqa: F401 (a fixture)


def at(instance):
    return "--admin", f"127.0.0.1:{admin_port(instance)}"


def status(instance, *args):
    result = run("status", *at(instance), *args)
    assert result.stderr == ""
    return result


def told(instance):
    return json.loads(status(instance, "--json").stdout)


def test_status_tells_what_is_running_and_what_it_has_done(lb, pki, cases, target):  # noqa: F811
    web = target()
    instance = lb(secured(pki, cases, web))
    assert peers.get(instance.port("open"), pki.ca("servers"))[0] == 200
    try:
        peers.get(instance.port("asks"), pki.ca("servers"), cases.certificates["revoked"])
    except peers.Refused:
        pass
    until(lambda: told(instance)["listeners"][0]["connections"] == 1 and told(instance)["listeners"][1]["requests"]["2xx"] == 1, "the counts")
    s = told(instance)
    assert s["ready"] and s["generation"] == 1 and s["uptime_s"] < 600 and s["reloads"] == {"good": 0, "bad": 0}
    assert {w["pid"] for w in s["workers"]} == set(instance.pids("worker"))
    asks, opened = s["listeners"]
    assert (asks["listener"], asks["protocol"], asks["address"]) == ("asks", "HTTPS", f"127.0.0.1:{instance.port('asks')}")
    assert asks["handshakes"] == {"accepted": 0, "refused": 1, "failed": 0, "reasons": {"revoked": 1}}
    assert opened["handshakes"]["accepted"] == 1
    assert [(t["target_group"], t["target"], t["requests"]) for t in s["targets"]] == [("web", f"127.0.0.1:{web.port}", 1)]
    assert {c["listener"]: c["days_left"] for c in s["certificates"]} == {"asks": 1, "open": 1}
    assert {c["issuer"]: c["is_stale"] for c in s["crls"]}["CN=counted-stale"] is True
    words = status(instance).stdout
    for expected in (r"^ready, generation 1 since 20", r"^asks +HTTPS +127\.0\.0\.1:\d+ ", r"0 accepted, 1 refused, 0 failed: revoked 1$",
                     rf"^web +127\.0\.0\.1:{web.port} +unchecked +1 ", r"^asks +1  20\d\d-.*server\.crt$", r"CN=counted-stale \(STALE\)$"):
        assert re.search(expected, words, re.M), (expected, words)


def test_a_worker_that_died_is_told_and_what_it_counted_stays(lb, target):
    instance = lb(config(listener("web"), web=target(), workers=2, admin=ADMIN))
    instance.expect_error(KILLED)
    ask(instance.port("web"), n=10)
    until(lambda: told(instance)["listeners"][0]["requests"]["2xx"] == 10, "the counts")
    kill(instance, "worker 1")
    until(lambda: status(instance).returncode == 0, "readiness")
    s = told(instance)
    assert [w["restarts"] for w in s["workers"]] == [0, 1] and s["listeners"][0]["requests"]["2xx"] == 10
    assert {w["pid"] for w in s["workers"]} == set(instance.pids("worker"))


def test_an_instance_that_is_not_ready_is_a_negative_answer(lb, target):
    instance = lb(config(listener("web"), web=target(), admin=ADMIN))
    kill_until_held_back(instance, "worker")
    result = status(instance)
    assert result.returncode == 1 and result.stdout.startswith("not ready, ")
    until(lambda: status(instance).returncode == 0, "readiness")


def test_targets_and_listeners_that_are_gone_are_not_shown(lb, target):
    one, two = target(), target()
    instance = lb(config(listener("web"), web=one, admin=ADMIN))
    ask(instance.port("web"))
    instance.reload(config(listener("other"), web=two, admin=ADMIN))
    s = told(instance)
    assert [t["target"] for t in s["targets"]] == [f"127.0.0.1:{two.port}"]
    assert [x["listener"] for x in s["listeners"]] == ["other"] and s["reloads"]["good"] == 1


def test_the_configuration_says_where_the_instance_is(lb, target, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    web = target()
    instance = lb(config(listener("web"), web=web, admin=f'{{address: "127.0.0.1:{port}"}}'))
    result = run("status", "-c", instance.file, "--json")
    assert result.returncode == 0 and json.loads(result.stdout)["generation"] == 1
    everywhere = tmp_path / "everywhere.yaml"
    everywhere.write_text(config(listener("web"), web=web, admin=f'{{address: ":{port}"}}'))
    assert run("status", "-c", everywhere).returncode == 0


def test_where_nothing_can_be_asked_it_says_what_to_do(lb, target, tmp_path):
    file = tmp_path / "sallyport.yaml"
    web = target()

    def says(text, *args, code=2):
        file.write_text(text)
        result = run("status", *(args or ("-c", file)))
        assert result.returncode == code and result.stdout == ""
        return result.stderr

    assert "names no admin address" in says(config(listener("web"), web=web)) and "admin: {address:" in says(config(listener("web"), web=web))
    assert "has no fixed port" in says(config(listener("web"), web=web, admin=ADMIN))
    assert "is no valid configuration" in says("listeners: 3\n")
    assert "No such file" in says("", "-c", tmp_path / "none.yaml")
    assert "address" in says("", "--admin", "nonsense")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    assert refuses(port)
    assert "nobody answers" in says("", "--admin", f"127.0.0.1:{port}", code=1)


def test_an_answer_that_is_not_ours_is_refused(target):
    def other(t, connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}")
    result = run("status", "--admin", f"127.0.0.1:{target(other).port}")
    assert result.returncode == 1 and "not Sallyport" in result.stderr
    result = run("status", "--admin", f"127.0.0.1:{target().port}")
    assert result.returncode == 1


def test_status_while_a_request_is_open(lb, target):
    gate = Gate()
    instance = lb(config(listener("web"), web=target(gate), admin=ADMIN))
    with socket.create_connection(("127.0.0.1", instance.port("web"))) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gate.arrived.wait(10)
        now = told(instance)
        assert now["listeners"][0]["connections_open"] == now["workers"][0]["connections_open"] == now["targets"][0]["connections_open"] == 1
        gate.opened.set()
