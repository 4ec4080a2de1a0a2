# SPDX-License-Identifier: Apache-2.0
"""The access log: whole lines, all of them, wherever they go; and traffic that never waits for it."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from files import command
from http_peers import Client
from instance import until
from processes import Traffic, config, get, listener, needs_root, through

BATCH = 50  # requests sent before their answers are read


def many(port, paths):
    """Requests for PATHS over one connection, BATCH at a time; they are answered by Sallyport itself (no rule: 404)."""
    with Client(port) as c:
        for at in range(0, len(paths), BATCH):
            batch = paths[at:at + BATCH]
            c.send("".join(f"GET {p} HTTP/1.1\r\nHost: localhost\r\n\r\n" for p in batch))
            for _ in batch:
                assert c.response().status == 404


def without_rules(text):
    return text.replace("path: /,", "path: /app,")


def usr1(instance):
    times = instance.stderr().count("logs reopened")
    instance.send(signal.SIGUSR1)
    until(lambda: instance.stderr().count("logs reopened") > times, "the logs to be reopened")


def test_ten_thousand_requests_are_ten_thousand_whole_lines(lb, target):
    instance = lb(without_rules(config(listener(), web=target(), workers=2)))
    paths = [[f"/{connection}/{i}" for i in range(625)] for connection in range(16)]
    threads = [threading.Thread(target=many, args=(instance.port("web"), p)) for p in paths]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    until(lambda: len(instance.access_log.read_bytes().splitlines()) >= 10000, "all lines")
    lines = instance.lines()  # each parses
    assert sorted(line["path"] for line in lines) == sorted(p for c in paths for p in c)
    per_connection = {}
    for line in lines:
        per_connection.setdefault(line["client"], []).append(line["path"])
    assert sorted(per_connection.values()) == sorted(paths)  # and in their order


def test_a_renamed_log_is_let_go_on_usr1_and_no_line_is_lost(lb, target):
    instance = lb(config(listener(), web=target(), workers=2))
    port, old = instance.port("web"), instance.access_log.with_suffix(".1")
    with Traffic(lambda path: get(port, path)) as traffic:
        traffic.goes_on(30)
        instance.access_log.rename(old)
        traffic.goes_on(30)
        usr1(instance)
        traffic.goes_on(30)
    instance.stop()
    assert not traffic.failures
    before, after = [json.loads(line) for line in old.read_text().splitlines()], instance.lines()
    assert len(before) >= 60 and len(after) >= 25
    assert sorted(line["path"] for line in before + after) == sorted(traffic.sent)


def test_a_log_that_cannot_be_reopened_stays_the_open_one(lb, target):
    instance = lb(config(listener(), web=target()))
    instance.expect_error("the access log .* cannot be opened for appending: .*; going on with the one that is open")
    old = instance.access_log.rename(instance.folder / "access.1")
    instance.access_log.mkdir()  # where no file can be opened
    usr1(instance)
    assert get(instance.port("web"), "/kept")[0] == 200
    until(lambda: '"/kept"' in old.read_text(), "the line")


def test_the_log_goes_to_standard_output(lb, target, tmp_path, monkeypatch):
    through(monkeypatch, tmp_path, 'exec "$SALLYPORT" "$@" >out')
    instance = lb(config(listener(), web=target(), access_log='{file: "-"}'), access_log="out")
    for path in "/a", "/b":
        assert get(instance.port("web"), path)[0] == 200
        instance.line(path=path)
        usr1(instance)
    assert [line["path"] for line in instance.lines()] == ["/a", "/b"] and '"/a"' not in instance.stderr()


def test_a_disk_that_is_full_fails_no_request_and_is_told_once(lb, target):
    instance = lb(config(listener(), web=target(), access_log="{file: /dev/full}"))
    for _ in range(100):
        assert get(instance.port("web"))[0] == 200
    until(lambda: "the access log cannot be written, its lines are lost: No space left on device" in instance.stderr(), instance.stderr)
    instance.stop()
    assert instance.stderr().count("No space left") == 1


MOUNT = 'exec unshare --mount sh -c \'mkdir -p disk && mount -t tmpfs -o size=16k tmpfs disk && exec "$@"\' sh '


@needs_root
def test_a_disk_that_has_room_again_gets_lines_again_and_the_loss_is_counted(lb, target, tmp_path, monkeypatch):
    if subprocess.run(["sh", "-c", MOUNT + "true"], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    through(monkeypatch, tmp_path, MOUNT + '"$SALLYPORT" "$@"')
    instance = lb(without_rules(config(listener(), web=target(), access_log="{file: disk/access.log}")))
    log = pathlib.Path(f"/proc/{instance.process.pid}/root{instance.folder}/disk/access.log")
    many(instance.port("web"), [f"/{i}" for i in range(200)])
    until(lambda: "its lines are lost: No space left on device" in instance.stderr(), instance.stderr)
    written = log.read_bytes().count(b"\n")
    os.truncate(log, 0)
    many(instance.port("web"), ["/after"])
    until(lambda: b'"/after"' in log.read_bytes(), "the line")
    said = until(lambda: re.search(r"the access log can be written again; (\d+) lines were lost", instance.stderr()), instance.stderr)
    after = [json.loads(line)["path"] for line in log.read_text().split("\n") if line]
    assert written > 10 and written + int(said[1]) + len(after) == 201 and after[-1] == "/after"


def test_a_log_that_takes_no_lines_stalls_nothing_and_what_was_dropped_is_counted(lb, target, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reader = open(os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK), "rb")
    instance = lb(without_rules(config(listener(), web=target(), access_log=f"{{file: {tmp_path}/fifo}}")))
    paths = [f"/{i:04}" + "x" * 4000 for i in range(600)]  # more than the pipe and the ring hold
    many(instance.port("web"), paths)
    os.set_blocking(reader.fileno(), True)
    written = []
    thread = threading.Thread(target=lambda: written.extend(json.loads(line) for line in reader))
    thread.start()
    instance.stop()
    thread.join()
    dropped = sum(map(int, re.findall(r"too slow: (\d+) lines of worker 0 were dropped", instance.stderr())))
    assert dropped > 50 and len(written) + dropped == len(paths)
    assert [line["path"] for line in written] == paths[:len(written)]
    reader.close()


class Syslog:
    """A socket of datagrams, as the system's log has one."""

    def __init__(self, path):
        self.path, self.socket = path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.socket.settimeout(10)

    def message(self):
        return self.socket.recv(1 << 17).decode()


def test_each_line_is_a_message_to_syslog(lb, target, tmp_path):
    log = Syslog(tmp_path / "log.sock")
    instance = lb(config(listener(), web=target(), access_log=f'{{file: "syslog:local3:{log.path}"}}'))
    assert get(instance.port("web"), "/a")[0] == 200
    assert get(instance.port("web"), "/b?" + "x" * 5000)[0] == 200
    for path in ("/a", "/b"):
        prefix, _, line = log.message().partition(": ")
        assert prefix == f"<{19 * 8 + 6}>sallyport" and "\n" not in line
        assert json.loads(line)["path"] == path
    log.socket.close()


def test_lines_wait_for_a_system_log_that_starts_anew(lb, target, tmp_path):
    log = Syslog(tmp_path / "log.sock")
    instance = lb(config(listener(), web=target(), access_log=f'{{file: "syslog:local3:{log.path}"}}'))
    for turn in range(2):
        get(instance.port("web"), f"/before/{turn}")
        assert f'"/before/{turn}"' in log.message()
        log.socket.close()
        log.path.unlink()
        for i in range(10):
            get(instance.port("web"), f"/meanwhile/{turn}/{i}")
        until(lambda: instance.stderr().count("the system's log has gone; lines wait") == turn + 1, "the warning")
        log = Syslog(log.path)
        assert [json.loads(log.message().partition(": ")[2])["path"] for _ in range(10)] == [f"/meanwhile/{turn}/{i}" for i in range(10)]
        until(lambda: instance.stderr().count("the system's log is there again") == turn + 1, "the end of it")
    log.socket.close()
    log.path.unlink()
    for i in range(3):
        get(instance.port("web"), f"/lost/{i}")
    until(lambda: instance.stderr().count("lines wait") == 3, "the warning")
    instance.stop()  # there is nothing to wait for any more
    assert "the access log cannot be written, its lines are lost" in instance.stderr()


@pytest.mark.parametrize("place, why", [("syslog:", "names no facility"), ("syslog:kern", "names no facility"), ("syslog:local0:log.sock", "by its path")])
def test_a_place_in_syslog_that_is_none(tmp_path, place, why):
    file = tmp_path / "sallyport.yaml"
    file.write_text(config(listener(group="g"), access_log=f'{{file: "{place}"}}').replace("target_groups:", "target_groups: [{name: g, protocol: HTTP, targets: [{address: '127.0.0.1:1'}]}]"))
    done = command("check", "-c", file)
    assert done.returncode == 1 and why in done.stderr


def test_of_what_goes_well_one_line_of_so_many_is_written(lb, target):
    instance = lb(config(listener(), web=target(), access_log="{file: access.log, sample: 10}").replace("path: /,", "path: /app,"))
    with Client(instance.port("web")) as c:
        for i in range(30):
            assert c.ask(f"/app/{i}").status == 200
        for i in range(5):
            assert c.ask(f"/bad/{i}").status == 404
    until(lambda: sum(line["status"] == 404 for line in instance.lines()) == 5, "all that was refused")
    assert [line["path"] for line in instance.lines() if line["status"] == 200] == ["/app/0", "/app/10", "/app/20"]


def clb_lines(instance):
    """Each line as the list of its fields."""
    lines = instance.access_log.read_text().splitlines()
    out = [re.fullmatch(r"\[([^][]*)\](?: \[([^][]*)\])*", line) and re.findall(r"\[([^][]*)\]", line) for line in lines]
    assert all(fields and len(fields) == 29 for fields in out), lines
    return out


def test_lines_in_the_form_of_clb(lb, target):
    server = target()
    instance = lb(config(listener(), listener("raw", "TCP", "raw"), web=server, raw=target(), access_log="{file: access.log, format: clb}").replace("path: /,", "path: /app,"))
    with Client(instance.port("web")) as c:
        assert c.ask("/app/a?b=[c]", "GET", "User-Agent: curl/8 [x] \\", "Referer: http://a.test/\xe4").status == 200
        assert c.ask("/none").status == 404
        name = c.name
    until(lambda: instance.access_log.exists() and len(instance.access_log.read_text().splitlines()) == 2, "two lines")
    good, bad = clb_lines(instance)
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", good[1]) and good[2] == "HTTP" and good[3].endswith(f":{instance.port('web')}")
    assert good[4:8] == ["localhost", name, "200", f"127.0.0.1:{server.port}"] and good[8:10] == ["200", "web"]
    assert good[10] == r"GET /app/a?b=\x5Bc\x5D HTTP/1.1" and good[13] == "localhost"
    assert good[14:16] == [r"curl/8 \x5Bx\x5D \x5C", r"http://a.test/\xE4"]
    assert all(re.fullmatch(r"\d+\.\d{3}", good[i]) for i in (16, 17, 18, 19)) and 0 < int(good[20]) < 10_000_000
    assert (good[21], good[22], bad[21], bad[22]) == (good[21], "1", good[21], "2")
    assert good[23:29] == ["-", "-", "-", "-1", "/app/a", "HTTP/1.1"] and good[0] != bad[0]
    assert bad[6:11] == ["404", "-", "-", "-", "GET /none HTTP/1.1"] and bad[4] == "-"
    with socket.create_connection(("127.0.0.1", instance.port("raw")), 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(65536)
    until(lambda: len(instance.access_log.read_text().splitlines()) == 3, "the relay's line")
    relay = clb_lines(instance)[2]
    assert relay[2] == "TCP" and relay[6] == "-" and relay[9] == "raw" and relay[28] == "-"
