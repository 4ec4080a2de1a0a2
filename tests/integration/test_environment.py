# SPDX-License-Identifier: Apache-2.0
"""Nothing around the program changes what it accepts, or what it holds."""
import os

from instance import run
from processes import config, listener, through


def test_an_openssl_configuration_file_is_not_read(pki, tmp_path):
    """This one demands algorithms that are not there: had libcrypto read it, no signature could be checked."""
    cnf = tmp_path / "openssl.cnf"
    cnf.write_text("openssl_conf = start\n[start]\nalg_section = algorithms\n[algorithms]\ndefault_properties = fips=yes\n")
    verdict = run("verify", "--ca", pki.ca("servers").crt, pki.server.crt, env={"OPENSSL_CONF": str(cnf)})
    assert (verdict.returncode, verdict.stdout.splitlines()[-1]) == (0, "accepted"), verdict


def test_descriptors_that_its_caller_left_open_are_closed(lb, target, tmp_path, monkeypatch):
    """A shell's, for example: they would keep a pipe from ending, or a file system from being unmounted."""
    held = tmp_path / "held"
    through(monkeypatch, tmp_path, f'exec 3>"{held}" 9>"{held}" && exec "$SALLYPORT" "$@"')
    instance = lb(config(listener(), web=target()))
    for pid in (instance.process.pid, *instance.pids()):
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert len(links) > 3 and str(held) not in links, links
