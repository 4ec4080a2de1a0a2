/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#include "base/ban.h"

static char speaker[32];

void log_init(const char *role)
{
    snprintf(speaker, sizeof(speaker), "%s", role);
}

PRINTF(2, 0) static void write_line(const char *level, const char *format, va_list args)
{
    char text[2048], line[4096], now[CLOCK_RFC3339_MAX];
    clock_format(clock_wall_s(), now);
    vsnprintf(text, sizeof(text), format, args);
    int n = snprintf(line, sizeof(line), "%s %s %s%s", now, level, speaker, speaker[0] ? ": " : "");
    size_t at = n > 0 ? (size_t)n : 0;
    for (const char *p = text; *p && at < sizeof(line) - 6; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n' && p[1] == 0)
            break;
        if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(line + at, sizeof(line) - at, "\\x%02x", c);
        else
            line[at++] = (char)c;
    }
    line[at++] = '\n';
    ignore_result(write(STDERR_FILENO, line, at));
}

#define LOG_AT(level)                \
    va_list args;                    \
    va_start(args, format);          \
    write_line(level, format, args); \
    va_end(args)

void log_error(const char *format, ...)
{
    LOG_AT("error");
}

void log_warning(const char *format, ...)
{
    LOG_AT("warning");
}

void log_info(const char *format, ...)
{
    LOG_AT("info");
}
