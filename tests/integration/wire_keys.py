# SPDX-License-Identifier: Apache-2.0
"""What protects TLS, computed anew for wire.py: suites, the key derivation of both versions, signatures, records."""
import dataclasses
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

TLS12, TLS13 = 0x0303, 0x0304


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    aead: type
    key_bytes: int
    hash: str

    @property
    def iv_bytes(self):
        """What is derived for nonces in TLS 1.2: GCM sends the rest of its nonce (RFC 5288 §3), ChaCha20 does not (RFC 7905 §2)."""
        return 4 if self.aead is AESGCM else 12


SUITES = {
    0x009C: Suite("TLS_RSA_WITH_AES_128_GCM_SHA256", AESGCM, 16, "sha256"),
    0x009D: Suite("TLS_RSA_WITH_AES_256_GCM_SHA384", AESGCM, 32, "sha384"),
    0x1301: Suite("TLS_AES_128_GCM_SHA256", AESGCM, 16, "sha256"),
    0x1302: Suite("TLS_AES_256_GCM_SHA384", AESGCM, 32, "sha384"),
    0x1303: Suite("TLS_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, 32, "sha256"),
    0xC02B: Suite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", AESGCM, 16, "sha256"),
    0xC02C: Suite("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", AESGCM, 32, "sha384"),
    0xC02F: Suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", AESGCM, 16, "sha256"),
    0xC030: Suite("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", AESGCM, 32, "sha384"),
    0xCCA8: Suite("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, 32, "sha256"),
    0xCCA9: Suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, 32, "sha256"),
}


def prf(suite, secret, label, seed, n):
    """RFC 5246 §5"""
    seed, out = label + seed, b""
    a = seed
    while len(out) < n:
        a = hmac.digest(secret, a, suite.hash)
        out += hmac.digest(secret, a + seed, suite.hash)
    return out[:n]


def expand_label(suite, secret, label, n):
    """HKDF-Expand-Label with an empty context (RFC 8446 §7.1); one block of HKDF is enough for every key, iv and finished_key."""
    label = b"tls13 " + label
    info = n.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.digest(secret, info + b"\x01", suite.hash)[:n]


def _ecdsa(hash):
    return ec.EllipticCurvePublicKey, lambda key, s, data: key.verify(s, data, ec.ECDSA(hash))


def _pss(hash):
    return rsa.RSAPublicKey, lambda key, s, data: key.verify(s, data, padding.PSS(padding.MGF1(hash), hash.digest_size), hash)


def _pkcs1(hash):
    return rsa.RSAPublicKey, lambda key, s, data: key.verify(s, data, padding.PKCS1v15(), hash)


SCHEMES = {0x0403: _ecdsa(hashes.SHA256()), 0x0503: _ecdsa(hashes.SHA384()), 0x0603: _ecdsa(hashes.SHA512()),
           0x0804: _pss(hashes.SHA256()), 0x0805: _pss(hashes.SHA384()), 0x0806: _pss(hashes.SHA512()),
           0x0401: _pkcs1(hashes.SHA256()), 0x0501: _pkcs1(hashes.SHA384()), 0x0601: _pkcs1(hashes.SHA512()),
           0x0807: (ed25519.Ed25519PublicKey, lambda key, s, data: key.verify(s, data))}


def is_signed(key, scheme, signature, data):
    """Does the public KEY verify the SIGNATURE on DATA?"""
    kind, verify = SCHEMES[scheme]
    if not isinstance(key, kind):
        return False
    try:
        verify(key, signature, data)
    except InvalidSignature:
        return False
    return True


class Protection:
    """One direction under one key. TLS 1.2 with GCM carries half of its nonce (RFC 5288 §3); the others count (RFC 8446 §5.3)."""

    def __init__(self, version, suite, key, iv):
        self.version, self.aead, self.iv, self.sequence = version, suite.aead(key), iv, 0

    def open(self, record):
        """(content type, plaintext)"""
        number, body = self.sequence.to_bytes(8, "big"), record.body
        self.sequence += 1
        if len(self.iv) == 4:
            nonce, body = self.iv + body[:8], body[8:]
        else:
            nonce = bytes(a ^ b for a, b in zip(self.iv, number.rjust(12, b"\0")))
        if self.version == TLS13:
            inner = self.aead.decrypt(nonce, body, record.header).rstrip(b"\0")
            return inner[-1], inner[:-1]
        length = (len(body) - 16).to_bytes(2, "big")
        return record.type, self.aead.decrypt(nonce, body, number + record.header[:3] + length)
