#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""names — external functions begin with the stem of their file.

FILE.c defines FILE_verb; so does FILE_VARIANT.c beside FILE.h. No symbol begins with tls_ or ssl_, which libssl's static
library exports.
"""
import pathlib

import source

allowed = source.Allowed("names")


def stems(path):
    """The stem of PATH, and those of the headers beside it that it is a variant of."""
    headers = [header.stem for header in (source.ROOT / path).parent.glob("*.h")]
    return [path.stem] + [stem for stem in headers if path.stem.startswith(stem + "_")]


def is_named_after(name, stem):
    return name == stem or name.startswith(stem + "_")


for function in source.functions("src"):
    path, name = pathlib.Path(function["path"]), function["name"]
    where = path, function["line"]
    if function.get("file") or name == "main":
        continue
    if name.startswith(("tls_", "ssl_")):
        source.fault(*where, f"{name}: symbols that begin with tls_ or ssl_ are libssl's")
    elif path.suffix == ".c":
        if not any(is_named_after(name, stem) for stem in stems(path)) and not allowed(path, name):
            source.fault(*where, f"external function {name} does not begin with {path.stem}_")
allowed.check_stale()
source.finish()
