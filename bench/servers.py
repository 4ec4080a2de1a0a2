# SPDX-License-Identifier: Apache-2.0
"""servers — the balancers that are compared: their configurations, their processes, what they cost.

All have the same certificate, suites, group, backend and forwarded headers, one worker on one core, no access log, tickets
but no session cache, as many tickets as Sallyport issues, and every option that we know to help them.
"""
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

NAME = "bench.test"
SUITES = {"1.3": "TLS_AES_256_GCM_SHA384", "1.2": "ECDHE-ECDSA-AES256-GCM-SHA384"}
GROUP = "X25519"
SERVER_CORE, LOAD_CORE = 0, 1
READY_S = 10
ports = itertools.count(20000 + os.getpid() % 4000)  # below those that the kernel gives to clients


def free_port():
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


# Of libssl in HAProxy, nginx and hitch. Sallyport does not read it.
OPENSSL_CNF = """
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
MinProtocol = TLSv1.2
Groups = {group}
Ciphersuites = {suite_13}
NumTickets = {tickets}
"""

SALLYPORT = """
workers: 1
listeners:
  - name: bench
    protocol: {protocol}
    address: 127.0.0.1:{port}
    authentication: {authentication}
    certificates: [{{certificate: {certificate}.crt, key: {certificate}.key}}]
    {client_ca}
    {tls}
    {where}
target_groups:
  - name: backend
    protocol: {target_protocol}
    targets: [{{address: 127.0.0.1:{backend}}}]
"""

HAPROXY = """
global
    nbthread 1
    maxconn 8000
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-default-bind-ciphers {suite_12}
    ssl-default-bind-ciphersuites {suite_13}
    ssl-default-bind-curves {group}
    tune.ssl.cachesize 0
    tune.bufsize 32768
    tune.pool-high-fd-ratio 75
    tune.pool-low-fd-ratio 70
defaults
    mode {mode}
    maxconn 8000
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    no log
{http_defaults}
listen bench
    bind 127.0.0.1:{port} ssl crt server.pem {verify} {bind}
{http_rules}
    server s1 127.0.0.1:{backend} {server}
"""
HAPROXY_HTTP = {
    "mode": "http",
    "http_defaults": """    timeout http-keep-alive 1h
    timeout http-request 30s
    option http-keep-alive
    http-reuse always""",
    "http_rules": """    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Real-IP %[src]""",
    "bind": "alpn h2,http/1.1 defer-accept backlog 65535",
    "server": "pool-low-conn 1000 pool-max-conn 10000 pool-purge-delay 1h",
}
HAPROXY_TCP = {"mode": "tcp", "http_defaults": "", "http_rules": "", "bind": "defer-accept backlog 65535", "server": ""}

NGINX = """
{modules}
user root;
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ use epoll; worker_connections 18000; multi_accept on; accept_mutex off; }}
{block} {{
    tcp_nodelay on;
    ssl_certificate server.crt;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers {suite_12};
    ssl_conf_command Ciphersuites {suite_13};
    ssl_ecdh_curve {group};
    ssl_session_cache none;
    ssl_session_tickets on;
    ssl_session_timeout 1h;
    {verify}
{inside}
}}
"""
NGINX_HTTP = """
    access_log off;
    server_tokens off;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    ssl_buffer_size 16k;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream web {{
        server 127.0.0.1:{backend};
        keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 3600s;
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2 reuseport backlog=65535 deferred;
        location / {{
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
            proxy_set_header Host $host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Real-IP $remote_addr;
        }}
    }}"""
NGINX_TCP = """
    server {{
        listen 127.0.0.1:{port} ssl reuseport backlog=65535;
        proxy_pass 127.0.0.1:{backend};
        proxy_timeout 1h;
    }}"""

HITCH = """
frontend = {{ host = "127.0.0.1" port = "{port}" }}
backend = "[127.0.0.1]:{backend}"
pem-file = "server.pem"
workers = 1
backlog = 65535
daemon = off
user = "root"
log-level = 0
syslog = off
keepalive = 3600
ocsp-dir = ""
tls-protos = TLSv1.2 TLSv1.3
ciphers = "{suite_12}"
ciphersuites = "{suite_13}"
ecdh-curve = "{group}"
write-proxy-v2 = off
{verify}
"""


def common(row, port, backend):
    return {"port": port, "backend": backend, "group": GROUP, "suite_12": SUITES["1.2"], "suite_13": SUITES["1.3"]}


def sallyport(row, folder, facts, engine):
    is_http = row.protocol == "HTTPS"
    (folder / "sallyport.yaml").write_text(SALLYPORT.format(
        **facts, certificate="server-rsa" if row.key == "rsa" else "server", protocol=row.protocol, target_protocol="HTTP" if is_http else "TCP",
        authentication="mutual" if row.mutual else "one-way", client_ca="client_ca: [ca.crt]" if row.mutual else "",
        tls=f"tls: {{engine: {engine}}}" if engine else "",
        where=f"rules: [{{domain: {NAME}, path: /, target_group: backend}}]" if is_http else "target_group: backend"))
    return [os.environ["SALLYPORT"], "run", "-c", "sallyport.yaml"]


def haproxy(row, folder, facts):
    (folder / "haproxy.cfg").write_text(HAPROXY.format(
        **facts, **(HAPROXY_HTTP if row.protocol == "HTTPS" else HAPROXY_TCP),
        verify="ca-file ca.crt verify required" if row.mutual else ""))
    # Debian's is built to tag its memory pools, and runs without their shared cache unless told otherwise.
    return ["haproxy", "-db", "-dMno-tag,global", "-f", "haproxy.cfg"]


def nginx(row, folder, facts):
    is_http = row.protocol == "HTTPS"
    verify = "ssl_client_certificate ca.crt; ssl_verify_client on; ssl_verify_depth 2;" if row.mutual else ""
    (folder / "nginx.conf").write_text(NGINX.format(
        **facts, verify=verify, block="http" if is_http else "stream",
        modules="" if is_http else "load_module /usr/lib/nginx/modules/ngx_stream_module.so;",
        inside=(NGINX_HTTP if is_http else NGINX_TCP).format(**facts)))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def hitch(row, folder, facts):
    verify = 'client-verify = required\nclient-verify-ca = "ca.crt"' if row.mutual else ""
    (folder / "hitch.conf").write_text(HITCH.format(**facts, verify=verify))
    return ["hitch", "--config=hitch.conf"]


def tickets(row, engine):
    """How many Sallyport issues a handshake, and so the others: libssl cannot have clients judged again."""
    return 0 if row.mutual and engine == "openssl" else 1


def engine(row, folder, wanted):
    """Who speaks TLS in Sallyport: WANTED, or its default; as the program itself says."""
    command = sallyport(row, folder, common(row, 1, 1), wanted)
    shown = subprocess.run([command[0], "check", "-T", *command[2:]], cwd=folder, capture_output=True, text=True)
    if shown.returncode:
        raise Failure(shown.stderr.strip())
    return re.search(r"engine: (\w+)", shown.stdout).group(1)


# Builds of Sallyport that are measured beside each other, by name; every other name that is no peer is $SALLYPORT.
BUILDS = {}
PEERS = {"haproxy": haproxy, "nginx": nginx, "hitch": hitch}
VERSION_COMMANDS = {"sallyport": None, "haproxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"],
                    "hitch": ["hitch", "--version"], "openssl": ["openssl", "version"]}


def versions():
    out = {}
    for name, command in VERSION_COMMANDS.items():
        done = subprocess.run(command or [os.environ["SALLYPORT"], "--version"], capture_output=True, text=True)
        out[name] = (done.stdout or done.stderr).strip().splitlines()[0]
    return out


class Failure(Exception):
    """What was to be measured could not be."""


class Process:
    """A program of ours, pinned to a core, in a process group that ends with it."""

    def __init__(self, command, core, folder, **how):
        self.log = folder / (pathlib.Path(command[0]).name + ".stderr")
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(["taskset", "-c", str(core), *command], cwd=folder, stderr=log,
                                          start_new_session=True, **how)

    def stop(self):
        for number, patience in ((signal.SIGTERM, 0 if self.popen.poll() is not None else 3), (signal.SIGKILL, 3)):
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def complaint(self):
        return self.log.read_text(errors="replace").strip()[-500:]


class Server(Process):
    """A balancer with the configuration for ROW, accepting connections on `port`."""

    def __init__(self, name, row, rig):
        self.name, self.port = name, free_port()
        folder, facts = rig.folder, common(row, self.port, rig.backends[row.protocol])
        command = PEERS[name](row, folder, facts) if name in PEERS else sallyport(row, folder, facts, rig.engine)
        command[0] = BUILDS.get(name, command[0])
        cnf = folder / "openssl.cnf"
        cnf.write_text(OPENSSL_CNF.format(**facts, tickets=tickets(row, rig.engine)))
        super().__init__(command, SERVER_CORE, folder, env={**os.environ, "OPENSSL_CONF": str(cnf)},
                         stdout=subprocess.DEVNULL)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.popen.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise Failure(f"{self.name} does not accept connections: {self.complaint()}")

    def pids(self):
        """The process and all its descendants."""
        found, todo = [], [self.popen.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        return found

    def cpu_us(self):
        """Time on the processor of all its threads, since they began."""
        return sum(int((task / "schedstat").read_text().split()[0])
                   for pid in self.pids() for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1000

    def memory(self):
        """Bytes in use, shared ones counted in proportion (PSS)."""
        return sum(int(line.split()[1]) * 1024 for pid in self.pids()
                   for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                   if line.startswith("Pss:"))
