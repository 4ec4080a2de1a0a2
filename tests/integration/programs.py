# SPDX-License-Identifier: Apache-2.0
"""TLS programs of others: servers (openssl s_server, gnutls-serv) that run on a port of the kernel's choice."""
import contextlib
import pathlib
import socket
import subprocess

from instance import until

# A kind of handshake: the version, and how the key is agreed on.
MODES = ["1.2", "1.3", "rsa"]
OPENSSL = {"1.2": ["-tls1_2"], "1.3": ["-tls1_3"], "rsa": ["-tls1_2", "-cipher", "AES256-GCM-SHA384"]}
GNUTLS = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
          "rsa": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA"}


def listening_port(pid):
    """The port that the process PID listens on, for IPv4 or for both families, or None while it does not."""
    inodes = set()
    with contextlib.suppress(OSError):
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(str(fd.readlink()))
    for line in [line for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rsplit(":", 1)[1], 16)
    return None


@contextlib.contextmanager
def held_port():
    """A port for a server that takes no 0: a socket that is bound and never listens keeps it from everybody who did not ask for it."""
    with socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", 0))
        yield holding.getsockname()[1]


class NotStarted(AssertionError):
    """The server ended before it listened; the text is what it said."""


class Server:
    def __init__(self, process, log):
        self.process, self.log = process, log
        self.port = until(lambda: listening_port(process.pid) or process.poll() is not None, lambda: f"a port: {self.said()}")
        if process.poll() is not None:
            raise NotStarted(self.said())

    def said(self):
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def server(folder, *command):
    log = folder / f"{pathlib.Path(command[0]).name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=out, stderr=out)
    try:
        yield Server(process, log)
    finally:
        process.kill()
        process.communicate()


def openssl_server(folder, certificate, mode="1.3", client_ca=None, crl=None, answer="-rev", more=()):
    """It sends every line back reversed, or with ANSWER "-www" a page."""
    mutual = ["-Verify", "3", "-verify_return_error", "-CAfile", client_ca.crt] if client_ca else []
    crls = ["-crl_check", "-CRL", crl] if crl else []
    return server(folder, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.crt, "-cert_chain", certificate.crt,
                  "-key", certificate.key_file, *OPENSSL[mode], *mutual, *crls, answer, *more)


def gnutls_server(folder, certificate, mode="1.3", client_ca=None, crl=None, answer="--echo", more=()):
    """It sends everything back, or with ANSWER "--http" a page."""
    mutual = ["--require-client-cert", "--verify-client-cert", "--x509cafile", client_ca.crt] if client_ca else ["--disable-client-cert"]
    crls = ["--x509crlfile", crl] if crl else []
    return server(folder, "gnutls-serv", "-p", "0", "--x509certfile", certificate.crt, "--x509keyfile", certificate.key_file,
                  "--priority", GNUTLS[mode], *mutual, *crls, answer, *more)


SERVERS = {"openssl": openssl_server, "gnutls": gnutls_server}
