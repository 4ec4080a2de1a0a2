/* SPDX-License-Identifier: Apache-2.0 */
#include "config/health_check.h"

#include <string.h>

#include "base/ban.h"

#define DIGITS_MAX 2 /* of a status */

/* The number at *AT, which is left behind it; -1 if there is none. */
static int take_number(const char **at)
{
    int n = 0;
    size_t digits = strspn(*at, "0123456789");
    if (!digits || digits > DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + ((*at)[i] - '0');
    *at += digits;
    return n;
}

/* One number, or two with `-` between them. */
static int take_range(const char **at, int *first, int *last)
{
    *first = *last = take_number(at);
    if (*first >= 0 && **at == '-') {
        ++*at;
        *last = take_number(at);
    }
    return *first < 0 || *last < *first ? -1 : 0;
}

int health_check_statuses(const char *text, bool good[CONFIG_GRPC_STATUSES])
{
    memset(good, 0, CONFIG_GRPC_STATUSES * sizeof(*good));
    for (;; text++) {
        int first, last;
        if (take_range(&text, &first, &last) < 0)
            return -1;
        for (int i = first; i <= last; i++)
            good[i] = true;
        if (!*text)
            return 0;
        if (*text != ',')
            return -1;
    }
}
