# SPDX-License-Identifier: Apache-2.0
"""Others' TLS, each as a client and as a server: how it is asked for a handshake (handshakes.py), and what it is known to lack.

A client's `ask` gives what it printed; a server's `serve` is a context with a `port`. Both are given the handshake H, the certificates
C and a folder FOLDER of their own. LACKS has pairs: for which handshakes, and what the peer prints of them when it is asked all the same.
"""
import contextlib
import pathlib
import re
import subprocess

import chromium
from handshakes import NO_DH
from programs import NotStarted, held_port
from servers import running
from tls_clients import REQUEST, converse

HERE = pathlib.Path(__file__).resolve().parent
TIMES = {False: 1, True: 2}


# ---- what they call suites, groups and signature schemes

def openssl_suite(suite):
    """TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 → ECDHE-RSA-AES128-GCM-SHA256; those of TLS 1.3 keep IANA's names."""
    if "_WITH_" not in suite:
        return suite
    short = suite.removeprefix("TLS_").removeprefix("RSA_WITH_").replace("_WITH_", "-").replace("POLY1305_SHA256", "POLY1305")
    return re.sub(r"AES_(\d+)", r"AES\1", short).replace("_", "-")


def wolfssl_suite(suite):
    return openssl_suite(suite) if "_WITH_" in suite else re.sub(r"AES(\d+)", r"TLS13-AES\1", re.sub(
        r"AES_(\d+)", r"AES\1", suite.removeprefix("TLS_"))).replace("CHACHA20", "TLS13-CHACHA20").replace("_", "-")


NSS_SUITES = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
              "TLS_RSA_WITH_AES_128_GCM_SHA256": 0x009c, "TLS_RSA_WITH_AES_256_GCM_SHA384": 0x009d,
              "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xc02c,
              "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xc02f, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": 0xc030,
              "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xcca8, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": 0xcca9}
OPENSSL_GROUPS = {"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
NSS_GROUPS = {"x25519": "x25519", "secp256r1": "P256", "secp384r1": "P384", "secp521r1": "P521"}
WOLFSSL_SCHEMES = {"rsa_pkcs1_sha256": "RSA+SHA256", "rsa_pss_rsae_sha256": "RSA-PSS+SHA256", "ecdsa_secp256r1_sha256": "ECDSA+SHA256"}
GNUTLS_SCHEMES = {"rsa_pkcs1_sha256": "RSA-SHA256", "rsa_pss_rsae_sha256": "RSA-PSS-RSAE-SHA256", "ecdsa_secp256r1_sha256": "ECDSA-SHA256"}


def same(name):
    return name


# ---- programs of others

class Openssl:
    def options(self, h):
        version = "-tls1_2" if h.version == "1.2" else "-tls1_3"
        suite = ["-cipher" if h.version == "1.2" else "-ciphersuites", openssl_suite(h.suite)] if h.suite else []
        groups = ["-groups", ":".join(map(OPENSSL_GROUPS.get, h.groups))] if h.groups else []
        return [version, *suite, *groups, *(["-sigalgs", ":".join(h.signatures)] if h.signatures else [])]

    def ask(self, h, c, port, folder):
        own = ["-cert", c.client[h.own].crt, "-key", c.client[h.own].key_file] if h.own else []
        session = folder / "session"
        run = lambda *more: converse(REQUEST, "openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
                                     "-verify_hostname", "localhost", "-verify_return_error", "-CAfile", c.servers.crt, *own,
                                     *self.options(h), *more)
        return run("-sess_out", session) + run("-sess_in", session) if h.is_resumed else run()

    def serve(self, h, c, folder):
        server = c.server[h.certificate]
        mutual = ["-Verify", "3", "-verify_return_error", "-CAfile", c.clients.crt] if h.own else []
        return running(folder, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", server.crt, "-key", server.key_file, "-www",
                       *mutual, *self.options(h))


class Gnutls:
    def priority(self, h):
        text = f"NORMAL:-VERS-ALL:+VERS-TLS{h.version}"
        if h.suite:
            cipher = re.sub(r".*?(AES_\d+_GCM|CHACHA20_POLY1305).*", r"\1", h.suite).replace("_", "-")
            exchange = re.match(r"TLS_(\w+?)_WITH_", h.suite)
            text += f":-CIPHER-ALL:+{cipher}" + (f":-KX-ALL:+{exchange[1].replace('_', '-')}" if exchange else "")
        if h.groups:
            text += ":-GROUP-ALL" + "".join(f":+GROUP-{g.upper()}" for g in h.groups)
        if h.signatures:
            text += ":-SIGN-ALL" + "".join(f":+SIGN-{GNUTLS_SCHEMES[s]}" for s in h.signatures)
        return text

    def ask(self, h, c, port, folder):
        own = ["--x509certfile", c.client[h.own].crt, "--x509keyfile", c.client[h.own].key_file] if h.own else []
        again = ["--resume", "--waitresumption"] if h.is_resumed else []
        return converse(REQUEST, "gnutls-cli", "--x509cafile", c.servers.crt, "--priority", self.priority(h), "--single-key-share", *own, *again,
                        "--verify-hostname", "localhost", "--sni-hostname", "localhost", "-p", port, "127.0.0.1")

    def serve(self, h, c, folder):
        server = c.server[h.certificate]
        mutual = ["--require-client-cert", "--verify-client-cert", "--x509cafile", c.clients.crt] if h.own else ["--disable-client-cert"]
        return running(folder, "gnutls-serv", "-p", "0", "--x509certfile", server.crt, "--x509keyfile", server.key_file,
                       "--priority", self.priority(h), "--http", *mutual)


class Nss:
    """tstclnt and selfserv, with a database of certificates each time."""

    def database(self, folder, ca, trust, own):
        subprocess.run(["certutil", "-N", "--empty-password", "-d", f"sql:{folder}"], check=True, capture_output=True)
        subprocess.run(["certutil", "-A", "-d", f"sql:{folder}", "-n", "ca", "-t", trust, "-i", ca.crt], check=True, capture_output=True)
        if own:
            converse(b"", "pk12util", "-i", own.p12, "-w", own.password_file, "-d", f"sql:{folder}")
        return f"sql:{folder}"

    def options(self, h):
        suite = ["-c", f":{NSS_SUITES[h.suite]:04X}"] if h.suite else []
        groups = ["-I", ",".join(map(NSS_GROUPS.get, h.groups))] if h.groups else []
        return ["-V", f"tls{h.version}:tls{h.version}", *suite, *groups, *(["-J", ",".join(h.signatures)] if h.signatures else [])]

    def ask(self, h, c, port, folder):
        request = folder / "request"
        request.write_bytes(REQUEST)
        own = c.client[h.own] if h.own else None
        return converse(b"", "tstclnt", "-h", "localhost", "-4", "-p", port, "-d", self.database(folder, c.servers, "C,,", own), "-A", request, "-u",
                        *(["-n", own.name] if own else []), *(["-L", 2] if h.is_resumed else []), *self.options(h))

    @contextlib.contextmanager
    def serve(self, h, c, folder):
        server = c.server[h.certificate]
        database = self.database(folder, c.clients, "T,,", server)
        nickname = "-n" if h.certificate.startswith("RSA") else "-e"
        with contextlib.ExitStack() as stack:
            command = ["selfserv", "-d", database, nickname, server.name, "-u", *(["-r", "-r"] if h.own else []), *self.options(h), "-p"]
            yield self.start(stack, folder, command)

    def start(self, stack, folder, command):
        """It listens on all addresses, where a port may be taken that is free on 127.0.0.1."""
        while True:
            try:
                return stack.enter_context(running(folder, *command, stack.enter_context(held_port())))
            except NotStarted as e:
                (folder / "output.log").unlink()
                if "address is in use" not in str(e):
                    raise


class Curl:
    def ask(self, h, c, port, folder):
        suite = ["--ciphers" if h.version == "1.2" else "--tls13-ciphers", openssl_suite(h.suite)] if h.suite else []
        groups = ["--curves", ":".join(map(OPENSSL_GROUPS.get, h.groups))] if h.groups else []
        own = ["--cert", c.client[h.own].crt, "--key", c.client[h.own].key_file] if h.own else []
        return converse(b"", "curl", "-sS4", "--noproxy", "*", "--cacert", c.servers.crt, *own, f"--tlsv{h.version}", "--tls-max", h.version,
                        *suite, *groups, *(["--sigalgs", ":".join(h.signatures)] if h.signatures else []),
                        *[f"https://localhost:{port}/interop"] * TIMES[h.is_resumed])


class Chromium:
    def ask(self, h, c, port, folder):
        try:
            browser = chromium.Browser(folder, c.servers, c.client[h.own] if h.own else None)
        except subprocess.CalledProcessError as e:
            return e.stderr.decode(errors="replace")
        return browser.page(f"https://localhost:{port}/interop", f"--ssl-version-min=tls{h.version}", f"--ssl-version-max=tls{h.version}")


# ---- small programs of ours over libraries of others

class Program:
    """COMMAND client|server NAME=VALUE…: peer.* in this folder. SUITE, GROUP and SCHEME: their names over there."""

    def __init__(self, *command, suite=same, group=same, scheme=same, groups_by=",", schemes_by=","):
        self.command, self.suite, self.group, self.scheme, self.groups_by, self.schemes_by = command, suite, group, scheme, groups_by, schemes_by

    def told(self, h, own, ca):
        values = {"version": h.version, "suite": h.suite and self.suite(h.suite), "groups": self.groups_by.join(map(self.group, h.groups)),
                  "share": h.groups[0] if h.groups and h.version == "1.3" else None,
                  "signatures": self.schemes_by.join(map(self.scheme, h.signatures)), "ca": ca and ca.crt}
        if own:
            values |= {"certificate": own.crt, "key": own.key_file, "p12": own.p12, "password": own.password}
        return [f"{name}={value}" for name, value in values.items() if value]

    def ask(self, h, c, port, folder):
        return converse(b"", *self.command, "client", f"port={port}", f"times={TIMES[h.is_resumed]}",
                        *self.told(h, c.client[h.own] if h.own else None, c.servers))

    def serve(self, h, c, folder):
        return running(folder, *self.command, "server", *self.told(h, c.server[h.certificate], c.clients if h.own else None))


def build(folder):
    """The programs that have to be compiled, into FOLDER."""
    for name, libraries in (("peer_mbedtls", ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"]), ("peer_wolfssl", ["-lwolfssl"])):
        subprocess.run(["cc", "-O1", "-o", folder / name, HERE / f"{name}.c", *libraries], check=True)
    subprocess.run(["javac", "-d", folder, HERE / "Peer.java"], check=True)


def peers(folder):
    """name → peer; `build` has been called."""
    return {
        "OpenSSL": Openssl(),
        "GnuTLS": Gnutls(),
        "NSS": Nss(),
        "wolfSSL": Program(folder / "peer_wolfssl", suite=wolfssl_suite, scheme=WOLFSSL_SCHEMES.get, schemes_by=":"),
        "Mbed TLS": Program(folder / "peer_mbedtls", suite=lambda s: s.replace("_", "-")),
        "Python": Program("/usr/bin/python3", HERE / "peer.py", suite=openssl_suite, group=OPENSSL_GROUPS.get, groups_by=":"),
        "Node": Program("node", HERE / "peer.js", suite=openssl_suite, group=OPENSSL_GROUPS.get, groups_by=":", schemes_by=":"),
        "Java": Program("java", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", "-cp", folder, "Peer"),
        "curl": Curl(),
        "Chromium": Chromium(),
    }


def versions():
    """name → version of the libraries that programs of ours stand for, and of NSS, whose tools tell none."""
    packages = {"wolfSSL": "libwolfssl-dev", "Mbed TLS": "libmbedtls-dev", "NSS": "libnss3-tools"}
    return {name: subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], check=True, capture_output=True, text=True).stdout
            for name, package in packages.items()}


# ---- what they lack: each run asks for it all the same, and sees what is said then

CLIENTS, SERVERS, BOTH = ["clients"], ["servers"], ["clients", "servers"]


def is_13(h):
    return h.version == "1.3"


def shows_pss(h):
    return "RSA-PSS" in (h.certificate, h.own)


def server_is_rare(h):
    return h.certificate in ("Ed25519", "RSA-PSS")


def client_is_rare(h):
    return h.own in ("Ed25519", "RSA-PSS")


def transports_rsa(h):
    return bool(h.suite) and h.suite.startswith(NO_DH)


# peer → where it is the other end, in which handshakes, what is said there: by it, or in the access log
LACKS = {
    "NSS": [(CLIENTS, server_is_rare, "SSL_ERROR_NO_CYPHER_OVERLAP"),
            (CLIENTS, client_is_rare, "Failed to load a suitable client certificate"),
            (SERVERS, server_is_rare, "Can't find certificate|The peer used an unsupported combination of signature and hash algorithm"),
            (SERVERS, client_is_rare, "Unable to find the certificate or key necessary for authentication")],
    "wolfSSL": [(BOTH, transports_rsa, r"AES\d+-GCM-SHA\d+: refused"),
                (SERVERS, lambda h: not is_13(h) and h.group not in (None, "x25519"), "'group': 'x25519'"),
                (SERVERS, lambda h: not is_13(h) and h.own in ("RSA", "RSA-PSS"), "peer did not return a certificate"),
                (CLIENTS, shows_pss, "received alert fatal error|The security parameter is invalid|Setting Cert AlgoID error"),
                (SERVERS, shows_pss, r"(?<='detail': ')[^']+")],
    "Mbed TLS": [(BOTH, is_13, "the newest version of this library is 1.2"),
                 (CLIENTS, server_is_rare, "A fatal alert message was received from our peer"),
                 (SERVERS, client_is_rare, "connection: -0x7480"),
                 (CLIENTS, client_is_rare, r"Key algorithm is unsupported \(only RSA and EC are supported\)"),
                 (SERVERS, server_is_rare, r"Key algorithm is unsupported \(only RSA and EC are supported\)"),
                 (BOTH, lambda h: h.signature == "rsa_pss_rsae_sha256", "this library signs RSA in TLS with PKCS #1 only")],
    "Python": [(BOTH, lambda h: is_13(h) and h.suite, "'SSLContext' object has no attribute 'set_ciphersuites'"),
               (BOTH, lambda h: h.group, "'SSLContext' object has no attribute 'set_groups'"),
               (BOTH, lambda h: h.signature, "'SSLContext' object has no attribute 'set_sigalgs'")],
    "curl": [(CLIENTS, lambda h: h.signature, "option --sigalgs: is unknown")],
    "Chromium": [(CLIENTS, lambda h: h.certificate == "P-521" or server_is_rare(h), "net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH|net::ERR_SOCKET_NOT_CONNECTED"),
                 (CLIENTS, client_is_rare, "PKCS12 decode import bags failed|net::ERR_BAD_SSL_CLIENT_AUTH_CERT|net::ERR_SOCKET_NOT_CONNECTED")],
}


def lacking(name, table, h):
    """What is known to be said where NAME is asked for H; None: it can do that."""
    return next((said for where, which, said in LACKS.get(name, ()) if table in where and which(h)), None)


def is_left_open(h):
    """In TLS 1.2 the groups that a client offers are also the curves that certificates may have (RFC 8422 §5.1), and secp521r1 is none of
    our groups. Some hold to that, some do not; libssl, of our engines, does."""
    return "P-521" in (h.certificate, h.own) and not is_13(h)
