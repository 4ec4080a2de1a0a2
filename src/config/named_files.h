/* SPDX-License-Identifier: Apache-2.0 */
/* named_files — the files that a configuration names, and what its keys are for. */
#pragma once

#include "config/config.h"

/* A key's engine says who is given it: the signer, or, where libssl speaks TLS, the workers. */
enum named_file_kind { NAMED_PUBLIC, NAMED_KEY, NAMED_WORKER_KEY, NAMED_CRL, NAMED_KIND_COUNT };
/* Call FN for each file that C names, in a fixed order. */
typedef void named_file_fn(void *owner, const struct config_file *file, enum named_file_kind kind);
void named_files_each(const struct config *c, named_file_fn *fn, void *owner);

/* A key's file, and that of its passphrase, whose path may be NULL. */
struct named_key {
    const struct config_file *file, *passphrase;
};
/* What it is called between processes: the same for all who use it. To be freed. */
char *named_files_key_name(const struct named_key *k) MUST_USE;

/* What a key is used for. */
enum named_key_use {
    NAMED_KEY_SERVER = 1 << 0,
    NAMED_KEY_RSA_TRANSPORT = 1 << 1, /* of a listener with key_exchange: rsa */
    NAMED_KEY_CLIENT = 1 << 2,
};
/* Call FN for each use of a key that the signer has, USES being a set of these. */
typedef void named_key_fn(void *owner, const struct named_key *key, unsigned uses);
/* Do workers have the keys of policies with this engine, and not the signer? libssl needs them; our
 * own engine has them there only in a program that was built to measure what the signer costs. */
bool named_files_are_workers(enum config_engine engine);

void named_files_each_key(const struct config *c, named_key_fn *fn, void *owner);
