/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_memory — jansson's memory in this process: wiped when it is given back, as a request may
 * have brought a private key or a passphrase. Process: control.
 */
#pragma once

/* Before the first JSON text. */
void json_memory_wipe(void);
