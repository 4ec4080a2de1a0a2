# SPDX-License-Identifier: Apache-2.0
"""What may be empty in a configuration, because the control API fills it: listeners, rules, targets."""
import peers
from http_peers import Client, group, plain, tls_listener
from instance import run


def test_without_rules_everything_is_404(lb):
    with Client(lb(plain(group("web"), rules="")).port("plain")) as c:
        assert c.ask("/").status == 404


def test_without_targets_requests_get_503_and_connections_end(lb):
    instance = lb(plain(group("web"), group("raw", protocol="TCP"), listeners="""
  - {name: raw, protocol: TCP, address: "127.0.0.1:0", target_group: raw}"""))
    with Client(instance.port("plain")) as c:
        assert c.ask("/").status == 503
    with Client(instance.port("raw")) as c:
        assert c.end() in ("fin", "reset")
    assert instance.line(lambda line: line["listener"] == "raw")["close"] == "no_target"


def test_an_instance_without_listeners_runs_and_gets_some_by_a_reload(lb):
    instance = lb("listeners: []\nworkers: 1\naccess_log: {file: access.log}\n")
    assert run("check", "-c", str(instance.file)).returncode == 0
    instance.reload(plain(group("web"), rules="{domain: localhost, path: /, respond: {status: 200}}"))
    with Client(instance.port("plain")) as c:
        assert c.ask("/").status == 200


def test_a_domain_has_http2_of_its_own(pki, lb):
    server = pki.ca("servers").issue("http2-by-domain", "server", ["DNS:*.h2.example"])
    listener = tls_listener(pki, "{domain: '*.h2.example', path: /, respond: {status: 200}}").replace(pki.server.yaml(), server.yaml())
    listener = listener.rstrip("}") + ", http2: false, domains: [{name: new.h2.example, http2: true}]}"
    instance = lb(plain(group("web"), rules="", listeners=listener))
    context = peers.client_context(pki.ca("servers"), alpn=["h2", "http/1.1"])
    for name, agreed in (("old.h2.example", "http/1.1"), ("new.h2.example", "h2")):
        with peers.connect(instance.port("tls"), context, name) as s:
            assert s.selected_alpn_protocol() == agreed
