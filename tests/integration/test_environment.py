# SPDX-License-Identifier: Apache-2.0
"""Nothing around the program changes what it accepts."""
from instance import run


def test_an_openssl_configuration_file_is_not_read(pki, tmp_path):
    """This one demands algorithms that are not there: had libcrypto read it, no signature could be checked."""
    cnf = tmp_path / "openssl.cnf"
    cnf.write_text("openssl_conf = start\n[start]\nalg_section = algorithms\n[algorithms]\ndefault_properties = fips=yes\n")
    verdict = run("verify", "--ca", pki.ca("servers").crt, pki.server.crt, env={"OPENSSL_CONF": str(cnf)})
    assert (verdict.returncode, verdict.stdout.splitlines()[-1]) == (0, "accepted"), verdict
