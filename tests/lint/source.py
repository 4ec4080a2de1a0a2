# SPDX-License-Identifier: Apache-2.0
"""source — what the lints share: the files of the tree, the functions in them, the list of exceptions, messages.

A lint is a script that takes the root of the tree (default: this one), prints `FILE:LINE: message` for each fault and
exits 1 if there was one.
"""
import fnmatch
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-")
                    else pathlib.Path(__file__).parents[2]).resolve()
ALLOW = "tests/lint/allow.txt"
FAULTS = []


def files(*folders, suffixes):
    """Paths relative to ROOT of the files below FOLDERS whose suffix is one of SUFFIXES."""
    return [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*"))
            if path.suffix in suffixes and path.is_file()]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def functions(*folders):
    """Every C function that is defined below FOLDERS, as ctags describes it: name, path, line, end, signature, file."""
    paths = [str(path) for path in files(*folders, suffixes={".c", ".h"})]
    if not paths:
        return []
    out = subprocess.run(
        ["ctags", "--options=NONE", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=+neSf",
         "--output-format=json", "-I", "PRINTF+,MUST_USE,NORETURN", "-D", "TEST(name)=static void test_ ## name(void)",
         "-o", "-", *paths], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def fault(path, line, message):
    FAULTS.append(f"{path}:{line}: {message}")


class Allowed:
    """The exceptions of one lint: lines `LINT FILE SUBJECT reason` of allow.txt; FILE and SUBJECT may hold `*`."""

    def __init__(self, lint):
        self.rows = []
        lines = text(ALLOW).splitlines() if (ROOT / ALLOW).exists() else []
        for number, line in enumerate(lines, 1):
            words = line.split(maxsplit=3)
            if not words or words[0].startswith("#") or words[0] != lint:
                continue
            if len(words) < 4:
                fault(ALLOW, number, "an exception needs a reason: LINT FILE SUBJECT reason")
                continue
            self.rows.append([number, words[1], words[2], False])

    def __call__(self, path, subject):
        found = False
        for row in self.rows:
            if fnmatch.fnmatchcase(str(path), row[1]) and fnmatch.fnmatchcase(subject, row[2]):
                row[3] = found = True
        return found

    def check_stale(self):
        for number, path, subject, used in self.rows:
            if not used:
                fault(ALLOW, number, f"stale: nothing needs the exception of {subject} in {path}")


def finish():
    for line in FAULTS:
        print(line)
    sys.exit(1 if FAULTS else 0)
