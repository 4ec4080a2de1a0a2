# SPDX-License-Identifier: Apache-2.0
"""`sallyport api-key`: keys are made, shown without what is secret, and revoked."""
import json
import stat

import pytest

from instance import run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sallyport.yaml"
    path.write_text(f"listeners: []\nstate: {{dir: {tmp_path}/state}}\n")
    return path


def create(file, *args):
    made = run("api-key", "create", "-c", file, "--json", *args)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def test_a_key_is_shown_once_and_listed_without_its_secret(file, tmp_path):
    key, other = create(file), create(file, "--role", "read")
    assert len(key["SecretKey"]) == 40 and key["SecretId"].startswith("AKID") and (key["Role"], other["Role"]) == ("write", "read")
    listed = run("api-key", "list", "-c", file, "--json").stdout
    assert [json.loads(line)["SecretId"] for line in listed.splitlines()] == [key["SecretId"], other["SecretId"]]
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    for secret in key["SecretKey"], other["SecretKey"]:
        assert secret not in listed and secret.encode() not in on_disk
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_is_revoked_once(file):
    key = create(file)["SecretId"]
    assert run("api-key", "revoke", "-c", file, key).returncode == 0
    assert run("api-key", "list", "-c", file).stdout.rstrip().endswith("revoked")
    again = run("api-key", "revoke", "-c", file, key)
    assert again.returncode == 2 and f"there is no access key {key}" in again.stderr


def test_without_a_folder_for_them_there_are_no_keys(tmp_path):
    path = tmp_path / "sallyport.yaml"
    path.write_text("listeners: []\n")
    made = run("api-key", "create", "-c", path)
    assert made.returncode == 2 and "add `state: {dir: /var/lib/sallyport}`" in made.stderr
    path.write_text(f"listeners: []\nstate: {{dir: {tmp_path}/not/there}}\n")
    made = run("api-key", "create", "-c", path)
    assert made.returncode == 2 and "cannot be made" in made.stderr
