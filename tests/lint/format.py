#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""format — C is laid out by clang-format 14, as Debian 12 has it. With --write: lay it out."""
import re
import subprocess
import sys

import source

paths = [str(path) for path in source.files("src", "tests", suffixes={".c", ".h"})]
how = ["-i"] if "--write" in sys.argv else ["--dry-run", "-Werror"]
out = subprocess.run(["clang-format-14", *how, *paths], cwd=source.ROOT, capture_output=True, text=True)
first_lines = {}
for path, line in re.findall(r"^(.*?):(\d+):\d+: error:", out.stderr, re.M):
    first_lines.setdefault(path, line)
for path, line in first_lines.items():
    source.fault(path, line, "not as clang-format lays it out; run `make fmt`")
if out.returncode and not source.FAULTS:
    sys.exit(out.stderr)
source.finish()
