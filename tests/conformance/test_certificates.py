# SPDX-License-Identifier: Apache-2.0
"""Certificates of x509-limbo, BetterTLS and NIST PKITS against `sallyport verify --batch`.

Where we decide otherwise, certificate_deviations.json says so: a pattern of cases, our answer, and the argument. An entry
that no longer holds fails.
"""

import fnmatch
import json
import os
import pathlib
import subprocess
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITES = pathlib.Path(os.environ.get("SALLYPORT_SUITES", ROOT.parent / "shared" / "suites"))
NAMES = ["limbo-sample.jsonl", "pkits.jsonl"]
DEVIATIONS = json.loads((HERE / "certificate_deviations.json").read_text())

# Some cases are built to take long.
SECONDS_A_CASE_MAX = 1


@pytest.fixture(scope="module")
def sallyport():
    path = pathlib.Path(os.environ.get("SALLYPORT", ROOT / "build" / "sallyport"))
    assert path.exists(), f"{path} is missing: build it, or name it in SALLYPORT"
    return path


def is_suite_there():
    return all((SUITES / name).exists() for name in NAMES)


def test_suites_are_there():
    if not is_suite_there():
        message = f"{SUITES} lacks {' or '.join(NAMES)}: put them there, or name their folder in SALLYPORT_SUITES"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


def deviation_of(case):
    return next((entry for entry in DEVIATIONS if fnmatch.fnmatchcase(case["id"], entry["cases"])), None)


def judge(case, answer):
    """What is wrong with ANSWER, or None."""
    wants = case["expected_result"] == "SUCCESS"
    deviation = deviation_of(case)
    if answer["id"] != case["id"]:
        return f"answered as {answer['id']}"
    if deviation is None:
        return None if answer["accepted"] == wants else f"{answer['reason']}: {answer['factors']['trust']['detail']}"
    if answer["accepted"] == wants:
        return "no deviation any more: remove it from certificate_deviations.json"
    return None if answer["reason"] == deviation["answer"] else f"{answer['reason']}, not {deviation['answer']}"


def ask(sallyport, lines):
    """The answer to each line, and the seconds that it took."""
    batch = [sallyport, "verify", "--batch", "-"]
    with subprocess.Popen(batch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in lines:
            begin = time.monotonic()
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            yield json.loads(answer), time.monotonic() - begin
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0 and not out and not err, err.decode()


@pytest.mark.skipif(not is_suite_there(), reason="without the suites")
@pytest.mark.parametrize("name", NAMES)
def test_suite(sallyport, name):
    lines = (SUITES / name).read_text().splitlines()
    wrong, slow = {}, {}
    for line, (answer, seconds) in zip(lines, list(ask(sallyport, lines))):
        case = json.loads(line)
        if fault := judge(case, answer):
            wrong[case["id"]] = fault
        if seconds > SECONDS_A_CASE_MAX:
            slow[case["id"]] = seconds
    assert not wrong
    assert not slow


@pytest.mark.skipif(not is_suite_there(), reason="without the suites")
def test_every_deviation_is_about_a_case_and_argued():
    ids = [json.loads(line)["id"] for name in NAMES for line in (SUITES / name).read_text().splitlines()]
    for entry in DEVIATIONS:
        assert fnmatch.filter(ids, entry["cases"]), entry["cases"]
        assert len(entry["reason"]) > 100, entry["cases"]
