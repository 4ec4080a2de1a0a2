# SPDX-License-Identifier: Apache-2.0
"""No session outlives what it was authorised by: three mechanisms, ten changes, two libraries as clients. Whatever has changed, the
answer is a full handshake in the same connection, and there the right alert."""
import collections
import datetime
import os
import ssl

import pytest

import gnutls
import peers
from clocks import ClockedInstance
from instance import ENGINE, until
from pki import NOW

ATTEMPTS = int(os.environ.get("SALLYPORT_TEST_ATTEMPTS", "2"))  # for each change, mechanism and library; by hand: 100
MECHANISMS = {"session id": ("1.2", False), "ticket": ("1.2", True), "psk": ("1.3", True)}
BRIEF = datetime.timedelta(hours=3)
ALERTS = {"SSLV3_ALERT_HANDSHAKE_FAILURE": 40, "SSLV3_ALERT_CERTIFICATE_REVOKED": 44, "SSLV3_ALERT_CERTIFICATE_EXPIRED": 45,
          "SSLV3_ALERT_CERTIFICATE_UNKNOWN": 46, "TLSV1_ALERT_UNKNOWN_CA": 48, "TLSV1_ALERT_ACCESS_DENIED": 49,
          "TLSV13_ALERT_CERTIFICATE_REQUIRED": 116}


class OpensslClient:
    """As gnutls.Client."""

    def __init__(self, version, certificate=None, has_tickets=True):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = peers.VERSIONS[version]
        self.context.options |= 0 if has_tickets else ssl.OP_NO_TICKET
        if certificate:
            self.context.load_cert_chain(certificate.crt, certificate.key_file)

    def visit(self, port, name="localhost", session=None):
        try:
            with peers.connect(port, self.context, name, session) as tls:
                status, _, _ = peers.ask(tls)
                assert status == 200
                return "in", tls.session, tls.session_reused
        except peers.Refused as e:
            return ALERTS[e.alert], None, False


LIBRARIES = {"OpenSSL": OpensslClient, "GnuTLS": gnutls.Client}


class Authority:
    """Root, intermediate and client; the ends of certificate and root's CRL are near."""

    def __init__(self, pki, name):
        self.root = pki.ca(f"{name}-root", not_after=datetime.timedelta(days=5))
        self.middle = pki.ca(f"{name}-middle", issuer=self.root)
        self.client = self.middle.issue(f"{name}-client", not_after=BRIEF * (1 if name == "expired" else 2))
        self.root.crl(next_update=BRIEF * (1 if name == "stale" else 2))
        self.middle.crl(next_update=BRIEF * 2)

    def policy(self, more=""):
        return (f"authentication: mutual, client_ca: [{self.root.crt}], "
                f"revocation: {{crl: [{self.root.crl_file}, {self.middle.crl_file}]}}{more}")


class World:
    """Clients were let in by the listener `web`; then something changes, and where they go may, too."""

    def __init__(self, folder, pki, authority, web, first):
        self.folder, self.pki, self.authority, self.web = folder, pki, authority, web
        self.strangers = f"authentication: mutual, client_ca: [{pki.ca('strangers').crt}]"
        self.name, self.listener = "localhost", "web"
        self.origin = self.instance = self.start("first", first)

    def text(self, policy):
        common = f"protocol: HTTPS, address: '127.0.0.1:0', certificates: [{self.pki.server.yaml()}]"
        rule = "rules: [{domain: localhost, target_group: web}]"
        return f"""
listeners:
  - {{name: web, {common}, {policy}, {rule}, domains: [{{name: other.example, {self.strangers}}}]}}
  - {{name: other, {common}, {self.strangers}, {rule}}}
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{self.web.port}'}}]}}]
access_log: {{file: access.log}}
workers: 2
"""

    def start(self, name, policy):
        folder = self.folder / name
        folder.mkdir()
        return ClockedInstance(folder, self.text(policy))

    def become(self, policy):
        self.instance.reload(self.text(policy))

    def pass_by(self, moment):
        self.instance.wall = round((NOW + moment - datetime.datetime.utcnow()).total_seconds()) + 2


def revoke_leaf(w):
    w.authority.middle.crl(w.authority.client, next_update=BRIEF * 2)
    w.instance.reload()


def revoke_intermediate(w):
    w.authority.root.crl(w.authority.middle, next_update=BRIEF * 2)
    w.instance.reload()


def go_to_another_listener(w):
    w.listener = "other"


def ask_for_another_name(w):
    w.name = "other.example"


def go_to_another_instance(w):
    w.instance = w.start("second", w.strangers)


# change → what is done; why nobody is let in after it, and the alert (RFC 8446 §6.2)
CHANGES = {
    "leaf revoked": (revoke_leaf, "revoked", 44),
    "intermediate revoked": (revoke_intermediate, "revoked", 44),
    "leaf expired": (lambda w: w.pass_by(BRIEF), "expired", 45),
    "CA removed": (lambda w: w.become(w.strangers), "untrusted", 48),
    "CRL stale": (lambda w: w.pass_by(BRIEF), "revocation_unknown", 46),
    "one-way to mutual": (lambda w: w.become(w.strangers), "untrusted", 48),
    "another listener": (go_to_another_listener, "untrusted", 48),
    "another name": (ask_for_another_name, "untrusted", 48),
    "another instance": (go_to_another_instance, "untrusted", 48),
    "policy tightened": (lambda w: w.become(w.authority.policy(", client_names: ['DNS:somebody.example']")), "wrong_name",
                         49 if ENGINE == "native" else 46),
}


def sessions_of(client, port, can_resume):
    """One for each attempt; that they are good is seen while nothing has changed."""
    made = []
    for _ in range(ATTEMPTS):
        outcome, session, is_resumed = client.visit(port)
        assert (outcome, is_resumed) == ("in", False)
        made.append(session)
    assert client.visit(port, session=made[-1])[::2] == ("in", can_resume)
    return made


def expected(change, mechanism, library):
    """(alert, reason). To a server that names other CAs than its own certificate's, GnuTLS shows none."""
    _, reason, alert = CHANGES[change]
    if (reason, library) == ("untrusted", "GnuTLS"):
        return (116 if mechanism == "psk" else 40), "no_certificate"
    return alert, reason


@pytest.mark.parametrize("change", CHANGES)
def test_no_session_outlives_its_authorisation(pki, target, tmp_path, change):
    authority = Authority(pki, change.split()[-1])
    is_open = change == "one-way to mutual"
    world = World(tmp_path, pki, authority, target(), "authentication: one-way" if is_open else authority.policy())
    clients = {(mechanism, library): make(version, authority.client, has_tickets)
               for mechanism, (version, has_tickets) in MECHANISMS.items() for library, make in LIBRARIES.items()}
    port, wanted, outcomes = world.instance.port("web"), collections.Counter(), collections.Counter()
    # libssl's server gives no session to whom it asked for a certificate, and neither server keeps any by an id
    sessions = {key: sessions_of(client, port, key[0] != "session id" and (ENGINE == "native" or is_open))
                for key, client in clients.items()}
    until(lambda: world.origin.mark() == (ATTEMPTS + 1) * len(clients), "a line of each visit")
    CHANGES[change][0](world)
    mark, port = world.instance.mark(), world.instance.port(world.listener)
    for key, client in clients.items():
        alert, reason = expected(change, *key)
        wanted[reason] += ATTEMPTS
        for session in sessions[key]:
            outcome, _, is_resumed = client.visit(port, world.name, session)
            assert (outcome, is_resumed) == (alert, False), key
            outcomes[key] += 1
    until(lambda: world.instance.mark() == mark + sum(outcomes.values()), "a line of each attempt")
    lines = world.instance.lines()[mark:]
    assert not any(line["tls"].get("resumed") for line in lines)
    assert collections.Counter(line["peer"]["reason"] for line in lines) == wanted  # one connection each
    print(f"{change}: {len(lines)} attempts, {dict(wanted)}")
    for instance in {world.origin, world.instance}:
        instance.check()
