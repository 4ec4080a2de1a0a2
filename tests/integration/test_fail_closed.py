# SPDX-License-Identifier: Apache-2.0
"""What is missing, broken or contradictory never means "let everybody in" (peers.md T15, T16)."""
import itertools
import os
import pathlib
import re
import shutil
import socket
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

import peers
from instance import BINARY, Instance, run, until
from pki import DAY, PKI

CONFIG = """
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: mutual
    certificates:
      - certificate: server.crt
        key: server.key
    client_ca: [clients.crt]
    client_names: ["DNS:*.example"]
    revocation: {crl: [clients.crl], policy: hard}
    rules: [{domain: localhost, target_group: app}]
target_groups:
  - name: app
    protocol: HTTPS
    targets: [{address: "127.0.0.1:1"}]
    tls:
      ca: [targets.crt]
      name: localhost
      revocation: {crl: [targets.crl]}
      certificate: own.crt
      key: own.key
access_log: {file: access.log}
workers: 1
"""
FILES = ("server.crt", "server.key", "clients.crt", "clients.crl", "targets.crt", "targets.crl", "own.crt", "own.key")


def place_of(name, text=CONFIG):
    """LINE:COLUMN of NAME in the configuration."""
    for number, line in enumerate(text.splitlines(), 1):
        if name in line:
            return f"{number}:{line.index(name) + 1}"
    raise AssertionError(name)


def furnish(folder, pki):
    """Every file that CONFIG names, all in order."""
    ca, own = pki.ca("clients"), pki.ca("strangers")  # targets know us by another CA
    made = {"server.crt": pki.server.crt, "server.key": pki.server.key_file, "clients.crt": ca.crt, "clients.crl": ca.crl_file,
            "targets.crt": pki.ca("servers").crt, "targets.crl": pki.ca("servers").crl_file}
    us = own.issue("us")
    made |= {"own.crt": us.crt, "own.key": us.key_file}
    for name, source in made.items():
        shutil.copy(source, folder / name)
    return folder


# ---- files that are missing or broken ----

def cut_off(path):
    path.write_bytes(path.read_bytes()[:-60])


def make_folder(path):
    path.unlink()
    path.mkdir()


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {  # what happens to the file → what is said of it
    "missing": (pathlib.Path.unlink, ": No such file or directory; create it, or correct its name"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "garbage": (lambda path: path.write_bytes(b"\x01garbage\xff" * 50), "is neither PEM nor DER, .*; give it as PEM"),
    "cut_off": (cut_off, "is damaged; copy it again"),
    "a_folder": (make_folder, "is no regular file; name a file"),
    "a_fifo": (make_fifo, "is no regular file; name a file"),
}
each_damage = pytest.mark.parametrize("damage", DAMAGES)
each_file = pytest.mark.parametrize("name", FILES)


def says(text, position, name, words):
    """Is there a line FILE:LINE:COLUMN: … NAME … WORDS?"""
    return re.search(rf"sallyport\.yaml:{position}: \S*.*{re.escape(name)}.*{words}", text)


@each_file
@each_damage
def test_t15_does_not_start_with_a_broken_file(pki, tmp_path, name, damage):
    do, words = DAMAGES[damage]
    furnish(tmp_path, pki)
    (tmp_path / "sallyport.yaml").write_text(CONFIG)
    do(tmp_path / name)
    for command in ("check", "run"):
        result = run(command, "-c", tmp_path / "sallyport.yaml")
        assert result.returncode == 1 and says(result.stderr, place_of(name), name, words), result.stderr
        assert "ready" not in result.stderr


@each_file
def test_t15_does_not_start_with_an_unreadable_file(pki, name):
    user = 65534 if os.getuid() == 0 else None  # nothing is unreadable for root
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        binary = shutil.copy(BINARY, folder)  # the checkout may be root's alone
        furnish(folder, pki)
        (folder / "sallyport.yaml").write_text(CONFIG)
        for file in FILES:
            (folder / file).chmod(0o644)
        assert run("check", "-c", folder / "sallyport.yaml", user=user, binary=binary).returncode == 0
        (folder / name).chmod(0)
        for command in ("check", "run"):
            result = run(command, "-c", folder / "sallyport.yaml", user=user, binary=binary)
            assert result.returncode == 1 and says(result.stderr, place_of(name), name, "Permission denied; it must be readable"), \
                result.stderr


class World:
    """A running instance in front of a TLS target that demands our certificate, and a connection that is held all the time."""

    def __init__(self, folder, pki):
        self.pki = pki
        self.target = peers.Target(peers.http_echo, peers.server_context(pki.server, pki.ca("strangers")))
        self.config = CONFIG.replace("127.0.0.1:1\"", f"127.0.0.1:{self.target.port}\"")
        self.instance = Instance(furnish(folder, pki), self.config)
        self.instance.file.write_text(self.config)  # as it stands here: where something is wrong, counts by line and column
        self.held = peers.connect(self.instance.port("web"), peers.client_context(pki.ca("servers"), pki.good))
        self.serves()

    def serves(self):
        """It does what it did: the held connection, the good and the bad."""
        assert peers.ask(self.held, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        port, ca = self.instance.port("web"), self.pki.ca("servers")
        assert peers.get(port, ca, self.pki.good)[0] == 200
        mark = self.instance.mark()
        with pytest.raises(peers.Refused):
            peers.get(port, ca)
        assert self.instance.line(listener="web", since=mark, close="client_refused")["peer"]["reason"] == "no_certificate"

    def fails_to_reload(self, complaint, config=None):
        """COMPLAINT(log): is what must be said, there?"""
        for pattern in ("reload failed", "cannot serve generation", r"sallyport\.yaml:\d+:\d+: ", r"sallyport\.yaml: "):
            self.instance.expect_error(pattern)
        before = len(self.instance.stderr())
        try:
            self.instance.reload(config, expect="reload failed, generation")
            log = lambda: self.instance.stderr()[before:]
            until(lambda: complaint(log()), log)
            assert "reloaded" not in log()
            self.serves()
        finally:
            self.instance.file.write_text(self.config)


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    w = World(pathlib.Path(tmp_path_factory.mktemp("fail_closed")), pki)
    yield w
    w.instance.reload()  # after all of that it still can
    w.serves()
    w.held.close()
    w.instance.check()
    w.target.close()


@each_file
@each_damage
def test_t15_a_reload_with_a_broken_file_changes_nothing(world, name, damage):
    do, words = DAMAGES[damage]
    path = world.instance.folder / name
    saved = path.with_name("saved")
    shutil.copy(path, saved)
    do(path)
    try:
        world.fails_to_reload(lambda log: says(log, place_of(name), name, words))
    finally:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        saved.rename(path)


BROKEN = {  # what becomes of the configuration → what is said
    "unknown_key": (("client_ca:", "client_cas:"), "client_cas"),
    "unknown_value": (("authentication: mutual", "authentication: none"), '"none"'),
    "no_client_ca": (("    client_ca: [clients.crt]\n", ""), "mutual needs client_ca"),
    "empty_client_ca": (("[clients.crt]", "[]"), "client_ca"),
    "no_yaml": (("listeners:", "listeners: ["), "sallyport.yaml:"),
    "nothing": ((None, ""), "is empty"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_t15_a_reload_of_a_broken_configuration_changes_nothing(world, case):
    (old, new), words = BROKEN[case]
    world.fails_to_reload(lambda log: words in log, world.config.replace(old, new) if old else new)


def test_t15_a_reload_without_a_configuration_changes_nothing(world):
    world.instance.file.unlink()
    world.fails_to_reload(lambda log: "cannot open" in log)


# ---- files and keys that do not go together ----

def edited(old, new):
    """A case that needs no file but those that are there."""
    assert old in CONFIG
    return lambda folder, pki: CONFIG.replace(old, new)


def pkcs12_for(name, password=b""):
    def case(folder, pki):
        c = pki.server
        data = pkcs12.serialize_key_and_certificates(b"x", c.key, c.cert, None, serialization.NoEncryption())
        (folder / name).write_bytes(data)
        return CONFIG
    return case


def instead(name, source):
    """SOURCE(pki) is the file that NAME is overwritten with."""
    def case(folder, pki):
        (folder / name).write_bytes(source(pki))
        return CONFIG
    return case


def chain(*order):
    """A server certificate behind two intermediates; the certificates of server.crt in this ORDER (0 is the leaf, 3 the root)."""
    def case(folder, pki):
        outer = pki.ca("servers-outer", issuer=pki.ca("servers"))
        leaf = pki.ca("servers-inner", issuer=outer).issue("inner-server", "server", ["DNS:localhost"])
        certificates = [leaf.cert, *leaf_chain(pki), pki.ca("servers").cert]
        pem = [c.public_bytes(serialization.Encoding.PEM) for c in certificates]
        (folder / "server.crt").write_bytes(b"".join(pem[i] for i in order))
        shutil.copy(leaf.key_file, folder / "server.key")
        return CONFIG
    return case


def leaf_chain(pki):
    return pki.ca("servers-inner").chain


def encrypted_key(pki):
    return pki.server.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.BestAvailableEncryption(b"secret"))


def forged_crl(pki):
    """Of a CA that has the name of the right one."""
    forger = PKI(tempfile.mkdtemp(dir=pki.folder)).ca("forger", subject="clients")
    return forger.crl().read_bytes()


def delta_crl(pki):
    ca = pki.ca("clients")
    return ca.crl(file=pki.folder / "delta.crl", extensions=[(x509.DeltaCRLIndicator(1), True)]).read_bytes()


UNUSABLE = {  # case → (what makes it, what is said, with the remedy)
    "pkcs12_for_certificate": (pkcs12_for("server.crt"), "server.crt.* looks like PKCS#12, .*sallyport pki convert"),
    "pkcs12_for_key": (pkcs12_for("server.key"), "server.key.* looks like PKCS#12, .*sallyport pki convert"),
    "pkcs12_for_client_ca": (pkcs12_for("clients.crt"), "clients.crt.* looks like PKCS#12, .*sallyport pki convert"),
    "key_of_another": (instead("server.key", lambda p: p.good.key_file.read_bytes()),
                       "server.key is not the key of .*: give the key that the certificate was requested with"),
    "own_key_of_another": (instead("own.key", lambda p: p.good.key_file.read_bytes()), "own.key is not the key of .*: give the key"),
    "key_is_encrypted": (instead("server.key", encrypted_key), "server.key.*encrypted.*; "),
    "key_is_a_certificate": (instead("server.key", lambda p: p.server.crt.read_bytes()), "server.key.* looks like a certificate"),
    "certificate_is_a_key": (instead("server.crt", lambda p: p.server.key_file.read_bytes()), "server.crt.* looks like a private key"),
    "certificate_is_a_crl": (instead("server.crt", lambda p: p.ca("clients").crl_file.read_bytes()), "server.crt.*revocation list"),
    "crl_is_a_certificate": (instead("clients.crl", lambda p: p.ca("clients").crt.read_bytes()), "clients.crl.*looks like a certificate"),
    "crl_is_forged": (instead("clients.crl", forged_crl), "clients.crl.*signature .*; publish the CRL anew"),
    "crl_is_a_delta": (instead("clients.crl", delta_crl), "clients.crl.*not a complete one; give the complete one"),
    "client_ca_is_a_crl": (instead("clients.crt", lambda p: p.ca("clients").crl_file.read_bytes()), "clients.crt.*revocation list"),
    "client_ca_is_a_leaf": (instead("clients.crt", lambda p: p.good.crt.read_bytes()),
                            "clients.crt.*is not a CA.*; name the certificate of the CA"),
    "target_ca_is_a_leaf": (instead("targets.crt", lambda p: p.server.crt.read_bytes()), "targets.crt.*is not a CA"),
    "chain_swapped": (chain(0, 2, 1), "server.crt: certificate 2 .* is not the issuer of certificate 1 .*: put the leaf first"),
    "chain_leaf_last": (chain(1, 2, 0), "server.crt: certificate 3 .* must come first: put the leaf first .*convert --order"),
    "chain_with_a_gap": (chain(0, 2), "server.crt: .*: the issuer is not in the file; put the leaf first"),
    "mutual_without_client_ca": (edited("    client_ca: [clients.crt]\n", ""), "mutual needs client_ca: the CA certificates"),
    "optional_without_client_ca": (lambda f, p: CONFIG.replace("mutual", "optional").replace("    client_ca: [clients.crt]\n", ""),
                                   "optional needs client_ca: the CA certificates"),
    "domain_without_client_ca": (
        lambda f, p: one_way().replace("    rules:", "    domains: [{name: a.example, authentication: mutual}]\n    rules:"),
        "mutual needs client_ca: the CA certificates"),
    "client_ca_under_one_way": (edited("authentication: mutual", "authentication: one-way"),
                                "client_ca is of no use: authentication is one-way.*; remove it, or set authentication: mutual"),
    "names_under_one_way": (lambda f, p: one_way("    client_names: ['DNS:a.example']\n"), "client_names is of no use: .*; remove it"),
    "crl_under_one_way": (lambda f, p: one_way("    revocation: {crl: [clients.crl]}\n"), "revocation is of no use: .*; remove it"),
    "no_certificate": (edited("    certificates:\n      - certificate: server.crt\n        key: server.key\n", ""),
                       "the HTTPS listener web needs certificates: "),
    "key_without_certificate": (edited("      certificate: own.crt\n", ""), "key needs certificate: "),
    "client_ca_under_http": (edited("protocol: HTTPS\n    address", "protocol: HTTP\n    address"),
                             "client_ca is not accepted under HTTP; remove it, or choose a protocol that has it: HTTPS, TCP_SSL"),
    "an_unknown_group": (edited("target_group: app", "target_group: ap"), "ap"),
    "a_domain_twice": (edited("    rules:", "    domains: [{name: a.example}, {name: A.example}]\n    rules:"), "the domain a.example .*already"),
    "a_name_that_is_none": (edited("DNS:*.example", "DNS:*"), "client_names: .* is not a name to look for; accepted: "),
    "an_empty_name": (edited("DNS:*.example", ""), "client_names: .* is not a client name; write DNS:host, "),
    "no_names_at_all": (edited('client_names: ["DNS:*.example"]', "client_names: []"), "client_names"),
    "an_unknown_policy": (edited("policy: hard", "policy: hrad"), "hrad.*hard"),
    "an_unknown_key": (edited("policy: hard", "polcy: soft"), "polcy"),
}


def one_way(more=""):
    """CONFIG without anything about clients, but MORE."""
    start, end = CONFIG.index("    authentication: mutual"), CONFIG.index("    certificates:")
    text = CONFIG[:start] + "    authentication: one-way\n" + CONFIG[end:]
    start, end = text.index("    client_ca:"), text.index("    rules:")
    return text[:start] + more + text[end:]


@pytest.mark.parametrize("case", UNUSABLE)
def test_t15_check_refuses_and_says_what_to_do(pki, tmp_path, case):
    make, words = UNUSABLE[case]
    text = make(furnish(tmp_path, pki), pki)
    (tmp_path / "sallyport.yaml").write_text(text)
    result = run("check", "-c", tmp_path / "sallyport.yaml")
    assert result.returncode == 1, result.stderr
    assert re.search(rf"(?m)^\S*sallyport\.yaml:\d+:\d+: .*{words}", result.stderr), result.stderr


def test_t15_check_passes_what_is_in_order(pki, tmp_path):
    """Without this the tests above would show nothing."""
    for text in (CONFIG, one_way(), chain(0, 1, 2)(furnish(tmp_path, pki), pki)):
        (tmp_path / "sallyport.yaml").write_text(text)
        result = run("check", "-c", tmp_path / "sallyport.yaml")
        assert result.returncode == 0, result.stderr


# ---- each part of the verification, alone and with every other ----

PARTS = [frozenset(parts) for n in range(3) for parts in itertools.combinations(("names", "crl"), n)]
TARGET_PARTS = [frozenset(), frozenset({"crl"})]
# fault → (part that notices it, or None: it is always noticed; factor; reason), in order of precedence
FAULTS = {"stranger": (None, "trust", "untrusted"), "misused": (None, "trust", "wrong_usage"), "revoked": ("crl", "revocation", "revoked"),
          "expired": (None, "validity", "expired"), "misnamed": ("names", "name", "wrong_name")}
COMBINATIONS = [frozenset(f) for n in range(3) for f in itertools.combinations(FAULTS, n)
                if set(f) != {"stranger", "revoked"}]  # nobody can be on the list of a CA that did not issue it


def faults_id(faults):
    return "_".join(sorted(faults)) or "good"


def parts_id(parts):
    return "_".join(sorted(parts)) or "ca"



def expected(faults, parts):
    """(reason or None, the factors that fail)"""
    seen = [FAULTS[f] for f in FAULTS if f in faults and (FAULTS[f][0] is None or FAULTS[f][0] in parts)]
    return (seen[0][2] if seen else None), {factor for _, factor, _ in seen}


class People:
    """A certificate for each combination of faults, for clients or servers."""

    def __init__(self, pki, usage):
        ca = pki.ca(f"parts-{usage}")
        self.ca, self.made = ca, {}
        for faults in COMBINATIONS:
            issuer = pki.ca("strangers") if "stranger" in faults else ca
            right = "alice.example" if usage == "client" else "localhost"
            self.made[faults] = issuer.issue(
                f"{usage}-{faults_id(faults)}", {"client": "server", "server": "client"}[usage] if "misused" in faults else usage,
                ["DNS:mallory.test"] if "misnamed" in faults else [f"DNS:{right}"],
                not_before=-3 * DAY, not_after=-DAY if "expired" in faults else DAY)
        ca.crl(*[c for f, c in self.made.items() if "revoked" in f])


@pytest.fixture(scope="module")
def parts(pki, tmp_path_factory):
    """HTTPS and TCP_SSL listeners for each set of parts, and groups of targets for each fault and set."""
    clients, servers = People(pki, "client"), People(pki, "server")
    web, raw = peers.Target(peers.http_echo), peers.Target(peers.echo)
    listeners = "listeners:"
    groups = (f"\ntarget_groups:\n  - {{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}"
              f"\n  - {{name: raw, protocol: TCP, targets: [{{address: '127.0.0.1:{raw.port}'}}]}}")
    for own in PARTS:
        more = ", client_names: ['DNS:*.example']" if "names" in own else ""
        more += f", revocation: {{crl: [{clients.ca.crl_file}]}}" if "crl" in own else ""
        for protocol, route in (("HTTPS", "rules: [{domain: localhost, target_group: web}]"), ("TCP_SSL", "target_group: raw")):
            listeners += (f"\n  - {{name: {protocol}-{parts_id(own)}, protocol: {protocol}, address: '127.0.0.1:0', authentication: mutual, "
                          f"certificates: [{pki.server.yaml()}], client_ca: [{clients.ca.crt}]{more}, {route}}}")
    targets = {}
    for faults, certificate in servers.made.items():
        targets[faults] = peers.Target(peers.http_echo, peers.server_context(certificate))
        for own in TARGET_PARTS:
            name = f"to-{faults_id(faults)}-{parts_id(own)}"
            more = f", revocation: {{crl: [{servers.ca.crl_file}]}}" if "crl" in own else ""
            listeners += (f"\n  - {{name: {name}, protocol: HTTP, address: '127.0.0.1:0', "
                          f"rules: [{{domain: localhost, target_group: {name}}}]}}")
            groups += (f"\n  - {{name: {name}, protocol: HTTPS, targets: [{{address: '127.0.0.1:{targets[faults].port}'}}], "
                       f"tls: {{ca: [{servers.ca.crt}], name: localhost{more}}}}}")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("parts")),
                        listeners + groups + "\naccess_log: {file: access.log}\nworkers: 1\n")
    instance.clients, instance.targets, instance.front = clients, targets, (web, raw)
    yield instance
    instance.check()
    for t in (web, raw, *targets.values()):
        t.close()


def failing(verdict):
    return {name for name, factor in verdict["factors"].items() if factor["verdict"] == "fail"}


@pytest.mark.parametrize("protocol", ["HTTPS", "TCP_SSL"])
@pytest.mark.parametrize("own", PARTS, ids=parts_id)
@pytest.mark.parametrize("faults", COMBINATIONS, ids=faults_id)
def test_t16_a_client_is_refused_by_what_is_configured_and_by_nothing_else(parts, pki, protocol, own, faults):
    reason, factors = expected(faults, own)
    mark, before = parts.mark(), [t.accepted for t in parts.front]
    port, certificate = parts.port(f"{protocol}-{parts_id(own)}"), parts.clients.made[faults]
    try:
        if protocol == "HTTPS":
            came_in = peers.get(port, pki.ca("servers"), certificate)[0] == 200
        else:
            came_in = peers.talk(port, pki.ca("servers"), certificate) == b"echo:hello"
    except peers.Refused:
        came_in = False
    line = parts.line(listener=f"{protocol}-{parts_id(own)}", since=mark)
    assert came_in == (reason is None), line
    assert line["peer"]["reason"] == (reason or "accepted") and failing(line["peer"]) == factors, line
    if reason:
        assert [t.accepted for t in parts.front] == before


@pytest.mark.parametrize("own", TARGET_PARTS, ids=parts_id)
@pytest.mark.parametrize("faults", COMBINATIONS, ids=faults_id)
def test_t16_so_is_a_target(parts, own, faults):
    reason, factors = expected(faults, own | {"names"})  # a target always has a name
    name = f"to-{faults_id(faults)}-{parts_id(own)}"
    mark = parts.mark()
    with socket.create_connection(("127.0.0.1", parts.port(name)), 10) as s:
        status, _, _ = peers.ask(s)
    line = parts.line(listener=name, since=mark)
    assert status == (502 if reason else 200), line
    assert line["target_peer"]["reason"] == (reason or "accepted") and failing(line["target_peer"]) == factors, line
    assert parts.targets[faults].received == b""
