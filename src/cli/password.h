/* SPDX-License-Identifier: Apache-2.0 */
/* password — the password of a PKCS#12 file, from the first line of a file, or made up. */
#pragma once

#include "base/error.h"

#define PASSWORD_MAX 256 /* with its NUL */

/* The first line of PATH ('-': standard input). The caller wipes OUT. */
int password_read(const char *path, char out[PASSWORD_MAX], struct error *err) MUST_USE;
/* One that nobody guesses and that can be typed. */
void password_generate(char out[PASSWORD_MAX]);
