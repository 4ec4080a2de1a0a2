# SPDX-License-Identifier: Apache-2.0
"""CRLs on a listener: what a reload brings, what a CA's own policy means, and a list that is large (peers.md T25, T27)."""
import hashlib
import os
import pathlib
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

import peers
from files import HOUR
from pki import DAY, NOW, PKI, tlv


@pytest.fixture
def ca(tmp_path):
    """A CA of its own for each test, for its CRLs are changed."""
    tmp_path.chmod(0o755)
    return PKI(tmp_path).ca("members")


def config(pki, ca, revocation, target, more_ca=()):
    trusted = ", ".join(str(c.crt) for c in (ca, *more_ca))
    return f"""listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: mutual
    client_ca: [{trusted}]
    revocation: {revocation}
    certificates: [{pki.server.yaml()}]
    rules: [{{domain: localhost, target_group: web}}]
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{target.port}'}}]}}]
access_log: {{file: access.log}}
workers: 1
"""


def verdict(instance, pki, client):
    """The reason under which CLIENT is let in or refused, and the detail about revocation."""
    mark = instance.mark()
    try:
        peers.get(instance.port("web"), pki.ca("servers"), client)
    except (peers.Refused, OSError):
        pass
    peer = instance.line(lambda line: line.get("peer"), since=mark)["peer"]
    return peer["reason"], peer["factors"]["revocation"]["detail"]


def test_an_older_crl_does_not_replace_the_one_in_force(lb, pki, ca, target):
    revoked, free = ca.issue("revoked"), ca.issue("free")
    ca.crl()
    old = ca.crl_file.read_bytes()
    ca.crl(revoked)
    instance = lb(config(pki, ca, f"{{crl: [{ca.crl_file}]}}", target()))
    assert verdict(instance, pki, revoked)[0] == "revoked"
    ca.crl_file.write_bytes(old)
    for _ in range(2):  # it stays in force for as long as nothing newer comes
        said = instance.reload()
        assert re.search(r"members.crl: CRL 1 of CN=members is older than CRL 2, which is in force and stays", said), said
        reason, detail = verdict(instance, pki, revoked)
        assert reason == "revoked" and "CRL 2 of CN=members" in detail
        assert verdict(instance, pki, free)[0] == "accepted"
    ca.crl()
    assert "is older than" not in instance.reload()
    assert verdict(instance, pki, revoked) == ("accepted", f"CRL 3 of CN=members until {NOW + 2 * DAY:%Y-%m-%dT%H:%M:%SZ}")


def test_a_ca_has_a_policy_of_its_own(lb, pki, ca, target):
    legacy = PKI(ca.folder).ca("legacy")
    for each in (ca, legacy):
        each.crl(next_update=-HOUR)
    revocation = f"{{crl: [{ca.crl_file}, {legacy.crl_file}], per_ca: [{{issuer: CN=legacy, policy: soft}}]}}"
    instance = lb(config(pki, ca, revocation, target(), [legacy]))
    assert verdict(instance, pki, ca.issue("member"))[0] == "revocation_unknown"
    assert verdict(instance, pki, legacy.issue("elder"))[0] == "accepted"


def test_a_delta_crl_with_its_base(lb, pki, ca, target):
    revoked, free = ca.issue("revoked"), ca.issue("free")
    ca.crl(next_update=-HOUR)  # the delta brings it up to date
    delta = ca.crl(revoked, file=ca.folder / "delta.crl", extensions=[(x509.DeltaCRLIndicator(1), True)])
    instance = lb(config(pki, ca, f"{{crl: [{ca.crl_file}, {delta}]}}", target()))
    reason, detail = verdict(instance, pki, free)
    assert reason == "accepted" and detail.startswith("CRL 1 and delta 2 of CN=members until "), detail
    reason, detail = verdict(instance, pki, revoked)
    assert reason == "revoked" and detail.endswith("CRL 2 of CN=members"), detail


def large_crl(ca, *revoked, n):
    """Like CA.crl, with N others before those that are REVOKED: by hand, because libraries take minutes for it."""
    date = tlv(0x17, (NOW - DAY).strftime("%y%m%d%H%M%SZ").encode())
    serials = [b"\x01" + hashlib.sha256(i.to_bytes(8, "big")).digest()[:19] for i in range(n)]
    entries = b"".join(b"\x30\x25\x02\x14" + s + date for s in serials)
    for c in revoked:
        serial = c.cert.serial_number
        entries += tlv(0x30, tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big")), date)
    ca.number += 1
    algorithm = tlv(0x30, tlv(6, b"\x2a\x86\x48\xce\x3d\x04\x03\x02"))
    number = tlv(0x30, tlv(6, b"\x55\x1d\x14"), tlv(4, tlv(2, bytes([ca.number]))))
    tbs = tlv(0x30, tlv(2, b"\1"), algorithm, ca.subject.public_bytes(), date,
              tlv(0x17, (NOW + DAY).strftime("%y%m%d%H%M%SZ").encode()), tlv(0x30, entries), tlv(0xa0, tlv(0x30, number)))
    der = tlv(0x30, tbs, algorithm, tlv(3, b"\0" + ca.key.sign(tbs, ec.ECDSA(hashes.SHA256()))))
    assert x509.load_der_x509_crl(der).public_bytes(Encoding.DER) == der
    ca.crl_file.write_bytes(der)


def private_memory(pid):
    """Bytes that PID has written to and has for itself."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) * 1024 for kb in re.findall(r"^Private_Dirty: +(\d+) kB", text, re.M))


def test_a_large_crl_is_shared_by_the_workers(lb, pki, ca, target):
    revoked, free = ca.issue("revoked"), ca.issue("free")
    ca.crl()
    # What the generation before had is given back, and not kept by the sanitizer.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    instance = lb(config(pki, ca, f"{{crl: [{ca.crl_file}]}}", target()), env={"ASAN_OPTIONS": options})
    assert verdict(instance, pki, free)[0] == "accepted"
    worker, = instance.pids("worker")
    before = private_memory(worker)
    n = 400_000
    large_crl(ca, revoked, n=n)
    instance.reload()
    assert verdict(instance, pki, revoked)[0] == "revoked"
    assert verdict(instance, pki, free)[0] == "accepted"
    index = 24 * n  # at least: the octets of a serial, and four
    assert private_memory(worker) - before < index / 2
