# SPDX-License-Identifier: Apache-2.0
"""`sallyport demo`: what it prints can be copied into a shell, and does what it says."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import instance
import pytest
from instance import until

ENVIRONMENT = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}


def three_ports():
    """BASE such that BASE, BASE+1 and BASE+2 were free just now."""
    while True:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError, OverflowError):
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            base = first.getsockname()[1]
            for i in (1, 2):
                held.enter_context(socket.create_server(("127.0.0.1", base + i)))
            return base


class Demo:
    def __init__(self, folder):
        self.folder, self.out, self.err = folder, folder.parent / "out", folder.parent / "err"
        until(self.start, lambda: self.err.read_text())
        assert self.process.poll() is None, self.err.read_text()

    def start(self):
        """False if somebody else took one of the ports meanwhile."""
        self.base = three_ports()
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([instance.BINARY, "demo", "--dir", str(self.folder), "--port", str(self.base)],
                                            stdout=out, stderr=err, cwd=self.folder.parent)
        until(lambda: "Ctrl-C ends the demo" in self.said() or self.process.poll() is not None, "the demo")
        return self.process.poll() is None or "cannot be used" not in self.err.read_text()

    def said(self):
        return self.out.read_text(errors="replace")

    def commands(self):
        """{what it is: (command, what is said to happen)}"""
        found = re.findall(r"^(\S[^\n]*):\n  (\S[^\n]*)\n  -> ([^\n]*)", self.said(), re.M)
        return {what: (command, outcome) for what, command, outcome in found}

    def lines(self):
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]

    def line(self, since):
        """The first access-log line behind the first SINCE ones."""
        return until(lambda: self.lines()[since:], lambda: self.said())[0]

    def family(self):
        """The pids of the demo and all that it started."""
        pids = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if descends(int(entry.name), self.process.pid):
                    pids.append(int(entry.name))
        return pids

    def end(self, number=signal.SIGINT):
        """Its exit status, once nothing of it is left."""
        family = self.family()
        self.process.send_signal(number)
        status = self.process.wait(20)
        until(lambda: not any(alive(pid) for pid in family), "its processes to end")
        return status


def parent(pid):
    return int(re.search(r"PPid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def descends(pid, ancestor):
    while pid > 1 and pid != ancestor:
        pid = parent(pid)
    return pid == ancestor


def alive(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    return False


def shell(command, **kw):
    """COMMAND as somebody would paste it."""
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, timeout=30, **kw)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One demo for the tests that only look; in a folder whose name a shell would split."""
    d = Demo(tmp_path_factory.mktemp("demo") / "Tom's demo")
    yield d
    assert d.end() == 0
    assert "Sanitizer" not in d.err.read_text() and " error " not in d.err.read_text()


def test_prints_a_command_for_everything_that_can_happen(demo):
    assert list(demo.commands()) == [
        "One-way: anybody may come in, and checks the server", "Mutual, with a good certificate", "Mutual, without a certificate",
        "Mutual, expired", "Mutual, revoked", "Mutual, from a CA that is not ours",
        "TCP_SSL, mutual, to a backend that echoes; with our client, and with OpenSSL's", "The handshake as JSON, refused by the server"]


def test_one_way_reaches_a_backend(demo):
    since = len(demo.lines())
    command, outcome = demo.commands()["One-way: anybody may come in, and checks the server"]
    done = shell(command)
    assert done.returncode == 0 and re.match(r"backend (one|two) got: GET / HTTP/1.1", done.stdout) and outcome.startswith("200")
    line = demo.line(since)
    assert line["listener"] == "one-way" and line["status"] == 200 and "peer" not in line


def test_mutual_with_a_good_certificate_reaches_a_backend(demo):
    since = len(demo.lines())
    command, outcome = demo.commands()["Mutual, with a good certificate"]
    done = shell(command)
    assert done.returncode == 0 and "X-Client-Cert-Subject: CN=client.example" in done.stdout and "X-Client-Cert-Subject" in outcome
    assert demo.line(since)["peer"]["accepted"]


@pytest.mark.parametrize("what, reason, alert", [
    ("Mutual, without a certificate", "no_certificate", "certificate required"), ("Mutual, expired", "expired", "expired"),
    ("Mutual, revoked", "revoked", "revoked"), ("Mutual, from a CA that is not ours", "untrusted", "unknown ca")])
def test_others_are_refused_with_the_reason_in_the_log(demo, what, reason, alert):
    since = len(demo.lines())
    command, outcome = demo.commands()[what]
    done = shell(command)
    assert done.returncode not in (0, 2, 6, 58) and done.stdout == "" and alert in done.stderr, done
    assert outcome == f"refused; the log says {reason}"
    line = demo.line(since)
    assert line["listener"] == "mutual" and not line["peer"]["accepted"] and line["peer"]["reason"] == reason


def test_tcp_ssl_echoes_to_our_client(demo):
    command, _ = demo.commands()["TCP_SSL, mutual, to a backend that echoes; with our client, and with OpenSSL's"]
    done = shell(command)
    assert (done.returncode, done.stdout) == (0, "hello\n") and "mutual authentication" in done.stderr


def test_tcp_ssl_echoes_to_openssl(demo):
    command = re.search(r"^  (openssl s_client .*)$", demo.said(), re.M)[1]
    with subprocess.Popen(["sh", "-c", "exec " + command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        p.stdin.write(b"what you type\n")
        p.stdin.flush()
        assert p.stdout.readline() == b"what you type\n"
        p.kill()


def test_the_handshake_as_json_tells_the_alert(demo):
    done = shell(demo.commands()["The handshake as JSON, refused by the server"][0])
    assert done.returncode == 1 and json.loads(done.stdout)["tls"]["alert"] == "certificate_revoked"


def test_keys_are_private_and_the_configuration_checks_ok(demo):
    assert all(key.stat().st_mode & 0o077 == 0 for key in demo.folder.glob("*.key"))
    assert instance.run("check", "-c", demo.folder / "sallyport.yaml").returncode == 0


# ---- start and end ----

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_with_0_and_leaves_no_process_and_no_port(tmp_path, number):
    demo = Demo(tmp_path / "demo")
    assert len(demo.family()) > 6  # the demo, three backends, and a supervisor with its own
    with socket.create_connection(("127.0.0.1", demo.base)):  # somebody who says nothing does not hold it up
        assert demo.end(number) == 0
    for port in range(demo.base, demo.base + 3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_runs_again_in_its_own_folder_with_new_certificates(tmp_path):
    demo = Demo(tmp_path / "demo")
    assert demo.end() == 0
    before = (tmp_path / "demo/ca.crt").read_bytes()
    again = Demo(tmp_path / "demo")
    assert shell(again.commands()["Mutual, with a good certificate"][0]).returncode == 0
    assert again.end() == 0 and (tmp_path / "demo/ca.crt").read_bytes() != before


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    done = instance.run("demo", "--dir", tmp_path, "--port", three_ports())
    assert done.returncode == 1 and "holds files that no demo made; choose another" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_port_that_is_taken_is_named_with_the_remedy(tmp_path, target):
    port = target().port
    done = instance.run("demo", "--dir", tmp_path / "demo", "--port", port)
    assert done.returncode == 1 and f"port {port} cannot be used; --port BASE" in done.stderr and not (tmp_path / "demo").exists()
