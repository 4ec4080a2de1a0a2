# SPDX-License-Identifier: Apache-2.0
"""Mutual authentication, step by step as the page tells it: the evidence for each step is read from the wire."""
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import pki as pki_module
import steps
import wire
from steps import ECDHE12, RSA12, TLS13, stage  # noqa: F401
from wire import CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_HELLO, CLIENT_KEY_EXCHANGE, FINISHED, HANDSHAKE, SERVER_HELLO

NO_CERTIFICATE = {RSA12: 40, ECDHE12: 40, TLS13: 116}  # handshake_failure (RFC 5246 §7.4.6), certificate_required (RFC 8446 §6.2)
BAD_CERTIFICATE = 42
WEAKEST_FIRST = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"

handshake = steps.recorded("mutual")


def test_step_1_the_client_asks_with_its_versions_suites_and_random_number(handshake):
    steps.check_client_asks(handshake)


def test_step_2_the_server_returns_version_suite_random_number_and_server_crt(handshake):
    steps.check_server_answers(handshake)


def test_step_3_the_client_verifies_server_crt_by_the_four_factors_and_takes_its_public_key(handshake):
    steps.check_server_verified(handshake)


def test_step_4_the_server_requires_client_crt_and_the_client_sends_it(handshake):
    recording, clients = handshake.recording, handshake.stage.pki.ca("clients")
    request, certificate = recording.message("server", CERTIFICATE_REQUEST), recording.message("client", CERTIFICATE)
    assert recording.authorities() == [clients.cert.subject.public_bytes()]
    assert recording.certificates("client") == [handshake.stage.pki.good.der]
    assert request.at < certificate.at
    assert request.protected == certificate.protected == (handshake.mode is TLS13)
    steps.check_refused(handshake.again("mutual"), "server", NO_CERTIFICATE[handshake.mode])


def test_step_5_the_server_verifies_client_crt_with_the_root_certificate_and_obtains_the_public_key(handshake):
    pki = handshake.stage.pki
    certificate = x509.load_der_x509_certificate(handshake.recording.certificates("client")[0])
    assert steps.is_signed_by(certificate, pki.ca("clients")) and not steps.is_signed_by(certificate, pki.ca("strangers"))
    assert certificate.public_key().public_numbers() == pki.good.key.public_key().public_numbers()
    stranger = pki.ca("strangers").issue("stranger")
    steps.check_refused(handshake.again("mutual", stranger), "server", wire.UNKNOWN_CA)


def test_step_5_only_the_key_of_the_root_certificate_counts_not_its_name(handshake):
    impostor = pki_module.CA(handshake.stage.folder, "impostor", subject="clients").issue("good-by-impostor")
    assert impostor.cert.issuer == handshake.stage.pki.good.cert.issuer
    steps.check_refused(handshake.again("mutual", impostor), "server", wire.UNKNOWN_CA, BAD_CERTIFICATE)


def test_step_6_the_client_sent_its_schemes_in_step_1_and_sends_them_nowhere_else(handshake):
    sent = [item.type for item in handshake.recording.all("client", HANDSHAKE)]
    exchange = [] if handshake.mode is TLS13 else [CLIENT_KEY_EXCHANGE]
    assert sent == [CLIENT_HELLO, CERTIFICATE, *exchange, CERTIFICATE_VERIFY, FINISHED]
    assert handshake.recording.server_hello.suite in handshake.recording.client_hello.suites


def test_step_7_the_server_selects_the_scheme_of_the_highest_encryption_level(handshake):
    for client_hello, server_hello in (hellos(handshake.recording), hellos(offer_weakest_first(handshake))):
        offered = [s for s in client_hello.suites if s != steps.SIGNALLING]
        strongest = max(wire.SUITES[s].key_bytes for s in offered)
        assert any(wire.SUITES[s].key_bytes < strongest for s in offered)
        assert server_hello.suite == next(s for s in offered if wire.SUITES[s].key_bytes == strongest)


def test_step_7_the_choice_is_not_encrypted_with_the_clients_key_but_proved_by_finished(handshake):
    recording = handshake.recording
    choice = recording.message("server", SERVER_HELLO)
    # in the clear, before the server knows the client's key; and this key could not decrypt anything
    assert not choice.protected and choice.at < recording.message("client", CERTIFICATE).at
    assert isinstance(handshake.stage.pki.good.key, ec.EllipticCurvePrivateKey)
    for side in ("client", "server"):
        assert choice.raw in recording.transcript(recording.message(side, FINISHED)) and recording.is_finished(side)


@pytest.mark.parametrize("authentication", ["one-way", "mutual"])
def test_step_7_nobody_can_bring_about_a_weaker_choice(handshake, authentication):
    altered = handshake.again(authentication, handshake.stage.pki.good, alter=weaken)
    assert wire.SUITES[altered.recording.server_hello.suite].key_bytes == 16, "the server was offered 128 bit only"
    # TLS 1.3 and RFC 7627 derive the keys from the whole handshake; before that, in 1.2, the client has signed all of it
    is_signed = authentication == "mutual" and handshake.mode is not TLS13
    assert ("DECRYPT_ERROR" if is_signed else "BAD_RECORD_MAC") in altered.refusal
    steps.check_nothing_passed(altered)


def test_step_8_the_client_proves_that_it_holds_client_key_and_sends_k(handshake):
    recording = handshake.recording
    key = x509.load_der_x509_certificate(recording.certificates("client")[0]).public_key()
    assert recording.transcript_is_signed("client", key)
    assert recording.message("client", CERTIFICATE).at < recording.message("client", CERTIFICATE_VERIFY).at
    steps.check_k_sent(handshake)


def test_step_8_client_crt_without_client_key_is_of_no_use(handshake):
    pki = handshake.stage.pki
    thief = steps.stolen(pki.good, pki.ca("strangers").issue("thief"), handshake.stage.folder)
    refused = handshake.again("mutual", thief)
    assert refused.recording.certificates("client") == [pki.good.der]
    assert not refused.recording.transcript_is_signed("client", pki.good.key.public_key())
    steps.check_refused(refused, "server", wire.DECRYPT_ERROR)


def test_step_9_the_server_decrypts_k_with_server_key_and_both_use_it(handshake):
    steps.check_k_used(handshake)


# ---- for step 7 ----

def hellos(recording):
    return recording.client_hello, recording.server_hello


def offer_weakest_first(handshake):
    """What the client of TLS 1.2 does anyway; Python's offers the suites of TLS 1.3 in one order only, so there openssl does it."""
    if handshake.mode is not TLS13:
        return handshake.recording
    tape = handshake.stage.tape(handshake.mode, handshake.protocol, "mutual")
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tape.port}", "-servername", "localhost", "-tls1_3",
                    "-ciphersuites", WEAKEST_FIRST], stdin=subprocess.DEVNULL, capture_output=True, timeout=wire.PATIENCE)
    return wire.Recording(tape.finish(), {})


def weaken(sender, data):
    """An attacker who puts the weakest suite of the ClientHello in the place of every other."""
    if sender == "server" or data[:1] != bytes([HANDSHAKE]) or data[5] != CLIENT_HELLO:
        return data
    suites = wire.ClientHello(data[9:]).suites
    weakest = min((s for s in suites if s in wire.SUITES), key=lambda s: wire.SUITES[s].key_bytes)
    weak = [weakest if s in wire.SUITES else s for s in suites]
    return data.replace(*[b"".join(s.to_bytes(2, "big") for s in codes) for codes in (suites, weak)])
