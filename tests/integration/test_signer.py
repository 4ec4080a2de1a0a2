# SPDX-License-Identifier: Apache-2.0
"""Private keys are in the signer and nowhere else, and the signer signs handshakes whatever becomes of it."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

import peers
from instance import run, until
from processes import SANITIZED, Traffic, admin_port, certificate_at, get, kill, listener, memfds, needs_root, only, status
from prometheus import Metrics

BACK_WITHIN_S = 2 if SANITIZED else 0.2
NATIVE = "tls: {engine: native}, "
REGION_MAX = 1 << 28  # AddressSanitizer reserves terabytes for what is no data


def config(*listeners, group="{name: web, protocol: HTTP, targets: [{address: \"127.0.0.1:PORT\"}]}", port=0, **keys):
    keys = {"access_log": "{file: access.log}", "admin": '{address: "127.0.0.1:0"}', "workers": 2, **keys}
    return "\n".join(["listeners:", *[f"  - {each}" for each in listeners], "target_groups:",
                      f"  - {group.replace('PORT', str(port))}", *[f"{key}: {value}" for key, value in keys.items()], ""])


def native(name="web", certificate=None):
    return listener(name, "HTTPS", certificate=certificate).replace("{name:", f"{{{NATIVE}name:", 1)


# ---- where keys are

def patterns(key, pem):
    """What KEY looks like in memory: its numbers as octets and as libcrypto's limbs, its DER, a line of its PEM."""
    numbers = key.private_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        secret = [numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp]
    else:
        secret = [numbers.private_value]
    found = {}
    for i, n in enumerate(secret):
        octets = n.to_bytes((n.bit_length() + 7) // 8, "big")
        # the middle: neither end depends on how it is padded
        found[f"number {i}, big endian"] = octets[4:28]
        found[f"number {i}, limbs"] = octets[::-1][4:28]
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    found["DER"] = der[-40:-8] if isinstance(key, rsa.RSAPrivateKey) else der[30:62]
    found["PEM"] = pem.splitlines()[2 if isinstance(key, rsa.RSAPrivateKey) else 1][:40]
    return found


def regions(pid):
    """What of the memory of PID can hold data: (address, size)."""
    at = size = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        place, *rest = line.split()
        if re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", place):
            first, last = (int(x, 16) for x in place.split("-"))
            at, size = first, last - first if rest[0].startswith("r") and "[v" not in line else 0
        elif place == "Rss:" and int(rest[0]) and 0 < size < REGION_MAX:
            yield at, size


def scan(pid, wanted):
    """Which of WANTED (name → octets) are in the memory of PID."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for at, n in regions(pid):
            try:
                memory.seek(at)
                content = memory.read(n)
            except (OSError, ValueError, OverflowError):
                continue  # memory that the kernel does not read either
            found |= {name for name, octets in wanted.items() if octets in content}
    return found


def handshake(port, ca, n=1):
    for _ in range(n):
        with peers.connect(port, peers.client_context(ca)):
            pass


class Handshakes(Traffic):
    """Full handshakes one after another in two threads, until the `with` ends."""

    def __init__(self, port, ca):
        context = peers.client_context(ca)

        def ask(_):
            with peers.connect(port, context) as tls:
                peers.ask(tls, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return (200,)
        super().__init__(ask)


@pytest.fixture
def keys(pki):
    """A certificate with an RSA key and one with an EC key, for localhost."""
    return [pki.ca("servers").issue(f"kept-{kind}", "server", ["DNS:localhost"], key=kind) for kind in ("rsa", "ec")]


def wanted_of(certificates):
    return {f"{c.name}: {what}": octets for c in certificates for what, octets in patterns(c.key, c.key_file.read_bytes()).items()}


@needs_root
def test_no_other_process_has_private_keys_in_its_memory(lb, pki, keys, target):
    wanted = wanted_of(keys)
    t = target()
    instance = lb(config(native("rsa", keys[0]), native("ec", keys[1]), port=t.port))
    with Handshakes(instance.port("rsa"), pki.ca("servers")) as a, Handshakes(instance.port("ec"), pki.ca("servers")) as b:
        a.goes_on(10)
        b.goes_on(10)
        for pid in {instance.process.pid, *instance.pids()} - set(instance.pids("signer")):
            assert not scan(pid, wanted), (pid, scan(pid, wanted))
        # The scan finds them where they are: in the signer.
        found = scan(only(instance.pids("signer")), wanted)
        assert {name.split(":")[0] for name in found} == {c.name for c in keys}, found
    assert not a.failures and not b.failures


@needs_root
def test_the_scan_finds_keys_in_a_server_that_does_not_part_with_them(keys, tmp_path):
    """The positive control: nginx, whose workers hold what they sign with."""
    (tmp_path / "nginx.conf").write_text(f"""
        daemon off; master_process on; worker_processes 1; pid {tmp_path}/pid; error_log {tmp_path}/error.log;
        events {{}}
        http {{ access_log off; server {{ listen unix:{tmp_path}/socket ssl; ssl_certificate {keys[0].crt}; ssl_certificate_key {keys[0].key_file}; }} }}
    """)
    with subprocess.Popen(["/usr/sbin/nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stderr=subprocess.PIPE) as nginx:
        try:
            def worker():
                path = pathlib.Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children")
                return [pid for pid in path.read_text().split() if b"worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
            pid = int(only(until(worker, "nginx's worker")))
            found = scan(pid, wanted_of(keys[:1]))
            assert any("limbs" in name for name in found), found
        finally:
            nginx.terminate()


@needs_root
@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer can neither lock all memory nor be undumpable")
def test_the_signers_memory_is_locked_and_cannot_be_dumped(lb, pki, target):
    instance = lb(config(native("web", pki.server), port=target().port))
    signer = only(instance.pids("signer"))
    assert int(status(signer)["VmLck"][0]) > 0
    assert int(status(signer)["CoreDumping"][0]) == 0 and status(signer)["NoNewPrivs"] == ["1"]
    limits = pathlib.Path(f"/proc/{signer}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    # Nothing of the network, and no file: the rings, eventfds and its channel.
    kinds = {os.readlink(fd).split(":")[0].split("/")[0] for fd in pathlib.Path(f"/proc/{signer}/fd").iterdir()}
    assert kinds <= {"socket", "anon_inode", "", "pipe"}, kinds


# ---- life and death

def shown(instance, ca, name="web"):
    return certificate_at(instance.port(name), ca)


def test_a_killed_signer_is_back_at_once_with_the_keys_that_it_had(lb, pki, target):
    own = pki.ca("servers").issue("vanishing", "server", ["DNS:localhost"])
    t = target()
    instance = lb(config(native("web", own), port=t.port))
    own.key_file.write_bytes(pki.server.key_file.read_bytes())  # what its successor would find
    own.key_file.unlink()
    took = []
    for _ in range(3):
        old = only(instance.pids("signer"))
        os.kill(old, signal.SIGKILL)
        began = time.monotonic()
        assert shown(instance, pki.ca("servers")) == own.der
        took.append(time.monotonic() - began)
        assert only(instance.pids("signer")) != old
    assert sorted(took)[1] < BACK_WITHIN_S, took
    until(lambda: get(admin_port(instance), "/readyz")[0] == 200, "readiness")
    metrics = get(admin_port(instance), "/metrics")[1].decode()
    assert 'sallyport_process_restarts_total{process="signer"} 3' in metrics
    signer = json.loads(get(admin_port(instance), "/status")[1])["signer"]
    assert (signer["keys"], signer["restarts"]) == (1, 3) and signer["requests"]["done"] >= 3
    said = run("status", "--admin", f"127.0.0.1:{admin_port(instance)}").stdout
    assert re.search(r"^signer: 1 keys; requests: done \d+.*; restarted 3 times$", said, re.M), said


def test_established_connections_do_not_notice_that_the_signer_died(lb, pki, target):
    t = target()
    instance = lb(config(native("web", pki.server), port=t.port))
    port, ca = instance.port("web"), pki.ca("servers")
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with peers.connect(port, peers.client_context(ca)) as kept, Handshakes(port, ca) as traffic:
        assert peers.ask(kept, request)[0] == 200
        for _ in range(3):
            kill(instance, "signer")
            assert peers.ask(kept, request)[0] == 200
            traffic.goes_on(10)
    # What the dead ones had in hand, and nothing else.
    assert len(traffic.failures) <= 3, traffic.failures
    for line in instance.lines():
        if line.get("close", "").startswith("handshake"):
            assert "signer" in line["detail"], line


def test_what_the_signer_does_not_answer_fails_for_that_reason(lb, pki, target):
    instance = lb(config(native("web", pki.server), port=target().port))
    port, ca, signer = instance.port("web"), pki.ca("servers"), only(instance.pids("signer"))
    with peers.connect(port, peers.client_context(ca)) as kept:
        os.kill(signer, signal.SIGSTOP)
        try:
            with pytest.raises(peers.Refused, match="INTERNAL_ERROR"):
                handshake(port, ca)
            assert peers.ask(kept, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        finally:
            os.kill(signer, signal.SIGCONT)
    assert instance.line(close="handshake_internal")["detail"] == "the signer did not answer in time"
    handshake(port, ca)
    m = Metrics(get(admin_port(instance), "/metrics")[1].decode())
    assert m.sum("sallyport_signer_requests_total", result="late") == 1
    # Two were signed, and one has waited for as long as anybody does.
    assert m.sum("sallyport_signer_wait_seconds_count") == 3 and m.sum("sallyport_signer_wait_seconds_bucket", le="1") == 2
    assert 2 <= m.sum("sallyport_signer_wait_seconds_sum") < 10


def test_clients_that_leave_while_they_wait_for_a_signature_harm_nobody(lb, pki, target):
    instance = lb(config(native("web", pki.server), port=target().port, workers=1))
    port, ca, signer = instance.port("web"), pki.ca("servers"), only(instance.pids("signer"))
    os.kill(signer, signal.SIGSTOP)
    try:
        since = instance.mark()
        for _ in range(100):  # more than the ring has places
            hello(port).close()
        until(lambda: len(instance.lines()[since:]) == 100, "those that left")
    finally:
        os.kill(signer, signal.SIGCONT)
    handshake(port, ca, 3)


def test_a_flight_that_waits_for_its_signature_is_sent_whole(lb, pki, target):
    instance = lb(config(native("web", pki.server), port=target().port, workers=1))
    signer = only(instance.pids("signer"))
    os.kill(signer, signal.SIGSTOP)
    try:
        client = hello(instance.port("web"))
        until(lambda: b"\nsallyport_signer_requests_waiting 1\n" in get(admin_port(instance), "/metrics")[1], "the question")
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
    finally:
        os.kill(signer, signal.SIGCONT)
    client.settimeout(10)
    flight, types = client.recv(65536), []
    while flight:
        types.append(flight[0])
        flight = flight[5 + int.from_bytes(flight[3:5], "big"):]
    assert types == [22, 20, 23]  # ServerHello, change_cipher_spec, all the rest to Finished
    client.close()


def hello(port):
    """A connection that has sent a ClientHello."""
    bio = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), bio, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    s = socket.create_connection(("127.0.0.1", port), 10)
    s.sendall(bio.read())
    return s


# ---- reload

def test_a_reload_adds_and_removes_keys_without_another_signer(lb, pki, target):
    t, ca = target(), pki.ca("servers")
    first, second = (ca.issue(f"turn-{i}", "server", ["DNS:localhost"]) for i in range(2))
    instance = lb(config(native("web", first), port=t.port))
    signer = only(instance.pids("signer"))
    with Handshakes(instance.port("web"), ca) as traffic:
        for certificate in (second, first, second):
            traffic.goes_on(5)
            instance.reload(config(native("web", certificate), port=t.port))
            assert shown(instance, ca) == certificate.der
        traffic.goes_on(5)
    assert not traffic.failures
    assert only(instance.pids("signer")) == signer


def test_a_reload_with_a_bad_key_leaves_everything_as_it_was(lb, pki, target):
    t, ca = target(), pki.ca("servers")
    bad = ca.issue("bad-key", "server", ["DNS:localhost"])
    instance = lb(config(native("web", pki.server), port=t.port))
    bad.key_file.write_text("no key\n")
    instance.expect_error("reload failed|bad-key.key")
    text = instance.reload(config(native("web", bad), port=t.port), expect="bad-key.key")
    assert "reload failed" in text
    assert shown(instance, ca) == pki.server.der


# ---- what keys may do

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_handshakes_of_both_versions_with_clients_and_targets_are_signed(lb, pki, target, version):
    """As a server with RSA, EC and Ed25519 keys, and as a client towards targets that want a certificate."""
    ca, clients = pki.ca("servers"), pki.ca("clients")
    own = clients.issue(f"we-{version}")
    served = [ca.issue(f"any-{kind}", "server", ["DNS:localhost"], key=kind) for kind in ("ec", "rsa", "ed25519")]
    t = target(context=peers.server_context(pki.server, clients, version))
    group = (f'{{name: web, protocol: HTTPS, targets: [{{address: "127.0.0.1:{t.port}"}}], tls: {{engine: native, name: localhost, '
             f'versions: ["{version}"], ca: [{ca.crt}], certificate: {own.crt}, key: {own.key_file}}}}}')
    instance = lb(config(*[native(c.name.replace(".", ""), c) for c in served], group=group))
    for c in served:
        context = peers.client_context(ca, version=version)
        with peers.connect(instance.port(c.name.replace(".", "")), context) as tls:
            assert tls.getpeercert(True) == c.der
            assert peers.ask(tls, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200


# ---- keys under a passphrase

PASSPHRASE = b"correct horse battery staple"


def forms(certificate):
    """The key of CERTIFICATE under PASSPHRASE: name → what the file holds."""
    encrypted = serialization.BestAvailableEncryption(PASSPHRASE)
    pkcs8, traditional = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    return {"pkcs8.pem": certificate.key.private_bytes(serialization.Encoding.PEM, pkcs8, encrypted),
            "pkcs8.der": certificate.key.private_bytes(serialization.Encoding.DER, pkcs8, encrypted),
            "traditional.pem": certificate.key.private_bytes(serialization.Encoding.PEM, traditional, encrypted),
            "bundle.p12": pkcs12.serialize_key_and_certificates(b"us", certificate.key, certificate.cert, None, encrypted)}


def encrypted(listener_engine, certificate_file, key_file):
    shown = f"{{certificate: {certificate_file}, key: {key_file}, passphrase: passphrase}}"
    return listener("web", "HTTPS").replace("{name:", f"{{tls: {{engine: {listener_engine}}}, certificates: [{shown}], name:", 1)


def furnish(folder, certificate, passphrase=PASSPHRASE):
    (folder / "passphrase").write_bytes(passphrase + b"\nanother line\n")
    (folder / "plain.crt").write_bytes(certificate.crt.read_bytes())
    for name, content in forms(certificate).items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)  # else it is warned about
    (folder / "passphrase").chmod(0o600)


@pytest.mark.parametrize("engine", ["native", "openssl"])
@pytest.mark.parametrize("shown, key", [("plain.crt", "pkcs8.pem"), ("plain.crt", "pkcs8.der"), ("plain.crt", "traditional.pem"),
                                        ("plain.crt", "bundle.p12"), ("bundle.p12", "bundle.p12")])
def test_keys_under_a_passphrase_are_used(lb, pki, target, tmp_path, engine, shown, key):
    text = config(encrypted(engine, tmp_path / shown, tmp_path / key), port=target().port).replace(
        "passphrase: passphrase", f"passphrase: {tmp_path}/passphrase")
    furnish(tmp_path, pki.server)
    instance = lb(text)
    assert certificate_at(instance.port("web"), pki.ca("servers")) == pki.server.der
    assert run("check", "-c", instance.file).returncode == 0
    if engine == "native":
        assert PASSPHRASE not in b"".join(memfds(only(instance.pids("worker 0")), "archive"))


@pytest.mark.parametrize("key", ["pkcs8.pem", "pkcs8.der", "traditional.pem", "bundle.p12"])
@pytest.mark.parametrize("passphrase, says", [(b"wrong", "(cannot be decrypted|password of the PKCS#12 file is wrong)"),
                                              (b"x" * 2000, "has more than 1024 octets"),
                                              (None, "name the file of its passphrase with the key passphrase")])
def test_without_its_passphrase_a_key_is_refused_with_the_remedy(pki, tmp_path, key, passphrase, says):
    furnish(tmp_path, pki.server, passphrase or PASSPHRASE)
    text = config(encrypted("native", "plain.crt", key), port=1)
    if not passphrase:
        text = text.replace(", passphrase: passphrase", "")
    (tmp_path / "sallyport.yaml").write_text(text)
    for command in "check", "run":
        result = run(command, "-c", tmp_path / "sallyport.yaml")
        assert result.returncode == 1 and re.search(rf"sallyport\.yaml:2:\d+: \S*{key}: .*{says}", result.stderr), result.stderr


def test_a_bundle_under_another_passphrase_has_one_flaw(pki, tmp_path):
    furnish(tmp_path, pki.server, b"wrong")
    (tmp_path / "sallyport.yaml").write_text(config(encrypted("native", "bundle.p12", "bundle.p12"), port=1))
    said = run("check", "-c", tmp_path / "sallyport.yaml").stderr
    assert re.search(r"bundle\.p12: the password of the PKCS#12 file is wrong; give the one", said), said
    assert "bundle.p12" not in re.sub(r".*the password.*\n", "", said), said
