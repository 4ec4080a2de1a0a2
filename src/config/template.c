/* SPDX-License-Identifier: Apache-2.0 */
#include "config/template.h"

#include "base/panic.h"

#include "base/ban.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

static const char *const names[VARIABLE_COUNT] = {
#define X(symbol, name, help) [VARIABLE_##symbol] = name,
#include "config/variable.def"
#undef X
};

/* The variable whose name has the N characters at AT; VARIABLE_COUNT if there is none. */
static enum variable find(const char *at, size_t n)
{
    for (enum variable v = 0; v < VARIABLE_COUNT; v++)
        if (strlen(names[v]) == n && memcmp(names[v], at, n) == 0)
            return v;
    return VARIABLE_COUNT;
}

int template_check(const char *text, struct error *err)
{
    for (const char *dollar = text; (dollar = strchr(dollar, '$'));) {
        size_t n = strspn(dollar + 1, NAME_CHARACTERS);
        if (dollar[1] == '$') {
            dollar += 2;
            continue;
        }
        if (find(dollar + 1, n) == VARIABLE_COUNT)
            return error_set(err,
                "has no variable behind a $; accepted: $$ for the sign itself, $host, $uri and the "
                "others of docs/config.md");
        dollar += 1 + n;
    }
    return 0;
}

int template_expand(const char *text, template_value_fn *value, const void *owner, struct buf *out)
{
    while (*text) {
        size_t n = strcspn(text, "$");
        if (buf_append(out, (struct bytes){(const uint8_t *)text, n}) < 0)
            return -1;
        text += n;
        if (!*text)
            break;
        n = strspn(text + 1, NAME_CHARACTERS);
        if (text[1] == '$') {
            if (buf_append(out, BYTES("$")) < 0)
                return -1;
            text += 2;
            continue;
        }
        enum variable v = find(text + 1, n);
        ASSERT(v < VARIABLE_COUNT);
        if (value(owner, v, out) < 0)
            return -1;
        text += 1 + n;
    }
    return 0;
}
