# SPDX-License-Identifier: Apache-2.0
"""Servers of others behind us, over TLS: one-way and mutual, and what becomes of a request when either side refuses the other."""
import itertools
import re
import types

import pytest
import servers
from clients import converse
from programs import gnutls_server, openssl_server
from servers import Tls
from tls_clients import VERSIONS, through

REQUEST = b"GET /files/hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
numbers = itertools.count()


def page(start, answer):
    def server(folder, root, tls):
        return start(folder, tls.certificate, tls.version, tls.client_ca, answer=answer)
    return server


SERVERS = {"openssl s_server": page(openssl_server, "-www"), "gnutls-serv": page(gnutls_server, "--http"), **servers.BACKENDS}
COMMANDS = {"gnutls-serv": "gnutls-serv --version", "nginx": "nginx -v", "apache2": "apache2 -v"}


@pytest.fixture(scope="module")
def world(open_folder, pki, matrix):
    root = servers.root_folder(open_folder)
    (root / "files/hello").write_text("hello\n")
    for name, command in COMMANDS.items():
        said = converse(b"", *command.split()).splitlines()[0]
        matrix.add("programs", name, "version", re.sub(r".*version: ", "", said))
    return types.SimpleNamespace(folder=open_folder, root=root)


def start(world, name, tls):
    return SERVERS[name](servers.own_folder(world.folder, f"server{next(numbers)}"), world.root, tls)


def towards(pki, port, protocol, own):
    front = {"HTTPS": "HTTP", "TCP_SSL": "TCP"}[protocol]
    rules = "rules: [{domain: localhost, path: /, target_group: them}]" if front == "HTTP" else "target_group: them"
    tls = (f"ca: [{pki.ca('servers').crt}], name: localhost, revocation: {{crl: [{pki.crl('servers')}], policy: hard}}" +
           (f", certificate: {own.crt}, key: {own.key_file}" if own else ""))
    return f"""
listeners:
  - {{name: in, protocol: {front}, address: "127.0.0.1:0", {rules}}}
target_groups:
  - {{name: them, protocol: {protocol}, targets: [{{address: "127.0.0.1:{port}"}}], tls: {{{tls}}}}}
access_log: {{file: access.log}}
workers: 1
"""


names = pytest.mark.parametrize("name", SERVERS)
protocols = pytest.mark.parametrize("protocol", ["HTTPS", "TCP_SSL"])
versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@protocols
@versions
@names
def test_target_is_reached(lb, world, pki, matrix, name, version, protocol, mutual):
    with start(world, name, Tls(pki.server, version, pki.ca("clients") if mutual else None)) as server:
        instance = lb(towards(pki, server.port, protocol, pki.good if mutual else None))
        said = through(instance.port("in"), REQUEST)
        assert re.match(r"HTTP/1\.[01] 200 ", said), (said, server.said())
        line = instance.line(listener="in")
    assert line["target_peer"]["accepted"] and line["target_peer"]["chain"][0]["subject"] == "CN=localhost"
    matrix.add("targets", f"{name}, {protocol}", "mutual" if mutual else "one-way", "served", version)


# The servers that complete the handshake with whomever, and answer themselves.
ANSWERS_ITSELF = {"nginx": 400}


def told(line):
    """What becomes of it, as the access log has it."""
    status = f"{line['status']}, " if "status" in line else ""
    return f"{status}`{line['close']}`" + (f": {line['detail']}" if line.get("detail") else "")


@pytest.mark.parametrize("ours", ["no certificate", "a stranger's certificate"])
@protocols
@versions
@names
def test_target_that_refuses_us(lb, world, pki, matrix, name, version, protocol, ours):
    with start(world, name, Tls(pki.server, version, pki.ca("clients"))) as server:
        instance = lb(towards(pki, server.port, protocol, pki.stranger if ours == "a stranger's certificate" else None))
        said = through(instance.port("in"), REQUEST)
        line = instance.line(listener="in")
    assert line["target_peer"]["accepted"], line
    if name in ANSWERS_ITSELF:
        assert said.startswith(f"HTTP/1.1 {ANSWERS_ITSELF[name]} "), said
    elif protocol == "HTTPS":
        assert said.startswith("HTTP/1.1 502 ") and line["status"] == 502, (said, line)
    else:
        assert said == "" and line["close"].startswith("target_"), (said, line)
    matrix.add("targets", f"{name}, {protocol}", f"we show it {ours}",
               f"its own {ANSWERS_ITSELF[name]}" if name in ANSWERS_ITSELF else told(line), version)


THEIRS = {"untrusted": "strange_server", "revoked": "revoked_server"}


@pytest.mark.parametrize("reason", THEIRS)
@protocols
@versions
@names
def test_target_that_we_refuse(lb, world, pki, matrix, name, version, protocol, reason):
    with start(world, name, Tls(getattr(pki, THEIRS[reason]), version)) as server:
        instance = lb(towards(pki, server.port, protocol, None))
        said = through(instance.port("in"), REQUEST)
        line = instance.line(listener="in")
    assert said.startswith("HTTP/1.1 502 ") if protocol == "HTTPS" else said == "", said
    assert line["target_peer"]["reason"] == reason and line["close"] == "target_refused"
    matrix.add("targets", f"{name}, {protocol}", f"we find it {reason}", "502" if protocol == "HTTPS" else "nothing", version)
