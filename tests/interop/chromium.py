# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window: a home of its own with an NSS database, and a policy that picks the client certificate."""
import contextlib
import json
import os
import re
import signal
import subprocess
import zlib

QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-proxy-server", "--disable-dev-shm-usage", "--enable-logging=stderr"]
# The policy lies where Chromium looks for it only in the browser's own view of the file system: nothing in /etc changes.
IN_OUR_ETC = 'mount --bind "$0" /etc/chromium && exec "$@"'
PATIENCE = 60


class Browser:
    def __init__(self, folder, ca, certificate=None):
        self.folder, self.runs = folder, 0
        self.policies = folder / "etc"
        (self.policies / "policies/managed").mkdir(parents=True)
        choose = json.dumps({"pattern": "*", "filter": {}})
        (self.policies / "policies/managed/interop.json").write_text(json.dumps({"AutoSelectCertificateForUrls": [choose]}))
        database = folder / "home/.pki/nssdb"
        database.mkdir(parents=True)
        self.nss("certutil", "-N", "--empty-password")
        self.nss("certutil", "-A", "-n", "ca", "-t", "C,,", "-i", ca.crt)
        if certificate:
            self.nss("pk12util", "-i", certificate.p12, "-w", certificate.password_file)

    def nss(self, *command):
        subprocess.run([*map(str, command), "-d", f"sql:{self.folder}/home/.pki/nssdb"], check=True, capture_output=True)

    def run(self, *args):
        """What Chromium prints: the page if asked for, and its log."""
        self.runs += 1
        own = [] if os.getuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--mount", *own, "sh", "-c", IN_OUR_ETC, self.policies, "chromium", *QUIET,
                   f"--user-data-dir={self.folder}/profile{self.runs}", *args]
        home = str(self.folder / "home")
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                   env={**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}, start_new_session=True)
        try:
            return process.communicate(timeout=PATIENCE)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the session is the browser's own
            process.wait()

    def page(self, url, *args):
        """The document at URL, or the error that kept it away."""
        said = self.run("--dump-dom", *args, url)
        failed = re.search(r"Page load failed: (net::\w+)", said)
        return failed[1] if failed else said

    def screenshot(self, url, file, size=(900, 600)):
        self.run(f"--screenshot={file}", f"--window-size={size[0]},{size[1]}", url)
        return file


def corner_colour(png):
    """(red, green, blue) of the first pixel: in the first row, no filter of PNG's changes it."""
    data, at, packed = png.read_bytes(), 8, b""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return tuple(zlib.decompress(packed)[1:4])
