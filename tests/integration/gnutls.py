# SPDX-License-Identifier: Apache-2.0
"""A client over libgnutls that keeps sessions: gnutls-cli resumes only at once, in the same process."""
import ctypes
import socket

LIBRARY = "libgnutls.so.30"
PRIORITIES = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}
CLIENT, CERTIFICATE, PEM, DNS = 2, 1, 1, 1  # GNUTLS_CLIENT, _CRD_CERTIFICATE, _X509_FMT_PEM, _NAME_DNS
FATAL_ALERT = -12                           # GNUTLS_E_FATAL_ALERT_RECEIVED
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint)]


class Client:
    """Does not look at the server's certificate."""

    def __init__(self, version, certificate=None, has_tickets=True):
        self.lib = ctypes.CDLL(LIBRARY)
        self.priority = (PRIORITIES[version] + ("" if has_tickets else ":%NO_TICKETS")).encode()
        self.credentials = ctypes.c_void_p()
        self.lib.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials))
        if certificate:
            files = str(certificate.crt).encode(), str(certificate.key_file).encode()
            assert self.lib.gnutls_certificate_set_x509_key_file(self.credentials, *files, PEM) == 0

    def _again(self, call, *args):
        """CALL until it is done or has failed for good."""
        while True:
            result = call(*args)
            if result >= 0 or self.lib.gnutls_error_is_fatal(result):
                return result

    def _exchange(self, tls):
        """Handshake and request: ("in", the session afterwards) or (the number of the alert, None)."""
        room = ctypes.create_string_buffer(65536)
        result = self._again(self.lib.gnutls_handshake, tls)
        if result == 0:
            self._again(self.lib.gnutls_record_send, tls, REQUEST, ctypes.c_size_t(len(REQUEST)))
            result = self._again(self.lib.gnutls_record_recv, tls, room, ctypes.c_size_t(len(room)))
        if result == FATAL_ALERT:
            return self.lib.gnutls_alert_get(tls), None
        assert result > 0 and room.raw.startswith(b"HTTP/1.1 200 "), result
        data = Datum()
        is_kept = self.lib.gnutls_session_get_data2(tls, ctypes.byref(data)) == 0  # TLS 1.3: not without a ticket
        return "in", ctypes.string_at(data.data, data.size) if is_kept else None

    def visit(self, port, name="localhost", session=None):
        """What became of one connection, the session afterwards, and whether this one was resumed."""
        tls = ctypes.c_void_p()
        with socket.create_connection(("127.0.0.1", port)) as s:
            assert self.lib.gnutls_init(ctypes.byref(tls), CLIENT) == 0
            assert self.lib.gnutls_priority_set_direct(tls, self.priority, None) == 0
            self.lib.gnutls_credentials_set(tls, CERTIFICATE, self.credentials)
            self.lib.gnutls_server_name_set(tls, DNS, name.encode(), ctypes.c_size_t(len(name)))
            self.lib.gnutls_transport_set_int2(tls, s.fileno(), s.fileno())
            if session:
                self.lib.gnutls_session_set_data(tls, session, ctypes.c_size_t(len(session)))
            outcome, session = self._exchange(tls)
            is_resumed = bool(self.lib.gnutls_session_is_resumed(tls))
            self.lib.gnutls_deinit(tls)
        return outcome, session, is_resumed
