# SPDX-License-Identifier: Apache-2.0
"""`sallyport top`, and the dashboard: what they show is what the instance does."""
import json
import pathlib
import re
import threading

import pytest

from files import command
from http_peers import Client, Scripted, closed_port, group, running
from processes import ADMIN, admin_port, get

ETC = pathlib.Path(__file__).resolve().parents[2] / "etc"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    target = Scripted()
    config = f"""
listeners: [{{name: web, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: localhost, path: /, target_group: web}}]}}]
target_groups: {group("web", target)}
access_log: {{file: access.log}}
admin: {ADMIN}
workers: 1
"""
    with running(tmp_path_factory.mktemp("top"), config, target) as instance:
        yield instance


def top(world, *args):
    return command("top", "--admin", f"127.0.0.1:{admin_port(world)}", *args)


def test_rates_are_those_of_the_span(world):
    done = threading.Event()

    def ask():
        with Client(world.port("web")) as c:
            while not done.wait(0.01):
                assert c.ask("/").status == 200
    thread = threading.Thread(target=ask)
    thread.start()
    out = top(world, "-n", "2")
    done.set()
    thread.join()
    assert out.returncode == 0 and "\x1b" not in out.stdout  # no terminal
    looks = re.findall(r"^web +HTTP +(\d+) +(\d+) +(\d+) +0 +0 +([\d.]+k?) +([\d.]+k?)$", out.stdout, re.M)
    assert len(looks) == 2, out.stdout
    for opened, new, requests, _, _ in looks:
        assert (opened, new) == ("1", "0") or (opened, new) == ("1", "1")
    assert 20 <= int(looks[1][2]) <= 110, out.stdout
    targets = re.findall(r"^web +127\.0\.0\.1:\d+ +unchecked +(\d+) +1 +\d+ +0$", out.stdout, re.M)
    assert len(targets) == 2 and 20 <= int(targets[1]) <= 110, out.stdout


def test_an_instance_that_does_nothing_shows_zeros(world):
    out = top(world, "-n", "1", "-i", "1")
    assert out.returncode == 0 and re.search(r"^web +HTTP +\d+ +0 +0 +0 +0 +0 +0$", out.stdout, re.M), out.stdout


def test_nobody_answers():
    dead, port = closed_port()
    out = command("top", "--admin", f"127.0.0.1:{port}", "-n", "1")
    assert out.returncode == 1 and "127.0.0.1" in out.stderr
    assert command("top", "-i", "0").returncode == 2
    dead.close()


def test_the_dashboard_asks_for_what_there_is(world):
    board = json.loads((ETC / "grafana-dashboard.json").read_text())
    _, body = get(admin_port(world), "/metrics")
    known = set(re.findall(r"^# TYPE (\S+)", body.decode(), re.M))
    documented = set(re.findall(r"`(sallyport_\w+)`", (ETC.parent / "docs/metrics.md").read_text()))
    queries = [t["expr"] for panel in board["panels"] for t in panel.get("targets", [])]
    assert len(queries) > 10
    for query in queries:
        used = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in documented else name for name in re.findall(r"sallyport_\w+", query)}
        assert used and used <= documented | known, query
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and all(p["datasource"] == {"type": "prometheus", "uid": "${source}"} for p in board["panels"] if "targets" in p)
