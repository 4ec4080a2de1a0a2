# SPDX-License-Identifier: Apache-2.0
"""System calls made from inside a process of ours, as code that an attacker has put there would make them: by ptrace, as root, in
the very program that is shipped. Nothing in it helps. x86-64 only.

A process is stopped, sent over a `syscall` instruction with registers of our choice, and sent back to where it was.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import signal

SEIZE, INTERRUPT, GETREGS, SETREGS, SINGLESTEP, SYSCALL, CONT, DETACH, SETOPTIONS, GETEVENTMSG = (
    0x4206, 0x4207, 12, 13, 9, 24, 7, 17, 0x4200, 0x4201)
OPTION_SYSGOOD, OPTION_FORK = 1, 2 | 8  # fork and clone
EVENT_STOP = 128
WALL = 0x40000000
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
ARGUMENTS = "rdi rsi rdx r10 r8 r9".split()
SCRATCH = 8192  # below the stack

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def numbers():
    """system call → its number, as the kernel's headers have it."""
    text = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}


NUMBERS = numbers()


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


class Killed(Exception):
    """By the signal that is its argument."""


def ptrace(request, pid, address=0, data=0):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Tracee:
    """A process that is stopped. IS_NEW: a child of one, which comes stopped."""

    def __init__(self, pid, is_new=False):
        self.pid, self.is_gone = pid, False
        if not is_new:
            ptrace(SEIZE, pid, 0, OPTION_SYSGOOD | OPTION_FORK)
            ptrace(INTERRUPT, pid)
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.is_gone:
            ptrace(DETACH, self.pid)

    def wait(self):
        """What it was stopped for: the upper half is an event."""
        _, status = os.waitpid(self.pid, WALL)
        if os.WIFSIGNALED(status) or os.WIFEXITED(status):
            self.is_gone = True
            raise Killed(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
        return status >> 8

    def go_on(self, request, signal_number=0):
        ptrace(request, self.pid, 0, signal_number)
        return self.wait()

    @property
    def registers(self):
        r = Registers()
        ptrace(GETREGS, self.pid, 0, ctypes.addressof(r))
        return r

    @registers.setter
    def registers(self, r):
        ptrace(SETREGS, self.pid, 0, ctypes.addressof(r))

    def instruction(self):
        """Where there is a `syscall`."""
        maps = pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        first, last = (int(n, 16) for n in re.search(r"^(\w+)-(\w+) .*\[vdso\]$", maps, re.M).groups())
        with open(f"/proc/{self.pid}/mem", "rb") as memory:
            memory.seek(first)
            return first + memory.read(last - first).index(b"\x0f\x05")

    def call(self, name, *args):
        """The result of a system call (-errno). An argument of bytes is put into its memory."""
        saved, r = self.registers, self.registers
        at = r.rsp - SCRATCH
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            for register, value in zip(ARGUMENTS, args):
                if isinstance(value, bytes):
                    memory.seek(at)
                    memory.write(value + b"\0")
                    value, at = at, at + len(value) + 16
                setattr(r, register, value & (1 << 64) - 1)
        r.rip, r.rax = self.instruction(), name if isinstance(name, int) else NUMBERS[name]
        r.orig_rax = (1 << 64) - 1  # it is in no call that would be started again
        self.registers = r
        event = self.go_on(SINGLESTEP)
        child = None
        if event >> 8 not in (0, EVENT_STOP):  # a fork: told before it ends
            child = ctypes.c_ulong()
            ptrace(GETEVENTMSG, self.pid, 0, ctypes.addressof(child))
            self.go_on(SINGLESTEP)
        result = ctypes.c_long(self.registers.rax).value
        self.registers = saved
        return Tracee(child.value, is_new=True) if child else result

    def run_to_return_of(self, name, first):
        """Let it run until its call NAME, whose first argument is FIRST, has worked."""
        is_in = False
        while True:
            self.go_on(SYSCALL)
            r = self.registers
            if is_in and ctypes.c_long(r.rax).value >= 0:
                return
            is_in = not is_in and r.orig_rax == NUMBERS[name] and r.rdi == first


@contextlib.contextmanager
def copy_of(pid):
    """A child of PID that is as it is (its filters, its capabilities), and stopped."""
    with Tracee(pid) as parent:
        child = parent.call("clone", signal.SIGCHLD, 0, 0, 0, 0)
    try:
        yield child
    finally:
        if not child.is_gone:
            os.kill(child.pid, signal.SIGKILL)
            with contextlib.suppress(Killed):
                child.wait()


@contextlib.contextmanager
def next_child_of(pid, start, ready_call, ready_first):
    """The next process that PID starts, once START() is called, after its READY_CALL."""
    with Tracee(pid) as parent:
        ptrace(CONT, pid)
        start()
        while parent.wait() >> 8 in (0, EVENT_STOP):
            ptrace(CONT, pid)
        child = ctypes.c_ulong()
        ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(child))
    tracee = Tracee(child.value, is_new=True)
    with tracee:
        tracee.run_to_return_of(ready_call, ready_first)
        yield tracee
