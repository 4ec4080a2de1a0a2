# SPDX-License-Identifier: Apache-2.0
"""The certificates of these tests, made by the commands that an operator would type."""
from instance import run


def command(folder, *args):
    done = run("pki", *args, cwd=folder)
    assert done.returncode == 0, done.stderr


class Certificate:
    """The files of one certificate: .crt, .key_file, and .p12 with .password_file."""

    def __init__(self, folder, name):
        self.crt, self.key_file, self.p12 = (folder / f"{name}.{suffix}" for suffix in ("crt", "key", "p12"))
        self.password_file = folder / "password"

    def yaml(self):
        return f"{{certificate: {self.crt}, key: {self.key_file}}}"


class OurPKI:
    """A folder per CA. Under `servers` and `clients` one certificate is good and one revoked; `strangers` issued one of each kind."""

    def __init__(self, folder):
        folder.chmod(0o755)
        self.folder = folder
        for name in ("servers", "clients", "strangers"):
            (folder / name).mkdir()
            (folder / name / "password").write_text("open sesame\n")
            command(folder, "ca", "--dir", name, "--name", f"{name} CA", "--days", "3")
        self.server, self.revoked_server = self.issue("servers", "server", "good"), self.issue("servers", "server", "revoked")
        self.good, self.revoked = self.issue("clients", "client", "good"), self.issue("clients", "client", "revoked")
        self.strange_server, self.stranger = self.issue("strangers", "server", "host"), self.issue("strangers", "client", "guest")
        for name in ("servers", "clients"):
            command(folder, "revoke", "--dir", name, f"{name}/revoked.crt")

    def issue(self, ca, kind, name):
        names = ["DNS:localhost", "IP:127.0.0.1"] if kind == "server" else [f"DNS:{name}.example"]
        more = ["--p12", "--password-file", f"{ca}/password"] if kind == "client" else []
        command(self.folder, kind, "--dir", ca, "--out", name, "--days", "2", *[a for n in names for a in ("--name", n)], *more)
        return Certificate(self.folder / ca, name)

    def ca(self, name):
        return Certificate(self.folder / name, "ca")

    def crl(self, name):
        return self.folder / name / "ca.crl"
