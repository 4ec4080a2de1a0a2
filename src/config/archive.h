/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive — named byte strings in one run of bytes: what a generation carries of the files that a
 * configuration names.
 *
 * A generation has two: the public one (the configuration's text under ARCHIVE_CONFIG,
 * certificates, CRLs, …) and the keys. Reading is zero-copy and bounds-checked; names are absolute
 * paths.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define ARCHIVE_CONFIG        "config"      /* the text */
#define ARCHIVE_CONFIG_FILE   "config.file" /* its name in messages */
#define ARCHIVE_CONFIG_FOLDER "config.folder"
/* Only if names of targets are to be resolved and the system has them. */
#define ARCHIVE_HOSTS       "/etc/hosts"
#define ARCHIVE_RESOLV_CONF "/etc/resolv.conf"

/* What the control API adds to the file. It proposes an archive of its own (api/render.h) with
 * its text as ARCHIVE_CONFIG and the files that the text names, all of them under ARCHIVE_API;
 * these names stand for no file. In the public archive the text is ARCHIVE_API_CONFIG. */
#define ARCHIVE_API        "api:/"
#define ARCHIVE_API_CONFIG "config.api"
/* Of a proposal, so that control knows it again. */
#define ARCHIVE_API_DIGEST "config.api.digest"
/* In a proposal only: see control/objects.h. */
#define ARCHIVE_OBJECTS "objects"

/* CRLs stand under this and their path, in the form that workers use (pki/crl.h). */
#define ARCHIVE_CRL "crl:"

/* Append an entry. -1 if OUT has no room. */
int archive_add(struct buf *out, const char *name, struct bytes content) MUST_USE;
/* The parts of archive_add, for whoever has the content in a file: what goes ahead of N octets of
 * it. */
int archive_begin(struct buf *out, const char *name, size_t n) MUST_USE;
/* Take the entry at the front off *ARCHIVE; false if there is none. */
bool archive_next(struct bytes *archive, struct bytes *name, struct bytes *content);
/* The content of NAME, or a slice with .at == NULL. */
struct bytes archive_find(struct bytes archive, const char *name);
/* The same for the CRLs of the file PATH. */
int archive_add_crls(struct buf *out, const char *path, struct bytes content) MUST_USE;
struct bytes archive_find_crls(struct bytes archive, const char *path);
/* The content of the next entry of *ARCHIVE that holds CRLs, which is taken off it with all before;
 * .at == NULL if there is none. */
struct bytes archive_next_crls(struct bytes *archive);
