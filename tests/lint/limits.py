#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""limits — the hard limits on sizes. Aim at 40 lines a function, 500 a file, 150 a header, 4 parameters."""
import source

FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
FILE_LINES_MAX = {".c": 1000, ".h": 250}

allowed = source.Allowed("limits")


def check(value, limit, path, line, subject, what):
    if value > limit and not allowed(path, subject):
        source.fault(path, line, f"{subject} has {value} {what}, more than {limit}")


def parameters(signature):
    """How many: the commas that are in no inner parentheses (those of function pointers)."""
    depth = count = 0
    for c in signature:
        depth += (c == "(") - (c == ")")
        count += c == "," and depth == 1
    return 0 if signature in ("()", "(void)") else count + 1


for path in source.files("src", "tests", suffixes=FILE_LINES_MAX):
    check(source.text(path).count("\n"), FILE_LINES_MAX[path.suffix], path, 1, path.name, "lines")
for function in source.functions("src", "tests"):
    where = function["path"], function["line"], function["name"]
    check(function["end"] - function["line"] + 1, FUNCTION_LINES_MAX, *where, "lines")
    check(parameters(function["signature"]), PARAMETERS_MAX, *where, "parameters")
allowed.check_stale()
source.finish()
