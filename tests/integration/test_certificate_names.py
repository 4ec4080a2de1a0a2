# SPDX-License-Identifier: Apache-2.0
"""A name counts only as what it is: of its own kind, in a certificate of the right use, to its last byte (peers.md T18, T19)."""
import pathlib
import socket

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import peers
from instance import Instance
from pki import raw_san

# who may enter: kind → the entry of client_names, the same name as certificates carry it, and its text
ALLOWED = {
    "DNS": ("DNS:alice.example", b"alice.example", b"alice.example"),
    "EMAIL": ("EMAIL:alice@alice.example", b"alice@alice.example", b"alice@alice.example"),
    "URI": ("URI:spiffe://alice.example/a", b"spiffe://alice.example/a", b"spiffe://alice.example/a"),
    "IP": ("IP:192.0.2.7", bytes([192, 0, 2, 7]), b"192.0.2.7"),
}
OTHER_KINDS = ("OTHER", "EMAIL", "DNS", "DIRECTORY", "URI", "IP")
WRONG_KINDS = [(allowed, kind) for allowed in ALLOWED for kind in OTHER_KINDS if kind != allowed]

# what stands around, or in the place of, a name that is allowed
SPOILT_DNS = {
    "nul_behind": b"alice.example\0", "nul_and_more": b"alice.example\0.evil.test", "nul_first": b"\0alice.example",
    "nul_inside": b"alice\0.example", "space_behind": b"alice.example ", "space_first": b" alice.example", "newline": b"alice.example\n",
    "crlf_and_more": b"alice.example\r\nX-Evil: 1", "tab": b"alice.example\t", "utf8": "alicé.example".encode(),
    "high_byte": b"alice.example\xff", "no_break_space": b"alice.example\xa0", "fullwidth": "ａlice.example".encode(),
    "dot_behind": b"alice.example.", "empty": b"", "wildcard": b"*.example", "star": b"*", "escape": b"\x1b[2Jalice.example",
    "del": b"alice.example\x7f", "longer": b"alice.example.evil.test", "percent": b"alice%2eexample",
}
SPOILT_EMAIL = {
    "nul_behind": b"alice@alice.example\0", "nul_and_more": b"alice@alice.example\0@evil.test", "nul_inside": b"alice\0@alice.example",
    "space_first": b" alice@alice.example", "newline": b"alice@alice.example\n", "utf8": "alicé@alice.example".encode(),
    "two_ats": b"alice@alice.example@evil.test", "other_case_of_the_user": b"Alice@alice.example", "star": b"*@alice.example",
}
SPOILT_URI = {
    "nul_behind": b"spiffe://alice.example/a\0", "nul_and_more": b"spiffe://alice.example/a\0b", "space_behind": b"spiffe://alice.example/a ",
    "newline": b"spiffe://alice.example/a\n", "utf8": "spiffe://alice.example/á".encode(), "user": b"spiffe://x@alice.example/a",
    "port": b"spiffe://alice.example:1/a", "dots": b"spiffe://alice.example/b/../a", "star": b"spiffe://alice.example/*",
}
SPOILT_IP = {"mapped": bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]), "with_mask": bytes([192, 0, 2, 7, 255, 255, 255, 255]),
             "short": bytes([192, 0, 2]), "empty": b"", "nul_behind": bytes([192, 0, 2, 7, 0])}
SPOILT = [(kind, case, value) for kind, cases in (("DNS", SPOILT_DNS), ("EMAIL", SPOILT_EMAIL), ("URI", SPOILT_URI), ("IP", SPOILT_IP))
          for case, value in cases.items()]

# common names, for logs and headers: as text and as the ASN.1 string types that exist
STRANGE_CN = {
    "nul": ("ali\0ce", None), "newline": ("ali\nce", None), "crlf": ("ali\r\nX-Client-Cert-Verified: accepted", None),
    "escape": ("ali\x1b[2Jce", None), "quotes": ("ali\"ce\\\"", None), "json": ('"},"accepted":true,"x":{"', None),
    "comma": ("alice,O=root", None), "equals": ("alice=CN=root", None), "slash": ("alice/CN=root", None), "plus": ("alice+CN=root", None),
    "utf8": ("alicé", None), "line_separator": ("ali\u2028ce", None), "c1": ("ali\u009b2Jce", None), "rtl": ("ali\u202ece", None),
    "bmp": ("ali\nce\u00e9", _ASN1Type.BMPString), "utf32": ("ali\nce\U0001f600", _ASN1Type.UniversalString),
    "space_around": (" alice ", None), "hash_first": ("#alice", None), "long": ("a" * 64, None),
}

each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """A listener for each kind of name, and `any` for all of the CA's clients."""
    web = peers.Target(peers.http_echo)
    listeners = "listeners:"
    for name, names in [(kind, f", client_names: ['{entry}']") for kind, (entry, _, _) in ALLOWED.items()] + [("any", "")]:
        listeners += (f"\n  - {{name: {name}, protocol: HTTPS, address: '127.0.0.1:0', authentication: mutual, "
                      f"certificates: [{pki.server.yaml()}], client_ca: [{pki.ca('clients').crt}]{names}, "
                      f"rules: [{{domain: localhost, target_group: web}}]}}")
    config = (f"{listeners}\ntarget_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]"
              f"\naccess_log: {{file: access.log}}\nworkers: 1\n")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("names")), config)
    instance.web = web
    yield instance
    instance.check()
    web.close()


def sound_lines(instance, since):
    """The access log from line SINCE on: each line is one object, in ASCII or well-formed UTF-8 without a control byte."""
    raw = instance.access_log.read_bytes()
    assert raw.endswith(b"\n")
    lines = raw.decode("utf-8", errors="strict").split("\n")[since:-1]
    assert not [c for line in lines for c in line if ord(c) < 32 or ord(c) == 127]
    return lines


def enter(world, pki, listener, certificate, version="1.3"):
    """(the target's view or None, the line)"""
    since, before = world.access_log.read_bytes().count(b"\n") if world.access_log.exists() else 0, world.web.accepted
    try:
        status, told = peers.get(world.port(listener), pki.ca("servers"), certificate, version)
        assert status == 200
    except peers.Refused:
        told = None
        assert world.web.accepted == before
    line = world.line(listener=listener, since=since)
    assert len(sound_lines(world, since)) == 1
    return told, line


def is_refused(told, line, *reasons):
    assert told is None and line["peer"]["reason"] in reasons and not line["peer"]["accepted"], line
    assert line["close"] == "client_refused"
    return line


# ---- T18 ----

@pytest.mark.parametrize("kind", ALLOWED)
def test_t18_the_right_name_of_the_right_kind_comes_in(world, pki, kind):
    certificate = pki.ca("clients").issue(f"right-{kind}", raw_san=raw_san(kind, ALLOWED[kind][1]))
    told, line = enter(world, pki, kind, certificate)
    assert told and line["peer"]["factors"]["name"]["verdict"] == "pass", line


@pytest.mark.parametrize("allowed,kind", WRONG_KINDS)
def test_t18_the_right_string_of_another_kind_stays_out(world, pki, allowed, kind):
    _, octets, text = ALLOWED[allowed]
    for value in {text} if kind in ("OTHER", "DIRECTORY") else {octets, text}:  # those two are UTF-8
        certificate = pki.ca("clients").issue("wrong-kind", raw_san=raw_san(kind, value))
        line = is_refused(*enter(world, pki, allowed, certificate), "wrong_name", "malformed")
        if line["peer"]["reason"] == "wrong_name":
            assert {f for f, v in line["peer"]["factors"].items() if v["verdict"] == "fail"} == {"name"}


@pytest.mark.parametrize("allowed", ALLOWED)
def test_t18_a_common_name_is_no_name(world, pki, allowed):
    text = ALLOWED[allowed][2].decode()
    for sans in ([], ["DNS:other.test"]):
        certificate = pki.ca("clients").issue("common-name", sans=sans, cn=text)
        is_refused(*enter(world, pki, allowed, certificate), "wrong_name")


def own_usages(*usages):
    return [(x509.ExtendedKeyUsage(list(usages)), False)]


USES = {  # how the leaf of a client is made → the reason, or None
    "client": (dict(usage="client"), None),
    "client_and_server": (dict(usage="client+server"), None),
    "none_stated": (dict(usage=None), None),  # RFC 5280 §4.2.1.12: without the extension it is not restricted
    "any": (dict(usage=None, extra=own_usages(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)), None),
    "server": (dict(usage="server"), "wrong_usage"),
    "code_signing": (dict(usage=None, extra=own_usages(ExtendedKeyUsageOID.CODE_SIGNING)), "wrong_usage"),
    "ocsp_signing": (dict(usage=None, extra=own_usages(ExtendedKeyUsageOID.OCSP_SIGNING)), "wrong_usage"),
    "may_not_sign": (dict(usage="client", key_usage=("key_agreement",)), "wrong_usage"),
    "a_ca": (dict(usage="client", is_ca=True, key_usage=("digital_signature", "key_cert_sign")), "wrong_usage"),
}


@each_version
@pytest.mark.parametrize("case", USES)
def test_t18_a_client_needs_a_certificate_for_clients(world, pki, case, version):
    how, reason = USES[case]
    certificate = pki.ca("clients").issue(f"use-{case}", **how)
    told, line = enter(world, pki, "any", certificate, version)
    if reason is None:
        assert told and line["peer"]["accepted"], line
    else:
        is_refused(told, line, reason)


@pytest.mark.parametrize("which", ["root", "intermediate"])
def test_t18_a_ca_is_no_client(world, pki, which):
    certificate = pki.ca("clients") if which == "root" else pki.ca("clients-below", issuer=pki.ca("clients"))
    is_refused(*enter(world, pki, "any", certificate), "wrong_usage")


# ---- T19 ----

@pytest.mark.parametrize("kind,case,value", SPOILT, ids=[f"{kind}-{case}" for kind, case, _ in SPOILT])
def test_t19_a_name_with_anything_around_it_does_not_match(world, pki, kind, case, value):
    certificate = pki.ca("clients").issue("spoilt", raw_san=raw_san(kind, value))
    line = is_refused(*enter(world, pki, kind, certificate), "wrong_name", "malformed")
    assert line["peer"]["factors"]["name"]["verdict"] != "pass"


@pytest.mark.parametrize("case", STRANGE_CN)
def test_t19_a_strange_common_name_breaks_neither_log_nor_header(world, pki, case):
    text, kind = STRANGE_CN[case]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, *([kind] if kind else []))])
    certificate = pki.ca("clients").issue(f"cn-{case}", subject=name)
    told, line = enter(world, pki, "any", certificate)
    (subject,) = [v for k, v in told["headers"] if k == "X-Client-Cert-Subject"]
    assert subject.isascii() and subject.isprintable() and subject.startswith("CN=")
    assert [v for k, v in told["headers"] if k == "X-Client-Cert-Verified"] == ["accepted"]
    assert line["peer"]["chain"][0]["subject"] == subject
    bare = subject.replace("\\\\", "").replace("\\,", "").replace("\\+", "").replace("\\=", "").replace("\\\"", "")
    assert "," not in bare and "+" not in bare, subject  # RFC 4514 §2.4: no part of it looks like another attribute


def test_t19_two_strange_common_names_look_different(world, pki):
    subjects = set()
    for text in ("a", "a\0", "a\n", "a ", " a", "a\\00", "a\\0A", "\\", "a,O=b", "a\\,O=b", "á"):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        told, _ = enter(world, pki, "any", pki.ca("clients").issue("cn-different", subject=name))
        subjects.add(next(v for k, v in told["headers"] if k == "X-Client-Cert-Subject"))
    assert len(subjects) == 11, subjects


# ---- both, towards targets ----

TARGET_NAMES = {  # case → (the name that we ask for, how the target's certificate is made, the reason or None)
    "right": ("localhost", dict(sans=["DNS:localhost"]), None),
    "right_address": ("127.0.0.1", dict(sans=["IP:127.0.0.1"]), None),
    "other_case": ("localhost", dict(sans=["DNS:LOCALHOST"]), None),
    "common_name_only": ("localhost", dict(sans=[], cn="localhost"), "wrong_name"),
    "common_name_beside": ("localhost", dict(sans=["DNS:other.test"], cn="localhost"), "wrong_name"),
    "as_email": ("localhost", dict(raw_san=raw_san("EMAIL", b"localhost")), "wrong_name"),
    "as_uri": ("localhost", dict(raw_san=raw_san("URI", b"localhost")), "wrong_name"),
    "as_other": ("localhost", dict(raw_san=raw_san("OTHER", b"localhost")), "wrong_name"),
    "as_directory": ("localhost", dict(raw_san=raw_san("DIRECTORY", b"localhost")), "wrong_name"),
    "address_as_dns": ("127.0.0.1", dict(sans=["DNS:127.0.0.1"]), "wrong_name"),
    "address_as_common_name": ("127.0.0.1", dict(sans=[], cn="127.0.0.1"), "wrong_name"),
    "dns_as_address": ("app.internal", dict(raw_san=raw_san("IP", b"app.")), "wrong_name"),
    "nul_and_more": ("localhost", dict(raw_san=raw_san("DNS", b"localhost\0.evil.test")), "wrong_name"),
    "nul_behind": ("localhost", dict(raw_san=raw_san("DNS", b"localhost\0")), "wrong_name"),
    "space_behind": ("localhost", dict(raw_san=raw_san("DNS", b"localhost ")), "wrong_name"),
    "newline": ("localhost", dict(raw_san=raw_san("DNS", b"localhost\n")), "wrong_name"),
    "high_byte": ("localhost", dict(raw_san=raw_san("DNS", b"localhost\xff")), "wrong_name"),
    "wildcard": ("app.internal.test", dict(sans=["DNS:*.internal.test"]), None),
    "wildcard_of_a_top_level_domain": ("app.test", dict(sans=["DNS:*.test"]), "wrong_name"),
    "wildcard_over_two": ("a.app.internal.test", dict(sans=["DNS:*.internal.test"]), "wrong_name"),
    "part_of_a_wildcard": ("app.internal.test", dict(sans=["DNS:a*.internal.test"]), "wrong_name"),
    "a_client": ("localhost", dict(sans=["DNS:localhost"], usage="client"), "wrong_usage"),
    "no_use_stated": ("localhost", dict(sans=["DNS:localhost"], usage=None), None),
    "code_signing": ("localhost", dict(sans=["DNS:localhost"], usage=None, extra=own_usages(ExtendedKeyUsageOID.CODE_SIGNING)), "wrong_usage"),
    "a_ca": ("localhost", dict(sans=["DNS:localhost"], is_ca=True, key_usage=("digital_signature", "key_cert_sign")), "wrong_usage"),
}


@pytest.fixture(scope="module")
def targets(pki, tmp_path_factory):
    listeners, groups, made = "listeners:", "\ntarget_groups:", {}
    for case, (name, how, _) in TARGET_NAMES.items():
        certificate = pki.ca("servers").issue(f"target-{case}", **{"usage": "server", **how})
        made[case] = peers.Target(peers.http_echo, peers.server_context(certificate))
        listeners += f"\n  - {{name: {case}, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: {case}}}]}}"
        groups += (f"\n  - {{name: {case}, protocol: HTTPS, targets: [{{address: '127.0.0.1:{made[case].port}'}}], "
                   f"tls: {{ca: [{pki.ca('servers').crt}], name: {name}}}}}")
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("target_names")),
                        listeners + groups + "\naccess_log: {file: access.log}\nworkers: 1\n")
    instance.targets = made
    yield instance
    instance.check()
    for t in made.values():
        t.close()


@pytest.mark.parametrize("case", TARGET_NAMES)
def test_t18_t19_a_target_is_who_we_asked_for(targets, case):
    _, _, reason = TARGET_NAMES[case]
    with socket.create_connection(("127.0.0.1", targets.port(case)), 10) as s:
        status, _, _ = peers.ask(s, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nseen")
    line = targets.line(listener=case)
    assert sound_lines(targets, 0)
    if reason is None:
        assert status == 200 and line["target_peer"]["accepted"], line
    else:
        assert status == 502 and line["close"] == "target_refused" and line["target_peer"]["reason"] == reason, line
        assert targets.targets[case].received == b""
