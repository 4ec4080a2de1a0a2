# SPDX-License-Identifier: Apache-2.0
"""Instances, listeners, rules and redirects made over the control API, and what clients find at them.

Each test's instance has an address of its own out of 127.0.0.0/8, at which all ports are free."""
import json
import random
import socket
import ssl

import pytest

import peers
from api_client import Api, refused
from processes import ADMIN, listener, needs_root, refuses
from http_peers import group

PORT = 8443
NO_CERTIFICATE = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def new_vip():
    return f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(2, 255)}"


def configuration(tmp_path, listeners="[]", groups=""):
    """A file with a state folder, and LISTENERS."""
    return (f"listeners: {listeners}\n{groups}\nstate: {{dir: '{tmp_path / 'state'}'}}\nadmin: {ADMIN}\n"
            "access_log: {file: access.log}\nworkers: 1\n")


@pytest.fixture
def api(lb, tmp_path):
    api = Api(lb(configuration(tmp_path)))
    yield api
    api.close()


class Balancer:
    """An instance of the API at an address of its own."""

    def __init__(self, api, kind="INTERNAL"):
        self.api, self.vip = api, new_vip()
        self.id = api.do("CreateLoadBalancer", LoadBalancerType=kind, Vip=self.vip)["LoadBalancerIds"][0]

    def do(self, action, **parameters):
        return self.api.do(action, LoadBalancerId=self.id, **parameters)

    def call(self, action, **parameters):
        return self.api.call(action, LoadBalancerId=self.id, **parameters)

    def listen(self, protocol="HTTP", port=PORT, **parameters):
        return self.do("CreateListener", Protocol=protocol, Ports=[port], **parameters)["ListenerIds"][0]

    def route(self, listener, target, **rule):
        """A rule with one target; its id."""
        location = self.do("CreateRule", ListenerId=listener, Rules=[{"Domain": "localhost", "Url": "/", **rule}])["LocationIds"][0]
        self.do("RegisterTargets", ListenerId=listener, LocationId=location,
                Targets=[{"EniIp": "127.0.0.1", "Port": target.port, "Weight": 10}])
        return location

    def ask(self, path="/", name="localhost", port=PORT, context=None):
        """(status, headers, body) over a new connection."""
        with socket.create_connection((self.vip, port), 10) as raw:
            request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
            if not context:
                return peers.ask(raw, request)
            try:
                with context.wrap_socket(raw, server_hostname=name) as tls:
                    return peers.ask(tls, request)
            except ssl.SSLError as e:
                raise peers.Refused(e.reason) from e


@pytest.fixture
def balancer(api):
    return Balancer(api)


def inline(certificate, ca=None, **more):
    """A CertificateInput that uploads all it needs."""
    given = {"SSLMode": "UNIDIRECTIONAL", "CertName": certificate.name, "CertContent": certificate.crt.read_text(),
             "CertKey": certificate.key_file.read_text()}
    if ca:
        given.update(SSLMode="MUTUAL", CertCaName=ca.name, CertCaContent=ca.crt.read_text())
    return {**given, **more}


def test_https_one_way_and_mutual_are_turned_over_the_api(balancer, pki, target):
    web, ca = balancer.listen("HTTPS", Certificate=inline(pki.server, pki.ca("clients"))), pki.ca("servers")
    balancer.route(web, target())
    known, unknown = peers.client_context(ca, pki.good), peers.client_context(ca)

    def lets_in(context):
        try:
            return balancer.ask(context=context)[0] == 200
        except peers.Refused as e:
            assert e.alert == NO_CERTIFICATE, e.alert
            return False

    assert lets_in(known) and not lets_in(unknown)
    balancer.do("ModifyListener", ListenerId=web, Certificate={"SSLMode": "UNIDIRECTIONAL"})
    assert lets_in(unknown)
    described = balancer.call("DescribeListeners", ListenerIds=[web])["Listeners"][0]
    assert described["Certificate"]["SSLMode"] == "UNIDIRECTIONAL" and described["Certificate"]["CertCaId"] is None
    balancer.do("ModifyListener", ListenerId=web, Certificate={
        "SSLMode": "MUTUAL", "SSLVerifyClient": "OPTIONAL", "CertCaName": "clients", "CertCaContent": pki.ca("clients").crt.read_text()})
    assert lets_in(known) and lets_in(unknown)
    balancer.do("ModifyListener", ListenerId=web, Certificate={"SSLMode": "MUTUAL", "SSLVerifyClient": "ON"})
    assert lets_in(known) and not lets_in(unknown)


def test_tcp_ssl_asks_for_the_client_that_the_api_names(balancer, pki, target):
    raw = balancer.listen("TCP_SSL", Certificate=inline(pki.server, pki.ca("clients"), ClientNames=["DNS:good.example"]))
    echo = target(peers.echo)
    balancer.do("RegisterTargets", ListenerId=raw, Targets=[{"EniIp": "127.0.0.1", "Port": echo.port}])

    def talk(certificate):
        with socket.create_connection((balancer.vip, PORT), 10) as s:
            context = peers.client_context(pki.ca("servers"), certificate)
            with context.wrap_socket(s, server_hostname="localhost") as tls:
                tls.sendall(b"hello")
                return tls.recv(64)

    assert talk(pki.good) == b"echo:hello"
    with pytest.raises(ssl.SSLError):
        talk(pki.ca("clients").issue("somebody-else"))


def test_a_certificate_per_domain(balancer, pki, target):
    a, b = (pki.ca("servers").issue(f"api-{n}", "server", [f"DNS:{n}.api.example"]) for n in "ab")
    web, answers = balancer.listen("HTTPS", SniSwitch=1), target()
    assert refuses(PORT, balancer.vip)  # it has nothing to show yet
    balancer.route(web, answers, Domain="a.api.example", Certificate=inline(a))
    balancer.route(web, answers, Domain="b.api.example", Certificate=inline(b, pki.ca("clients")))
    context = peers.client_context(pki.ca("servers"))
    assert balancer.ask(name="a.api.example", context=context)[0] == 200
    with pytest.raises(peers.Refused, match=NO_CERTIFICATE):
        balancer.ask(name="b.api.example", context=context)
    balancer.do("ModifyDomainAttributes", ListenerId=web, Domain="b.api.example", Certificate=inline(b))
    assert balancer.ask(name="b.api.example", context=peers.client_context(pki.ca("servers")))[0] == 200


def test_under_sni_who_may_enter_one_domain_says_nothing_of_another(balancer, pki, target):
    a, b = (pki.ca("servers").issue(name, "server", [f"DNS:{name}.api.example"]) for name in ("a", "b"))
    clients, answers = pki.ca("clients"), target()
    web = balancer.listen("HTTPS", SniSwitch=1)
    strict = inline(a, clients, CertCaCrl=clients.crl().read_text(), ClientNames=["DNS:nobody.example"])
    balancer.route(web, answers, Domain="a.api.example", Certificate=strict)
    balancer.route(web, answers, Domain="b.api.example", Certificate=inline(b, pki.ca("strangers")))
    known, stranger = (peers.client_context(pki.ca("servers"), c) for c in (pki.good, pki.ca("strangers").issue("stranger")))
    assert balancer.ask(name="b.api.example", context=stranger)[0] == 200
    for name, context in (("a.api.example", known), ("a.api.example", stranger), ("b.api.example", known)):
        with pytest.raises(peers.Refused):
            balancer.ask(name=name, context=context)


def test_rules_without_targets_answer_503_and_listeners_without_rules_404(balancer, target):
    web = balancer.listen()
    assert balancer.ask()[0] == 404
    location = balancer.do("CreateRule", ListenerId=web, Rules=[{"Domain": "localhost", "Url": "/"}])["LocationIds"][0]
    assert balancer.ask()[0] == 503
    balancer.do("RegisterTargets", ListenerId=web, LocationId=location, Targets=[{"EniIp": "127.0.0.1", "Port": target().port}])
    assert balancer.ask()[0] == 200
    balancer.do("DeleteRule", ListenerId=web, LocationIds=[location])
    assert balancer.ask()[0] == 404
    balancer.do("DeleteListener", ListenerId=web)
    assert refuses(PORT, balancer.vip)


def test_targets_over_tls_prove_who_they_are(balancer, pki, target):
    web, secure = balancer.listen(), target(context=peers.server_context(pki.server, pki.ca("clients")))
    uploads = {name: balancer.api.call("UploadCertificate", CertificateType=kind, CertificatePublicKey=c.crt.read_text(), **more)["CertificateId"]
               for name, kind, c, more in (
                   ("ca", "CA", pki.ca("servers"), {}), ("stranger", "CA", pki.ca("strangers"), {}),
                   ("own", "SVR", pki.good, {"CertificatePrivateKey": pki.good.key_file.read_text()}))}
    tls = {"CertCaId": uploads["ca"], "Name": "localhost", "CertId": uploads["own"]}
    location = balancer.route(web, secure, ForwardType="HTTPS", TargetTls=tls, HealthCheck={"HealthSwitch": 0})
    assert balancer.ask()[0] == 200
    balancer.do("ModifyRule", ListenerId=web, LocationId=location, TargetTls={**tls, "CertCaId": uploads["stranger"]})
    assert balancer.ask()[0] == 502
    with refused("FailedOperation.BoundResources"):
        balancer.api.call("DeleteCertificate", CertificateId=uploads["stranger"])
    shown = balancer.call("DescribeListeners")["Listeners"][0]["Rules"][0]
    assert shown["TargetTls"]["CertCaId"] == uploads["stranger"] and shown["ForwardType"] == "HTTPS"


def test_a_redirect_leads_to_its_rule_and_ends(balancer, target):
    web, answers = balancer.listen(), target()
    old = balancer.route(web, answers, Domain="old.example", Url="/")
    new = balancer.route(web, answers, Domain="new.example", Url="/start")
    both = {"SourceListenerId": web, "TargetListenerId": web}
    balancer.do("ManualRewrite", **both, RewriteInfos=[{"SourceLocationId": old, "TargetLocationId": new, "RewriteCode": 307}])
    status, headers, _ = balancer.ask("/a?b", "old.example")
    assert status == 307 and dict(headers)["Location"] == f"http://new.example:{PORT}/a?b"
    assert balancer.call("DescribeRewrite")["RewriteSet"][0]["RewriteTarget"]["TargetLocationId"] == new
    balancer.do("DeleteRewrite", **both, RewriteInfos=[{"SourceLocationId": old, "TargetLocationId": new}])
    assert balancer.ask("/a", "old.example")[0] == 200


def test_a_redirect_to_a_path_never_leads_to_a_regular_expression(balancer, target):
    web, answers = balancer.listen(), target()
    old, new = balancer.route(web, answers, Url="/old"), balancer.route(web, answers, Url="/new")
    both = {"SourceListenerId": web, "TargetListenerId": web}
    there = {"SourceLocationId": old, "TargetLocationId": new}
    balancer.do("ManualRewrite", **both, RewriteInfos=[{**there, "TakeUrl": False}])
    with refused("InvalidParameter", "Url", "regular expression"):
        balancer.call("ModifyRule", ListenerId=web, LocationId=new, Url="~ ^/new")
    balancer.do("DeleteRewrite", **both, RewriteInfos=[there])
    balancer.do("ModifyRule", ListenerId=web, LocationId=new, Url="~ ^/new")
    with refused("InvalidParameter", "TargetLocationId", "regular expression"):
        balancer.call("ManualRewrite", **both, RewriteInfos=[{**there, "TakeUrl": False}])
    balancer.do("ManualRewrite", **both, RewriteInfos=[there])


@needs_root
def test_auto_rewrite_knows_a_path_however_it_is_written(balancer, pki):
    secure, plain = balancer.listen("HTTPS", 443, Certificate=inline(pki.server)), balancer.listen(port=80)

    def add(listener, *urls):
        balancer.do("CreateRule", ListenerId=listener, Rules=[{"Domain": "localhost", "Url": url} for url in urls])
    add(secure, "^~ /static", "~ [.]png$")
    add(plain, "/static")
    with refused("InvalidParameter", "TakeUrls", "regular expression"):
        balancer.call("AutoRewrite", ListenerId=secure, Domains=["localhost"], TakeUrls=[False])
    balancer.do("AutoRewrite", ListenerId=secure)
    for path in ("/static/a", "/x.png"):
        status, headers, _ = balancer.ask(path, port=80)
        assert status == 301 and dict(headers)["Location"] == f"https://localhost{path}"
    assert balancer.call("DescribeRewrite")["RewriteSet"][0]["ListenerId"] == plain


def test_a_stopped_listener_lets_its_port_go(balancer):
    web = balancer.listen()
    balancer.do("SetLoadBalancerStartStatus", OperationType="Stop", ListenerIds=[web])
    assert refuses(PORT, balancer.vip)
    balancer.do("SetLoadBalancerStartStatus", OperationType="Start", ListenerIds=[web])
    assert balancer.ask()[0] == 404


def test_a_port_that_another_program_has_fails_the_task_and_changes_nothing(balancer):
    with socket.create_server((balancer.vip, PORT)):
        answer = balancer.call("CreateListener", Protocol="HTTP", Ports=[PORT])
        assert len(answer["ListenerIds"]) == 1
        task = balancer.api.wait_task(answer["RequestId"])
        assert task["Status"] == 1 and str(PORT) in task["Message"], task
        assert balancer.call("DescribeListeners")["TotalCount"] == 0
    balancer.listen(ListenerNames=["later"])
    assert balancer.ask()[0] == 404


def test_what_is_deleted_is_gone_with_all_that_was_in_it(balancer):
    balancer.listen()
    balancer.api.do("DeleteLoadBalancer", LoadBalancerIds=[balancer.id])
    assert refuses(PORT, balancer.vip)
    assert balancer.api.call("DescribeLoadBalancers")["TotalCount"] == 0
    with refused("InvalidParameter.LBIdNotFound", balancer.id):
        balancer.call("DescribeListeners")


REFUSED = [
    ("CreateListener", {"Protocol": "UDP", "Ports": [1]}, "UnsupportedOperation", "Protocol UDP"),
    ("CreateListener", {"Protocol": "HTTP", "Ports": [PORT]}, "InvalidParameter.PortCheckFailed", str(PORT)),
    ("CreateListener", {"Protocol": "HTTPS", "Ports": [1]}, "MissingParameter", "Certificate"),
    ("CreateListener", {"Protocol": "HTTP", "Ports": [1], "Bandwidth": 1}, "UnknownParameter", "Bandwidth"),
    ("CreateListener", {"Protocol": "TCP", "Ports": [1], "EndPort": 9}, "UnsupportedOperation", "EndPort"),
    ("CreateRule", {"Rules": [{"Domain": "a\nb", "Url": "/"}]}, "InvalidParameterValue", "Rules.0.Domain"),
    ("CreateRule", {"Rules": [{"Domain": "${host}", "Url": "/"}]}, "InvalidParameterValue", "Rules.0.Domain"),
    ("CreateRule", {"Rules": [{"Domain": "a.example", "Url": "/\"}, {"}]}, "InvalidParameterValue", "Rules.0.Url"),
    ("ModifyListener", {"SniSwitch": 1}, "InvalidParameter", "SniSwitch"),
]


def test_what_is_refused_names_its_field_and_changes_nothing(balancer):
    web = balancer.listen()
    before = balancer.call("DescribeListeners")["Listeners"]
    for action, parameters, code, word in REFUSED:
        if action != "CreateListener":
            parameters = {"ListenerId": web, **parameters}
        with refused(code, word):
            balancer.call(action, **parameters)
    assert balancer.call("DescribeListeners")["Listeners"] == before


def test_names_are_told_as_they_were_given_and_nothing_more(balancer, api):
    name = "\u540d\u5b57 \"}, {\" ${x} \u2028"
    web = balancer.listen(ListenerNames=[name])
    assert balancer.call("DescribeListeners", ListenerIds=[web])["Listeners"][0]["ListenerName"] == name
    assert balancer.ask()[0] == 404


def test_the_files_listeners_are_shown_and_not_changed(lb, tmp_path, target):
    vip, web = new_vip(), target()
    row = listener("from-file", address=f"{vip}:{PORT}")
    instance = lb(configuration(tmp_path, f"[{row}]", f"target_groups: {group('web', web)}"))
    api = Api(instance)
    shown = api.call("DescribeLoadBalancers", LoadBalancerVips=[vip], AdditionalFields=["TargetCount"])["LoadBalancerSet"][0]
    assert shown["TargetCount"] == 1 and ":1" in shown["ConfigFile"]
    described = api.call("DescribeListeners", LoadBalancerId=shown["LoadBalancerId"])["Listeners"][0]
    assert described["ListenerName"] == "from-file" and described["Rules"][0]["Domain"] == "localhost"
    with refused("UnauthorizedOperation", "sallyport.yaml:1"):
        api.call("DeleteListener", LoadBalancerId=shown["LoadBalancerId"], ListenerId=described["ListenerId"])
    mine = api.do("CreateLoadBalancer", LoadBalancerType="OPEN", Vip=vip)["LoadBalancerIds"][0]
    with refused("InvalidParameter.PortCheckFailed", "from-file"):
        api.call("CreateListener", LoadBalancerId=mine, Protocol="TCP", Ports=[PORT])
    assert json.dumps(api.call("DescribeLoadBalancers")).count("ConfigFile") == 1
    api.close()
