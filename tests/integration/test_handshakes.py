# SPDX-License-Identifier: Apache-2.0
"""`sallyport handshakes`: the last handshakes with their numbered steps, and for each refusal the remedy."""
import json
import re
import socket
import subprocess

import pytest

import peers
from instance import BINARY, run, until
from matrix import REFUSED
from processes import ADMIN, KILLED, admin_port, get, kill
from test_metrics import answers, secured
from test_metrics import cases  # noqa: F401 (a fixture)

SLOTS = 1024


@pytest.fixture
def instance(lb, pki, cases, target):  # noqa: F811
    return lb(secured(pki, cases, target()))


def refuse(instance, pki, certificate, version="1.3"):
    with pytest.raises(peers.Refused):
        peers.get(instance.port("asks"), pki.ca("servers"), certificate, version)


def handshakes(instance, *args, path=None):
    if path:
        code, body = get(admin_port(instance), path)
        assert code == 200
        return [json.loads(line) for line in body.splitlines()]
    result = run("handshakes", "--admin", f"127.0.0.1:{admin_port(instance)}", "--json", *args)
    assert result.returncode == 0 and result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def has(instance, n, *args):
    return until(lambda: (found := handshakes(instance, *args)) and len(found) == n and found, lambda: f"{n} handshakes: {handshakes(instance, *args)}")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_was_accepted_is_shown_with_its_steps(instance, pki, cases, version):  # noqa: F811
    peers.get(instance.port("open"), pki.ca("servers"), version=version)
    peers.get(instance.port("asks"), pki.ca("servers"), cases.certificates["good"], version)
    opened, asked = has(instance, 2)
    assert opened["listener"] == "open" and opened["result"] == opened["reason"] == "accepted" and opened["sni"] == "localhost"
    assert opened["tls"]["version"] == f"TLSv{version}" and opened["tls"]["group"] == "x25519" and not opened["tls"]["resumed"]
    assert [s["number"] for s in opened["steps"]] == [1, 2, 3, 4, 5] and "peer" not in opened
    assert [s["number"] for s in asked["steps"]] == list(range(1, 10))
    assert asked["peer"]["accepted"] and asked["peer"]["chain"][0]["subject"] in asked["steps"][3]["evidence"]
    for step in asked["steps"]:
        assert set(step) == {"number", "actor", "does", "message", "evidence", "wire"} and all(step.values())
    assert asked["id"] > opened["id"] and re.fullmatch(r"127\.0\.0\.1:\d+", asked["client"])


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_was_refused_is_shown_with_the_remedy(instance, pki, cases, version):  # noqa: F811
    for n, (case, (reason, alert)) in enumerate(REFUSED.items(), 1):
        refuse(instance, pki, cases.certificates[case], version)
        last = has(instance, n, "--failed")[-1]
        assert (last["result"], last["reason"], last["peer"]["reason"]) == ("refused", reason, reason)
        assert last["remedy"].startswith(f"{reason}: ") and len(last["remedy"]) > len(reason) + 20
        assert last["tls"]["alert_sent"] == alert.lower()
        assert [s["number"] for s in last["steps"]] == [1, 2, 3, 4, 5] and reason in last["steps"][4]["evidence"]
    refuse(instance, pki, None, version)
    last = has(instance, len(REFUSED) + 1, "--failed")[-1]
    assert last["reason"] == "no_certificate" and "0 certificates received" in last["steps"][3]["evidence"]


def test_what_failed_otherwise_has_a_remedy_too(instance, pki):
    port = instance.port("open")
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while s.recv(100):
            pass
    first = has(instance, 1)[0]
    assert (first["result"], first["reason"], first["steps"]) == ("failed", "handshake_not_tls", []) and "https://" in first["remedy"]
    with pytest.raises(Exception):
        peers.get(port, pki.ca("strangers"))
    last = has(instance, 2)[-1]
    assert (last["reason"], last["tls"]["alert_received"]) == ("handshake_alert", "unknown_ca") and "give the client that CA" in last["remedy"]
    assert [s["number"] for s in last["steps"]] == [1, 2, 3] and "unknown_ca" in last["steps"][2]["evidence"]


def test_for_people_there_is_one_line_each(instance, pki, cases):  # noqa: F811
    peers.get(instance.port("asks"), pki.ca("servers"), cases.certificates["good"])
    refuse(instance, pki, cases.certificates["expired"])
    has(instance, 2)
    said = run("handshakes", "--admin", f"127.0.0.1:{admin_port(instance)}").stdout.splitlines()
    assert len(said) == 2 and re.search(r"Z  asks +127\S+ +TLSv1\.3 accepted  CN=\S*good$", said[0]), said
    assert re.search(r"TLSv1\.3 refused  CN=\S*expired  expired: .*renew", said[1]), said
    with_steps = run("handshakes", "--admin", f"127.0.0.1:{admin_port(instance)}", "--failed", "--steps").stdout
    assert re.search(r"^   1  client  ", with_steps, re.M) and re.search(r"^   5  server  ", with_steps, re.M) and len(with_steps.splitlines()) == 16


def test_follow_shows_what_comes_after_it_began_also_past_the_end_of_control(instance, pki, cases):  # noqa: F811
    refuse(instance, pki, cases.certificates["revoked"])
    has(instance, 1)
    follower = subprocess.Popen([BINARY, "handshakes", "--admin", f"127.0.0.1:{admin_port(instance)}", "--follow", "--failed", "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert json.loads(follower.stdout.readline())["reason"] == "revoked"
        peers.get(instance.port("asks"), pki.ca("servers"), cases.certificates["good"])
        refuse(instance, pki, cases.certificates["expired"])
        assert json.loads(follower.stdout.readline())["reason"] == "expired"
        kill(instance, "control")
        until(lambda: answers(instance), "control")
        refuse(instance, pki, cases.certificates["unknown_ca"])
        assert json.loads(follower.stdout.readline())["reason"] == "untrusted"
        instance.stop()
        assert follower.wait(30) == 1 and "nobody answers" in follower.stderr.read()
    finally:
        follower.kill()
        follower.communicate()


def test_since_gives_each_handshake_once(instance):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", instance.port("asks"))) as s:
            s.sendall(b"no TLS")
            while s.recv(100):
                pass
    ids = [h["id"] for h in has(instance, 3)]
    assert ids == sorted(set(ids))
    assert [h["id"] for h in handshakes(instance, path=f"/handshakes?since={ids[0]}")] == ids[1:]
    assert handshakes(instance, path=f"/handshakes?since={ids[2]}&failed=1") == []
    for query in ("since=x", "since=", "failed=2", "since=99999999999999999999", "x"):
        assert get(admin_port(instance), f"/handshakes?{query}")[0] == 400


def test_the_oldest_make_room_and_those_of_a_dead_worker_stay(lb, pki, cases, target):  # noqa: F811
    instance = lb(secured(pki, cases, target()).replace("workers: 2", "workers: 1"))
    instance.expect_error(KILLED)
    for i in range(SLOTS + 20):
        with socket.create_connection(("127.0.0.1", instance.port("open"))) as s:
            s.sendall(b"no TLS\r\n" if i != 5 else b"\x15\x03\x01\x00\x02\x02\x28")
            while s.recv(100):
                pass
    found = handshakes(instance, path="/handshakes")
    assert len(found) == 1000 and {h["reason"] for h in found} == {"handshake_not_tls"}
    everything = handshakes(instance, path="/handshakes?since=1")
    assert len(everything) == 1000 and everything[0]["id"] < found[0]["id"]
    kill(instance, "worker")
    assert handshakes(instance, path="/handshakes")[-1]["id"] == found[-1]["id"]
    until(lambda: answers(instance), "readiness")
    peers.get(instance.port("open"), pki.ca("servers"))
    assert until(lambda: (h := handshakes(instance, path="/handshakes")[-1])["result"] == "accepted" and h, "the newest")["id"] > found[-1]["id"]


def test_a_long_chain_is_cut_short_and_still_a_verdict(lb, pki, cases, target):  # noqa: F811
    instance = lb(secured(pki, cases, target()))
    ca, names = cases.root, [f"DNS:{'x' * 40}{i}.example" for i in range(80)]
    certificate = ca.issue("many-names", "client", names)
    peers.get(instance.port("asks"), pki.ca("servers"), certificate)
    found = has(instance, 1)[0]
    assert found["peer"]["accepted"] and found["steps"][3]["evidence"].count("CN=many-names") == 1
