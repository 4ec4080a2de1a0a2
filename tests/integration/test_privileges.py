# SPDX-License-Identifier: Apache-2.0
"""Keys that only root can read, served by processes that are nobody."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import pytest
from cryptography.hazmat.primitives import serialization

import instance
import peers
from processes import SANITIZED, config, kill, listener, memfds, needs_root, only, start_that_fails, status, through

UNPRIVILEGED = "worker 0", "worker 1", "logger", "control", "signer"


def default_user():
    try:
        return pwd.getpwnam("sallyport")
    except KeyError:
        return pwd.getpwnam("nobody")


def https(pki, web, **keys):
    return config(listener(protocol="HTTPS", certificate=pki.server), web=web, workers=2, **keys)


def only_root_reads(certificate, folder):
    """CERTIFICATE's files in a new folder: 0600, root's, in 0700, root's."""
    folder.mkdir(0o700)
    for file in certificate.crt, certificate.key_file:
        shutil.copy(file, folder)
        (folder / file.name).chmod(0o600)
    key, own = (folder / certificate.key_file.name).stat(), folder.stat()
    assert (key.st_uid, key.st_mode & 0o777, own.st_uid, own.st_mode & 0o777) == (0, 0o600, 0, 0o700)
    return f"{{certificate: {folder / certificate.crt.name}, key: {folder / certificate.key_file.name}}}"


@needs_root
def test_keys_that_only_root_can_read_are_used(lb, pki, target, tmp_path):
    text = https(pki, target()).replace(pki.server.yaml(), only_root_reads(pki.server, tmp_path / "private"))
    running = lb(text)
    assert peers.get(running.port("web"), pki.ca("servers"))[0] == 200
    running.reload()
    assert peers.get(running.port("web"), pki.ca("servers"))[0] == 200


@needs_root
@pytest.mark.parametrize("user", [None, "daemon"])
def test_what_meets_the_network_runs_as_the_configured_user_with_no_power(lb, pki, target, user):
    who = pwd.getpwnam(user) if user else default_user()
    running = lb(https(pki, target(), **({"user": user} if user else {})))
    for role in UNPRIVILEGED:
        s = status(only(running.pids(role)))
        assert s["Uid"] == [str(who.pw_uid)] * 4 and s["Gid"] == [str(who.pw_gid)] * 4, role
        assert set(s["Groups"]) <= {str(who.pw_gid)}, role
        assert s["NoNewPrivs"] == ["1"], role
        for power in "CapEff", "CapPrm", "CapInh", "CapAmb":
            assert int(s[power][0], 16) == 0, (role, power)


def test_no_process_leaves_a_core(lb, pki, target):
    running = lb(https(pki, target()))
    for pid in (running.process.pid, *running.pids()):
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert ["Max", "core", "file", "size", "0", "0", "bytes"] in [line.split() for line in limits.splitlines()]


@needs_root
@pytest.mark.skipif(SANITIZED, reason="LeakSanitizer looks at its own process with ptrace, so that must be allowed")
def test_their_own_user_can_neither_trace_nor_look_into_them(lb, pki, target):
    running = lb(https(pki, target()))
    for role in UNPRIVILEGED:
        pid = only(running.pids(role))
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, role  # the kernel's sign of an undumpable process
        looked = subprocess.run(["cat", f"/proc/{pid}/environ"], user=default_user().pw_uid, capture_output=True, text=True)
        assert "Permission denied" in looked.stderr, role


@needs_root
@pytest.mark.parametrize("engine", ["openssl", "native"])
def test_private_keys_are_in_no_memory_file_but_those_for_libssl(lb, pki, target, engine):
    running = lb(https(pki, target()).replace("certificates:", f"tls: {{engine: {engine}}}, certificates:"))
    pem = pki.server.key_file.read_bytes().splitlines()[1]
    der = pki.server.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    supervisor = running.process.pid
    archive, keys = only(memfds(supervisor, "archive")), only(memfds(supervisor, "worker keys"))
    assert pki.server.crt.read_bytes() in archive and (pem in keys) == (engine == "openssl")
    assert pem not in archive and der not in archive
    # The kernel's own map of memory does not have what the signer has made of them: nobody reads that.
    assert not memfds(supervisor, "keys") and not memfds(supervisor, "key store")
    for role in "logger", "control", "signer":
        assert not memfds(only(running.pids(role)), "worker keys"), role


@pytest.mark.parametrize("user, why", [
    pytest.param("nobody-of-that-name", "this system has no user 'nobody-of-that-name'; create it or name another", marks=needs_root),
    pytest.param("root", "user 'root' is root, and whatever meets the network must not be; name another", marks=needs_root)])
def test_a_user_that_cannot_be_is_refused_at_start(tmp_path, target, user, why):
    said = start_that_fails(tmp_path, config(listener(), web=target(), user=user))
    assert re.search(rf"sallyport\.yaml:\d+:7: {re.escape(why)}", said), said


@pytest.fixture
def as_nobody(monkeypatch, pki):
    """A folder for an instance that is started by nobody, with a key of nobody's."""
    folder = pathlib.Path(tempfile.mkdtemp())
    shutil.copy(instance.BINARY, folder / "sallyport")
    monkeypatch.setattr(instance, "BINARY", str(folder / "sallyport"))
    through(monkeypatch, folder, 'exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$SALLYPORT" "$@"')
    shutil.copy(pki.server.key_file, folder / "nobody.key")
    for file in folder, folder / "nobody.key":
        shutil.chown(file, "nobody", "nogroup")
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_an_instance_started_without_privileges_serves(as_nobody, pki, target):
    text = https(pki, target()).replace(str(pki.server.key_file), str(as_nobody / "nobody.key")).replace(str(pki.server.crt), "server.crt")
    shutil.copy(pki.server.crt, as_nobody)
    started = instance.Instance(as_nobody, text)
    try:
        nobody = str(pwd.getpwnam("nobody").pw_uid)
        for pid in started.process.pid, *map(only, map(started.pids, UNPRIVILEGED)):
            assert status(pid)["Uid"] == [nobody] * 4
        if not SANITIZED:  # by user namespaces
            assert os.listdir(f"/proc/{only(started.pids('worker 0'))}/root") == []
        assert peers.get(started.port("web"), pki.ca("servers"))[0] == 200
        kill(started, "worker 0")
        started.reload()
        assert peers.get(started.port("web"), pki.ca("servers"))[0] == 200
    finally:
        started.stop()
    started.check()


@needs_root
def test_only_root_can_take_another_user(as_nobody, target):
    said = start_that_fails(as_nobody, config(listener(), web=target(), user="daemon"))
    assert "user 'daemon' can only be taken by root" in said
