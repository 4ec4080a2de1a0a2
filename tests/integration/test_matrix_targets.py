# SPDX-License-Identifier: Apache-2.0
"""The same matrix towards targets: Sallyport as the client refuses with 502 and the reason, before a byte of the request is sent."""
import pathlib
import socket

import pytest

import peers
from instance import Instance
from matrix import REFUSED, Cases

VERSIONS = ("1.2", "1.3")
CASES = ("good", "good_chain", *REFUSED, "wrong_name")
POLICIES = {"hard": "hard", "soft": "soft", "grace": "{grace: 24h}", "short": "{grace: 1h}"}


@pytest.fixture(scope="module")
def cases(pki):
    return Cases(pki, "server", "machines")


def group(name, kind, port, cases, policy, extra=""):
    return (f"\n  - name: {name}\n    protocol: {kind}\n    targets: [{{address: 127.0.0.1:{port}}}]"
            f"\n    tls: {{ca: [{', '.join(map(str, cases.cas()))}], name: localhost, "
            f"revocation: {{crl: [{', '.join(map(str, cases.crls()))}], policy: {policy}}}{extra}}}")


@pytest.fixture(scope="module")
def world(pki, cases, tmp_path_factory):
    """For each case and version a target that shows that certificate, over HTTPS and as TCP_SSL."""
    listeners, groups, targets = "listeners:", "\ntarget_groups:", {}

    def add(name, certificate, version, policy="hard", client_ca=None, extra=""):
        nonlocal listeners, groups
        context = peers.server_context(certificate, client_ca, version)
        web, raw = peers.Target(peers.http_echo, context), peers.Target(peers.echo, context)
        targets[name] = (web, raw)
        listeners += (f"\n  - {{name: web-{name}, protocol: HTTP, address: '127.0.0.1:0', "
                      f"rules: [{{domain: localhost, path: /, target_group: web-{name}}}]}}"
                      f"\n  - {{name: raw-{name}, protocol: TCP, address: '127.0.0.1:0', target_group: raw-{name}}}")
        groups += group(f"web-{name}", "HTTPS", web.port, cases, policy, extra)
        groups += group(f"raw-{name}", "TCP_SSL", raw.port, cases, policy, extra)

    for version in VERSIONS:
        for case in CASES:
            add(f"{case}-{version}", cases.certificates[case], version)
        for policy, text in POLICIES.items():
            add(f"stale-{policy}-{version}", cases.certificates["stale_crl"], version, text)
        shows = f", certificate: {pki.good.crt}, key: {pki.good.key_file}"
        add(f"mutual-{version}", cases.certificates["good"], version, client_ca=pki.ca("clients"), extra=shows)
        add(f"mutual-bare-{version}", cases.certificates["good"], version, client_ca=pki.ca("clients"))
        add(f"mutual-stranger-{version}", cases.certificates["good"], version, client_ca=pki.ca("servers"), extra=shows)
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("targets")),
                        listeners + groups + "\naccess_log: {file: access.log}\nworkers: 1\n")
    instance.targets = targets
    yield instance
    instance.check()
    for pair in targets.values():
        for t in pair:
            t.close()


def over_http(world, name):
    mark = world.mark()
    with socket.create_connection(("127.0.0.1", world.port(f"web-{name}")), 10) as s:
        status, _, _ = peers.ask(s)
    return status, world.line(listener=f"web-{name}", since=mark)


def over_tcp(world, name):
    mark, got = world.mark(), b""
    try:  # a reset may be quicker than we are
        with socket.create_connection(("127.0.0.1", world.port(f"raw-{name}")), 10) as s:
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            got = s.recv(100)
    except ConnectionError:
        pass
    return got, world.line(listener=f"raw-{name}", since=mark)


def refused(line, reason):
    assert line["target_peer"]["reason"] == reason and not line["target_peer"]["accepted"], line
    assert line["close"] == "target_refused" and line["remedy"].startswith(f"{reason}: "), line
    assert set(line["target_peer"]["factors"]) == {"validity", "revocation", "trust", "name"}


each_version = pytest.mark.parametrize("version", VERSIONS)


@each_version
@pytest.mark.parametrize("case", ["good", "good_chain", "mutual"])
def test_a_good_target_is_used(world, version, case):
    status, line = over_http(world, f"{case}-{version}")
    assert status == 200 and line["target_peer"]["accepted"], line
    assert {f["verdict"] for f in line["target_peer"]["factors"].values()} == {"pass"}
    got, line = over_tcp(world, f"{case}-{version}")
    assert got == b"echo:hello" and line["target_peer"]["accepted"], line


@each_version
@pytest.mark.parametrize("case", [*REFUSED, "wrong_name"])
def test_a_bad_target_gets_nothing(world, version, case):
    reason = REFUSED[case][0] if case in REFUSED else "wrong_name"
    status, line = over_http(world, f"{case}-{version}")
    assert status == 502
    refused(line, reason)
    got, line = over_tcp(world, f"{case}-{version}")
    assert got == b""
    refused(line, reason)
    assert all(t.received == b"" for t in world.targets[f"{case}-{version}"])


@each_version
@pytest.mark.parametrize("policy,is_used", [("hard", False), ("soft", True), ("grace", True), ("short", False)])
def test_a_stale_crl_counts_as_its_policy_says(world, version, policy, is_used):
    status, line = over_http(world, f"stale-{policy}-{version}")
    got, raw = over_tcp(world, f"stale-{policy}-{version}")
    if is_used:
        assert status == 200 and got == b"echo:hello"
    else:
        assert status == 502 and got == b""
        refused(line, "revocation_unknown")
        refused(raw, "revocation_unknown")


# What the target's library says: TLS 1.2 has no alert for a missing certificate but the general one.
ALERTS = {("mutual-bare", "1.2"): "handshake_failure", ("mutual-bare", "1.3"): "certificate_required",
          ("mutual-stranger", "1.2"): "unknown_ca", ("mutual-stranger", "1.3"): "unknown_ca"}


@each_version
@pytest.mark.parametrize("case, remedy", [("mutual-bare", "give the target group tls.certificate"),
                                          ("mutual-stranger", "does not accept our certificate")])
def test_a_target_that_refuses_us_is_told_with_its_alert_and_what_to_do(world, version, case, remedy):
    """In TLS 1.3 our handshake is complete by then: the alert comes in place of the response."""
    status, over_web = over_http(world, f"{case}-{version}")
    got, over_raw = over_tcp(world, f"{case}-{version}")
    assert (status, got) == (502, b"")
    for line in over_web, over_raw:
        assert line["close"] == "target_handshake" and line["detail"].endswith(f"alert {ALERTS[case, version]}"), line
        assert line["target_peer"]["accepted"] and remedy in line["remedy"], line
