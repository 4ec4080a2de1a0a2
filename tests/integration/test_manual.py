# SPDX-License-Identifier: Apache-2.0
"""The manual pages and the completion for bash say what the program says, and arrive where they are looked for."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import instance
import service

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAN = ROOT / "docs/man"
COMPLETION = ROOT / "packaging/completion/sallyport.bash"
PAGES = [MAN / "sallyport.8", MAN / "sallyport.yaml.5"]

sys.path.insert(0, str(MAN))

import options  # noqa: E402


@pytest.fixture(scope="module")
def told():
    """command → its --help"""
    return dict(options.commands(instance.BINARY))


# ---- manual pages

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_formatted_without_a_warning(page):
    for formatter in ["mandoc", "-T", "lint", "-W", "warning"], ["man", "--warnings", "-l"]:
        said = subprocess.run([*formatter, page], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
        assert said.returncode == 0 and not said.stderr and ("lint" in formatter) != bool(said.stdout), said


def test_the_page_lists_the_options_that_the_commands_have(told):
    page = (MAN / "sallyport.8").read_text()
    assert options.renew(page, told) == page, f"docs/man/options.py --write {instance.BINARY}"


def test_the_page_has_a_section_for_every_command(told):
    usages = {text.splitlines()[0].removeprefix("usage: sallyport ") for text in told.values()}
    page = (MAN / "sallyport.8").read_text()
    sections = re.findall(r'^\.SS "(.*)"$', page, re.M)
    assert sorted(s.replace("\\-", "-").replace("\\&...", "…") for s in sections) == sorted(usages)
    listed = {command for _, command, _ in options.LIST.findall(page)}
    assert listed == {command for command, text in told.items() if options.OPTION.search(text)}


def test_its_example_of_a_pki_works(tmp_path):
    page = (MAN / "sallyport.8").read_text().replace("\\-", "-")
    lines = re.findall(r"^sallyport (pki .*)$", page, re.M)
    assert len(lines) == 3
    for line in lines:
        said = instance.run(*line.split(), "--dir", tmp_path)
        assert said.returncode == 0, said
    assert {"ca.crt", "server.key", "client.crt", "client.key"} <= {file.name for file in tmp_path.iterdir()}


# ---- completion

def complete(*words, cwd=None):
    """What bash would offer for the last of WORDS."""
    script = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); ' \
             '_sallyport "$2" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    said = subprocess.run(["bash", "-c", script, "bash", COMPLETION, pathlib.Path(instance.BINARY).resolve(), *words],
                          capture_output=True, text=True, cwd=cwd)
    assert said.returncode == 0 and not said.stderr, said
    return said.stdout.split()


def test_commands_are_completed(told):
    first = {command.split()[0] for command in told}
    assert set(complete("")) == {"--help", *first}
    assert set(complete("pki", "")) == {"--help", *(command.split()[1] for command in told if command.startswith("pki "))}
    assert complete("ver") == ["verify"]
    assert complete("no-command", "-") == []


def test_options_are_completed(told):
    for command, text in told.items():
        wanted = {name for found in options.OPTION.findall(text) for name in found[:2] if name}
        offered = complete(*command.split(), "-")
        assert len(offered) == len(set(offered)) and wanted <= set(offered), command
        assert set(offered) - wanted == ({"--help", "-c"} if command == "run" else {"--help"}), command
    assert complete("verify", "--un") == ["--untrusted"]


def test_values_are_completed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    both = ["file", "folder"]
    assert complete("pki", "convert", "--to", "p") == ["pem", "p12", "p7"]
    assert complete("pki", "convert", "--to", "=", "d") == ["der"]
    assert complete("pki", "convert", "--to", "=") == ["pem", "der", "p12", "p7"]
    assert complete("demo", "--dir", "f", cwd=tmp_path) == ["folder"]
    for before in ["run", "-c"], ["check", "--config"], ["verify", "--ca"], ["verify"], ["verify", "--json"], ["parse"]:
        assert sorted(complete(*before, "f", cwd=tmp_path)) == both, before
    for before in ["run"], ["check"], ["connect"], ["verify", "--depth"], ["verify", "a/b", "--time"]:
        assert complete(*before, "f", cwd=tmp_path) == [], before


# ---- installation

INSTALLED = {
    "usr/bin/sallyport": pathlib.Path(instance.BINARY),
    "usr/lib/systemd/system/sallyport.service": service.UNIT,
    "usr/share/bash-completion/completions/sallyport": COMPLETION,
    "usr/share/doc/sallyport/examples/grafana-dashboard.json": ROOT / "etc/grafana-dashboard.json",
    "usr/share/doc/sallyport/examples/sallyport.yaml": ROOT / "etc/sallyport.yaml",
    "usr/share/man/man5/sallyport.yaml.5": MAN / "sallyport.yaml.5",
    "usr/share/man/man8/sallyport.8": MAN / "sallyport.8",
}


def test_everything_is_installed_where_it_is_looked_for(tmp_path):
    build, root = tmp_path / "build", tmp_path / "root"
    subprocess.run(["meson", "setup", build], cwd=ROOT, check=True, capture_output=True)
    shutil.copy(instance.BINARY, build / "sallyport")
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root], check=True, capture_output=True)
    installed = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}
    assert set(installed) == set(INSTALLED)
    for name, source in INSTALLED.items():
        mode = installed[name].stat().st_mode & 0o777
        assert mode == (0o755 if "/bin/" in name else 0o644), name
        assert name == "usr/bin/sallyport" or installed[name].read_bytes() == source.read_bytes(), name
    for key in "ExecStart", "ExecReload":
        assert service.settings(key)[0].split()[0] == "/usr/bin/sallyport"
    said = subprocess.run(["man", "-M", root / "usr/share/man", "-w", "sallyport", "sallyport.yaml"], capture_output=True, text=True)
    assert said.stdout.split() == [str(installed[f"usr/share/man/{page}"]) for page in ("man8/sallyport.8", "man5/sallyport.yaml.5")], said
