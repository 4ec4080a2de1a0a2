# SPDX-License-Identifier: Apache-2.0
"""What is decided by the wall clock follows it wherever it goes, and nothing else notices: timers, connections and the keys of
tickets have the monotonic one."""
import contextlib
import datetime
import os
import re
import signal
import socket
import time

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import peers
import wire
from clocks import HOUR, YEARS, ClockedInstance
from instance import until
from pki import NOW
from processes import needs_root
from test_signer import regions

VERSIONS = ("1.2", "1.3")
TIMEOUT = 2  # of handshakes
LIFETIME = HOUR  # of sessions, by default
SESSION_TICKET = 35  # the extension (RFC 5077 §3.2)
HOURS = int(os.environ.get("SALLYPORT_TEST_HOURS", "2"))  # of simulated time; by hand: 48

each_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def start(tmp_path, pki, target):
    """start(ca) → an instance whose clocks can be set, with the listeners `open`, `mutual` (CA, and its CRL) and `relay`."""
    started = []

    def begin(ca):
        web, raw = target(), target(peers.echo)
        who = f"authentication: mutual, client_ca: [{ca.crt}], revocation: {{crl: [{ca.crl_file}]}}"
        rule = "rules: [{domain: localhost, target_group: web}]"
        common = f"address: '127.0.0.1:0', certificates: [{pki.server.yaml()}]"
        instance = ClockedInstance(tmp_path, f"""
listeners:
  - {{name: open, protocol: HTTPS, {common}, {rule}}}
  - {{name: other, protocol: HTTPS, {common}, {rule}}}
  - {{name: mutual, protocol: HTTPS, {common}, {who}, {rule}}}
  - {{name: relay, protocol: TCP_SSL, {common}, {who}, target_group: raw}}
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}
  - {{name: raw, protocol: TCP, targets: [{{address: '127.0.0.1:{raw.port}'}}]}}
access_log: {{file: access.log}}
timeouts: {{handshake: {TIMEOUT}s, relay_idle: 1d}}
workers: 1
""")
        started.append(instance)
        return instance

    yield begin
    for instance in started:
        instance.check()


class Visitor:
    """A client that keeps the session of its last visit."""

    def __init__(self, instance, pki, version, certificate=None, listener="mutual"):
        self.instance, self.listener, self.session = instance, listener, None
        self.context = peers.client_context(pki.ca("servers"), certificate, version)

    def visit(self):
        """"resumed", "full" or the alert."""
        try:
            with peers.connect(self.instance.port(self.listener), self.context, session=self.session) as tls:
                status, _, _ = peers.ask(tls)
                assert status == 200
                self.session = tls.session
                return "resumed" if tls.session_reused else "full"
        except peers.Refused as e:
            return e.alert


def refusal(instance, since=0):
    """The line of who was not let in; lines of others may still come."""
    return instance.line(lambda line: not line["peer"]["accepted"], since, listener="mutual")


def seconds_ahead(delta):
    """From now until NOW + DELTA, which certificates and CRLs count from."""
    return (NOW + delta - datetime.datetime.utcnow()).total_seconds()


# ---- how long a session lasts

@each_version
def test_whoever_resumes_each_minute_is_authenticated_anew_each_hour(start, pki, version):
    """To the second, less the one that may begin while a handshake is under way."""
    ca = pki.ca("minutes")
    ca.crl(next_update=datetime.timedelta(days=5))
    instance = start(ca)
    visitor = Visitor(instance, pki, version, ca.issue(f"each-minute-{version}", not_after=datetime.timedelta(days=4)))
    begun, visits, full = int(time.time()), 0, [0]

    def visit(at):
        nonlocal visits
        instance.wall = instance.monotonic = begun + at - int(time.time())
        visits += 1
        return visitor.visit()

    assert visit(0) == "full"
    while full[-1] < HOURS * HOUR:
        last = full[-1]
        for after in (*range(60, LIFETIME - 2, 60), LIFETIME - 2):
            assert visit(last + after) == "resumed", (last, after)
        full.append(last + LIFETIME + 1)
        assert visit(full[-1]) == "full", full
    print(f"{visits} visits of TLS {version} in {HOURS} hours, {len(full)} full handshakes")


@each_version
@pytest.mark.parametrize("ends", ["certificate", "crl"])
def test_no_session_outlives_certificate_or_crl(start, pki, version, ends):
    """notAfter belongs to the validity (RFC 5280 §4.1.2.5), as does nextUpdate; and neither needs a reload."""
    first, second = datetime.timedelta(minutes=40), datetime.timedelta(hours=5)
    ca = pki.ca(f"ends-{ends}-{version}")
    ca.crl(next_update=first if ends == "crl" else second)
    instance = start(ca)
    visitor = Visitor(instance, pki, version, ca.issue(f"ends-{ends}-{version}-x", not_after=first if ends == "certificate" else second))
    reason = {"certificate": "expired", "crl": "revocation_unknown"}[ends]
    assert visitor.visit() == "full"
    for at in (-1800, -60, -2):
        instance.wall = int(seconds_ahead(first)) + at
        assert visitor.visit() == "resumed", at
    instance.wall = int(seconds_ahead(first)) + 2
    assert "ALERT" in visitor.visit()
    line = refusal(instance)
    assert line["peer"]["reason"] == reason and not line["tls"].get("resumed"), line
    instance.wall = int(seconds_ahead(first)) - 60  # the clock was wrong: the session is good still
    assert visitor.visit() == "resumed"


# ---- a clock that is set

JUMPS = {"an hour ahead": HOUR, "an hour back": -HOUR, "ten years ahead": YEARS, "ten years back": -YEARS}
# What the mutual listener then says to a certificate of a few days
OUTCOMES = {"an hour ahead": None, "an hour back": None, "ten years ahead": "expired", "ten years back": "not_yet_valid"}


class Kept:
    """An HTTPS connection and a relay that were open before the clock was set."""

    def __init__(self, instance, pki, certificate, stack):
        context = peers.client_context(pki.ca("servers"), certificate)
        self.web, self.relay = (stack.enter_context(peers.connect(instance.port(name), context)) for name in ("mutual", "relay"))
        self.go_on()

    def go_on(self):
        status, _, _ = peers.ask(self.web, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.relay.sendall(b"hello")
        assert status == 200 and self.relay.recv(100) == b"echo:hello"


def silence_ends(instance):
    """After how many seconds a client is ended that says nothing; the clocks are set meanwhile."""
    with socket.create_connection(("127.0.0.1", instance.port("open")), 20) as s:
        began = time.monotonic()
        yield
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
        yield time.monotonic() - began


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_is_set_decides_about_certificates_and_sessions_alone(start, pki, jump):
    ca = pki.ca("jumps")
    ca.crl(next_update=datetime.timedelta(days=5))
    certificate = ca.issue("jumps-client")
    instance = start(ca)
    mutual, anonymous = ([Visitor(instance, pki, version, *who) for version in VERSIONS]
                         for who in ((certificate, "mutual"), (None, "open")))
    with contextlib.ExitStack() as stack:
        kept = Kept(instance, pki, certificate, stack)
        for v in (*mutual, *anonymous):
            assert (v.visit(), v.visit()) == ("full", "resumed")
            v.before = v.session
        silence = silence_ends(instance)
        next(silence)
        instance.wall = JUMPS[jump]
        kept.go_on()  # not_after and next_update are asked about at handshakes
        for v in mutual:
            mark, said = instance.mark(), v.visit()
            assert said == "full" if OUTCOMES[jump] is None else "ALERT" in said
            if OUTCOMES[jump]:
                line = refusal(instance, mark)
                assert line["peer"]["reason"] == OUTCOMES[jump] and not line["tls"].get("resumed"), line
        for v in anonymous:
            assert (v.visit(), v.visit()) == ("full", "resumed")  # what is made under a clock is good under it
        assert TIMEOUT - 0.1 <= next(silence) < 5 * TIMEOUT
        kept.go_on()
        instance.wall = 0
        for v in anonymous:
            assert v.visit() == "full"  # a session from the future is none; one that is an hour old is over
        for v in (*mutual, *anonymous):
            v.session = v.before
            assert v.visit() == "resumed"  # the one from before was right all the time
        kept.go_on()


# ---- the keys of tickets

def ticket_of(visitor):
    """The ticket that VISITOR, of TLS 1.2, shows when it comes again."""
    with peers.ByHand(visitor.instance.port(visitor.listener), visitor.context, session=visitor.session) as client:
        assert client.tls.session_reused
        return wire.ClientHello(client.hello[9:]).extensions[SESSION_TICKET]


def memory_of(pid):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for at, n in regions(pid):
            with contextlib.suppress(OSError, ValueError, OverflowError):  # what the kernel does not read either
                memory.seek(at)
                yield memory.read(n)


def keys_of(pid, ticket):
    """(secret, key) by which PID opens TICKET: struct ticket_keys, where the secret stands in front of the name of the first key, and
    the key behind it. They open the ticket, or they are none."""
    name, nonce, sealed = ticket[:16], ticket[16:28], ticket[28:]
    for content in memory_of(pid):
        for found in re.finditer(re.escape(name), content):
            secret, key = content[found.start() - 41:found.start() - 9], content[found.end():found.end() + 32]
            with contextlib.suppress(InvalidTag, ValueError):
                AESGCM(key).decrypt(nonce, sealed, name)
                return secret, key
    return None


def next_secret(secret, hour):
    info = b"sallyport ratchet" + hour.to_bytes(8, "big")
    return HKDF(hashes.SHA256(), 32, b"sallyport", info).derive(secret)


def secret_before(pid, secret, hour):
    """The secret from which SECRET of HOUR came: struct ratchet, where the hour stands behind it."""
    for content in memory_of(pid):
        for found in re.finditer(re.escape((hour - 1).to_bytes(8, "little")), content):
            before = content[max(found.start() - 32, 0):found.start()]
            if next_secret(before, hour) == secret:
                return before
    return None


def wake(instance, pki):
    """Whoever sleeps looks at the clock when something comes, and not at what the test is about: worker, supervisor."""
    assert Visitor(instance, pki, "1.3", listener="other").visit() == "full"
    instance.send(signal.SIGUSR1)


@needs_root
def test_nobody_has_what_opened_a_ticket_two_hours_ago(start, pki):
    """Neither for listeners where nobody comes, nor for those of an earlier configuration that a relay keeps."""
    ca = pki.ca("ratchet")
    ca.crl()
    certificate = ca.issue("ratchet-client")
    instance = start(ca)
    visitor = Visitor(instance, pki, "1.2", listener="open")
    with contextlib.ExitStack() as stack:
        kept = Kept(instance, pki, certificate, stack)
        assert visitor.visit() == "full"
        hour = int(time.monotonic()) // HOUR
        ticket = ticket_of(visitor)
        worker, = instance.pids("worker")
        secret, key = keys_of(worker, ticket)
        assert (before := secret_before(instance.process.pid, secret, hour)) == secret_before(worker, secret, hour) is not None
        second = next_secret(next_secret(secret, hour + 1), hour + 2)
        instance.reload()
        assert visitor.visit() == "resumed"
        kept.relay.sendall(b"still here")
        instance.monotonic = 2 * HOUR
        processes = {instance.process.pid, *instance.pids()}

        def holders(octets):
            return {pid for pid in processes if any(octets in content for content in memory_of(pid))}

        wake(instance, pki)
        until(lambda: holders(second), "the ratchet to go forward")  # so it is the secret that is looked for
        for n, o in (("before", before), ("secret", secret), ("key", key)):
            for pid in processes:
                with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                    for at, size in regions(pid):
                        try:
                            memory.seek(at); c = memory.read(size)
                        except (OSError, ValueError, OverflowError): continue
                        for f in re.finditer(re.escape(o), c):
                            print(n, pid, open(f"/proc/{pid}/cmdline").read().replace(chr(0)," "), hex(at+f.start()), [l for l in open(f"/proc/{pid}/maps") if int(l.split("-")[0],16)<=at+f.start()<int(l.split()[0].split("-")[1],16)])
                            print(c[max(0,f.start()-64):f.start()].hex(), c[f.end():f.end()+64].hex())
        assert not any(map(holders, (before, secret, key)))
        assert visitor.visit() == "full"
        assert ticket_of(visitor)[:16] != ticket[:16] and keys_of(worker, ticket_of(visitor))[0] == second
        assert kept.relay.recv(100) == b"echo:still here"
