# SPDX-License-Identifier: Apache-2.0
"""Servers of others as targets: nginx, apache2, Node and gunicorn, each set to forgive what it can. They answer each request with what
it was (`METHOD TARGET`), and write down what they took for one."""
import collections
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from instance import lines_behind, size_of
from programs import Server, held_port

HERE = pathlib.Path(__file__).resolve().parent

# One request as a backend took it. `body` is None where it did not read it.
Seen = collections.namedtuple("Seen", "connection method target body status")

NGINX = """
daemon off; master_process off; worker_processes 1;
pid {folder}/pid; error_log {folder}/error.log;
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
events {{}}
http {{
  log_format seen escape=json '{{"connection": "$connection", "method": "$request_method", "target": "$request_uri", '
                              '"body": "$request_body", "status": $status}}';
  access_log {folder}/seen seen;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  client_body_buffer_size 64k; client_body_in_single_buffer on; keepalive_requests 1000000; default_type application/octet-stream;
  ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;
  server {{
    listen 127.0.0.1:{port}{protocol};
    location / {{ echo_read_request_body; echo -n "$request_method $request_uri"; }}
    location /early {{ return 200 "$request_method $request_uri"; }}
    location /bare204 {{ return 204; }}
    location /bare304 {{ return 304; }}
  }}
}}
"""

APACHE_MODULES = ["mpm_event", "authz_core", "alias", "cgi", "http2"]
APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/error.log
{modules}
{user}
Listen 127.0.0.1:{port}
DocumentRoot /
Protocols h2c http/1.1
HttpProtocolOptions Unsafe LenientMethods Allow0.9
MaxKeepAliveRequests 0
KeepAliveTimeout 60
TraceEnable off
ScriptAliasMatch ^/ {folder}/backend.sh
<Location />
  Require all granted
</Location>
LogFormat "%{{remote}}p %m %>s %{{X-Target}}o %{{X-Body}}o" seen
CustomLog {folder}/seen seen
"""


class Backend(Server):
    def __init__(self, process, log, seen, read):
        super().__init__(process, log)
        self.file, self.read = seen, read

    def mark(self):
        """What to give `seen` for what is written down from now on."""
        return size_of(self.file)

    def seen(self, mark=0):
        return [self.read(line.decode("latin-1")) for line in lines_behind(self.file, mark)]


@contextlib.contextmanager
def running(folder, read, *command, **environment):
    log = folder / "output.log"
    with open(log, "ab") as out:
        process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | environment)
    try:
        yield Backend(process, log, folder / "seen", read)
    finally:
        process.terminate()
        process.wait(20)


def read_json(line):
    fields = json.loads(line)
    return Seen(**fields | {"body": None if fields["body"] is None else bytes.fromhex(fields["body"])})


def read_nginx(line):
    fields = json.loads(line)
    read = not fields["target"].startswith(("/early", "/bare"))
    return Seen(**fields | {"method": fields["method"] or "-", "target": fields["target"] or "-",
                            "body": fields["body"].encode("latin-1") if read else None})


def read_apache(line):
    connection, method, status, target, body = line.split(" ")
    known = body not in ("-", "xunread")
    answered = target != "-"  # else it was cut off while the script read it
    return Seen(connection, method, target, bytes.fromhex(body[1:]) if known else None, int(status) if answered else 400)


@contextlib.contextmanager
def open_folder():
    """One that whomever a server becomes can read; pytest's are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def nginx(folder, version="1.1"):
    with held_port() as port:
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port, protocol=" http2" if version == "2" else ""))
        with running(folder, read_nginx, "nginx", "-p", folder, "-c", config, "-e", folder / "error.log") as server:
            yield server


@contextlib.contextmanager
def apache(folder, version="1.1"):
    with held_port() as port, open_folder() as folder:
        pathlib.Path(shutil.copy(HERE / "backend.sh", folder)).chmod(0o755)
        config = folder / "apache.conf"
        config.write_text(APACHE.format(
            folder=folder, port=port, user="User nobody\nGroup nogroup" if os.getuid() == 0 else "",
            modules="\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in APACHE_MODULES)))
        with running(folder, read_apache, "apache2", "-X", "-f", config) as server:
            yield server


def node(folder, version="1.1"):
    return running(folder, read_json, "node", HERE / "backend.js", folder / "seen", "http2" if version == "2" else "http")


def gunicorn(folder, version="1.1"):
    return running(folder, read_json, "/usr/bin/python3", "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "--bind", "127.0.0.1:0",
                   "--keep-alive", "60", "--chdir", HERE, "--worker-tmp-dir", folder, "backend_wsgi:application", BACKEND_LOG=str(folder / "seen"))


# name → (start(folder, version), the versions of HTTP that it speaks)
BACKENDS = {"nginx": (nginx, ["1.1", "2"]), "apache2": (apache, ["1.1", "2"]), "Node": (node, ["1.1", "2"]), "gunicorn": (gunicorn, ["1.1"])}
