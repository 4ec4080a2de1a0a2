#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""denied CALL,… COMMAND…: execute COMMAND on a kernel that has none of the system calls CALL,…."""
import errno
import os
import sys

import seccomp

if __name__ == "__main__":
    f = seccomp.SyscallFilter(seccomp.ALLOW)
    for call in sys.argv[1].split(","):
        f.add_rule(seccomp.ERRNO(errno.ENOSYS), call)
    f.load()
    os.execv(sys.argv[2], sys.argv[2:])
