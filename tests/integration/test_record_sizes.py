# SPDX-License-Identifier: Apache-2.0
"""The sizes of TLS records that carry data: small first, so that the client can decrypt what has arrived, then as large as they can be;
after a rest the same again."""
import time

import pytest

import peers
from http_peers import group, running

AMOUNT = 1 << 20
FIRST_SUM, FIRST_SIZE = 64 << 10, 4096
SEALED = 5 + 1 + 16  # what a record of TLS 1.3 has around its content
REST_S = 1.2


class Observed(peers.TLS):
    """Keeps the octets that came after its handshake."""

    def __init__(self, *args):
        super().__init__(*args)
        self.wire, sock = b"", self.sock

        class Tap:
            sendall, close = sock.sendall, sock.close

            @staticmethod
            def recv(n):
                data = sock.recv(n)
                self.wire += data
                return data
        self.sock = Tap

    def sizes(self):
        """Of the contents of the records since the last call."""
        sizes = []
        while self.wire:
            n = 5 + int.from_bytes(self.wire[3:5], "big")
            assert len(self.wire) >= n, "the last record is not whole"
            sizes.append(n - SEALED)
            self.wire = self.wire[n:]
        return sizes

    def ask(self):
        """Have AMOUNT sent, and return the sizes of the records that it came in."""
        self.sendall(b"?")
        got = 0
        while got < AMOUNT:
            got += len(self.recv(1 << 16))
        return self.sizes()


def send_amounts(_, connection):
    while connection.recv(1):
        connection.sendall(bytes(AMOUNT))


@pytest.fixture
def client(pki, tmp_path):
    target = peers.Target(send_amounts)
    config = f"""
listeners:
  - {{name: tls, protocol: TCP_SSL, address: "127.0.0.1:0", certificates: [{pki.server.yaml()}], target_group: raw}}
target_groups: {group("raw", target, protocol="TCP")}
workers: 1
"""
    with running(tmp_path, config, target) as instance:
        client = Observed(instance.port("tls"), peers.client_context(pki.ca("servers")))
        yield client
        client.close()


def first(sizes):
    """Those that make up the first FIRST_SUM, and the others."""
    total = n = 0
    while total < FIRST_SUM:
        total += sizes[n]
        n += 1
    return sizes[:n], sizes[n:]


def test_records_are_small_at_first_then_large(client):
    client.ask()  # with it came the tickets
    time.sleep(REST_S)
    for _ in range(2):
        small, large = first(client.ask())
        assert max(small) <= FIRST_SIZE
        assert max(large) == 16384
        time.sleep(REST_S)


def test_records_stay_large_without_a_rest(client):
    client.ask()
    assert max(first(client.ask())[0]) > FIRST_SIZE
