/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/server_name.h"

#include <stdio.h>

#include "base/panic.h"

#include "base/ban.h"

#define LABEL_MAX 63

static bool is_label_byte(uint8_t c)
{
    c = bytes_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_all_digits(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.at[i] < '0' || b.at[i] > '9')
            return false;
    return true;
}

bool server_name_is_dns(struct bytes name)
{
    if (name.n && name.at[name.n - 1] == '.')
        name.n--;
    if (!name.n || name.n > SERVER_NAME_MAX)
        return false;
    struct bytes label;
    for (;;) {
        label = bytes_first(name, bytes_find(name, '.'));
        if (!label.n || label.n > LABEL_MAX)
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!is_label_byte(label.at[i]))
                return false;
        if (label.n == name.n)
            break;
        name = bytes_skip(name, label.n + 1);
    }
    /* RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in HostName". No top-level
     * domain is a number (RFC 3696 §2), so a last label of digits is an IPv4 address or a mistake;
     * IPv6 has colons. */
    return !is_all_digits(label);
}

struct bytes server_name_normalise(struct bytes name, char text[SERVER_NAME_MAX + 1])
{
    if (name.at[name.n - 1] == '.')
        name.n--;
    ASSERT(name.n <= SERVER_NAME_MAX);
    for (size_t i = 0; i < name.n; i++)
        text[i] = (char)bytes_lower(name.at[i]);
    text[name.n] = '\0';
    return (struct bytes){(const uint8_t *)text, name.n};
}

void server_name_escape(struct bytes name, char *text, size_t text_n)
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n + sizeof("\\xHH") <= text_n; i++) {
        uint8_t c = bytes_lower(name.at[i]);
        if (c > ' ' && c < 0x7f && c != '\\')
            text[n++] = (char)c;
        else
            n += (size_t)snprintf(text + n, text_n - n, "\\x%02x", c);
    }
    text[n] = '\0';
}
