# SPDX-License-Identifier: Apache-2.0
"""What the tests of processes share: their configuration, what /proc says of an instance, and clients that wait for nothing."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

import instance as instances
import peers
from instance import until

SANITIZED = b"__asan_init" in pathlib.Path(instances.BINARY).read_bytes()
ADMIN = '{address: "127.0.0.1:0"}'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
KILLED = r"was killed by signal 9 \(Killed\), as it keeps doing"


# ---- configurations

def listener(name="web", protocol="HTTP", group="web", address="127.0.0.1:0", certificate=None):
    serves = f"target_group: {group}" if protocol.startswith("TCP") else f"rules: [{{domain: localhost, path: /, target_group: {group}}}]"
    shown = f"certificates: [{certificate.yaml()}], " if certificate else ""
    return f'{{name: {name}, protocol: {protocol}, address: "{address}", {shown}{serves}}}'


def config(*listeners, web=None, raw=None, **keys):
    """One line per listener, group and KEY; targets on the ports of WEB (HTTP) and RAW (TCP)."""
    groups = [(name, protocol, t) for name, protocol, t in (("web", "HTTP", web), ("raw", "TCP", raw)) if t]
    keys = {"access_log": "{file: access.log}", "workers": 1, **keys}
    return "\n".join(["listeners:", *[f"  - {each}" for each in listeners], "target_groups:",
                      *[f'  - {{name: {n}, protocol: {p}, targets: [{{address: "127.0.0.1:{t.port}"}}]}}' for n, p, t in groups],
                      *[f"{key}: {value}" for key, value in keys.items()], ""])


def through(monkeypatch, folder, command):
    """Start instances by a shell COMMAND that executes "$SALLYPORT" with "$@"."""
    script = folder / "start"
    script.write_text(f"#!/bin/sh\n{command}\n")
    script.chmod(0o755)
    monkeypatch.setenv("SALLYPORT", str(pathlib.Path(instances.BINARY).resolve()))
    monkeypatch.setattr(instances, "BINARY", str(script))


# ---- processes

def title(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    return ""


def status(pid):
    """/proc/PID/status: field → its words."""
    return {k: v.split() for k, _, v in (line.partition(":") for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())}


def session(leader):
    """What runs in the session of LEADER, whoever its parent is by now."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader and "State:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


def memfds(pid, name):
    """The contents of the memory files called NAME that PID holds open."""
    found = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(fd).startswith(f"/memfd:{name} "):
                found.append(fd.read_bytes())
    return found


def start_that_fails(folder, text):
    """What `run` said; it must have ended with 1 and left no process."""
    file = folder / "sallyport.yaml"
    file.write_text(text)
    with subprocess.Popen([instances.BINARY, "run", "-c", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=folder, start_new_session=True) as process:
        try:
            said = process.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired:
            process.terminate()
            raise
    assert process.returncode == 1, said
    until(lambda: not session(process.pid), "nothing to be left")
    return said


def only(pids):
    assert len(pids) == 1, pids
    return pids[0]


def admin_port(instance):
    """The port that the admin address was given last."""
    return int(re.findall(r"admin: HTTP \S+:(\d+)", instance.stderr())[-1])


def kill(instance, role):
    """SIGKILL to the one process of ROLE; returns when its replacement is there."""
    old = only(instance.pids(role))
    os.kill(old, signal.SIGKILL)
    until(lambda: [p for p in instance.pids(role) if p != old], f"another {role}")


def kill_until_held_back(instance, role):
    """SIGKILL to the processes of ROLE until their supervisor waits with the next one."""
    instance.expect_error(KILLED)
    killed = set()

    def is_held_back():
        for pid in set(instance.pids(role)) - killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        return "as it keeps doing; starting it again in" in instance.stderr()
    until(is_held_back, f"the pause of {role}")
    return len(killed)


# ---- clients

def get(port, path="/", host="127.0.0.1"):
    """GET over a new connection: (status, body)."""
    with socket.create_connection((host, port), 10) as s:
        code, _, body = peers.ask(s, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return code, body


def certificate_at(port, ca):
    """The certificate that a new connection is shown, as DER."""
    with peers.connect(port, peers.client_context(ca)) as tls:
        return tls.getpeercert(True)


def refuses(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 10).close()
        return False
    except ConnectionRefusedError:
        return True


class Relay:
    """An open connection through a TCP listener in front of `peers.echo`."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def says(self, data):
        self.socket.sendall(data)
        return self.socket.recv(1000) == b"echo:" + data

    def wait_end(self):
        """"fin", "reset", or what came instead of an end."""
        try:
            return self.socket.recv(1000) or "fin"
        except ConnectionResetError:
            return "reset"


class Gate:
    """A target that answers the requests that have arrived once it is opened."""

    def __init__(self):
        self.arrived, self.opened = threading.Event(), threading.Event()

    def __call__(self, target, connection):
        with connection.makefile("rb") as f:
            while peers.read_head(f):
                self.arrived.set()
                assert self.opened.wait(20)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")


class Traffic:
    """Requests one after another in N threads, until the `with` ends: .sent paths, .failures."""

    def __init__(self, ask, n=2):
        self.ask, self.sent, self.failures, self.over = ask, [], [], threading.Event()
        self.threads = [threading.Thread(target=self._loop, args=(i,)) for i in range(n)]

    def _loop(self, thread):
        number = 0
        while not self.over.is_set():
            number += 1
            path = f"/{thread}/{number}"
            try:
                answer = self.ask(path)
                if answer[0] != 200:
                    self.failures.append((path, answer))
            except OSError as e:
                self.failures.append((path, e))
            self.sent.append(path)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def goes_on(self, n):
        """Return once N more requests have been answered."""
        before = len(self.sent)
        until(lambda: len(self.sent) >= before + n, f"{n} more requests")
