# SPDX-License-Identifier: Apache-2.0
"""Input files for the commands, made by hand: OCSP answers, bundles, damaged ones; and what a command must never do."""
import datetime
import json
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import instance
from pki import CA, DAY, NOW, hash_for

STATUS = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED, "unknown": ocsp.OCSPCertStatus.UNKNOWN}
CLEAN = ("Sanitizer", "runtime error", "ASSERT")


def command(*args, **kw):
    """The program, to its end; it must have ended by itself, without a sanitizer's report."""
    done = instance.run(*args, **kw)
    assert done.returncode in (0, 1, 2), (done.returncode, done.stderr)
    assert not any(word in done.stderr for word in CLEAN), done.stderr
    return done


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pem(*certificates):
    return b"".join(c.cert.public_bytes(serialization.Encoding.PEM) for c in certificates)


def ocsp_answer(path, certificate, issuer, status="good", signer=None, this_update=-DAY / 24, next_update=DAY, digest=None,
                send_signer=False):
    """An OCSP response about CERTIFICATE, signed by SIGNER (default: ISSUER itself), in DER."""
    signer = signer or issuer
    revoked = status == "revoked"
    b = ocsp.OCSPResponseBuilder().add_response(
        certificate.cert, issuer.cert, digest or hashes.SHA1(), STATUS[status], NOW + this_update,
        NOW + next_update if next_update is not None else None, NOW - DAY / 2 if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None)
    b = b.responder_id(ocsp.OCSPResponderEncoding.NAME, signer.cert)
    if send_signer:
        b = b.certificates([signer.cert])
    return write(path, b.sign(signer.key, hash_for(signer.key)).public_bytes(serialization.Encoding.DER))


def for_pss(folder, ca, name, usage, *restriction):
    """A certificate of CA whose key is for RSASSA-PSS only (RFC 4055), which `cryptography` does not make; as (.crt, .key)."""
    crt, key, csr = (folder / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
    extensions = folder / f"{name}.cnf"
    extensions.write_text(f"subjectAltName=DNS:{name}.test\nextendedKeyUsage={usage}\nkeyUsage=digitalSignature\n")
    options = [o for r in ("rsa_keygen_bits:2048", *restriction) for o in ("-pkeyopt", r)]
    for command in (["req", "-new", "-newkey", "rsa-pss", *options, "-nodes", "-keyout", key, "-subj", f"/CN={name}", "-out", csr],
                    ["x509", "-req", "-in", csr, "-CA", ca.crt, "-CAkey", ca.key_file, "-days", "2", "-extfile", extensions, "-out", crt]):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    return crt, key


def rename(der, old, new):
    """DER with one text for another of the same length: the signature no longer fits."""
    assert len(old) == len(new) and der.count(old)
    return der.replace(old, new)


def acting_as_ca(folder, certificate):
    """An issuer that has this certificate's name and key, whatever the certificate allows."""
    shell = CA.__new__(CA)
    shell.folder, shell.key, shell.subject, shell.cert = folder, certificate.key, certificate.cert.subject, certificate.cert
    shell.issuer, shell.name = None, certificate.name
    return shell


def json_lines(text):
    return [json.loads(line) for line in text.split("\n") if line]


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


HOUR = datetime.timedelta(hours=1)
