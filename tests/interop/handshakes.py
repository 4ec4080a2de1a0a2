# SPDX-License-Identifier: Apache-2.0
"""The handshakes that are asked of every peer, one row each; and the certificates for them. Suites, groups and signature schemes have
the names of IANA's registry here."""
import dataclasses
import subprocess

ENGINES = ["native", "openssl"]
CIPHERS = ["AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256", "AES_128_GCM_SHA256"]
GROUPS = ["x25519", "secp256r1", "secp384r1"]
UNKNOWN_GROUP = "secp521r1"  # to us
NO_DH = "TLS_RSA_"  # how suites of RSA key transport begin


@dataclasses.dataclass(frozen=True)
class Handshake:
    """What is asked for; the peer may choose what is None. TABLE and COLUMN: where the page tells of it."""
    table: str
    column: str
    version: str
    certificate: str = "P-256"  # the key of the server's
    own: str = None             # the key of the client's; None: one-way
    suite: str = None           # offered, or taken, alone
    group: str = None           # the same
    is_retried: bool = False    # the client's key share is of a group that we do not have
    signature: str = None       # the server's scheme, beside what the CA's signature needs
    is_resumed: bool = False    # there is a second connection, in which the session goes on

    def __str__(self):
        return f"{self.table}, {self.column}"

    @property
    def mode(self):
        return "mutual" if self.own else "one-way"

    @property
    def groups(self):
        """Those that the peer may use, its favourite first."""
        return [UNKNOWN_GROUP, self.group] if self.is_retried else [self.group] if self.group else []

    @property
    def signatures(self):
        return [self.signature, "ecdsa_secp256r1_sha256"] if self.signature else []


def of_versions():
    return [Handshake("versions", f"{v}, {'mutual' if own else 'one-way'}", v, own=own, is_resumed=True)
            for v in ("1.2", "1.3") for own in (None, "P-256")]


def of_suites():
    tls13 = [Handshake("suites", f"TLS_{c}", "1.3", suite=f"TLS_{c}") for c in CIPHERS]
    tls12 = [Handshake("suites", f"TLS_ECDHE_{key}_WITH_{c}", "1.2", kind, suite=f"TLS_ECDHE_{key}_WITH_{c}")
             for key, kind in (("ECDSA", "P-256"), ("RSA", "RSA")) for c in CIPHERS]
    transport = [Handshake("suites", f"{NO_DH}WITH_{c}", "1.2", "RSA", suite=f"{NO_DH}WITH_{c}") for c in CIPHERS if c.startswith("AES")]
    return tls13 + tls12 + transport


def of_groups():
    plain = [Handshake("groups", f"{v}, {g}", v, "RSA", group=g) for v in ("1.2", "1.3") for g in GROUPS]
    return plain + [Handshake("groups", f"1.3, {g} after HelloRetryRequest", "1.3", "RSA", group=g, is_retried=True) for g in GROUPS]


KEYS = {  # kind → what `openssl genpkey` is told
    "P-256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "P-384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "P-521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA-PSS": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],  # good for that scheme only
    "Ed25519": ["ED25519"],
}


def of_certificates():
    server = [Handshake("certificates", f"{v}, server's {kind}", v, kind) for v in ("1.2", "1.3") for kind in KEYS if kind != "RSA"]
    rsa = [Handshake("certificates", f"{v}, server's RSA, {scheme}", v, "RSA", signature=scheme)
           for v, schemes in (("1.2", ["rsa_pkcs1_sha256", "rsa_pss_rsae_sha256"]), ("1.3", ["rsa_pss_rsae_sha256"])) for scheme in schemes]
    client = [Handshake("certificates", f"{v}, client's {kind}", v, own=kind) for v in ("1.2", "1.3") for kind in KEYS]
    return sorted(server + rsa + client, key=lambda h: h.version)


HANDSHAKES = of_versions() + of_suites() + of_groups() + of_certificates()
TABLES = ["versions", "suites", "groups", "certificates"]


class Certificate:
    """The files of a certificate, whose chain is itself alone: .crt, .key_file, .p12 with .password_file."""

    def __init__(self, folder, name):
        self.name = name
        self.crt, self.key_file, self.p12 = (folder / f"{name}.{suffix}" for suffix in ("crt", "key", "p12"))
        self.password_file = folder / "password"

    @property
    def password(self):
        return self.password_file.read_text().strip()

    def yaml(self):
        return f"{{certificate: {self.crt}, key: {self.key_file}}}"


def openssl(*command):
    subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)


class Certificates:
    """Of each kind of key one for the server (`servers` is its CA) and one for the client (`clients`), by OpenSSL."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "password").write_text("open sesame\n")
        self.servers, self.clients = self._make("servers"), self._make("clients")
        self.server = {kind: self._make(f"server-{kind}", kind, self.servers, "serverAuth", "localhost") for kind in KEYS}
        self.client = {kind: self._make(f"client-{kind}", kind, self.clients, "clientAuth", "client.example") for kind in KEYS}

    def _make(self, name, kind="P-256", ca=None, usage=None, host=None):
        made = Certificate(self.folder, name)
        openssl("genpkey", "-out", made.key_file, "-algorithm", *KEYS[kind])
        own = ["-CA", ca.crt, "-CAkey", ca.key_file, "-addext", f"extendedKeyUsage={usage}", "-addext", f"subjectAltName=DNS:{host}",
               "-addext", f"keyUsage=critical,digitalSignature{',keyEncipherment' if kind == 'RSA' else ''}",
               "-addext", "basicConstraints=critical,CA:FALSE"] if ca else ["-addext", "keyUsage=critical,keyCertSign"]
        openssl("req", "-x509", "-new", "-key", made.key_file, "-out", made.crt, "-subj", f"/CN={name}", "-days", "2", *own)
        openssl("pkcs12", "-export", "-in", made.crt, "-inkey", made.key_file, "-name", name, "-out", made.p12,
                "-passout", f"file:{made.password_file}")
        return made
