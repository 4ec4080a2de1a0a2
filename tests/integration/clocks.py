# SPDX-License-Identifier: Apache-2.0
"""Instances whose clocks a test sets (clock.c), while they run and nothing else notices."""
import mmap
import pathlib
import shutil
import struct

from instance import BINARY, Instance

PROGRAM = pathlib.Path(BINARY).resolve().parent / "tests/integration/sallyport-clock"
HOUR, DAY = 3600, 86400
YEARS = 3653 * DAY  # ten of them


class ClockedInstance(Instance):
    """.wall and .monotonic: by how many seconds its clocks are ahead of the machine's."""

    def __init__(self, folder, config, **kw):
        program = pathlib.Path(folder) / "sallyport"
        shutil.copy(PROGRAM, program)
        file = program.with_name("sallyport.clock")
        file.write_bytes(bytes(16))
        with open(file, "r+b") as f:
            self.clocks = mmap.mmap(f.fileno(), 16)
        super().__init__(folder, config, binary=program, **kw)

    def _get(self, at):
        return struct.unpack_from("=q", self.clocks, at)[0]

    def _set(self, at, seconds):
        struct.pack_into("=q", self.clocks, at, int(seconds))

    wall = property(lambda self: self._get(0), lambda self, seconds: self._set(0, seconds))
    monotonic = property(lambda self: self._get(8), lambda self, seconds: self._set(8, seconds))
