# SPDX-License-Identifier: Apache-2.0
"""Certificates that come in by the control API: what they do to handshakes, and what hostile ones cannot do."""
import json

import pytest
from cryptography.hazmat.primitives import serialization

import peers
from api_client import Api, ApiError, create_key, refused
from api_world import free_port, instance_id, key_pem, named, pem, running_empty, upload, upload_ca
from instance import until

OFF = {"HealthSwitch": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running_empty(tmp_path_factory, "certificates") as instance:
        yield instance


@pytest.fixture(scope="module")
def api(world):
    a = Api(world)
    yield a
    a.close()


@pytest.fixture
def lb_id(api):
    made = instance_id(api)
    yield made
    api.do("DeleteLoadBalancer", LoadBalancerIds=[made], ForceDelete=True)


def all_there_is(api):
    return {c["CertificateId"]: c for c in api.call("DescribeCertificates", Limit=1000)["Certificates"]}


class Mutual:
    """A mutual TCP_SSL listener in front of `echo`."""

    def __init__(self, api, lb_id, pki, target, **certificate):
        self.api, self.pki, self.lb_id, self.port = api, pki, lb_id, free_port()
        self.server, self.ca = upload(api, pki.server), upload_ca(api, pki.ca("clients"))
        self.id = api.do("CreateListener", LoadBalancerId=lb_id, Ports=[self.port], Protocol="TCP_SSL", HealthCheck=OFF, Certificate={
            "SSLMode": "MUTUAL", "CertId": self.server, "CertCaId": self.ca, **certificate})["ListenerIds"][0]
        t = target(peers.echo)
        api.do("RegisterTargets", LoadBalancerId=lb_id, ListenerId=self.id, Targets=[{"EniIp": "127.0.0.1", "Port": t.port}])

    def modify(self, **certificate):
        self.api.do("ModifyListener", LoadBalancerId=self.lb_id, ListenerId=self.id, Certificate=certificate)

    def certificate(self):
        return self.api.call("DescribeListeners", LoadBalancerId=self.lb_id)["Listeners"][0]["Certificate"]

    def lets_in(self, certificate=None):
        try:
            return peers.talk(self.port, self.pki.ca("servers"), certificate) == b"echo:hello"
        except peers.Refused as e:
            return e.alert


# ---- who enters

def test_a_revocation_list_keeps_out_whom_it_lists_from_then_on(api, lb_id, pki, target):
    revoked = pki.ca("clients").issue("api-revoked")
    mutual = Mutual(api, lb_id, pki, target)
    assert mutual.lets_in(revoked) is True and mutual.lets_in(pki.good) is True
    crl = pki.ca("clients").crl(revoked, file=pki.folder / "api.crl").read_text()
    api.call("UpdateCertificateRevocationList", CertificateId=mutual.ca, CertCaCrl=crl)
    assert "REVOKED" in mutual.lets_in(revoked) and mutual.lets_in(pki.good) is True
    with refused("InvalidParameterValue", "whom they keep out would come in"):
        api.call("ReplaceCertForLoadBalancers", OldCertificateId=mutual.ca, Certificate={"CertCaId": upload_ca(api, pki.ca("clients"))})
    told = api.call("DescribeCertificateDetail", CertificateId=mutual.ca)
    assert told["CertCaCrl"].strip() == crl.strip()


def test_only_the_names_that_are_listed_enter(api, lb_id, pki, target):
    fleet = pki.ca("clients").issue("api-fleet", sans=["DNS:one.fleet.example"])
    mutual = Mutual(api, lb_id, pki, target, ClientNames=["DNS:*.fleet.example"])
    assert mutual.lets_in(fleet) is True and "ACCESS_DENIED" in mutual.lets_in(pki.good)
    mutual.modify(ClientNames=[])
    assert mutual.lets_in(pki.good) is True


def test_who_renews_a_certificate_and_says_nothing_else_opens_nothing(api, lb_id, pki, target):
    mutual = Mutual(api, lb_id, pki, target, ClientNames=["DNS:*.example"])
    before = mutual.certificate()
    mutual.modify(CertName="renewed", CertContent=pem(pki.server), CertKey=key_pem(pki.server))
    after = mutual.certificate()
    assert after.pop("CertId") != before.pop("CertId") and after == before
    assert "CERTIFICATE_REQUIRED" in mutual.lets_in() and mutual.lets_in(pki.good) is True


def test_verdicts_are_told_of_handshakes(api, lb_id, pki, target):
    mutual = Mutual(api, lb_id, pki, target)
    stranger = pki.ca("strangers").issue("api-stranger")
    assert "UNKNOWN_CA" in mutual.lets_in(stranger)

    def told():
        return api.call("DescribeHandshakes", LoadBalancerId=lb_id, ListenerId=mutual.id, OnlyFailed=True)["Handshakes"]
    handshake, = until(told, "the handshake")
    assert handshake["listener"] == mutual.id and handshake["peer"]["reason"] == "untrusted"
    verdict = api.call("VerifyCertificate", CertificatePublicKey=pem(stranger), CertCaId=mutual.ca)["Verdict"]
    assert verdict["accepted"] is False and verdict["reason"] == "untrusted"


# ---- keys

def lines_of(pem_text):
    return [line for line in pem_text.splitlines() if not line.startswith("-----") and len(line) > 30]


def test_a_private_key_is_told_by_nobody(api, world, pki):
    own = pki.ca("servers").issue("api-own", "server", ["DNS:localhost"])
    made = upload(api, own)
    told = api.call("DescribeCertificateDetail", CertificateId=made)
    assert told["CertificatePrivateKey"] is None and told["CertificatePublicKey"] == pem(own)
    with refused("FailedOperation.CertificateMismatch"):  # what an error says, and the log
        api.call("UploadCertificate", CertificatePublicKey=pem(pki.server), CertificatePrivateKey=key_pem(own))
    kept = b"".join(path.read_bytes() for path in (world.folder / "state").rglob("*") if path.is_file())
    assert made.encode() in kept
    der = own.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret = own.key.private_numbers().private_value.to_bytes(32, "big")
    for line in lines_of(key_pem(own)):
        assert line.encode() not in kept and line not in world.stderr() and line not in json.dumps(told)
    assert der not in kept and secret not in kept


@pytest.mark.parametrize("passphrase, code", [("sesame", None), ("wrong", "InvalidParameter.WithDetailReason"),
                                              (None, "InvalidParameter.WithDetailReason")])
def test_an_encrypted_key_needs_its_passphrase(api, pki, passphrase, code):
    key = pki.server.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.BestAvailableEncryption(b"sesame")).decode()
    request = {"CertificatePublicKey": pem(pki.server), "CertificatePrivateKey": key, "Alias": named("encrypted"),
               **({"KeyPassword": passphrase} if passphrase else {})}
    if code:
        with refused(code, "KeyPassword"):
            api.call("UploadCertificate", **request)
    else:
        assert api.call("UploadCertificate", **request)["CertificateId"]


# ---- hostile ones

NAMES = ["a\nfake: line", 'quote " and \\', "\x1b[31mred", "${host}", "*&anchor", "ünïcode ☃", "{json: yes}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_is_in_it(api, world, pki, name):
    before = len(world.stderr().splitlines())
    made = api.call("UploadCertificate", CertificatePublicKey=pem(pki.ca("clients")), CertificateType="CA", Alias=name)["CertificateId"]
    assert api.call("DescribeCertificate", CertificateId=made)["Alias"] == name
    said = world.stderr().splitlines()[before:]
    assert not any("fake: line" == line.strip() or "\x1b" in line for line in said)
    api.call("DeleteCertificate", CertificateId=made)


def test_what_a_certificate_is_called_is_shown_escaped(api, pki):
    evil = pki.ca("servers").issue("api-evil", "server", ["DNS:localhost"], cn="evil\n\x1b[31m")
    told = api.call("DescribeCertificateDetail", CertificateId=upload(api, evil))
    assert told["Domain"] == "evil\\x0a\\x1b[31m" and "\n" not in told["CertChainInfo"][0]["Subject"]


def block(text, label="CERTIFICATE"):
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"


HOSTILE = {
    "no certificate": ("hello", "FailedOperation.CertificateInvalid"),
    "no block": (block("!!!!"), "FailedOperation.CertificateInvalid"),
    "no DER": (block("MAA="), "FailedOperation.CertificateInvalid"),
    "a cut block": ("-----BEGIN CERTIFICATE-----\nMIIB", "FailedOperation.CertificateInvalid"),
    "a key": (block("MAA=", "PRIVATE KEY"), "FailedOperation.CertificateInvalid"),
    "many empty blocks": (5000 * block("MAA="), "FailedOperation.CertificateInvalid"),
    "deep DER": (block("MIA" * 3000), "FailedOperation.CertificateInvalid"),
    "2 MiB": ("x" * (2 << 20), "InvalidParameterValue.Length"),
    "nothing": ("", "InvalidParameterValue.Length"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_certificate_is_refused_and_nothing_is_kept(api, name):
    before = all_there_is(api)
    text, code = HOSTILE[name]
    with refused(code, "CertificatePublicKey"):
        api.call("UploadCertificate", CertificatePublicKey=text, CertificateType="CA")
    assert all_there_is(api) == before


def test_certificates_that_are_too_many_are_refused(api, pki):
    with refused("FailedOperation.CertificateInvalid", "at most 1000"):
        api.call("UploadCertificate", CertificatePublicKey=1001 * pem(pki.ca("clients")), CertificateType="CA")


def test_a_refused_listener_leaves_no_certificate_behind(api, lb_id, pki):
    before, port = all_there_is(api), free_port()
    with refused("MissingParameter", "CertCaId"):
        api.call("CreateListener", LoadBalancerId=lb_id, Ports=[port], Protocol="TCP_SSL", Certificate={
            "SSLMode": "MUTUAL", "CertName": "inline", "CertContent": pem(pki.server), "CertKey": key_pem(pki.server)})
    assert all_there_is(api) == before
    with pytest.raises(ConnectionRefusedError):
        peers.connect(port, peers.client_context(pki.ca("servers")))


def test_a_key_that_may_only_read_changes_no_certificate(world, api, pki):
    reader = Api(world, create_key(world, "read"))
    assert reader.call("DescribeCertificates")["TotalCount"] == len(all_there_is(api))
    with pytest.raises(ApiError) as e:
        upload(reader, pki.server)
    assert e.value.code == "AuthFailure.UnauthorizedOperation"
    reader.close()
