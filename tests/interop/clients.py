# SPDX-License-Identifier: Apache-2.0
"""Clients of others. Each is called client(stage, port, data, version, certificate) and gives what the program printed."""
import pathlib
import tempfile

import chromium as browser
from test_interop import converse, curl, gnutls, openssl, python  # noqa: F401

HERE = pathlib.Path(__file__).resolve().parent


def with_p12(certificate):
    return [certificate.p12, certificate.password_file.read_text().strip()] if certificate else []


def node(stage, port, data, version, certificate):
    return converse(b"", "node", HERE / "client.js", port, version, stage.pki.ca("servers").crt, *with_p12(certificate))


def java(kind):
    def client(stage, port, data, version, certificate):
        return converse(b"", "java", "-XX:TieredStopAtLevel=1", HERE / "Client.java", kind, port, version, stage.pki.ca("servers").crt,
                        *with_p12(certificate))
    return client


def chromium(stage, port, data, version, certificate):
    with tempfile.TemporaryDirectory() as folder:
        b = browser.Browser(pathlib.Path(folder), stage.pki.ca("servers"), certificate)
        return b.page(f"https://localhost:{port}/interop", f"--ssl-version-min=tls{version}", f"--ssl-version-max=tls{version}")


# name → (client, how to ask for its version)
CLIENTS = {
    "curl": (curl, ["curl", "--version"]),
    "openssl s_client": (openssl, ["openssl", "version"]),
    "gnutls-cli": (gnutls, ["gnutls-cli", "--version"]),
    "Python ssl": (python, ["/usr/bin/python3", "--version"]),
    "Node https": (node, ["node", "--version"]),
    "Java HttpsURLConnection": (java("https"), ["java", "--version"]),
    "Java SSLSocket": (java("socket"), ["java", "--version"]),
    "Chromium": (chromium, ["chromium", "--version"]),
}

# How each client says that it was refused, by the alert: certificate_required has no TLS 1.2 form, there it is handshake_failure.
GNUTLS = r"\*\*\* Received alert.*"
REVOKED = rf"(?:sslv3 )?alert certificate revoked|SSLV3_ALERT_CERTIFICATE_REVOKED|{GNUTLS}|.*certificate_revoked.*|net::ERR_\w+"
NONE = r"(?:tlsv13 )?alert certificate required|(?:sslv3 )?alert handshake failure|TLSV13_ALERT_CERTIFICATE_REQUIRED|" \
       rf"SSLV3_ALERT_HANDSHAKE_FAILURE|{GNUTLS}|.*(?:certificate_required|handshake_failure).*|net::ERR_\w+"
STRANGE = r"unable to get local issuer certificate|self.signed certificate(?: in certificate chain)?|.*NOT trusted.*|" \
          r".*unable to verify the first certificate.*|.*PKIX path.*|CERTIFICATE_VERIFY_FAILED|net::ERR_CERT_AUTHORITY_INVALID"
