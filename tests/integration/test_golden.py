# SPDX-License-Identifier: Apache-2.0
"""What we emit, byte for byte: to targets, to clients, and in the access log (peers.md T30). What is not constant in it is made here
anew, by other code than ours."""
import base64
import hashlib
import json
import pathlib
import re

import pytest

import peers
from http_peers import Client, group
from instance import Instance, until

NAMES = ["DNS:alice.example", "EMAIL:alice@example.com", "URI:spiffe://example/alice", "IP:192.0.2.7"]
REQUEST = (b"POST /a/b?c=d HTTP/1.1\r\nhost: LOCALHOST:8443\r\nuSer-Agent:  x y \r\nConnection: keep-alive, z\r\nz: 1\r\n"
           b"Content-Length: 2\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.1\r\nClient_Cert: forged\r\nKeep-Alive: 5\r\n\r\nhi")
RESPONSE = b"HTTP/1.1 299 Fine\r\nX-A: b \r\nContent-Length: 2\r\nServer: t\r\nConnection: x\r\nX: y\r\n\r\nok"


def sequence(certificate):
    """RFC 9440 §2.1, RFC 8941 §4.1.8"""
    return b":" + base64.b64encode(certificate.der) + b":"


def request_for_target(who):
    """What becomes of REQUEST; WHO are the fields about the client."""
    return (b"POST /a/b?c=d HTTP/1.1\r\nHost: LOCALHOST:8443\r\nuSer-Agent: x y\r\nAccept: */*\r\nContent-Length: 2\r\n"
            b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: %b\r\nX-Real-IP: 127.0.0.1\r\n%b\r\nhi") % who


class Golden:
    def __init__(self, pki, folder):
        self.pki, self.got = pki, []
        self.root = pki.ca("clients")
        self.between = pki.ca("golden", issuer=self.root)
        self.client = self.between.issue("alice", sans=NAMES)
        self.target = peers.Target(self.serve)
        rules = "rules: [{domain: localhost, path: /a, target_group: web}]"
        tls = f"certificates: [{pki.server.yaml()}], client_ca: [{self.root.crt}]"
        rows = {"plain": f"protocol: HTTP, {rules}"}
        rows |= {how: f"protocol: HTTPS, authentication: {how}, {tls}, {rules}" for how in ("mutual", "optional")}
        listeners = "".join(f"\n  - {{name: {name}, address: '127.0.0.1:0', {row}}}" for name, row in rows.items())
        self.instance = Instance(folder, f"listeners:{listeners}\ntarget_groups: {group('web', self.target)}\n"
                                         f"access_log: {{file: access.log}}\nworkers: 1\n")

    def serve(self, target, connection):
        data = b""
        while piece := connection.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\nhi"):
                self.got.append(data)
                data = b""
                connection.sendall(RESPONSE)

    def client_of(self, listener, certificate=None):
        port = self.instance.port(listener)
        if listener == "plain":
            return Client(port)
        return Client(sock=peers.TLS(port, peers.client_context(self.pki.ca("servers"), certificate, "1.3")))

    def close(self):
        self.instance.check()
        self.target.close()


@pytest.fixture(scope="module")
def golden(pki, tmp_path_factory):
    g = Golden(pki, pathlib.Path(tmp_path_factory.mktemp("golden")))
    yield g
    g.close()


def identity(golden):
    fields = [b"Client-Cert: " + sequence(golden.client), b"Client-Cert-Chain: " + sequence(golden.between),
              b"X-Client-Cert-Subject: CN=alice", b"X-Client-Cert-Sha256: " + hashlib.sha256(golden.client.der).hexdigest().encode(),
              b"X-Client-Cert-Verified: accepted", b""]
    return b"\r\n".join(fields)


@pytest.mark.parametrize("listener, shows", [("plain", False), ("mutual", True), ("optional", True), ("optional", False)])
def test_t30_a_request_as_the_target_gets_it(golden, listener, shows):
    who = identity(golden) if shows else b"X-Client-Cert-Verified: none\r\n" if listener != "plain" else b""
    with golden.client_of(listener, golden.client if shows else None) as client:
        client.send(REQUEST)
        assert client.response().status == 299
    assert golden.got[-1] == request_for_target((b"http" if listener == "plain" else b"https", who))


def raw_response(client):
    while b"\r\n\r\n" not in client.data or not client.data.endswith((b"\n", b"ok")):
        client.fill()
    data, client.data = client.data, b""
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", b"Date: now", data)


def ours(status, text, more=b""):
    return b"HTTP/1.1 %b\r\nDate: now\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(text), more, text)


def test_t30_responses_as_the_client_gets_them(golden):
    with golden.client_of("mutual", golden.client) as client:
        client.send(REQUEST)
        assert raw_response(client) == b"HTTP/1.1 299 Fine\r\nX-A: b\r\nServer: t\r\nContent-Length: 2\r\n\r\nok"
        client.send(b"GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw_response(client) == ours(b"404 Not Found", b"404 Not Found: no rule for this path\n")
        client.send(b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n")
        assert raw_response(client) == ours(b"400 Bad Request", b"400 Bad Request: the host is not a name or an address with an optional port\n",
                                            b"Connection: close\r\n")


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def described(certificate, names=()):
    c = certificate.cert
    return {"subject": c.subject.rfc4514_string(), "issuer": c.issuer.rfc4514_string(), "serial": f"{c.serial_number:x}",
            "sha256": hashlib.sha256(certificate.der).hexdigest(), "not_before": rfc3339(c.not_valid_before),
            "not_after": rfc3339(c.not_valid_after), "names": list(names)}


def verdict(golden):
    return {"accepted": True, "reason": "accepted", "factors": {
        "validity": {"verdict": "pass", "detail": f"until {rfc3339(golden.client.cert.not_valid_after)}"},
        "revocation": {"verdict": "unknown", "detail": "no revocation data configured"},
        "trust": {"verdict": "pass", "detail": "CN=clients"}, "name": {"verdict": "skipped", "detail": ""}},
        "chain": [described(golden.client, NAMES), described(golden.between), described(golden.root)]}


def stable(line):
    """A line of the log without what differs from run to run."""
    line = re.sub(rb'"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', b'"time":"now"', line)
    line = re.sub(rb'"(handshake|connect|response|total)":\d+', rb'"\1":0', line)
    return re.sub(rb'"offered":\[("TLS_\w+",?)+\]', b'"offered":[]', line)


def test_t30_lines_of_the_access_log(golden):
    with golden.client_of("mutual", golden.client) as client:
        client.send(REQUEST)
        client.response()
        client.ask("/b")
    with golden.client_of("plain") as plain:
        plain.send(b"GET /a HTTP/1.1\r\n\r\n")
        plain.response()

    def lines():
        whole = golden.instance.access_log.read_bytes().split(b"\n")[:-1]
        return [stable(line) for line in whole if any(f'"{c.name}"'.encode() in line for c in (client, plain))]
    until(lambda: len(lines()) == 3, "three lines")
    tls = {"time": "now", "listener": "mutual", "protocol": "HTTPS", "client": client.name, "sni": "localhost",
           "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "group": "x25519", "resumed": False, "offered": []},
           "peer": verdict(golden)}
    wanted = [
        {**tls, "method": "POST", "host": "localhost", "path": "/a/b", "status": 299, "rule": {"domain": "localhost", "path": "/a"},
         "target_group": "web", "target": f"127.0.0.1:{golden.target.port}", "bytes_in": 2, "bytes_out": 2,
         "ms": {"handshake": 0, "connect": 0, "response": 0, "total": 0}},
        {**tls, "method": "GET", "host": "localhost", "path": "/b", "status": 404, "bytes_in": 0, "bytes_out": 0,
         "ms": {"handshake": 0, "total": 0}, "close": "no_rule", "detail": "no rule for this path"},
        {"time": "now", "listener": "plain", "protocol": "HTTP", "client": plain.name, "status": 400, "bytes_in": 0, "bytes_out": 0,
         "ms": {"total": 0}, "close": "bad_request", "detail": "a request without a Host field"},
    ]
    for line, row in zip(lines(), wanted):
        assert line.decode() == json.dumps(row, separators=(",", ":"), ensure_ascii=False)
