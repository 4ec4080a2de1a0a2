/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/attributes.h"

#include "base/ban.h"

static struct timespec now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t;
}

static uint64_t now_us(clockid_t id)
{
    struct timespec t = now(id);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

uint64_t clock_thread_us(void)
{
    return now_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_wall_s(void)
{
    return now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_wall_ms(void)
{
    struct timespec t = now(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Years 0000-01-01 and 9999-12-31T23:59:59Z. */
#define WALL_MIN (-62167219200LL)
#define WALL_MAX 253402300799LL

static struct tm broken_down(int64_t wall_s)
{
    if (wall_s < WALL_MIN)
        wall_s = WALL_MIN;
    if (wall_s > WALL_MAX)
        wall_s = WALL_MAX;
    time_t t = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

/* Not strftime, whose %Y has no leading zeros; not printf, which takes longer than to judge a name,
 * and every verdict has a time in it. */
static void format(int64_t wall_s, const char *end, char out[CLOCK_RFC3339_MAX])
{
    struct tm tm = broken_down(wall_s);
    const struct {
        int value;
        size_t width;
        char end;
    } parts[] = {{tm.tm_year + 1900, 4, '-'}, {tm.tm_mon + 1, 2, '-'}, {tm.tm_mday, 2, 'T'},
        {tm.tm_hour, 2, ':'}, {tm.tm_min, 2, ':'}, {tm.tm_sec, 2, 0}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        int value = parts[i].value;
        for (size_t k = parts[i].width; k-- > 0; value /= 10)
            out[k] = (char)('0' + value % 10);
        out[parts[i].width] = parts[i].end;
        out += parts[i].width + 1;
    }
    memcpy(out - 1, end, strlen(end) + 1);
}

void clock_format(int64_t wall_s, char out[CLOCK_RFC3339_MAX])
{
    format(wall_s, "Z", out);
}

void clock_format_ms(int64_t wall_ms, char out[CLOCK_RFC3339_MAX])
{
    char fraction[8];
    int64_t ms =
        (wall_ms % 1000 + 1000) % 1000; /* before 1970 too, the second is the one that began */
    snprintf(fraction, sizeof(fraction), ".%03uZ", (unsigned)ms % 1000);
    format((wall_ms - ms) / 1000, fraction, out);
}

/* Read COUNT digits at *TEXT into *OUT and step over them. */
static int digits(struct bytes *text, size_t count, int *out)
{
    if (text->n < count)
        return -1;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (text->at[i] < '0' || text->at[i] > '9')
            return -1;
        *out = *out * 10 + (text->at[i] - '0');
    }
    *text = bytes_skip(*text, count);
    return 0;
}

static int literal(struct bytes *text, const char *one_of)
{
    if (!text->n || !text->at[0] || !strchr(one_of, text->at[0]))
        return -1;
    *text = bytes_skip(*text, 1);
    return 0;
}

static int offset(struct bytes text, int *offset_s)
{
    *offset_s = 0;
    if (text.n == 1 && (text.at[0] == 'Z' || text.at[0] == 'z'))
        return 0;
    int sign = text.n && text.at[0] == '-' ? -1 : 1, hours, minutes;
    if (literal(&text, "+-") < 0 || digits(&text, 2, &hours) < 0 || literal(&text, ":") < 0 ||
        digits(&text, 2, &minutes) < 0 || text.n || hours > 23 || minutes > 59)
        return -1;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return 0;
}

int clock_parse(struct bytes text, int64_t *wall_s)
{
    int year, month, day, hour, minute, second, offset_s;
    if (digits(&text, 4, &year) < 0 || literal(&text, "-") < 0 || digits(&text, 2, &month) < 0 ||
        literal(&text, "-") < 0 || digits(&text, 2, &day) < 0 || literal(&text, "Tt ") < 0 ||
        digits(&text, 2, &hour) < 0 || literal(&text, ":") < 0 || digits(&text, 2, &minute) < 0 ||
        literal(&text, ":") < 0 || digits(&text, 2, &second) < 0)
        return -1;
    if (text.n && text.at[0] == '.') {
        int ignored;
        text = bytes_skip(text, 1);
        if (digits(&text, 1, &ignored) < 0)
            return -1;
        while (text.n && text.at[0] >= '0' && text.at[0] <= '9')
            text = bytes_skip(text, 1);
    }
    if (offset(text, &offset_s) < 0 || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60)
        return -1;
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    int64_t midnight = timegm(&tm);
    if (tm.tm_mday != day) /* 30 February */
        return -1;
    *wall_s = midnight + hour * 3600 + minute * 60 + second - offset_s;
    return 0;
}
