/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load — a configuration file with everything that it names, read into memory: the one place that
 * opens these files. Runs in the loader (with the supervisor's privileges) and in `sallyport
 * check`.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "config/named_files.h"

#define LOAD_CONFIG_MAX (4u << 20)
#define LOAD_FILE_MAX   (64u << 20)  /* one certificate, key or OCSP file */
#define LOAD_CRL_MAX    (256u << 20) /* one CRL file */
#define LOAD_API_MAX    (64u << 20)  /* all that the API adds */
#define LOAD_TOTAL_MAX  (512u << 20)

struct loaded {
    struct config *config;
    struct buf archive; /* public, see config/archive.h */
    struct buf keys;    /* unless they were taken by load_keys; wiped by loaded_fini */
};

/* What becomes of CRL files: FN appends to OUT what workers are to have of FILE, whose CONTENT is
 * given (pki/ knows how; this layer does not). -1 and ERR if that cannot be done. */
typedef int load_crls_fn(void *owner, const struct config_file *file, struct bytes content,
    struct buf *out, struct error *err);
struct load_crls {
    load_crls_fn *fn;
    void *owner;
};

/* What becomes of key files where this process is not to see them: FN is given FILE, open as FD and
 * of SIZE octets, once for each kind that it is named as. -1 and ERR if it cannot take it. */
typedef int load_key_fn(void *owner, const struct config_file *file, enum named_file_kind kind,
    int fd, size_t size, struct error *err);
/* The same for a key of the API, whose CONTENT is sealed (crypto/sealed.h). */
typedef int load_sealed_key_fn(
    void *owner, const struct config_file *file, struct bytes content, struct error *err);
struct load_keys {
    load_key_fn *fn;
    load_sealed_key_fn *sealed_fn;
    void *owner;
};

/* Where what the API adds to the file comes from. */
struct load_api {
    struct bytes proposal; /* an archive (config/archive.h); .at NULL: the exported generation */
    bool may_be_without;   /* an exported generation that cannot be used is only warned about */
};
/* The exported generation, and what the API's keys are sealed with, in state.dir. */
#define LOAD_GENERATION  "control/generation"
#define LOAD_SEALING_KEY "sealing.key"

/* API may be NULL: then it adds nothing. KEYS may be NULL: then they are read. -1 if REPORT got an
 * error: a file missing, unreadable, empty or too large is reported at the key that names it. */
int load_file(const char *path, const struct load_api *api, const struct load_crls *crls,
    const struct load_keys *keys, struct loaded *out, struct report *report) MUST_USE;
void loaded_fini(struct loaded *l);
