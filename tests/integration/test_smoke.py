# SPDX-License-Identifier: Apache-2.0
"""The main job, in one instance: each protocol, each mode, once."""
import socket

import pytest

import peers


def config(pki, web, raw):
    cert = f"certificates: [{pki.server.yaml()}]"
    ca = f"client_ca: [{pki.ca('clients').crt}]\n    revocation: {{crl: [{pki.ca('clients').crl_file}], policy: hard}}"
    rules = "rules: [{domain: localhost, path: /, target_group: web}]"
    return f"""
listeners:
  - {{name: plain, protocol: HTTP, address: "127.0.0.1:0", {rules}}}
  - {{name: relay, protocol: TCP, address: "127.0.0.1:0", target_group: raw}}
  - {{name: one_way, protocol: HTTPS, address: "127.0.0.1:0", authentication: one-way, {cert}, {rules}}}
  - name: mutual
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: mutual
    {cert}
    {ca}
    {rules}
  - name: tcp_ssl
    protocol: TCP_SSL
    address: 127.0.0.1:0
    authentication: mutual
    {cert}
    {ca}
    target_group: raw
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web.port}"}}]}}
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{raw.port}"}}]}}
access_log: {{file: access.log}}
workers: 2
"""


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_protocol_and_mode_serves(lb, pki, target, version):
    web, raw = target(), target(peers.echo)
    instance = lb(config(pki, web, raw))
    status, told = peers.get(instance.port("one_way"), pki.ca("servers"), version=version, path="/a?b=c")
    assert (status, told["path"]) == (200, "/a?b=c")
    assert not [k for k, _ in told["headers"] if k.lower().startswith(("client-cert", "x-client-cert"))]
    status, told = peers.get(instance.port("mutual"), pki.ca("servers"), pki.good, version)
    assert status == 200 and ["X-Client-Cert-Verified", "accepted"] in told["headers"]
    line = instance.line(listener="mutual")
    assert line["peer"]["accepted"] and line["tls"]["version"] == f"TLSv{version}" and line["status"] == 200
    with pytest.raises(peers.Refused):
        peers.get(instance.port("mutual"), pki.ca("servers"), version=version)
    line = instance.line(listener="mutual", since=2)
    assert line["peer"]["reason"] == "no_certificate" and line["close"] == "client_refused"
    assert peers.talk(instance.port("tcp_ssl"), pki.ca("servers"), pki.good, version) == b"echo:hello"
    with socket.create_connection(("127.0.0.1", instance.port("relay"))) as s:
        s.sendall(b"plain")
        assert s.recv(100) == b"echo:plain"
    with socket.create_connection(("127.0.0.1", instance.port("plain"))) as s:
        assert peers.ask(s)[0] == 200
