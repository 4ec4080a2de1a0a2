# SPDX-License-Identifier: Apache-2.0
"""Configurations, certificates, CRLs and processes are replaced under load: whatever is not theirs goes on."""
import os
import random
import signal
import time

import peers
from http_peers import Client, descriptors, header, memory
from instance import until
from processes import Traffic, status
from soak import Load, figures, metrics, spread
from traffic import Lost, Relays, Requests, config, connections, echo, ok

RELOADS = KILLS = 100
WORKERS = 4
DRAIN = 3
KILLS_WITHIN = 5, 10.5  # more deaths of one worker in so many seconds, and its successor is held back (role/child.h)


def certificate_at(port, context):
    """The certificate that a new connection is shown, as DER."""
    with peers.connect(port, context) as tls:
        return tls.getpeercert(True)


def contexts(pki, n=3):
    return [peers.client_context(pki.ca("servers"), pki.good) for _ in range(n)]


def test_a_hundred_reloads_lose_no_request_and_touch_no_relay(lb, pki, target):
    instance = lb(config(pki, target(ok).port, target(echo).port, timeouts="{drain: 1h}"))
    kept, new, relays = contexts(pki)
    requests = [Requests(instance.port("web"), kept, True), Requests(instance.port("web"), new, False), Relays(instance.port("relay"), relays)]
    took, processes = [], [instance.process.pid, *instance.pids()]
    with Traffic(requests[0]) as a, Traffic(requests[1]) as b, Traffic(requests[2], n=4) as c:
        load = Load(instance.port("web"), pki.good, "--mode", "full", "--connections", 4, "--rate", 200, seconds=RELOADS * 0.1).start()
        for generation in range(2, RELOADS + 2):
            began = time.monotonic()
            instance.reload(expect=f"reloaded: generation {generation}\n")
            took.append(time.monotonic() - began)
            for traffic in a, b, c:
                traffic.goes_on(4)
            if generation == 11:
                before = {pid: (memory(pid, "RssAnon"), descriptors(pid)) for pid in processes}
        after = {pid: (memory(pid, "RssAnon"), descriptors(pid)) for pid in processes}
        result = load.result()
    figures(f"{RELOADS} reloads", kept=f"{len(a.sent)} on {requests[0].opened} connections", new=len(b.sent), rounds_of_4_relays=len(c.sent),
            of_bench_load=result["operations"], failed=len(a.failures + b.failures + c.failures) + result["errors"], reload=spread(took),
            private_memory_grown_in_90_KiB=[(after[p][0] - before[p][0]) // 1024 for p in processes],
            descriptors_grown=[after[p][1] - before[p][1] for p in processes])
    assert not a.failures + b.failures + c.failures and result["errors"] == 0, (a.failures, b.failures, c.failures, result)
    assert requests[0].opened > 20 and requests[2].opened == 4
    assert all(n < 1 << 20 for n in (after[p][0] - before[p][0] for p in processes))
    assert all(n < 20 for n in (after[p][1] - before[p][1] for p in processes))


class Member:
    """A client whose certificate comes and goes, with an HTTP connection and a relay that it keeps."""

    def __init__(self, instance, pki, certificate):
        self.instance, self.context = instance, peers.client_context(pki.ca("servers"), certificate)

    def is_refused(self):
        """The alert, or False."""
        try:
            with peers.connect(self.instance.port("web"), self.context) as tls:
                assert peers.ask(tls)[0] == 200
            return False
        except peers.Refused as e:
            return e.alert

    def opens(self):
        self.kept = Client(sock=peers.connect(self.instance.port("web"), self.context))
        assert self.kept.ask("/").status == 200
        self.relay = peers.TLS(self.instance.port("relay"), self.context)
        assert self.rounds()

    def rounds(self):
        self.relay.sendall(b"round")
        return self.relay.recv(100) == b"round"

    def ends(self):
        """docs/adr/0001: one more request on what it kept; the relay has timeouts.drain left. Seconds until that was reset."""
        began, last = time.monotonic(), self.kept.ask("/")
        assert (last.status, header(last, "Connection")) == (200, "close") and self.kept.end() == "fin"
        assert self.rounds()
        try:
            return f"ended with {self.relay.recv(100)!r}"
        except ConnectionResetError:
            return time.monotonic() - began


def test_certificates_and_crls_are_swapped_under_load(lb, pki, target):
    revoked, ca = pki.ca("clients").issue("soon-revoked"), pki.ca("clients")
    shown = [pki.ca("servers").issue(f"swap{i}", "server", ["DNS:localhost"]) for i in range(2)]
    web, raw, crl = target(ok), target(echo), ca.crl()
    files = {"crl": crl, "timeouts": f"{{drain: {DRAIN}s}}"}
    instance = lb(config(pki, web.port, raw.port, certificate=shown[1], **files))
    requests, refused_after = [Requests(instance.port("web"), c, is_kept) for c, is_kept in zip(contexts(pki), (True, False))], []
    member, cut_after = Member(instance, pki, revoked), None
    with Traffic(requests[0]) as a, Traffic(requests[1]) as b:
        for i in range(20):
            is_listed = i % 2 == 0
            assert bool(member.is_refused()) != is_listed
            if i == 0:
                member.opens()
            ca.crl(*([revoked] if is_listed else []))
            instance.reload(config(pki, web.port, raw.port, certificate=shown[i % 2], **files))
            began = time.monotonic()
            alert = until(member.is_refused, "the refusal", 5) if is_listed else member.is_refused()
            if is_listed:
                refused_after.append(time.monotonic() - began)
                assert alert == "SSLV3_ALERT_CERTIFICATE_REVOKED"
            else:
                assert not alert
            assert certificate_at(instance.port("web"), requests[1].context) == shown[i % 2].der
            cut_after = cut_after or member.ends()
            for traffic in a, b:
                traffic.goes_on(5)
    ca.crl()
    figures("20 swaps of certificate and CRL", requests=len(a.sent) + len(b.sent), failed=len(a.failures + b.failures),
            refused_after=spread(refused_after), relay_of_the_revoked_cut_after=f"{cut_after:.1f} s of {DRAIN} s")
    assert not a.failures + b.failures, (a.failures, b.failures)
    assert max(refused_after) < 1 and DRAIN - 1 < cut_after < DRAIN + 2


class Killer:
    """Kills workers of an instance, no more often than its supervisor takes as bad luck."""

    def __init__(self, instance, port):
        self.instance, self.port, self.deaths = instance, port, [[] for _ in range(WORKERS)]
        self.doomed, self.back_after = [], []  # the connections of each victim; seconds until its successor serves

    def next_victim(self):
        number, within = KILLS_WITHIN
        def may(i):
            return len(self.deaths[i]) < number or time.monotonic() - self.deaths[i][-number] > within
        return until(lambda: (able := [i for i in range(WORKERS) if may(i)]) and (random.choice(able),), "a worker that may be killed")[0]

    def kill(self):
        index = self.next_victim()
        pid, = self.instance.pids(f"worker {index}")
        os.kill(pid, signal.SIGSTOP)  # so that what it holds stays what it holds
        until(lambda: status(pid)["State"][0] == "T", "the worker to stop")
        self.doomed.append(connections(pid, self.port))
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.deaths[index].append(began)
        until(lambda: metrics(self.instance).sum("sallyport_worker_pid", worker=str(index)) not in (0, pid), "its successor")
        self.back_after.append(time.monotonic() - began)


def test_a_hundred_workers_are_killed(lb, pki, target):
    instance = lb(config(pki, target(ok).port, workers=WORKERS))
    port = instance.port("web")
    killer = Killer(instance, port)
    requests = [Requests(port, context, is_kept) for context, is_kept in zip(contexts(pki), (True, False))]
    with Traffic(requests[0], n=6) as a, Traffic(requests[1], n=6) as b:
        for _ in range(KILLS):
            a.goes_on(5)
            b.goes_on(5)
            killer.kill()
        a.goes_on(50)
        b.goes_on(50)
    failures, doomed = [f[1] for f in a.failures + b.failures], set().union(*killer.doomed)
    innocent = [f for f in failures if not isinstance(f, Lost) or f.port not in doomed]
    figures(f"{KILLS} kills of {WORKERS} workers", kept=f"{len(a.sent)} on {requests[0].opened} connections", new=len(b.sent),
            in_flight_in_the_killed=sum(map(len, killer.doomed)), failed=len(failures), of_others=len(innocent),
            refused=sum(isinstance(f, Lost) and f.port == 0 for f in failures), back=spread(killer.back_after))
    assert not innocent and len(failures) <= sum(map(len, killer.doomed)), innocent
    assert sorted(killer.back_after)[KILLS * 98 // 100] < 0.2, spread(killer.back_after)
    assert not instance.expected_errors and instance.stderr().count("starting it again\n") >= KILLS


def slow(target, connection):
    """Answers after a moment, and notes what arrived."""
    with connection.makefile("rb") as f:
        while lines := peers.read_head(f):
            target.paths.add(lines[0].split(" ")[1])
            time.sleep(0.2)  # so that requests are in flight at any time
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def patient(requests, prefix):
    """REQUESTS below PREFIX, which do not come again at once when they are refused: the targets share a processor with them."""
    def ask(path):
        try:
            return requests(prefix + path)
        except Lost:
            time.sleep(0.05)
            raise
    return ask


def test_a_drain_under_load_finishes_what_is_in_flight(lb, pki, target):
    ends, in_flight, arrived, lost = [], 0, 0, set()
    for _ in range(10):
        web = target(slow)
        web.paths = set()
        instance = lb(config(pki, web.port, timeouts="{drain: 5s}"))
        requests = [Requests(instance.port("web"), context, is_kept) for context, is_kept in zip(contexts(pki), (True, False))]
        with Traffic(patient(requests[0], "/kept"), n=8) as a, Traffic(patient(requests[1], "/new"), n=8) as b:
            a.goes_on(20)
            b.goes_on(20)
            done = len(a.sent) - len(a.failures) + len(b.sent) - len(b.failures)
            in_flight += len(web.paths) - done
            began = time.monotonic()
            instance.send(signal.SIGTERM)
            assert instance.process.wait(10) == 0
            ends.append(time.monotonic() - began)
        answered = {prefix + path for prefix, traffic in (("/kept", a), ("/new", b))
                    for path in set(traffic.sent) - {failure[0] for failure in traffic.failures}}
        lost |= web.paths - answered
        arrived += len(web.paths)
    figures("10 drains", requests=arrived, in_flight_at_SIGTERM=in_flight, lost=len(lost), ended_after=spread(ends))
    assert not lost and in_flight > 50 and max(ends) < 5
