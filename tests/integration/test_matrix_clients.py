# SPDX-License-Identifier: Apache-2.0
"""Every kind of client certificate × protocol × TLS version × authentication × revocation policy: who gets in, why not, which
alert the client sees, and that not one byte reached a target."""
import pathlib

import pytest

import peers
from instance import ENGINE, Instance
from matrix import REFUSED, Cases

PROTOCOLS = ("HTTPS", "TCP_SSL")
VERSIONS = ("1.2", "1.3")
POLICIES = {"hard": "hard", "soft": "soft", "grace": "{grace: 24h}", "short": "{grace: 1h}"}


def listener(name, protocol, authentication, pki, cases, policy="hard"):
    text = f"\n  - name: {name}\n    protocol: {protocol}\n    address: 127.0.0.1:0\n    authentication: {authentication}"
    text += f"\n    certificates: [{pki.server.yaml()}]"
    if authentication != "one-way":
        text += f"\n    client_ca: [{', '.join(map(str, cases.cas()))}]"
        text += "\n    client_names: ['DNS:*.example']"
        text += f"\n    revocation: {{crl: [{', '.join(map(str, cases.crls()))}], policy: {policy}}}"
    route = "rules: [{domain: localhost, path: /, target_group: web}]" if protocol == "HTTPS" else "target_group: raw"
    return text + f"\n    {route}"


@pytest.fixture(scope="module")
def cases(pki):
    return Cases(pki, "client", "people")


@pytest.fixture(scope="module")
def world(pki, cases, tmp_path_factory):
    """One instance with a listener for each protocol, authentication and policy."""
    web, raw = peers.Target(peers.http_echo), peers.Target(peers.echo)
    config = "listeners:"
    for protocol in PROTOCOLS:
        for authentication in ("one-way", "mutual", "optional"):
            config += listener(f"{protocol}-{authentication}", protocol, authentication, pki, cases)
        for policy, text in POLICIES.items():
            config += listener(f"{protocol}-{policy}", protocol, "mutual", pki, cases, text)
    config += f"\ntarget_groups:\n  - {{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}"
    config += f"\n  - {{name: raw, protocol: TCP, targets: [{{address: '127.0.0.1:{raw.port}'}}]}}"
    config += "\naccess_log: {file: access.log}\nworkers: 1\n"
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("clients")), config)
    instance.web, instance.raw = web, raw
    yield instance
    instance.check()
    web.close()
    raw.close()


def attempt(world, pki, protocol, name, certificate, version):
    """"in" if an exchange or a round through the relay succeeded; else the alert that the client got."""
    port, ca = world.port(f"{protocol}-{name}"), pki.ca("servers")
    try:
        if protocol == "HTTPS":
            status, told = peers.get(port, ca, certificate, version)
            assert status == 200, told
            world.told = {k.lower(): v for k, v in told["headers"]}
            return "in"
        return "in" if peers.talk(port, ca, certificate, version) == b"echo:hello" else "nothing came back"
    except peers.Refused as refused:
        return refused.alert


def expect(world, pki, protocol, name, certificate, version, reason, alert=None):
    """REASON None: in. Else refused for it with ALERT, logged with the remedy, and nothing reached a target."""
    mark = world.mark()
    before = (world.web.accepted, world.raw.accepted, world.web.received, world.raw.received)
    got = attempt(world, pki, protocol, name, certificate, version)
    line = world.line(listener=f"{protocol}-{name}", since=mark)
    if reason is None:
        assert got == "in", line
        return line
    assert line["peer"]["reason"] == reason and not line["peer"]["accepted"], line
    assert line["close"] == "client_refused" and line["remedy"].startswith(f"{reason}: "), line
    assert got.endswith(alert), (got, line)
    assert set(line["peer"]["factors"]) == {"validity", "revocation", "trust", "name"}
    assert (world.web.accepted, world.raw.accepted, world.web.received, world.raw.received) == before
    return line


def no_certificate_alert(version):
    return "CERTIFICATE_REQUIRED" if version == "1.3" else "HANDSHAKE_FAILURE"


each = pytest.mark.parametrize("protocol", PROTOCOLS)
each_version = pytest.mark.parametrize("version", VERSIONS)


@each
@each_version
@pytest.mark.parametrize("case", [None, "good", "revoked", "unknown_ca"])
def test_one_way_asks_nobody(world, pki, cases, protocol, version, case):
    line = expect(world, pki, protocol, "one-way", case and cases.certificates[case], version, None)
    assert "peer" not in line


@each
@each_version
@pytest.mark.parametrize("case", ["good", "good_chain"])
@pytest.mark.parametrize("authentication", ["mutual", "optional"])
def test_the_good_come_in(world, pki, cases, protocol, version, case, authentication):
    line = expect(world, pki, protocol, authentication, cases.certificates[case], version, None)
    assert line["peer"]["accepted"] and line["peer"]["reason"] == "accepted"
    assert {f["verdict"] for f in line["peer"]["factors"].values()} == {"pass"}
    if protocol == "HTTPS":
        assert world.told["x-client-cert-verified"] == "accepted"


@each
@each_version
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("authentication", ["mutual", "optional"])
def test_the_bad_stay_out(world, pki, cases, protocol, version, case, authentication):
    reason, alert = REFUSED[case]
    expect(world, pki, protocol, authentication, cases.certificates[case], version, reason, alert)


@each
@each_version
@pytest.mark.parametrize("authentication", ["mutual", "optional"])
def test_who_is_not_on_the_list_stays_out(world, pki, cases, protocol, version, authentication):
    # RFC 8446 §6.2 has access_denied; libssl cannot send it (src/tls/engine_openssl_handshake.c)
    alert = "ACCESS_DENIED" if ENGINE == "native" else "CERTIFICATE_UNKNOWN"
    line = expect(world, pki, protocol, authentication, cases.certificates["wrong_name"], version, "wrong_name", alert)
    assert "other.test" in line["peer"]["factors"]["name"]["detail"]
    assert line["peer"]["factors"]["trust"]["verdict"] == "pass"


@each
@each_version
def test_mutual_without_a_certificate_stays_out(world, pki, protocol, version):
    expect(world, pki, protocol, "mutual", None, version, "no_certificate", no_certificate_alert(version))


@each
@each_version
def test_optional_without_a_certificate_comes_in_as_none(world, pki, protocol, version):
    line = expect(world, pki, protocol, "optional", None, version, None)
    assert line["peer"]["reason"] == "no_certificate" and line["peer"]["accepted"]
    if protocol == "HTTPS":
        assert world.told["x-client-cert-verified"] == "none" and "client-cert" not in world.told


@each
@each_version
@pytest.mark.parametrize("policy,comes_in", [("hard", False), ("soft", True), ("grace", True), ("short", False)])
def test_a_stale_crl_counts_as_its_policy_says(world, pki, cases, protocol, version, policy, comes_in):
    reason = None if comes_in else "revocation_unknown"
    line = expect(world, pki, protocol, policy, cases.certificates["stale_crl"], version, reason, "CERTIFICATE_UNKNOWN")
    assert "people-stale" in line["peer"]["factors"]["revocation"]["detail"]


@each
@pytest.mark.parametrize("policy", POLICIES)
def test_a_revoked_client_is_refused_under_every_policy(world, pki, cases, protocol, policy):
    line = expect(world, pki, protocol, policy, cases.certificates["revoked"], "1.3", "revoked", "CERTIFICATE_REVOKED")
    detail = line["peer"]["factors"]["revocation"]["detail"]
    assert cases.certificates["revoked"].serial in detail and "keyCompromise" in detail and "CN=people" in detail
