# SPDX-License-Identifier: Apache-2.0
"""More clients of others than tests/integration has, called as those are (tls_clients.py)."""
import pathlib
import tempfile

import chromium as browser
import tls_clients
from tls_clients import converse

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


CLIENTS = {**tls_clients.CLIENTS, "Node https": node, "Java HttpsURLConnection": java("https"), "Java SSLSocket": java("socket"),
           "Chromium": chromium}
# program → how to ask for its version
PROGRAMS = {"curl": "--version", "openssl": "version", "gnutls-cli": "--version", "python3": "--version", "node": "--version",
            "java": "--version", "chromium": "--version"}

# How they say that they were refused, those of tls_clients among them; and that they refuse us.
WORDS = {
    "revoked": rf"{tls_clients.WORDS['revoked']}|.*certificate_revoked.*|net::ERR_\w+",
    "no_certificate": rf"{tls_clients.WORDS['no_certificate']}|.*(?:certificate_required|handshake_failure).*|net::ERR_\w+",
}
STRANGE = r"unable to get local issuer certificate|self.signed certificate(?: in certificate chain)?|.*NOT trusted.*|" \
          r".*unable to verify the first certificate.*|.*PKIX path.*|CERTIFICATE_VERIFY_FAILED|net::ERR_CERT_AUTHORITY_INVALID"
