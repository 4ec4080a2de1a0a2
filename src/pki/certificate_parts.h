/* SPDX-License-Identifier: Apache-2.0 */
/* certificate_parts — what the files of certificate*.c share. */
#pragma once

#include "pki/certificate.h"

/* Fills ERR with "malformed certificate: WHY"; returns -1. */
int certificate_refuse(struct error *err, const char *why);

/* The extensions, which are the content of the SEQUENCE OF Extension. The names of F->names are
 * allocated with mem_alloc. */
int certificate_read_extensions(
    struct certificate_facts *f, struct bytes extensions, struct error *err) MUST_USE;

/* What RFC 5280 forbids of what was read: a set of CERTIFICATE_FLAW_BIT, to which the extensions
 * have added theirs. */
unsigned certificate_find_flaws(const struct certificate_facts *f);
