# SPDX-License-Identifier: Apache-2.0
"""TLS clients of others, as programs: the table that tests/integration and tests/interop (which adds more to it) share, and the
listeners that they are sent to. Each is called client(stage, port, data, version, certificate) and gives what the program printed."""
import contextlib
import subprocess
import threading

import peers
from instance import PATIENCE, Instance
from programs import GNUTLS, OPENSSL

VERSIONS = ["1.2", "1.3"]
REQUEST = b"GET /interop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


# ---- what they are sent to: a listener for each mode and protocol

LISTENER = """
  - name: {mode}_{protocol}
    protocol: {protocol}
    address: 127.0.0.1:0
    authentication: {mode}
    certificates: [{certificate}]
    {clients}
    {towards}"""
TOWARDS = {"HTTPS": "rules: [{domain: localhost, path: /, target_group: web}]", "TCP_SSL": "target_group: raw"}


def configuration(certificate, client_ca, crl, web, raw):
    """Listeners MODE_PROTOCOL in front of the targets on the ports WEB (HTTP) and RAW (TCP)."""
    who = f"client_ca: [{client_ca.crt}]\n    revocation: {{crl: [{crl}], policy: hard}}"
    listeners = "".join(LISTENER.format(mode=mode, protocol=protocol, certificate=certificate.yaml(), clients=who if mode == "mutual" else "",
                                        towards=towards) for mode in ("one-way", "mutual") for protocol, towards in TOWARDS.items())
    groups = "".join(f"\n  - {{name: {name}, protocol: {protocol}, targets: [{{address: '127.0.0.1:{port}'}}]}}"
                     for name, protocol, port in (("web", "HTTP", web), ("raw", "TCP", raw)))
    return f"listeners:{listeners}\ntarget_groups:{groups}\naccess_log: {{file: access.log}}\nworkers: 1\n"


class Stage:
    """One instance with these listeners, in front of the targets WEB and RAW."""

    def __init__(self, folder, pki, client_ca, crl, web, raw):
        self.pki, self.web, self.raw = pki, web, raw
        self.instance = Instance(folder, configuration(pki.server, client_ca, crl, web.port, raw.port))

    def port(self, mode, protocol):
        return self.instance.port(f"{mode}_{protocol}")

    def close(self):
        self.instance.check()
        self.web.close()
        self.raw.close()


# ---- the clients

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
    return converse(b"", "curl", "-sSi4", "--noproxy", "*", "--cacert", stage.pki.ca("servers").crt, *own, f"--tlsv{version}",
                    "--tls-max", version, f"https://localhost:{port}/interop")


def openssl(stage, port, data, version, certificate):
    own = ["-cert", certificate.crt, "-key", certificate.key_file] if certificate else []
    return converse(data, "openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
                    "-verify_hostname", "localhost", "-verify_return_error", "-CAfile", stage.pki.ca("servers").crt, *OPENSSL[version], *own)


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


CLIENTS = {"curl": curl, "openssl s_client": openssl, "gnutls-cli": gnutls, "Python ssl": python}

# What they print of the alerts certificate_revoked (44), unknown_ca (48), and certificate_required (116) or, in TLS 1.2 that has none
# such, handshake_failure (40).
GNUTLS_ALERT = r"\*\*\* Received alert \[{}\].*"
WORDS = {
    "revoked": rf"(?:sslv3 )?alert certificate revoked|SSLV3_ALERT_CERTIFICATE_REVOKED|{GNUTLS_ALERT.format(44)}",
    "untrusted": rf"(?:tlsv1 )?alert unknown ca|TLSV1_ALERT_UNKNOWN_CA|{GNUTLS_ALERT.format(48)}",
    "no_certificate": r"(?:tlsv13 )?alert certificate required|(?:sslv3 )?alert handshake failure|TLSV13_ALERT_CERTIFICATE_REQUIRED|"
                      rf"SSLV3_ALERT_HANDSHAKE_FAILURE|{GNUTLS_ALERT.format('(?:40|116)')}",
}


def through(port, data):
    """What came back before the end, or before a reset, which may come as early as there is a connection."""
    answer = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError), peers.socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(data)
        while piece := s.recv(65536):
            answer += piece
            if answer.endswith(b"\n") and data == b"hello\n":
                break
    return answer.decode(errors="replace")
