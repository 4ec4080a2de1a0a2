# SPDX-License-Identifier: Apache-2.0
"""The cloud's official SDK for Node, unchanged but for its endpoint (tests/sdk), and the models that it comes with."""
import fcntl
import json
import os
import pathlib
import re
import subprocess

from api_client import VERSIONS, ApiError, create_key, service_of
from instance import ROOT, until
from processes import admin_port

SCRIPTS = ROOT / "tests/sdk"
FOLDER = ROOT / "build/sdk"
SERVICES = FOLDER / "node_modules/tencentcloud-sdk-nodejs/tencentcloud/services"


def install():
    """Once for all processes that run tests."""
    FOLDER.parent.mkdir(exist_ok=True)
    with open(FOLDER.parent / "sdk.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([SCRIPTS / "install", FOLDER], check=True)


class Sdk:
    """As api_client.Api, but the SDK signs, sends and reads."""

    def __init__(self, instance, key=None, protocol="http://", endpoint=None, **environment):
        install()
        key = key or create_key(instance)
        env = {name: value for name, value in os.environ.items() if name.lower() not in ("http_proxy", "https_proxy")}
        self.node = subprocess.Popen(
            ["node", SCRIPTS / "bridge.js", endpoint or f"127.0.0.1:{admin_port(instance)}", protocol],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**env, "NODE_PATH": str(FOLDER / "node_modules"), "TENCENTCLOUD_SECRET_ID": key.id, "TENCENTCLOUD_SECRET_KEY": key.secret,
                 **environment})

    def call(self, action, profile=None, common=False, **request):
        """The answer; PROFILE: signMethod and reqMethod; COMMON: by the CommonClient, which has no models."""
        service = service_of(action)
        line = {"service": "common" if common else service, "version": VERSIONS[service], "action": action, "request": request,
                "profile": profile or {}}
        self.node.stdin.write(json.dumps(line) + "\n")
        self.node.stdin.flush()
        said = self.node.stdout.readline()
        assert said, "the SDK's process has ended"
        answer = json.loads(said)
        if "error" in answer:
            e = answer["error"]
            assert "httpCode" not in e or e["httpCode"] in (None, 200), e
            raise ApiError(e["code"], e["message"], e["requestId"])
        return answer["response"]

    def do(self, action, **request):
        """A call, and the end of its task, which must be a good one."""
        response = self.call(action, **request)

        def ended():
            task = self.call("DescribeTaskStatus", TaskId=response["RequestId"])
            return task["Status"] != 2 and task
        task = until(ended, f"the end of {action}")
        assert task["Status"] == 0, task
        return response

    def close(self):
        self.node.stdin.close()
        self.node.wait(10)
        self.node.stdout.close()


class Models:
    """The interfaces of the SDK's declarations of a service: name → {member: type}."""

    def __init__(self, service):
        version = {"clb": "v20180317", "ssl": "v20191205", "tag": "v20180813"}[service]
        text = pathlib.Path(SERVICES / service / version / f"{service}_models.d.ts").read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.interfaces = {name: dict(re.findall(r"(\w+)\??: ([^;]+);", body))
                           for name, body in re.findall(r"export interface (\w+) \{(.*?)\n\}", text, flags=re.S)}

    def missing(self, value, name, optional=frozenset(), at=""):
        """The members of interface NAME that VALUE, an object, lacks, also further inside, as paths ("Listeners.Rules.Url")."""
        found = []
        for member, kind in self.interfaces[name].items():
            path = f"{at}.{member}" if at else member
            if path in optional:
                continue
            if member not in value:
                found.append(path)
                continue
            inner = re.sub(r"^Array<(.+)>$", r"\1", kind)
            of = value[member] if isinstance(value[member], list) else [value[member]]
            if inner in self.interfaces:
                found += [each for item in of if item is not None for each in self.missing(item, inner, optional, path)]
        return sorted(set(found))
