/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl_files — CRL files on their way into a generation's archive: compiled (pki/crl.h), and never
 * older than those in force.
 *
 * Runs in the loader and in `sallyport check`. A CRL that is older than the one in force of the
 * same issuer and scope is replaced by it: whoever can put an old file in place of a new one does
 * not bring back those who were revoked since. What is in force is what the generation before has;
 * a restart remembers nothing.
 */
#pragma once

#include "config/load.h"

struct crl_files {
    struct bytes in_force; /* the public archive of the generation in force, or empty */
    struct report *report; /* gets warnings */
};

/* A load_crls_fn; OWNER is a struct crl_files. */
int crl_files_load(void *owner, const struct config_file *file, struct bytes content,
    struct buf *out, struct error *err) MUST_USE;
