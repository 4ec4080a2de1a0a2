# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: a new generation for what comes, the old one for what is there; and nothing at all if anything is wrong."""
import json
import os
import re
import signal
import time

import pytest

import peers
from http_peers import Client, header
from instance import until
from processes import (ADMIN, Relay, Traffic, admin_port, certificate_at, config, get, kill_until_held_back, listener, memfds,
                       only, refuses, status)


@pytest.fixture(scope="module")
def second(pki):
    return pki.ca("servers").issue("second", "server", ["DNS:localhost"])


class Served:
    """An instance with a listener of each kind, and a held connection on two of them."""

    def __init__(self, lb, pki, target):
        self.pki, self.web, self.raw = pki, target(), target(peers.echo)
        self.instance = lb(self.config())
        self.tls = peers.connect(self.instance.port("web"), peers.client_context(pki.ca("servers")))
        self.client = Client(sock=self.tls)
        self.relay = Relay(self.instance.port("relay"))
        assert self.relay.says(b"before") and header(self.client.ask(), "Connection") is None

    def config(self, certificate=None, **keys):
        return config(listener("plain"), listener("web", "HTTPS", certificate=certificate or self.pki.server),
                      listener("relay", "TCP", "raw"), web=self.web, raw=self.raw, admin=ADMIN, **keys)

    def certificate(self):
        return certificate_at(self.instance.port("web"), self.pki.ca("servers"))

    def generation(self):
        return json.loads(get(admin_port(self.instance), "/readyz")[1])["generation"]


@pytest.fixture
def served(lb, pki, target):
    s = Served(lb, pki, target)
    yield s
    s.tls.close()
    s.relay.socket.close()


def test_a_reload_serves_the_new_certificate_and_lets_old_connections_finish(served, second):
    served.instance.reload(served.config(second))
    assert served.certificate() == second.der
    answer = served.client.ask()  # on the connection of generation 1
    assert answer.status == 200 and header(answer, "Connection") == "close" and served.client.end() == "fin"
    assert served.relay.says(b"after")
    assert served.generation() == 2


def moved(text, old, new):
    assert old in text
    return text.replace(old, new)


# what is done to the configuration → what stands at the reported place, and why it is refused
BAD = {
    "not_yaml": (lambda s, t: t + "workers: [1\n", "", ""),
    "unknown_key": (lambda s, t: t + "wrokers: 1\n", "wrokers", "unknown key"),
    "missing_file": (lambda s, t: moved(t, str(s.pki.server.crt), "/nowhere.crt"), "/nowhere.crt", "No such file"),
    "key_of_another": (lambda s, t: moved(t, str(s.pki.server.key_file), str(s.pki.good.key_file)), "{pki}/good.key", "is not the key of"),
    "no_key": (lambda s, t: moved(t, str(s.pki.server.key_file), str(s.pki.server.crt)), "{pki}/server.crt", "key"),
    "port_in_use": (lambda s, t: moved(t, "target_groups:", f"  - {listener('new', address=f'127.0.0.1:{s.web.port}')}\ntarget_groups:"),
                    '"127.0.0.1:', "another process listens there"),
    "workers_changed": (lambda s, t: moved(t, "workers: 1", "workers: 2"), "2", "takes a restart"),
    "user_changed": (lambda s, t: t + "user: daemon\n", "daemon", "takes a restart"),
    "no_folder_for_the_log": (lambda s, t: moved(t, "access.log", "nowhere/access.log"), "nowhere/access.log", "No such file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_reload_says_where_and_why_and_changes_nothing(served, kind):
    change, culprit, why = BAD[kind]
    instance, text = served.instance, change(served, served.config())
    instance.expect_error("reload failed, generation 1 stays in force|sallyport.yaml:")
    workers = instance.pids("worker")
    instance.reload(text, expect="reload failed, generation 1 stays in force")
    said = until(lambda: re.search(r"error supervisor: \S+sallyport\.yaml:(.*)\n", instance.stderr()), instance.stderr)
    said = re.fullmatch(r"(\d+):(\d+): (.*)", said[1])
    line, column, reason = int(said[1]), int(said[2]), said[3]
    assert why in reason
    assert (text + "\n").split("\n")[line - 1][column - 1:].startswith(culprit.format(pki=served.pki.folder))
    answer = served.client.ask()
    assert answer.status == 200 and header(answer, "Connection") is None  # as if nothing had been
    assert served.relay.says(b"still")
    assert served.certificate() == served.pki.server.der and get(instance.port("plain"))[0] == 200
    assert served.generation() == 1 and instance.pids("worker") == workers
    instance.reload(served.config())
    assert served.generation() == 2


def test_a_good_reload_after_a_bad_one_needs_no_more_than_the_good_file(served, second):
    served.instance.expect_error("reload failed, generation 1 stays in force|sallyport.yaml:")
    served.instance.reload("nonsense", expect="reload failed")
    served.instance.reload(served.config(second))
    assert served.certificate() == second.der


def test_a_worker_killed_before_it_was_given_the_new_generation_is_given_it(served, second):
    supervisor, worker = served.instance.process.pid, only(served.instance.pids("worker"))
    os.kill(supervisor, signal.SIGSTOP)  # so that both arrive together
    until(lambda: status(supervisor)["State"][0] == "T", "the supervisor to stop")
    os.kill(worker, signal.SIGKILL)
    until(lambda: status(worker)["State"][0] == "Z", "the worker to be dead")
    served.instance.file.write_text(served.config(second))
    served.instance.send(signal.SIGHUP)
    os.kill(supervisor, signal.SIGCONT)
    until(lambda: "reloaded: generation 2" in served.instance.stderr(), served.instance.stderr)
    assert served.certificate() == second.der


def test_a_worker_killed_while_it_prepares_fails_the_reload_and_is_replaced(served, second):
    instance, worker = served.instance, only(served.instance.pids("worker"))
    instance.expect_error("reload failed, generation 1 stays")
    instance.expect_error("worker 0 was killed by signal 9")
    os.kill(worker, signal.SIGSTOP)
    instance.file.write_text(served.config(second))
    instance.send(signal.SIGHUP)
    until(lambda: len(memfds(instance.process.pid, "archive")) == 2, "the supervisor to have loaded generation 2")
    os.kill(worker, signal.SIGKILL)
    until(lambda: re.search(r"reload failed.*\n.*worker 0 was killed .* get the configuration ready", instance.stderr()), instance.stderr)
    assert served.certificate() == served.pki.server.der and served.generation() == 1
    instance.reload()
    assert served.certificate() == second.der


def test_a_reload_brings_back_a_worker_that_was_held_back(served):
    kill_until_held_back(served.instance, "worker")
    began = time.monotonic()
    served.instance.reload()
    assert served.certificate() and time.monotonic() - began < 0.9


def test_a_second_sighup_while_the_first_is_at_work_is_not_lost(served, second):
    instance, worker = served.instance, only(served.instance.pids("worker"))
    os.kill(worker, signal.SIGSTOP)
    instance.send(signal.SIGHUP)
    until(lambda: len(memfds(instance.process.pid, "archive")) == 2, "the supervisor to have loaded generation 2")
    instance.file.write_text(served.config(second))
    instance.send(signal.SIGHUP)
    os.kill(worker, signal.SIGCONT)
    until(lambda: "reloaded: generation 3" in instance.stderr(), instance.stderr)
    assert served.certificate() == second.der and served.generation() == 3


def test_listeners_are_added_and_removed(lb, target):
    web = target()
    instance = lb(config(listener("one"), web=web))
    instance.reload(config(listener("one"), listener("two"), web=web))
    one, two = instance.port("one"), instance.port("two")
    assert get(one)[0] == get(two)[0] == 200
    instance.reload(config(listener("two"), web=web))
    assert get(two)[0] == 200 and until(lambda: refuses(one), "the port to refuse")


def test_a_listener_moves_to_another_address(lb, target):
    web = target()
    instance = lb(config(listener("web"), web=web))
    old = instance.port("web")
    with Client(old) as held:
        assert held.ask().status == 200
        instance.reload(config(listener("web", address="127.0.0.2:0"), web=web))
        assert until(lambda: refuses(old), "the port to refuse")
        assert held.ask().status == 200
    assert get(instance.port("web"), host="127.0.0.2")[0] == 200


def test_a_port_that_the_kernel_picked_is_kept(lb, target):
    web = target()
    instance = lb(config(listener("web"), web=web, admin=ADMIN))
    ports = instance.port("web"), admin_port(instance)
    before = json.loads(get(ports[1], "/readyz")[1])["listeners"]
    instance.reload(config(listener("web"), listener("more"), web=web, admin=ADMIN))
    assert (instance.port("web"), admin_port(instance)) == ports
    assert json.loads(get(ports[1], "/readyz")[1])["listeners"][0] == before[0]
    assert get(ports[0])[0] == 200


def test_twenty_reloads_refuse_no_connection(lb, target):
    web = target()
    instance = lb(config(listener("web"), web=web, workers=2))
    port = instance.port("web")
    with Traffic(lambda path: get(port, path)) as traffic:
        for generation in range(2, 22):
            instance.reload(expect=f"reloaded: generation {generation}\n")
            traffic.goes_on(3)
    assert not traffic.failures and len(traffic.sent) >= 60


def test_the_log_of_the_new_configuration_gets_the_new_lines(lb, target):
    web = target()
    instance = lb(config(listener("web"), web=web))
    assert get(instance.port("web"), "/old")[0] == 200
    instance.line(path="/old")
    instance.reload(config(listener("web"), web=web, access_log="{file: new.log}"))

    def is_logged(path):
        assert get(instance.port("web"), path)[0] == 200
        return f'"{path}"' in (instance.folder / "new.log").read_text()
    until(lambda: is_logged("/new"), "a line")  # the logger may hear of it a moment after others do
    until(lambda: is_logged("/newer"), "a later line")
    paths = [line["path"] for line in instance.lines()]
    assert paths[0] == "/old" and "/newer" not in paths
