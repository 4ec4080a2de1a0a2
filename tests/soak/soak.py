# SPDX-License-Identifier: Apache-2.0
"""What the tests at length share: the configuration, the programs of bench/, and what /proc says over time."""
import json
import os
import pathlib
import statistics
import subprocess
import threading
import time

from http_peers import descriptors, memory
from processes import admin_port, get, title
from prometheus import Metrics

PROGRAMS = pathlib.Path(os.environ.get("BUILD", ".")) / "bench"
MIB, GIB = 1 << 20, 1 << 30


def figures(what, **values):
    print(f"\n{what}: " + ", ".join(f"{k} {v}" for k, v in values.items()), flush=True)


def spread(values, unit="ms", scale=1000):
    values = sorted(v * scale for v in values)
    return (f"p50 {statistics.median(values):.0f} {unit}, p99 {values[-(-len(values) * 99 // 100) - 1]:.0f} {unit}, "
            f"max {values[-1]:.0f} {unit}")


def metrics(instance):
    return Metrics(get(admin_port(instance), "/metrics")[1].decode())


# ---- loads

class Backend:
    """bench/backend: .http and .echo are its ports."""

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAMS / "backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.http, self.echo = map(int, self.process.stdout.readline().split())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


class Load:
    """bench/load with these options, warmed up; go() is its result, in which errors are counted by kind."""

    def __init__(self, port, certificate, *options, seconds=600):
        self.process = subprocess.Popen(
            [PROGRAMS / "load", "--name", "localhost", "--certificate", certificate.crt, "--key", certificate.key_file,
             "--seconds", str(seconds), *map(str, options), "127.0.0.1", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.patience = seconds + 60
        assert self.process.stdout.readline() == "ready\n"

    def start(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def result(self):
        out, _ = self.process.communicate(timeout=self.patience)
        return json.loads(out)


# ---- what /proc says

class Watch:
    """Memory and descriptors of all processes of an instance, sampled until the `with` ends."""

    def __init__(self, instance, interval=0.25):
        self.samples = {pid: [] for pid in (instance.process.pid, *instance.pids())}
        self.names = {pid: title(pid).removeprefix("sallyport: ") for pid in self.samples}
        self.interval, self.over = interval, threading.Event()
        self.thread = threading.Thread(target=self._loop)

    def _loop(self):
        while not self.over.wait(self.interval):
            for pid, samples in self.samples.items():
                samples.append((time.monotonic(), memory(pid), descriptors(pid)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def growth(self, column=1):
        """Role → bytes (COLUMN 2: descriptors) that it grew by from the second quarter to the last (medians)."""
        out = {}
        for pid, samples in self.samples.items():
            n = len(samples)
            assert n >= 8, f"{n} samples"
            out[self.names[pid]] = int(statistics.median(s[column] for s in samples[-n // 4:]) -
                                       statistics.median(s[column] for s in samples[n // 4:n // 2]))
        return out

    def range(self):
        """Role → (least, most) resident MiB after the first tenth."""
        return {self.names[pid]: (min(rss := [s[1] for s in samples[len(samples) // 10:]]) / MIB, max(rss) / MIB)
                for pid, samples in self.samples.items()}

    def descriptors(self):
        """Role → (least, most) after the first tenth."""
        return {self.names[pid]: (min(n := [s[2] for s in samples[len(samples) // 10:]]), max(n)) for pid, samples in self.samples.items()}

    def tell(self, what, **values):
        ranges, fds = self.range(), self.descriptors()
        figures(what, **values)
        for role, grown in self.growth().items():
            print(f"    {role}: {ranges[role][0]:.1f} to {ranges[role][1]:.1f} MiB, last quarter − second {grown / 1024:+.0f} KiB, "
                  f"descriptors {fds[role][0]} to {fds[role][1]}", flush=True)
