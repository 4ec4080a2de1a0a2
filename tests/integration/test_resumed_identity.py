# SPDX-License-Identifier: Apache-2.0
"""Targets and log hear of a resumed session's client what they heard in the full handshake, octet for octet: by HTTP/1.1, HTTP/2 and
the PROXY protocol."""
import json

import pytest

import peers
from http2_peers import Http2
from http_peers import group, running
from instance import ENGINE
from test_proxy_protocol import CERTIFICATE, SCHEME, SSL, Behind, tlvs

# PP2_CLIENT_SSL and in which of both a certificate was shown: the header of the PROXY protocol tells that apart (§2.2.6)
IN_SESSION, IN_CONNECTION = 0x01 | 0x04, 0x02

pytestmark = pytest.mark.skipif(ENGINE != "native", reason="libssl's server resumes nobody whom it asked for a certificate")
each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])


@pytest.fixture(scope="module")
def visitor(pki):
    """Below an intermediate CA, so that there is a chain to tell of; with a subject of all kinds of octets."""
    return pki.ca("between", issuer=pki.ca("clients")).issue("resumed-visitor", cn="ö, \"quoted\" + = ; <x>",
                                                             sans=["DNS:visitor.example", "EMAIL:v@visitor.example"])


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    web, raw = peers.Target(peers.http_echo), Behind()
    common = f"address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], client_ca: [{pki.ca('clients').crt}]"
    rules = """rules: [{domain: localhost, target_group: web, request_headers: {set: ['X-Subject: $client_cert_subject',
      'X-Print: $client_cert_sha256', 'X-Tls: $tls_version $tls_cipher $sni']}}]"""
    config = f"""
listeners:
  - {{name: mutual, protocol: HTTPS, authentication: mutual, {common}, {rules}}}
  - {{name: optional, protocol: HTTPS, authentication: optional, {common}, {rules}}}
  - {{name: relay, protocol: TCP_SSL, authentication: mutual, {common}, target_group: raw}}
target_groups:
  {group("web", web)}
  {group("raw", raw, protocol="TCP", more=", proxy_protocol: v2")}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("identity"), config, web, raw) as instance:
        instance.raw = raw
        yield instance


def by_http1(world, pki, listener, context, session):
    with peers.connect(world.port(listener), context, session=session) as tls:
        name = f"127.0.0.1:{tls.getsockname()[1]}"
        status, _, body = peers.ask(tls)
        assert status == 200
        return name, tls.session_reused, tls.session, json.loads(body)["headers"]


def by_http2(world, pki, listener, context, session):
    context.set_alpn_protocols(["h2"])
    with Http2(world.port(listener), pki, context=context, session=session) as client:
        answer = client.ask()
        assert answer.status == 200
        return client.name, client.sock.session_reused, client.sock.session, json.loads(answer.body)["headers"]


def peer_of(world, mark, name):
    """What the log says of the client: the verdict, with all its factors."""
    peer = world.line(since=mark, client=name)["peer"]
    assert peer["accepted"] and "factors" in peer
    return peer


@each_version
@pytest.mark.parametrize("ask", [by_http1, by_http2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("listener", ["mutual", "optional"])
def test_fields_and_log_are_the_same(world, pki, visitor, version, ask, listener):
    context, session, seen = peers.client_context(pki.ca("servers"), visitor, version), None, []
    for is_again in (False, True, True):  # the second time by a ticket that a resumed session gave
        mark = world.mark()
        name, is_resumed, session, fields = ask(world, pki, listener, context, session)
        assert is_resumed == is_again
        seen.append((fields, peer_of(world, mark, name)))
    assert seen[0] == seen[1] == seen[2]
    told = {name for name, _ in seen[0][0]}
    assert told >= {"Client-Cert", "Client-Cert-Chain", "X-Client-Cert-Subject", "X-Client-Cert-Sha256", "X-Client-Cert-Verified",
                    "X-Subject", "X-Print", "X-Tls"}


@each_version
def test_headers_of_the_proxy_protocol_are_the_same(world, pki, visitor, version):
    context, session, seen = peers.client_context(pki.ca("servers"), visitor, version), None, []
    for is_again in (False, True, True):
        mark = world.mark()
        with peers.connect(world.port("relay"), context, session=session) as tls:
            tls.sendall(b"hello")
            assert tls.recv(100).endswith(b"hello")
            assert tls.session_reused == is_again
            session, name = tls.session, f"127.0.0.1:{tls.getsockname()[1]}"
        client, _, told = world.raw.last()
        extension = told.pop(SSL)
        said = tlvs(extension[5:])
        assert client == name and extension[0] == (IN_SESSION if is_again else IN_SESSION | IN_CONNECTION)
        assert bool(said.pop(SCHEME, None)) == (not is_again)  # who resumes signs nothing
        assert said[CERTIFICATE] == visitor.der
        seen.append((told, extension[1:5], said, peer_of(world, mark, name)))
    assert seen[0] == seen[1] == seen[2]
