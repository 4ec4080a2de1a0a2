# SPDX-License-Identifier: Apache-2.0
"""A target hears who the client is from us alone, and hears it exactly (peers.md T28, T31)."""
import base64
import hashlib
import io
import json
import os
import pathlib
import re
import socket

import pytest
from cryptography import x509

import peers
from instance import Instance

IDENTITY = ("Client-Cert", "Client-Cert-Chain", "X-Client-Cert-Subject", "X-Client-Cert-Sha256", "X-Client-Cert-Verified")
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP")
FUTURE = ("Client-Cert-Verified", "X-Client-Cert-Issuer", "X-Client-Cert-")  # not ours yet, but of our family
SPELLINGS = {
    "itself": lambda n: n,
    "lower": str.lower,
    "upper": str.upper,
    "mixed": str.swapcase,
    "underscores": lambda n: n.replace("-", "_"),
    "upper_underscores": lambda n: n.replace("-", "_").upper(),
    "dots": lambda n: n.replace("-", "."),
    "one_underscore": lambda n: n[::-1].replace("-", "_", 1)[::-1],
    "one_dot": lambda n: n.replace("-", ".", 1),
    "other_token_bytes": lambda n: n.replace("-", "~"),
}
LISTENERS = {"http": None, "one_way": None, "mutual": "good", "optional": None, "optional_shown": "good"}

class Tap(io.RawIOBase):
    """The reading side of a connection, which keeps in target.raw what passes."""

    def __init__(self, target, connection):
        self.target, self.connection, self.sendall = target, connection, connection.sendall

    def readable(self):
        return True

    def readinto(self, into):
        n = self.connection.recv_into(into)
        self.target.raw += into[:n]
        return n

    def makefile(self, mode):
        return io.BufferedReader(self)


def tapped_echo(target, connection):
    peers.http_echo(target, Tap(target, connection))


each_listener = pytest.mark.parametrize("listener", LISTENERS)


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    web = peers.Target(tapped_echo)
    web.raw = b""
    rules = "rules: [{domain: localhost, target_group: web}]"
    ca = f"client_ca: [{pki.ca('clients').crt}]"
    listeners = f"listeners:\n  - {{name: http, protocol: HTTP, address: '127.0.0.1:0', {rules}}}"
    for name, how in (("one_way", "one-way"), ("mutual", f"mutual, {ca}"), ("optional", f"optional, {ca}")):
        listeners += (f"\n  - {{name: {name}, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], "
                      f"authentication: {how}, {rules}}}")
    config = (f"{listeners}\ntarget_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]"
              f"\naccess_log: {{file: access.log}}\nworkers: 1\n")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("identity")), config)
    instance.web = web
    yield instance
    assert b"forged" not in web.raw  # also of what was refused in the middle
    instance.check()
    web.close()


def connect(world, pki, listener, certificate=None, version=None):
    certificate = certificate or (LISTENERS[listener] and pki.good)
    port = world.port(listener.removesuffix("_shown"))
    if listener == "http":
        return socket.create_connection(("127.0.0.1", port), 10)
    return peers.connect(port, peers.client_context(pki.ca("servers"), certificate, version))


def told_by(connection, fields, body=b"", method="GET"):
    """What the target got of a request with these FIELDS (a list of lines)."""
    head = "\r\n".join([f"{method} / HTTP/1.1", "Host: localhost", *fields]) + "\r\n\r\n"
    status, _, answer = peers.ask(connection, head.encode("latin-1") + body)
    return status, (json.loads(answer) if status == 200 else None)


def ours(told):
    """name → values, of the fields that speak of the client."""
    found = {}
    for name, value in told["headers"]:
        if re.sub("[^a-z0-9]", "-", name.lower()).startswith(("client-cert", "x-client-cert", "x-forwarded-", "x-real-ip")):
            found.setdefault(name, []).append(value)
    return found


def truth(listener, pki):
    expected = {"X-Forwarded-For": ["127.0.0.1"], "X-Real-IP": ["127.0.0.1"],
                "X-Forwarded-Proto": ["http" if listener == "http" else "https"]}
    if LISTENERS[listener]:
        expected |= {"Client-Cert": [f":{base64.b64encode(pki.good.der).decode()}:"], "X-Client-Cert-Subject": ["CN=good"],
                     "X-Client-Cert-Sha256": [hashlib.sha256(pki.good.der).hexdigest()], "X-Client-Cert-Verified": ["accepted"]}
    elif listener == "optional":
        expected |= {"X-Client-Cert-Verified": ["none"]}
    return expected


def hears_the_truth(world, pki, listener, status, told):
    assert status == 200 and "forged" not in json.dumps(told), told
    assert ours(told) == truth(listener, pki)


# ---- T28 ----

@each_listener
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_t28_what_a_client_says_of_itself_does_not_arrive(world, pki, listener, spelling):
    spell = SPELLINGS[spelling]
    with connect(world, pki, listener) as connection:
        for name in (*IDENTITY, *FORWARDED, *FUTURE):
            forged = f"{spell(name)}: forged"
            for fields in ([forged], [forged, forged], [f"{name}: forged", forged], ["X-Other: 1", forged, "X-Another: 2"]):
                hears_the_truth(world, pki, listener, *told_by(connection, fields))
        hears_the_truth(world, pki, listener, *told_by(connection, [f"{spell(n)}: forged" for n in (*IDENTITY, *FORWARDED, *FUTURE)]))


@each_listener
def test_t28_other_fields_do_arrive(world, pki, listener):
    """Without this the tests around it would show nothing."""
    fields = ["X-Other: kept", "Client-Certificate: kept", "X-Client: kept", "X-Forwarded-Host: kept", "XClientCertVerified: kept"]
    with connect(world, pki, listener) as connection:
        _, told = told_by(connection, fields)
    assert all(field.split(": ") in told["headers"] for field in fields)


@each_listener
@pytest.mark.parametrize("value", ["", " ", "accepted", ":AAAA:", "forged\tforged", "\xff\xfe"])
def test_t28_whatever_the_value(world, pki, listener, value):
    with connect(world, pki, listener) as connection:
        for name in IDENTITY:
            status, told = told_by(connection, [f"{name}: {value}", f"{name.replace('-', '_')}: {value}"])
            assert status == 200 and ours(told) == truth(listener, pki)


@each_listener
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_t28_not_as_a_trailer_either(world, pki, listener, spelling):
    for name in (*IDENTITY, *FORWARDED, *FUTURE):
        trailer = f"{SPELLINGS[spelling](name)}: forged"
        fields = ["Transfer-Encoding: chunked", f"Trailer: {SPELLINGS[spelling](name)}"]
        body = f"4\r\nseen\r\n0\r\n{trailer}\r\nX-Checksum: kept\r\n\r\n".encode()
        with connect(world, pki, listener) as connection:
            status, told = told_by(connection, fields, body, "POST")
        assert b"forged" not in world.web.raw
        if status == 400:  # RFC 9440 §2.2, §2.3: these "MUST NOT" be trailers
            assert name.lower() in ("client-cert", "client-cert-chain")
            continue
        assert status == 200 and told["body"] == "seen" and ours(told) == truth(listener, pki)
        assert not told["trailers"] or told["trailers"] == ["X-Checksum: kept"]


@each_listener
@pytest.mark.parametrize("name", [*IDENTITY, *FORWARDED, "x_client_cert_verified", "CLIENT-CERT"])
def test_t28_naming_a_field_in_connection_does_not_take_ours_away(world, pki, listener, name):
    with connect(world, pki, listener) as connection:
        for fields in ([f"Connection: {name}"], [f"Connection: keep-alive, {name}", f"{name}: forged"],
                       [f"Connection: {name}", "Connection: x-other", f"{name}: forged", f"{name}: forged"]):
            status, told = told_by(connection, fields)
            if status == 400:  # RFC 9110 §7.6.1 lets nobody name such fields there: refusing is as good
                connection = connect(world, pki, listener)
                continue
            hears_the_truth(world, pki, listener, status, told)


def test_t28_a_field_that_is_none_of_a_name_is_refused(world, pki):
    for field in ("Client-Cert : forged", " Client-Cert: forged", "Client-Cert\t: forged", "Client\x00-Cert: forged", ": forged",
                  "X-Other: 1\nClient-Cert: forged", "X-Other: 1\rClient-Cert: forged", "X-Other: 1\r\n Client-Cert: forged"):
        with connect(world, pki, "one_way") as connection:
            status, _ = told_by(connection, [field])
        assert status == 400, field


# ---- T31 ----

def bytes_of(field):
    """RFC 8941 §3.3.5: a Byte Sequence."""
    assert re.fullmatch(r":[A-Za-z0-9+/]*={0,2}:", field), field
    return base64.b64decode(field.strip(":"), validate=True)


def arrives(world, pki, certificate, listener="mutual", version=None):
    """The fields that tell of CERTIFICATE, twice over one connection."""
    with connect(world, pki, listener, certificate, version) as connection:
        (_, first), (_, second) = told_by(connection, []), told_by(connection, ["Connection: close"])
    assert ours(first) == ours(second)
    told = ours(first)
    assert told["X-Client-Cert-Sha256"] == [hashlib.sha256(certificate.der).hexdigest()]
    assert [bytes_of(v) for v in told["Client-Cert"]] == [certificate.der]
    return told


@pytest.fixture(scope="module")
def of_each_length(pki):
    """Certificates whose base64 ends in no, one and two `=`, and has both + and /."""
    found = {}
    for n in range(300):
        certificate = pki.ca("clients").issue(f"length-{n}", cn="a" * (n % 40 + 1))
        text = base64.b64encode(certificate.der).decode()
        if "+" in text and "/" in text:
            found.setdefault(text.count("="), certificate)
        if len(found) == 3:
            return found
    raise AssertionError(found.keys())


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("listener", ["mutual", "optional"])
def test_t31_the_certificate_arrives_byte_for_byte(world, pki, of_each_length, padding, version, listener):
    told = arrives(world, pki, of_each_length[padding], listener, version)
    assert told["Client-Cert"][0].count("=") == padding and "Client-Cert-Chain" not in told


@pytest.fixture(scope="module")
def chains(pki):
    """name → a certificate with what it sends along."""
    ca, made = pki.ca("clients"), {}
    for depth in (1, 2, 5):
        issuer = ca
        for level in range(depth):
            issuer = pki.ca(f"below-{depth}-{level}", issuer=issuer)
        made[f"depth_{depth}"] = issuer.issue(f"depth-{depth}")
    issuer = ca
    for level in range(3):  # 8 KB each: more than 16 KB of base64 in one field, 32 KB in all
        ballast = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.6.1.4.1.55555.{level}"), os.urandom(8000))
        issuer = pki.ca(f"large-{level}", issuer=issuer, extra=[(ballast, False)])
    made["large"] = issuer.issue("large")
    return made


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["depth_1", "depth_2", "depth_5", "large"])
def test_t31_the_chain_arrives_in_order_byte_for_byte(world, pki, chains, name, version):
    certificate = chains[name]
    told = arrives(world, pki, certificate, version=version)
    sent = re.findall(rb"-----BEGIN CERTIFICATE-----\n(.*?)-----END", certificate.crt.read_bytes(), re.S)
    (field,) = told["Client-Cert-Chain"]  # RFC 9440 §2.3: neither the client's own certificate nor, as we have it, the anchor
    assert [bytes_of(item) for item in field.split(", ")] == [base64.b64decode(pem) for pem in sent[1:]]
    assert name != "large" or len(field) > 32000


def test_t31_a_subject_of_all_kinds_of_bytes_arrives_in_one_field(world, pki):
    certificate = pki.ca("clients").issue("odd-subject", cn="ö, \"quoted\" \\ + = ; <x>")
    told = arrives(world, pki, certificate)
    (subject,) = told["X-Client-Cert-Subject"]
    assert subject.isascii() and subject.isprintable()
