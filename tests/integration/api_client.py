# SPDX-License-Identifier: Apache-2.0
"""A client of the control API that signs by itself, as the cloud's SDKs do (TC3-HMAC-SHA256)."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import time
import urllib.parse
import uuid
from typing import NamedTuple

from instance import run, until
from processes import admin_port

REGION = "ap-guangzhou"
VERSIONS = {"clb": "2018-03-17", "ssl": "2019-12-05", "tag": "2018-08-13"}
SSL_ACTIONS = {"UploadCertificate", "DescribeCertificates", "DescribeCertificate", "DescribeCertificateDetail",
               "DeleteCertificate", "ModifyCertificateAlias", "UpdateCertificateInstance",
               "UpdateCertificateRevocationList", "VerifyCertificate"}
TAG_ACTIONS = {"DescribeResourceTagsByResourceIds"}
IN_PROGRESS = 2


def configuration(**keys):
    """An instance that has nothing but its API, and KEYS."""
    keys = {"listeners": "[]", "admin": '{address: "127.0.0.1:0"}', "state": "{dir: state}", "workers": 1, **keys}
    return "".join(f"{key}: {value}\n" for key, value in keys.items())


class Key(NamedTuple):
    id: str
    secret: str


class ApiError(Exception):
    def __init__(self, code, message, request_id):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.request_id = code, message, request_id


def service_of(action):
    return "ssl" if action in SSL_ACTIONS else "tag" if action in TAG_ACTIONS else "clb"


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sign(key, body, headers, method="POST", query="", service="clb", signed=("content-type", "host")):
    """The Authorization of a request; HEADERS (names in lower case) has X-TC-Timestamp and what is signed."""
    stamp = headers["x-tc-timestamp"]
    date = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in sorted(signed))
    payload = hashlib.sha256(body).hexdigest()
    request = hashlib.sha256(f"{method}\n/\n{query}\n{lines}\n{names}\n{payload}".encode()).hexdigest()
    scope = f"{date}/{service}/tc3_request"
    signing = mac(mac(mac(b"TC3" + key.secret.encode(), date), service), "tc3_request")
    signature = mac(signing, f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{request}").hex()
    return f"TC3-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"


def sign_old(key, parameters, method="POST", host="127.0.0.1", kind="HmacSHA256", dots=False):
    """PARAMETERS, signed in the cloud's older style, as a form."""
    parameters = {"SecretId": key.id, "Timestamp": str(int(time.time())), "Nonce": str(uuid.uuid4().int % 10**9), "SignatureMethod": kind,
                  **parameters}
    source = "&".join(f"{name.replace('_', '.') if dots else name}={parameters[name]}" for name in sorted(parameters))
    digest = hmac.new(key.secret.encode(), f"{method}{host}/?{source}".encode(), kind.removeprefix("Hmac").lower()).digest()
    return urllib.parse.urlencode({**parameters, "Signature": base64.b64encode(digest).decode()})


def create_key(instance, role="write"):
    """A new access key of INSTANCE, whose configuration has `state`."""
    made = run("api-key", "create", "-c", instance.file, "--role", role, "--json")
    assert made.returncode == 0, made.stderr
    answer = json.loads(made.stdout)
    return Key(answer["SecretId"], answer["SecretKey"])


class Api:
    """api.call("DescribeLoadBalancers", Limit=1) → the Response; ApiError where it has an Error."""

    def __init__(self, instance, key=None):
        self.instance = instance
        self.key = key or create_key(instance)
        self.connection = None

    def headers(self, action, body, **changed):
        """Those of a signed request; CHANGED are other headers, with _ for -, before it is signed."""
        service = service_of(action)
        headers = {"host": f"127.0.0.1:{admin_port(self.instance)}", "content-type": "application/json", "x-tc-action": action,
                   "x-tc-version": VERSIONS[service], "x-tc-timestamp": str(int(time.time())), "x-tc-region": REGION,
                   "x-tc-traceid": str(uuid.uuid4()), **{name.replace("_", "-"): value for name, value in changed.items()}}
        # the last one makes two equal requests of one second differ
        signed = ("content-type", "host", "x-tc-traceid")
        return {**headers, "authorization": sign(self.key, body, headers, service=service, signed=signed)}

    def post(self, body, headers):
        """The whole answer (status, headers, body), over a connection that is kept."""
        for is_last in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", admin_port(self.instance), timeout=60)
            try:
                self.connection.request("POST", "/", body, headers)
                answer = self.connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()  # kept for too long
                if is_last:
                    raise

    def call(self, action, **parameters):
        body = json.dumps(parameters).encode()
        status, _, answer = self.post(body, self.headers(action, body))
        assert status == 200, (status, answer)
        response = json.loads(answer)["Response"]
        if "Error" in response:
            raise ApiError(response["Error"]["Code"], response["Error"]["Message"], response["RequestId"])
        return response

    def wait_task(self, request_id):
        """How the task ended: its DescribeTaskStatus."""
        def ended():
            task = self.call("DescribeTaskStatus", TaskId=request_id)
            return task["Status"] != IN_PROGRESS and task
        return until(ended, f"the end of task {request_id}")

    def do(self, action, **parameters):
        """A call, and the end of its task, which must be a good one; the Response of the call."""
        response = self.call(action, **parameters)
        task = self.wait_task(response["RequestId"])
        assert task["Status"] == 0, task
        return response

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


@contextlib.contextmanager
def refused(code, *words):
    """The call in it is refused with CODE and a message that has WORDS."""
    try:
        yield
    except ApiError as e:
        assert e.code == code and all(word in e.message for word in words), (e.code, e.message)
        return
    raise AssertionError(f"not refused, though {code} was to come")
