# SPDX-License-Identifier: Apache-2.0
"""Clients and servers of others: curl, OpenSSL, GnuTLS and Python's ssl, in each mode, version and protocol."""
import contextlib
import re
import subprocess
import threading

import peers
import pytest
from instance import PATIENCE, Instance
from programs import GNUTLS, MODES, OPENSSL, SERVERS

VERSIONS = ["1.2", "1.3"]
REQUEST = b"GET /interop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def echo_once(target, connection):
    connection.sendall(b"echo:" + connection.recv(65536))


LISTENER = """
  - name: {mode}_{protocol}
    protocol: {protocol}
    address: 127.0.0.1:0
    authentication: {mode}
    certificates: [{certificate}]
    {clients}
    {towards}"""
TOWARDS = {"HTTPS": "rules: [{domain: localhost, path: /, target_group: web}]", "TCP_SSL": "target_group: raw"}


class Stage:
    """One instance with a listener per mode and protocol, in front of an HTTP and an echoing target."""

    def __init__(self, folder, pki):
        self.pki, self.web, self.raw = pki, peers.Target(peers.http_echo), peers.Target(echo_once)
        self.revoked = pki.ca("interop-clients").issue("interop-revoked")
        self.good = pki.ca("interop-clients").issue("interop-good")
        self.stranger = pki.ca("strangers").issue("interop-stranger")
        clients = pki.ca("interop-clients")
        who = f"client_ca: [{clients.crt}]\n    revocation: {{crl: [{clients.crl(self.revoked)}], policy: hard}}"
        listeners = "".join(LISTENER.format(mode=m, protocol=p, certificate=pki.server.yaml(), clients=who if m == "mutual" else "",
                                            towards=TOWARDS[p]) for m in ("one-way", "mutual") for p in TOWARDS)
        self.instance = Instance(folder, f"""
listeners:{listeners}
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{self.web.port}"}}]}}
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{self.raw.port}"}}]}}
access_log: {{file: access.log}}
workers: 1
""")

    def port(self, mode, protocol):
        return self.instance.port(f"{mode}_{protocol}")

    def close(self):
        self.web.close()
        self.raw.close()
        self.instance.check()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, pki):
    with contextlib.closing(Stage(tmp_path_factory.mktemp("interop"), pki)) as stage:
        yield stage


@contextlib.contextmanager
def deadline(act):
    """ACT if what follows does not end."""
    timer = threading.Timer(PATIENCE, act)
    timer.start()
    yield
    timer.cancel()


def converse(data, *command):
    """What COMMAND prints until it ends; its input stays open, as a terminal would."""
    with subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p, \
            deadline(p.kill):
        with contextlib.suppress(BrokenPipeError):
            p.stdin.write(data)
            p.stdin.flush()
        said = p.stdout.read().decode(errors="replace")
        with contextlib.suppress(BrokenPipeError):
            p.stdin.close()
        return said


def curl(stage, port, data, version, certificate):
    own = ["--cert", certificate.crt, "--key", certificate.key_file] if certificate else []
    return converse(b"", "curl", "-sSi4", "--noproxy", "*", "--cacert", stage.pki.ca("servers").crt, *own, f"--tlsv{version}", "--tls-max", version,
                    f"https://localhost:{port}/interop")


def openssl(stage, port, data, version, certificate):
    own = ["-cert", certificate.crt, "-key", certificate.key_file] if certificate else []
    return converse(data, "openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost",
                    "-verify_return_error", "-CAfile", stage.pki.ca("servers").crt, *OPENSSL[version], *own)


def gnutls(stage, port, data, version, certificate):
    own = ["--x509certfile", certificate.crt, "--x509keyfile", certificate.key_file] if certificate else []
    return converse(data, "gnutls-cli", "--x509cafile", stage.pki.ca("servers").crt, "--priority", GNUTLS[version], *own,
                    "--verify-hostname", "localhost", "--sni-hostname", "localhost", "-p", port, "127.0.0.1")


def python(stage, port, data, version, certificate):
    try:
        with peers.connect(port, peers.client_context(stage.pki.ca("servers"), certificate, version)) as tls:
            tls.sendall(data)
            return b"".join(iter(lambda: tls.recv(65536), b"")).decode()
    except (peers.Refused, peers.ssl.SSLError) as e:
        return f"{e}"


CLIENTS = [curl, openssl, gnutls, python]
PAIRS = [(c, p) for c in CLIENTS for p in TOWARDS if not (c is curl and p == "TCP_SSL")]
pairs = pytest.mark.parametrize("client, protocol", PAIRS, ids=[f"{c.__name__}-{p}" for c, p in PAIRS])
versions = pytest.mark.parametrize("version", VERSIONS)
DATA = {"HTTPS": REQUEST, "TCP_SSL": b"hello\n"}
ANSWERS = {"HTTPS": '"path": "/interop"', "TCP_SSL": "echo:hello"}


@pytest.mark.parametrize("mode", ["one-way", "mutual"])
@versions
@pairs
def test_client_is_served(stage, client, protocol, version, mode):
    since = stage.instance.mark()
    said = client(stage, stage.port(mode, protocol), DATA[protocol], version, stage.good if mode == "mutual" else None)
    assert ANSWERS[protocol] in said, said
    line = stage.instance.line(since=since, listener=f"{mode}_{protocol}")
    assert line["tls"]["version"] == f"TLSv{version}" and ("peer" not in line or line["peer"]["accepted"])


# What each client prints of the alerts certificate_revoked (44), unknown_ca (48), and certificate_required (116) or, in TLS 1.2 that
# has none such, handshake_failure (40).
WORDS = {"revoked": r"certificate[ _]revoked|certificate was revoked", "untrusted": r"unknown[ _]ca|CA is unknown",
         "no_certificate": r"certificate[ _]required|certificate is required|handshake[ _]failure|handshake failed"}
HOLDERS = {"revoked": "revoked", "untrusted": "stranger", "no_certificate": None}


@pytest.mark.parametrize("reason", WORDS)
@versions
@pairs
def test_client_is_refused_and_told_why(stage, client, protocol, version, reason):
    since, web, raw = stage.instance.mark(), stage.web.accepted, stage.raw.accepted
    certificate = getattr(stage, HOLDERS[reason]) if HOLDERS[reason] else None
    said = client(stage, stage.port("mutual", protocol), DATA[protocol], version, certificate)
    assert re.search(WORDS[reason], said, re.I) and ANSWERS[protocol] not in said, said
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


def through(port, data):
    with peers.socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := s.recv(65536):
                answer += piece
                if answer.endswith(b"\n") and data == b"hello\n":
                    break
        return answer.decode(errors="replace")


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
