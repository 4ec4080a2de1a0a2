# SPDX-License-Identifier: Apache-2.0
"""`sallyport connect` with servers of others, and with those that do not behave.

What it tells of the steps is held against the wire in test_steps_connect.py.
"""
import contextlib
import json
import os
import re
import socket
import threading
import time

import peers
import programs
import pytest
from files import HOUR, command, ocsp_answer
from instance import ENGINE
from pki import DAY
from programs import MODES, SERVERS

VERSION = {"1.2": "TLSv1.2", "1.3": "TLSv1.3", "rsa": "TLSv1.2"}
STEP = ["number", "actor", "does", "message", "evidence", "wire"]


@pytest.fixture(scope="module")
def certificates(pki):
    """Server certificates by what is wrong with them; `rsa` is good too."""
    ca, sans = pki.ca("servers"), ["DNS:localhost", "IP:127.0.0.1"]
    made = {
        "good": pki.server,
        "rsa": ca.issue("connect-rsa", "server", sans, key="rsa"),
        "expired": ca.issue("connect-expired", "server", sans, not_before=-2 * DAY, not_after=-HOUR),
        "revoked": ca.issue("connect-revoked", "server", sans),
        "untrusted": pki.ca("strangers").issue("connect-stranger", "server", sans),
        "wrong_name": ca.issue("connect-name", "server", ["DNS:other.example"]),
        "wrong_usage": ca.issue("connect-usage", "client", sans),
    }
    ca.crl(made["revoked"])
    return made


def connect(pki, port, *args, host="127.0.0.1", **kw):
    return command("connect", f"{host}:{port}", "--engine", ENGINE, "--ca", pki.ca("servers").crt, *args, **kw)


def connect_json(pki, port, *args, **kw):
    """(exit status, the object)."""
    done = connect(pki, port, "--json", *args, **kw)
    assert done.stdout.count("\n") == 1, done
    answer = json.loads(done.stdout)
    assert list(answer) == ["tls", "peer", "steps"]
    return done.returncode, answer


def own(certificate):
    return ["--certificate", certificate.crt, "--key", certificate.key_file]


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SERVERS)
def test_shows_the_handshake_with(tmp_path, pki, certificates, kind, mode, mutual):
    certificate = certificates["rsa" if mode == "rsa" else "good"]
    clients = pki.ca("clients") if mutual else None
    with SERVERS[kind](tmp_path, certificate, mode, clients) as server:
        status, answer = connect_json(pki, server.port, *(own(pki.good) if mutual else []), *(["--key-exchange", "rsa"] if mode == "rsa" else []))
    assert status == 0, answer
    assert answer["tls"]["version"] == VERSION[mode] and answer["tls"]["key_exchange"] == ("rsa" if mode == "rsa" else "ecdhe")
    assert answer["tls"]["handshake_complete"] and answer["tls"]["certificate_requested"] == mutual
    assert answer["peer"]["accepted"] and answer["peer"]["chain"][0]["serial"] == certificate.serial
    assert [s["number"] for s in answer["steps"]] == list(range(1, 10 if mutual else 6))
    assert all(list(s) == STEP and s["wire"] in ("literal", "equivalent", "not on the wire") for s in answer["steps"])


@pytest.mark.parametrize("kind, answer", [("openssl", "olleh\n"), ("gnutls", "hello\n")])
def test_relays_standard_input_and_output(tmp_path, pki, kind, answer):
    with SERVERS[kind](tmp_path, pki.server) as server:
        done = connect(pki, server.port, input="hello\n")
    assert (done.returncode, done.stdout) == (0, answer), done
    assert [int(n) for n in re.findall(r"^ *(\d)  (?:client|server) ", done.stderr, re.M)] == [1, 2, 3, 4, 5]
    assert "\naccepted\n" in done.stderr and "one-way authentication" in done.stderr


def plain_echo(target, connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def test_relays_much_through_a_mutual_tcp_ssl_listener(lb, pki, target):
    instance = lb(f"""
listeners:
  - name: door
    protocol: TCP_SSL
    address: 127.0.0.1:0
    authentication: mutual
    certificates: [{pki.server.yaml()}]
    client_ca: [{pki.ca('clients').crt}]
    target_group: raw
target_groups:
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{target(plain_echo).port}"}}]}}
access_log: {{file: access.log}}
""")
    data = "".join(f"{i}\n" for i in range(300000))
    done = connect(pki, instance.port("door"), *own(pki.good), input=data)
    assert done.returncode == 0 and done.stdout == data, done.stderr
    line = instance.line(listener="door")
    assert line["peer"]["accepted"] and line["bytes_in"] >= len(data)


# ---- the server is refused ----

@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("reason, alert", [("expired", "expired"), ("revoked", "revoked"), ("untrusted", "unknown ca"), ("wrong_name", "certificate unknown|access denied"),
                                           ("wrong_usage", "unsupported certificate")])
def test_refuses_a_server_and_tells_it_why_with_an_alert(tmp_path, pki, certificates, reason, alert, version):
    with SERVERS["openssl"](tmp_path, certificates[reason], version) as server:
        status, answer = connect_json(pki, server.port, "--crl", pki.ca("servers").crl_file)
        programs.until(lambda: "alert" in server.said(), lambda: server.said())
        said = server.said()
    assert (status, answer["peer"]["reason"]) == (1, reason)
    assert not answer["tls"]["handshake_complete"] and [s["number"] for s in answer["steps"]] == [1, 2, 3]
    assert re.search(alert, said), said


def test_sends_nothing_to_a_refused_server(tmp_path, pki, certificates):
    with SERVERS["gnutls"](tmp_path, certificates["untrusted"]) as server:
        done = connect(pki, server.port, input="secret\n")
    assert (done.returncode, done.stdout) == (1, "") and "refused: untrusted: " in done.stderr


def test_refuses_a_server_that_ocsp_says_is_revoked(tmp_path, pki):
    said = ocsp_answer(tmp_path / "answer.der", pki.server, pki.ca("servers"), "revoked")
    with SERVERS["openssl"](tmp_path, pki.server) as server:
        status, answer = connect_json(pki, server.port, "--ocsp", said)
    assert (status, answer["peer"]["reason"]) == (1, "revoked")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("staple, revocation, reason", [("good", "pass", "accepted"), ("revoked", "fail", "revoked"),
                                                        ("about another", "unknown", "accepted"), ("garbage", "unknown", "accepted"),
                                                        ("none", "unknown", "accepted")])
def test_what_a_server_staples_counts(tmp_path, pki, staple, revocation, reason, version):
    answers = {
        "good": lambda path: ocsp_answer(path, pki.server, pki.ca("servers")),
        "revoked": lambda path: ocsp_answer(path, pki.server, pki.ca("servers"), "revoked"),
        "about another": lambda path: ocsp_answer(path, pki.good, pki.ca("servers")),
        "garbage": lambda path: ocsp_answer(path, pki.server, pki.good, "revoked"),  # not the issuer's
    }
    more = ["-status_file", answers[staple](tmp_path / "staple.der")] if staple in answers else []
    with SERVERS["openssl"](tmp_path, pki.server, version, more=more) as server:
        status, answer = connect_json(pki, server.port)
        if reason == "revoked":
            programs.until(lambda: "alert" in server.said(), lambda: server.said())
            assert "certificate revoked" in server.said()  # RFC 8446 §6.2
    assert (status, answer["peer"]["reason"]) == (int(reason != "accepted"), reason)
    assert answer["peer"]["factors"]["revocation"]["verdict"] == revocation
    assert answer["tls"]["handshake_complete"] == (reason == "accepted")


def test_without_ca_the_systems_store_is_what_is_trusted(tmp_path, pki):
    with SERVERS["openssl"](tmp_path, pki.server) as server:
        done = command("connect", f"127.0.0.1:{server.port}", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["peer"]["reason"] == "untrusted"


@pytest.mark.parametrize("args, host, sni, reason", [
    ([], "127.0.0.1", "", "accepted"),
    ([], "localhost", "localhost", "accepted"),
    (["--name", "localhost"], "127.0.0.1", "localhost", "accepted"),
    (["--name", "DNS:localhost"], "127.0.0.1", "localhost", "accepted"),
    (["--name", "IP:127.0.0.1"], "localhost", "", "accepted"),
    (["--name", "elsewhere.example"], "127.0.0.1", "elsewhere.example", "wrong_name"),
])
def test_name_is_what_is_asked_for_and_what_is_checked(tmp_path, pki, args, host, sni, reason):
    with SERVERS["openssl"](tmp_path, pki.server) as server:
        _, answer = connect_json(pki, server.port, *args, host=host)
    assert (answer["tls"]["sni"], answer["peer"]["reason"]) == (sni, reason)


# ---- we are refused ----

@pytest.mark.parametrize("kind, version, certificate, alert", [
    ("openssl", "1.2", None, "handshake_failure"), ("openssl", "1.3", None, "certificate_required"),
    ("openssl", "1.2", "stranger", "unknown_ca"), ("openssl", "1.3", "stranger", "unknown_ca"),
    ("openssl", "1.2", "revoked", "certificate_revoked"), ("openssl", "1.3", "revoked", "certificate_revoked"),
    ("gnutls", "1.3", None, "certificate_required"), ("gnutls", "1.3", "stranger", "unknown_ca|bad_certificate|access_denied"),
])
def test_tells_with_which_alert_the_server_refused(tmp_path, pki, kind, version, certificate, alert):
    clients = pki.ca("clients")
    made = {"stranger": lambda: pki.ca("strangers").issue("connect-client"), "revoked": lambda: clients.issue("connect-revoked-client")}
    mine = made[certificate]() if certificate else None
    crl = clients.crl(*([mine] if certificate == "revoked" else []), file=tmp_path / "clients.crl") if kind == "openssl" else None
    with SERVERS[kind](tmp_path, pki.server, version, clients, crl) as server:
        status, answer = connect_json(pki, server.port, *(own(mine) if mine else []))
    assert status == 1 and answer["peer"]["accepted"], answer
    assert re.fullmatch(alert, answer["tls"]["alert"]) and answer["tls"]["alert"] in answer["tls"]["error"]
    assert answer["tls"]["certificate_requested"] and len(answer["steps"]) < 9


@pytest.mark.parametrize("certificate, status", [("stranger", 1), ("good", 0)])
def test_a_verdict_that_takes_long_to_travel_is_waited_for(lb, pki, target, certificate, status):
    """Under TLS 1.3 the server's verdict on us comes after the handshake: silence is not consent."""
    instance = lb(f"""
listeners:
  - name: far
    protocol: HTTPS
    address: 127.0.0.1:0
    authentication: mutual
    certificates: [{pki.server.yaml()}]
    client_ca: [{pki.ca('clients').crt}]
    rules: [{{domain: localhost, path: /, target_group: web}}]
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{target().port}"}}]}}
""")

    def far_away(_, connection):
        """What the server says arrives 600 ms later."""
        with socket.create_connection(("127.0.0.1", instance.port("far"))) as server:
            def forward():
                with contextlib.suppress(OSError):  # the other direction may have ended both
                    while data := connection.recv(65536):
                        server.sendall(data)
                    server.shutdown(socket.SHUT_WR)
            threading.Thread(target=forward, daemon=True).start()
            while data := server.recv(65536):
                time.sleep(0.6)  # the distance, not a wait for anything
                connection.sendall(data)

    mine = pki.ca("strangers").issue("connect-far") if certificate == "stranger" else pki.good
    got, answer = connect_json(pki, target(far_away).port, *own(mine), "--name", "localhost")
    assert got == status, answer
    assert answer["tls"].get("alert") == (None if status == 0 else "unknown_ca")
    assert len(answer["steps"]) == (9 if status == 0 else 5)


@pytest.mark.parametrize("offered, expected", [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], "")])
def test_alpn(tmp_path, pki, offered, expected):
    with SERVERS["openssl"](tmp_path, pki.server, more=["-alpn", "h2,http/1.1"]) as server:
        _, answer = connect_json(pki, server.port, *[a for p in offered for a in ("--alpn", p)])
    assert answer["tls"]["alpn"] == expected


@pytest.mark.parametrize("server, client", [("1.2", "1.3"), ("1.3", "1.2")])
def test_versions_that_do_not_meet(tmp_path, pki, server, client):
    with SERVERS["openssl"](tmp_path, pki.server, server) as s:
        status, answer = connect_json(pki, s.port, "--tls", client)
    assert status == 1 and answer["tls"]["alert"] == "protocol_version" and answer["peer"] is None
    assert [step["number"] for step in answer["steps"]] == [1]


def test_ipv6(target, pki):
    ca = pki.ca("servers")
    certificate = ca.issue("six", "server", ["IP:::1"])
    port = target(plain_echo, context=peers.server_context(certificate), family=socket.AF_INET6).port
    assert connect_json(pki, port, host="[::1]")[0] == 0


# ---- servers that do not behave ----

def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_unreachable_server_is_told_and_json_stays_json(pki):
    port = closed_port()
    done = connect(pki, port)
    assert done.returncode == 1 and f"cannot connect to 127.0.0.1 port {port}: Connection refused" in done.stderr
    done = connect(pki, port, "--json")
    assert done.returncode == 1 and json.loads(done.stdout) == {"tls": None, "peer": None, "steps": []} and "refused" in done.stderr


GARBAGE = {
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "nothing": b"",
    "random": os.urandom(2000),
    "half_a_record": b"\x16\x03\x03\x40\x00" + bytes(20),
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "enormous_message": b"\x16\x03\x03\x00\x04\x02\xff\xff\xff",
}


@pytest.mark.parametrize("sent", GARBAGE)
def test_what_is_no_handshake_ends_with_an_error(pki, target, sent):
    def serve(_, connection):
        connection.recv(65536)
        connection.sendall(GARBAGE[sent])

    status, answer = connect_json(pki, target(serve).port)
    assert status == 1 and answer["peer"] is None and answer["tls"]["error"], answer
    assert not answer["tls"]["handshake_complete"]
    assert (answer["tls"].get("alert") == "handshake_failure") == (sent == "alert")


def test_a_server_that_sends_byte_by_byte_is_patiently_read(tmp_path, pki, target):
    with SERVERS["openssl"](tmp_path, pki.server) as server:
        def dribble(_, connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with socket.create_connection(("127.0.0.1", server.port)) as there:
                def forward():
                    with contextlib.suppress(OSError):
                        while data := connection.recv(65536):
                            there.sendall(data)
                        there.shutdown(socket.SHUT_WR)

                threading.Thread(target=forward, daemon=True).start()
                while data := there.recv(65536):
                    for i in range(len(data)):
                        connection.sendall(data[i:i + 1])

        done = connect(pki, target(dribble).port, input="hello\n")
    assert (done.returncode, done.stdout) == (0, "olleh\n"), done


def test_an_end_without_close_notify_is_not_taken_for_the_end_of_the_data(pki, target):
    def cut(_, connection):
        connection.sendall(b"half of it")
        socket.socket(fileno=connection.detach()).close()

    silent, end = os.pipe()  # input that does not end: what we sent then would reset the connection
    done = connect(pki, target(cut, context=peers.server_context(pki.server)).port, stdin=silent)
    os.close(silent), os.close(end)
    assert done.returncode == 1 and done.stdout == "half of it" and "without close_notify" in done.stderr


# ---- usage ----

@pytest.mark.parametrize("args, says", [
    ([], "HOST:PORT is missing"),
    (["localhost"], "is no HOST:PORT"),
    (["::1:443"], "[::1]:443"),
    (["localhost:1", "--certificate", "CERT"], "go together"),
    (["localhost:1", "--certificate", "CERT", "--key", "OTHER"], "is not the key of"),
    (["localhost:1", "--certificate", "/nonexistent", "--key", "KEY"], "cannot open /nonexistent"),
    (["localhost:1", "--key-exchange", "rsa", "--tls", "1.3"], "TLS 1.2 only"),
    (["localhost:1", "--tls", "1.1"], "any|1.2|1.3"),
    (["localhost:1", "--ca", "/nonexistent"], "cannot open /nonexistent"),
    (["localhost:1", "--name", "IP:x"], "IP"),
])
def test_wrong_usage_ends_with_2_before_anything_is_sent(pki, args, says):
    names = {"CERT": pki.good.crt, "KEY": pki.good.key_file, "OTHER": pki.server.key_file}
    done = command("connect", *[names.get(a, a) for a in args])
    assert done.returncode == 2 and says in done.stderr and done.stdout == "", done
