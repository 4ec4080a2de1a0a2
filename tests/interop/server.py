# SPDX-License-Identifier: Apache-2.0
"""server.py ROOT [VERSION CERT KEY [CLIENT_CA]]: server.js once more, over http.server and ssl of the standard library."""
import contextlib
import http.server
import pathlib
import shutil
import ssl
import sys

ROOT = pathlib.Path(sys.argv[1])
PIECE = 1 << 16


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def copy(self, size, out):
        while size:
            data = self.rfile.read(min(size, PIECE))
            if not data:
                raise EOFError
            out.write(data)
            size -= len(data)

    def read_chunked(self, out):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.copy(size, out)
            assert self.rfile.readline() == b"\r\n"
        trailers = {}
        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            trailers[name.lower()] = value.strip()
        return trailers

    def do_PUT(self):
        chunked, length = self.headers.get("Transfer-Encoding"), self.headers.get("Content-Length")
        trailers = {}
        with open(ROOT / self.path.lstrip("/"), "wb") as out:
            if chunked:
                trailers = self.read_chunked(out)
            else:
                self.copy(int(length), out)
        self.send_response(201)
        self.send_header("X-Framing", chunked or ("content-length" if length else "none"))
        self.send_header("X-Trailers", trailers.get("x-checksum", ""))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        chunked, until_close = self.path.startswith("/chunked/"), self.path.startswith("/close/")
        file = ROOT / "files" / self.path.rsplit("/", 1)[1]
        size = file.stat().st_size
        etag = f'"{size}"'
        if not chunked and self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", etag)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Trailer", "X-Checksum")
        elif until_close:
            self.send_header("Connection", "close")  # and closes
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "HEAD":
            return
        with open(file, "rb") as source:
            self.write_chunked(source) if chunked else shutil.copyfileobj(source, self.wfile)
        if until_close and isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # whether the other side says so as well is of no interest
                self.connection.unwrap()  # close_notify, which http.server does not send

    do_HEAD = do_GET

    def write_chunked(self, source):
        while data := source.read(PIECE):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\nX-Checksum: end\r\n\r\n")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    version, certificate, key, *client_ca = sys.argv[2:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca[0])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
