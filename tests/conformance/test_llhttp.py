# SPDX-License-Identifier: Apache-2.0
"""llhttp's strict parsing vectors against our HTTP/1 codec.

Where we decide otherwise, llhttp_deviations.json says so, with a reason; an entry that no longer holds fails.

The vectors are fragments: most lack Host, without which HTTP/1.1 requests are refused, and some have a fragment in their
target. So that they still test what they are about, they get a Host line and lose the fragment (`adapted`). The empty line
at the end of a stream is the closing line of the document that the vectors come from: nothing is begun by it.
"""

import json
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITE = pathlib.Path(os.environ.get("SALLYPORT_SUITES", ROOT.parent / "shared" / "suites")) / "llhttp.json"

# What our codec may answer where llhttp reports an error.
ANSWERS = {
    "Content-Length can't be present with Transfer-Encoding": {"length_with_coding"},
    "Content-Length overflow": {"bad_content_length"},
    "Data after `Connection: close`": {"data after close"},
    "Duplicate Content-Length": {"conflicting_lengths"},
    "Empty Content-Length": {"bad_content_length"},
    "Expected CRLF after version": {"bare_lf", "bare_cr"},
    "Expected HTTP/, RTSP/ or ICE/": {"bad_request_line", "bad_status_line", "bad_target"},
    "Expected LF after CR": {"bare_cr"},
    "Expected LF after chunk data": {"bad_chunk_end"},
    "Expected LF after chunk size": {"bare_cr"},
    "Expected LF after headers": {"bare_cr"},
    "Expected SOURCE method for ICE/x.x request": {"bad_request_line"},
    "Expected dot": {"bad_status_line"},
    "Expected space after method": {"bad_method"},
    "Expected space after version": {"bad_status_line", "bare_cr"},
    "Invalid HTTP version": {"bad_version"},
    "Invalid `Transfer-Encoding` header value": {"bad_coding"},
    "Invalid char in url path": {"bad_target"},
    "Invalid character in Content-Length": {"bad_content_length"},
    "Invalid character in chunk extensions": {"bad_chunk_extension"},
    "Invalid character in chunk extensions quoted value": {"bad_chunk_extension"},
    "Invalid character in chunk size": {"bad_chunk_size", "bare_lf"},
    "Invalid header field char": {"space_before_colon"},
    "Invalid header token": {"bad_field_name", "bare_cr"},
    "Invalid header value char": {"control_byte", "bare_lf"},
    "Invalid method for HTTP/x.x request": {"bad_method"},
    "Invalid method for RTSP/x.x request": {"bad_request_line"},
    "Invalid status code": {"bad_status"},
    "Missing expected CR after header value": {"bare_lf"},
    "Missing expected CR after response line": {"bare_lf"},
    "Missing expected LF after header value": {"bare_cr"},
    "Pause on CONNECT/Upgrade": {"upgrades"},
    "Pause on PRI/Upgrade": {"upgrades"},
    "Request has invalid `Transfer-Encoding`": {"unknown_coding"},
    "Transfer-Encoding can't be present with Content-Length": {"length_with_coding"},
    "Unexpected space after start line": {"obs_fold"},
    "Unexpected whitespace after header value": {"obs_fold"},
}


def load_vectors():
    if not SUITE.exists():
        return []
    return [vector for vector in json.loads(SUITE.read_text()) if not vector["lenient"]]


def name_of(vector):
    return f"{vector['kind']} {vector['id']}"


VECTORS = load_vectors()
DEVIATIONS = {entry["case"]: entry for entry in json.loads((HERE / "llhttp_deviations.json").read_text())}


@pytest.fixture(scope="session")
def driver():
    named = os.environ.get("SALLYPORT_HTTP1_DRIVER")
    path = pathlib.Path(named) if named else ROOT / "build" / "tests" / "conformance" / "http1_driver"
    assert path.exists(), f"{path} is missing: build it, or name it in SALLYPORT_HTTP1_DRIVER"
    return path


def read_stream(driver, kind, stream):
    """The driver's lines: what (message, fault, incomplete, rest), offset, and the rest of the line."""
    done = subprocess.run([driver, kind], input=stream, capture_output=True, timeout=10)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    lines = [line.split(" ") for line in done.stdout.decode().splitlines()]
    return [(what, int(begin), more) for what, begin, *more in lines]


def adapted(stream, begin, token):
    """STREAM with a Host line, or without the fragment, in the request at BEGIN; None if that is not what is wrong."""
    start = begin + len(stream[begin:]) - len(stream[begin:].lstrip(b"\r\n"))
    end = stream.find(b"\r\n", start)
    line = stream[start:end]
    if token == "missing_host":
        return stream[: end + 2] + b"Host: example.com\r\n" + stream[end + 2 :]
    if token == "bad_target" and b"#" in line:
        target, version = line.rsplit(b" ", 1)
        return stream[:start] + target.split(b"#")[0] + b" " + version + stream[end:]
    return None


def answer(driver, vector):
    """A fault's token, "upgrades", "data after close" or "accepted"."""
    stream = vector["raw"].encode()
    while True:
        lines = read_stream(driver, vector["kind"], stream)
        assert lines, "the driver said nothing"
        what, begin, more = lines[-1]
        is_about_target = vector["id"].startswith("uri::")
        changed = adapted(stream, begin, more[0]) if what == "fault" else None
        if changed is None or (is_about_target and more[0] != "missing_host"):
            break
        stream = changed
    is_only_line_ends = begin > 0 and not stream[begin:].strip(b"\r\n")
    if what == "fault" and not is_only_line_ends:
        return more[0]
    if any("upgrades" in flags for kind, _, flags in lines if kind == "message"):
        return "upgrades"
    return "data after close" if what == "rest" and not is_only_line_ends else "accepted"


@pytest.mark.parametrize("vector", VECTORS, ids=[name_of(vector) for vector in VECTORS])
def test_vector(driver, vector):
    got = answer(driver, vector)
    wanted = {"accepted"} if vector["expected"] == "OK" else ANSWERS[vector["error"]]
    deviation = DEVIATIONS.get(name_of(vector))
    if deviation:
        assert got not in wanted, "no deviation any more: remove it from llhttp_deviations.json"
        assert got == deviation["answer"]
        assert deviation["reason"]
    else:
        assert got in wanted


def test_suite_is_there():
    if not VECTORS:
        message = f"{SUITE} is missing: put the suites there, or name their folder in SALLYPORT_SUITES"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.mark.skipif(not VECTORS, reason="without the suite")
def test_every_deviation_is_about_a_vector():
    assert set(DEVIATIONS) <= {name_of(vector) for vector in VECTORS}
