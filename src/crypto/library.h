/* SPDX-License-Identifier: Apache-2.0 */
/* library — libcrypto as a whole. */
#pragma once

/* Before anything else of crypto/ is used: libcrypto reads no openssl.cnf, which could change what
 * it accepts. */
void library_initialise(void);
