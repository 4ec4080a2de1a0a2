# SPDX-License-Identifier: Apache-2.0
"""Handshakes with chains of four certificates leave nothing in a worker, whether they are accepted or refused (peers.md T20). In short;
`make soak` does a million."""
import collections
import contextlib
import os
import threading

import pytest

import peers
from http_peers import memory
from instance import Instance, until

ROUNDS, HANDSHAKES = 5, 120
GROWTH = 120 << 10  # 1 KiB a handshake: less than the DER of the chain, and far less than one certificate parsed


def chained(pki, root, name):
    """A client behind three intermediate CAs, and with them."""
    issuer = pki.ca(root)
    for i in range(3):
        issuer = pki.ca(f"{root}-between{i}", issuer=issuer)
    certificate = issuer.issue(name)
    assert certificate.crt.read_bytes().count(b"BEGIN CERTIFICATE") == 4
    return certificate


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    web = peers.Target(peers.http_echo)
    chained(pki, "clients", "chained-clients")
    crls = ", ".join(str(pki.ca(name).crl()) for name in ("clients", *(f"clients-between{i}" for i in range(3))))
    config = f"""
listeners:
  - {{name: web, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], authentication: mutual,
     client_ca: [{pki.ca('clients').crt}], revocation: {{crl: [{crls}]}}, rules: [{{domain: localhost, target_group: web}}]}}
target_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]
access_log: {{file: access.log}}
workers: 1
"""
    # a sanitizer's quarantine would look like growth
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    instance = Instance(tmp_path_factory.mktemp("memory"), config, env={"ASAN_OPTIONS": options})
    yield instance
    instance.check()
    web.close()


def test_t20_handshakes_with_a_chain_of_four_leave_nothing(world, pki):
    """Whatever is allocated once shows in one round; what is left behind, in each."""
    wanted = [(root, version) for root in ("clients", "strangers") for version in ("1.2", "1.3")]
    contexts = [peers.client_context(pki.ca("servers"), chained(pki, root, f"chained-{root}"), version) for root, version in wanted]
    worker, = world.pids("worker")

    def visit(context):
        for _ in range(HANDSHAKES // len(contexts)):
            with contextlib.suppress(peers.Refused), peers.connect(world.port("web"), context) as tls:
                peers.ask(tls)

    used = [memory(worker, "RssAnon")]
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=visit, args=(context,)) for context in contexts]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        used.append(memory(worker, "RssAnon"))
    until(lambda: world.mark() == ROUNDS * HANDSHAKES, "a line each")
    seen = collections.Counter((line["peer"]["reason"], line["tls"]["version"]) for line in world.lines())
    each = ROUNDS * HANDSHAKES // len(contexts)
    assert seen == {(reason, f"TLSv{version}"): each for reason in ("accepted", "untrusted") for version in ("1.2", "1.3")}
    grown = [after - before for before, after in zip(used, used[1:])]
    assert min(grown) < GROWTH, f"{[n >> 10 for n in grown]} KiB in rounds of {HANDSHAKES} handshakes"
