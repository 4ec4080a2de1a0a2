# SPDX-License-Identifier: Apache-2.0
"""The control API on the wire: who may ask, what a request may look like, and what becomes of it."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import struct
import time
import urllib.parse

import pytest

from api_client import Api, ApiError, Key, configuration, create_key, refused, sign, sign_old
from http_peers import Client, header
from instance import run, until
from processes import ADMIN, admin_port, config, get, kill, listener, only

FORM = "application/x-www-form-urlencoded"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
KEPT_MAX = 64  # connections of the admin address


@pytest.fixture
def api(lb):
    with contextlib.closing(Api(lb(configuration()))) as api:
        yield api


def head(port, fields, line="POST / HTTP/1.1"):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{line}\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode()


def answer_to(port, body, fields, line="POST / HTTP/1.1"):
    """The Response to these very bytes."""
    with Client(port) as c:
        answer = c.send(head(port, {"Content-Length": len(body), **fields}, line) + body).response()
    assert answer.status == 200 and header(answer, "Content-Type") == "application/json"
    response = json.loads(answer.body)["Response"]
    assert UUID.fullmatch(response["RequestId"])
    return response


def code_of(response):
    return response.get("Error", {}).get("Code")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def audit(instance):
    """The lines of the event log about writes and strangers."""
    return [json.loads(line.split("audit ", 1)[1]) for line in instance.stderr().splitlines() if "control: audit {" in line]


# ---- who

def test_without_a_state_folder_the_api_says_what_to_do(lb, target):
    instance = lb(config(listener(), web=target(), admin=ADMIN))
    error = answer_to(admin_port(instance), b"{}", {})["Error"]
    assert error["Code"] == "FailedOperation" and "`state: {dir: …}`" in error["Message"]


@pytest.mark.parametrize("host", ["with its port", "without its port"])
@pytest.mark.parametrize("service", ["clb", "127", "localhost:8080"])
def test_sdks_differ_in_what_they_sign(api, host, service):
    port = admin_port(api.instance)
    stamp = str(int(time.time()))
    fields = {"Content-Type": "application/json", "X-TC-Action": "DescribeLoadBalancers", "X-TC-Version": "2018-03-17", "X-TC-Timestamp": stamp}
    said = {"host": f"127.0.0.1:{port}" if host == "with its port" else "127.0.0.1", "content-type": "application/json",
            "x-tc-timestamp": stamp, "x-tc-action": "describeloadbalancers"}
    for signed in (("content-type", "host"), ("content-type", "host", "x-tc-action")):
        authorization = sign(api.key, b"{}", said, service=service, signed=signed)
        response = answer_to(port, b"{}", {**fields, "Authorization": authorization})
        assert response["TotalCount"] == 0, response


@pytest.mark.parametrize("kind", ["HmacSHA1", "HmacSHA256"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_older_style(api, kind, method):
    port = admin_port(api.instance)
    what = {"Action": "DescribeLoadBalancers", "Version": "2018-03-17", "Region": "ap-guangzhou", "Limit": "1", "Filters.0.Name": "tag-key",
            "Filters.0.Values.0": "a b&c=ü"}
    for host in (f"127.0.0.1:{port}", "127.0.0.1"):
        form = sign_old(api.key, what, method, host, kind)
        line = f"GET /?{form} HTTP/1.1" if method == "GET" else "POST / HTTP/1.1"
        response = answer_to(port, b"" if method == "GET" else form.encode(), {"Content-Type": FORM}, line)
        assert response["LoadBalancerSet"] == [], response
    wrong = sign_old(api.key, what, method, "example.com", kind)
    response = answer_to(port, wrong.encode(), {"Content-Type": FORM})
    assert code_of(response) == "AuthFailure.SignatureFailure"


def test_flattened_requests_with_the_newer_signature(api):
    port = admin_port(api.instance)
    stamp = str(int(time.time()))
    fields = {"content-type": FORM, "x-tc-action": "DescribeLoadBalancers", "x-tc-version": "2018-03-17", "x-tc-timestamp": stamp}
    query = urllib.parse.urlencode({"Limit": 5, "LoadBalancerIds.0": "lb-abcdefgh"})
    signed = {**fields, "host": f"127.0.0.1:{port}"}
    got = answer_to(port, b"", {**fields, "authorization": sign(api.key, b"", signed, "GET", query)}, f"GET /?{query} HTTP/1.1")
    posted = answer_to(port, query.encode(), {**fields, "authorization": sign(api.key, query.encode(), signed)})
    assert got["TotalCount"] == posted["TotalCount"] == 0


def strangers(api):
    """What is sent → (the key, the headers that differ, the code, a word of the message)"""
    now = int(time.time())
    return {
        "no signature": (api.key, {"authorization": ""}, "AuthFailure.InvalidAuthorization", "TC3-HMAC-SHA256"),
        "skipped signature": (api.key, {"authorization": "SKIP"}, "AuthFailure.InvalidAuthorization", "TC3-HMAC-SHA256"),
        "nobody's key": (Key("AKIDnobody", "x"), {}, "AuthFailure.SecretIdNotFound", "SecretId"),
        "another secret": (Key(api.key.id, "x"), {}, "AuthFailure.SignatureFailure", "signature"),
        "too old": (api.key, {"x-tc-timestamp": str(now - 310)}, "AuthFailure.SignatureExpire", time.strftime("%Y-%m-%dT", time.gmtime(now))),
        "too early": (api.key, {"x-tc-timestamp": str(now + 310)}, "AuthFailure.SignatureExpire", "server's time"),
        "a token": (api.key, {"x-tc-token": "x"}, "AuthFailure.TokenFailure", "token"),
    }


@pytest.mark.parametrize("which", ["no signature", "skipped signature", "nobody's key", "another secret", "too old", "too early", "a token"])
def test_strangers_are_refused_and_noted(api, which):
    key, changed, code, word = strangers(api)[which]
    stranger = Api(api.instance, key)
    headers = stranger.headers("DescribeLoadBalancers", b"{}", **{n.replace("-", "_"): v for n, v in changed.items() if n != "authorization"})
    headers.update(changed)
    answer = json.loads(stranger.post(b"{}", headers)[2])["Response"]
    stranger.close()
    assert answer["Error"]["Code"] == code and word in answer["Error"]["Message"], answer
    assert [(a["request_id"], a["result"]) for a in audit(api.instance)] == [(answer["RequestId"], code)]


def test_a_key_that_may_read_does_not_write_and_one_that_is_revoked_does_nothing(api):
    reader = Api(api.instance, create_key(api.instance, "read"))
    assert reader.call("DescribeLoadBalancers")["TotalCount"] == 0
    with refused("AuthFailure.UnauthorizedOperation"):
        reader.call("CreateLoadBalancer", LoadBalancerType="OPEN")
    assert run("api-key", "revoke", "-c", api.instance.file, reader.key.id).returncode == 0
    with refused("AuthFailure.SecretIdNotFound"):
        reader.call("DescribeLoadBalancers")
    reader.close()
    assert api.call("DescribeLoadBalancers")["TotalCount"] == 0


def test_a_write_is_taken_once_even_by_another_process(api):
    body = b'{"LoadBalancerType": "OPEN"}'
    headers = api.headers("CreateLoadBalancer", body)
    first = json.loads(api.post(body, headers)[2])["Response"]
    assert "Error" not in first
    for restart in (False, True):
        if restart:
            kill(api.instance, "control")
            until(lambda: get(admin_port(api.instance), "/readyz")[0] == 200, "readiness")
        again = json.loads(api.post(body, headers)[2])["Response"]
        assert code_of(again) == "AuthFailure.SignatureExpire" and "received already" in again["Error"]["Message"], again
    assert api.call("DescribeLoadBalancers")["TotalCount"] == 1


def test_a_write_is_signed_whole(api):
    def unsigned(action, body):
        port = admin_port(api.instance)
        fields = {"content-type": "application/json", "x-tc-action": action, "x-tc-version": "2018-03-17", "x-tc-timestamp": str(int(time.time())),
                  "x-tc-content-sha256": "UNSIGNED-PAYLOAD"}
        authorization = sign(api.key, b"UNSIGNED-PAYLOAD", {**fields, "host": f"127.0.0.1:{port}"})
        return answer_to(port, body, {**fields, "authorization": authorization})
    assert unsigned("DescribeLoadBalancers", b"{}")["TotalCount"] == 0
    assert code_of(unsigned("CreateLoadBalancer", b'{"LoadBalancerType": "OPEN"}')) == "AuthFailure.SignatureFailure"


# ---- what

REFUSED = {
    "no such action": ("Nothing", b"{}", {}, "InvalidAction"),
    "an action of another version": ("UploadCertificate", b"{}", {"x_tc_version": "2018-03-17"}, "InvalidAction"),
    "no such version": ("DescribeLoadBalancers", b"{}", {"x_tc_version": "2017-03-12"}, "NoSuchVersion"),
    "no action": ("", b"{}", {}, "MissingParameter"),
    "no JSON": ("DescribeLoadBalancers", b"{", {}, "InvalidParameter.FormatError"),
    "a list": ("DescribeLoadBalancers", b"[]", {}, "InvalidParameter.FormatError"),
    "a member twice": ("DescribeLoadBalancers", b'{"Limit": 1, "Limit": 2}', {}, "InvalidParameter.FormatError"),
    "deep": ("DescribeLoadBalancers", b'{"Filters": ' + b"[" * 100 + b"]" * 100 + b"}", {}, "InvalidParameter.FormatError"),
    "many members": ("DescribeLoadBalancers", b'{"LoadBalancerIds": [' + b",".join([b'""'] * 20000) + b"]}", {}, "InvalidParameter.FormatError"),
    "no UTF-8": ("DescribeLoadBalancers", b'{"SearchKey": "\xff"}', {}, "InvalidParameter.FormatError"),
    "a NUL": ("DescribeLoadBalancers", b'{"SearchKey": "\\u0000"}', {}, "InvalidParameter.FormatError"),
    "unknown parameter": ("DescribeLoadBalancers", b'{"limit": 1}', {}, "UnknownParameter"),
    "another type": ("DescribeLoadBalancers", b'{"Limit": [1]}', {}, "InvalidParameter"),
    "multipart": ("DescribeLoadBalancers", b"{}", {"content_type": "multipart/form-data; boundary=x"}, "InvalidParameter.FormatError"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_is_malformed_is_refused(api, which):
    action, body, changed, code = REFUSED[which]
    answer = json.loads(api.post(body, api.headers(action, body, **changed))[2])["Response"]
    assert code_of(answer) == code, answer


def test_what_does_not_come_whole_is_refused_and_the_connection_ends(api):
    port = admin_port(api.instance)
    cases = {"RequestSizeLimitExceeded": {"Content-Length": (10 << 20) + 1}, "InvalidParameter.FormatError": {"Transfer-Encoding": "chunked"}}
    for code, fields in cases.items():
        with Client(port) as c:
            answer = c.send(head(port, fields)).response()
            assert code_of(json.loads(answer.body)["Response"]) == code and header(answer, "Connection") == "close" and c.end() == "fin"


def test_a_large_request_is_taken_with_its_expectation(api):
    port = admin_port(api.instance)
    body = json.dumps({"SearchKey": "x" * (9 << 20)}).encode()
    headers = {k: v for k, v in api.headers("DescribeLoadBalancers", body).items() if k != "host"}
    with Client(port) as c:
        assert c.send(head(port, {**headers, "Content-Length": len(body), "Expect": "100-continue"})).response().status == 100
        response = json.loads(c.send(body).response().body)["Response"]
    assert code_of(response) in (None, "InvalidParameterValue.Length"), response


def test_a_trace_is_told_again_if_it_is_one(api):
    for trace, told in (("5e2c-11", "5e2c-11"), ("5e2c 11", None), ("x" * 65, None)):
        status, headers, _ = api.post(b"{}", api.headers("DescribeLoadBalancers", b"{}", x_tc_traceid=trace))
        assert status == 200 and headers.get("x-tc-traceid") == told


# ---- what becomes of it

def test_clients_that_keep_connections_leave_room_for_others(api):
    port = admin_port(api.instance)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(Client(port)) for _ in range(KEPT_MAX + 10)]
        for c in kept:
            headers = {k: v for k, v in api.headers("DescribeTaskStatus", b"{}").items() if k != "host"}
            assert c.send(head(port, {**headers, "Content-Length": 2}) + b"{}").response().status == 200
        assert get(port, "/healthz") == (200, b"ok")


def test_who_resets_the_connection_disturbs_nobody(api):
    port = admin_port(api.instance)
    for _ in range(5):
        body = b'{"LoadBalancerType": "OPEN"}'
        headers = {k: v for k, v in api.headers("CreateLoadBalancer", body).items() if k != "host"}
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(head(port, {**headers, "Content-Length": len(body)}) + body)
    assert api.call("DescribeLoadBalancers")["TotalCount"] <= 5
    api.do("CreateLoadBalancer", LoadBalancerType="OPEN")


def test_a_write_that_cannot_come_into_force_is_a_task_that_failed(api):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        balancer = api.do("CreateLoadBalancer", LoadBalancerType="OPEN", Vip="127.0.0.1")["LoadBalancerIds"][0]
        response = api.call("CreateListener", LoadBalancerId=balancer, Ports=[port], Protocol="TCP")
        task = api.wait_task(response["RequestId"])
        assert response["ListenerIds"] and task["Status"] == 1 and f"127.0.0.1:{port}" in task["Message"], task
        assert api.call("DescribeListeners", LoadBalancerId=balancer)["Listeners"] == []
        noted = audit(api.instance)[-1]
        assert (noted["result"], noted["message"]) == ("failed", task["Message"]) and "made" not in noted
        waited = run("ctl", "-c", api.instance.file, "--endpoint", f"http://127.0.0.1:{admin_port(api.instance)}", "--wait", "CreateListener",
                     json.dumps({"LoadBalancerId": balancer, "Ports": [port], "Protocol": "TCP"}))
        assert waited.returncode == 1 and f"127.0.0.1:{port}" in waited.stderr
    api.do("CreateListener", LoadBalancerId=balancer, Ports=[port], Protocol="TCP")


def test_a_write_that_takes_long_is_answered_for_and_its_task_goes_on(api):
    """A worker that does not prepare for the change: it hears nothing until it may go on."""
    balancer = api.do("CreateLoadBalancer", LoadBalancerType="OPEN", Vip="127.0.0.1")["LoadBalancerIds"][0]
    worker = only(api.instance.pids("worker"))
    os.kill(worker, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        response = api.call("CreateListener", LoadBalancerId=balancer, Ports=[free_port()], Protocol="TCP")
        assert time.monotonic() - begin > 4 and response["ListenerIds"]
        assert api.call("DescribeTaskStatus", TaskId=response["RequestId"])["Status"] == 2
        with refused("InvalidParameter", "no such task"):
            api.call("DescribeTaskStatus", TaskId="another")
    finally:
        os.kill(worker, signal.SIGCONT)
    assert api.wait_task(response["RequestId"])["Status"] == 0
    assert [each["ListenerId"] for each in api.call("DescribeListeners", LoadBalancerId=balancer)["Listeners"]] == response["ListenerIds"]


def test_a_task_is_known_by_its_request_or_its_order(api):
    made = api.do("CreateLoadBalancer", LoadBalancerType="OPEN")
    task = api.call("DescribeTaskStatus", DealName=made["DealName"])
    assert (task["Status"], task["LoadBalancerIds"]) == (0, made["LoadBalancerIds"])
    with refused("MissingParameter", "TaskId"):
        api.call("DescribeTaskStatus")
    with refused("InvalidParameter", "no such task"):
        api.call("DescribeTaskStatus", TaskId="4bf2c9c0-1f3a-4d5e-8f6a-000000000000")


def test_writes_queue_and_readers_see_them(api):
    """Fifty at a time, from ten connections: each is done, none collides with another."""
    port = admin_port(api.instance)
    body = b'{"LoadBalancerType": "OPEN"}'
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(10)]
        for _ in range(5):
            for c in clients:
                headers = {k: v for k, v in api.headers("CreateLoadBalancer", body).items() if k != "host"}
                c.send(head(port, {**headers, "Content-Length": len(body)}) + body)
            for c in clients:
                assert "Error" not in json.loads(c.response().body)["Response"]
    assert api.call("DescribeLoadBalancers", Limit=100)["TotalCount"] == 50


def test_rates_are_bounded_for_keys_and_for_strangers(lb):
    instance = lb(configuration(api="{requests_per_second: 5}"))
    api, stranger = Api(instance), Api(instance, Key("AKIDnobody", "x"))
    with contextlib.closing(api), contextlib.closing(stranger):
        for who, own in ((api, None), (stranger, "AuthFailure.SecretIdNotFound")):
            codes = set()
            for _ in range(30):
                try:
                    who.call("DescribeLoadBalancers")
                    codes.add(None)
                except ApiError as e:
                    codes.add(e.code)
            assert codes == {own, "RequestLimitExceeded"}
        noted = [a for a in audit(instance) if a["result"] == "AuthFailure.SecretIdNotFound"]
        assert 5 <= len(noted) < 30 and not [a for a in audit(instance) if a["result"] == "RequestLimitExceeded"]
        until(lambda: api.call("DescribeLoadBalancers") if time.sleep(0.3) is None else None, "the next second")


def test_writes_are_noted_without_what_is_secret(api, pki):
    certificate = pki.ca("servers").issue("noted", "server", ["DNS:noted.example"])
    key = certificate.key_file.read_text()
    api.call("UploadCertificate", CertificatePublicKey=certificate.crt.read_text(), CertificatePrivateKey=key, Alias="a\nb")
    with contextlib.suppress(ApiError):
        api.call("DeleteListener", LoadBalancerId='lb-\n2026 error control: "x', ListenerId="lbl-\x7f")
    made = api.do("CreateLoadBalancer", LoadBalancerType="OPEN")
    lines = audit(api.instance)
    assert lines[2]["made"]["LoadBalancerIds"] == made["LoadBalancerIds"]
    assert [(a["action"], a["key"]) for a in lines] == [(a, api.key.id) for a in ("UploadCertificate", "DeleteListener", "CreateLoadBalancer")]
    assert lines[1]["objects"]["LoadBalancerId"] == 'lb-\n2026 error control: "x' and lines[1]["result"] != "ok"
    assert key.splitlines()[1] not in api.instance.stderr() and api.key.secret not in api.instance.stderr()


def test_requests_are_counted_by_outcome(api):
    def counted():
        text = get(admin_port(api.instance), "/metrics")[1].decode()
        return dict(re.findall(r'sallyport_api_requests_total\{outcome="(\w+)"\} (\d+)', text))
    before = counted()
    api.call("DescribeLoadBalancers")
    with refused("InvalidAction"):
        api.call("Nothing")
    with contextlib.closing(Api(api.instance, Key("AKIDnobody", "x"))) as stranger, refused("AuthFailure.SecretIdNotFound"):
        stranger.call("DescribeLoadBalancers")
    assert {k: int(v) - int(before[k]) for k, v in counted().items()} == {"done": 1, "refused": 1, "unauthenticated": 1}


# ---- the command line and TLS

def test_ctl_asks_with_the_instances_own_key_or_that_of_the_environment(api, tmp_path):
    endpoint = ("--endpoint", f"http://127.0.0.1:{admin_port(api.instance)}")

    def ctl(*args, **kw):
        return run("ctl", "-c", api.instance.file, *endpoint, *args, **kw)
    assert json.loads(ctl("DescribeLoadBalancers", '{"Limit": 1}').stdout)["TotalCount"] == 0
    file = tmp_path / "request.json"
    file.write_text('{"LoadBalancerType": "OPEN"}')
    assert len(json.loads(ctl("CreateLoadBalancer", f"@{file}").stdout)["LoadBalancerIds"]) == 1
    assert json.loads(ctl("DescribeLoadBalancers", "-", input="{}").stdout)["TotalCount"] == 1
    reader = create_key(api.instance, "read")
    environment = {"SALLYPORT_SECRET_ID": reader.id, "SALLYPORT_SECRET_KEY": reader.secret}
    answer = ctl("CreateLoadBalancer", f"@{file}", env=environment)
    assert answer.returncode == 1 and "AuthFailure.UnauthorizedOperation" in answer.stderr
    for wrong in (("Nothing",), ("DescribeLoadBalancers", "@/not/there"), ()):
        assert ctl(*wrong).returncode == 2
    nobody = run("ctl", "-c", tmp_path / "none.yaml", *endpoint, "DescribeLoadBalancers")
    assert nobody.returncode == 2 and "SALLYPORT_SECRET_ID" in nobody.stderr and "none.yaml" in nobody.stderr


@pytest.mark.parametrize("authentication", ["one-way", "mutual"])
def test_the_api_over_tls(lb, pki, authentication):
    asks = f"client_ca: [{pki.ca('clients').crt}]" if authentication == "mutual" else ""
    instance = lb(configuration(admin=f"""
  address: "127.0.0.1:{free_port()}"
  https: {{address: "127.0.0.1:0", authentication: {authentication}, certificates: [{pki.server.yaml()}], {asks}}}"""))
    api = Api(instance)
    port = instance.port("admin")

    def exchange(context, method="POST", path="/"):
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)) as c:
            headers = {**api.headers("CreateLoadBalancer", b'{"LoadBalancerType": "OPEN"}', host=f"127.0.0.1:{port}")}
            c.request(method, path, b'{"LoadBalancerType": "OPEN"}' if method == "POST" else None, headers)
            answer = c.getresponse()
            return answer.status, answer.read()
    context = ssl.create_default_context(cafile=pki.ca("servers").crt)
    if authentication == "mutual":
        with pytest.raises((ssl.SSLError, ConnectionError)):
            exchange(context)
        context.load_cert_chain(pki.good.crt, pki.good.key_file)
    status, body = exchange(context)
    assert status == 200 and len(json.loads(body)["Response"]["LoadBalancerIds"]) == 1
    assert [(a["source"], a["forwarded_for"]) for a in audit(instance)] == [("127.0.0.1", "127.0.0.1")]
    assert exchange(context, "GET", "/metrics")[0] == 404
    api.close()
