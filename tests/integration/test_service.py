# SPDX-License-Identifier: Apache-2.0
"""etc/sallyport.service: what it allows is enough, and no less would be."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import instance
import peers
import service
from instance import until
from processes import SANITIZED, config, listener, needs_root, only, status, through

EXPOSURE_MAX = 20  # tenths, as systemd-analyze counts it


def analyze(*args):
    return subprocess.run(["systemd-analyze", "--no-pager", *map(str, args)], capture_output=True, text=True)


def test_systemd_understands_every_line_of_it(tmp_path):
    unit = tmp_path / "sallyport.service"
    unit.write_text(service.UNIT.read_text().replace("/usr/bin/sallyport", str(pathlib.Path(instance.BINARY).resolve())))
    said = analyze("verify", "--man=no", unit)
    ours = [line for line in (said.stdout + said.stderr).splitlines() if "sallyport" in line]
    assert said.returncode == 0 and not ours, said


def test_it_exposes_little():
    said = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", service.UNIT)
    assert said.returncode == 0, said.stdout


def free_low_port():
    """Nobody hands out ports below 1024: tried one by one, other ones by each process of pytest."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in range(1023 - process % 8, 600, -8):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port below 1024 is free")


@pytest.fixture(scope="module")
def own_mounts():
    """A root that is no mount point, as after chroot(8), cannot be made private."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace whose root can be made private: a chroot?")


@pytest.fixture
def confined(own_mounts, monkeypatch, tmp_path, pki, target):
    """start(without="") → an instance within the unit but for one capability, with keys that belong to somebody else."""
    private, started = tmp_path / "private", []
    private.mkdir(0o700)
    for file in pki.server.crt, pki.server.key_file:
        (private / file.name).write_bytes(file.read_bytes())
        (private / file.name).chmod(0o600)
        shutil.chown(private / file.name, "daemon")
    shutil.chown(private, "daemon")

    def start(without="", wait=True, access_log="access.log", **environment):
        folder = pathlib.Path(tempfile.mkdtemp(dir=tmp_path))
        through(monkeypatch, tmp_path, f'exec /usr/bin/python3 {service.__file__} {folder} "{without}" "$SALLYPORT" "$@"')
        text = config(listener(protocol="HTTPS", certificate=pki.server, address=f"127.0.0.1:{free_low_port()}"), web=target(),
                      user="nobody", access_log=f"{{file: {access_log}}}")
        text = text.replace(str(pki.server.crt.parent), str(private))
        # LeakSanitizer needs ptrace, which the unit forbids
        started.append(instance.Instance(folder, text, wait=wait, env={"ASAN_OPTIONS": "detect_leaks=0", **environment}))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def has_secret_memory():
    """Kernels before 6.5 have it switched off."""
    fd = ctypes.CDLL(None).syscall(447, 0)  # memfd_secret, on every architecture
    if fd >= 0:
        os.close(fd)
    return fd >= 0


@needs_root
def test_what_it_allows_is_enough(confined, pki, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp_path}/notify")
        os.chmod(f"{tmp_path}/notify", 0o777)  # as systemd's is
        lb = confined(NOTIFY_SOCKET=f"{tmp_path}/notify")
        manager.settimeout(instance.PATIENCE)
        assert manager.recv(100) == b"READY=1"
    supervisor = status(lb.process.pid)
    assert int(supervisor["CapEff"][0], 16) == sum(1 << n for n in service.CAPABILITIES.values())
    assert (supervisor["NoNewPrivs"], supervisor["Seccomp"]) == (["1"], ["2"])
    assert peers.get(lb.port("web"), pki.ca("servers"))[0] == 200
    held = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{lb.process.pid}/fd").iterdir()]
    assert any(name.startswith("/secretmem") for name in held) == has_secret_memory(), "where the keys wait for the next signer"
    lb.reload()
    assert peers.get(lb.port("web"), pki.ca("servers"))[0] == 200
    lb.send(signal.SIGUSR1)
    until(lambda: "logs reopened" in lb.stderr(), "the logs to be reopened")
    lb.line(status=200)
    lb.stop()
    lb.check()


@needs_root
def test_it_writes_nothing_but_logs(confined, tmp_path):
    lb = confined(wait=False, access_log=tmp_path / "access.log")
    until(lambda: "Read-only file system" in lb.stderr(), lb.stderr)


def stop_at_once(lb):
    """Its worker hangs and it has to stop: has it?"""
    os.kill(only(lb.pids("worker 0")), signal.SIGSTOP)
    lb.send(signal.SIGTERM)
    until(lambda: "stopping:" in lb.stderr(), "the beginning of the end")
    lb.send(signal.SIGTERM)
    until(lambda: "does not end; killing it" in lb.stderr(), "the end of the worker's time")


@needs_root
def test_what_hangs_is_killed_within_it(confined):
    lb = confined()
    stop_at_once(lb)
    assert lb.stop() == 0


@needs_root
@pytest.mark.parametrize("capability, without", [
    ("CAP_NET_BIND_SERVICE", "ports below 1024 need root or CAP_NET_BIND_SERVICE"), ("CAP_DAC_READ_SEARCH", "Permission denied"),
    pytest.param("CAP_SYS_CHROOT", "without an empty root folder",
                 marks=pytest.mark.skipif(SANITIZED, reason="the sanitizers' runtime needs /proc"))])
def test_each_capability_is_needed(confined, capability, without):
    lb = confined(without=capability, wait=False)
    until(lambda: without in lb.stderr(), lambda: f"{without!r} in {lb.stderr()}")
