# SPDX-License-Identifier: Apache-2.0
"""A session never carries an authentication to where it was not made (peers.md T1–T6)."""
import datetime
import json
import os
import pathlib
import signal
import time
import types

import pytest

import peers
from instance import ENGINE, Instance, until
from pki import NOW

VERSIONS = ("1.2", "1.3")
# listener → what it asks of clients; all show the same certificate
POLICIES = {
    "one_way": "authentication: one-way",
    "one_way_twin": "authentication: one-way",
    "optional": "authentication: optional, client_ca: [{clients}]",
    "mutual": "authentication: mutual, client_ca: [{clients}]",
    "other_ca": "authentication: mutual, client_ca: [{strangers}]",
    "crl": "authentication: mutual, client_ca: [{clients}], revocation: {{crl: [{crl}]}}",
    "listed": "authentication: mutual, client_ca: [{clients}], client_names: ['DNS:somebody.example']",
}
# who comes with the visitor's certificate: why it is refused, or None
OUTCOMES = {"one_way": None, "one_way_twin": None, "optional": None, "mutual": None, "other_ca": "untrusted", "crl": "revoked",
            "listed": "wrong_name"}

# where a session goes on that was made there: libssl's would carry an identity that nobody looks at again
RESUMING = {"one_way", "one_way_twin"} | ({"mutual", "optional"} if ENGINE == "native" else set())

each_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def certificates(pki):
    """`server` for all names; `visitor`: whom some policies admit and others refuse."""
    ca = pki.ca("visitors")
    names = ["DNS:localhost", "DNS:*.example", "DNS:*.open.example"]
    made = {"server": pki.ca("servers").issue("resumption", "server", names), "visitor": ca.issue("visitor"),
            "member": ca.issue("member")}
    ca.crl(made["visitor"])
    return made


def listener(name, policy, pki, certificates, more=""):
    policy = policy.format(clients=pki.ca("visitors").crt, strangers=pki.ca("strangers").crt, crl=pki.ca("visitors").crl_file)
    return (f"\n  - {{name: {name}, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{certificates['server'].yaml()}], "
            f"{policy}, rules: [{{domain: localhost, target_group: web}}]{more}}}")


def groups(web):
    return (f"\ntarget_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]"
            f"\naccess_log: {{file: access.log}}\n")


DOMAINS = """, domains: [
      {{name: '*.open.example'}},
      {{name: closed.example, authentication: mutual, client_ca: [{clients}]}},
      {{name: other.example, authentication: mutual, client_ca: [{strangers}]}}]"""


@pytest.fixture(scope="module")
def world(pki, certificates, tmp_path_factory):
    web = peers.Target(peers.http_echo)
    domains = DOMAINS.format(clients=pki.ca("visitors").crt, strangers=pki.ca("strangers").crt)
    config = "listeners:" + "".join(listener(name, policy, pki, certificates) for name, policy in POLICIES.items())
    config += listener("domains", "authentication: one-way", pki, certificates, domains)
    config += listener("brief", "authentication: one-way", pki, certificates, ", tls: {session_lifetime: 2s}")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("resumption")), config + groups(web) + "workers: 1\n")
    yield instance
    instance.check()
    web.close()


class Client:
    """One client, as one ssl context: sessions can only be offered by the context that got them. .told is what the target was told
    in the head of the last request, .shown the certificate of the last handshake."""

    def __init__(self, pki, version, certificate=None):
        self.context = peers.nameless(peers.client_context(pki.ca("servers"), certificate, version))

    def visit(self, world, listener, session=None, name="localhost"):
        """(the line of the access log, the session afterwards); .reused is what the wire said, None after a refusal."""
        mark, self.reused = world.mark(), None
        try:
            with peers.connect(world.port(listener), self.context, name, session) as tls:
                reused, self.shown = tls.session_reused, tls.getpeercert(True)
                status, _, body = peers.ask(tls, f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                assert status == 200
                self.reused, session, self.told = reused, tls.session, json.loads(body)["headers"]
        except peers.Refused:
            session = None
        line = world.line(listener=listener, since=mark)
        assert line["tls"].get("resumed") == self.reused and line["sni"] == name, line
        return line, session


def outcome(line):
    """None if it came in, else the reason."""
    if "peer" in line and not line["peer"]["accepted"]:
        return line["peer"]["reason"]
    return None


@each_version
@pytest.mark.parametrize("origin", POLICIES)
def test_t3_a_session_of_another_listener_is_as_good_as_none(world, pki, certificates, version, origin):
    client = Client(pki, version, certificates["visitor"])
    for destination in POLICIES:
        line, session = client.visit(world, origin)
        if outcome(line):  # what it refuses leaves no session; its neighbours' sessions come to it from the other origins
            continue
        line, _ = client.visit(world, destination, session)
        assert outcome(line) == OUTCOMES[destination], (destination, line)
        assert bool(client.reused) == (origin == destination and destination in RESUMING), destination
        if destination not in ("one_way", "one_way_twin"):
            assert "factors" in line["peer"], line


@each_version
def test_t3_the_same_listener_resumes(world, pki, certificates, version):
    """Without this the tests around it would show nothing."""
    client = Client(pki, version, certificates["visitor"])
    _, session = client.visit(world, "one_way")
    client.visit(world, "one_way", session)
    assert client.reused


@each_version
@pytest.mark.parametrize("certificate,reason_closed,reason_other", [
    (None, "no_certificate", "no_certificate"), ("visitor", None, "untrusted")])
def test_t1_a_session_of_an_open_domain_does_not_open_a_closed_one(world, pki, certificates, version, certificate, reason_closed,
                                                                  reason_other):
    client = Client(pki, version, certificate and certificates[certificate])
    for origin in ("a.open.example", "localhost"):
        for domain, reason in (("closed.example", reason_closed), ("other.example", reason_other)):
            _, session = client.visit(world, "domains", name=origin)
            line, _ = client.visit(world, "domains", session, domain)
            assert outcome(line) == reason and not client.reused, line


@each_version
def test_t1_a_closed_domain_leaves_nothing_for_another(world, pki, certificates, version):
    client = Client(pki, version, certificates["visitor"])
    _, session = client.visit(world, "domains", name="closed.example")
    for domain, reason in (("closed.example", None), ("other.example", "untrusted"), ("a.open.example", None)):
        line, _ = client.visit(world, "domains", session, domain)
        assert outcome(line) == reason and bool(client.reused) == (domain == "closed.example" and "mutual" in RESUMING), line


@each_version
@pytest.mark.parametrize("first,second", [("a.open.example", "b.open.example"), ("localhost", "nobody.example")])
def test_t2_another_name_under_the_same_policy(world, pki, version, first, second):
    """In TLS 1.2 a session of another name is not resumed (RFC 6066 §3); libssl's server leaves that to the policy."""
    client = Client(pki, version)
    _, session = client.visit(world, "domains", name=first)
    client.visit(world, "domains", session, second)
    assert client.reused == (ENGINE == "openssl" or version == "1.3")


def resumed_until_refused(world, context):
    """Resume again and again with what the last handshake left. (times resumed, seconds until a full handshake was forced)"""
    resumed, began = 0, time.monotonic()
    with peers.connect(world.port("brief"), context) as tls:
        peers.ask(tls)
        session = tls.session
    while True:
        with peers.ByHand(world.port("brief"), context, session=session) as client:
            client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            seconds = time.monotonic() - began
            if not client.tls.session_reused:
                return resumed, seconds, offers_session(client.hello)
            resumed += 1
            session = client.tls.session
            assert seconds < 10, "a session of two seconds is still resumed"


def offers_session(hello):
    """Is there a pre_shared_key (RFC 8446 §4.2.11) or a ticket (RFC 5077 §3.2) in this ClientHello? Else the client gave up."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at]
    end, at = at + 2 + int.from_bytes(hello[at:at + 2], "big"), at + 2
    while at < end:
        kind, size = int.from_bytes(hello[at:at + 2], "big"), int.from_bytes(hello[at + 2:at + 4], "big")
        if kind == 41 or (kind == 35 and size):
            return True
        at += 4 + size
    return False


@each_version
def test_t4_a_session_ends_at_its_first_deadline_however_often_renewed(world, pki, version):
    context = peers.client_context(pki.ca("servers"), version=version)
    for _ in range(5):  # a client that was held up for a second sees for itself that its ticket is over: then it shows nothing
        resumed, seconds, offered = resumed_until_refused(world, context)
        assert resumed > 1 and 1 <= seconds  # deadlines count in whole seconds: 2 s are more than 1
        if offered:
            break
    assert offered and seconds < 2 + 2


@each_version
def test_t4_a_deadline_in_the_middle_of_the_handshake_does_no_harm(world, pki, version):
    context = peers.client_context(pki.ca("servers"), version=version)
    begun = int(time.time())
    until(lambda: int(time.time()) > begun, "a new second")
    with peers.connect(world.port("brief"), context) as tls:
        peers.ask(tls)
        session = tls.session
    until(lambda: int(time.time()) > begun + 1, "the session's last second")
    with peers.ByHand(world.port("brief"), context, session=session,
                      pause=lambda: until(lambda: int(time.time()) > begun + 2, "the session's end")) as client:
        assert client.tls.session_reused  # else this test came too late
        status, _ = client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        session = client.tls.session
    assert status == 200
    with peers.ByHand(world.port("brief"), context, session=session) as client:
        assert not client.tls.session_reused


@each_version
@pytest.mark.parametrize("listener", ["mutual", "optional"])
@pytest.mark.parametrize("certificate", ["visitor", None])
def test_t5_where_clients_are_asked_sessions_say_who_they_are(world, pki, certificates, version, listener, certificate):
    """There is no ticket (libssl), or one with the client's certificates inside, which are judged again."""
    client = Client(pki, version, certificate and certificates[certificate])
    line, session = client.visit(world, listener)
    if listener == "mutual" and certificate is None:
        assert outcome(line) == "no_certificate"
        return
    assert session.has_ticket == (listener in RESUMING)
    told = client.told
    assert ["X-Client-Cert-Verified", "accepted" if certificate else "none"] in told
    again, _ = client.visit(world, listener, session)
    assert client.reused == (listener in RESUMING)
    assert again["peer"] == line["peer"] and client.told == told


@pytest.fixture
def changing(pki, certificates, lb, target):
    """start(policy, workers) → an instance with the listener `web` under that policy; .become(policy) reloads it with another."""
    web = target()

    def text(policy, workers):
        return "listeners:" + listener("web", policy, pki, certificates) + groups(web) + f"workers: {workers}\n"

    def start(policy, workers=1):
        instance = lb(text(policy, workers))
        instance.become = lambda policy: instance.reload(text(policy, workers))
        return instance

    return start


@each_version
def test_t5_who_was_revoked_since_does_not_resume(pki, certificates, changing, version):
    ca = pki.ca(f"revoked-later-{version}")
    ca.crl()
    member = ca.issue(f"member-{version}")
    instance = changing(f"authentication: mutual, client_ca: [{ca.crt}], revocation: {{{{crl: [{ca.crl_file}]}}}}")
    client = Client(pki, version, member)
    line, session = client.visit(instance, "web")
    assert outcome(line) is None
    ca.crl(member)
    instance.reload()
    line, _ = client.visit(instance, "web", session)
    assert outcome(line) == "revoked" and not client.reused
    assert member.serial in line["peer"]["factors"]["revocation"]["detail"]


@each_version
def test_t5_who_expired_since_does_not_resume(pki, changing, version):
    instance = changing(POLICIES["mutual"])
    ends = datetime.datetime.utcnow().replace(microsecond=0) - NOW + datetime.timedelta(seconds=4)
    member = pki.ca("visitors").issue(f"brief-{version}", not_after=ends)
    client = Client(pki, version, member)
    line, session = client.visit(instance, "web")
    assert outcome(line) is None
    line, _ = client.visit(instance, "web", session)
    assert bool(client.reused) == ("mutual" in RESUMING)  # else what follows would show nothing
    end = time.time() + ((NOW + ends) - datetime.datetime.utcnow()).total_seconds() + 1
    until(lambda: time.time() > end, "the end of the certificate")
    line, _ = client.visit(instance, "web", session)
    assert outcome(line) == "expired" and not client.reused


@each_version
def test_t6_a_changed_ca_set_is_asked_at_once(pki, certificates, changing, version):
    instance = changing(POLICIES["mutual"])
    client = Client(pki, version, certificates["visitor"])
    line, session = client.visit(instance, "web")
    assert outcome(line) is None
    instance.become(POLICIES["other_ca"])
    line, _ = client.visit(instance, "web", session)
    assert outcome(line) == "untrusted" and not client.reused


@each_version
@pytest.mark.parametrize("later,reason", [("mutual", None), ("other_ca", "untrusted"), ("crl", "revoked")])
def test_t6_a_ticket_from_before_a_policy_does_not_resume_under_it(pki, certificates, changing, version, later, reason):
    instance = changing(POLICIES["one_way"])
    client = Client(pki, version, certificates["visitor"])
    _, session = client.visit(instance, "web")
    instance.become(POLICIES[later])
    line, _ = client.visit(instance, "web", session)
    assert outcome(line) == reason and not client.reused
    instance.become(POLICIES["one_way"])
    client.visit(instance, "web", session)
    assert client.reused  # the policy it was made under is back, and so is its key


@each_version
def test_t6_a_ticket_survives_a_reload_that_leaves_its_policy(pki, changing, version):
    instance = changing(POLICIES["one_way"])
    client = Client(pki, version)
    _, session = client.visit(instance, "web")
    instance.reload()
    client.visit(instance, "web", session)
    assert client.reused


@each_version
@pytest.mark.parametrize("policy", ["one_way", "mutual"])
def test_t6_a_renewed_certificate_is_shown_to_those_who_have_a_session(pki, certificates, lb, target, tmp_path, version, policy):
    """The new files have the names of the old ones, as those of ACME clients have."""
    web, shown = target(), types.SimpleNamespace(crt=tmp_path / "web.crt", key_file=tmp_path / "web.key")
    first, second = (pki.ca("servers").issue(f"renewed-{n}", "server", ["DNS:localhost"]) for n in (1, 2))

    def put(certificate):
        shown.crt.write_bytes(certificate.crt.read_bytes())
        shown.key_file.write_bytes(certificate.key_file.read_bytes())

    shown.yaml = lambda: f"{{certificate: {shown.crt}, key: {shown.key_file}}}"
    put(first)
    instance = lb("listeners:" + listener("web", POLICIES[policy], pki, {"server": shown}) + groups(web) + "workers: 1\n")
    client = Client(pki, version, certificates["visitor"])
    _, session = client.visit(instance, "web")
    put(second)
    instance.reload()
    _, session = client.visit(instance, "web", session)
    assert not client.reused and client.shown == second.der
    client.visit(instance, "web", session)
    assert bool(client.reused) == (policy in RESUMING)


@each_version
def test_t6_a_ticket_of_one_worker_resumes_on_the_other(pki, changing, version):
    """The kernel spreads connections by their ports: that one worker gets all twenty happens once in 2^19."""
    instance = changing(POLICIES["one_way"], workers=2)
    client = Client(pki, version)
    _, session = client.visit(instance, "web")
    for _ in range(19):
        client.visit(instance, "web", session)
        assert client.reused


@each_version
@pytest.mark.parametrize("role", ["worker", "control", "signer", "logger"])
def test_t6_a_ticket_outlives_each_process_but_the_supervisor(pki, changing, version, role):
    instance = changing(POLICIES["one_way"])
    client = Client(pki, version)
    _, session = client.visit(instance, "web")
    (before,) = instance.pids(role)
    os.kill(before, signal.SIGKILL)
    until(lambda: [p for p in instance.pids(role) if p != before], f"another {role}")
    client.visit(instance, "web", session)
    assert client.reused
