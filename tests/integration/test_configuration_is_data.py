# SPDX-License-Identifier: Apache-2.0
"""Texts of the configuration are data: never a pattern, a format, a command or a piece of another file (peers.md T35)."""
import json
import re
import shutil

import pytest
import yaml

import peers
from http_peers import Client
from instance import Instance, run
from processes import ADMIN, admin_port, get
from prometheus import Metrics

# What would do something, if somebody read it again.
TEXTS = {
    "quote": 'a"b', "apostrophe": "a'b", "both": "a\"'b", "semicolon": "a;b", "statement": 'a"; return 200; #', "backslash": "a\\b",
    "backslash_end": "a\\", "newline": "a\nb", "directive": "a\nuser: root\n", "cr_lf": "a\r\nX-Evil: 1", "tab": "a\tb",
    "escape": "a\x1b[2Jb", "next_line": "a\x85b", "line_separator": "a\u2028b", "right_to_left": "a\u202eb", "bom": "\ufeffa",
    "umlaut": "ä", "format": "%s%n%x%d", "percent": "a%0ab", "dollar": "${HOME}", "command": "$(id)", "backticks": "`id`",
    "template": "{{a}}", "json": '","close":"done","x":"', "brace": "}", "bracket": "]", "star": "*", "stars": "**", "star_behind": "a*",
    "star_before": "*a", "star_between": "a*b", "stars_between": "a*b*c", "dot": ".", "dot_star": ".*", "dot_plus": ".+", "question": "?",
    "bomb": "(a+)+$", "alternatives": "(a|aa)+x", "class": "[a-z]*", "negated": "[^/]*", "anchors": "^.*$", "icase": "(?i)a",
    "tilde": "~ ^.*$", "tilde_star": "~* \\.php$", "sql": "a' OR 1=1--", "markup": "<script>alert(1)</script>", "comment": "a # b",
    "alias": "*x", "anchor": "&x a", "tag": "!!python/object:x", "colon": "a: b", "dots": "../../etc/passwd", "slash": "/", "space": " ",
    "leading_space": " a", "long": "a" * 5000, "many_stars": "a*" * 500, "many_dots": "a." * 500,
}


def printable(text):
    return all(0x20 <= ord(c) and not 0x7f <= ord(c) < 0xa0 for c in text)


LABELS = r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}"
NAME = r"[!-~]+"  # ASCII without space; and at most one star
CLIENT_NAMES = {"DNS": "DNS:{}", "DNS_below": "DNS:{}.example", "EMAIL": "EMAIL:{}@a.example", "EMAIL_at": "EMAIL:a@{}",
                "URI": "URI:spiffe://a.example/{}", "URI_host": "URI:spiffe://{}/", "IP": "IP:{}", "kind": "{}", "kind_and_colon": "{}:a.example"}
# key → (the text as it is tried there, which ones may be accepted, its place in the effective configuration)
KEYS = {
    "listener": ("{}", r"[\w.-]{1,64}", lambda c: [one["name"] for one in c["listeners"][1:]]),
    "group": ("{}", r"[\w.-]{1,64}", lambda c: [one["name"] for one in c["target_groups"][1:]]),
    "sni": ("{}", rf"(?:\*\.)?{LABELS}", lambda c: [one["name"] for one in c["listeners"][0]["domains"] or []]),
    "domain": ("{}", rf"(?:\*\.)?{LABELS}(?:\.\*)?|~[!-~]+", lambda c: [one["domain"] for one in c["listeners"][0]["rules"][1:]]),
    "path": ("/{}", r"/[!-~]*", lambda c: [one["path"] for one in c["listeners"][0]["rules"][1:]]),
    "bare_path": ("{}", r"/[!-~]*|~\*? [ -~]+", lambda c: [one["path"] for one in c["listeners"][0]["rules"][1:]]),
    **{f"client_name_{how}": (form, NAME, lambda c: c["listeners"][0]["client_names"]) for how, form in CLIENT_NAMES.items()},
}


ROWS = {  # how a row of each kind is written
    "listener": "  - {{name: {}, protocol: HTTP, address: '127.0.0.1:0', rules: [{{domain: localhost, target_group: app}}]}}",
    "group": "  - {{name: {}, protocol: HTTP, targets: [{{address: '127.0.0.1:1'}}]}}",
    "sni": "      - {{name: {}}}",
    "domain": "      - {{domain: {}, path: /of/it, target_group: app}}",
    "path": "      - {{domain: other.test, path: {}, target_group: app}}",
    "client": "      - {}",
}


def configuration(pki, key, texts):
    """A configuration with a line of its own for each of TEXTS as KEY; and the number of the first such line."""
    kind = key.removeprefix("bare_").split("_")[0]
    rows = [ROWS[kind].format(json.dumps(t)) for t in texts]

    def here(*wanted):
        return rows if kind in wanted else []

    def under(key, wanted):
        return [key, *here(wanted)] if here(wanted) else []
    text = "\n".join([
        "listeners:", "  - name: web", "    protocol: HTTPS", "    address: 127.0.0.1:0", f"    certificates: [{pki.server.yaml()}]",
        "    authentication: mutual", f"    client_ca: [{pki.ca('clients').crt}]",
        *under("    client_names:", "client"), *under("    domains:", "sni"),
        "    rules:", "      - {domain: localhost, target_group: app}", *here("domain", "path"), *here("listener"),
        "target_groups:", "  - {name: app, protocol: HTTP, targets: [{address: '127.0.0.1:1'}]}", *here("group"), ""])
    return text, text.split("\n").index(rows[0]) + 1 if rows else 0


def check(folder, text, *args):
    (folder / "sallyport.yaml").write_text(text)
    done = run("check", "-c", folder / "sallyport.yaml", *args)
    assert done.returncode in (0, 1) and "Sanitizer" not in done.stderr, done.stderr
    obeyed = [line for line in done.stderr.split("\n") if not printable(line)]
    assert not obeyed, obeyed
    return done


def accepted(pki, folder, key, texts):
    """Those of TEXTS that are accepted as KEY. The others are each refused in one line that names theirs."""
    kept = list(texts)
    while kept:
        text, first = configuration(pki, key, kept)
        done = check(folder, text)
        if done.returncode == 0:
            break
        said = re.findall(r"^\S+/sallyport\.yaml:(\d+):\d+: ", done.stderr, re.M)
        refused = {int(line) - first for line in said}
        assert refused and len(said) == len(refused) and refused <= set(range(len(kept))), done.stderr
        kept = [t for i, t in enumerate(kept) if i not in refused]
    return kept


@pytest.mark.parametrize("key", KEYS)
def test_t35_a_text_is_taken_as_it_stands_or_refused_in_one_line(pki, tmp_path, key):
    form, acceptable, where = KEYS[key]
    kept = accepted(pki, tmp_path, key, [form.format(t) for t in TEXTS.values()])
    odd = [t for t in kept if not re.fullmatch(acceptable, t) or t.count("*") > 1 and "client" in key]
    assert not odd, f"accepted: {odd}"
    dumped = check(tmp_path, configuration(pki, key, kept)[0], "-T")
    assert dumped.returncode == 0, dumped.stderr
    assert (where(yaml.safe_load(dumped.stdout)) or []) == kept
    again = check(tmp_path, dumped.stdout, "-T")
    assert (again.returncode, again.stdout) == (0, dumped.stdout)


@pytest.mark.parametrize("key", KEYS)
def test_t35_nul_does_not_end_a_text(pki, tmp_path, key):
    """What stands before it would be fine."""
    fine = {"path": "/good", "client": "DNS:good.example"}.get(key.split("_")[0], "good")
    assert accepted(pki, tmp_path, key, [fine]) == [fine] or key == "bare_path"
    text, first = configuration(pki, key, [fine + "\0.evil"])
    done = check(tmp_path, text)
    assert done.returncode == 1 and f"sallyport.yaml:{first}:" in done.stderr, done.stderr


# ---- what was accepted, at work ----

@pytest.fixture(scope="module")
def world(pki, tmp_path_factory):
    """A listener for each client name that is accepted, one for the paths, and files with names of all kinds."""
    folder = tmp_path_factory.mktemp("data")
    names = [t for key, (form, _, _) in KEYS.items() if key.startswith("client")
             for t in accepted(pki, folder, key, [form.format(text) for text in TEXTS.values()])]
    paths = [t for t in accepted(pki, folder, "path", [f"/{t}" for t in TEXTS.values()]) if t not in ("/", "//")]
    assert len(names) > 20 and len(paths) > 20
    web = peers.Target(peers.http_echo)
    listeners = [f"protocol: HTTPS, certificates: [{pki.server.yaml()}], authentication: mutual, client_ca: [{pki.ca('clients').crt}], "
                 f"client_names: [{json.dumps(name)}], rules: [{{domain: localhost, target_group: web}}]" for name in names]
    rules = ", ".join(f"{{domain: localhost, path: {json.dumps(path)}, target_group: web}}" for path in paths)
    listeners.append(f"protocol: HTTP, rules: [{rules}]")
    files = {what: folder / f"file-{text}.crt" for what, text in TEXTS.items() if "/" not in text and len(text) < 200}
    for file in files.values():
        shutil.copy(pki.server.crt, file)
    shown = ", ".join(f"{{certificate: {json.dumps(str(file))}, key: {pki.server.key_file}}}" for file in files.values())
    listeners.append(f"protocol: HTTPS, certificates: [{shown}], rules: [{{domain: localhost, target_group: web}}]")
    rows = "\n".join(f'  - {{name: in{i}, address: "127.0.0.1:0", {text}}}' for i, text in enumerate(listeners))
    log = json.dumps("$(id) 'a\"b;c%s\\.log")
    config = (f"listeners:\n{rows}\ntarget_groups: [{{name: web, protocol: HTTP, targets: [{{address: '127.0.0.1:{web.port}'}}]}}]\n"
              f"access_log: {{file: {log}}}\nadmin: {ADMIN}\nworkers: 1\n")
    instance = Instance(folder, config, access_log=json.loads(log))
    instance.names, instance.paths, instance.files = names, paths, files
    yield instance
    instance.check()
    web.close()


def sound(world):
    """Each line of the log is one object."""
    raw = world.access_log.read_bytes().decode("utf-8", errors="strict")
    assert all(printable(line) for line in raw.split("\n"))
    return world.lines()


# Whom nothing of TEXTS means: names that a pattern would match, if it were one.
STRANGERS = ["DNS:b.test", "DNS:aa.test", "DNS:b.a.test", "EMAIL:b@b.test", "EMAIL:a@a.test", "URI:spiffe://b.test/b", "URI:spiffe://a.test/a",
             "IP:192.0.2.9"]


def test_t35_a_client_name_admits_nobody_else(world, pki):
    """Whoever has other names stays out; and each line of the log says why."""
    certificate = pki.ca("clients").issue("data", sans=STRANGERS)
    for i, name in enumerate(world.names):
        mark = world.mark()
        with pytest.raises(peers.Refused):
            peers.get(world.port(f"in{i}"), pki.ca("servers"), certificate)
        line = world.line(since=mark, listener=f"in{i}")
        assert (line["close"], line["peer"]["reason"]) == ("client_refused", "wrong_name"), (name, line)
    sound(world)


def test_t35_a_path_is_a_prefix_and_no_pattern(world):
    """Each is found by itself, and the log has it as it stands; a path that an expression of that form would match is not."""
    listener = f"in{len(world.names)}"
    for path in world.paths:
        if any(other != path and path.startswith(other) for other in world.paths) or "%" in path or "\\" in path or len(path) > 1000:
            continue  # it has a shorter neighbour; or as a request it is refused
        mark = world.mark()
        with Client(world.port(listener)) as client:
            assert client.ask(path + "/x").status == 200, path
            line = world.line(since=mark, client=client.name)
            assert line["rule"]["path"] == path and line["path"] == path + "/x"
    for path in ("/b", "/zz", "/b.php", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaax", "/root", "/z/z"):
        mark = world.mark()
        with Client(world.port(listener)) as client:
            assert client.ask(path).status == 404, path
            assert world.line(since=mark, client=client.name)["close"] == "no_rule"
    sound(world)


def test_t35_the_metrics_tell_a_file_by_its_very_name(world):
    metrics = Metrics(get(admin_port(world), "/metrics")[1].decode())
    told = {dict(labels)["file"] for name, labels in metrics if name == "sallyport_certificate_not_after_seconds"}
    plain = {re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], label) for label in told}
    assert plain >= {str(file) for file in world.files.values()}, plain
