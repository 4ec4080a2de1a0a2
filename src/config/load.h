/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load — a configuration file with everything that it names, read into memory: the one place that
 * opens these files. Runs in the loader (with the supervisor's privileges) and in `sallyport
 * check`.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"

#define LOAD_CONFIG_MAX (4u << 20)
#define LOAD_FILE_MAX   (64u << 20) /* one certificate, key, CRL or OCSP file */
#define LOAD_TOTAL_MAX  (512u << 20)

struct loaded {
    struct config *config;
    struct buf archive; /* public, see config/archive.h */
    struct buf keys;    /* wiped by loaded_fini */
};

/* -1 if REPORT got an error: a file missing, unreadable, empty or too large is reported at the key
 * that names it. */
int load_file(const char *path, struct loaded *out, struct report *report) MUST_USE;
void loaded_fini(struct loaded *l);
