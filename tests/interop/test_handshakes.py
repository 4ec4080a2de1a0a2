# SPDX-License-Identifier: Apache-2.0
"""Every handshake of handshakes.py with everybody of tls_peers.py, both ways, by both of our engines."""
import contextlib
import dataclasses
import re

import peers
import pytest
import tls_peers
from handshakes import ENGINES, HANDSHAKES, Certificates
from instance import Instance, until
from programs import NotStarted
from tls_clients import REQUEST, through

PAGE = "It goes on"  # what a client shows who was let in
MODES = {"one-way": "", "mutual": "client_ca: [{}]"}
SERVERS = ["OpenSSL", "GnuTLS", "NSS", "wolfSSL", "Mbed TLS", "Python", "Node", "Java"]
CLIENTS = [*SERVERS, "curl", "Chromium"]


def can_be_asked(name, h):
    """Chromium has no options for suites, groups and signature schemes."""
    return name != "Chromium" or not (h.suite or h.group or h.signature)


def of(names):
    return pytest.mark.parametrize("name, h", [(name, h) for name in names for h in HANDSHAKES if can_be_asked(name, h)], ids=str)


def page(target, connection):
    """One answer a connection: a page with a picture, for which a browser connects again."""
    if peers.read_head(connection.makefile("rb")):
        text = f"<!DOCTYPE html><title>.</title>{PAGE}<img src='/again'>".encode()
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def others(tmp_path_factory, matrix):
    for name, version in tls_peers.versions().items():
        matrix.add("programs", name, "version", version)
    folder = tmp_path_factory.mktemp("peers")
    tls_peers.build(folder)
    return tls_peers.peers(folder)


def key_exchange(h):
    """RSA key transport has to be switched on, here and there."""
    return "rsa" if tls_peers.transports_rsa(h) else "ecdhe"


def what_is_lacking(matrix, table, name, h, engine, said):
    """Is H known to be beyond the peer? Then said() tells so, sooner or later, and that is what the page says."""
    lacking = tls_peers.lacking(name, table, h)
    if lacking:
        told = until(lambda: re.search(lacking, said()), said)
        matrix.add(f"{table}-{h.table}", h.column, name, f"n/a: `{told[0]}`", engine)
    return lacking


def what_is_left_open(matrix, table, name, h, engine, is_served, log):
    """Is H one of those that came about with some, and not with this one? Then it is as the log says."""
    if tls_peers.is_left_open(h) and not is_served:
        why = until(lambda: [line["detail"] for line in log() if "detail" in line], log)[0]
        matrix.add(f"{table}-{h.table}", h.column, name, f"n/a: `{why}`", engine)
        return True
    return False


def seen(log, field, h):
    """The cell, when log() has the lines that tell of H: one connection, or a full handshake and another one that goes on with its
    session. FIELD is where a line has the facts of TLS."""
    facts = lambda: [line[field] for line in log() if "target" in line]
    until(lambda: len(facts()) > h.is_resumed and (not h.is_resumed or any(f["resumed"] for f in facts())), log)
    assert any(not f["resumed"] for f in facts()), log()
    for f in facts():
        assert f["version"] == f"TLSv{h.version}" and h.suite in (None, f["cipher"]) and h.group in (None, f.get("group")), f
    return "full, resumed" if h.is_resumed else "full" if h.table == "versions" else "yes"


# ---- their clients at our listeners

LISTENER = """
  - name: {name}
    protocol: TCP_SSL
    address: 127.0.0.1:0
    authentication: {mode}
    {ca}
    certificates: [{certificate}]
    tls: {{engine: {engine}, key_exchange: {exchange}}}
    target_group: page"""


def listener(engine, h):
    return "_".join([engine, h.mode, h.certificate, key_exchange(h)])


@pytest.fixture(scope="module")
def stage(tmp_path_factory, certificates):
    target = peers.Target(page)
    rows = {listener(engine, h): (engine, h) for engine in ENGINES for h in HANDSHAKES}
    listeners = "".join(LISTENER.format(name=name, mode=h.mode, ca=MODES[h.mode].format(certificates.clients.crt), engine=engine,
                                        certificate=certificates.server[h.certificate].yaml(), exchange=key_exchange(h))
                        for name, (engine, h) in rows.items())
    group = f"{{name: page, protocol: TCP, targets: [{{address: '127.0.0.1:{target.port}'}}]}}"
    instance = Instance(tmp_path_factory.mktemp("stage"), f"listeners:{listeners}\ntarget_groups: [{group}]\naccess_log: {{file: access.log}}\nworkers: 1\n")
    with contextlib.closing(target):
        yield instance
        instance.check()


def can_resume(name, h, engine):
    """libssl would go on with the session of a client whom nobody judges again. curl asks for no tickets of TLS 1.2, but for session
    identifiers, which we give to nobody (docs/tls.md). Chromium connects again when it likes, with a session or without."""
    return (engine == "native" or h.mode == "one-way") and (name, h.version) != ("curl", "1.2") and name != "Chromium"


@pytest.mark.parametrize("engine", ENGINES)
@of(CLIENTS)
def test_their_client(stage, certificates, others, matrix, tmp_path, name, h, engine):
    since = stage.mark()
    h = h if can_resume(name, h, engine) else dataclasses.replace(h, is_resumed=False)
    log = lambda: [line for line in stage.lines()[since:] if line["listener"] == listener(engine, h)]
    said = others[name].ask(h, certificates, stage.port(listener(engine, h)), tmp_path)
    if what_is_lacking(matrix, "clients", name, h, engine, lambda: said):
        assert PAGE not in said
        return
    if what_is_left_open(matrix, "clients", name, h, engine, PAGE in said, log):
        return
    assert PAGE in said, said
    cell = seen(log, "tls", h)
    assert all(line["peer"]["accepted"] for line in log() if h.own and "target" in line), log()
    matrix.add(f"clients-{h.table}", h.column, name, cell, engine)


# ---- their servers as our targets

def towards(h, c, port):
    own = f", certificate: {c.client[h.own].crt}, key: {c.client[h.own].key_file}" if h.own else ""
    tls = f"ca: [{c.servers.crt}], name: localhost, key_exchange: {key_exchange(h)}{own}"
    listeners = "".join(f"\n  - {{name: {e}, protocol: TCP, address: '127.0.0.1:0', target_group: {e}}}" for e in ENGINES)
    groups = "".join(f"\n  - {{name: {e}, protocol: TCP_SSL, targets: [{{address: '127.0.0.1:{port}'}}], tls: {{{tls}, engine: {e}}}}}"
                     for e in ENGINES)
    return f"listeners:{listeners}\ntarget_groups:{groups}\naccess_log: {{file: access.log}}\nworkers: 1\n"


@of(SERVERS)
def test_their_server(lb, certificates, others, matrix, tmp_path, name, h):
    try:
        with others[name].serve(h, certificates, tmp_path) as server:
            instance = lb(towards(h, certificates, server.port))
            for engine in ENGINES:
                answers = [through(instance.port(engine), REQUEST) for _ in range(1 + h.is_resumed)]
                log = lambda: [line for line in instance.lines() if line["listener"] == engine]
                if what_is_lacking(matrix, "servers", name, h, engine, lambda: server.said() + str(log())):
                    continue
                if what_is_left_open(matrix, "servers", name, h, engine, any(answers), log):
                    continue
                assert all("200" in answer.split("\n")[0] for answer in answers), (answers, server.said(), log())
                matrix.add(f"servers-{h.table}", h.column, name, seen(log, "target_tls", h), engine)
    except NotStarted as e:
        assert all(what_is_lacking(matrix, "servers", name, h, engine, lambda: str(e)) for engine in ENGINES), e
