# SPDX-License-Identifier: Apache-2.0
"""Servers of others, all with server.js' paths: nginx, apache2, Node and Python. Each ends with its one process."""
import contextlib
import os
import pathlib
import subprocess

from programs import Server, held_port

HERE = pathlib.Path(__file__).resolve().parent

NGINX = """
daemon off; master_process off; worker_processes 1;
pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_max_body_size 0; default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  map $http_transfer_encoding $framing {{ default $http_transfer_encoding; "" content-length; }}
  server {{
    listen 127.0.0.1:{port} {ssl};
    {tls}
    root {root};
    location /put/ {{ dav_methods PUT; add_header X-Framing $framing; }}
    location /chunked/ {{
      alias {root}/files/;
      sub_filter_types *; sub_filter "{never}" ""; add_trailer X-Checksum end;
    }}
    location /close/ {{
      alias {root}/files/;
      sub_filter_types *; sub_filter "{never}" ""; chunked_transfer_encoding off;
    }}
  }}
}}
"""
NGINX_TLS = "ssl_certificate {crt}; ssl_certificate_key {key}; ssl_protocols TLSv{version};"
NGINX_MUTUAL = " ssl_client_certificate {ca}; ssl_verify_client on;"

APACHE_MODULES = ["mpm_event", "authz_core", "dav", "dav_fs", "dav_lock", "lua", "headers", "setenvif"]
APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/error.log
{modules}
{user}
Listen 127.0.0.1:{port}
DocumentRoot {root}
DavLockDB {folder}/davlock
LimitRequestBody 0
MergeTrailers On
FileETag MTime Size
<Directory {root}>
  Require all granted
</Directory>
<Location /put>
  Dav On
  Header always set X-Framing "expr=%{{req:Transfer-Encoding}}"
  Header always edit X-Framing "^$" content-length
  Header always set X-Trailers "expr=%{{req:X-Checksum}}"
</Location>
LuaMapHandler ^/(chunked|close)/ {here}/chunked.lua download
SetEnvIf Request_URI ^/close/ downgrade-1.0 force-response-1.0 nokeepalive
{tls}
"""
APACHE_TLS = """
SSLEngine on
SSLCertificateFile {crt}
SSLCertificateKeyFile {key}
SSLProtocol -all +TLSv{version}
"""
APACHE_MUTUAL = "SSLVerifyClient require\nSSLCACertificateFile {ca}\n"
NEVER = "a text that no file has: 5d1c6a"


class Tls:
    """How a server is asked to speak TLS."""

    def __init__(self, certificate, version="1.3", client_ca=None):
        self.certificate, self.version, self.client_ca = certificate, version, client_ca

    def fill(self, one_way, mutual):
        text = one_way + (mutual if self.client_ca else "")
        return text.format(crt=self.certificate.crt, key=self.certificate.key_file, version=self.version,
                           ca=self.client_ca and self.client_ca.crt)

    def words(self):
        return [self.version, self.certificate.crt, self.certificate.key_file, *([self.client_ca.crt] if self.client_ca else [])]


@contextlib.contextmanager
def running(folder, *command, **kw):
    log = folder / "output.log"
    with open(log, "ab") as out:
        process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kw)
    try:
        yield Server(process, log)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def nginx(folder, root, tls=None):
    with held_port() as port:
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, root=root, port=port, ssl="ssl" if tls else "",
                                       tls=tls.fill(NGINX_TLS, NGINX_MUTUAL) if tls else "", never=NEVER))
        with running(folder, "nginx", "-p", folder, "-c", config, "-e", folder / "error.log") as server:
            yield server


@contextlib.contextmanager
def apache(folder, root, tls=None):
    modules = APACHE_MODULES + (["ssl"] if tls else [])
    with held_port() as port:
        config = folder / "apache.conf"
        config.write_text(APACHE.format(
            folder=folder, root=root, here=HERE, port=port, tls=tls.fill(APACHE_TLS, APACHE_MUTUAL) if tls else "",
            modules="\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in modules),
            user="User nobody\nGroup nogroup" if os.getuid() == 0 else ""))
        with running(folder, "apache2", "-X", "-f", config) as server:
            yield server


def node(folder, root, tls=None):
    return running(folder, "node", HERE / "server.js", root, *(tls.words() if tls else []))


def python(folder, root, tls=None):
    return running(folder, "/usr/bin/python3", HERE / "server.py", root, *(tls.words() if tls else []))


BACKENDS = {"nginx": nginx, "apache2": apache, "Node": node, "Python": python}
VERSION = {"nginx": ["nginx", "-v"], "apache2": ["apache2", "-v"], "gnutls-serv": ["gnutls-serv", "--version"]}


def root_folder(folder):
    """What they serve: files/ to read, put/ to write, by whomever the server runs as."""
    for name, mode in (("root", 0o755), ("root/files", 0o755), ("root/put", 0o777)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    return folder / "root"


def own_folder(parent, name):
    """A server's own, for its log, locks and temporary files."""
    folder = parent / name
    folder.mkdir()
    folder.chmod(0o777)
    return folder
