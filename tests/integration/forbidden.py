# SPDX-License-Identifier: Apache-2.0
"""What a process that is taken over would like to do, as single system calls, and what becomes of each.

In the sandbox each ends its process, but for the roles in `may`, where it has an errno (Landlock, the empty root), or is allowed (OK).
Outside (--sandbox=off) each gets as far as `without` says: it works (OK), or the kernel refuses it for a reason of its own, which
shows that nothing of ours did.
"""
import errno
import socket
import struct

OK = 0
KILLED = "killed"
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
O_RDONLY, O_WRONLY, O_CREAT, O_DIRECTORY, O_TMPFILE = 0, 1, 0o100, 0o200000, 0o20200000
EPERM, ENOENT, EACCES, EINVAL, EBADF, EFAULT = errno.EPERM, errno.ENOENT, errno.EACCES, errno.EINVAL, errno.EBADF, errno.EFAULT
NONE = b"/nowhere/nothing"
PAGE = 4096
READ_WRITE_EXECUTE, ANONYMOUS = 7, 0x22
X32 = 0x40000000
OTHER = "other"  # the supervisor; for the supervisor, the test
STACK = "stack"  # the page of its stack


class Action:
    def __init__(self, what, call, *args, without=OK, may=None):
        self.what, self.call, self.args, self.may = what, call, args, may or {}
        self.without = {without} if isinstance(without, int) else set(without)
        self.without.add(errno.ENOSYS)  # not every kernel has every call


def everyone(*roles, result=OK):
    return {role: result for role in roles}


READS = {**everyone("loader", "supervisor"), "control": EACCES}
SUPERVISOR = everyone("supervisor")
# Control has a folder of its own: elsewhere Landlock refuses what changes files.
CHANGES = {**SUPERVISOR, "control": EACCES}
TRIES = everyone("supervisor", "control", result=ENOENT)
IN6 = struct.pack("HH", socket.AF_INET, 0) + bytes(12)

ACTIONS = [
    # files
    Action("read a file", "openat", AT_FDCWD, b"/etc/passwd", O_RDONLY, may=READS),
    Action("read a file, the old way", "open", b"/etc/passwd", O_RDONLY),
    Action("read a file, the new way", "openat2", AT_FDCWD, b"/etc/passwd", bytes(24), 24),
    Action("see a folder", "openat", AT_FDCWD, b"/", O_RDONLY | O_DIRECTORY, may=READS),
    Action("see the memory of its parent", "openat", AT_FDCWD, b"/proc/1/mem", O_RDONLY, without=(OK, EACCES, EPERM), may=READS),
    Action("write a file", "openat", AT_FDCWD, b"/dev/null", O_WRONLY, may=CHANGES),
    Action("create a file", "openat", AT_FDCWD, b"/tmp", O_TMPFILE | O_WRONLY, 0o600, may=CHANGES),
    Action("ask for a file", "newfstatat", AT_FDCWD, b"/etc/passwd", bytes(256), 0, may=everyone("loader", "supervisor", "control")),
    Action("ask for a file, the old way", "stat", b"/etc/passwd", bytes(256)),
    Action("ask for a file, the new way", "statx", AT_FDCWD, b"/etc/passwd", 0, 0x7ff, bytes(256)),
    Action("read a link", "readlink", b"/proc/self/exe", bytes(256), 256, without=(OK, EACCES), may=everyone("loader", "supervisor")),
    Action("delete a file", "unlink", NONE, without=ENOENT, may=TRIES),
    Action("delete a file, the new way", "unlinkat", AT_FDCWD, NONE, 0, without=ENOENT, may=TRIES),
    Action("rename a file", "rename", NONE, NONE, without=ENOENT, may=TRIES),
    Action("make a folder", "mkdir", NONE, 0o700, without=ENOENT, may=everyone("supervisor", result=ENOENT)),
    Action("make a symbolic link", "symlink", NONE, NONE, without=ENOENT),
    Action("make a hard link", "link", NONE, NONE, without=ENOENT),
    Action("make a device", "mknod", NONE, 0o20666, 0x103, without=(ENOENT, EPERM)),
    Action("change a mode", "chmod", NONE, 0o777, without=ENOENT),
    Action("change an owner", "chown", NONE, 0, 0, without=ENOENT),
    Action("cut a file", "truncate", NONE, 0, without=ENOENT),
    Action("open a file by its handle", "open_by_handle_at", -1, bytes(8), 0, without=(EPERM, EBADF, EINVAL, EFAULT)),
    Action("watch files", "inotify_init1", 0),
    Action("mount a file system", "mount", NONE, NONE, NONE, 0, 0, without=(EPERM, ENOENT)),
    Action("unmount one", "umount2", NONE, 0, without=(EPERM, ENOENT)),
    Action("change the root", "chroot", NONE, without=ENOENT, may=everyone("supervisor", result=ENOENT)),
    Action("exchange the root", "pivot_root", NONE, NONE, without=(EPERM, ENOENT)),
    # the network
    Action("listen at an address: bind", "bind", -1, IN6, 16, without=EBADF, may=everyone("supervisor", result=EBADF)),
    Action("listen at an address: listen", "listen", -1, 1, without=EBADF, may=everyone("supervisor", result=EBADF)),
    Action("connect", "connect", -1, IN6, 16, without=EBADF, may=everyone("worker", "control", "supervisor", result=EBADF)),
    Action("open a TCP socket", "socket", socket.AF_INET, socket.SOCK_STREAM, 0, may=everyone("control", "supervisor")),
    Action("open a UDP socket", "socket", socket.AF_INET, socket.SOCK_DGRAM, 0, may=everyone("control", "supervisor")),
    Action("open a raw socket", "socket", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, without=(OK, EPERM)),
    Action("open a raw socket of no protocol", "socket", socket.AF_INET, socket.SOCK_RAW, 0, without=(OK, EPERM, errno.EPROTONOSUPPORT)),
    Action("open a Unix socket", "socket", socket.AF_UNIX, socket.SOCK_STREAM, 0, may=SUPERVISOR),
    Action("see all packets", "socket", socket.AF_PACKET, socket.SOCK_RAW, 0, without=(OK, EPERM)),
    Action("talk to the kernel's network", "socket", socket.AF_NETLINK, socket.SOCK_RAW, 0),
    Action("talk to the hypervisor", "socket", socket.AF_VSOCK, socket.SOCK_STREAM, 0, without=(OK, errno.EAFNOSUPPORT)),
    Action("reach the kernel's cryptography", "socket", socket.AF_ALG, socket.SOCK_SEQPACKET, 0, without=(OK, errno.EAFNOSUPPORT)),
    Action("choose who accepts", "setsockopt", -1, socket.SOL_SOCKET, 51, bytes(16), 16, without=EBADF,  # SO_ATTACH_REUSEPORT_CBPF
           may=everyone("supervisor", result=EBADF)),
    Action("filter packets", "setsockopt", -1, socket.SOL_SOCKET, 26, bytes(16), 16, without=EBADF,  # SO_ATTACH_FILTER
           may=everyone("supervisor", result=EBADF)),
    Action("make a pair of sockets", "socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, bytes(8), may=SUPERVISOR),
    # processes
    Action("fork", "clone", 0x800, 0, 0, 0, 0, without=EINVAL, may=everyone("supervisor", result=EINVAL)),  # CLONE_SIGHAND alone
    Action("fork, the old way", "fork", without=(OK, errno.EAGAIN), may=SUPERVISOR),
    Action("fork, the new way", "clone3", bytes(8), 8, without=EINVAL),
    Action("execute a file", "execve", b"/etc/passwd", 0, 0, without=EACCES),
    Action("execute a file by descriptor", "execveat", AT_FDCWD, b"/etc/passwd", 0, 0, 0, without=EACCES),
    Action("execute what is in memory", "execveat", -1, b"", 0, 0, AT_EMPTY_PATH, without=EBADF, may=everyone("supervisor", result=EBADF)),
    Action("trace a process", "ptrace", 0x4206, OTHER, 0, 0, without=(OK, EPERM)),
    Action("signal a process", "kill", OTHER, 0, without=(OK, EPERM), may={"supervisor": EPERM}),
    Action("signal a thread", "tgkill", OTHER, OTHER, 0, without=(OK, EPERM), may={"supervisor": EPERM}),
    Action("get hold of a process", "pidfd_open", OTHER, 0),
    Action("take a descriptor of another", "pidfd_getfd", -1, 0, 0, without=EBADF),
    Action("read the memory of another", "process_vm_readv", OTHER, bytes(16), 1, bytes(16), 1, 0, without=(OK, EPERM)),
    Action("write the memory of another", "process_vm_writev", OTHER, bytes(16), 1, bytes(16), 1, 0, without=(OK, EPERM)),
    Action("change the limits of another", "prlimit64", OTHER, 7, 0, bytes(16), without=(OK, EPERM)),
    Action("raise its own limits", "prlimit64", 0, 7, struct.pack("QQ", 64, 64), 0, may=SUPERVISOR),
    Action("change the priority of others", "setpriority", 0, OTHER, 0, without=(OK, EPERM, EACCES)),
    # powers
    Action("become root", "setuid", 0, without=(OK, EPERM)),
    Action("become root in all respects", "setresuid", 0, 0, 0, without=(OK, EPERM), may=SUPERVISOR),
    Action("join a group", "setgroups", 0, 0, without=(OK, EPERM), may=SUPERVISOR),
    Action("enter a namespace", "setns", -1, 0, without=EBADF),
    Action("keep capabilities", "prctl", 8, 1, 0, 0, 0, without=(OK, EPERM), may=SUPERVISOR),
    Action("weaken speculation", "prctl", 53, 0, 2, 0, 0, without=(OK, EPERM, errno.ENXIO, errno.ENODEV, EINVAL)),
    Action("add a filter", "seccomp", 1, 0, 0, without=EFAULT, may=everyone("supervisor", result=EFAULT)),
    # memory that is executed
    Action("map memory to write and execute", "mmap", 0, PAGE, READ_WRITE_EXECUTE, ANONYMOUS, -1, 0, may=SUPERVISOR),
    Action("execute its stack", "mprotect", STACK, PAGE, READ_WRITE_EXECUTE, may=SUPERVISOR),
    Action("execute its stack, with a key", "pkey_mprotect", STACK, PAGE, READ_WRITE_EXECUTE, -1),
    Action("share memory of System V", "shmget", 0x5a11, PAGE, 0, without=ENOENT),
    Action("change the layout of mappings", "remap_file_pages", 0, 0, 0, 0, 0, without=EINVAL),
    Action("change segments", "modify_ldt", 0, bytes(16), 16),
    # the kernel's larger interfaces
    Action("load a program into the kernel", "bpf", 0, bytes(16), 16, without=(EPERM, EINVAL, OK)),
    Action("set up io_uring", "io_uring_setup", 1, 0, without=(EFAULT, EPERM)),
    Action("handle page faults", "userfaultfd", 0, without=(OK, EPERM)),
    Action("count events", "perf_event_open", 0, 0, 0, 0, 0, without=(EFAULT, EACCES, EPERM)),
    Action("add a key", "add_key", b"user", b"x", b"x", 1, -1, without=(OK, errno.EDQUOT)),
    Action("ask for a key", "request_key", b"user", b"nothing", 0, -1, without=errno.ENOKEY),
    Action("manage keys", "keyctl", 0, -1, 0),
    Action("load a module", "finit_module", -1, b"", 0, without=(EPERM, EBADF)),
    Action("load another kernel", "kexec_load", 0, 17, 0, 0, without=(EPERM, EINVAL)),
    Action("reboot", "reboot", 0, 0, 0, without=(EPERM, EINVAL)),
    Action("swap", "swapon", NONE, 0, without=(EPERM, ENOENT)),
    Action("set the clock", "clock_settime", 0, 0, without=(EFAULT, EPERM)),
    Action("name the machine", "sethostname", 0, 1, without=(EFAULT, EPERM)),
    Action("read the kernel's log", "syslog", 10, 0, 0, without=(OK, EPERM)),
    Action("write to ports of the machine", "iopl", 3, without=(OK, EPERM, errno.ENOSYS)),
    Action("watch all files", "fanotify_init", 0, 0, without=(OK, EPERM, EINVAL)),
    Action("move pages", "move_pages", OTHER, 0, 0, 0, 0, 0, without=(OK, EPERM)),
    Action("put words into a terminal", "ioctl", 0, 0x5412, b"x", without=(EPERM, errno.ENOTTY, errno.EIO)),
    Action("own the signals of a descriptor", "fcntl", 0, 8, 0),
    Action("let a shared descriptor wait", "fcntl", 1, 4, 0, may=SUPERVISOR),  # F_SETFL without O_NONBLOCK
    Action("make a call of the x32 architecture", X32 | 2, NONE, 0, without=errno.ENOSYS),
    # what would change the next results, outside of the sandbox
    Action("set capabilities", "capset", struct.pack("Ii", 0x20080522, 0), bytes(24), without=(OK, EPERM), may=SUPERVISOR),
    Action("make namespaces", "unshare", 0x10000000, without=(OK, EPERM, errno.ENOSPC), may=SUPERVISOR),
    Action("make a mount namespace", "unshare", 0x10020000, without=(OK, EPERM, errno.ENOSPC)),
    Action("be dumpable", "prctl", 4, 1, 0, 0, 0),
    Action("change how memory is protected", "personality", 0x0400000),
]
