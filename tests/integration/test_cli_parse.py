# SPDX-License-Identifier: Apache-2.0
"""`sallyport parse`: one JSON line a file, whatever the file holds."""
import random
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from files import command, json_lines, ocsp_answer, pem, rfc3339, write
from pki import DAY, NOW, PKI

TYPES = {"cert": "certificates", "crl": "crls", "ocsp": "answers", "client-hello": "suites"}
MUTATIONS = 500


def client_hello(name="www.example", alpn=("h2", "http/1.1")):
    """The first flight of Python's ssl, in its TLS record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.fixture(scope="module")
def inputs(pki, tmp_path_factory):
    """One good file of each type, in the folder that the mutations go to as well."""
    folder = tmp_path_factory.mktemp("parse")
    ca = pki.ca("clients")
    return {
        "folder": folder,
        "cert": write(folder / "cert", pki.server.der),
        "crl": write(folder / "crl", x509.load_pem_x509_crl(ca.crl(pki.good, file=folder / "crl.pem").read_bytes())
                     .public_bytes(serialization.Encoding.DER)),
        "ocsp": ocsp_answer(folder / "ocsp", pki.good, ca, "revoked"),
        "client-hello": write(folder / "hello", client_hello()),
    }


def parse(kind, *files):
    """(exit status, one object per file)."""
    done = command("parse", "--type", kind, *files)
    lines = json_lines(done.stdout)
    assert done.stderr == "" and done.stdout.count("\n") == len(files) and [line["file"] for line in lines] == [str(f) for f in files]
    assert done.returncode == (1 if any("error" in line for line in lines) else 0)
    return done.returncode, lines


def one(kind, file):
    status, lines = parse(kind, file)
    assert status == 0, lines
    return lines[0]


def test_certificates(pki, inputs):
    both = write(inputs["folder"] / "both.pem", pem(pki.server, pki.ca("servers")))
    server, ca = one("cert", both)["certificates"]
    assert server["subject"] == "CN=server" and server["issuer"] == "CN=servers" and server["serial"] == pki.server.serial
    assert server["names"] == ["DNS:localhost", "IP:127.0.0.1"] and server["key"] == "p256" and server["key_bits"] == 256
    assert server["not_before"] == rfc3339(NOW - DAY) and server["for_server"] and not server["for_client"] and not server["is_ca"]
    assert ca["is_ca"] and ca["key_usage"] == ["keyCertSign", "cRLSign"]
    assert one("cert", inputs["cert"])["certificates"] == [server]


def test_crls(pki, inputs):
    crl, = one("crl", inputs["crl"])["crls"]
    assert crl["issuer"] == "CN=clients" and crl["entries"] == 1 and not crl["is_delta"]
    assert (crl["this_update"], crl["next_update"]) == (rfc3339(NOW - DAY), rfc3339(NOW + 2 * DAY))
    assert int(crl["number"]) == pki.ca("clients").number
    assert crl["scope"] == "all" and crl["has_all_reasons"] and not crl["is_indirect"]
    point = x509.IssuingDistributionPoint(None, None, True, False, frozenset([x509.ReasonFlags.key_compromise]), False, False)
    part = PKI(inputs["crl"].parent).ca("parts").crl(extensions=[(point, True)])
    crl, = one("crl", part)["crls"]
    assert crl["scope"] == "users" and not crl["has_all_reasons"] and crl["has_issuing_distribution_point"]


def test_ocsp_answers(pki, inputs):
    told = one("ocsp", inputs["ocsp"])
    answer, = told["answers"]
    assert told["responder"] == "CN=clients" and told["produced_at"].endswith("Z")
    assert answer["serial"] == pki.good.serial and answer["status"] == "revoked" and answer["reason"] == "keyCompromise"
    assert answer["revoked_at"] == rfc3339(NOW - DAY / 2) and answer["next_update"] == rfc3339(NOW + DAY)
    endless = ocsp_answer(inputs["folder"] / "endless", pki.good, pki.ca("clients"), next_update=None)
    answer, = one("ocsp", endless)["answers"]
    assert answer["status"] == "good" and answer["next_update"] is None and "revoked_at" not in answer


def test_client_hello_from_records_and_as_a_bare_message(inputs):
    from_records = one("client-hello", inputs["client-hello"])
    assert from_records["sni"] == "www.example" and from_records["alpn"] == ["h2", "http/1.1"]
    assert from_records["versions"][:2] == ["TLS 1.3", "TLS 1.2"] and "TLS_AES_256_GCM_SHA384" in from_records["suites"]
    assert "x25519" in from_records["groups"] and len(from_records["random"]) == 64
    bare = write(inputs["folder"] / "bare", inputs["client-hello"].read_bytes()[5:])
    assert {**one("client-hello", bare), "file": ""} == {**from_records, "file": ""}


def test_client_hello_split_over_records(inputs):
    message = inputs["client-hello"].read_bytes()[5:]
    pieces = [message[i:i + 7] for i in range(0, len(message), 7)]
    split = write(inputs["folder"] / "split", b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in pieces))
    assert one("client-hello", split)["sni"] == "www.example"


@pytest.mark.parametrize("kind", TYPES)
def test_other_kinds_of_file_are_refused_with_a_reason(pki, inputs, kind):
    others = [inputs[k] for k in TYPES if k != kind] + [pki.server.key_file, write(inputs["folder"] / "empty", b""), "/nonexistent", "/"]
    status, lines = parse(kind, *others)
    assert status == 1 and all(line["error"] for line in lines) and not any(TYPES[kind] in line for line in lines)
    assert "No such file" in lines[-2]["error"] and "Is a directory" in lines[-1]["error"]


def mutated(data, random_):
    """DATA with a few bytes changed, dropped, repeated or cut off."""
    data = bytearray(data)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(data) or 1)
        how = random_.randrange(5)
        if how == 0:
            data[at:at + 1] = bytes([random_.randrange(256)])
        elif how == 1:
            data[at:at + 1] = bytes([random_.choice([0, 1, 0x7f, 0x80, 0x84, 0xff])])
        elif how == 2:
            del data[at:at + random_.randint(1, 8)]
        elif how == 3:
            data[at:at] = data[at:at + random_.randint(1, 40)]
        else:
            del data[len(data) - random_.randint(1, 8):]
    return bytes(data)


@pytest.mark.parametrize("kind", TYPES)
def test_no_damaged_file_makes_it_crash(inputs, kind):
    """In one run under the sanitizers; the seed is the type, so that what is found can be found again."""
    random_ = random.Random(kind)
    original = inputs[kind].read_bytes()
    files = [write(inputs["folder"] / f"{kind}-{i}", mutated(original, random_)) for i in range(MUTATIONS)]
    _, lines = parse(kind, *files)
    assert {"error" in line for line in lines} == {True, False}


@pytest.mark.parametrize("args, says", [(["parse", "x"], "--type is missing; accepted is cert|crl|ocsp|client-hello"),
                                        (["parse", "--type", "key", "x"], "accepted is cert|crl|ocsp|client-hello"),
                                        (["parse", "--type", "cert"], "FILE… is missing")])
def test_wrong_usage_ends_with_2(args, says):
    done = command(*args)
    assert done.returncode == 2 and says in done.stderr
