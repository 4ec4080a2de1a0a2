# SPDX-License-Identifier: Apache-2.0
"""A running Sallyport, asked only from outside: its log lines, its ports, its processes."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SALLYPORT", str(ROOT / "build" / "asan" / "sallyport"))
DEFAULT_ENGINE = "native"
ENGINE = os.environ.get("SALLYPORT_TEST_ENGINE", DEFAULT_ENGINE)  # who speaks TLS where a test does not say
PATIENCE = 20  # seconds until a condition that must come true has not


def until(condition, what, patience=PATIENCE):
    """The first true value of CONDITION(); fails with WHAT after PATIENCE seconds."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {patience} s for {what() if callable(what) else what}"
        time.sleep(0.01)


def size_of(file):
    return file.stat().st_size if file.exists() else 0


def lines_behind(file, size):
    """The whole lines of FILE that were not there when it had SIZE. In the middle of a write, a file may end inside a line."""
    if not file.exists():
        return []
    with open(file, "rb") as f:
        f.seek(max(size - 1, 0))
        return f.read().split(b"\n")[1 if size else 0:-1]


def with_engine(config):
    """CONFIG with ENGINE wherever TLS is spoken, unless it says another or cannot be read."""
    if ENGINE == DEFAULT_ENGINE:
        return config
    try:
        tree = yaml.safe_load(config)
        owners = [o for key in ("listeners", "target_groups") for o in tree.get(key, [])]
        for owner in owners:
            if owner.get("protocol") in ("HTTPS", "TCP_SSL"):
                owner.setdefault("tls", {}).setdefault("engine", ENGINE)
    except (yaml.YAMLError, AttributeError, TypeError):
        return config
    return json.dumps(tree)


def run(*args, binary=BINARY, **kw):
    """The program, to its end."""
    kw.setdefault("timeout", 60)
    return subprocess.run([binary, *map(str, args)], capture_output=True, text=True, errors="replace", **kw)


class Instance:
    def __init__(self, folder, config, env=None, wait=True, access_log="access.log", args=(), binary=None):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "sallyport.yaml"
        self.file.write_text(with_engine(config))
        self.access_log = self.folder / access_log
        self.err = self.folder / "stderr"
        self.expected_errors = []  # patterns of error lines that a test announces
        self.stopped = None
        with open(self.err, "ab") as err:
            self.process = subprocess.Popen([str(binary or BINARY), "run", "-c", str(self.file), *args], stdout=err, stderr=err,
                                            cwd=self.folder, env={**os.environ, **(env or {})})
        if wait:
            until(lambda: "ready: generation 1" in self.stderr() or self.process.poll() is not None, "readiness")
            assert self.process.poll() is None, self.stderr()

    def stderr(self):
        return self.err.read_text(errors="replace")

    def port(self, listener):
        """The port that a listener was given last."""
        found = re.findall(rf"listener {re.escape(listener)}: \S+ \S*:(\d+)", self.stderr())
        assert found, f"no listener {listener} in {self.stderr()}"
        return int(found[-1])

    def lines(self):
        if not self.access_log.exists():
            return []
        whole = self.access_log.read_bytes().decode().split("\n")[:-1]  # the last one may still be written
        return [json.loads(line) for line in whole]

    def mark(self):
        return len(self.lines())

    def line(self, condition=lambda line: True, since=0, **fields):
        """The first access-log line, from number SINCE on, with these fields and for which CONDITION holds."""
        def find():
            for line in self.lines()[since:]:
                if all(line.get(k) == v for k, v in fields.items()) and condition(line):
                    return line
        return until(find, lambda: f"a line {fields} in {self.lines()[since:]}")

    def pids(self, role=""):
        """Processes of this instance whose title names ROLE."""
        out = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                status = (entry / "status").read_text()
                title = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if f"\nPPid:\t{self.process.pid}\n" in status and "State:\tZ" not in status and role in title:
                out.append(int(entry.name))
        return sorted(out)

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, config=None, expect="reloaded: generation"):
        """SIGHUP, and wait for the answer in the event log; returns the new part of the log."""
        before = len(self.stderr())
        if config is not None:
            # where it is wrong counts by line and column
            self.file.write_text(config if "failed" in expect else with_engine(config))
        self.send(signal.SIGHUP)
        return until(lambda: (t := self.stderr()[before:]) and expect in t and t, lambda: f"{expect!r} in {self.stderr()[before:]}")

    def expect_error(self, pattern):
        self.expected_errors.append(pattern)

    def stop(self, number=signal.SIGTERM):
        """End it; the exit code. Afterwards nothing of it may be left, and nothing unexpected been said."""
        if self.stopped is None:
            children = self.pids()
            if self.process.poll() is None:
                self.send(number)
            try:
                self.stopped = self.process.wait(PATIENCE + 40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.stopped = -9
            until(lambda: not any(is_ours(pid) for pid in children), "its processes to end")
        return self.stopped

    def check(self):
        """What must hold of every instance after every test."""
        code = self.stop()
        text = self.stderr()
        assert "Sanitizer" not in text and "runtime error" not in text, text
        for line in text.splitlines():
            said = re.search(r"Z error .*", line)
            if said and not any(re.search(p, line) for p in self.expected_errors):
                raise AssertionError(f"unexpected: {line}")
        assert code == 0, f"exit {code}: {text}"


def is_ours(pid):
    try:
        return b"sallyport" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
