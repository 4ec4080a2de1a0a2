# SPDX-License-Identifier: Apache-2.0
"""What a process may not do it cannot do, even where an attacker runs in it (injection.py, forbidden.py)."""
import errno
import os
import pathlib
import platform
import re
import signal
import socket
import struct

import pytest

import denied
import forbidden
import instance
from forbidden import ACTIONS, KILLED, OK, OTHER, STACK
from injection import Killed, Tracee, copy_of, next_child_of
from instance import run, until
from processes import ADMIN, SANITIZED, Traffic, admin_port, config, get, kill, listener, needs_root, only, refuses, start_that_fails, status, through

pytestmark = [needs_root, pytest.mark.skipif(platform.machine() != "x86_64", reason="code is injected on x86-64 only")]

SERVANTS = ("worker 0", "control", "logger", "signer")
CALLS = pathlib.Path(instance.ROOT / "src/role/sandbox_calls.def").read_text()
# In a build with sanitizers their runtime needs more.
SANITIZERS = set(re.findall(r"^CALL\((\w+),", CALLS.partition("#if IS_SANITIZED")[2], re.M)) if SANITIZED else set()
SET_MODE_FILTER, CHANNEL = 1, 3
CHUNK = 5  # a process that dies more often is held back
CHUNKS = [ACTIONS[i:i + CHUNK] for i in range(0, len(ACTIONS), CHUNK)]


def served(target, **keys):
    return config(listener(), web=target(), admin=ADMIN, **keys)


def role(name):
    return name.split()[0]


def result_of(tracee, action, other):
    """KILLED, OK or an errno."""
    known = {OTHER: other, STACK: tracee.registers.rsp & ~(forbidden.PAGE - 1)}
    try:
        result = tracee.call(action.call, *(known.get(a, a) if isinstance(a, str) else a for a in action.args))
    except Killed as end:
        return KILLED if end.args == (signal.SIGSYS,) else f"signal {end}"
    if isinstance(result, Tracee):
        os.kill(result.pid, signal.SIGKILL)
        with pytest.raises(Killed):
            result.wait()
        return OK
    return OK if result >= 0 else -result


def expected(action, name):
    """What becomes of ACTION in the sandbox; None: it is allowed."""
    if action.call in SANITIZERS or action.may.get(role(name)) == OK:
        return None
    return action.may.get(role(name), KILLED)


def layers(pid):
    return int(status(pid)["Seccomp_filters"][0])


def sealed(lb, name, but=None):
    """The process called NAME, once it is sealed."""
    def find():
        return [pid for pid in lb.pids(name) if pid != but and layers(pid) > layers(lb.process.pid)]
    return only(until(find, f"{name} to be sealed"))


def try_in(lb, name, actions):
    wrong = []
    for action in actions:
        want = expected(action, name)
        if want is None:
            continue
        pid = sealed(lb, name)
        with Tracee(pid) as tracee:
            got = result_of(tracee, action, lb.process.pid)
        if got != want:
            wrong.append((name, action.what, action.call, got))
        if tracee.is_gone:
            sealed(lb, name, but=pid)
    return wrong


@pytest.mark.parametrize("actions", CHUNKS, ids=lambda actions: actions[0].what.replace(" ", "-"))
def test_who_meets_the_network_can_do_none_of_it(lb, target, actions):
    """And what it costs to try is the process."""
    running = lb(served(target))
    assert not [wrong for name in SERVANTS for wrong in try_in(running, name, actions)]
    until(lambda: get(admin_port(running), "/readyz")[0] == 200, "readiness")
    assert get(running.port("web"))[0] == 200
    killed = {(role(name)) for name in SERVANTS for action in actions if expected(action, name) == KILLED}
    for name in killed:
        assert re.search(rf"warning supervisor: {name}[ \d]* \(pid \d+\) was ended by its sandbox \(SIGSYS\)", running.stderr()), running.stderr()


def test_neither_can_the_supervisor(lb, target):
    running = lb(served(target))
    wrong = []
    for action in ACTIONS:
        want = expected(action, "supervisor")
        if want is None:
            continue
        with copy_of(running.process.pid) as copy:
            got = result_of(copy, action, os.getpid())
        if got != want:
            wrong.append((action.what, action.call, got))
    assert not wrong


def test_nor_the_loader(lb, target):
    running = lb(served(target))
    running.expect_error("reload failed|loader was ended by its sandbox")
    wrong = []
    for action in ACTIONS:
        want = expected(action, "loader")
        if want is None:
            continue
        before = len(running.stderr())
        with next_child_of(running.process.pid, lambda: running.send(signal.SIGHUP), "seccomp", SET_MODE_FILTER) as loader:
            got = result_of(loader, action, running.process.pid)
        if got != want:
            wrong.append((action.what, action.call, got))
        until(lambda: re.search("reload failed|reloaded: gen", running.stderr()[before:]), "the end of the reload")
    assert not wrong
    running.reload()


@pytest.mark.parametrize("name", [*SERVANTS, "supervisor", "loader"])
def test_without_the_sandbox_each_gets_as_far_as_the_kernel_lets_it(lb, target, name):
    """So it is the sandbox that forbids it."""
    running = lb(served(target), args=["--sandbox=off"])
    running.expect_error(".")
    assert "warning supervisor: the sandbox is off (--sandbox=off)" in running.stderr()
    if name == "supervisor":
        took = copy_of(running.process.pid)
    elif name == "loader":
        took = next_child_of(running.process.pid, lambda: running.send(signal.SIGHUP), "recvmsg", CHANNEL)
    else:
        took = Tracee(only(running.pids(name)))
    with took as tracee:
        wrong = [(action.what, action.call, got) for action in ACTIONS
                 if (got := result_of(tracee, action, running.process.pid)) not in action.without]
        if not tracee.is_gone and name != "supervisor":
            os.kill(tracee.pid, signal.SIGKILL)
            with pytest.raises(Killed):
                tracee.wait()
    assert not wrong


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' runtime executes what finds the names of functions")
def test_the_supervisor_executes_nothing_but_this_program(lb, target):
    running = lb(served(target))
    with copy_of(running.process.pid) as copy:
        other = copy.call("openat", forbidden.AT_FDCWD, b"/bin/true", forbidden.O_RDONLY)
        assert other >= 0
        assert copy.call("execveat", other, b"", 0, 0, forbidden.AT_EMPTY_PATH) == -forbidden.EACCES


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' runtime needs /proc")
def test_where_they_live_there_is_nothing(lb, target):
    running = lb(served(target))
    for name in set(SERVANTS) - {"control"}:  # which reads /dev/urandom
        assert os.listdir(f"/proc/{sealed(running, name)}/root") == [], name
    for name in SERVANTS:
        assert int(status(sealed(running, name))["CapBnd"][0], 16) == 0, name
    for name in "logger", "signer":
        assert os.readlink(f"/proc/{sealed(running, name)}/ns/net") != os.readlink(f"/proc/{running.process.pid}/ns/net"), name


# ---- kernels that cannot do all of it

@pytest.fixture
def kernel_without(monkeypatch, tmp_path):
    return lambda *calls: through(monkeypatch, tmp_path, f'exec /usr/bin/python3 {denied.__file__} {",".join(calls)} "$SALLYPORT" "$@"')


def test_without_seccomp_nothing_starts(kernel_without, lb, tmp_path, target):
    kernel_without("seccomp")
    said = start_that_fails(tmp_path, served(target))
    assert "takes no list of system calls to allow (seccomp); use one that does, or start with --sandbox=off" in said
    assert get(lb(served(target), args=["--sandbox=off"]).port("web"))[0] == 200


def test_without_landlock_and_user_namespaces_it_serves_and_says_what_is_missing(kernel_without, lb, target):
    kernel_without("landlock_create_ruleset", "unshare")
    running = lb(served(target))
    assert get(running.port("web"))[0] == 200
    assert "warning supervisor: sandbox: without Landlock (Function not implemented)" in running.stderr()
    if not SANITIZED:
        assert "info logger: sandbox: without a network namespace of its own (Function not implemented)" in running.stderr()


# ---- deaths

@pytest.mark.parametrize("name", ["control", "logger", "loader", "signer"])
def test_the_death_of_a_process_beside_the_workers_costs_no_request(lb, target, name):
    """New connections all the time, and three deaths."""
    running = lb(served(target, workers=2))
    running.expect_error("reload failed|loader was killed by signal 9")
    port = running.port("web")
    with Traffic(lambda path: get(port, path)) as traffic:
        for _ in range(3):
            traffic.goes_on(10)
            if name == "loader":
                with next_child_of(running.process.pid, lambda: running.send(signal.SIGHUP), "recvmsg", CHANNEL) as loader:
                    os.kill(loader.pid, signal.SIGKILL)
                    with pytest.raises(Killed):
                        loader.wait()
                until(lambda: "loader was killed by signal 9" in running.stderr(), "the failure of the reload")
            else:
                kill(running, name)
        traffic.goes_on(10)
    assert not traffic.failures
    running.reload()


def listening_socket(pid, port):
    """The descriptor by which PID listens on PORT, once it has it."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}

    def find():
        links = {int(fd.name): os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        return [fd for fd, link in links.items() if link.removeprefix("socket:[").rstrip("]") in inodes]
    return only(until(find, "its socket"))


@pytest.mark.parametrize("name", ["worker 0", "control"])
@pytest.mark.parametrize("is_connected", [False, True], ids=["shut-down", "connected"])
def test_who_ends_the_socket_that_it_listens_on_ends_it_for_itself(lb, target, name, is_connected):
    """It is the supervisor's socket, too, and the next one's in that place."""
    web = target()
    running = lb(config(listener(), web=web, admin=ADMIN))
    port, pid = (admin_port(running) if name == "control" else running.port("web")), sealed(running, name)
    fd = listening_socket(pid, port)
    with Tracee(pid) as tracee:
        assert tracee.call("shutdown", fd, socket.SHUT_RDWR) == 0
        if is_connected:
            to = struct.pack("!H4s8x", web.port, socket.inet_aton("127.0.0.1"))
            assert tracee.call("connect", fd, struct.pack("H", socket.AF_INET) + to, 16) in (0, -errno.EINPROGRESS)
    until(lambda: refuses(port), "nobody to listen")
    kill(running, name)
    until(lambda: not refuses(port), "somebody to listen again")
    assert get(port, "/healthz" if name == "control" else "/")[0] == 200
    assert running.stderr().count("socket 0 no longer listened, and was replaced") == 1


def test_status_tells_whether_there_is_a_sandbox(lb, target):
    boxed, unboxed = lb(served(target)), lb(served(target), args=["--sandbox=off"])
    for running, state in (boxed, "on"), (unboxed, "off"):
        assert f"sandbox: {state}\n" in run("status", "--admin", f"127.0.0.1:{admin_port(running)}").stdout
        shown = "sallyport_sandbox_off 1\n" in get(admin_port(running), "/metrics")[1].decode()
        assert shown == (state == "off")
