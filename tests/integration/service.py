#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""service WRITABLE WITHOUT COMMAND…: execute COMMAND as systemd would by etc/sallyport.service, where there is no systemd.

User (nobody, who is there), capabilities (all but WITHOUT, which may be ""), system calls, address families, memory protection, umask, a file system that
can be written to in the folder WRITABLE only, and a /proc of processes only. Needs root.
"""
import ctypes
import errno
import mmap
import os
import pathlib
import pwd
import socket
import struct
import subprocess
import sys

import seccomp

UNIT = pathlib.Path(__file__).resolve().parents[2] / "etc/sallyport.service"
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 24, 47, 2
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_CHROOT": 18}
CAPABILITY_LAST = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())

libc = ctypes.CDLL(None, use_errno=True)


def settings(name):
    """The values that the unit gives NAME, in order."""
    return [value for key, _, value in (line.partition("=") for line in UNIT.read_text().splitlines()) if key == name]


def setting(name):
    value, = settings(name)
    return value


def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def expand(name):
    """The system calls that NAME stands for."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    members = [line.split()[0] for line in out.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*map(expand, members))


def allowed_calls():
    allowed = set()
    for value in settings("SystemCallFilter"):
        calls = set().union(*map(expand, value.removeprefix("~").split()))
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def filter_calls():
    """As systemd.exec(5) describes SystemCallFilter, RestrictAddressFamilies and MemoryDenyWriteExecute."""
    assert (setting("SystemCallErrorNumber"), setting("MemoryDenyWriteExecute")) == ("EPERM", "yes")
    f = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))

    def without(argument, bit):
        return seccomp.Arg(argument, seccomp.MASKED_EQ, bit, 0)

    conditions = {
        "socket": [[seccomp.Arg(0, seccomp.EQ, getattr(socket, family))] for family in setting("RestrictAddressFamilies").split()],
        "mmap": [[without(2, mmap.PROT_EXEC)], [without(2, mmap.PROT_WRITE)]],
        "mprotect": [[without(2, mmap.PROT_EXEC)]],
        "pkey_mprotect": [[without(2, mmap.PROT_EXEC)]],
    }
    for name in sorted(allowed_calls()):
        if seccomp.resolve_syscall(seccomp.Arch(), name) >= 0:  # others are of other architectures
            for condition in conditions.get(name, [[]]):
                f.add_rule(seccomp.ALLOW, name, *condition)
    f.load()  # sets NoNewPrivileges


def mount(source, at, kind=None, flags=0, options=None):
    call("mount", *(text and str(text).encode() for text in (source, at, kind)), flags, options and options.encode())


def protect_files(writable):
    """ProtectSystem=strict with one LogsDirectory, ProcSubset=pid, ProtectProc=invisible."""
    call("unshare", CLONE_NEWNS)
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount(writable, writable, flags=MS_BIND)
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        at, kind = line.split()[1:3]
        if kind not in ("proc", "sysfs", "devtmpfs", "devpts", "cgroup2") and at != str(writable) and not at.startswith(("/dev/", "/sys/", "/proc/")):
            mount(None, at.encode().decode("unicode_escape"), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    mount("proc", "/proc", "proc", options="subset=pid,hidepid=invisible")


def become(user, capabilities):
    """USER, with CAPABILITIES that it keeps over executions."""
    call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([user.pw_gid])
    os.setresgid(*[user.pw_gid] * 3)
    os.setresuid(*[user.pw_uid] * 3)
    kept = sum(1 << capability for capability in capabilities)
    call("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), struct.pack("6I", kept, kept, kept, 0, 0, 0))
    for capability in capabilities:
        call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def main(writable, without, *command):
    user = pwd.getpwnam("nobody")
    os.chown(writable, user.pw_uid, user.pw_gid)
    protect_files(writable)
    os.chdir(writable)
    os.umask(int(setting("UMask"), 8))
    kept = {CAPABILITIES[name] for name in setting("CapabilityBoundingSet").split() if name != without}
    assert setting("AmbientCapabilities") == setting("CapabilityBoundingSet")
    for capability in set(range(CAPABILITY_LAST + 1)) - kept:
        call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    become(user, kept)
    filter_calls()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
