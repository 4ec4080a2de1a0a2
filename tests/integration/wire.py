# SPDX-License-Identifier: Apache-2.0
"""An own reader of TLS: a relay that keeps every byte of a connection, and what those bytes say.

Nothing of the product is used or believed here: records (RFC 8446 §5, RFC 5246 §6), handshake messages, the keys of both versions
and the proofs in them (signatures, Finished) are computed anew from the recording, from the secrets that the *client* wrote to its
key log or, for RSA key transport, from server.key alone.
"""
import dataclasses
import hashlib
import hmac
import socket
import threading

from cryptography.hazmat.primitives.asymmetric import padding

from wire_keys import SUITES, TLS12, TLS13, Protection, expand_label, is_signed, prf

PATIENCE = 20  # seconds for both sides to close
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23  # content types
CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, CERTIFICATE, SERVER_KEY_EXCHANGE = 1, 2, 4, 11, 12  # handshake messages
CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED = 13, 15, 16, 20
SUPPORTED_GROUPS, EXTENDED_MASTER_SECRET, SUPPORTED_VERSIONS, CERTIFICATE_AUTHORITIES, KEY_SHARE = 10, 23, 43, 47, 51  # extensions
FATAL = 2
BAD_RECORD_MAC, UNKNOWN_CA, DECRYPT_ERROR = 20, 48, 51  # alerts
UNREADABLE = object()  # protected by keys that the secrets do not give


# ---- the relay ----

class Tape:
    """A TCP relay for one connection to PORT. ALTER(sender, data) may change what goes on; what is kept is what the sender sent."""

    def __init__(self, port, alter=lambda sender, data: data):
        self.chunks = []  # (sender, bytes), in the order in which they passed
        self._alter, self._target = alter, port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self):
        with self._socket, self._socket.accept()[0] as client, socket.create_connection(("127.0.0.1", self._target)) as server:
            up = threading.Thread(target=self._pump, args=("client", client, server), daemon=True)
            up.start()
            self._pump("server", server, client)
            up.join()

    def _pump(self, sender, source, sink):
        """Until the source ends; a sink that is gone takes no more, but what is sent to it is kept all the same."""
        while data := self._receive(source):
            self.chunks.append((sender, data))
            try:
                sink.sendall(self._alter(sender, data))
            except OSError:
                pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _receive(source):
        try:
            return source.recv(65536)
        except OSError:
            return b""

    def finish(self):
        """The chunks, when both sides have closed."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"a side has not closed after {PATIENCE} s"
        return self.chunks


def read_key_log(path):
    """{label: secret} of the one connection in it (the format of SSLKEYLOGFILE)."""
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {label: bytes.fromhex(secret) for label, random, secret in lines}


# ---- fields ----

class Fields:
    """The presentation language of RFC 8446 §3, from front to back."""

    def __init__(self, data):
        self.data = data

    def take(self, n):
        assert n <= len(self.data), f"{n} octets of {len(self.data)}"
        out, self.data = self.data[:n], self.data[n:]
        return out

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def vector(self, n):
        """<…> with a length of N octets in front."""
        return self.take(self.number(n))

    def vectors(self, n):
        """All the rest, as vectors."""
        out = []
        while self.data:
            out.append(self.vector(n))
        return out


def numbers(data, n=2):
    return [int.from_bytes(data[i:i + n], "big") for i in range(0, len(data), n)]


def extensions(fields):
    inner, out = Fields(fields.vector(2) if fields.data else b""), {}
    while inner.data:
        kind = inner.number(2)
        out[kind] = inner.vector(2)
    return out


class ClientHello:
    def __init__(self, body):
        f = Fields(body)
        self.version, self.random, self.session_id = f.number(2), f.take(32), f.vector(1)
        self.suites, self.compression, self.extensions = numbers(f.vector(2)), f.vector(1), extensions(f)
        given = self.extensions.get(SUPPORTED_VERSIONS)
        self.versions = numbers(given[1:]) if given else [self.version]

    def shares(self):
        """{group: key share}"""
        f, out = Fields(Fields(self.extensions[KEY_SHARE]).vector(2)), {}
        while f.data:
            group = f.number(2)
            out[group] = f.vector(2)
        return out


class ServerHello:
    def __init__(self, body):
        f = Fields(body)
        self.version, self.random, self.session_id = f.number(2), f.take(32), f.vector(1)
        self.suite, self.compression, self.extensions = f.number(2), f.number(1), extensions(f)
        if SUPPORTED_VERSIONS in self.extensions:  # RFC 8446 §4.2.1
            self.version = int.from_bytes(self.extensions[SUPPORTED_VERSIONS], "big")

    def share(self):
        """(group, key share)"""
        f = Fields(self.extensions[KEY_SHARE])
        return f.number(2), f.vector(2)


class ServerKeyExchange:
    """RFC 8422 §5.4, with a named curve."""

    def __init__(self, body):
        f = Fields(body)
        self.curve_type, self.group, self.share = f.number(1), f.number(2), f.vector(1)
        self.params = body[:len(body) - len(f.data)]  # what is signed
        self.scheme, self.signature = f.number(2), f.vector(2)


# ---- the recording ----

@dataclasses.dataclass
class Record:
    sender: str
    header: bytes
    body: bytes

    @property
    def type(self):
        return self.header[0]


def records(chunks):
    """The records of both directions, in the order in which they were complete; a rest that is none must not be left."""
    rest = {"client": b"", "server": b""}
    for sender, data in chunks:
        rest[sender] += data
        while len(rest[sender]) >= 5 and len(rest[sender]) >= 5 + (n := int.from_bytes(rest[sender][3:5], "big")):
            yield Record(sender, rest[sender][:5], rest[sender][5:5 + n])
            rest[sender] = rest[sender][5 + n:]
    assert not any(rest.values()), rest


@dataclasses.dataclass
class Item:
    """What a record said: a handshake message (RAW with its header), an alert, or application data."""
    at: int  # its place in the recording
    sender: str
    kind: int
    type: int  # of a handshake message; the description of an alert
    body: bytes
    raw: bytes
    protected: bool


class Recording:
    def __init__(self, chunks, secrets):
        """SECRETS as read_key_log gives them. What is protected by one that is missing is left out."""
        self.secrets, self.items = secrets, []
        self.client_hello = self.server_hello = self.suite = self.version = None
        self._protection = {"client": None, "server": None}
        self._partial = {"client": b"", "server": b""}
        for record in records(chunks):
            self._see(record)

    def _see(self, record):
        protection = self._protection[record.sender]
        if record.type == CHANGE_CIPHER_SPEC:
            if self.version == TLS12:
                self._protect(record.sender, "CLIENT_RANDOM")
            return
        # TLS 1.3 gives every protected record the outer type of application data (RFC 8446 §5.2)
        protected = protection is not None and (self.version == TLS12 or record.type == DATA)
        if protected and protection is UNREADABLE:
            return
        kind, plain = protection.open(record) if protected else (record.type, record.body)
        if kind == HANDSHAKE:
            self._see_handshake(record.sender, plain, protected)
        elif kind == ALERT:
            self._add(record.sender, kind, plain[1], plain, plain, protected)
        else:
            self._add(record.sender, kind, None, plain, plain, protected)

    def _see_handshake(self, sender, plain, protected):
        data = self._partial[sender] + plain
        while len(data) >= 4 and len(data) >= 4 + (n := int.from_bytes(data[1:4], "big")):
            self._add(sender, HANDSHAKE, data[0], data[4:4 + n], data[:4 + n], protected)
            data = data[4 + n:]
            self._follow(self.items[-1])
        self._partial[sender] = data

    def _add(self, sender, kind, type, body, raw, protected):
        self.items.append(Item(len(self.items), sender, kind, type, body, raw, protected))

    def _follow(self, message):
        """What a message changes."""
        if message.type == CLIENT_HELLO:
            self.client_hello = ClientHello(message.body)
        elif message.type == SERVER_HELLO:
            self.server_hello = ServerHello(message.body)
            self.version, self.suite = self.server_hello.version, SUITES[self.server_hello.suite]
            if self.version == TLS13:
                self._protect("client", "CLIENT_HANDSHAKE_TRAFFIC_SECRET")
                self._protect("server", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
        elif message.type == FINISHED and self.version == TLS13:
            self._protect(message.sender, message.sender.upper() + "_TRAFFIC_SECRET_0")

    def _protect(self, sender, label):
        make = self._keys_12 if self.version == TLS12 else self._keys_13
        self._protection[sender] = UNREADABLE if label not in self.secrets else Protection(
            self.version, self.suite, *make(sender, self.secrets[label]))

    def _keys_12(self, sender, master):
        """RFC 5246 §6.3"""
        n, iv = self.suite.key_bytes, self.suite.iv_bytes
        f = Fields(prf(self.suite, master, b"key expansion", self.server_hello.random + self.client_hello.random, 2 * (n + iv)))
        keys = {"client": f.take(n), "server": f.take(n)}
        ivs = {"client": f.take(iv), "server": f.take(iv)}
        return keys[sender], ivs[sender]

    def _keys_13(self, sender, secret):
        """RFC 8446 §7.3"""
        return expand_label(self.suite, secret, b"key", self.suite.key_bytes), expand_label(self.suite, secret, b"iv", 12)

    # ---- asking it ----

    def all(self, sender, kind, type=None):
        return [i for i in self.items if (i.sender, i.kind) == (sender, kind) and type in (None, i.type)]

    def message(self, sender, type):
        """The one handshake message of this type."""
        found = self.all(sender, HANDSHAKE, type)
        assert len(found) == 1, f"{len(found)} messages {type} of the {sender}"
        return found[0]

    def data(self, sender):
        return b"".join(i.body for i in self.all(sender, DATA))

    def fatal_alerts(self, sender):
        return [i.type for i in self.all(sender, ALERT) if i.body[0] == FATAL]

    def transcript(self, until):
        """The handshake messages before the message UNTIL. Under TLS 1.3 tickets are no part of it (RFC 8446 §4.4.1)."""
        return b"".join(i.raw for i in self.items[:until.at] if i.kind == HANDSHAKE and not (
            self.version == TLS13 and i.type == NEW_SESSION_TICKET))

    def hash(self, data):
        return hashlib.new(self.suite.hash, data).digest()

    def certificates(self, sender):
        """The chain in SENDER's Certificate, as DER."""
        f = Fields(self.message(sender, CERTIFICATE).body)
        if self.version == TLS12:
            return Fields(f.vector(3)).vectors(3)
        assert f.vector(1) == b""  # certificate_request_context, RFC 8446 §4.4.2
        entries, out = Fields(f.vector(3)), []
        while entries.data:
            out.append(entries.vector(3))
            entries.vector(2)
        return out

    def authorities(self):
        """The names of CAs in CertificateRequest, as DER."""
        f = Fields(self.message("server", CERTIFICATE_REQUEST).body)
        f.vector(1)  # 1.2: certificate_types; 1.3: certificate_request_context
        if self.version == TLS12:
            f.vector(2)  # supported_signature_algorithms
            return Fields(f.vector(2)).vectors(2)
        return Fields(Fields(extensions(f)[CERTIFICATE_AUTHORITIES]).vector(2)).vectors(2)

    def share_is_signed(self, key):
        """TLS 1.2 ECDHE: does KEY verify ServerKeyExchange, with both randoms (RFC 8422 §5.4)?"""
        exchange = ServerKeyExchange(self.message("server", SERVER_KEY_EXCHANGE).body)
        data = self.client_hello.random + self.server_hello.random + exchange.params
        return is_signed(key, exchange.scheme, exchange.signature, data)

    def transcript_is_signed(self, sender, key):
        """Does KEY verify SENDER's CertificateVerify over the handshake so far (RFC 5246 §7.4.8, RFC 8446 §4.4.3)?"""
        message = self.message(sender, CERTIFICATE_VERIFY)
        f, data = Fields(message.body), self.transcript(message)
        if self.version == TLS13:
            data = b" " * 64 + f"TLS 1.3, {sender} CertificateVerify".encode() + b"\0" + self.hash(data)
        return is_signed(key, f.number(2), f.vector(2), data)

    def is_finished(self, sender):
        """Is SENDER's Finished right: the secret's MAC of the handshake so far (RFC 5246 §7.4.9, RFC 8446 §4.4.4)?"""
        message = self.message(sender, FINISHED)
        digest = self.hash(self.transcript(message))
        if self.version == TLS12:
            want = prf(self.suite, self.secrets["CLIENT_RANDOM"], f"{sender} finished".encode(), digest, 12)
        else:
            secret = self.secrets[sender.upper() + "_HANDSHAKE_TRAFFIC_SECRET"]
            want = hmac.digest(expand_label(self.suite, secret, b"finished", len(digest)), digest, self.suite.hash)
        return message.protected and message.body == want

    def decrypt_premaster(self, server_key):
        """TLS 1.2 RSA key transport: the random number K of the client, by server.key (RFC 5246 §7.4.7.1)."""
        encrypted = Fields(self.message("client", CLIENT_KEY_EXCHANGE).body).vector(2)
        return server_key.decrypt(encrypted, padding.PKCS1v15())

    def master_secret(self, premaster):
        """RFC 5246 §8.1; RFC 7627 §4 where both sides agreed to bind it to the handshake."""
        if EXTENDED_MASTER_SECRET in self.server_hello.extensions:
            message = self.message("client", CLIENT_KEY_EXCHANGE)
            return prf(self.suite, premaster, b"extended master secret", self.hash(self.transcript(message) + message.raw), 48)
        return prf(self.suite, premaster, b"master secret", self.client_hello.random + self.server_hello.random, 48)
