# SPDX-License-Identifier: Apache-2.0
"""What tests of the control API begin with: an instance without listeners, ports for those that are made, texts of certificates."""
import contextlib
import itertools
import random
import socket

from http_peers import running
from processes import ADMIN

PORTS = range(10000, 32000)  # below those that the system gives to clients: nobody gets one by chance
NUMBERS = itertools.count()  # a request that is the same in the same second is a replay


def named(name):
    return f"{name}-{next(NUMBERS)}"


def empty(folder, **keys):
    """A configuration without listeners, that has what the API keeps in FOLDER."""
    keys = {"admin": ADMIN, "state": f"{{dir: {folder}/state}}", "access_log": "{file: access.log}", "workers": 1, **keys}
    return "\n".join(["listeners: []", "target_groups: []", *[f"{key}: {value}" for key, value in keys.items()], ""])


@contextlib.contextmanager
def running_empty(tmp_path_factory, name):
    """An instance of that configuration, in a folder of its own."""
    folder = tmp_path_factory.mktemp(name)
    folder.chmod(0o755)
    with running(folder, empty(folder)) as instance:
        yield instance


def free_port():
    """A port of 127.0.0.1 where nobody listens."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def pem(certificate):
    return certificate.crt.read_text()


def key_pem(certificate):
    return certificate.key_file.read_text()


def upload(api, certificate, **more):
    """The id of CERTIFICATE, a server's, taken in."""
    return api.call("UploadCertificate", CertificatePublicKey=pem(certificate), CertificatePrivateKey=key_pem(certificate),
                    Alias=named(certificate.name), **more)["CertificateId"]


def upload_ca(api, ca, **more):
    return api.call("UploadCertificate", CertificatePublicKey=pem(ca), CertificateType="CA", Alias=named(ca.name), **more)["CertificateId"]


def instance_id(api, name="web"):
    """A new instance, at 127.0.0.1."""
    made = api.do("CreateLoadBalancer", LoadBalancerType="INTERNAL", LoadBalancerName=named(name), VpcId="vpc-1", SubnetId="subnet-1")
    return made["LoadBalancerIds"][0]
