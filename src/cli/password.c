/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/password.h"

#include <stdio.h>

#include "cli/file.h"
#include "crypto/digest.h"

#include "base/ban.h"

/* 32 letters and digits, none of which looks like another: 5 bits each, 100 bits in all. */
#define GENERATED_LENGTH 20
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

int password_read(const char *path, char out[PASSWORD_MAX], struct error *err)
{
    struct buf content;
    if (file_read(path, &content, err) < 0)
        return -1;
    struct bytes line = buf_bytes(&content);
    line = bytes_first(line, bytes_find(line, '\n'));
    if (bytes_ends_with(line, BYTES("\r")))
        line.n--;
    int result = 0;
    if (line.n >= PASSWORD_MAX)
        result =
            error_set(err, "the password in %s is longer than %d bytes", path, PASSWORD_MAX - 1);
    else
        snprintf(out, PASSWORD_MAX, "%.*s", BYTES_ARG(line));
    buf_fini(&content); /* wipes it */
    return result;
}

void password_generate(char out[PASSWORD_MAX])
{
    uint8_t random[GENERATED_LENGTH];
    random_fill(random, sizeof(random));
    for (size_t i = 0; i < GENERATED_LENGTH; i++)
        out[i] = alphabet[random[i] & 31];
    out[GENERATED_LENGTH] = '\0';
}
