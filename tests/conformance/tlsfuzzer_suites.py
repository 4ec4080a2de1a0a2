# SPDX-License-Identifier: Apache-2.0
"""tlsfuzzer_suites.py SCRIPT [ARGUMENT…]: a script of tlsfuzzer that offers suites with AES-GCM where it says AES-CBC.

Most scripts for TLS 1.2 have TLS_RSA_WITH_AES_128_CBC_SHA or its sister with ECDHE written in, although they are about something else:
without this, nothing of them would get beyond the refusal of ClientHello.
"""
import re
import runpy
import sys

from tlslite.constants import CipherSuite

CBC = re.compile(r"(TLS_(?:RSA|ECDHE_RSA|ECDHE_ECDSA)_WITH_AES_)(128|256)_CBC_SHA\d*")
GCM = {"128": "128_GCM_SHA256", "256": "256_GCM_SHA384"}

for name in dir(CipherSuite):
    if suite := CBC.fullmatch(name):
        setattr(CipherSuite, name, getattr(CipherSuite, suite[1] + GCM[suite[2]]))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
