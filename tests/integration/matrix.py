# SPDX-License-Identifier: Apache-2.0
"""The certificates of the matrices, and what is to be said of each."""
import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki import CA, DAY, new_key

HOUR = datetime.timedelta(hours=1)

# case → (reason, alert under TLS 1.3, as OpenSSL's clients name it)
REFUSED = {
    "expired": ("expired", "CERTIFICATE_EXPIRED"),
    "not_yet_valid": ("not_yet_valid", "CERTIFICATE_EXPIRED"),
    "revoked": ("revoked", "CERTIFICATE_REVOKED"),
    "revoked_intermediate": ("revoked", "CERTIFICATE_REVOKED"),
    "unknown_ca": ("untrusted", "UNKNOWN_CA"),
    "self_signed": ("untrusted", "UNKNOWN_CA"),
    "wrong_purpose": ("wrong_usage", "UNSUPPORTED_CERTIFICATE"),
}


class Cases:
    """One PKI with a certificate of USAGE for each case, under a root and an intermediate; every CRL but `stale` is fresh."""

    def __init__(self, pki, usage, name):
        other = "server" if usage == "client" else "client"
        sans = ["DNS:localhost", "IP:127.0.0.1"] if usage == "server" else None
        self.root = pki.ca(name)
        self.middle = pki.ca(f"{name}-middle", issuer=self.root)
        self.revoked_middle = pki.ca(f"{name}-revoked-middle", issuer=self.root)
        self.stale_ca = pki.ca(f"{name}-stale")
        self.strangers = pki.ca("strangers")
        leaf = lambda ca, case, **kw: ca.issue(f"{name}-{case}", kw.pop("usage", usage), kw.pop("sans", sans), **kw)
        self.certificates = {
            "good": leaf(self.root, "good"),
            "good_chain": leaf(self.middle, "good-chain"),
            "expired": leaf(self.root, "expired", not_before=-3 * DAY, not_after=-DAY),
            "not_yet_valid": leaf(self.root, "future", not_before=DAY, not_after=3 * DAY),
            "revoked": leaf(self.root, "revoked"),
            "revoked_intermediate": leaf(self.revoked_middle, "under-revoked"),
            "unknown_ca": leaf(self.strangers, "stranger"),
            "self_signed": self.self_signed(pki, name, sans),
            "wrong_purpose": leaf(self.root, "purpose", usage=other),
            "wrong_name": leaf(self.root, "name", sans=["DNS:other.test"]),
            "stale_crl": leaf(self.stale_ca, "under-stale"),
        }
        self.root.crl(self.certificates["revoked"], self.revoked_middle)
        self.middle.crl()
        self.revoked_middle.crl()
        self.stale_ca.crl(this_update=-3 * DAY, next_update=-2 * HOUR)

    @staticmethod
    def self_signed(pki, name, sans):
        """A leaf whose issuer is itself."""
        shell = CA.__new__(CA)
        shell.folder, shell.issuer, shell.key = pki.folder, None, new_key()
        shell.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}-self")])
        return shell.issue(f"{name}-self", "server" if sans else "client", sans, own=shell.key)

    def crls(self):
        return [ca.crl_file for ca in (self.root, self.middle, self.revoked_middle, self.stale_ca)]

    def cas(self):
        return [self.root.crt, self.stale_ca.crt]
