# SPDX-License-Identifier: Apache-2.0
"""One-way authentication, step by step as the page tells it: the evidence for each step is read from the wire."""
import steps
import wire
from steps import stage  # noqa: F401

handshake = steps.recorded("one-way")


def test_step_1_the_client_asks_with_its_versions_suites_and_random_number(handshake):
    steps.check_client_asks(handshake)


def test_step_2_the_server_returns_version_suite_random_number_and_server_crt(handshake):
    steps.check_server_answers(handshake)
    recording = handshake.recording
    assert not recording.all("server", wire.HANDSHAKE, wire.CERTIFICATE_REQUEST), "one-way asks for no client certificate"
    assert not recording.all("client", wire.HANDSHAKE, wire.CERTIFICATE)


def test_step_3_the_client_verifies_server_crt_by_the_four_factors_and_takes_its_public_key(handshake):
    steps.check_server_verified(handshake)


def test_step_4_the_client_sends_the_random_number_k_encrypted_with_the_servers_public_key(handshake):
    steps.check_k_sent(handshake)


def test_step_5_the_server_decrypts_k_with_server_key_and_both_use_it(handshake):
    steps.check_k_used(handshake)


def test_the_access_log_tells_what_was_offered_and_chosen(handshake):
    recording = handshake.recording
    name = steps.listener_name(handshake.mode.server, handshake.protocol, "one-way")
    said = handshake.stage.instance.line(lambda line: line["tls"].get("cipher") == recording.suite.name, listener=name)["tls"]
    assert said["version"] == f"TLSv{handshake.mode.version}" and not said["resumed"]
    suites = [suite for suite in recording.client_hello.suites if suite != steps.SIGNALLING]
    assert said["offered"][:len(suites)] == [wire.SUITES[suite].name for suite in suites]
