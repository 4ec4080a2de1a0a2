# SPDX-License-Identifier: Apache-2.0
"""Targets over the control API: batches, what the configuration file has, and what is refused."""
import pytest

from api_client import Api, refused
from api_world import free_port, instance_id, running_empty
from instance import until
from processes import ADMIN, config, get, listener

OFF = {"HealthSwitch": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running_empty(tmp_path_factory, "targets") as instance:
        yield instance


@pytest.fixture(scope="module")
def api(world):
    a = Api(world)
    yield a
    a.close()


@pytest.fixture(scope="module")
def place(api):
    """An instance with a TCP listener, and an HTTP listener with a rule."""
    lb_id, tcp, web = instance_id(api), free_port(), free_port()
    made = {"lb": lb_id, "tcp_port": tcp, "web_port": web}
    made["tcp"], = api.do("CreateListener", LoadBalancerId=lb_id, Ports=[tcp], Protocol="TCP", HealthCheck=OFF)["ListenerIds"]
    made["web"], = api.do("CreateListener", LoadBalancerId=lb_id, Ports=[web], Protocol="HTTP")["ListenerIds"]
    made["rule"], = api.do("CreateRule", LoadBalancerId=lb_id, ListenerId=made["web"], Rules=[
        {"Domain": "localhost", "Url": "/", "HealthCheck": OFF}])["LocationIds"]
    return made


def bound(api, place):
    """(listener or rule, IP, port, weight) of all that is bound."""
    found = []
    for told in api.call("DescribeTargets", LoadBalancerId=place["lb"])["Listeners"]:
        for owner in told["Rules"] or [told]:
            found += [(owner.get("LocationId") or owner["ListenerId"], t["PrivateIpAddresses"][0], t["Port"], t["Weight"])
                      for t in owner["Targets"]]
    return found


def test_a_batch_is_bound_and_let_go_as_a_whole(api, place, target):
    t = target()
    servers = [{"ListenerId": place["tcp"], "EniIp": "127.0.0.1", "Port": t.port},
               {"ListenerId": place["web"], "LocationId": place["rule"], "EniIp": "127.0.0.1", "Port": t.port, "Weight": 3}]
    answer = api.call("BatchRegisterTargets", LoadBalancerId=place["lb"], Targets=servers)
    assert answer["FailListenerIdSet"] == []
    assert get(place["tcp_port"])[0] == get(place["web_port"])[0] == 200  # an answer means: in force
    with refused("InvalidParameter", "is not bound"):
        api.call("BatchDeregisterTargets", LoadBalancerId=place["lb"], Targets=[
            *servers, {"ListenerId": place["tcp"], "EniIp": "127.0.0.1", "Port": 1}])
    assert get(place["tcp_port"])[0] == 200
    api.do("BatchModifyTargetWeight", LoadBalancerId=place["lb"], ModifyList=[
        {"ListenerId": place["tcp"], "Targets": [{"EniIp": "127.0.0.1", "Port": t.port}], "Weight": 99}])
    assert bound(api, place) == [(place["tcp"], "127.0.0.1", t.port, 99), (place["rule"], "127.0.0.1", t.port, 3)]
    api.call("BatchDeregisterTargets", LoadBalancerId=place["lb"], Targets=servers)
    assert bound(api, place) == [] and get(place["web_port"])[0] == 503


def test_a_target_moves_to_another_port(api, place, target):
    old, new = target(), target()
    where = {"LoadBalancerId": place["lb"], "ListenerId": place["web"], "LocationId": place["rule"]}
    api.do("RegisterTargets", **where, Targets=[{"EniIp": "127.0.0.1", "Port": old.port}])
    api.do("ModifyTargetPort", **where, Targets=[{"EniIp": "127.0.0.1", "Port": old.port}], NewPort=new.port)
    assert get(place["web_port"])[0] == 200 and new.accepted and not old.accepted
    api.do("DeregisterTargets", **where, Targets=[{"EniIp": "127.0.0.1", "Port": new.port}])


def targets(n, **more):
    return [{"EniIp": "192.0.2.1", "Port": port, **more} for port in range(1, n + 1)]


REFUSED = {
    "21 at a time": (dict(Targets=targets(21)), "InvalidParameterValue.Length", "at most 20"),
    "a virtual machine": (dict(Targets=[{"InstanceId": "ins-12345678", "Port": 80}]), "UnsupportedOperation", "EniIp"),
    "a host name": (dict(Targets=[{"EniIp": "localhost", "Port": 80}]), "InvalidParameterValue", "EniIp"),
    "no port": (dict(Targets=[{"EniIp": "192.0.2.1"}]), "MissingParameter", "Port"),
    "port 65536": (dict(Targets=[{"EniIp": "192.0.2.1", "Port": 65536}]), "InvalidParameterValue.Range", "Port"),
    "weight 101": (dict(Targets=targets(1, Weight=101)), "InvalidParameterValue.Range", "Weight"),
    "weight in words": (dict(Targets=targets(1, Weight="ten")), "InvalidParameter", "Weight"),
    "the same twice": (dict(Targets=2 * targets(1)), "InvalidParameterValue.Duplicate", "192.0.2.1 port 1"),
    "no list": (dict(Targets="192.0.2.1"), "InvalidParameter", "Targets"),
    "no targets": ({}, "MissingParameter", "Targets"),
    "an unknown member": (dict(Targets=targets(1, Colour="blue")), "UnknownParameter", "Colour"),
    "a rule of streams": (dict(Targets=targets(1), LocationId="loc-00000000"), "InvalidParameterValue", "LocationId"),
    "no such listener": (dict(Targets=targets(1), ListenerId="lbl-00000000"), "InvalidParameter.ListenerIdNotFound", "lbl-00000000"),
    "no such instance": (dict(Targets=targets(1), LoadBalancerId="lb-00000000"), "InvalidParameter.LBIdNotFound", "lb-00000000"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_target_is_refused_and_nothing_is_bound(api, place, what):
    request, code, word = REFUSED[what]
    before = bound(api, place)
    with refused(code, word):
        api.call("RegisterTargets", **{"LoadBalancerId": place["lb"], "ListenerId": place["tcp"], **request})
    assert bound(api, place) == before


def test_numbers_may_be_texts(api, place):
    """As the cloud's own examples have them."""
    where = {"LoadBalancerId": place["lb"], "ListenerId": place["tcp"]}
    api.do("RegisterTargets", **where, Targets=[{"EniIp": "2001:DB8::1", "Port": "81", "Weight": "0"}])
    assert bound(api, place) == [(place["tcp"], "2001:db8::1", 81, 0)]
    api.do("DeregisterTargets", **where, Targets=[{"EniIp": "2001:db8:0::1", "Port": 81}])


def test_the_configuration_file_s_targets_are_told_and_not_changed(lb, target, tmp_path):
    tmp_path.chmod(0o755)
    t = target()
    text = config(listener(), web=t, admin=ADMIN, state=f"{{dir: {tmp_path}/state}}").replace(
        "targets: [", "health_check: {type: TCP, interval: 100ms, timeout: 50ms}, targets: [")
    api = Api(lb(text))
    of_file, = api.call("DescribeLoadBalancers")["LoadBalancerSet"]
    told, = api.call("DescribeTargets", LoadBalancerId=of_file["LoadBalancerId"])["Listeners"]
    rule, = told["Rules"]
    assert [(b["PrivateIpAddresses"], b["Port"]) for b in rule["Targets"]] == [(["127.0.0.1"], t.port)]

    def health():
        lbs = api.call("DescribeTargetHealth", LoadBalancerIds=[of_file["LoadBalancerId"]])["LoadBalancers"]
        return lbs[0]["Listeners"][0]["Rules"][0]["Targets"][0]["HealthStatusDetail"]
    until(lambda: health() == "Alive", "the first check")
    with refused("UnauthorizedOperation", "sallyport.yaml:"):
        api.call("RegisterTargets", LoadBalancerId=of_file["LoadBalancerId"], ListenerId=told["ListenerId"],
                 LocationId=rule["LocationId"], Targets=targets(1))
    api.close()
