# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a PKI, targets, and instances of Sallyport that are looked over when the test is done."""
import sys

import pytest

sys.path.insert(0, __file__.rsplit("/", 1)[0])

import peers  # noqa: E402
from instance import Instance  # noqa: E402
from pki import PKI  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The CAs `servers`, `clients` and `strangers`, and a server certificate for localhost, all made for this run."""
    p = PKI(tmp_path_factory.mktemp("pki"))
    p.folder.chmod(0o755)
    for name in ("servers", "clients", "strangers"):
        p.ca(name)
        p.ca(name).crl()
    p.server = p.ca("servers").issue("server", "server", ["DNS:localhost", "IP:127.0.0.1"])
    p.good = p.ca("clients").issue("good")
    return p


@pytest.fixture
def lb(tmp_path):
    """start(config) → a running Instance. Ended and checked after the test."""
    started = []

    def start(config, **kw):
        folder = tmp_path / f"lb{len(started)}"
        folder.mkdir()
        started.append(Instance(folder, config, **kw))
        return started[-1]

    yield start
    for instance in started:
        instance.stop()
    for instance in started:
        instance.check()


@pytest.fixture
def target():
    """start(serve, …) → a Target; closed after the test."""
    started = []

    def start(serve=peers.http_echo, **kw):
        started.append(peers.Target(serve, **kw))
        return started[-1]

    yield start
    for t in started:
        t.close()
