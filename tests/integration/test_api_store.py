# SPDX-License-Identifier: Apache-2.0
"""What the control API was told stays so: across ends of any process, files that are lost or damaged, and changes that cannot be."""
import contextlib
import errno
import json
import os
import platform
import random
import signal
import socket
import sqlite3
import subprocess
import threading

import pytest

import peers
from api_client import Api, ApiError, refused
from api_world import empty, free_port, instance_id, key_pem, named, pem
from forbidden import AT_FDCWD
from injection import Tracee
from instance import until
from processes import SANITIZED, admin_port, get, kill, needs_root, only, start_that_fails
from test_signer import patterns, scan

MUTATIONS = 40
KILLED_EACH = 8  # more often, and the next control is held back
ENDED = r"control \(pid \d+\) was killed|api: the store|api: the exported generation"


@pytest.fixture
def running(lb, tmp_path):
    """An instance that began without listeners, and its API."""
    instance = lb(empty(tmp_path))
    return instance, Api(instance)


def listen(api, load_balancer, port=None, **more):
    """A listener of the API: (its port, its id)."""
    port = port or free_port()
    made = api.do("CreateListener", LoadBalancerId=load_balancer, Protocol="HTTP", Ports=[port], ListenerNames=[named("web")], **more)
    return port, made["ListenerIds"][0]


def listen_tls(api, load_balancer, certificate):
    port = free_port()
    shown = {"SSLMode": "UNIDIRECTIONAL", "CertName": named("cert"), "CertContent": pem(certificate), "CertKey": key_pem(certificate)}
    api.do("CreateListener", LoadBalancerId=load_balancer, Protocol="HTTPS", Ports=[port], ListenerNames=[named("tls")], Certificate=shown)
    return port


def handshake(port, pki):
    with peers.connect(port, peers.client_context(pki.ca("servers"))):
        return True


def listener_ids(api, load_balancer):
    return [each["ListenerId"] for each in api.call("DescribeListeners", LoadBalancerId=load_balancer)["Listeners"]]


def answers(port):
    """Does a worker answer there? (No rule: 404.)"""
    return get(port, "/")[0] == 404


def again(lb, instance):
    """INSTANCE, started anew with its state."""
    instance.stop()
    return lb(instance.file.read_text())


def control_folder(tmp_path):
    return tmp_path / "state" / "control"


# ---- who dies

def test_objects_outlive_every_process(lb, tmp_path, pki, running):
    instance, api = running
    balancer = instance_id(api)
    port, listener = listen(api, balancer)
    tls = listen_tls(api, balancer, pki.server)
    assert answers(port) and handshake(tls, pki)
    for role in ("signer", "worker 0", "control"):
        kill(instance, role)
    until(lambda: get(admin_port(instance), "/readyz")[0] == 200, "readiness")
    assert answers(port) and handshake(tls, pki)
    assert "generation 4" not in instance.stderr()  # what is in force is what is stored
    second = again(lb, instance)
    assert answers(port) and handshake(tls, pki)
    assert listener in listener_ids(Api(second), balancer)


def test_acknowledged_is_kept_whenever_control_is_killed(running):
    """Killed at random moments: what was answered is there, what was not is there or not, and the next request finds one of the two."""
    instance, api = running
    instance.expect_error(ENDED)
    balancer = instance_id(api)
    made, unknown = set(), 0
    dice = random.Random(8)
    for i in range(MUTATIONS):
        old = only(until(lambda: instance.pids("control"), "control"))
        delay = dice.uniform(0, 0.05)
        killer = threading.Timer(delay, os.kill, (old, signal.SIGKILL)) if i % KILLED_EACH == 0 else None
        if killer:
            killer.start()
        try:
            made.add(listen(api, balancer)[1])
        except (OSError, ApiError, AssertionError) as e:
            assert killer, e
            unknown += 1
            api.close()
        if killer:
            killer.join()
            until(lambda: [p for p in instance.pids("control") if p != old], "another control")
            until(lambda: is_served(instance), "the API")
    found = set(listener_ids(api, balancer))
    assert made <= found and len(found - made) <= unknown, (made - found, found - made)
    assert in_force(instance) == found


def is_served(instance):
    try:
        return get(admin_port(instance), "/readyz")[0] == 200
    except OSError:
        return False


def in_force(instance):
    """The listeners that the supervisor says are served."""
    def settled():
        state = json.loads(get(admin_port(instance), "/readyz")[1])
        return {each["name"] for each in state["listeners"]}
    return until(settled, "listeners")


def test_the_data_plane_boots_without_control_and_store(lb, tmp_path, pki, running):
    instance, api = running
    port = listen_tls(api, instance_id(api), pki.server)
    instance.stop()
    for name in ("store.db", "store.db-wal"):
        (control_folder(tmp_path) / name).write_bytes(os.urandom(8192))
    (control_folder(tmp_path) / "store.db").chmod(0)
    second = lb(instance.file.read_text())
    second.expect_error(ENDED + "|there is no API")
    assert handshake(port, pki)


# ---- what is lost

def damage(path, at, n=64):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(os.urandom(n))


@pytest.mark.parametrize("where", [0, 40, "middle", "end", "cut", "gone"])
def test_a_damaged_store_is_made_of_the_exported_generation(lb, tmp_path, running, where):
    instance, api = running
    balancer = instance_id(api)
    ports = [listen(api, balancer) for _ in range(3)]
    instance.stop()  # its log is in the database now
    store = control_folder(tmp_path) / "store.db"
    size = store.stat().st_size
    if where == "gone":
        store.unlink()
    elif where == "cut":
        os.truncate(store, size // 2 + 100)
    else:
        n = 64 if isinstance(where, int) else 3000
        damage(store, {"middle": size // 2, "end": size - n}.get(where, where), n)
    second = lb(instance.file.read_text())
    second.expect_error(ENDED)
    api = Api(second)
    assert listener_ids(api, balancer) == [listener for _, listener in ports]
    assert all(answers(port) for port, _ in ports)
    port, _ = listen(api, balancer)
    assert answers(port)
    if where not in ("gone", "end", "middle"):  # there, free pages may have been met
        assert list(control_folder(tmp_path).glob("store.db.damaged-*")), second.stderr()


def test_a_damaged_generation_is_made_of_the_store(lb, tmp_path, running):
    instance, api = running
    balancer = instance_id(api)
    port, listener = listen(api, balancer)
    instance.stop()
    os.truncate(control_folder(tmp_path) / "generation", 20)
    second = lb(instance.file.read_text())
    until(lambda: "changed by the API: generation 2" in second.stderr(), "the store's objects")
    assert "generation is damaged; the API's objects are not in force" in second.stderr()
    assert listener_ids(Api(second), balancer) == [listener] and answers(port)


def test_a_store_of_a_newer_version_is_left_alone(lb, tmp_path, running):
    instance, api = running
    port, _ = listen(api, instance_id(api))
    instance.stop()
    store = control_folder(tmp_path) / "store.db"
    with sqlite3.connect(store) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = store.read_bytes()
    second = lb(instance.file.read_text())
    second.expect_error("there is no API: .*a newer sallyport has written it")
    until(lambda: "there is no API" in second.stderr(), "the error")
    assert answers(port) and store.read_bytes() == before


# ---- what cannot be

def test_a_change_that_nobody_can_serve_leaves_everything(running):
    instance, api = running
    balancer = instance_id(api)
    port, listener = listen(api, balancer)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        answer = api.call("CreateListener", LoadBalancerId=balancer, Protocol="HTTP", Ports=[taken], ListenerNames=["x"])
        task = api.wait_task(answer["RequestId"])
        assert task["Status"] == 1 and str(taken) in task["Message"], task
    assert listener_ids(api, balancer) == [listener] and answers(port)
    assert "a change by the API is refused: listener lbl-" in instance.stderr()
    assert listen(api, balancer, taken)


@needs_root
def test_a_full_disk_fails_the_request_and_nothing_else(lb, tmp_path):
    """The state is on a file system of a few pages, which others fill."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=512k,mode=0755", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr}")
    try:
        instance = lb(empty(folder))
        instance.expect_error("api: ")
        api = Api(instance)
        balancer = instance_id(api)
        port, listener = listen(api, balancer)
        ballast = folder / "ballast"
        with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(bytes(4096)):
                pass
        with refused("FailedOperation", "No space left"):
            for _ in range(50):
                listen(api, balancer)
        kept = listener_ids(api, balancer)
        assert listener in kept and answers(port)
        ballast.unlink()
        added, _ = listen(api, balancer)
        assert answers(added)
        second = again(lb, instance)
        assert len(listener_ids(Api(second), balancer)) == len(kept) + 1
        second.stop()
    finally:
        subprocess.run(["/bin/umount", "-l", folder], check=True)


# ---- private keys

@needs_root
def test_private_keys_are_in_no_file_and_in_no_process_but_the_signer(lb, tmp_path, pki, running):
    instance, api = running
    key = pki.ca("servers").issue("kept-api", "server", ["DNS:localhost"])
    port = listen_tls(api, instance_id(api), key)
    assert handshake(port, pki)
    wanted = patterns(key.key, key.key_file.read_bytes())
    for pid in {instance.process.pid, *instance.pids()} - set(instance.pids("signer")):
        assert not scan(pid, wanted), (pid, scan(pid, wanted))
    assert scan(only(instance.pids("signer")), wanted)
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(path.name == "store.db-wal" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not [name for name, octets in wanted.items() if octets in content], path
        assert b"PRIVATE KEY" not in content, path


def test_a_key_that_is_sealed_for_another_installation_is_of_no_use(lb, tmp_path, pki, running):
    instance, api = running
    listen_tls(api, instance_id(api), pki.server)
    instance.stop()
    (tmp_path / "state" / "sealing.key").write_bytes(os.urandom(32))
    said = start_that_fails(instance.folder, instance.file.read_text())
    assert "is not sealed for the sealing.key that is there; put that back" in said


@needs_root
@pytest.mark.skipif(SANITIZED, reason="the sanitizers' runtime may read everything")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="code is injected on x86-64 only")
def test_control_has_its_folder_and_nothing_beside_it(running):
    """Not even what everybody may read: where all processes are of one user, nothing but the sandbox keeps control from the rest."""
    instance, _ = running
    pid = only(instance.pids("control"))
    tried = {b"store.db": os.O_RDWR, b"new": os.O_RDWR | os.O_CREAT, b"../sealing.pub": os.O_RDONLY, b"../new": os.O_RDWR | os.O_CREAT}
    with Tracee(pid) as tracee:
        got = {path: tracee.call("openat", AT_FDCWD, path, flags, 0o600) for path, flags in tried.items()}
    assert got[b"store.db"] >= 0 and got[b"new"] >= 0
    assert got[b"../sealing.pub"] == got[b"../new"] == -errno.EACCES


def test_a_folder_serves_one_instance(running, tmp_path):
    """The second would have no API, or the first's once that one's control ends."""
    instance, api = running
    other = tmp_path / "other"
    other.mkdir()
    assert f"the folder {tmp_path}/state is in use by another instance" in start_that_fails(other, empty(tmp_path))
    port, _ = listen(api, instance_id(api))
    assert answers(port)


# ---- reloads beside it

def test_a_reload_keeps_what_the_api_made(running, tmp_path):
    instance, api = running
    balancer = instance_id(api)
    port, listener = listen(api, balancer)
    instance.reload()
    assert answers(port)
    added, _ = listen(api, balancer)
    assert answers(added) and answers(port)
    instance.expect_error("reload failed|state")
    instance.reload(empty(tmp_path / "elsewhere"), expect="`state` has changed, which takes a restart")
    assert listener in listener_ids(api, balancer)


def test_no_request_fails_while_objects_change(running, target):
    instance, api = running
    balancer = instance_id(api)
    port, listener = listen(api, balancer)
    failures, asked, is_done = [], 0, threading.Event()

    def ask():
        nonlocal asked
        while not is_done.is_set():
            try:
                assert answers(port)
                asked += 1
            except (OSError, AssertionError) as e:
                failures.append(e)

    client = threading.Thread(target=ask)
    client.start()
    for _ in range(20):
        api.do("DeleteListener", LoadBalancerId=balancer, ListenerId=listen(api, balancer)[1])
    is_done.set()
    client.join()
    assert asked and not failures, failures[:3]


def test_a_port_that_is_lost_while_nothing_runs_is_taken_out_by_the_api(lb, tmp_path, running):
    instance, api = running
    balancer = instance_id(api)
    (lost, listener), (kept, _) = listen(api, balancer), listen(api, balancer)
    instance.stop()
    with socket.create_server(("127.0.0.1", lost)):
        assert f"listener {listener}: cannot listen on 127.0.0.1:{lost}" in start_that_fails(tmp_path, instance.file.read_text())
        (control_folder(tmp_path) / "generation").rename(tmp_path / "moved-away")
        instance = lb(instance.file.read_text())
        instance.expect_error("api: what is stored cannot come into force")
        Api(instance, api.key).do("DeleteListener", LoadBalancerId=balancer, ListenerId=listener)
        assert answers(kept)
