# SPDX-License-Identifier: Apache-2.0
"""Authentication that a rule asks for, under listeners where clients may, or must, show a certificate (peers.md T13)."""
import pytest

import peers
from files import command
from http2_peers import Http2, request
from http_peers import Scripted, group, running
from instance import ENGINE


@pytest.fixture(scope="module")
def people(pki):
    """Clients of two CAs, with and without the address that rules ask for."""
    admins = pki.ca("admins")
    return {"staff": pki.ca("clients").issue("staff", "client", ["EMAIL:staff@example.com"]), "guest": pki.good,
            "admin": admins.issue("admin", "client", ["EMAIL:chief@example.com"])}


@pytest.fixture(scope="module")
def world(pki, people, tmp_path_factory):
    target = Scripted()
    clients, admins, cert = pki.ca("clients").crt, pki.ca("admins").crt, f"certificates: [{pki.server.yaml()}]"
    rules = f"""[{{domain: localhost, path: /, target_group: web}},
      {{domain: localhost, path: /any/, target_group: web, authentication: {{client_ca: [{clients}, {admins}]}}}},
      {{domain: localhost, path: /admin/, target_group: web, authentication: {{client_ca: [{admins}]}}}},
      {{domain: localhost, path: /mail/, target_group: web, authentication: {{client_names: ["EMAIL:*@example.com"]}}}},
      {{domain: localhost, path: /chief/, authentication: {{client_ca: [{admins}], client_names: ["EMAIL:chief@example.com"]}}, respond: {{status: 200}}}}]"""
    config = f"""
listeners:
  - {{name: optional, protocol: HTTPS, address: "127.0.0.1:0", authentication: optional, client_ca: [{clients}, {admins}], {cert}, rules: {rules}}}
  - {{name: mutual, protocol: HTTPS, address: "127.0.0.1:0", authentication: mutual, client_ca: [{clients}, {admins}], {cert}, rules: {rules}}}
target_groups: {group("web", target)}
access_log: {{file: access.log}}
workers: 1
"""
    with running(tmp_path_factory.mktemp("rule_authentication"), config, target) as instance:
        instance.target = target
        yield instance


# (client, path) → why it is refused, or None
CASES = {
    (None, "/"): None, (None, "/any/"): "no_certificate", (None, "/admin/"): "no_certificate", (None, "/mail/"): "no_certificate",
    (None, "/chief/"): "no_certificate",
    ("guest", "/"): None, ("guest", "/any/"): None, ("guest", "/admin/"): "untrusted", ("guest", "/mail/"): "wrong_name",
    ("guest", "/chief/"): "untrusted",
    ("staff", "/any/"): None, ("staff", "/admin/"): "untrusted", ("staff", "/mail/"): None, ("staff", "/chief/"): "untrusted",
    ("admin", "/any/"): None, ("admin", "/admin/"): None, ("admin", "/mail/"): None, ("admin", "/chief/"): None,
}


def ask(tls, path):
    return peers.ask(tls, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())[0]


@pytest.mark.parametrize("who, path", CASES, ids=lambda x: str(x))
@pytest.mark.parametrize("listener", ["optional", "mutual"])
def test_t13_who_may_ask_for_what(world, pki, people, listener, who, path):
    if not who and listener == "mutual":
        return  # refused in the handshake: test_tls_listener
    why, mark, calls = CASES[who, path], world.mark(), len(world.target.calls)
    with peers.connect(world.port(listener), peers.client_context(pki.ca("servers"), people.get(who))) as tls:
        assert ask(tls, path + "x") == (403 if why else 200)
        line = world.line(since=mark, client=f"127.0.0.1:{tls.getsockname()[1]}")
        assert ask(tls, "/") == 200  # the connection goes on
    assert len(world.target.calls) == calls + 1 + (not why and path != "/chief/")
    if not why:
        assert "rule_peer" not in line and "close" not in line
        return
    assert line["close"] == "forbidden" and line["rule_peer"]["reason"] == why and not line["rule_peer"]["accepted"]
    assert line["remedy"].startswith(why) and line["rule"]["path"] == path


@pytest.mark.parametrize("who, path", CASES, ids=lambda x: str(x))
def test_t13_over_http_2(world, pki, people, who, path):
    """Several paths over one connection, each asked for itself; one after the other, and all at once."""
    with Http2(world.port("optional"), pki, certificate=people.get(who)) as client:
        mark = world.mark()
        assert client.ask(path + "x").status == (403 if CASES[who, path] else 200)
        line = world.line(since=mark, client=client.name)
        assert line.get("rule_peer", {}).get("reason") == CASES[who, path] and line["tls"]["alpn"] == "h2"
        mine = [p for w, p in CASES if w == who]
        ids = [client.head(request(p + "y")) for p in mine]
        assert [client.answer(id).status for id in ids] == [403 if CASES[who, p] else 200 for p in mine]


def test_t13_a_resumed_session_is_asked_again(world, pki, people):
    for who, want in (("admin", 200), ("guest", 403)):
        context = peers.client_context(pki.ca("servers"), people[who], version="1.2")
        with peers.connect(world.port("optional"), context) as tls:
            assert ask(tls, "/admin/") == want
            session = tls.session
        with peers.connect(world.port("optional"), context, session=session) as tls:
            assert tls.session_reused == (ENGINE == "native")  # libssl's server resumes nobody whom it asked for a certificate
            assert ask(tls, "/admin/") == want


def test_t13_a_spelling_that_leads_to_the_path_is_asked_too(world, pki):
    with peers.connect(world.port("optional"), peers.client_context(pki.ca("servers"))) as tls:
        assert ask(tls, "/%61dmin/x") == 403
        assert ask(tls, "/%61dmin%2fx") == 400


REFUSED = {
    "one_way": ("HTTPS", "", "authentication: {client_ca: [CA]}", "nobody could pass"),
    "plain": ("HTTP", "", "authentication: {client_ca: [CA]}", "needs an HTTPS listener"),
    "empty": ("HTTPS", "authentication: optional, client_ca: [CA],", "authentication: {}", "needs client_ca, client_names, or both"),
    "other_ca": ("HTTPS", "authentication: optional, client_ca: [CA],", "authentication: {client_ca: [OTHER]}", "is not among client_ca of the listener"),
    "name": ("HTTPS", "authentication: optional, client_ca: [CA],", "authentication: {client_names: [x]}", "is not a client name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(pki, tmp_path, case):
    protocol, keys, authn, why = REFUSED[case]
    certificates = f"certificates: [{pki.server.yaml()}]," if protocol == "HTTPS" else ""
    file = tmp_path / "sallyport.yaml"
    file.write_text(f"""
listeners: [{{name: a, protocol: {protocol}, address: "127.0.0.1:0", {certificates} {keys} rules: [{{domain: localhost, target_group: t, {authn}}}]}}]
target_groups: [{{name: t, protocol: HTTP, targets: [{{address: "127.0.0.1:1"}}]}}]
""".replace("CA]", f"{pki.ca('clients').crt}]").replace("OTHER]", f"{pki.ca('strangers').crt}]"))
    done = command("check", "-c", file)
    assert done.returncode == 1 and why in done.stderr and "1 error" in done.stderr, done.stderr
