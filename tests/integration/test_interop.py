# SPDX-License-Identifier: Apache-2.0
"""Clients and servers of others: curl, OpenSSL, GnuTLS and Python's ssl, in each mode, version and protocol."""
import contextlib
import re

import peers
import pytest
from programs import MODES, SERVERS
from tls_clients import CLIENTS, REQUEST, TOWARDS, VERSIONS, WORDS, Stage, through


def echo_once(target, connection):
    connection.sendall(b"echo:" + connection.recv(65536))


@pytest.fixture(scope="module")
def stage(tmp_path_factory, pki):
    clients, strangers = pki.ca("interop-clients"), pki.ca("strangers")
    holders = {"accepted": clients.issue("interop-good"), "revoked": clients.issue("interop-revoked"),
               "untrusted": strangers.issue("interop-stranger"), "no_certificate": None}
    crl, targets = clients.crl(holders["revoked"]), (peers.Target(peers.http_echo), peers.Target(echo_once))
    with contextlib.closing(Stage(tmp_path_factory.mktemp("interop"), pki, clients, crl, *targets)) as stage:
        stage.holders = holders
        yield stage


PAIRS = [(name, p) for name in CLIENTS for p in TOWARDS if (name, p) != ("curl", "TCP_SSL")]
pairs = pytest.mark.parametrize("name, protocol", PAIRS)
versions = pytest.mark.parametrize("version", VERSIONS)
DATA = {"HTTPS": REQUEST, "TCP_SSL": b"hello\n"}
ANSWERS = {"HTTPS": '"path": "/interop"', "TCP_SSL": "echo:hello"}


@pytest.mark.parametrize("mode", ["one-way", "mutual"])
@versions
@pairs
def test_client_is_served(stage, name, protocol, version, mode):
    since = stage.instance.mark()
    certificate = stage.holders["accepted"] if mode == "mutual" else None
    said = CLIENTS[name](stage, stage.port(mode, protocol), DATA[protocol], version, certificate)
    assert ANSWERS[protocol] in said, said
    line = stage.instance.line(since=since, listener=f"{mode}_{protocol}")
    assert line["tls"]["version"] == f"TLSv{version}" and ("peer" not in line or line["peer"]["accepted"])


@pytest.mark.parametrize("reason", WORDS)
@versions
@pairs
def test_client_is_refused_and_told_why(stage, name, protocol, version, reason):
    since, web, raw = stage.instance.mark(), stage.web.accepted, stage.raw.accepted
    said = CLIENTS[name](stage, stage.port("mutual", protocol), DATA[protocol], version, stage.holders[reason])
    assert re.search(WORDS[reason], said) and ANSWERS[protocol] not in said, said
    line = stage.instance.line(since=since, listener=f"mutual_{protocol}")
    assert line["peer"]["reason"] == reason and "target" not in line
    assert (stage.web.accepted, stage.raw.accepted) == (web, raw)


# ---- targets of others ----

def towards(pki, port, protocol, own=None, rsa=False):
    """A plain listener in front of an encrypted target: the client end of the same protocol."""
    plain = protocol.replace("HTTPS", "HTTP").replace("TCP_SSL", "TCP")
    rules = "rules: [{domain: localhost, path: /, target_group: them}]" if plain == "HTTP" else "target_group: them"
    tls = f"ca: [{pki.ca('servers').crt}], name: localhost" + (f", certificate: {own.crt}, key: {own.key_file}" if own else "") + \
        (", key_exchange: rsa" if rsa else "")
    return f"""
listeners:
  - {{name: in, protocol: {plain}, address: "127.0.0.1:0", {rules}}}
target_groups:
  - {{name: them, protocol: {protocol}, targets: [{{address: "127.0.0.1:{port}"}}], tls: {{{tls}}}}}
access_log: {{file: access.log}}
workers: 1
"""


PAGE = {"openssl": "-www", "gnutls": "--http"}
ECHO = {"openssl": ("-rev", "olleh"), "gnutls": ("--echo", "hello")}


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("protocol", ["HTTPS", "TCP_SSL"])
def test_target_is_reached(lb, pki, tmp_path, protocol, kind, mode, mutual):
    certificate = rsa_server(pki) if mode == "rsa" else pki.server
    answer, expected = (PAGE[kind], "HTTP/1.1 200 ") if protocol == "HTTPS" else ECHO[kind]
    with SERVERS[kind](tmp_path, certificate, mode, pki.ca("clients") if mutual else None, answer=answer) as server:
        instance = lb(towards(pki, server.port, protocol, pki.good if mutual else None, mode == "rsa"))
        said = through(instance.port("in"), DATA[protocol])
        assert expected in said, (said, server.said())
        line = instance.line(listener="in")
    assert line["target_peer"]["accepted"] and line["target"] == f"127.0.0.1:{server.port}"


def rsa_server(pki):
    if not hasattr(pki, "interop_rsa"):
        pki.interop_rsa = pki.ca("servers").issue("interop-rsa", "server", ["DNS:localhost"], key="rsa")
    return pki.interop_rsa


@versions
@pytest.mark.parametrize("kind", SERVERS)
def test_target_that_refuses_us_is_502(lb, pki, tmp_path, kind, version):
    stranger = pki.ca("strangers").issue("interop-we")
    with SERVERS[kind](tmp_path, pki.server, version, pki.ca("clients"), answer=PAGE[kind]) as server:
        instance = lb(towards(pki, server.port, "HTTPS", stranger))
        said = through(instance.port("in"), REQUEST)
        line = instance.line(listener="in")
    assert said.startswith("HTTP/1.1 502 ") and line["status"] == 502 and line["target_peer"]["accepted"], (said, line)
