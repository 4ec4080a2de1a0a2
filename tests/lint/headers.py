#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""headers — every header compiles alone."""
import concurrent.futures
import os
import subprocess

import source

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Isrc", "-Itests/unit", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
         "-Wno-unused-function", "-Wno-unused-variable", "-fsyntax-only", "-x", "c", "-"]


def compile_alone(path):
    return subprocess.run(["gcc", *FLAGS], input=f'#include "{source.ROOT / path}"\n', cwd=source.ROOT, text=True,
                          capture_output=True)


headers = source.files("src", "tests", suffixes={".h"})
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, result in zip(headers, pool.map(compile_alone, headers)):
        if result.returncode:
            why = next((line for line in result.stderr.splitlines() if "error:" in line), result.stderr)
            source.fault(path, 1, f"does not compile alone: {why}")
source.finish()
