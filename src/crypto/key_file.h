/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_file — the file that a configuration names as a key, in any form: a private key, encrypted or
 * not, or PKCS#12, which has the certificates, too.
 *
 * Memory: wiped by key_file_fini.
 */
#pragma once

#include "base/buf.h"
#include "crypto/private_key.h"

struct key_file {
    struct private_key *key;
    struct buf certificates; /* of PKCS#12, in PEM, the key's own first; else empty */
};

/* PASSPHRASE: what its file holds, of which the first line counts; .at is NULL if none is named. -1
 * with the remedy. */
int key_file_read(
    struct bytes file, struct bytes passphrase, struct key_file *out, struct error *err) MUST_USE;
void key_file_fini(struct key_file *f);
