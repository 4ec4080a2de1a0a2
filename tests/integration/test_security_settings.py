# SPDX-License-Identifier: Apache-2.0
"""Every setting that is a choice means what it says, to a peer that is not as it should be: on, off and left out (peers.md T34).

The settings are those of src/config/keys.def whose type is a choice; one that has neither a table here nor a reason why it needs
none fails. Each row of a table is the value as it stands in the file (None: the key is left out), then what becomes of each peer:
"in", or the reason why it is refused."""
import pathlib
import re
import ssl

import pytest

import peers
from instance import ROOT, Instance
from pki import DAY

HOUR = DAY / 24
# Types of keys.def that carry a name, a number, a file or other keys; whatever else there is, is a choice.
VALUES = {"ADDRESS", "BIND_ADDRESS", "CLIENT_NAMES", "DURATION", "FIELD_LINES", "FIELD_NAMES", "FILE_NAME", "FILE_NAMES", "FOLDER", "GROUP_NAME",
          "HOST", "INTEGER", "IP_ADDRESSES", "LOG_FILE", "MAP", "MAPS", "NAME", "NETWORKS", "PATH", "RULE_DOMAIN", "SERVERS", "SIZE", "SNI_DOMAIN",
          "TEXT", "URL", "WORKERS"}
NOT_OF_SECURITY = {"GROUP.scheduler": "which target gets a request decides about nobody's rights",
                   "GROUP.proxy_protocol": "what a target is told first: tests/integration/test_proxy_protocol.py",
                   "LISTENER.compression": "what a body is packed in: tests/integration/test_compression.py",
                   "RULE.compression": "the same",
                   "ACCESS_LOG.format": "how a line is written: tests/integration/test_logs.py",
                   "REDIRECT.code": "what an answer says: tests/integration/test_rules.py",
                   "REDIRECT.keep_uri": "the same",
                   "HEALTH_CHECK.type": "how a target is asked whether it is well, its certificate judged as ever: tests/integration/test_health.py",
                   "HEALTH_CHECK.method": "the same",
                   "HEALTH_CHECK.codes": "the same",
                   "HEALTH_CHECK.encoding": "the same",
                   "HEALTH_CHECK.all_unhealthy": "whether a target is asked that seems to be ill",
                   "GROUP.http_version": "a request is the same in either: tests/integration/test_http2_targets.py",
                   "LISTENER.http2": "each stream is treated as a request of HTTP/1.1 is: tests/integration/test_http2.py",
                   "DOMAIN.http2": "the same"}


def choices():
    """SCOPE.name of each key that is a choice."""
    text = (ROOT / "src/config/keys.def").read_text()
    rows = re.findall(r"^(?:KEY|LIST)\((\w+), (\w+), [\w.]+, (\w+)|^HERE\((\w+), (\w+), (\w+)", text, re.M)
    keys = [(a or d, b or e, c or f) for a, b, c, d, e, f in rows]
    assert len(keys) > 50, keys
    return {f"{scope}.{name}" for scope, name, kind in keys if kind not in VALUES}


# ---- what a listener does with clients ----

# whom the world knows: nobody, and clients with a certificate that is sound, of another CA, out of date, or revoked
EVERYBODY_IN = {"nobody": "in", "good": "in", "stranger": "in", "expired": "in"}
THE_GOOD_IN = {"nobody": "no_certificate", "good": "in", "stranger": "untrusted", "expired": "expired"}
OR_NOBODY_IN = {**THE_GOOD_IN, "nobody": "in"}
AUTHENTICATION = {"one-way": EVERYBODY_IN, "mutual": THE_GOOD_IN, "optional": OR_NOBODY_IN, None: EVERYBODY_IN}

# CRL → policy → clients. `fresh` and `old` (ended an hour ago) list the revoked one, `none` is a list of another CA.
REVOKED_OUT = {"good": "in", "revoked": "revoked"}
UNKNOWN_OUT = {"good": "revocation_unknown", "revoked": "revoked"}
NOT_LISTED = {"good": "in", "revoked": "in"}
NOT_KNOWN = {"good": "revocation_unknown", "revoked": "revocation_unknown"}
POLICIES = {
    "fresh": {"hard": REVOKED_OUT, "soft": REVOKED_OUT, "{grace: 24h}": REVOKED_OUT, None: REVOKED_OUT},
    "old": {"hard": UNKNOWN_OUT, "soft": REVOKED_OUT, "{grace: 24h}": REVOKED_OUT, "{grace: 1m}": UNKNOWN_OUT, None: UNKNOWN_OUT},
    "none": {"hard": NOT_KNOWN, "soft": NOT_LISTED, "{grace: 24h}": NOT_KNOWN, None: NOT_KNOWN},
}

# peers that speak one version, or but one kind of key exchange
VERSIONS = {'["1.2"]': {"1.2": "in", "1.3": "no_common"}, '["1.3"]': {"1.2": "no_common", "1.3": "in"},
            '["1.2", "1.3"]': {"1.2": "in", "1.3": "in"}, None: {"1.2": "in", "1.3": "in"}}
KEY_EXCHANGE = {"rsa": {"rsa": "in", "ecdhe": "in"}, "ecdhe": {"rsa": "no_common", "ecdhe": "in"}, None: {"rsa": "no_common", "ecdhe": "in"}}
# peers that know one group; peers that can sign with one kind of key
CURVES = {"p384": "secp384r1", "p521": "secp521r1"}
GROUPS = {"[x25519, secp256r1]": {"p384": "no_common", "p521": "no_common"}, "[secp384r1]": {"p384": "in", "p521": "no_common"},
          "[secp521r1]": {"p384": "no_common", "p521": "in"}, None: {"p384": "in", "p521": "no_common"}}
SCHEMES = {"[ecdsa_secp256r1_sha256]": {"good": "in", "good_rsa": "no_certificate"},
           "[rsa_pss_rsae_sha256, ecdsa_secp256r1_sha256]": {"good": "in", "good_rsa": "in"}, None: {"good": "in", "good_rsa": "in"}}
TARGET_SCHEMES = {"[ecdsa_secp256r1_sha256]": {"good": "in", "ecdhe": "no_common"}, None: {"good": "in", "ecdhe": "in"}}
# what a client gets that has both, and the weaker one first
PREFERENCE = {value: {"weak_first": bits} for value, bits in (("strongest", "256"), ("fastest", "128"), ("client", "128"), (None, "256"))}
# whoever speaks TLS lets in the same
ENGINE = ("native", "openssl", None)
# a client that speaks another protocol than the listener
LISTENER_PROTOCOL = {"HTTPS": {"plain": "not_tls", "tls": "in"}, "HTTP": {"plain": "in", "tls": "bad_request"}}
# a target that resumes the session of the visit before, and one that is not whom we look for
RESUMPTION = {value: {"again": outcome, "stranger": "untrusted"} for value, outcome in (("true", "resumed"), ("false", "in"), (None, "resumed"))}
# a target that is not whom we look for, or that speaks no TLS
GROUP_PROTOCOL = {"HTTPS": {"good": "in", "stranger": "untrusted", "plain": "target_handshake"},
                  "HTTP": {"good": "target_closed", "stranger": "target_closed", "plain": "in"}}


def under(key, value):
    return "" if value is None else f"{key}: {value}"


def braces(*settings):
    return "{" + ", ".join(s for s in settings if s) + "}"


def rule_for_one_ca(crl, value):
    """VALUE for what the CA of the settings issued, and the contrary for the rest."""
    if value is None:
        return braces(f"crl: [{crl}]")
    own = braces('issuer: "CN=settings"', under("policy", value))
    return braces(f"crl: [{crl}]", f"policy: {'hard' if value == 'soft' else 'soft'}", f"per_ca: [{own}]")


class Listeners:
    """The listeners of the rows; each knows what it is to do with whom."""

    def __init__(self, pki):
        self.pki, self.rows = pki, []
        ca = pki.ca("settings")
        self.revoked = ca.issue("settings-revoked")
        self.crls = {
            "fresh": ca.crl(self.revoked, file=pki.folder / "fresh.crl"),
            "old": ca.crl(self.revoked, file=pki.folder / "old.crl", next_update=-HOUR),
            "none": pki.ca("strangers").crl_file,
        }
        self.server = pki.server
        self.rsa = pki.ca("servers").issue("settings-rsa", "server", ["DNS:localhost"], key="rsa")
        self.ca, self.stranger = ca.crt, pki.ca("strangers").crt

    def add(self, setting, variant, value, outcomes, text):
        self.rows.append((setting, variant, value, outcomes, text))

    def base(self, *more, protocol="HTTPS", certificate=None):
        shown = f"certificates: [{(certificate or self.server).yaml()}]" if protocol == "HTTPS" else ""
        return ", ".join(s for s in (f"protocol: {protocol}", shown, "rules: [{domain: localhost, target_group: web}]", *more) if s)

    def of_authentication(self, value):
        asks = value in ("mutual", "optional")
        return [f"authentication: {value}" if value else "", f"client_ca: [{self.ca}]" if asks else ""]

    def build(self):
        for value, outcomes in AUTHENTICATION.items():
            own = self.of_authentication(value)
            self.add("LISTENER.authentication", "", value, outcomes, self.base(*own))
            self.add("DOMAIN.authentication", "of a one-way listener", value, outcomes,
                     self.base(f"domains: [{braces('name: localhost', *own)}]"))
            as_listener = THE_GOOD_IN if value is None else outcomes
            self.add("DOMAIN.authentication", "of a mutual listener", value, as_listener,
                     self.base(*self.of_authentication("mutual"), f"domains: [{braces('name: localhost', *own)}]"))
        for crl, policies in POLICIES.items():
            for value, outcomes in policies.items():
                rule = braces(f"crl: [{self.crls[crl]}]", under("policy", value))
                self.add("REVOCATION.policy", f"{crl} list", value, outcomes,
                         self.base("authentication: mutual", f"client_ca: [{self.ca}, {self.stranger}]", f"revocation: {rule}"))
                self.add("REVOCATION_CA.policy", f"{crl} list", value, outcomes,
                         self.base("authentication: mutual", f"client_ca: [{self.ca}, {self.stranger}]",
                                   f"revocation: {rule_for_one_ca(self.crls[crl], value)}"))
        self.add("REVOCATION.policy", "no revocation at all", None, NOT_LISTED, self.base(*self.of_authentication("mutual")))
        for key, values in (("versions", VERSIONS), ("key_exchange", KEY_EXCHANGE), ("preference", PREFERENCE)):
            for value, outcomes in values.items():
                certificate = self.rsa if key == "key_exchange" else None
                self.add(f"TLS.{key}", "", value, outcomes, self.base(f"tls: {braces(under(key, value))}", certificate=certificate))
        for value, outcomes in GROUPS.items():
            self.add("TLS.groups", "", value, outcomes, self.base(f"tls: {braces(under('groups', value))}"))
        for value, outcomes in SCHEMES.items():
            self.add("TLS.signature_schemes", "", value, outcomes,
                     self.base(*self.of_authentication("mutual"), f"tls: {braces(under('signature_schemes', value))}"))
        for value in ENGINE:
            self.add("TLS.engine", "", value, THE_GOOD_IN, self.base(*self.of_authentication("mutual"), f"tls: {braces(under('engine', value))}"))
        for value, outcomes in LISTENER_PROTOCOL.items():
            self.add("LISTENER.protocol", "", value, outcomes, self.base(protocol=value))
        return self.rows


# ---- what a group does with targets ----

def target_context(certificate, peer):
    """How a target is that speaks but one version, or but one kind of key exchange."""
    context = peers.server_context(certificate, version=peer if peer in peers.VERSIONS else "1.2" if peer in ("rsa", "ecdhe") else None)
    if peer in CIPHERS:
        context.set_ciphers(CIPHERS[peer])
    if peer in CURVES:
        context.set_ecdh_curve(CURVES[peer])
    return context


def answer_anything(target, connection):
    """One answer a connection; without TLS it takes a ClientHello for a request as well."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


CIPHERS = {"rsa": "AES256-GCM-SHA384", "ecdhe": "ECDHE-RSA-AES256-GCM-SHA384",
           "weak_first": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"}


class Groups:
    """Targets of each kind, and a group and a plain listener for each target and row."""

    def __init__(self, pki, listeners):
        self.pki, self.listeners, self.rows, self.targets = pki, listeners, [], {}
        ca = pki.ca("settings")
        stranger = pki.ca("strangers").issue("settings-stranger", "server", ["DNS:localhost"])
        revoked = ca.issue("settings-revoked-server", "server", ["DNS:localhost"])
        self.crls = {"fresh": ca.crl(revoked, file=pki.folder / "fresh-servers.crl"),
                     "old": ca.crl(revoked, file=pki.folder / "old-servers.crl", next_update=-HOUR), "none": pki.ca("strangers").crl_file}
        certificates = {"good": ca.issue("settings-server", "server", ["DNS:localhost"]), "stranger": stranger, "revoked": revoked,
                        "rsa": listeners.rsa, "ecdhe": listeners.rsa, "1.2": pki.server, "1.3": pki.server, "p384": pki.server, "p521": pki.server}
        for peer, certificate in certificates.items():
            self.targets[peer] = peers.Target(peers.http_echo, target_context(certificate, peer))
        self.targets["again"] = peers.Target(answer_anything, target_context(pki.server, "again"))
        self.targets["plain"] = peers.Target(answer_anything)
        self.ca = f"ca: [{ca.crt}, {pki.ca('servers').crt}]"

    def add(self, setting, variant, value, outcomes, *tls, protocol="HTTPS"):
        for peer, outcome in outcomes.items():
            more = f", tls: {braces(self.ca, 'name: localhost', *tls)}" if protocol == "HTTPS" else ""
            target = f'targets: [{{address: "127.0.0.1:{self.targets[peer].port}"}}]'
            self.rows.append((setting, variant, value, peer, outcome, f"protocol: {protocol}, {target}{more}"))

    def build(self):
        for crl, policies in POLICIES.items():
            for value, outcomes in policies.items():
                self.add("REVOCATION.policy", f"{crl} list", value, outcomes,
                         f"revocation: {braces(f'crl: [{self.crls[crl]}]', under('policy', value))}")
                self.add("REVOCATION_CA.policy", f"{crl} list", value, outcomes,
                         f"revocation: {rule_for_one_ca(self.crls[crl], value)}")
        self.add("REVOCATION.policy", "no revocation at all", None, NOT_LISTED)
        for key, values in (("versions", VERSIONS), ("key_exchange", KEY_EXCHANGE), ("groups", GROUPS),
                            ("signature_schemes", TARGET_SCHEMES)):
            for value, outcomes in values.items():
                refused = {peer: "target_handshake" if outcome == "no_common" else outcome for peer, outcome in outcomes.items()}
                self.add(f"GROUP_TLS.{key}", "", value, refused, under(key, value))
        for value in ENGINE:
            self.add("GROUP_TLS.engine", "", value, {"good": "in", "stranger": "untrusted"}, under("engine", value))
        for value, outcomes in RESUMPTION.items():
            self.add("GROUP_TLS.resumption", "", value, outcomes, under("resumption", value))
        for value, outcomes in GROUP_PROTOCOL.items():
            self.add("GROUP.protocol", "", value, outcomes, protocol=value)
        return self.rows


# ---- the world ----

@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    listeners = Listeners(pki)
    groups = Groups(pki, listeners)
    fronts, backs = listeners.build(), groups.build()
    web = groups.targets["plain"]
    lines = ["listeners:"]
    lines += [f'  - {{name: in{i}, address: "127.0.0.1:0", {row[-1]}}}' for i, row in enumerate(fronts)]
    lines += [f'  - {{name: out{i}, protocol: HTTP, address: "127.0.0.1:0", rules: [{{domain: localhost, target_group: out{i}}}]}}'
              for i in range(len(backs))]
    lines += ["target_groups:", f'  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web.port}"}}]}}']
    lines += [f"  - {{name: out{i}, {row[-1]}}}" for i, row in enumerate(backs)]
    lines += ["access_log: {file: access.log}", "workers: 1", ""]
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("settings")), "\n".join(lines))
    instance.fronts, instance.backs = fronts, backs
    ca = pki.ca("settings")
    instance.visitors = {"nobody": None, "good": ca.issue("settings-good"), "stranger": pki.ca("strangers").issue("settings-odd"),
                         "good_rsa": ca.issue("settings-good-rsa", key="rsa"), "expired": ca.issue("settings-expired", not_after=-DAY / 2), "revoked": listeners.revoked}
    yield instance
    instance.check()
    for target in groups.targets.values():
        target.close()


def outcome_of(line):
    """"in", or the reason for which this one was refused."""
    for verdict in (line.get("peer"), line.get("target_peer")):
        if verdict and not verdict["accepted"]:
            return verdict["reason"]
    if line.get("status") == 200:
        return "resumed" if line.get("target_tls", {}).get("resumed") else "in"
    return line["close"].removeprefix("handshake_")


def visit(world, pki, listener, peer):
    """What becomes of PEER at LISTENER, by our log and as the client sees it."""
    mark, was_served = world.mark(), False
    try:
        if peer == "plain":
            with peers.socket.create_connection(("127.0.0.1", world.port(listener)), 10) as s:
                was_served = peers.ask(s)[0] == 200
        else:
            version = peer if peer in peers.VERSIONS else "1.2" if peer in CIPHERS else None
            context = peers.client_context(pki.ca("servers"), world.visitors.get(peer), version, CIPHERS.get(peer))
            if peer in CURVES:
                context.set_ecdh_curve(CURVES[peer])
            with peers.connect(world.port(listener), context) as tls:
                was_served = peers.ask(tls)[0] == 200
    except (peers.Refused, ssl.SSLError, ConnectionError, peers.http.client.HTTPException):
        pass
    line = world.line(since=mark, listener=listener)
    outcome = outcome_of(line)
    assert was_served == (outcome in ("in", "resumed")), line
    if peer == "weak_first":
        return re.search(r"AES_?(128|256)", line["tls"]["cipher"])[1]
    return outcome


def table(rows):
    """What differs from what was to be expected, row by row."""
    return [f"{setting} {variant}: {value}, {peer}: {got} instead of {wanted}" for setting, variant, value, peer, wanted, got in rows
            if got != wanted]


def settings_here():
    return {"LISTENER.authentication", "DOMAIN.authentication", "REVOCATION.policy", "REVOCATION_CA.policy",
            "TLS.versions", "TLS.key_exchange", "TLS.preference", "TLS.engine", "TLS.groups", "TLS.signature_schemes",
            "LISTENER.protocol", "GROUP.protocol", "GROUP_TLS.versions", "GROUP_TLS.key_exchange", "GROUP_TLS.engine",
            "GROUP_TLS.resumption", "GROUP_TLS.groups", "GROUP_TLS.signature_schemes"}


OF_GROUPS = {"GROUP.protocol", "GROUP_TLS.versions", "GROUP_TLS.key_exchange", "GROUP_TLS.engine", "GROUP_TLS.resumption", "GROUP_TLS.groups",
             "GROUP_TLS.signature_schemes"}


def test_t34_every_choice_of_the_configuration_is_tried_here(world):
    tried = {row[0] for row in (*world.fronts, *world.backs)}
    assert tried == settings_here()
    missing = choices() - tried - set(NOT_OF_SECURITY)
    assert not missing, f"{sorted(missing)}: a choice needs a table here, a bad peer for each value and for none; another type goes to VALUES"
    assert tried | set(NOT_OF_SECURITY) <= choices(), "which of them is no choice any more?"


@pytest.mark.parametrize("setting", sorted(settings_here() - OF_GROUPS))
def test_t34_a_listener_treats_bad_clients_as_its_settings_say(world, pki, setting):
    rows = [(name, variant, value, peer, wanted, visit(world, pki, f"in{i}", peer))
            for i, (name, variant, value, outcomes, _) in enumerate(world.fronts) if name == setting for peer, wanted in outcomes.items()]
    assert rows and not table(rows), "\n".join(table(rows))


@pytest.mark.parametrize("setting", sorted({"REVOCATION.policy", "REVOCATION_CA.policy", *OF_GROUPS}))
def test_t34_a_group_treats_bad_targets_as_its_settings_say(world, pki, setting):
    rows = [(name, variant, value, peer, wanted, [visit(world, pki, f"out{i}", "plain") for _ in range(2 if peer == "again" else 1)][-1])
            for i, (name, variant, value, peer, wanted, _) in enumerate(world.backs) if name == setting]
    assert rows and not table(rows), "\n".join(table(rows))
