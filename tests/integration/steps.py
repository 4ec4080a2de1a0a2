# SPDX-License-Identifier: Apache-2.0
"""What the tests of the authentication steps share: one instance with a listener of every kind, recorded handshakes with it, and
the steps that one-way and mutual authentication have in common.

A combination is a mode (the version and key exchange, see MODES) and a protocol of the listener. Its handshake is recorded once
per test file; each step then asks the recording, and nobody else, whether it took place.
"""
import base64
import dataclasses
import datetime
import itertools
import socket
import ssl
import types

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import peers
import wire
from instance import Instance
from wire import CLIENT_KEY_EXCHANGE, HANDSHAKE, SERVER_KEY_EXCHANGE

SIGNALLING = 0x00FF  # TLS_EMPTY_RENEGOTIATION_INFO_SCSV: in the list of suites, but none (RFC 5746 §3.3)
NAMED_CURVE = 3


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    version: str
    server: str  # which server.crt: the kind of its key
    ciphers: str = None  # what the client offers, the weakest first

    @property
    def is_key_transport(self):
        return self.server == "rsa"

    @property
    def number(self):
        return wire.TLS12 if self.version == "1.2" else wire.TLS13


RSA12 = Mode("rsa-1.2", "1.2", "rsa", "AES128-GCM-SHA256:AES256-GCM-SHA384")
ECDHE12 = Mode("ecdhe-1.2", "1.2", "ec", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
TLS13 = Mode("1.3", "1.3", "ec")
MODES = [RSA12, ECDHE12, TLS13]
PROTOCOLS = ["HTTPS", "TCP_SSL"]
COMBINATIONS = list(itertools.product(MODES, PROTOCOLS))
REQUESTS = {"HTTPS": b"GET /step HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "TCP_SSL": b"hello, step by step"}


def combination_name(value):
    return f"{value[0].name}-{value[1]}"


# ---- the stage ----

def answer_once(target, connection):
    """One request per connection, so that none reaches the target uncounted over a connection that was kept."""
    peers.read_head(connection.makefile("rb"))
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\nstep answered")


LISTENER = """
  - name: {name}
    protocol: {protocol}
    address: 127.0.0.1:0
    authentication: {authentication}
    certificates: [{server}]
    tls: {{key_exchange: {key_exchange}}}
    {client_ca}
    {towards}
"""
TOWARDS = {"HTTPS": "rules: [{domain: localhost, path: /, target_group: web}]", "TCP_SSL": "target_group: raw"}


def listener_name(server, protocol, authentication):
    return f"{protocol}.{server}.{authentication}".lower()


def configuration(servers, clients, web, raw):
    listeners = ""
    for (key, server), protocol, authentication in itertools.product(servers.items(), PROTOCOLS, ("one-way", "mutual")):
        listeners += LISTENER.format(
            name=listener_name(key, protocol, authentication), protocol=protocol, authentication=authentication,
            server=server.yaml(), key_exchange="rsa" if key == "rsa" else "ecdhe", towards=TOWARDS[protocol],
            client_ca=f"client_ca: [{clients.crt}]" if authentication == "mutual" else "")
    return f"""
listeners: {listeners}
target_groups:
  - {{name: web, protocol: HTTP, targets: [{{address: "127.0.0.1:{web.port}"}}]}}
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{raw.port}"}}]}}
access_log: {{file: access.log}}
workers: 1
"""


@dataclasses.dataclass
class Handshake:
    """One recorded connection, and who took part in it."""
    stage: object
    mode: Mode
    protocol: str
    server: object  # whose certificate is server.crt
    chunks: list
    recording: wire.Recording
    sent: bytes  # inside TLS, to the target
    answer: bytes  # what came back, b"" if nothing
    refusal: str  # why the client has no answer, or None
    reached: int  # connections that the target got from it

    def again(self, *args, **kw):
        """Another handshake of this combination."""
        return self.stage.handshake(self.mode, self.protocol, *args, **kw)


class Stage:
    def __init__(self, pki, folder, instance, servers, targets):
        self.pki, self.folder, self.instance, self.servers, self.targets = pki, folder, instance, servers, targets
        self.randoms = []  # of all handshakes
        self._count = itertools.count()

    def tape(self, mode, protocol, authentication, alter=None):
        ended = self.instance.process.poll()
        assert ended is None, f"the instance has ended with {ended}: {self.instance.stderr()}"
        port = self.instance.port(listener_name(mode.server, protocol, authentication))
        return wire.Tape(port, alter) if alter else wire.Tape(port)

    def handshake(self, mode, protocol, authentication="one-way", certificate=None, ca="servers", alter=None):
        """Shake hands and exchange something. What passed on the wire is read with the client's key log; if somebody altered it,
        no key fits both sides, and only what is in the clear is read."""
        before = self._connections(protocol)
        tape = self.tape(mode, protocol, authentication, alter)
        context = peers.client_context(self.pki.ca(ca), certificate, mode.version, mode.ciphers)
        key_log = self.folder / f"keys{next(self._count)}"
        context.keylog_filename = str(key_log)
        answer, refusal = b"", None
        try:
            with peers.connect(tape.port, context) as tls:
                answer = exchange(tls, protocol)
        except (peers.Refused, ConnectionError) as e:
            refusal = str(e)
        chunks = tape.finish()
        recording = wire.Recording(chunks, {} if alter else wire.read_key_log(key_log))
        self.randoms += [hello.random for hello in (recording.client_hello, recording.server_hello) if hello]
        reached = self._connections(protocol) - before - 1
        return Handshake(self, mode, protocol, self.servers[mode.server], chunks, recording, REQUESTS[protocol], answer, refusal,
                         reached)

    def _connections(self, protocol):
        """How many the target has had. It takes them in order, so this one, once answered, is the last that counts."""
        with socket.create_connection(("127.0.0.1", self.targets[protocol].port)) as s:
            assert exchange(s, protocol)
            return self.targets[protocol].accepted


def exchange(connection, protocol):
    if protocol == "HTTPS":
        return peers.ask(connection, REQUESTS[protocol])[2]
    try:
        connection.sendall(REQUESTS[protocol])
        return connection.recv(65536)
    except ssl.SSLError as e:
        raise peers.Refused(e.reason) from e


@pytest.fixture(scope="module")
def stage(pki, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    servers = {"ec": pki.server, "rsa": pki.ca("servers").issue("server-rsa", "server", ["DNS:localhost"], key="rsa")}
    targets = {"HTTPS": peers.Target(answer_once), "TCP_SSL": peers.Target(peers.echo)}
    instance = Instance(folder, configuration(servers, pki.ca("clients"), targets["HTTPS"], targets["TCP_SSL"]))
    yield Stage(pki, folder, instance, servers, targets)
    instance.stop()
    for target in targets.values():
        target.close()
    instance.check()


def recorded(authentication):
    """A fixture: one good handshake of each combination."""
    @pytest.fixture(scope="module", params=COMBINATIONS, ids=combination_name)
    def handshake(request, stage):
        certificate = stage.pki.good if authentication == "mutual" else None
        done = stage.handshake(*request.param, authentication, certificate)
        assert done.refusal is None and done.answer and done.reached == 1, done
        return done
    return handshake


# ---- certificates ----

def is_signed_by(certificate, ca):
    """Does the CA's public key, taken from ca.crt, verify the signature on the certificate?"""
    key = x509.load_pem_x509_certificate(ca.crt.read_bytes()).public_key()
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm))
    except InvalidSignature:
        return False
    return True


def four_factors(der, ca, name):
    """The verdict of the page on server.crt, by means other than the product's."""
    certificate = x509.load_der_x509_certificate(der)
    revoked = x509.load_pem_x509_crl(ca.crl_file.read_bytes())
    assert revoked.is_signature_valid(ca.cert.public_key())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        "validity": certificate.not_valid_before <= datetime.datetime.utcnow() <= certificate.not_valid_after,
        "revocation": revoked.get_revoked_certificate_by_serial_number(certificate.serial_number) is None,
        "trust": is_signed_by(certificate, ca),
        "name": name in names.get_values_for_type(x509.DNSName),
    }


def stolen(certificate, other, folder):
    """CERTIFICATE in the hands of one who has not its key but another's. No TLS library lets a client send a certificate whose public
    key is not that of its key file; so the file claims to be of that public key."""
    n = certificate.key.key_size // 8
    der = certificate.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL,
                                        serialization.NoEncryption())
    secrets = [c.key.private_numbers().private_value.to_bytes(n, "big") for c in (certificate, other)]
    assert der.count(secrets[0]) == 1
    text = base64.encodebytes(der.replace(*secrets)).decode()
    file = folder / "stolen.key"
    file.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n")
    return types.SimpleNamespace(crt=certificate.crt, key_file=file)


# ---- refusals ----

def check_refused(h, by, *alerts):
    """It ended with one of these alerts from that side on the wire; nothing went through to the target, nothing came back."""
    sent = h.recording.fatal_alerts(by)
    assert h.refusal and len(sent) == 1 and sent[0] in alerts, (h.refusal, h.recording.items)
    check_nothing_passed(h)


def check_nothing_passed(h):
    assert not h.answer and not h.recording.data("server")
    assert h.reached == 0, "connections to the target"


# ---- the steps that one-way and mutual have in common ----

def check_client_asks(h):
    """The client's versions, suites and random number, in the clear."""
    hello, first = h.recording.client_hello, h.recording.items[0]
    assert (first.sender, first.type, first.protected) == ("client", wire.CLIENT_HELLO, False)
    assert hello.versions == [h.mode.number]
    offered = peers.client_context(h.stage.pki.ca("servers"), None, h.mode.version, h.mode.ciphers).get_ciphers()
    able = [c["id"] & 0xFFFF for c in offered if c["protocol"] == f"TLSv{h.mode.version}"]
    assert [suite for suite in hello.suites if suite != SIGNALLING] == able and len(able) > 1
    assert h.stage.randoms.count(hello.random) == 1
    assert (wire.KEY_SHARE in hello.extensions) == (h.mode is TLS13)


def check_server_answers(h):
    """The server's version, suite, random number and server.crt; the certificate is in the clear before TLS 1.3."""
    recording, hello = h.recording, h.recording.server_hello
    assert hello.version == h.mode.number and hello.suite in recording.client_hello.suites
    assert wire.SUITES[hello.suite].name.startswith("TLS_RSA_") == h.mode.is_key_transport
    assert h.stage.randoms.count(hello.random) == 1
    assert recording.certificates("server") == [h.server.der]
    answer, certificate = recording.message("server", wire.SERVER_HELLO), recording.message("server", wire.CERTIFICATE)
    assert answer.at < certificate.at and not answer.protected
    assert certificate.protected == (h.mode is TLS13)


def check_server_verified(h):
    """The four factors hold for what was on the wire, and its public key verifies what the server signed. A client that cannot trust
    it goes no further."""
    recording, ca = h.recording, h.stage.pki.ca("servers")
    certificate = recording.certificates("server")[0]
    assert four_factors(certificate, ca, "localhost") == dict.fromkeys(("validity", "revocation", "trust", "name"), True)
    key = x509.load_der_x509_certificate(certificate).public_key()
    if h.mode is TLS13:
        assert recording.transcript_is_signed("server", key)
    elif h.mode is ECDHE12:
        assert recording.share_is_signed(key)
    else:  # nothing is signed: that the key is the server's shows only when it decrypts K
        assert not recording.all("server", HANDSHAKE, SERVER_KEY_EXCHANGE)
    check_refused(h.again(ca="strangers"), "client", wire.UNKNOWN_CA)


def check_k_sent(h):
    """Key transport: K under the public key of server.crt. Else two shares in its place, the server's covered by its signature."""
    recording = h.recording
    {RSA12: check_k_encrypted, ECDHE12: check_shares_12, TLS13: check_shares_13}[h.mode](recording, h.server.key)


def check_k_encrypted(recording, server_key):
    k = recording.decrypt_premaster(server_key)
    assert len(k) == 48 and int.from_bytes(k[:2], "big") == wire.TLS12  # RFC 5246 §7.4.7.1
    assert recording.master_secret(k) == recording.secrets["CLIENT_RANDOM"]
    assert not any(k in item.raw for item in recording.items)


def check_shares_12(recording, server_key):
    exchange = wire.ServerKeyExchange(recording.message("server", SERVER_KEY_EXCHANGE).body)
    share = wire.Fields(recording.message("client", CLIENT_KEY_EXCHANGE).body).vector(1)
    groups = wire.Fields(recording.client_hello.extensions[wire.SUPPORTED_GROUPS]).vector(2)
    assert exchange.curve_type == NAMED_CURVE and exchange.group in wire.numbers(groups)
    assert len(share) == len(exchange.share) > 0 and share != exchange.share
    assert recording.share_is_signed(server_key.public_key())


def check_shares_13(recording, server_key):
    group, share = recording.server_hello.share()
    theirs = recording.client_hello.shares()[group]
    assert len(share) == len(theirs) > 0 and share != theirs
    signed = recording.transcript(recording.message("server", wire.CERTIFICATE_VERIFY))
    assert share in signed and theirs in signed and recording.transcript_is_signed("server", server_key.public_key())


def check_k_used(h):
    """Both prove the same secret with Finished, and only then send application data, under keys from it. With key transport all of
    it is read with server.key alone, as the server does."""
    recording = h.recording
    if h.mode.is_key_transport:
        master = recording.master_secret(recording.decrypt_premaster(h.server.key))
        recording = wire.Recording(h.chunks, {"CLIENT_RANDOM": master})
    assert recording.is_finished("client") and recording.is_finished("server")
    last = max(recording.message(side, wire.FINISHED).at for side in ("client", "server"))
    data = [item for item in recording.items if item.kind == wire.DATA]
    assert data and all(item.protected and item.at > last for item in data)
    assert recording.data("client") == h.sent and recording.data("server").endswith(h.answer)
    wire_bytes = b"".join(chunk for _, chunk in h.chunks)
    assert h.sent not in wire_bytes and h.answer not in wire_bytes
