#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""text — what is in no file, and what is in each."""
import re

import source

FOLDERS = "src", "tests", "packaging", "docs", "etc", "bench", ".ci"
LICENSED = {".c", ".h", ".def", ".py", ".sh"}
NOWHERE = [
    (re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"), "finish it, or open an issue and leave no mark"),
    (re.compile(r"(?<![\w.}>])/(?:home|root|work|Users)/"), "a path of somebody's machine"),
]
IN_C = [
    (re.compile(r"(?:^|[;{}),])\s*//"), "comments are /* … */"),
    (re.compile(r"\s$"), "space at the end of the line"),
]


def check_lines(path, lines, patterns):
    for number, line in enumerate(lines, 1):
        for pattern, message in patterns:
            found = pattern.search(line)
            if found:
                source.fault(path, number, f"'{found.group().strip()}': {message}")


def check_file(path):
    try:
        lines = source.text(path).splitlines()
    except UnicodeDecodeError:
        return
    check_lines(path, lines, NOWHERE)
    if path.suffix in LICENSED and not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
        source.fault(path, 1, "no SPDX-License-Identifier: Apache-2.0")
    if path.suffix in {".c", ".h"}:
        check_lines(path, lines, IN_C)
    if path.suffix == ".c" and path.parts[0] == "src":
        includes = [(number, line) for number, line in enumerate(lines, 1) if line.startswith("#include \"")
                    and line.split('"')[1].endswith(".h")]
        if not includes or includes[-1][1] != '#include "base/ban.h"':
            source.fault(path, includes[-1][0] if includes else 1, 'the last include is "base/ban.h"')


for folder in FOLDERS:
    for path in sorted((source.ROOT / folder).rglob("*")):
        relative = path.relative_to(source.ROOT)
        if path.is_file() and not {"corpus", "__pycache__"} & set(relative.parts):
            check_file(relative)
for path in sorted(source.ROOT.glob("*")):
    if path.is_file() and path.name != ".git":  # of a worktree, where it lies
        check_file(path.relative_to(source.ROOT))
source.finish()
