# SPDX-License-Identifier: Apache-2.0
"""Clients of others at our listeners: what each prints, and what we logged of it."""
import contextlib
import html
import json
import re
import types

import peers
import pytest
from chromium import Browser, corner_colour
from clients import CLIENTS, PROGRAMS, STRANGE, WORDS, converse
from instance import run
from tls_clients import REQUEST, TOWARDS, VERSIONS, Stage

ANSWER = '"path": "/interop"'
GREEN = (10, 125, 50)


def page(target, connection):
    """A green page that tells what reached it."""
    f = connection.makefile("rb")
    while lines := peers.read_head(f):
        target.received += lines[0].encode()
        told = json.dumps({"path": lines[0].split(" ")[1], "headers": lines[1:]}, indent=1)
        text = (f"<!DOCTYPE html><title>Sallyport</title><body style='background: rgb{GREEN}; color: white'><h1>Let in</h1>"
                f"<pre style='white-space: pre-wrap; overflow-wrap: anywhere'>{html.escape(told, quote=False)}</pre>").encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(text)}\r\n\r\n"
        connection.sendall(head.encode() + text)
        if "Connection: close" in lines:
            return


@pytest.fixture(scope="module")
def stage(tmp_path_factory, pki):
    web = peers.Target(page)
    with contextlib.closing(Stage(tmp_path_factory.mktemp("clients"), pki, pki.ca("clients"), pki.crl("clients"), web, web)) as stage:
        yield stage


@pytest.fixture(scope="module", autouse=True)
def programs(matrix):
    for program, option in PROGRAMS.items():
        command = f"/usr/bin/{program}" if program == "python3" else program
        version = [line for line in converse(b"", command, option).splitlines() if re.search(r"\d\.\d|^v\d", line)][0]
        version = re.sub(r" built on .*| \(x86_64.*|\(Library.*", "", version)
        matrix.add("programs", program, "version", version.strip())


names = pytest.mark.parametrize("name", CLIENTS)
protocols = pytest.mark.parametrize("protocol", TOWARDS)
versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.mark.parametrize("mode", ["one-way", "mutual"])
@versions
@protocols
@names
def test_client_is_served(stage, matrix, name, protocol, version, mode):
    since = stage.instance.mark()
    said = CLIENTS[name](stage, stage.port(mode, protocol), REQUEST, version, stage.pki.good if mode == "mutual" else None)
    assert ANSWER in said, said
    line = stage.instance.line(since=since, listener=f"{mode}_{protocol}")
    assert line["tls"]["version"] == f"TLSv{version}" and ("peer" not in line or line["peer"]["accepted"])
    if mode == "mutual" and protocol == "HTTPS":
        assert "X-Client-Cert-Subject: CN=good.example" in said
    matrix.add("clients", f"{name}, {protocol}", mode, "served", version)


HOLDERS = {"no_certificate": None, "revoked": "revoked"}


@pytest.mark.parametrize("reason", HOLDERS)
@versions
@protocols
@names
def test_client_is_refused_and_told_why(stage, matrix, name, protocol, version, reason):
    since, accepted = stage.instance.mark(), stage.web.accepted
    certificate = getattr(stage.pki, HOLDERS[reason]) if HOLDERS[reason] else None
    said = CLIENTS[name](stage, stage.port("mutual", protocol), REQUEST, version, certificate)
    told = re.search(WORDS[reason], said)
    assert told and ANSWER not in said, said
    line = stage.instance.line(lambda line: "peer" in line, since=since, listener=f"mutual_{protocol}")
    assert line["peer"]["reason"] == reason and "target" not in line and line["remedy"]
    assert stage.web.accepted == accepted
    matrix.add("clients", f"{name}, {protocol}", f"mutual, {reason}", f"refused; {stable(told[0])}", version)


@versions
@protocols
@names
def test_client_refuses_a_server_of_a_stranger(stage, matrix, name, protocol, version):
    """Without this, `served` would not say that the client looked at our certificate."""
    pki = types.SimpleNamespace(ca=lambda _: stage.pki.ca("strangers"))
    accepted = stage.web.accepted
    said = CLIENTS[name](types.SimpleNamespace(pki=pki), stage.port("one-way", protocol), REQUEST, version, None)
    told = re.search(STRANGE, said)
    assert told and ANSWER not in said, said
    # A relay has its target before the client has read our certificate, so it may have connected; but nothing is sent there.
    assert stage.web.accepted == accepted or protocol == "TCP_SSL"
    matrix.add("clients", f"{name}, {protocol}", "server's CA unknown to it", f"it refuses; {stable(told[0])}", version)


def stable(text):
    """What is printed, without what differs from run to run."""
    text = re.sub(r"[0-9A-F]{8,}:error:[0-9A-F]+:", "", text).strip()
    return f"`{re.sub(r'^[*!|<> -]+', '', text)}`"


def offered(program, folder):
    """The protocols that PROGRAM(port) offers by ALPN, out of its ClientHello."""
    hello = folder / "client-hello"

    def keep(target, connection):
        hello.write_bytes(connection.recv(65536))
    target = peers.Target(keep)
    program(target.port)
    target.close()
    done = run("parse", "--type", "client-hello", hello)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["alpn"]


def test_curl_speaks_http2(stage, matrix, tmp_path):
    def program(port):
        return converse(b"", "curl", "-sS4", "--noproxy", "*", "--http2", "--cacert", stage.pki.ca("servers").crt, "-o", "/dev/null", "-w",
                        "%{http_code} HTTP/%{http_version}", f"https://localhost:{port}/interop")
    since = stage.instance.mark()
    assert program(stage.port("one-way", "HTTPS")) == "200 HTTP/2"
    chose(stage, matrix, "curl --http2", offered(program, tmp_path), since)


def test_chromium_shows_the_page_over_mutual_authentication(stage, matrix, results, tmp_path):
    browser = Browser(tmp_path, stage.pki.ca("servers"), stage.pki.good)
    since = stage.instance.mark()
    shot = browser.screenshot(f"https://localhost:{stage.port('mutual', 'HTTPS')}/interop", results / "chromium-mutual.png")
    assert corner_colour(shot) == GREEN
    line = stage.instance.line(since=since, path="/interop")
    assert line["peer"]["accepted"] and line["peer"]["chain"][0]["subject"] == "CN=good.example"
    chose(stage, matrix, "Chromium", offered(lambda port: browser.page(f"https://localhost:{port}/"), tmp_path), since)


def chose(stage, matrix, name, offer, since):
    assert "h2" in offer and "http/1.1" in offer
    line = stage.instance.line(since=since, path="/interop")
    assert line["tls"]["alpn"] == "h2" and line["status"] == 200
    matrix.add("alpn", name, "offers", ", ".join(offer))
    matrix.add("alpn", name, "chosen", line["tls"]["alpn"])
