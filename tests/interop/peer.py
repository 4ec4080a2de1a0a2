# SPDX-License-Identifier: Apache-2.0
"""peer.py client|server NAME=VALUE…: a small peer over Python's ssl, as peer_mbedtls.c is over Mbed TLS."""
import socket
import ssl
import sys

REQUEST = b"GET /interop HTTP/1.0\r\n\r\n"
ANSWER = b"HTTP/1.0 200 OK\r\n\r\nhello\n"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# what is asked for → the call that sets it: those that this Python lacks raise AttributeError, which is printed
CALLS = {"1.2": {"suite": "set_ciphers", "groups": "set_groups", "signatures": "set_sigalgs"},
         "1.3": {"suite": "set_ciphersuites", "groups": "set_groups", "signatures": "set_sigalgs"}}


def new_context(role, told):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if role == "server" else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = VERSIONS[told["version"]]
    if "certificate" in told:
        context.load_cert_chain(told["certificate"], told["key"])
    if "ca" in told:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(told["ca"])
    for what, call in CALLS[told["version"]].items():
        if what in told:
            getattr(context, call)(told[what])
    return context


def ask(context, port, session):
    with socket.create_connection(("127.0.0.1", port)) as raw, \
            context.wrap_socket(raw, server_hostname="localhost", session=session) as tls:
        tls.sendall(REQUEST)
        print(b"".join(iter(lambda: tls.recv(65536), b"")).decode())
        return tls.session


def answer(context, raw):
    with raw, context.wrap_socket(raw, server_side=True) as tls:
        tls.recv(65536)
        tls.sendall(ANSWER)
        tls.unwrap()


def main(role, *told):
    told = dict(t.split("=", 1) for t in told)
    context = new_context(role, told)
    if role == "client":
        session = None
        for _ in range(int(told["times"])):
            session = ask(context, int(told["port"]), session)
        return
    listening = socket.create_server(("127.0.0.1", 0))
    while True:
        try:
            answer(context, listening.accept()[0])
        except OSError as e:
            print(f"connection: {e}", flush=True)


try:
    main(*sys.argv[1:])
except (OSError, AttributeError) as e:
    sys.exit(f"{type(e).__name__}: {e}")
