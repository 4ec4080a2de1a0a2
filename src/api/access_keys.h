/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_keys — who may use the control API: SecretIds, what they may do, and the SecretKeys that
 * requests are signed with.
 *
 * HMAC needs the key itself, so a hash of it would be of no use; but no key is kept, either. A
 * SecretKey is derived (HKDF-SHA256) of its SecretId and one secret of the installation:
 *
 *   STATE/api-keys          a line of JSON for each key made or revoked; only ever appended to
 *   STATE/api-keys.secret   ACCESS_KEYS_SECRET_SIZE random octets
 *
 * Both are their owner's alone (0600); the control process is given them open, and reads the list
 * again when it has grown. Processes: control; supervisor and command line open and write.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"

#define ACCESS_KEYS_SECRET_SIZE 32
#define ACCESS_KEYS_LIST_MAX    (1u << 20) /* bytes */
#define ACCESS_KEY_ID_SIZE      37         /* "AKID", 32 of [A-Za-z0-9], and a NUL */
#define ACCESS_KEY_SECRET_SIZE  41         /* 40 of [0-9a-f], and a NUL */

struct access_key {
    char id[ACCESS_KEY_ID_SIZE];
    bool may_write, is_revoked;
    char created[CLOCK_RFC3339_MAX];
};

struct access_keys;

struct access_key_files {
    int list, secret; /* open; -1: none */
};
/* Those of the folder STATE, which is made if only itself is missing, as are the files; to be read
 * only. */
int access_keys_open_files(
    const char *state, struct access_key_files *out, struct error *err) MUST_USE;
/* … and for access_keys_create and _revoke. */
int access_keys_open_to_change(
    const char *state, struct access_key_files *out, struct error *err) MUST_USE;
void access_keys_close_files(struct access_key_files *files);

/* FILES stay open and become its own, even if it fails (NULL). */
struct access_keys *access_keys_new(struct access_key_files files, struct error *err) MUST_USE;
void access_keys_free(struct access_keys **k);

/* The key ID that is not revoked; NULL: there is none. Valid until the next call. */
const struct access_key *access_keys_find(struct access_keys *k, struct bytes id);
/* The SecretKey of ID, whether there is one or not: whoever asks for what is not there waits as
 * long. To be wiped. */
void access_keys_secret(
    const struct access_keys *k, struct bytes id, char out[ACCESS_KEY_SECRET_SIZE]);

/* The number of all keys, and each of them. */
size_t access_keys_count(struct access_keys *k);
const struct access_key *access_keys_at(const struct access_keys *k, size_t i);
/* Make one; OUT. */
int access_keys_create(struct access_keys *k, bool may_write, int64_t now_s, struct access_key *out,
    struct error *err) MUST_USE;
/* -1, too, if there is no such key, or it is revoked. */
int access_keys_revoke(
    struct access_keys *k, const char *id, int64_t now_s, struct error *err) MUST_USE;
