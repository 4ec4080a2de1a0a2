# SPDX-License-Identifier: Apache-2.0
"""The cloud's official SDK, with nothing changed but its endpoint, from nothing to listeners that serve, and back."""
import pytest

import peers
from api_client import ApiError, Key, create_key
from api_world import empty, free_port, instance_id, key_pem, pem, running_empty, upload, upload_ca
from instance import until
from processes import Traffic, get, refuses
from sdk import Models, Sdk
from traffic import Requests, ok

OFF = {"HealthSwitch": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory, pki):
    with running_empty(tmp_path_factory, "sdk") as instance:
        yield instance


@pytest.fixture(scope="module")
def key(world):
    return create_key(world)


@pytest.fixture(scope="module")
def sdk(world, key):
    s = Sdk(world, key)
    yield s
    s.close()


@pytest.fixture
def lb_id(sdk):
    """An instance, which takes all with it at the end."""
    made = instance_id(sdk)
    yield made
    sdk.do("DeleteLoadBalancer", LoadBalancerIds=[made], ForceDelete=True)


def listen(sdk, lb_id, protocol, port, **more):
    return sdk.do("CreateListener", LoadBalancerId=lb_id, Ports=[port], Protocol=protocol, ListenerNames=["one"], **more)["ListenerIds"][0]


def rule(sdk, lb_id, listener, domain="localhost", url="/", **more):
    rules = [{"Domain": domain, "Url": url, "HealthCheck": OFF, **more}]
    return sdk.do("CreateRule", LoadBalancerId=lb_id, ListenerId=listener, Rules=rules)["LocationIds"][0]


def bind(sdk, lb_id, listener, *targets, location=None, **more):
    servers = [{"EniIp": "127.0.0.1", "Port": t.port, **more} for t in targets]
    place = {"LocationId": location} if location else {}
    sdk.do("RegisterTargets", LoadBalancerId=lb_id, ListenerId=listener, Targets=servers, **place)


def named(name):
    """What a target does that answers each request with its name."""
    def serve(target, connection):
        with connection.makefile("rb") as f:
            while peers.read_head(f):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))
    return serve


# ---- listeners that serve

def test_from_nothing_to_a_mutual_https_listener(sdk, pki, lb_id, target):
    port, web = free_port(), target()
    listener = listen(sdk, lb_id, "HTTPS", port, SniSwitch=0, Certificate={
        "SSLMode": "MUTUAL", "SSLVerifyClient": "ON", "CertName": "server", "CertContent": pem(pki.server), "CertKey": key_pem(pki.server),
        "CertCaName": "clients", "CertCaContent": pem(pki.ca("clients"))})
    bind(sdk, lb_id, listener, web, location=rule(sdk, lb_id, listener))
    status, seen = peers.get(port, pki.ca("servers"), pki.good)
    assert status == 200 and ["X-Client-Cert-Verified", "accepted"] in seen["headers"]
    with pytest.raises(peers.Refused) as e:
        peers.get(port, pki.ca("servers"))
    assert "CERTIFICATE_REQUIRED" in e.value.alert
    stranger = pki.ca("strangers").issue("sdk-stranger")
    with pytest.raises(peers.Refused) as e:
        peers.get(port, pki.ca("servers"), stranger)
    assert "UNKNOWN_CA" in e.value.alert


def test_from_nothing_to_a_one_way_tcp_ssl_listener(sdk, pki, lb_id, target):
    port, raw = free_port(), target(peers.echo)
    listener = listen(sdk, lb_id, "TCP_SSL", port, HealthCheck=OFF, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": upload(sdk, pki.server)})
    bind(sdk, lb_id, listener, raw)
    assert peers.talk(port, pki.ca("servers")) == b"echo:hello"


def test_one_way_is_turned_mutual_and_back(sdk, pki, lb_id, target):
    port, server, clients = free_port(), upload(sdk, pki.server), upload_ca(sdk, pki.ca("clients"))
    listener = listen(sdk, lb_id, "HTTPS", port, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": server})
    bind(sdk, lb_id, listener, target(), location=rule(sdk, lb_id, listener))

    def turn(**certificate):
        sdk.do("ModifyListener", LoadBalancerId=lb_id, ListenerId=listener, Certificate=certificate)
        told = sdk.call("DescribeListeners", LoadBalancerId=lb_id, ListenerIds=[listener])["Listeners"][0]["Certificate"]
        assert told["SSLMode"] == certificate["SSLMode"]

    assert peers.get(port, pki.ca("servers"))[0] == 200
    turn(SSLMode="MUTUAL", CertId=server, CertCaId=clients)
    assert peers.get(port, pki.ca("servers"), pki.good)[0] == 200
    with pytest.raises(peers.Refused):
        peers.get(port, pki.ca("servers"))
    turn(SSLMode="MUTUAL", SSLVerifyClient="OPTIONAL", CertId=server, CertCaId=clients)
    assert peers.get(port, pki.ca("servers"))[0] == peers.get(port, pki.ca("servers"), pki.good)[0] == 200
    turn(SSLMode="UNIDIRECTIONAL", CertId=server)
    assert peers.get(port, pki.ca("servers"))[0] == 200


def test_a_certificate_is_replaced_under_load_and_nothing_is_lost(sdk, pki, lb_id, target):
    old, new = pki.server, pki.ca("servers").issue("sdk-new", "server", ["DNS:localhost"])
    port, now = free_port(), upload(sdk, old)
    listener = listen(sdk, lb_id, "HTTPS", port, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": now})
    bind(sdk, lb_id, listener, target(ok), location=rule(sdk, lb_id, listener))
    context = peers.client_context(pki.ca("servers"))
    with Traffic(Requests(port, context, True)) as kept, Traffic(Requests(port, context, False)) as fresh:
        for certificate in (new, old, new):
            before, now = now, upload(sdk, certificate)
            sdk.call("ReplaceCertForLoadBalancers", OldCertificateId=before, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": now})
            with peers.connect(port, context) as tls:
                assert tls.getpeercert(True) == certificate.der
            sdk.call("DeleteCertificate", CertificateId=before)
            kept.goes_on(5)
            fresh.goes_on(5)
    assert not kept.failures + fresh.failures


def test_a_domain_has_a_certificate_of_its_own(sdk, pki, lb_id, target):
    port, domains = free_port(), ("one.example", "two.example")
    certificates = {d: pki.ca("servers").issue(f"sdk-{d}", "server", [f"DNS:{d}"]) for d in domains}
    listener = listen(sdk, lb_id, "HTTPS", port, SniSwitch=1)
    for domain in domains:
        location = rule(sdk, lb_id, listener, domain, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": upload(sdk, certificates[domain])})
        bind(sdk, lb_id, listener, target(), location=location)
    for domain in domains:
        with peers.connect(port, peers.client_context(pki.ca("servers")), domain) as tls:
            assert tls.getpeercert(True) == certificates[domain].der
        assert peers.get(port, pki.ca("servers"), name=domain)[0] == 200


# ---- targets

def test_weights_decide_who_gets_the_work(sdk, lb_id, target):
    port, a, b = free_port(), target(named(b"a")), target(named(b"b"))
    listener = listen(sdk, lb_id, "HTTP", port)
    location = rule(sdk, lb_id, listener)
    bind(sdk, lb_id, listener, a, b, location=location, Weight=10)
    place = {"LoadBalancerId": lb_id, "ListenerId": listener, "LocationId": location}

    def shares():
        answers = [get(port) for _ in range(8)]
        return answers.count((200, b"a")), answers.count((200, b"b"))

    assert shares() == (4, 4)
    sdk.do("ModifyTargetWeight", **place, Targets=[{"EniIp": "127.0.0.1", "Port": a.port}], Weight=0)
    assert shares() == (0, 8)
    sdk.do("DeregisterTargets", **place, Targets=[{"EniIp": "127.0.0.1", "Port": b.port}])
    sdk.do("ModifyTargetWeight", **place, Targets=[{"EniIp": "127.0.0.1", "Port": a.port, "Weight": 1}])
    assert shares() == (8, 0)


def test_health_is_told(sdk, lb_id, target):
    port, good = free_port(), target(peers.echo)
    listener = listen(sdk, lb_id, "TCP", port, HealthCheck={"HealthSwitch": 1, "TimeOut": 2, "IntervalTime": 5})
    dead = free_port()
    bind(sdk, lb_id, listener, good)
    sdk.do("RegisterTargets", LoadBalancerId=lb_id, ListenerId=listener, Targets=[{"EniIp": "127.0.0.1", "Port": dead}])

    def told():
        health = sdk.call("DescribeTargetHealth", LoadBalancerIds=[lb_id])["LoadBalancers"][0]["Listeners"][0]["Rules"][0]["Targets"]
        return {t["Port"]: t["HealthStatusDetail"] for t in health}
    until(lambda: told() == {good.port: "Alive", dead: "Dead"}, lambda: f"what is so: {told()}")


def test_a_redirect_leads_from_http_to_https(sdk, pki, lb_id, target):
    plain, secure = free_port(), free_port()
    https = listen(sdk, lb_id, "HTTPS", secure, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": upload(sdk, pki.server)})
    to = rule(sdk, lb_id, https)
    bind(sdk, lb_id, https, target(), location=to)
    http = listen(sdk, lb_id, "HTTP", plain)
    source = rule(sdk, lb_id, http)
    sdk.do("ManualRewrite", LoadBalancerId=lb_id, SourceListenerId=http, TargetListenerId=https, RewriteInfos=[
        {"SourceLocationId": source, "TargetLocationId": to, "RewriteCode": 301, "TakeUrl": True, "SourceDomain": "localhost"}])
    assert get(plain, "/a?b")[0] == 301
    told = sdk.call("DescribeRewrite", LoadBalancerId=lb_id)["RewriteSet"]
    assert [r["RewriteTarget"]["TargetLocationId"] for r in told] == [to]
    sdk.do("DeleteRewrite", LoadBalancerId=lb_id, SourceListenerId=http, TargetListenerId=https,
           RewriteInfos=[{"SourceLocationId": source, "TargetLocationId": to}])
    assert not sdk.call("DescribeRewrite", LoadBalancerId=lb_id)["RewriteSet"]


def test_a_target_group_serves_two_listeners(sdk, lb_id, target):
    ports, web, other = (free_port(), free_port()), target(named(b"web")), target(named(b"other"))
    group = sdk.call("CreateTargetGroup", TargetGroupName="shared", Port=web.port, TargetGroupInstances=[{"BindIP": "127.0.0.1"}])["TargetGroupId"]
    for port in ports:
        listener = listen(sdk, lb_id, "HTTP", port)
        location = rule(sdk, lb_id, listener)
        association = {"LoadBalancerId": lb_id, "ListenerId": listener, "LocationId": location, "TargetGroupId": group}
        sdk.do("AssociateTargetGroups", Associations=[association])
        assert get(port) == (200, b"web")
    sdk.do("RegisterTargetGroupInstances", TargetGroupId=group, TargetGroupInstances=[{"BindIP": "127.0.0.1", "Port": other.port}])
    sdk.do("DeregisterTargetGroupInstances", TargetGroupId=group, TargetGroupInstances=[{"BindIP": "127.0.0.1", "Port": web.port}])
    assert [get(port) for port in ports] == 2 * [(200, b"other")]


# ---- the end

def test_nothing_is_left_of_what_is_deleted(sdk, pki, target):
    lb_id, port = instance_id(sdk, "short"), free_port()
    server = upload(sdk, pki.server)
    listener = listen(sdk, lb_id, "HTTPS", port, Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": server})
    location = rule(sdk, lb_id, listener)
    bind(sdk, lb_id, listener, target(), location=location)
    with pytest.raises(ApiError) as e:
        sdk.call("DeleteCertificate", CertificateId=server, IsCheckResource=True)
    assert e.value.code == "FailedOperation.BoundResources" and listener in e.value.message and len(e.value.request_id) == 36
    sdk.do("DeleteRule", LoadBalancerId=lb_id, ListenerId=listener, LocationIds=[location])
    sdk.do("DeleteListener", LoadBalancerId=lb_id, ListenerId=listener)
    assert refuses(port)
    sdk.do("DeleteLoadBalancer", LoadBalancerIds=[lb_id])
    sdk.call("DeleteCertificate", CertificateId=server)
    assert lb_id not in str(sdk.call("DescribeLoadBalancers"))
    with pytest.raises(ApiError) as e:
        sdk.call("DescribeListeners", LoadBalancerId=lb_id)
    assert e.value.code == "InvalidParameter.LBIdNotFound"


# ---- how the SDK asks

@pytest.mark.parametrize("sign", ["TC3-HMAC-SHA256", "HmacSHA256", "HmacSHA1"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_all_signatures_and_methods_of_the_sdk(sdk, sign, method):
    profile = {"signMethod": sign, "reqMethod": method}
    assert sdk.call("DescribeLoadBalancers", profile=profile, Limit=1, Filters=[{"Name": "tag-key", "Values": ["a"]}])["TotalCount"] == 0
    with pytest.raises(ApiError) as e:
        sdk.call("DescribeListeners", profile=profile, LoadBalancerId="lb-00000000")
    assert e.value.code == "InvalidParameter.LBIdNotFound" and "lb-00000000" in e.value.message and e.value.request_id


def test_the_common_client_does_without_models(sdk, lb_id):
    told = sdk.call("DescribeLoadBalancers", common=True, LoadBalancerIds=[lb_id])
    assert [each["LoadBalancerId"] for each in told["LoadBalancerSet"]] == [lb_id]
    with pytest.raises(ApiError) as e:
        sdk.call("DescribeLoadBalancers", common=True, Colour="blue")
    assert e.value.code == "UnknownParameter" and "Colour" in e.value.message


def test_a_wrong_secret_is_refused(world, key):
    stranger = Sdk(world, Key(key.id, "0" * 40))
    with pytest.raises(ApiError) as e:
        stranger.call("DescribeLoadBalancers")
    assert e.value.code == "AuthFailure.SignatureFailure" and e.value.request_id
    stranger.close()


def test_over_https_as_in_the_cloud(lb, pki, tmp_path):
    tmp_path.chmod(0o755)
    https = f'{{address: "127.0.0.1:0", certificates: [{pki.server.yaml()}]}}'
    instance = lb(empty(tmp_path, admin=f'{{address: "127.0.0.1:{free_port()}", https: {https}}}'))
    secure = Sdk(instance, protocol="https://", endpoint=f"localhost:{instance.port('admin')}",
                 NODE_EXTRA_CA_CERTS=str(pki.ca("servers").crt))
    made = instance_id(secure)
    assert made in [each["LoadBalancerId"] for each in secure.call("DescribeLoadBalancers")["LoadBalancerSet"]]
    secure.close()


# ---- shapes

# Members of the SDK's models that answers do not have; typed clients read them as null.
CLOUD = {  # of what there is in the cloud only: orders, hosting, clusters, security and log services
    "LoadBalancerSet": ["AssociateEndpoint", "AvailableZoneAffinityInfo", "ClusterIds", "ClusterTag", "Egress", "Exclusive", "ExclusiveCluster",
                        "ExpireTime", "HealthLogSetId", "HealthLogTopicId", "IsBlockTime", "IsolatedTime", "NfvInfo", "NumericalVpcId",
                        "TargetRegionInfo.NumericalVpcId"],
    "Certificates": ["AwaitingValidationMsg", "CertRevokedTime", "CertServiceBeginTime", "CertServiceEndTime", "CertServiceShareEnabled",
                     "CertServiceValidCertificateCount", "DVAuthDeadline", "HasRenewOrder", "HostingCompleteTime", "HostingConfig",
                     "HostingRenewCertId", "HostingResourceTypes", "IsDNSPODResolve", "IsHostingUploadRenewCert", "IsPackage",
                     "KeyPasswordCustomFlag", "ReplaceOriCertIsDelete", "ServiceId", "ServiceStatus", "SupportDownloadType",
                     "ValidationPassedTime"],
}
NOT_THERE = {f"{owner}.{member}" for owner, members in CLOUD.items() for member in members}
NOT_THERE |= {each.replace("LoadBalancerSet", "CertSet.LoadBalancers") for each in NOT_THERE}
ON_REQUEST = {"LoadBalancerSet.TargetCount", "CertSet.LoadBalancers.TargetCount"}  # by AdditionalFields


@pytest.fixture(scope="module")
def shown(sdk, pki):
    """Ids of one of everything."""
    lb_id, server = instance_id(sdk, "shapes"), upload(sdk, pki.server)
    https = listen(sdk, lb_id, "HTTPS", free_port(), Certificate={"SSLMode": "UNIDIRECTIONAL", "CertId": server})
    location = rule(sdk, lb_id, https)
    tcp = listen(sdk, lb_id, "TCP", free_port(), HealthCheck={"HealthSwitch": 0})
    servers = [{"EniIp": "192.0.2.1", "Port": 80}]
    sdk.do("RegisterTargets", LoadBalancerId=lb_id, ListenerId=https, LocationId=location, Targets=servers)
    sdk.do("RegisterTargets", LoadBalancerId=lb_id, ListenerId=tcp, Targets=servers)
    group = sdk.call("CreateTargetGroup", Type="v2", Protocol="HTTP", TargetGroupName="shapes", Port=80,
                     TargetGroupInstances=[{"BindIP": "192.0.2.1"}])["TargetGroupId"]
    other = rule(sdk, lb_id, https, url="/group")
    sdk.do("AssociateTargetGroups", Associations=[{"LoadBalancerId": lb_id, "ListenerId": https, "LocationId": other, "TargetGroupId": group}])
    yield {"lb": lb_id, "server": server, "group": group, "listener": https, "location": location}
    sdk.do("DeleteLoadBalancer", LoadBalancerIds=[lb_id], ForceDelete=True)
    sdk.call("DeleteTargetGroups", TargetGroupIds=[group])
    sdk.call("DeleteCertificate", CertificateId=server)


@pytest.mark.parametrize("service, action, request_of", [
    ("clb", "DescribeLoadBalancers", lambda s: {"LoadBalancerIds": [s["lb"]]}),
    ("clb", "DescribeListeners", lambda s: {"LoadBalancerId": s["lb"]}),
    ("clb", "DescribeTargets", lambda s: {"LoadBalancerId": s["lb"]}),
    ("clb", "DescribeTargetHealth", lambda s: {"LoadBalancerIds": [s["lb"]]}),
    ("clb", "DescribeTargetGroups", lambda s: {"TargetGroupIds": [s["group"]]}),
    ("clb", "DescribeTargetGroupList", lambda s: {"TargetGroupIds": [s["group"]]}),
    ("clb", "DescribeTargetGroupInstances", lambda s: {"Filters": [{"Name": "TargetGroupId", "Values": [s["group"]]}]}),
    ("clb", "DescribeTargetGroupInstanceStatus", lambda s: {"TargetGroupId": s["group"]}),
    ("clb", "DescribeLoadBalancerListByCertId", lambda s: {"CertIds": [s["server"]]}),
    ("clb", "DescribeQuota", lambda s: {}),
    ("ssl", "DescribeCertificates", lambda s: {}),
    ("ssl", "DescribeCertificate", lambda s: {"CertificateId": s["server"]}),
    ("ssl", "DescribeCertificateDetail", lambda s: {"CertificateId": s["server"]}),
    ("tag", "DescribeResourceTagsByResourceIds", lambda s: {
        "ServiceType": "clb", "ResourcePrefix": "clb", "ResourceIds": [s["lb"]], "ResourceRegion": "ap-guangzhou"}),
])
def test_answers_have_all_members_of_the_sdk_s_models(sdk, shown, service, action, request_of):
    told = sdk.call(action, **request_of(shown))
    missing = Models(service).missing(told, f"{action}Response", NOT_THERE | ON_REQUEST)
    assert not missing, ", ".join(missing)


def test_what_clients_read_without_a_look_whether_it_is_there_is_there(sdk, shown):
    """What Terraform's provider dereferences: null there ends it."""
    balancer, = sdk.call("DescribeLoadBalancers", LoadBalancerIds=[shown["lb"]])["LoadBalancerSet"]
    region = balancer["TargetRegionInfo"]
    assert all(isinstance(text, str) for text in (balancer["LoadBalancerType"], balancer["LoadBalancerName"], region["Region"], region["VpcId"]))
    listeners = sdk.call("DescribeListeners", LoadBalancerId=shown["lb"])["Listeners"]
    assert {each["Protocol"] for each in listeners} == {"HTTPS", "TCP"}
    for each in listeners:
        assert each["SniSwitch"] in (0, 1) and isinstance(each["SniSwitch"], int)
        assert each["HealthCheck"] is None or each["HealthCheck"]["HealthSwitch"] in (0, 1)
        for its in each["Rules"] or []:
            assert its["HealthCheck"]["HttpCheckMethod"].upper() == "HEAD"
    detail = sdk.call("DescribeCertificateDetail", CertificateId=shown["server"])
    assert (detail["CertificateType"], detail["Status"]) == ("SVR", 1)
    made = sdk.do("CreateLoadBalancer", LoadBalancerType="INTERNAL", LoadBalancerName="terraform", VpcId="vpc-1", SubnetId="subnet-1")
    task = sdk.call("DescribeTaskStatus", TaskId=made["RequestId"])
    assert task["Status"] == 0 and len(task["LoadBalancerIds"]) == 1
    sdk.do("DeleteLoadBalancer", LoadBalancerIds=task["LoadBalancerIds"])
