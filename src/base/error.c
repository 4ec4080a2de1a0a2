/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ban.h"

/* Formatted aside, so that the old text may be one of the arguments. */
PRINTF(2, 0) static void fill(struct error *err, const char *format, va_list args)
{
    struct error filled;
    vsnprintf(filled.text, sizeof(filled.text), format, args);
    *err = filled;
}

int error_set(struct error *err, const char *format, ...)
{
    if (!err)
        return -1;
    va_list args;
    va_start(args, format);
    fill(err, format, args);
    va_end(args);
    return -1;
}

int error_errno(struct error *err, int errno_value, const char *format, ...)
{
    if (!err)
        return -1;
    va_list args;
    va_start(args, format);
    fill(err, format, args);
    va_end(args);
    size_t n = strlen(err->text);
    char meaning[128];
    const char *text = strerror_r(errno_value, meaning, sizeof(meaning));
    snprintf(err->text + n, sizeof(err->text) - n, ": %s", text);
    return -1;
}
