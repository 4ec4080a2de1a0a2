# SPDX-License-Identifier: Apache-2.0
"""`sallyport verify`: the four factors of a certificate, offline."""
import base64
import json
import os
import pathlib
import select
import subprocess
import time

import instance
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from files import HOUR, acting_as_ca, command, json_lines, ocsp_answer, pem, rename, rfc3339, write
from pki import CA, DAY, NOW, PKI

FACTORS = ["validity", "revocation", "trust", "name"]


class World:
    """A root, intermediates good and bad, and leaves under them; made once for all tests of this file."""

    def __init__(self, folder):
        self.pki = PKI(folder)
        self.folder = folder
        self.root = self.pki.ca("root")
        self.middle = self.pki.ca("middle", issuer=self.root)
        self.other = self.pki.ca("other")
        self.server = self.middle.issue("server", "server", ["DNS:www.example", "DNS:*.wild.example", "IP:192.0.2.7", "IP:2001:db8::7"])
        self.client = self.root.issue("client", sans=["DNS:c.example", "EMAIL:alice@c.example", "URI:spiffe://c.example/alice"])
        self.root.crl()
        self.middle.crl()

    def issuer(self, name, **kw):
        return self.pki.ca(name, issuer=kw.pop("issuer", self.root), **kw)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("verify"))


def verify(world, *args, ca=None):
    """(exit status, verdict) of `verify --json` against the root."""
    done = command("verify", "--ca", (ca or world.root).crt, "--json", *args)
    assert done.stderr == "" and done.stdout.count("\n") == 1, done
    verdict = json.loads(done.stdout)
    assert list(verdict) == ["accepted", "reason", "factors", "chain"] and list(verdict["factors"]) == FACTORS
    assert (done.returncode == 0) == verdict["accepted"] == (verdict["reason"] == "accepted")
    return done.returncode, verdict


def factors(verdict):
    return [verdict["factors"][f]["verdict"] for f in FACTORS]


# ---- each reason ----

def bad_signature(w):
    leaf = w.root.issue("forged")
    write(leaf.crt, rename(leaf.der, b"forged.example", b"forges.example"))
    return [leaf.crt]


def bad_ca(w):
    return [acting_as_ca(w.folder, w.root.issue("no-ca")).issue("under-no-ca", "server").crt, "--untrusted", w.folder / "no-ca.crt"]


def path_length(w):
    zero = w.issuer("zero", path_length=0)
    return [w.issuer("below-zero", issuer=zero).issue("too-deep", "server").crt]


def depth(w):
    return [w.server.crt, "--depth", 0]


def name_constraint(w):
    only = x509.NameConstraints(permitted_subtrees=[x509.DNSName("inside.example")], excluded_subtrees=None)
    return [w.issuer("constrained", extra=[(only, True)]).issue("outside", "server", ["DNS:outside.test"]).crt]


def unknown_critical(w):
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    return [w.root.issue("odd", "server", extra=[(odd, True)]).crt]


def weak_key(w):
    return [w.root.issue("weak", "server", key="rsa1024").crt]


def policy(w):
    explicit = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    return [w.issuer("explicit", extra=[(explicit, True)]).issue("without-policy", "server").crt]


def wrong_usage(w):
    return [w.client.crt]


def ca_as_leaf(w):
    return [w.middle.crt]


def revoked(w):
    leaf = w.root.issue("revoked", "server")
    return [leaf.crt, "--crl", w.root.crl(leaf, file=w.folder / "revoked.crl")]


def revoked_intermediate(w):
    return [w.server.crt, "--crl", w.root.crl(w.middle, file=w.folder / "middle-revoked.crl"), "--crl", w.middle.crl_file]


def expired(w):
    return [w.root.issue("expired", "server", not_before=-2 * DAY, not_after=-HOUR).crt]


def expired_intermediate(w):
    return [w.issuer("old", not_before=-2 * DAY, not_after=-HOUR).issue("under-old", "server").crt]


def not_yet_valid(w):
    return [w.root.issue("future", "server", not_before=HOUR, not_after=DAY).crt]


def wrong_name(w):
    return [w.server.crt, "--name", "DNS:elsewhere.example"]


def revocation_unknown(w):
    return [w.client.crt, "--purpose", "client", "--crl", w.root.crl(this_update=-2 * DAY, next_update=-HOUR, file=w.folder / "stale.crl")]


def untrusted(w):
    return [w.other.issue("stranger", "server").crt]


def incomplete(w):
    return [write(w.folder / "leaf-only.crt", pem(w.server))]


def limit(w):
    return [write(w.folder / "crowd.crt", pem(*[w.server] * 129))]


def truncated(w):
    return [write(w.folder / "truncated.crt", w.server.der[:-1])]


def garbage(w):
    return [write(w.folder / "garbage.crt", os.urandom(1000))]


REASONS = [
    # how, reason, the factor that says so
    (untrusted, "untrusted", "trust"), (incomplete, "untrusted", "trust"), (bad_signature, "bad_signature", "trust"),
    (bad_ca, "bad_ca", "trust"), (path_length, "path_length", "trust"), (depth, "depth", "trust"),
    (name_constraint, "name_constraint", "trust"), (unknown_critical, "unknown_critical", "trust"), (weak_key, "weak_algorithm", "trust"),
    (policy, "policy", "trust"), (wrong_usage, "wrong_usage", "trust"), (ca_as_leaf, "wrong_usage", "trust"),
    (revoked, "revoked", "revocation"), (revoked_intermediate, "revoked", "revocation"), (expired, "expired", "validity"),
    (expired_intermediate, "expired", "validity"), (not_yet_valid, "not_yet_valid", "validity"), (wrong_name, "wrong_name", "name"),
    (limit, "limit", "trust"), (truncated, "malformed", "trust"), (garbage, "malformed", "trust"),
]


@pytest.mark.parametrize("make, reason, factor", REASONS, ids=[make.__name__ for make, _, _ in REASONS])
def test_each_reason_is_told_and_refused(world, make, reason, factor):
    status, verdict = verify(world, *make(world))
    assert (status, verdict["reason"]) == (1, reason), verdict
    assert verdict["factors"][factor]["verdict"] == "fail" and verdict["factors"][factor]["detail"]
    others = [verdict["factors"][f]["verdict"] for f in FACTORS if f != factor]
    assert "fail" not in others, verdict


def test_stale_crl_is_unknown_and_refused(world):
    status, verdict = verify(world, *revocation_unknown(world))
    assert (status, verdict["reason"]) == (1, "revocation_unknown")
    assert factors(verdict) == ["pass", "unknown", "pass", "skipped"]


def test_all_factors_are_judged_not_only_up_to_the_first_failure(world):
    leaf = world.other.issue("all-bad", "server", ["DNS:a.example"], not_before=-2 * DAY, not_after=-HOUR)
    crl = world.other.crl(leaf, file=world.folder / "all-bad.crl")
    _, verdict = verify(world, leaf.crt, "--crl", crl, "--name", "DNS:b.example", "--untrusted", world.other.crt)
    assert verdict["reason"] == "untrusted"
    assert factors(verdict) == ["fail", "fail", "fail", "fail"]


# ---- what is accepted ----

def test_accepted_certificate_shows_its_chain(world):
    status, verdict = verify(world, world.server.crt)
    assert status == 0 and factors(verdict) == ["pass", "unknown", "pass", "skipped"]
    assert [c["subject"] for c in verdict["chain"]] == ["CN=server", "CN=middle", "CN=root"]
    leaf = verdict["chain"][0]
    assert leaf["issuer"] == "CN=middle" and leaf["serial"] == world.server.serial
    assert leaf["sha256"] == world.server.cert.fingerprint(hashes.SHA256()).hex()
    assert leaf["not_after"] == rfc3339(world.server.cert.not_valid_after)
    assert leaf["names"] == ["DNS:www.example", "DNS:*.wild.example", "IP:192.0.2.7", "IP:2001:db8::7"]


@pytest.mark.parametrize("form", ["pem", "der"])
def test_certificates_are_read_as_pem_and_as_der(world, form):
    leaf = world.root.issue(f"form-{form}", "server")
    if form == "der":
        write(leaf.crt, leaf.der)
    assert verify(world, leaf.crt)[0] == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_untrusted_certificates_stand_in_any_order(world, order):
    lower = world.issuer("lower", issuer=world.middle)
    lone = write(world.folder / "lone.crt", pem(lower.issue("deep", "server")))
    both = [pem(world.middle), pem(lower)]
    pool = write(world.folder / "pool.crt", b"".join(both[i] for i in order))
    status, verdict = verify(world, lone, "--untrusted", pool)
    assert status == 0 and len(verdict["chain"]) == 4


def test_an_untrusted_root_is_not_trusted(world):
    leaf = world.other.issue("with-root", "server")
    assert verify(world, leaf.crt, "--untrusted", world.other.crt)[1]["reason"] == "untrusted"
    assert verify(world, leaf.crt, "--ca", world.other.crt)[0] == 0  # several CAs: each is trusted


GOOD_NAMES = ["DNS:www.example", "DNS:WWW.EXAMPLE", "DNS:a.wild.example", "IP:192.0.2.7", "IP:2001:db8:0::7", "www.example", "192.0.2.7"]
WRONG_NAMES = ["DNS:example", "DNS:a.b.wild.example", "DNS:wild.example", "IP:192.0.2.8", "DNS:server", "EMAIL:server@www.example",
               "URI:https://www.example/"]


@pytest.mark.parametrize("name, expected", [(n, "pass") for n in GOOD_NAMES] + [(n, "fail") for n in WRONG_NAMES])
def test_name_of_a_server(world, name, expected):
    status, verdict = verify(world, world.server.crt, "--name", name)
    assert verdict["factors"]["name"]["verdict"] == expected
    assert (status, verdict["reason"]) == ((0, "accepted") if expected == "pass" else (1, "wrong_name"))


@pytest.mark.parametrize("name, expected", [("EMAIL:alice@c.example", 0), ("URI:spiffe://c.example/alice", 0), ("URI:spiffe://c.example/*", 0),
                                            ("DNS:c.example", 0), ("EMAIL:bob@c.example", 1), ("URI:spiffe://c.example/bob", 1)])
def test_name_of_a_client(world, name, expected):
    assert verify(world, world.client.crt, "--purpose", "client", "--name", name)[0] == expected


def test_the_purpose_decides_which_usage_is_wanted(world):
    assert verify(world, world.client.crt, "--purpose", "client")[0] == 0
    assert verify(world, world.server.crt, "--purpose", "client")[1]["reason"] == "wrong_usage"


@pytest.mark.parametrize("moment, reason", [(-2 * DAY, "not_yet_valid"), (-HOUR, "accepted"), (3 * DAY, "expired")])
def test_time_is_the_moment_of_judgement(world, moment, reason):
    assert verify(world, world.server.crt, "--time", rfc3339(NOW + moment))[1]["reason"] == reason


def test_the_last_second_counts(world):
    end = world.server.cert.not_valid_after
    assert verify(world, world.server.crt, "--time", rfc3339(end))[0] == 0
    assert verify(world, world.server.crt, "--time", rfc3339(end + HOUR / 3600))[1]["reason"] == "expired"


def test_depth_counts_intermediates(world):
    assert verify(world, world.server.crt, "--depth", 1)[0] == 0
    assert verify(world, world.client.crt, "--purpose", "client", "--depth", 0)[0] == 0


# ---- revocation ----

def test_a_crl_brings_the_hard_policy_for_the_whole_chain(world):
    assert verify(world, world.server.crt, "--crl", world.root.crl_file, "--crl", world.middle.crl_file)[0] == 0
    status, verdict = verify(world, world.server.crt, "--crl", world.root.crl_file)
    assert (status, verdict["reason"]) == (1, "revocation_unknown")


def test_a_revoked_certificate_names_serial_reason_and_crl(world):
    _, verdict = verify(world, *revoked(world))
    detail = verdict["factors"]["revocation"]["detail"]
    assert verdict["chain"][0]["serial"] in detail and "keyCompromise" in detail and "CN=root" in detail


def test_a_crl_by_another_ca_of_the_same_name_does_not_count(world):
    twin = CA(world.folder, "twin", subject="root")
    crl = twin.crl(file=world.folder / "twin.crl")
    assert verify(world, world.client.crt, "--purpose", "client", "--crl", crl)[1]["reason"] == "revocation_unknown"


def ocsp_case(world, **kw):
    path = ocsp_answer(world.folder / "answer.der", world.client, world.root, **kw)
    return verify(world, world.client.crt, "--purpose", "client", "--ocsp", path)


def test_ocsp_good_is_accepted(world):
    status, verdict = ocsp_case(world)
    assert status == 0 and verdict["factors"]["revocation"]["verdict"] == "pass"


def test_ocsp_revoked_is_refused(world):
    status, verdict = ocsp_case(world, status="revoked")
    assert (status, verdict["reason"]) == (1, "revoked") and "keyCompromise" in verdict["factors"]["revocation"]["detail"]


@pytest.mark.parametrize("how", [dict(status="unknown"), dict(this_update=-2 * DAY, next_update=-HOUR), dict(this_update=HOUR)],
                         ids=["unknown", "expired", "future"])
def test_ocsp_that_does_not_help_is_refused(world, how):
    status, verdict = ocsp_case(world, **how)
    assert (status, verdict["reason"]) == (1, "revocation_unknown") and verdict["factors"]["revocation"]["detail"]


@pytest.mark.parametrize("status", ["good", "revoked"])
def test_ocsp_signed_by_another_says_nothing(world, status):
    _, verdict = ocsp_case(world, status=status, signer=world.other)
    assert verdict["reason"] == "revocation_unknown"


def test_ocsp_by_a_responder_of_the_issuer(world):
    signing = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING])
    responder = world.root.issue("responder", usage=None, extra=[(signing, False)])
    assert ocsp_case(world, signer=responder, send_signer=True)[0] == 0
    plain = world.root.issue("no-responder")
    assert ocsp_case(world, signer=plain, send_signer=True)[1]["reason"] == "revocation_unknown"


def test_ocsp_about_another_certificate_says_nothing(world):
    path = ocsp_answer(world.folder / "answer.der", world.server, world.middle)
    assert verify(world, world.client.crt, "--purpose", "client", "--ocsp", path)[1]["reason"] == "revocation_unknown"


# ---- words ----

def test_text_has_the_four_factors_and_the_remedy(world):
    done = command("verify", "--ca", world.root.crt, *revoked(world))
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and [line.split()[0] for line in lines[:4]] == FACTORS
    assert [line.split()[1] for line in lines[:4]] == ["pass", "fail", "pass", "skipped"]
    assert lines[4].startswith("refused: revoked: issue a new certificate")
    done = command("verify", "--ca", world.root.crt, world.server.crt)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "accepted"


USAGE = [
    (["verify"], "CERT is missing"),
    (["verify", "CERT"], "--ca is missing"),
    (["verify", "--ca", "CA", "CERT", "CERT"], "one argument too many"),
    (["verify", "--ca", "CA", "--time", "tomorrow", "CERT"], "RFC 3339"),
    (["verify", "--ca", "CA", "--purpose", "both", "CERT"], "server|client"),
    (["verify", "--ca", "CA", "--name", "IP:nowhere", "CERT"], "nowhere"),
    (["verify", "--ca", "CA", "--name", "DNS:192.0.2.7", "CERT"], "an IP address is written IP:address"),
    (["verify", "--ca", "CA", "--depth", "many", "CERT"], "from 0 to 100"),
    (["verify", "--ca", "CA", "--certificate", "x", "CERT"], "accepted are"),
    (["verify", "--ca", "CA"], "CERT is missing"),
    (["verify", "--batch", "x", "--ca", "CA"], "stands alone"),
    (["verify", "--ca", "CA", "/nonexistent"], "cannot open /nonexistent: No such file"),
    (["verify", "--ca", "/nonexistent", "CERT"], "cannot open /nonexistent: No such file"),
    (["verify", "--ca", "CA", "--crl", "/nonexistent", "CERT"], "cannot open /nonexistent"),
    (["verify", "--ca", "CA", "--ocsp", "/nonexistent", "CERT"], "cannot open /nonexistent"),
    (["verify", "--ca", "CA", "--untrusted", "/nonexistent", "CERT"], "cannot open /nonexistent"),
    (["verify", "--ca", "CA", "/"], "Is a directory"),
    (["verify", "--ca", "KEY", "CERT"], "private key"),
    (["verify", "--ca", "CA", "--crl", "CA", "CERT"], "certificate"),
    (["verify", "--batch", "/nonexistent"], "cannot open /nonexistent"),
]


@pytest.mark.parametrize("args, says", USAGE, ids=[" ".join(a[1:]) or "nothing" for a, _ in USAGE])
def test_wrong_usage_and_unreadable_input_end_with_2_and_a_message(world, args, says):
    names = {"CA": str(world.root.crt), "CERT": str(world.server.crt), "KEY": str(world.server.key_file)}
    done = command(*[names.get(a, a) for a in args])
    assert done.returncode == 2 and says in done.stderr and done.stdout == "", done


# ---- batch ----

def case(world, leaf=None, **fields):
    leaf = leaf or world.server
    base = {"id": leaf.name, "validation_kind": "SERVER", "trusted_certs": [pem(world.root).decode()],
            "untrusted_intermediates": [pem(world.middle).decode()], "peer_certificate": pem(leaf).decode(),
            "validation_time": None, "expected_peer_name": None, "extended_key_usage": [], "crls": []}
    return {**base, **fields}


def batch(cases, **kw):
    """The answers to CASES (objects, or lines as they are)."""
    text = "".join((c if isinstance(c, str) else json.dumps(c)) + "\n" for c in cases)
    done = command("verify", "--batch", "-", input=text, **kw)
    assert done.returncode == 0 and done.stderr == "", done
    answers = json_lines(done.stdout)
    assert len(answers) == len(cases)
    return answers


def test_batch_answers_in_order_with_the_verdict_behind_the_id(world):
    cases = [case(world, id=f"case {i}") for i in range(20)]
    answers = batch(cases)
    assert [a["id"] for a in answers] == [c["id"] for c in cases]
    assert all(list(a) == ["id", "accepted", "reason", "factors", "chain"] and a["accepted"] for a in answers)


def test_batch_reads_a_file_as_it_reads_standard_input(world):
    path = write(world.folder / "cases.jsonl", json.dumps(case(world)) + "\n" + json.dumps(case(world, id="last")))  # no newline
    done = command("verify", "--batch", path)
    assert done.returncode == 0 and [a["id"] for a in json_lines(done.stdout)] == ["server", "last"]


@pytest.mark.parametrize("fields, reason", [
    ({}, "accepted"),
    ({"validation_time": rfc3339(NOW + 3 * DAY)}, "expired"),
    ({"expected_peer_name": {"kind": "DNS", "value": "www.example"}}, "accepted"),
    ({"expected_peer_name": {"kind": "DNS", "value": "*.wild.example"}}, "malformed"),
    ({"expected_peer_name": {"kind": "IP", "value": "192.0.2.8"}}, "wrong_name"),
    ({"expected_peer_names": [{"kind": "DNS", "value": "x.example"}, {"kind": "IP", "value": "192.0.2.7"}]}, "accepted"),
    ({"validation_kind": "CLIENT"}, "wrong_usage"),
    ({"max_chain_depth": 0}, "depth"),
    ({"max_chain_depth": 1}, "accepted"),
    ({"untrusted_intermediates": []}, "untrusted"),
    ({"trusted_certs": []}, "untrusted"),
    ({"trusted_certs": "MIDDLE"}, "untrusted"),
    ({"trusted_certs": "MIDDLE", "partial_chain": True}, "accepted"),
    ({"crls": "BOTH"}, "accepted"),
    ({"crls": "ROOT"}, "revocation_unknown"),
    ({"crls": "ROOT", "on_unknown": "accept"}, "accepted"),
    ({"crls": ["garbage"]}, "revocation_unknown"),
    ({"crls": "MIDDLE", "crl_depth": "leaf"}, "accepted"),
    ({"crls": "BOTH", "max_crl_age_days": 2}, "accepted"),
    ({"crls": "BOTH", "max_crl_age_days": 0}, "revocation_unknown"),
    ({"crls": "REVOKING", "on_unknown": "accept"}, "revoked"),
    ({"crls": "REVOKING", "on_unknown": "accept", "max_crl_age_days": 0}, "revoked"),
    ({"ocsp_responses": "GOOD", "crl_depth": "leaf"}, "accepted"),
    ({"ocsp_responses": "GOOD", "crl_depth": "leaf", "max_ocsp_age_days": 1}, "accepted"),
    ({"ocsp_responses": "GOOD", "crl_depth": "leaf", "max_ocsp_age_days": 0}, "revocation_unknown"),
    ({"ocsp_responses": "REVOKED", "crl_depth": "leaf", "on_unknown": "accept"}, "revoked"),
    ({"ocsp_responses": "REVOKED", "crl_depth": "leaf", "on_unknown": "accept", "max_ocsp_age_days": 0}, "revoked"),
    ({"ocsp_responses": "GOOD AND REVOKED", "crl_depth": "leaf"}, "revoked"),
    ({"ocsp_responses": "REVOKED AND GOOD", "crl_depth": "leaf"}, "revoked"),
    ({"ocsp_responses": ["AAAA"]}, "revocation_unknown"),
    ({"unheard": {"of": [1, 2]}, "features": ["x"]}, "accepted"),
])
def test_batch_fields(world, fields, reason):
    text = lambda ca: ca.crl_file.read_text()
    encoded = lambda **kw: base64.b64encode(
        ocsp_answer(world.folder / "batch.der", world.server, world.middle, **kw).read_bytes()).decode()
    data = {
        "MIDDLE": {"trusted_certs": lambda: [pem(world.middle).decode()], "crls": lambda: [text(world.middle)]},
        "ROOT": {"crls": lambda: [text(world.root)]},
        "BOTH": {"crls": lambda: [text(world.root), text(world.middle)]},
        "REVOKING": {"crls": lambda: [world.middle.crl(world.server, file=world.folder / "batch.crl").read_text()]},
        "GOOD": {"ocsp_responses": lambda: [encoded()]},
        "REVOKED": {"ocsp_responses": lambda: [encoded(status="revoked")]},
        "REVOKED AND GOOD": {"ocsp_responses": lambda: [encoded(status="revoked"), encoded()]},
        "GOOD AND REVOKED": {"ocsp_responses": lambda: [encoded(), encoded(status="revoked")]},
    }
    fields = {k: data[v][k]() if isinstance(v, str) and v in data else v for k, v in fields.items()}
    answer, = batch([case(world, **fields)])
    assert answer["reason"] == reason, answer


def test_batch_answers_every_line_whatever_it_is(world):
    lines = ["", "{", "[]", "7", '"x"', "{}", '{"id": "only"}', '{"id": 3}', "null", "\x01", json.dumps(case(world, peer_certificate="x")),
             '{"id": "' + "x" * 100000 + '"}', json.dumps(case(world, id="é\n\u2028")), json.dumps(case(world))]
    answers = batch(lines)
    assert [a["accepted"] for a in answers] == [False] * (len(lines) - 2) + [True] * 2
    assert answers[-2]["id"] == "é\n\u2028" and answers[6]["id"] == "only"
    assert all(a["reason"] == "malformed" for a in answers[:-2])


def answer_of(process):
    assert select.select([process.stdout], [], [], instance.PATIENCE)[0], "no answer"
    return process.stdout.readline()


def test_batch_answers_each_line_as_it_comes(world):
    with subprocess.Popen([instance.BINARY, "verify", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as p:
        for i in range(3):
            p.stdin.write(json.dumps(case(world, id=str(i))).encode() + b"\n")
            p.stdin.flush()
            assert json.loads(answer_of(p))["id"] == str(i)
        p.stdin.close()
        assert p.wait(10) == 0


def mesh(world):
    """Eight generations of six CAs of one name and no key identifiers that help: every one may have issued every next one."""
    generations, above = [], [CA(world.folder, "mesh-top", subject="mesh 0")]
    for g in range(1, 9):
        above = [CA(world.folder, f"mesh-{g}-{i}", issuer=above[0], subject=f"mesh {g}") for i in range(6)]
        generations += above
    return above[0].issue("mesh-leaf", "server"), generations


def constrained(world):
    """Many names under many constraints: the product of both must not be computed."""
    subtrees = [x509.DNSName(f"n{i}.example") for i in range(1500)]
    ca = world.issuer("many-constraints", extra=[(x509.NameConstraints(None, subtrees), True)])
    return ca.issue("many-names", "server", [f"DNS:h{i}.test" for i in range(256)]), [ca]


@pytest.mark.parametrize("make", [mesh, constrained])
def test_no_case_is_allowed_to_take_long(world, make):
    leaf, pool = make(world)
    started = time.monotonic()
    batch([case(world, leaf, untrusted_intermediates=[pem(c).decode() for c in pool])])
    assert time.monotonic() - started < 1


# ---- the suites of others ----

SUITES = {  # how many agree today, and how many are accepted that should not be
    "limbo-sample": (390, 24),
    "pkits": (204, 12),
}


def suite(name):
    folder = os.environ.get("SALLYPORT_SUITES", instance.ROOT.parent / "shared/suites")
    path = pathlib.Path(folder) / f"{name}.jsonl"
    if not path.exists():
        assert "CI" not in os.environ, f"{path} is missing; SALLYPORT_SUITES names the folder of suites"
        pytest.skip(f"no {path}; SALLYPORT_SUITES names the folder of suites")
    return path


@pytest.mark.parametrize("name", SUITES)
def test_suites_agree_no_less_than_before(name):
    path = suite(name)
    cases = json_lines(path.read_text())
    slowest, wrongly_accepted, agreeing = 0, [], 0
    with subprocess.Popen([instance.BINARY, "verify", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as p:
        for c in cases:
            p.stdin.write(json.dumps(c).encode() + b"\n")
            started = time.monotonic()
            p.stdin.flush()
            answer = json.loads(answer_of(p))
            slowest = max(slowest, time.monotonic() - started)
            assert answer["id"] == c["id"]
            expected = c["expected_result"] == "SUCCESS"
            agreeing += answer["accepted"] == expected
            if answer["accepted"] and not expected:
                wrongly_accepted.append(c["id"])
        p.stdin.close()
        assert p.wait(10) == 0
    least, most = SUITES[name]
    assert agreeing >= least and len(wrongly_accepted) <= most, (agreeing, wrongly_accepted)
    assert slowest < 1
