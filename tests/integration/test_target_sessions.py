# SPDX-License-Identifier: Apache-2.0
"""Sessions towards targets are resumed, but only where, and only while, a full handshake would be good (peers.md T7)."""
import datetime
import json
import socket
import ssl
import threading
import time

import pytest

import peers
import programs
import wire
from instance import until
from pki import NOW
from prometheus import Metrics
from test_admin import admin_port, get

VERSIONS = ("1.2", "1.3")
PRE_SHARED_KEY, SESSION_TICKET = 41, 35
each_version = pytest.mark.parametrize("version", VERSIONS)


def read_hello(connection):
    """The ClientHello that waits in CONNECTION, which keeps it."""
    while True:
        data = connection.recv(65536, socket.MSG_PEEK)
        assert data, "closed without a ClientHello"
        if len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big"):
            return wire.ClientHello(data[9:])


def shown(hello):
    """The ticket that a ClientHello offers (RFC 8446 §4.2.11, RFC 5077 §3.2), or None."""
    if PRE_SHARED_KEY in hello.extensions:
        return wire.Fields(wire.Fields(hello.extensions[PRE_SHARED_KEY]).vector(2)).vector(2)
    return hello.extensions.get(SESSION_TICKET) or None


class SessionTarget(peers.Target):
    """A TLS server that takes down, for each connection, what was offered and what became of it. SERVE as of a Target."""

    def __init__(self, certificate, version, client_ca=None, serve=peers.echo):
        self.tls = peers.server_context(certificate, version=version)
        if client_ca:
            self.tls.load_verify_locations(client_ca.crt)
            self.tls.verify_mode = ssl.CERT_OPTIONAL
        self.tickets, self.reused, self.clients = [], [], []
        self.fails = False  # cut the next handshake off
        self.inside = serve
        super().__init__(SessionTarget._secure)

    def _secure(self, connection):
        hello = read_hello(connection)
        self.tickets.append(shown(hello))
        if self.fails:
            return
        with self.tls.wrap_socket(connection, server_side=True) as tls:
            shown_to_us = self.tls.verify_mode and tls.getpeercert()
            self.clients.append(dict(pair for rdn in shown_to_us["subject"] for pair in rdn)["commonName"] if shown_to_us else None)
            self.reused.append(tls.session_reused)
            self.inside(self, tls)
            tls.unwrap()


@pytest.fixture
def session_target():
    """start(certificate, version, …) → a SessionTarget; closed after the test."""
    started = []

    def start(*args, **kw):
        started.append(SessionTarget(*args, **kw))
        return started[-1]

    yield start
    for t in started:
        t.close()


def configuration(groups, more=""):
    """GROUPS: name → (target, tls keys). Each has a TCP listener of its name in front."""
    text = "listeners:" + "".join(
        f"\n  - {{name: {name}, protocol: TCP, address: '127.0.0.1:0', target_group: {name}}}" for name in groups)
    text += "\ntarget_groups:" + "".join(
        f"\n  - {{name: {name}, protocol: TCP_SSL, targets: [{{address: '127.0.0.1:{t.port}'}}], tls: {{{tls}}}}}"
        for name, (t, tls) in groups.items())
    return text + "\naccess_log: {file: access.log}\nadmin: {address: '127.0.0.1:0'}\nworkers: 1\n" + more


def visit(instance, listener):
    """The log line of one relay through LISTENER; was it served, `ok` says."""
    mark, got = instance.mark(), b""
    with socket.create_connection(("127.0.0.1", instance.port(listener)), 10) as s:
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        try:
            while data := s.recv(65536):
                got += data
        except ConnectionError:
            pass
    line = instance.line(listener=listener, since=mark)
    assert got == (b"echo:question" if line["close"] == "done" else b""), line
    return line


def resumed(line):
    return line["target_tls"]["resumed"]


def refusal(line):
    """The reason for which a target was refused."""
    assert line["close"] == "target_refused" and not line["target_peer"]["accepted"], line
    return line["target_peer"]["reason"]


@each_version
@pytest.mark.parametrize("tickets", [True, False])
def test_a_new_connection_resumes_and_its_verdict_is_complete(pki, lb, session_target, version, tickets):
    """Without tickets: by session id, in TLS 1.2; in TLS 1.3 Python's ticket names a session that it keeps."""
    t = session_target(pki.server, version)
    if not tickets:
        t.tls.options |= ssl.OP_NO_TICKET
    crl = pki.ca("servers").crl_file
    instance = lb(configuration({"web": (t, f"ca: [{pki.ca('servers').crt}], name: localhost, revocation: {{crl: [{crl}]}}")}))
    lines = [visit(instance, "web") for _ in range(4)]
    assert t.reused == [resumed(line) for line in lines] == [False, True, True, True]
    for line in lines:
        assert line["target_peer"] == lines[0]["target_peer"]
        assert line["target_peer"]["accepted"]
        assert {f["verdict"] for f in line["target_peer"]["factors"].values()} == {"pass"}
        assert line["target_tls"]["version"] == f"TLSv{version}"
    metrics = Metrics(get(admin_port(instance), "/metrics")[1].decode())
    assert metrics.sum("sallyport_target_handshakes_total", target_group="web", resumed="yes") == 3
    assert metrics.sum("sallyport_target_handshakes_total", target_group="web", resumed="no") == 1


@each_version
def test_http_connections_resume_too(pki, lb, session_target, version):
    def one_exchange(target, connection):
        peers.read_head(connection.makefile("rb"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    t = session_target(pki.server, version, serve=one_exchange)
    instance = lb(f"""
listeners: [{{name: web, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: web}}]}}]
target_groups: [{{name: web, protocol: HTTPS, targets: [{{address: '127.0.0.1:{t.port}'}}],
                 tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}}}]
workers: 1
""")
    with socket.create_connection(("127.0.0.1", instance.port("web")), 10) as s:
        f = s.makefile("rb")
        for _ in range(3):
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert peers.read_head(f)[0] == "HTTP/1.1 200 OK" and f.read(2) == b"ok"
    assert t.reused == [False, True, True]


@each_version
def test_switched_off(pki, lb, session_target, version):
    t = session_target(pki.server, version)
    instance = lb(configuration({"web": (t, f"ca: [{pki.ca('servers').crt}], name: localhost, resumption: false")}))
    assert [resumed(visit(instance, "web")) for _ in range(3)] == [False] * 3
    assert t.tickets == [None] * 3 and t.reused == [False] * 3


@each_version
def test_t7_groups_share_no_session_though_they_share_a_target(pki, lb, session_target, version):
    """One server, one ticket key, one certificate; groups that differ in the name, the CAs, the certificate that they show. It would
    resume any session for any of them: as whom it was made, it would take each for."""
    both = pki.ca("servers").issue(f"both-{version}", "server", ["DNS:localhost", "DNS:other.example"])
    other = pki.ca("clients").issue(f"other-{version}")
    t = session_target(both, version, pki.ca("clients"))
    ca, stranger = (pki.ca(name).crt for name in ("servers", "strangers"))
    own = {c: f"certificate: {c.crt}, key: {c.key_file}" for c in (pki.good, other)}
    groups = {
        "plain": f"ca: [{ca}], name: localhost",
        "twin": f"ca: [{ca}], name: localhost",
        "renamed": f"ca: [{ca}], name: other.example",
        "more_ca": f"ca: [{ca}, {stranger}], name: localhost",
        "other_ca": f"ca: [{stranger}], name: localhost",
        "good": f"ca: [{ca}], name: localhost, {own[pki.good]}",
        "other": f"ca: [{ca}], name: localhost, {own[other]}",
    }
    instance = lb(configuration({name: (t, tls) for name, tls in groups.items()}))
    who = {"good": "good", "other": other.name}
    for turn in range(3):
        for name in groups:
            line = visit(instance, name)
            if name == "other_ca":
                assert refusal(line) == "untrusted" and t.tickets[-1] is None
                continue
            assert resumed(line) == t.reused[-1] == (turn > 0), (name, turn)
            assert t.clients[-1] == who.get(name), (name, turn)


@pytest.mark.parametrize("kind", ["TLS", "HTTPS"])
@each_version
def test_t7_health_checks_are_full_handshakes_whatever_the_cas_were(pki, lb, session_target, version, kind):
    """The target gives tickets, and would resume any session; then the group's CA is another one."""
    t = session_target(pki.server, version, serve=peers.http_echo)
    check = f"health_check: {{type: {kind}, interval: 200ms, healthy: 1, unhealthy: 1}}"

    def config(ca):
        return (f"listeners: [{{name: web, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: web}}]}}]\n"
                f"target_groups: [{{name: web, protocol: HTTPS, targets: [{{address: '127.0.0.1:{t.port}'}}], {check}, "
                f"tls: {{ca: [{pki.ca(ca).crt}], name: localhost}}}}]\nadmin: {{address: '127.0.0.1:0'}}\nworkers: 1\n")

    def health():
        return [row.get("health", {}) for row in json.loads(get(admin_port(instance), "/status")[1])["targets"]]
    instance = lb(config("servers"))
    until(lambda: [h.get("state") for h in health()] == ["healthy"] and len(t.reused) > 2, health)
    instance.reload(config("strangers"))
    until(lambda: [(h.get("state"), h.get("reason")) for h in health()] == [("unhealthy", "its certificate is refused: untrusted")], health)
    assert not any(t.tickets) and not any(t.reused)


@each_version
def test_a_target_that_was_revoked_since_is_refused(pki, lb, session_target, version):
    ca = pki.ca(f"revoking-targets-{version}")
    ca.crl()
    certificate = ca.issue(f"target-{version}", "server", ["DNS:localhost"])
    t = session_target(certificate, version)
    instance = lb(configuration({"web": (t, f"ca: [{ca.crt}], name: localhost, revocation: {{crl: [{ca.crl_file}]}}")}))
    assert [resumed(visit(instance, "web")) for _ in range(2)] == [False, True]
    ca.crl(certificate)
    instance.reload()
    line = visit(instance, "web")
    assert refusal(line) == "revoked"
    assert certificate.serial in line["target_peer"]["factors"]["revocation"]["detail"]
    assert t.tickets[-1] is None  # it was asked for its certificate


@each_version
def test_a_configuration_begins_without_sessions(pki, lb, session_target, version):
    t = session_target(pki.server, version)
    instance = lb(configuration({"web": (t, f"ca: [{pki.ca('servers').crt}], name: localhost")}))
    assert [resumed(visit(instance, "web")) for _ in range(2)] == [False, True]
    instance.reload()
    assert [resumed(visit(instance, "web")) for _ in range(2)] == [False, True]
    assert [ticket is None for ticket in t.tickets] == [True, False, True, False]


@each_version
def test_what_ended_meanwhile_is_asked_for_anew(pki, lb, session_target, version):
    """The certificate that a target showed expires, or the CRL that cleared it: the session is not offered any more. A target that
    has something better to show is served, by a full handshake in the same connection."""
    ca = pki.ca(f"brief-{version}")
    lasting = ca.issue(f"lasting-leaf-{version}", "server", ["DNS:localhost"])
    targets = {name: session_target(lasting, version) for name in ("expires", "renewed", "stale")}
    tls = f"ca: [{ca.crt}], name: localhost"
    more = {"stale": f", revocation: {{crl: [{ca.crl()}]}}"}
    instance = lb(configuration({name: (t, tls + more.get(name, "")) for name, t in targets.items()}))
    ends = datetime.datetime.utcnow().replace(microsecond=0) - NOW + datetime.timedelta(seconds=4)
    brief = ca.issue(f"brief-leaf-{version}", "server", ["DNS:localhost"], not_after=ends)
    ca.crl(next_update=ends)
    instance.reload()
    for name, t in targets.items():
        if name != "stale":
            t.tls.load_cert_chain(brief.crt, brief.key_file)
        assert [resumed(visit(instance, name)) for _ in range(2)] == [False, True], "too slow for a certificate of 4 s?"
    end = time.time() + ((NOW + ends) - datetime.datetime.utcnow()).total_seconds() + 1
    until(lambda: time.time() > end, "the end of the certificate")
    targets["renewed"].tls.load_cert_chain(lasting.crt, lasting.key_file)
    assert refusal(visit(instance, "expires")) == "expired"
    assert refusal(visit(instance, "stale")) == "revocation_unknown"
    line = visit(instance, "renewed")
    assert line["target_peer"]["accepted"] and not resumed(line)
    assert [t.tickets[-1] for t in targets.values()] == [None] * 3
    assert resumed(visit(instance, "renewed"))


def test_a_ticket_of_tls_1_3_is_shown_once(pki, lb, session_target):
    t = session_target(pki.server, "1.3")
    instance = lb(configuration({"web": (t, f"ca: [{pki.ca('servers').crt}], name: localhost")}))
    for _ in range(3):
        threads = [threading.Thread(target=visit, args=(instance, "web")) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tickets = [ticket for ticket in t.tickets if ticket]
    assert len(t.tickets) == 18 and len(tickets) > 5  # else this test shows nothing
    assert len(set(tickets)) == len(tickets)


@each_version
def test_a_handshake_that_fails_leaves_no_session(pki, lb, session_target, version):
    t = session_target(pki.server, version)
    instance = lb(configuration({"web": (t, f"ca: [{pki.ca('servers').crt}], name: localhost")}))
    assert [resumed(visit(instance, "web")) for _ in range(2)] == [False, True]
    t.fails = True
    assert visit(instance, "web")["close"] == "target_handshake"
    assert visit(instance, "web")["close"] == "target_handshake"
    t.fails = False
    assert not resumed(visit(instance, "web"))
    assert [ticket is not None for ticket in t.tickets] == [False, True, True, False, False]


def test_what_tls_itself_says_ends_no_idle_connection(pki, lb, tmp_path):
    """KeyUpdate while a connection waits for its next request. s_server sends one for a line that begins with k, and every other
    line as it is."""
    with programs.server(tmp_path, "openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3", "-msg", "-cert", pki.server.crt, "-key",
                         pki.server.key_file) as server:
        instance = lb(f"""
listeners: [{{name: web, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: web}}]}}]
target_groups: [{{name: web, protocol: HTTPS, targets: [{{address: '127.0.0.1:{server.port}'}}],
                 tls: {{ca: [{pki.ca('servers').crt}], name: localhost}}}}]
admin: {{address: '127.0.0.1:0'}}
workers: 1
""")

        def say(line):
            server.process.stdin.write(line)
            server.process.stdin.flush()

        def connections():
            metrics = Metrics(get(admin_port(instance), "/metrics")[1].decode())
            return [metrics.sum(f"sallyport_target_{what}", target_group="web") for what in ("connects_total", "connections_idle")]

        with socket.create_connection(("127.0.0.1", instance.port("web")), 10) as s:
            f = s.makefile("rb")
            for number in range(3):
                s.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                until(lambda: f"GET /{number} " in server.said(), server.said)
                say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                assert peers.read_head(f)[0] == "HTTP/1.1 200 OK" and f.read(2) == b"ok"
                until(lambda: connections() == [1, 1], connections)
                say(b"k\n")
                until(lambda: server.said().count("KeyUpdate") == number + 1, server.said)
        assert connections() == [1, 1]
