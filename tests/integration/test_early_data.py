# SPDX-License-Identifier: Apache-2.0
"""Early data (0-RTT, RFC 8446 §2.3) is never taken, so that no request runs before the handshake has shown who asks (peers.md T32)."""
import base64
import subprocess

import pytest

from http_peers import Scripted, group, running

CLIENT_CERTIFICATE_REQUEST = b"GET /admin/early HTTP/1.1\r\nHost: localhost\r\n\r\n"
ADDRESS_REQUEST = b"GET /few/early HTTP/1.1\r\nHost: localhost\r\n\r\n"
MAX_EARLY_DATA = b"\xaf\x04\x02\x02\x40\x00"  # [15] EXPLICIT INTEGER 16384: of OpenSSL's SSL_SESSION


def element(data):
    """(tag, the whole of the first DER element)"""
    n, head = data[1], 2
    if n >= 0x80:
        n, head = int.from_bytes(data[2:2 + (n & 0x7f)], "big"), 2 + (n & 0x7f)
    return data[0], data[:head + n]


def allowing_early_data(session):
    """SESSION, a PEM text of OpenSSL's, as if its ticket had allowed 16 KiB of early data: ours do not, and s_client would send none."""
    lines = session.split("-----BEGIN SSL SESSION PARAMETERS-----")[1].split("-----END")[0]
    der = base64.b64decode(lines)
    inside = der[len(der) - int.from_bytes(der[2:4], "big"):]
    out, placed = b"", False
    while inside:
        tag, whole = element(inside)
        assert tag != MAX_EARLY_DATA[0]
        if tag > MAX_EARLY_DATA[0] and not placed:
            out, placed = out + MAX_EARLY_DATA, True
        out, inside = out + whole, inside[len(whole):]
    out += b"" if placed else MAX_EARLY_DATA
    text = base64.encodebytes(b"\x30\x82" + len(out).to_bytes(2, "big") + out).decode()
    return f"-----BEGIN SSL SESSION PARAMETERS-----\n{text}-----END SSL SESSION PARAMETERS-----\n"


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    target = Scripted()
    ca = pki.ca("clients").crt
    config = f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: optional
    client_ca: [{ca}]
    certificates: [{pki.server.yaml()}]
    rules:
      - {{domain: localhost, path: /, target_group: web}}
      - {{domain: localhost, path: /admin/, target_group: web, authentication: {{client_ca: [{ca}]}}}}
      - {{domain: localhost, path: /few/, target_group: web, limits: {{per_source: {{max_rps: 100}}}}}}
target_groups: {group("web", target)}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("early_data"), config, target) as instance:
        instance.target = target
        yield instance


def s_client(world, *options, request):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port('web')}", "-servername", "localhost", "-tls1_3", "-ign_eof", *options]
    return subprocess.run(list(map(str, command)), input=request, capture_output=True, timeout=20).stdout.decode("latin-1")


@pytest.mark.parametrize("early", [CLIENT_CERTIFICATE_REQUEST, ADDRESS_REQUEST], ids=["identity", "address"])
def test_t32_a_request_in_early_data_reaches_no_rule(world, pki, tmp_path, early):
    last = b"GET /%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    session, data = tmp_path / "session", tmp_path / "early"
    client = ["-cert", pki.good.crt, "-key", pki.good.key_file]
    s_client(world, "-sess_out", session, *client, request=last % b"first")
    session.write_text(allowing_early_data(session.read_text()))
    data.write_bytes(early)
    mark, calls = world.mark(), len(world.target.calls)
    said = s_client(world, "-sess_in", session, "-early_data", data, *client, request=last % b"second")
    assert "Reused, TLSv1.3" in said and "Early data was rejected" in said and "HTTP/1.1 200 OK" in said, said
    line = world.line(since=mark, path="/second")
    assert line["status"] == 200 and line["tls"]["resumed"] and line["peer"]["accepted"]
    assert [call.path for call in world.target.calls[calls:]] == ["/second"] and len(world.lines()) == mark + 1
