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

# Ten thousand cases in ten seconds are asked of a release build; the sanitizers take five times that.
SECONDS_A_CASE = 0.005


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


@pytest.mark.skipif(not is_suite_there(), reason="without the suites")
@pytest.mark.parametrize("name", NAMES)
def test_suite(sallyport, name):
    cases = [json.loads(line) for line in (SUITES / name).read_text().splitlines()]
    begin = time.monotonic()
    done = subprocess.run([sallyport, "verify", "--batch", SUITES / name], capture_output=True, timeout=60)
    took = time.monotonic() - begin
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    wrong = {case["id"]: fault for case, answer in zip(cases, answers) if (fault := judge(case, answer))}
    assert not wrong
    assert took < SECONDS_A_CASE * len(cases)


@pytest.mark.skipif(not is_suite_there(), reason="without the suites")
def test_every_deviation_is_about_a_case_and_argued():
    ids = [json.loads(line)["id"] for name in NAMES for line in (SUITES / name).read_text().splitlines()]
    for entry in DEVIATIONS:
        assert fnmatch.filter(ids, entry["cases"]), entry["cases"]
        assert len(entry["reason"]) > 100, entry["cases"]
