/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_store — the keys of a generation as the signer keeps them: a secret store, from which a
 * signer that is started again has the very same keys, whatever has become of their files; and a
 * public table, from which workers know whom to ask for which.
 *
 * Both are archives (config/archive.h) by the names of the keys (named_files_key_name), in the same
 * order. No I/O.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "crypto/private_key.h"
#include "pki/credential.h"

/* Make both from a generation's public archive and the key files that its configuration names. A
 * key that cannot be used stands in the table with the reason. -1 with ERR: out of bounds. */
int key_store_make(struct bytes archive, struct bytes keys, struct buf *store, struct buf *table,
    struct error *err) MUST_USE;

/* Take the next key off *STORE; ALLOWED: what it may be asked for (tls/signing.h). NULL: none is
 * left. */
struct private_key *key_store_next(struct bytes *store, unsigned *allowed) MUST_USE;

/* What TABLE says of the key NAME. False: nothing. The handle's office is the caller's to
 * fill in, and so is its store. */
bool key_store_find(struct bytes table, const char *name, struct held_key *out);
