# SPDX-License-Identifier: Apache-2.0
"""A PKI per run: CAs, certificates and CRLs of every kind, good and bad. Nothing is committed, nothing lasts a week."""
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)
USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
KINDS = {"DNS": x509.DNSName, "EMAIL": x509.RFC822Name, "URI": x509.UniformResourceIdentifier,
         "IP": lambda v: x509.IPAddress(ipaddress.ip_address(v))}


def new_key(kind="ec"):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "rsa1024":
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"ec": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def general_name(text):
    kind, _, value = text.partition(":")
    return KINDS[kind](value)


def tlv(tag, *content):
    """DER by hand, for what no library agrees to write."""
    content = b"".join(content)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


# GeneralName, RFC 5280 §4.2.1.6: the value as raw bytes
RAW_KINDS = {
    "OTHER": lambda v: tlv(0xa0, tlv(6, b"\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"), tlv(0xa0, tlv(12, v))),  # userPrincipalName
    "EMAIL": lambda v: tlv(0x81, v),
    "DNS": lambda v: tlv(0x82, v),
    "DIRECTORY": lambda v: tlv(0xa4, tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03"), tlv(12, v))))),  # CN=
    "URI": lambda v: tlv(0x86, v),
    "IP": lambda v: tlv(0x87, v),
}


def raw_san(kind, value):
    """A subjectAltName with one name of KIND, for `issue(raw_san=…)`."""
    return tlv(0x30, RAW_KINDS[kind](value))


def hash_for(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


class Certificate:
    """A certificate with its key, as files NAME.crt and NAME.key in the PKI's folder; .crt holds the chain without root."""

    def __init__(self, folder, name, cert, key, chain=()):
        self.name, self.cert, self.key = name, cert, key
        self.crt, self.key_file = folder / f"{name}.crt", folder / f"{name}.key"
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (cert, *chain))
        self.crt.write_bytes(pem)
        self.key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                    serialization.NoEncryption()))
        self.key_file.chmod(0o600)

    @property
    def der(self):
        return self.cert.public_bytes(serialization.Encoding.DER)

    @property
    def serial(self):
        return f"{self.cert.serial_number:x}"

    def yaml(self):
        return f"{{certificate: {self.crt}, key: {self.key_file}}}"


class CA(Certificate):
    def __init__(self, folder, name, issuer=None, key="ec", path_length=None, subject=None, not_before=-2 * DAY, not_after=5 * DAY,
                 key_object=None, extra=()):
        own = key_object or new_key(key)
        self.folder, self.issuer, self.number = folder, issuer, 0
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or name)])
        b = self._builder(self.subject, own, issuer, not_before, not_after)
        b = b.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        b = b.add_extension(x509.KeyUsage(*[n in ("key_cert_sign", "crl_sign") for n in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")]), critical=True)
        for extension, critical in extra:
            b = b.add_extension(extension, critical)
        signer = issuer.key if issuer else own
        cert = b.sign(signer, hash_for(signer))
        super().__init__(folder, name, cert, own, issuer.chain if issuer else ())
        self.crl_file = folder / f"{name}.crl"

    @property
    def chain(self):
        """What a leaf of this CA has to send along: everything up to, but without, the root."""
        return (self.cert, *self.issuer.chain) if self.issuer else ()

    def _builder(self, subject, key, issuer, not_before, not_after):
        b = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
        b = b.public_key(key.public_key()).serial_number(x509.random_serial_number())
        b = b.not_valid_before(NOW + not_before).not_valid_after(NOW + not_after)
        b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        signer = issuer.key if issuer else key
        return b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)

    def issue(self, name, usage="client", sans=None, key="ec", not_before=-DAY, not_after=2 * DAY, cn=None, raw_san=None,
              extra=(), key_usage=("digital_signature", "key_encipherment"), is_ca=False, own=None, subject=None):
        """A leaf. SANS as "DNS:x", …; RAW_SAN is a ready extension value. EXTRA: (extension, critical) pairs. OWN: its key.
        SUBJECT: a whole name, instead of CN."""
        own = own or new_key(key)
        subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn or name)])
        b = self._builder(subject, own, self, not_before, not_after)
        b = b.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
        usages = [n in key_usage and (n != "key_encipherment" or key.startswith("rsa")) for n in names]
        b = b.add_extension(x509.KeyUsage(*usages), critical=True)
        if usage:
            b = b.add_extension(x509.ExtendedKeyUsage([USAGES[u] for u in usage.split("+")]), critical=False)
        if raw_san is not None:
            b = b.add_extension(x509.UnrecognizedExtension(x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, raw_san), critical=False)
        else:
            sans = [f"DNS:{name}.example"] if sans is None else sans
            if sans:
                b = b.add_extension(x509.SubjectAlternativeName([general_name(s) for s in sans]), critical=False)
        for extension, critical in extra:
            b = b.add_extension(extension, critical)
        return Certificate(self.folder, name, b.sign(self.key, hash_for(self.key)), own, self.chain)

    def crl(self, *revoked, this_update=-DAY, next_update=2 * DAY, file=None, reason=x509.ReasonFlags.key_compromise,
            extensions=()):
        """Write (and return the path of) a CRL that lists these certificates; its number grows with each."""
        self.number += 1
        b = x509.CertificateRevocationListBuilder().issuer_name(self.subject).last_update(NOW + this_update)
        b = b.next_update(NOW + next_update).add_extension(x509.CRLNumber(self.number), critical=False)
        for extension, critical in extensions:
            b = b.add_extension(extension, critical)
        for c in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(c.cert.serial_number).revocation_date(NOW - DAY / 2)
            b = b.add_revoked_certificate(entry.add_extension(x509.CRLReason(reason), critical=False).build())
        path = pathlib.Path(file) if file else self.crl_file
        data = b.sign(self.key, hash_for(self.key)).public_bytes(serialization.Encoding.PEM)
        scratch = path.with_suffix(path.suffix + ".new")
        scratch.write_bytes(data)
        scratch.rename(path)
        return path


class PKI:
    """A folder of CAs by name."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.cas = {}

    def ca(self, name, **kw):
        if name not in self.cas:
            self.cas[name] = CA(self.folder, name, **kw)
        return self.cas[name]
