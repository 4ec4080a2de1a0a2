/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/serial.h"

#include "base/ban.h"

/* The magnitude of a negative number, in place: X.690 §8.3.3 has it in two's complement. */
static void negate(uint8_t *at, size_t n)
{
    unsigned carry = 1;
    for (size_t i = n; i-- > 0;) {
        carry += (uint8_t)~at[i];
        at[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

const char *serial_text(struct arena *a, struct bytes content)
{
    static const char digits[] = "0123456789abcdef";
    bool is_negative = content.n && content.at[0] & 0x80;
    uint8_t *magnitude = arena_alloc(a, content.n + 1);
    char *text = arena_alloc(a, 2 * content.n + 3), *end = text;
    if (content.n)
        memcpy(magnitude, content.at, content.n);
    if (is_negative) {
        negate(magnitude, content.n);
        *end++ = '-';
    }
    char *first = end;
    for (size_t i = 0; i < 2 * content.n; i++) {
        unsigned digit = i % 2 ? magnitude[i / 2] & 15 : magnitude[i / 2] >> 4;
        if (digit || end > first)
            *end++ = digits[digit];
    }
    if (end == first)
        *end = '0';
    return text;
}
