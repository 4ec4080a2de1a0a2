/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock — the kernel's interface, landlock(7), as of version 6. The headers of Debian 12 know
 * version 2; the running kernel may know more.
 */
#pragma once

#include <stdint.h>

#define LANDLOCK_VERSION          1 /* a flag: ask for the version */
#define LANDLOCK_RULE_PATH        1

#define LANDLOCK_EXECUTE          (1ULL << 0)
#define LANDLOCK_WRITE_FILE       (1ULL << 1)
#define LANDLOCK_READ_FILE        (1ULL << 2)
#define LANDLOCK_READ_DIR         (1ULL << 3)
#define LANDLOCK_REMOVE_FILE      (1ULL << 5)
#define LANDLOCK_MAKE_DIR         (1ULL << 7)
#define LANDLOCK_MAKE_REG         (1ULL << 8)
#define LANDLOCK_FILES_1          ((1ULL << 13) - 1) /* all of version 1 */
#define LANDLOCK_REFER            (1ULL << 13)
#define LANDLOCK_TRUNCATE         (1ULL << 14)
#define LANDLOCK_IOCTL_DEV        (1ULL << 15)

#define LANDLOCK_BIND_TCP         (1ULL << 0)
#define LANDLOCK_CONNECT_TCP      (1ULL << 1)
#define LANDLOCK_ABSTRACT_SOCKETS (1ULL << 0)
#define LANDLOCK_SIGNALS          (1ULL << 1)

/* Older kernels take the longer struct, as long as what they do not know is 0. */
struct landlock_rules {
    uint64_t files, tcp, scoped;
};

struct landlock_path {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));
