# SPDX-License-Identifier: Apache-2.0
"""Which authentication policy applies is a matter of listener and server name alone, and no path, field or session leads around it
(peers.md T8, T10, T12, T13)."""
import json
import pathlib
import re

import pytest

import peers
from instance import Instance, run

VERSIONS = ("1.2", "1.3")
each_version = pytest.mark.parametrize("version", VERSIONS)

# What is configured: name → the CA whose clients it wants, or None for one-way. "" is the listener itself. An open name lies below a
# closed wildcard, a closed name below an open wildcard: a policy that leaks in either direction is seen.
POLICIES = {
    "": None,
    "*.example": "clients",
    "open.example": None,
    "www.example": "strangers",
    "*.deep.example": None,
    "secure.deep.example": "strangers",
    "*.secure.deep.example": "clients",
    "xn--bcher-kva.example": "strangers",
}

# What a client asks for → whose policy applies. Without a name, or with one that was not configured, it is the listener's own.
NAMES = {
    None: "",
    "other.test": "",
    "example": "",
    "xexample": "",
    "example.test": "",
    "www.example.test": "",
    "www.example": "www.example",
    "WWW.EXAMPLE": "www.example",
    "www.example.": "www.example",
    "wWw.eXaMpLe.": "www.example",
    "wwww.example": "*.example",
    "ww.example": "*.example",
    "a.example": "*.example",
    "A.EXAMPLE.": "*.example",
    "a.b.example": "*.example",
    "a.www.example": "*.example",
    "a.open.example": "*.example",
    "open.example": "open.example",
    "OPEN.example.": "open.example",
    "deep.example": "*.example",
    "a.deep.example": "*.deep.example",
    "a.b.deep.example": "*.deep.example",
    "xdeep.example": "*.example",
    "secure.deep.example": "secure.deep.example",
    "Secure.Deep.Example.": "secure.deep.example",
    "insecure.deep.example": "*.deep.example",
    "a.secure.deep.example": "*.secure.deep.example",
    "bücher.example": "xn--bcher-kva.example",
    "XN--BCHER-KVA.example": "xn--bcher-kva.example",
    "xn--bcher-kvb.example": "*.example",
    "b_cher.example": "*.example",
    "1.example": "*.example",
}

# Not what RFC 6066 §3 knows (DNS host names, no literal addresses). Bytes beyond ASCII and NUL: test_log_integrity.py.
NO_NAMES = [b"www..example", b"www.example..", b"*.example", b"www.example:443", b"www.example/", b" www.example", b"www.example ",
            b"127.0.0.1.", b"[::1]", b"www,example", b"-", b"%77ww.example",
            b"a" * 64 + b".example", b"a." * 124 + b"example", b"x\r\nwww.example"]


def policy_yaml(pki, ca):
    return f"authentication: mutual, client_ca: [{pki.ca(ca).crt}]" if ca else "authentication: one-way"


@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """Every policy shows a certificate of its own. What belongs to a closed name has a target of its own, `hidden`; every request has
    content, by which a target that gets it tells."""
    shown, hidden = peers.Target(peers.http_echo), peers.Target(peers.http_echo)
    ca = pki.ca("servers")
    certificates = {name: ca.issue(f"domain-{i}", "server", ["DNS:localhost"], cn=f"of {name}") for i, name in enumerate(POLICIES)}
    domains = "".join(f"\n      - {{name: '{name}', certificates: [{certificates[name].yaml()}], {policy_yaml(pki, wanted)}}}"
                      for name, wanted in POLICIES.items() if name)
    rules = "".join(f"\n      - {{domain: '{name or 'localhost'}', path: {path}, target_group: {'hidden' if wanted else 'shown'}}}"
                    for name, wanted in POLICIES.items() for path in ("/", "/admin/"))
    twin = f"address: '127.0.0.1:0', certificates: [{certificates[''].yaml()}]"
    config = f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{certificates[''].yaml()}]
    domains:{domains}
    rules:{rules}
  - {{name: raw, protocol: TCP_SSL, {twin}, target_group: raw}}
  - {{name: closed, protocol: TCP_SSL, {twin}, {policy_yaml(pki, 'clients')}, target_group: raw}}
target_groups:
  - {{name: shown, protocol: HTTP, targets: [{{address: "127.0.0.1:{shown.port}"}}]}}
  - {{name: hidden, protocol: HTTP, targets: [{{address: "127.0.0.1:{hidden.port}"}}]}}
  - {{name: raw, protocol: TCP, targets: [{{address: "127.0.0.1:{shown.port}"}}]}}
access_log: {{file: access.log}}
workers: 1
"""
    instance = Instance(pathlib.Path(tmp_path_factory.mktemp("domains")), config)
    instance.shown, instance.hidden = shown, hidden
    instance.owner = {certificate.der: name for name, certificate in certificates.items()}
    yield instance
    instance.check()
    shown.close()
    hidden.close()


@pytest.fixture(scope="module")
def visitors(pki):
    """CA → a client of it, and nobody."""
    return {"clients": pki.good, "strangers": pki.ca("strangers").issue("visitor"), None: None}


def context(pki, certificate=None, version=None, alpn=None):
    return peers.nameless(peers.client_context(pki.ca("servers"), certificate, version, alpn=alpn))


def request(host, target="/", *fields):
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Content-Length: 4", *fields, "Connection: close", "", "seen"]
    return "\r\n".join(lines).encode("latin-1")


def in_ascii(name):
    return name.encode("idna").decode().rstrip(".").lower()


def policy_at(world, pki, name, host, version, visitor):
    """(whose certificate was shown, why the visitor was refused or None)"""
    mark = world.mark()
    try:
        with peers.ByHand(world.port("web"), context(pki, visitor, version), name) as client:
            shown = world.owner[client.tls.getpeercert(True)]
            status, _ = client.ask(request(host))
        line = world.line(since=mark, listener="web")
        assert status == 200, line
        return shown, None
    except peers.Refused:
        line = world.line(since=mark, listener="web")
        return None, line["peer"]["reason"]


# ---- T10, T12: the most specific one applies, however it is spelt ----

@each_version
@pytest.mark.parametrize("name", NAMES)
def test_t10_t12_the_policy_of_the_most_specific_name_applies(world, pki, visitors, name, version):
    owner = NAMES[name]
    wanted = POLICIES[owner]
    host = in_ascii(name) if owner else "localhost"
    if wanted is None:
        assert policy_at(world, pki, name, host, version, None) == (owner, None)
        return
    for ca, certificate in visitors.items():
        shown, reason = policy_at(world, pki, name, host, version, certificate)
        assert reason == {wanted: None, None: "no_certificate"}.get(ca, "untrusted"), ca
        assert shown == (owner if ca == wanted else None)


@each_version
@pytest.mark.parametrize("name", NO_NAMES)
def test_t10_what_is_no_name_opens_no_domain(world, pki, version, name):
    """The handshake fails, or the policy of the listener or of the wildcard above applies; a domain that has the name is out of reach."""
    before = world.hidden.received
    for host in ("www.example", "a.example"):
        mark = world.mark()
        try:
            with peers.ByHand(world.port("web"), context(pki, None, version), name) as client:
                assert world.owner[client.tls.getpeercert(True)] in ("", "*.example")
                assert client.ask(request(host))[0] == 421
            assert world.line(since=mark, listener="web")["close"] == "misdirected"
        except peers.Refused:
            assert world.line(since=mark, listener="web")["close"] == "client_refused"
    assert world.hidden.received == before


# ---- T12: a conflict is an error, and never a default ----

CONFLICTS = {
    "the same name twice": ("{name: open.example}, {name: OPEN.example}", "open.example"),
    "the same wildcard twice": ("{name: '*.example'}, {name: '*.EXAMPLE', authentication: one-way}", r"\*\.example"),
    "a wildcard in the middle": ("{name: 'a.*.example'}", "is not a domain"),
    "a wildcard for a part of a label": ("{name: 'a*.example'}", "is not a domain"),
    "everything": ("{name: '*'}", "is not a domain"),
    "a wildcard at the end": ("{name: 'www.*'}", "is not a domain"),
    "a dot at the end": ("{name: 'open.example.'}", "is not a domain"),
    "an address": ("{name: '127.0.0.1'}", "is not a domain"),
    "not in A-labels": ("{name: 'bücher.example'}", "xn--"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_t12_names_in_conflict_are_an_error(pki, tmp_path, case):
    domains, words = CONFLICTS[case]
    (tmp_path / "sallyport.yaml").write_text(f"""
listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: [{pki.server.yaml()}]
    domains: [{domains}]
    rules: [{{domain: localhost, target_group: app}}]
target_groups: [{{name: app, protocol: HTTP, targets: [{{address: "127.0.0.1:1"}}]}}]
""")
    said = run("check", "-c", tmp_path / "sallyport.yaml")
    assert said.returncode == 1 and re.search(rf"sallyport\.yaml:7:\d+: .*{words}", said.stderr), said.stderr


# ---- T13: no way around ----

# What a client without a certificate sends over its connection to open.example, to get to /admin/ of www.example.
AROUND = {
    "the path": ("/admin/", []),
    "the path encoded": ("/%61dmin/", []),
    "an authority in the path": ("//www.example/admin/", []),
    "a user in the path": ("/@www.example/admin/", []),
    "an absolute target": ("https://www.example/admin/", []),
    "an absolute target with a user": ("https://open.example@www.example/admin/", []),
    "an absolute target without slashes": ("https:www.example/admin/", []),
    "a target of another scheme": ("ws://www.example/admin/", []),
    "dot segments": ("/x/../admin/", []),
    "encoded dot segments": ("/x/%2e%2e/admin/", []),
    "backslashes": ("\\\\www.example\\admin\\", []),
    "a parameter": ("/admin;/", []),
    "a line of its own": ("/ HTTP/1.1\r\nHost: www.example\r\nX: /admin/", []),
    "a second host": ("/admin/", ["Host: www.example"]),
    "a folded host": ("/admin/", ["X: 1", " Host: www.example"]),
    "a host with a space": ("/admin/", ["Host : www.example"]),
    "a forwarded host": ("/admin/", ["X-Forwarded-Host: www.example", "Forwarded: host=www.example", "X-Host: www.example"]),
    "a rewritten target": ("/", ["X-Original-URL: /admin/", "X-Rewrite-URL: /admin/", "X-Original-Host: www.example"]),
    "a forged identity": ("/admin/", ["X-Client-Cert-Verified: accepted", "X-Client-Cert-Subject: CN=visitor"]),
}


@each_version
@pytest.mark.parametrize("way", AROUND)
def test_t13_no_path_and_no_field_leads_around_a_domains_policy(world, pki, version, way):
    target, fields = AROUND[way]
    before = world.hidden.received
    with peers.connect(world.port("web"), context(pki, version=version), "open.example") as tls:
        status, _, body = peers.ask(tls, request("open.example", target, *fields))
    assert world.hidden.received == before
    assert status in (200, 400, 421)
    if status == 200:  # then it is open.example's own, and says who it is for
        headers = [(k.lower(), v) for k, v in json.loads(body)["headers"]]
        assert [v for k, v in headers if k == "host"] == ["open.example"]
        assert not [k for k, _ in headers if k.startswith("x-client-cert")]


@each_version
def test_t13_a_resumed_session_leads_around_it_no_more_than_a_full_one(world, pki, visitors, version):
    """The session of an open domain, offered to closed ones; and resumed where it was made, with the other's Host and path."""
    ctx = context(pki, visitors["clients"], version)
    before = world.hidden.received
    with peers.connect(world.port("web"), ctx, "open.example") as tls:
        assert peers.ask(tls, request("open.example"))[0] == 200
        session = tls.session
    for closed in ("www.example", "secure.deep.example"):
        mark = world.mark()
        with pytest.raises(peers.Refused), peers.connect(world.port("web"), ctx, closed, session) as tls:
            peers.ask(tls, request(closed, "/admin/"))
        line = world.line(since=mark, listener="web", sni=closed)
        assert line["peer"]["reason"] == "untrusted" and not line["tls"].get("resumed")
        with peers.connect(world.port("web"), ctx, "open.example", session) as tls:
            assert tls.session_reused  # else this shows nothing
            assert peers.ask(tls, request(closed, "/admin/"))[0] == 421
    assert world.hidden.received == before


@each_version
def test_t13_whoever_has_the_certificate_gets_there(world, pki, visitors, version):
    before = world.hidden.received
    with peers.connect(world.port("web"), context(pki, visitors["strangers"], version), "www.example") as tls:
        status, _, body = peers.ask(tls, request("www.example", "/admin/"))
    assert status == 200 and world.hidden.received == before + b"seen"
    assert ["X-Client-Cert-Verified", "accepted"] in json.loads(body)["headers"]


# ---- T8: ALPN acme-tls/1 opens nothing ----

@each_version
def test_t8_acme_tls_1_is_no_protocol_of_an_https_listener(world, pki, version):
    for name in ("open.example", "www.example", None):
        mark = world.mark()
        with pytest.raises(peers.Refused):
            with peers.connect(world.port("web"), context(pki, version=version, alpn=["acme-tls/1"]), name) as tls:
                peers.ask(tls, request(name or "localhost"))
        line = world.line(since=mark, listener="web", close="handshake_no_common")
        assert line.get("sni") == name and line["tls"]["alert_sent"] == "no_application_protocol", line


@each_version
@pytest.mark.parametrize("alpn", [["acme-tls/1"], ["acme-tls/1", "http/1.1"]])
def test_t8_a_session_made_with_acme_tls_1_is_good_for_nothing_else(world, pki, version, alpn):
    ctx = context(pki, version=version, alpn=alpn)
    with peers.connect(world.port("raw"), ctx) as tls:
        peers.ask(tls, request("localhost"))
        session = tls.session
        assert session.has_ticket and tls.selected_alpn_protocol() is None
    mark = world.mark()
    with pytest.raises(peers.Refused), peers.connect(world.port("closed"), ctx, session=session) as tls:
        peers.ask(tls, request("localhost"))
    assert world.line(since=mark, listener="closed")["peer"]["reason"] == "no_certificate"
    ctx.set_alpn_protocols(["http/1.1"])
    with peers.connect(world.port("web"), ctx, "open.example", session) as tls:
        assert not tls.session_reused and peers.ask(tls, request("open.example"))[0] == 200
    mark = world.mark()
    with pytest.raises(peers.Refused), peers.connect(world.port("web"), ctx, "www.example", session) as tls:
        peers.ask(tls, request("www.example"))
    assert world.line(since=mark, listener="web", sni="www.example")["peer"]["reason"] == "no_certificate"
