# SPDX-License-Identifier: Apache-2.0
"""What a client has to send along with its certificate, what the configuration may have in its place, and whom a client is told
that we trust."""
import re
import subprocess
import types

import pytest

import peers
from files import pem, write
from http_peers import group, running

each_version = pytest.mark.parametrize("version", ["1.2", "1.3"])

# What a client sends; of the three CAs between it and the root, 1 has issued it and 3 was issued by the root.
SHAPES = {
    "in_order": ("leaf", 1, 2, 3),
    "with_the_root": ("leaf", 1, 2, 3, "root"),
    "upside_down": ("leaf", 3, 2, 1),
    "with_a_stranger": ("leaf", "stranger", 1, 2, 3),
    "one_is_missing": ("leaf", 1, 3),
    "alone": ("leaf",),
}
COMPLETE = {"in_order", "with_the_root", "upside_down", "with_a_stranger"}


@pytest.fixture(scope="module")
def certificates(pki):
    made = {"root": pki.ca("deep-root"), "stranger": pki.ca("strangers")}
    made[3] = pki.ca("deep-3", issuer=made["root"])
    made[2] = pki.ca("deep-2", issuer=made[3])
    made[1] = pki.ca("deep-1", issuer=made[2])
    made["leaf"] = made[1].issue("deep")
    for ca in (made["root"], made[3], made[2], made[1]):
        ca.crl()
    return made


@pytest.fixture(scope="module")
def world(pki, certificates, tmp_path_factory):
    """`root` trusts the root and has nothing else; `beside` has all CAs that are between in the same file, `crl` lists of all of them
    as well, and `gap` of all but the one that issued the client. `names` has two CAs of one name, one of them twice."""
    web, folder = peers.Target(peers.http_echo), tmp_path_factory.mktemp("chains")
    chain = [certificates[name] for name in (1, 2, 3, "root")]
    bundle = write(folder / "bundle.crt", pem(*chain))
    crls = [str(ca.crl_file) for ca in chain]
    old, new = pki.ca("rekeyed-old", subject="rekeyed"), pki.ca("rekeyed-new", subject="rekeyed")
    asks = {
        "root": f"client_ca: [{certificates['root'].crt}]",
        "beside": f"client_ca: [{bundle}]",
        "crl": f"client_ca: [{bundle}], revocation: {{crl: [{', '.join(crls)}]}}",
        "gap": f"client_ca: [{bundle}], revocation: {{crl: [{', '.join(crls[1:])}]}}",
        "names": f"client_ca: [{old.crt}, {pki.ca('clients').crt}, {new.crt}, {old.crt}], domains: ["
                 f"{{name: closed.test, client_ca: [{pki.ca('strangers').crt}]}}, {{name: open.test, authentication: one-way}}]",
    }
    listeners = "".join(f"\n  - {{name: {name}, protocol: HTTPS, address: '127.0.0.1:0', certificates: [{pki.server.yaml()}], "
                        f"authentication: mutual, {ask}, rules: [{{domain: localhost, target_group: web}}]}}" for name, ask in asks.items())
    config = f"listeners:{listeners}\ntarget_groups: {group('web', web)}\naccess_log: {{file: access.log}}\nworkers: 1\n"
    with running(folder, config, web) as instance:
        yield instance


@pytest.fixture(scope="module")
def shaped(certificates, tmp_path_factory):
    """SHAPES as certificates to show."""
    folder = tmp_path_factory.mktemp("shapes")
    return {shape: types.SimpleNamespace(crt=write(folder / shape, pem(*[certificates[name] for name in names])),
                                         key_file=certificates["leaf"].key_file) for shape, names in SHAPES.items()}


def visit(world, pki, listener, certificate, version):
    """Why the client was refused, or None."""
    mark = world.mark()
    try:
        status, _ = peers.get(world.port(listener), pki.ca("servers"), certificate, version)
        assert status == 200
    except peers.Refused:
        pass
    verdict = world.line(since=mark, listener=listener)["peer"]
    return None if verdict["accepted"] else verdict["reason"]


@each_version
@pytest.mark.parametrize("shape", SHAPES)
def test_a_client_sends_all_cas_below_the_root_in_any_order(world, pki, shaped, shape, version):
    assert visit(world, pki, "root", shaped[shape], version) == (None if shape in COMPLETE else "untrusted")


@each_version
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_configured_beside_the_root_need_not_be_sent(world, pki, shaped, shape, version):
    assert visit(world, pki, "beside", shaped[shape], version) is None
    assert visit(world, pki, "crl", shaped[shape], version) is None
    assert visit(world, pki, "gap", shaped[shape], version) == "revocation_unknown"


@each_version
@pytest.mark.parametrize("name, told", [("localhost", ["rekeyed", "clients"]), ("closed.test", ["strangers"]), ("open.test", None)])
def test_a_client_is_told_whom_we_trust_each_name_once(world, pki, name, told, version):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port('names')}", "-servername", name, f"-tls{version.replace('.', '_')}"]
    said = subprocess.run(command, input="", capture_output=True, text=True, timeout=20).stdout
    named = re.search(r"Acceptable client certificate CA names\n((?:CN = .*\n)+)", said)
    assert (named and re.findall(r"CN = (.*)", named[1])) == told, said
