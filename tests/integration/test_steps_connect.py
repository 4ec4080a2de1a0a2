# SPDX-License-Identifier: Apache-2.0
"""`sallyport connect` tells the steps as the table has them, and what it says is what was on the wire."""
import json

import pytest

import instance
import steps
import wire
from steps import ECDHE12, RSA12, TLS13, stage  # noqa: F401

# l: literal, e: equivalent, n: not on the wire. Mutual 6 is met by step 1, and 7 is what TLS does not do.
WIRE = {
    ("one-way", RSA12): "lllll", ("one-way", ECDHE12): "lllee", ("one-way", TLS13): "lllee",
    ("mutual", RSA12): "lllllenel", ("mutual", ECDHE12): "lllllenee", ("mutual", TLS13): "lllllenee",
}
WORDS = {"l": "literal", "e": "equivalent", "n": "not on the wire"}
ACTORS = {"one-way": "client server client client server".split(),
          "mutual": "client server client server server client server client server".split()}
OPTIONS = {RSA12: ["--key-exchange", "rsa"], ECDHE12: ["--tls", "1.2"], TLS13: ["--tls", "1.3"]}


def connect(stage, mode, protocol, authentication, ca="servers", certificate=None):
    """(exit status, what it printed, the recording of it); it writes no key log, so the recording has what is in the clear."""
    tape = stage.tape(mode, protocol, authentication)
    own = ["--certificate", certificate.crt, "--key", certificate.key_file] if certificate else []
    done = instance.run("connect", f"127.0.0.1:{tape.port}", "--engine", instance.ENGINE, "--name", "localhost", "--ca", stage.pki.ca(ca).crt,
                        *own, *OPTIONS[mode], "--json")
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), wire.Recording(tape.finish(), {})


def own_certificate(stage, authentication):
    return stage.pki.good if authentication == "mutual" else None


@pytest.fixture(scope="module", params=[(a, m, p) for a, m in WIRE for p in steps.PROTOCOLS],
                ids=lambda value: f"{value[0]}-{value[1].name}-{value[2]}")
def told(request, stage):
    authentication, mode, protocol = request.param
    return (authentication, mode, *connect(stage, mode, protocol, authentication, certificate=own_certificate(stage, authentication)))


def test_connect_tells_the_steps_of_the_table(told):
    authentication, mode, status, answer, _ = told
    want = WIRE[authentication, mode]
    assert status == 0 and answer["peer"]["accepted"]
    assert [step["number"] for step in answer["steps"]] == list(range(1, len(want) + 1))
    assert [step["wire"] for step in answer["steps"]] == [WORDS[w] for w in want]
    assert [step["actor"] for step in answer["steps"]] == ACTORS[authentication]
    assert all(step["does"] and step["message"] and step["evidence"] for step in answer["steps"])


def test_connect_gives_as_evidence_what_was_on_the_wire(told):
    authentication, mode, _, answer, recording = told
    client, server = recording.client_hello, recording.server_hello
    evidence = {step["number"]: step["evidence"] for step in answer["steps"]}
    suites = f"{len(client.suites)} cipher suites"
    assert client.random[:4].hex() in evidence[1] and suites in evidence[1]
    assert server.random[:4].hex() in evidence[2] and recording.suite.name in evidence[2]
    assert answer["tls"]["version"] == f"TLSv{mode.version}" and answer["tls"]["cipher"] == recording.suite.name
    if mode is not TLS13:
        exchange = wire.Fields(recording.message("client", wire.CLIENT_KEY_EXCHANGE).body).vector(2 if mode is RSA12 else 1)
        assert f"{len(exchange)} octets" in evidence[8 if authentication == "mutual" else 4]
    if authentication == "mutual":
        assert suites in evidence[6] and recording.suite.name in evidence[7]


@pytest.mark.parametrize("combination", steps.COMBINATIONS, ids=steps.combination_name)
def test_connect_stops_at_step_3_if_it_cannot_trust_the_server(stage, combination):
    status, answer, recording = connect(stage, *combination, "one-way", ca="strangers")
    assert status == 1 and answer["peer"]["reason"] == "untrusted"
    assert [step["number"] for step in answer["steps"]] == [1, 2, 3]
    assert not recording.data("server") and not recording.all("client", wire.HANDSHAKE, wire.CLIENT_KEY_EXCHANGE)
    if combination[0] is not TLS13:  # there alerts are encrypted by now
        assert recording.fatal_alerts("client") == [wire.UNKNOWN_CA]


@pytest.mark.parametrize("combination", steps.COMBINATIONS, ids=steps.combination_name)
def test_connect_does_not_go_past_step_5_if_the_server_refuses_the_client(stage, combination):
    stranger = stage.pki.ca("strangers").issue("stranger-connect")
    status, answer, _ = connect(stage, *combination, "mutual", certificate=stranger)
    assert status == 1 and answer["peer"]["accepted"] and answer["tls"]["alert"] == "unknown_ca"
    assert [step["number"] for step in answer["steps"]] == [1, 2, 3, 4, 5]
    assert "unknown_ca" in answer["steps"][4]["evidence"]
