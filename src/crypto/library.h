/* SPDX-License-Identifier: Apache-2.0 */
/* library — libcrypto as a whole. */
#pragma once

/* Before anything else of crypto/ is used: libcrypto reads no openssl.cnf, which could change what
 * it accepts. */
void library_initialise(void);

/* Ahead of that, in a process that meets private keys which it must not keep: whatever libcrypto
 * gives back is wiped. (It wipes what it knows to be secret, and not what it decodes that from.) */
void library_wipe_memory(void);
