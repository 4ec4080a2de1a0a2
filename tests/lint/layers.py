#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""layers — who may include whom (docs/architecture.md)."""
import re

import source

BELOW = {
    "base": "",
    "crypto": "base",
    "pki": "base crypto",
    "tls": "base crypto pki",
    "io": "base",
    "proto": "base",
    "config": "base",
    "balance": "base crypto pki tls io proto config",
    "proxy": "base crypto pki tls io proto config balance",
    "control": "base crypto pki tls io proto config balance proxy",
    "api": "base crypto pki tls io proto config balance proxy control",
    "role": "base crypto pki tls io proto config balance proxy control api",
    "cli": "base crypto pki tls io proto config balance proxy control api",
    "main.c": "base crypto cli role",
}
OPENSSL = re.compile(r"src/crypto/.*|src/tls/engine_openssl(_\w+)?\.[ch]")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]*)"|<(openssl/|intel-ipsec-mb))', re.M)

for path in source.files("src", suffixes={".c", ".h", ".def"}):
    layer = path.parts[1]
    if layer not in BELOW:
        source.fault(path, 1, f"src/{layer} is no layer; layers: {' '.join(BELOW)}")
        continue
    text = source.text(path)
    for include in INCLUDE.finditer(text):
        ours, openssl = include.groups()
        line = text.count("\n", 0, include.start()) + 1 + include.group().count("\n")
        if openssl:
            if not OPENSSL.fullmatch(str(path)):
                source.fault(path, line, "only src/crypto/ and src/tls/engine_openssl include <openssl/…> or libIPSec_MB")
        elif "/" not in ours or ".." in ours:
            source.fault(path, line, f'"{ours}": includes are spelled with the layer, "io/loop.h"')
        elif ours.split("/")[0] not in BELOW[layer].split() + [layer]:
            source.fault(path, line, f"{layer} may not include {ours}; it may: {BELOW[layer] or 'nothing'}")
source.finish()
