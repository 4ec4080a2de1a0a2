# SPDX-License-Identifier: Apache-2.0
"""A TLS listener: which certificate it shows to whom, what it staples and negotiates, where it listens."""
import re
import socket
import ssl
import struct
import subprocess

import pytest
import peers
from files import HOUR, for_pss, ocsp_answer, pem, write
from http_peers import Client, Scripted, descriptors, group, header, running
from instance import until

NAMES = {"exact": ["DNS:www.test", "DNS:other.test"], "wildcard": ["DNS:*.test"], "default": ["DNS:localhost", "IP:127.0.0.1"]}
KEYS = ("ec", "rsa", "ed25519")


@pytest.fixture(scope="module")
def shown(pki):
    """The listener's certificates: for each set of names one with each kind of key; CN is `names-key`."""
    return {f"{name}-{key}": pki.ca("servers").issue(f"{name}-{key}", "server", NAMES[name], key=key)
            for name in ("default", "exact", "wildcard") for key in KEYS}


@pytest.fixture(scope="module")
def of_pss(pki, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pss")
    return {"server": for_pss(folder, pki.ca("servers"), "pss-server", "serverAuth"),
            "client": for_pss(folder, pki.ca("clients"), "pss-client", "clientAuth", "rsa_pss_keygen_md:sha384", "rsa_pss_keygen_mgf1_md:sha384")}


@pytest.fixture(scope="module")
def world(pki, shown, of_pss, tmp_path_factory):
    target, folder = Scripted(), tmp_path_factory.mktemp("listeners")
    rules = "rules: [{domain: localhost, path: /, target_group: web}]"
    one = f"certificates: [{pki.server.yaml()}]"
    stapled = shown["exact-ec"].yaml()[:-1] + f", ocsp: {ocsp_answer(folder / 'www.ocsp', shown['exact-ec'], pki.ca('servers'))}}}"
    many = ", ".join([stapled if c.name == "exact-ec" else c.yaml() for c in shown.values()])
    pss = "certificates: [{{certificate: {}, key: {}}}]".format(*of_pss["server"])
    config = f"""
listeners:
  - {{name: pss, protocol: HTTPS, address: "127.0.0.1:0", {pss}, authentication: mutual, client_ca: [{pki.ca("clients").crt}], {rules}}}
  - {{name: many, protocol: HTTPS, address: "127.0.0.1:0", certificates: [{many}], {rules}}}
  - {{name: only_1.2, protocol: HTTPS, address: "127.0.0.1:0", {one}, tls: {{versions: ["1.2"]}}, {rules}}}
  - {{name: only_1.3, protocol: HTTPS, address: "127.0.0.1:0", {one}, tls: {{versions: ["1.3"]}}, {rules}}}
  - {{name: v6, protocol: HTTPS, address: "[::1]:0", {one}, {rules}}}
  - {{name: any6, protocol: HTTPS, address: "[::]:0", {one}, {rules}}}
  - {{name: both, protocol: HTTPS, address: ":0", {one}, {rules}}}
  - {{name: raw, protocol: TCP_SSL, address: "127.0.0.1:0", certificates: [{many}], target_group: raw}}
target_groups: {group("web", target)} {group("raw", target, protocol="TCP")}
access_log: {{file: access.log}}
workers: 1
"""
    with running(folder, config, target) as instance:
        instance.target = target
        yield instance


def s_client(world, pki, *args, listener="many"):
    """What openssl s_client tells of a handshake."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port(listener)}", "-CAfile", str(pki.ca("servers").crt), *args]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=20).stdout


def subject(told):
    return re.search(r"subject=CN = (\S+)", told)[1]


# ---- certificates ---------------------------------------------------------------------------------

SIGNATURES = {"ec": "ecdsa_secp256r1_sha256", "rsa": "rsa_pss_rsae_sha256", "ed25519": "ed25519"}
SNI = {"www.test": "exact", "other.test": "exact", "WWW.TEST": "exact", "www.test.": "exact", "a.test": "wildcard", "localhost": "default", "a.b.test": "default",
       "test": "default", "nobody.example": "default"}


@pytest.mark.parametrize("name", SNI)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("listener", ["many", "raw"])
def test_the_certificate_is_chosen_by_name_and_by_what_the_client_can_verify(world, pki, name, key, listener):
    told = s_client(world, pki, "-servername", name, "-sigalgs", SIGNATURES[key], listener=listener)
    assert subject(told) == f"{SNI[name]}-{key}" and "Verification: OK" in told


@pytest.mark.parametrize("key", KEYS)
def test_the_first_certificate_is_for_clients_without_sni(world, pki, key):
    assert subject(s_client(world, pki, "-noservername", "-sigalgs", SIGNATURES[key])) == f"default-{key}"


@pytest.mark.parametrize("key, cipher", [("ec", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("rsa", "ECDHE-RSA-AES128-GCM-SHA256")])
def test_under_tls_1_2_the_suite_decides_about_the_key(world, pki, key, cipher):
    assert subject(s_client(world, pki, "-servername", "www.test", "-tls1_2", "-cipher", cipher)) == f"exact-{key}"


def test_who_can_verify_none_of_the_keys_is_refused(world, pki):
    mark = world.mark()
    told = s_client(world, pki, "-servername", "www.test", "-sigalgs", "ecdsa_secp521r1_sha512", "-tls1_3")
    assert "no peer certificate available" in told
    assert world.line(since=mark, listener="many")["close"] == "handshake_no_common"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_keys_for_rsassa_pss_only_authenticate_both_sides(world, pki, of_pss, version):
    mark = world.mark()
    crt, key = of_pss["client"]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port('pss')}", "-CAfile", str(pki.ca("servers").crt), version,
               "-cert", str(crt), "-key", str(key), "-quiet", "-ign_eof"]
    done = subprocess.run(command, input="GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", capture_output=True, text=True, timeout=20)
    assert done.stdout.startswith("HTTP/1.1 200"), done.stderr
    assert world.line(since=mark, listener="pss")["peer"]["accepted"]
    assert "RSA-PSS" in s_client(world, pki, version, "-cert", str(crt), "-key", str(key), listener="pss").split("Peer signature type: ")[1].split("\n")[0]


# ---- stapling -------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_ocsp_answer_is_stapled_to_its_certificate_and_to_no_other(world, pki, shown, version):
    told = s_client(world, pki, "-status", "-servername", "www.test", "-sigalgs", "ecdsa_secp256r1_sha256", version)
    assert "OCSP Response Status: successful" in told and "Cert Status: good" in told
    assert f"{shown['exact-ec'].cert.serial_number:X}".rjust(40, "0") in told.split("Serial Number:")[1].split("\n")[0].strip().rjust(40, "0")
    for name, key in (("www.test", "rsa"), ("localhost", "ec")):
        assert "OCSP response: no response sent" in s_client(world, pki, "-status", "-servername", name, "-sigalgs", SIGNATURES[key], version)


def test_nothing_is_stapled_for_who_does_not_ask(world, pki):
    assert "OCSP" not in s_client(world, pki, "-servername", "www.test", "-sigalgs", "ecdsa_secp256r1_sha256")


STAPLES = {  # what the new file says → what clients are shown of it
    "good": (dict(status="good"), "good"),
    "revoked": (dict(status="revoked"), "revoked"),
    "unknown": (dict(status="unknown"), None),
    "expired": (dict(this_update=-3 * HOUR, next_update=-HOUR), None),
    "of_the_future": (dict(this_update=HOUR), None),
    "of_another": (dict(), None),
    "of_another_ca": (dict(), None),
    "try_later": (dict(), None),
}


@pytest.mark.parametrize("has_issuer", [True, False], ids=["with_issuer", "alone"])
def test_a_reload_brings_the_new_answer_and_one_that_helps_nobody_is_not_shown(pki, lb, target, tmp_path, has_issuer):
    """Clients refuse who staples what has expired, or what is about somebody else; who staples nothing they take. Whose signature it is
    can be seen only where the issuer's certificate is in the file."""
    ca = pki.ca("servers")
    leaf, other = (ca.issue(f"stapled-{n}", "server", ["DNS:localhost"]) for n in (1, 2))
    chain = write(tmp_path / "chain.crt", pem(leaf, ca) if has_issuer else pem(leaf))
    file = ocsp_answer(tmp_path / "answer", leaf, ca)
    instance = lb(f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{{certificate: {chain}, key: {leaf.key_file}, ocsp: {file}}}]
    rules: [{{domain: localhost, target_group: web}}]
target_groups: {group("web", target())}
workers: 1
""")
    for case, (keys, shown) in STAPLES.items():
        ocsp_answer(file, other if case == "of_another" else leaf, ca, signer=pki.ca("strangers") if case == "of_another_ca" else None, **keys)
        if case == "try_later":
            file.write_bytes(b"\x30\x03\x0a\x01\x03")
        if case == "of_another_ca" and not has_issuer:
            shown = "good"
        said = instance.reload()
        assert ("the OCSP answer is not stapled: " in said) == (shown is None), (case, said)
        for version in ("-tls1_2", "-tls1_3"):
            status = re.search(r"Cert Status: (\w+)|OCSP response: no response sent", s_client(instance, pki, "-status", version, listener="web"))
            assert status and status[1] == shown, (case, version)


# ---- what is negotiated ---------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_listener_for_one_version_speaks_no_other(world, pki, version):
    other = {"1.2": "1.3", "1.3": "1.2"}[version]
    with peers.connect(world.port(f"only_{version}"), peers.client_context(pki.ca("servers"))) as tls:
        assert tls.version() == f"TLSv{version}" and Client(sock=tls).ask().status == 200
    mark = world.mark()
    with pytest.raises(peers.Refused) as refused:
        peers.connect(world.port(f"only_{version}"), peers.client_context(pki.ca("servers"), version=other))
    assert refused.value.alert.endswith("PROTOCOL_VERSION")
    line = world.line(lambda line: "method" not in line, since=mark, listener=f"only_{version}")
    assert (line["close"], line["tls"]["alert_sent"]) == ("handshake_no_common", "protocol_version") and line["tls"]["offered"]


@pytest.mark.parametrize("offered, chosen", [
    (["http/1.1"], "http/1.1"), (["h2c", "http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0"), (["http/1.0", "http/1.1"], "http/1.1"), (None, None)])
def test_alpn_selects_the_newest_http_that_we_speak(world, pki, offered, chosen):
    mark = world.mark()
    with peers.connect(world.port("many"), peers.client_context(pki.ca("servers"), alpn=offered)) as tls:
        assert tls.selected_alpn_protocol() == chosen and Client(sock=tls).ask("/", "GET", "Connection: close").status == 200
    assert world.line(since=mark, listener="many")["tls"].get("alpn") == chosen


def test_alpn_without_one_that_we_speak_is_refused(world, pki):
    mark = world.mark()
    with pytest.raises(peers.Refused):
        peers.connect(world.port("many"), peers.client_context(pki.ca("servers"), alpn=["h3"]))
    line = world.line(since=mark, listener="many")
    assert (line["close"], line["tls"]["alert_sent"]) == ("handshake_no_common", "no_application_protocol")


def test_alpn_is_not_negotiated_on_tcp_ssl(world, pki):
    with peers.connect(world.port("raw"), peers.client_context(pki.ca("servers"), alpn=["h2", "ftp"])) as tls:
        assert tls.selected_alpn_protocol() is None
        assert Client(sock=tls).ask().body == b"ok"


def test_the_line_tells_what_was_negotiated(world, pki):
    mark = world.mark()
    with peers.connect(world.port("many"), peers.client_context(pki.ca("servers"), version="1.3")) as tls:
        Client(sock=tls).ask("/", "GET", "Connection: close")
    line = world.line(since=mark, listener="many")
    assert line["sni"] == "localhost" and line["protocol"] == "HTTPS" and "handshake" in line["ms"]
    told = line["tls"]
    assert (told["version"], told["cipher"], told["group"], told["resumed"]) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", False)
    assert "TLS_AES_128_GCM_SHA256" in told["offered"]


# ---- what is not TLS ------------------------------------------------------------------------------

@pytest.mark.parametrize("listener", ["many", "raw"])
@pytest.mark.parametrize("name, data", [("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"), ("zeros", bytes(64))])
def test_what_is_not_tls_is_refused_and_said_to_be_so(world, listener, name, data):
    mark, calls = world.mark(), len(world.target.calls)
    with Client(world.port(listener)) as client:
        client.send(data)
        client.until_close()
    line = world.line(since=mark, listener=listener)
    assert (line["close"], line["bytes_in"]) == ("handshake_not_tls", len(data))
    assert len(world.target.calls) == calls


def test_a_client_that_hangs_up_in_the_handshake_has_a_line_and_one_that_only_looked_in_has_none(world):
    mark = world.mark()
    with Client(world.port("many")):
        pass
    with Client(world.port("many")) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01")
    assert world.line(since=mark)["close"] == "handshake_closed"
    assert world.mark() == mark + 1


def test_a_client_that_does_not_trust_us_has_a_line(world, pki):
    mark = world.mark()
    with pytest.raises(ssl.SSLCertVerificationError):
        peers.client_context(pki.ca("strangers")).wrap_socket(socket.create_connection(("127.0.0.1", world.port("many")), 10), server_hostname="localhost")
    line = world.line(since=mark)
    assert (line["close"], line["tls"]["alert_received"]) == ("handshake_alert", "unknown_ca")


# ---- where it listens -----------------------------------------------------------------------------

@pytest.mark.parametrize("listener, address, listens", [
    ("v6", "::1", True), ("v6", "127.0.0.1", False), ("any6", "::1", True), ("any6", "127.0.0.1", False),
    ("both", "::1", True), ("both", "127.0.0.1", True), ("many", "::1", False)])
def test_a_listener_is_reached_where_it_says(world, pki, listener, address, listens):
    context = peers.client_context(pki.ca("servers"))
    if not listens:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, world.port(listener)), 10)
        return
    mark = world.mark()
    with context.wrap_socket(socket.create_connection((address, world.port(listener)), 10), server_hostname="localhost") as tls:
        assert Client(sock=tls).ask("/", "GET", "Connection: close").status == 200
    host = "[::1]" if address == "::1" else "127.0.0.1"
    assert world.line(since=mark, listener=listener)["client"].startswith(f"{host}:")
    assert dict((k.lower(), v) for k, v in world.target.calls[-1].headers)["x-forwarded-for"] == address


def segments_with_data(sock):
    """How many have come: tcpi_data_segs_in of <linux/tcp.h>."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156), 152)[0]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_last_response_and_the_end_come_in_one_segment(world, pki, version):
    peer = peers.TLS(world.port(f"only_{version}"), peers.client_context(pki.ca("servers")))
    with Client(sock=peer) as client:
        client.ask()  # whatever belongs to the handshake has come
        before = segments_with_data(peer.sock)
        assert client.ask("/", "GET", "Connection: close").status == 200
        assert client.end() == "fin"  # after close_notify, or it were an SSLEOFError
        assert segments_with_data(peer.sock) - before == 1


def test_hundreds_of_handshakes_leave_nothing_behind(world, pki):
    worker, context = world.pids("worker")[0], peers.client_context(pki.ca("servers"))
    def once():
        with peers.connect(world.port("many"), context) as tls:
            assert header(Client(sock=tls).ask("/", "GET", "Connection: close"), "Connection") == "close"
    once()
    before = descriptors(worker)
    for _ in range(300):
        once()
    until(lambda: descriptors(worker) <= before, lambda: f"{descriptors(worker)} descriptors to become {before}")
