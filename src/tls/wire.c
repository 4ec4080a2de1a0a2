/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/wire.h"

#include "base/panic.h"

#include "base/ban.h"

static bool take_number(struct bytes *in, unsigned octets, uint32_t *out)
{
    if (in->n < octets)
        return false;
    uint32_t number = 0;
    for (unsigned i = 0; i < octets; i++)
        number = number << 8 | in->at[i];
    *in = bytes_skip(*in, octets);
    *out = number;
    return true;
}

bool wire_take_8(struct bytes *in, uint8_t *out)
{
    uint32_t number;
    if (!take_number(in, 1, &number))
        return false;
    *out = (uint8_t)number;
    return true;
}

bool wire_take_16(struct bytes *in, uint16_t *out)
{
    uint32_t number;
    if (!take_number(in, 2, &number))
        return false;
    *out = (uint16_t)number;
    return true;
}

bool wire_take_24(struct bytes *in, uint32_t *out)
{
    return take_number(in, 3, out);
}

bool wire_take_32(struct bytes *in, uint32_t *out)
{
    return take_number(in, 4, out);
}

bool wire_take(struct bytes *in, size_t n, struct bytes *out)
{
    if (in->n < n)
        return false;
    *out = bytes_first(*in, n);
    *in = bytes_skip(*in, n);
    return true;
}

static bool take_vector(struct bytes *in, unsigned length_n, struct bytes *out)
{
    struct bytes rest = *in;
    uint32_t n;
    if (!take_number(&rest, length_n, &n) || !wire_take(&rest, n, out))
        return false;
    *in = rest;
    return true;
}

bool wire_take_vector_8(struct bytes *in, struct bytes *out)
{
    return take_vector(in, 1, out);
}

bool wire_take_vector_16(struct bytes *in, struct bytes *out)
{
    return take_vector(in, 2, out);
}

bool wire_take_vector_24(struct bytes *in, struct bytes *out)
{
    return take_vector(in, 3, out);
}

bool wire_contains_16(struct bytes list, uint16_t number)
{
    uint16_t one;
    while (wire_take_16(&list, &one))
        if (one == number)
            return true;
    return false;
}

void wire_put(struct wire_writer *w, struct bytes data)
{
    if (!w->has_failed && buf_append(w->out, data) < 0)
        w->has_failed = true;
}

static void encode(uint8_t *at, size_t number, unsigned octets)
{
    for (; octets; number >>= 8)
        at[--octets] = (uint8_t)number;
}

static void put_number(struct wire_writer *w, uint32_t number, unsigned octets)
{
    uint8_t at[4];
    encode(at, number, octets);
    wire_put(w, (struct bytes){at, octets});
}

void wire_put_8(struct wire_writer *w, uint8_t number)
{
    put_number(w, number, 1);
}

void wire_put_16(struct wire_writer *w, uint16_t number)
{
    put_number(w, number, 2);
}

void wire_put_24(struct wire_writer *w, uint32_t number)
{
    if (number >> 24)
        w->has_failed = true;
    put_number(w, number, 3);
}

void wire_put_32(struct wire_writer *w, uint32_t number)
{
    put_number(w, number, 4);
}

struct wire_mark wire_begin(struct wire_writer *w, unsigned length_n)
{
    struct wire_mark mark = {buf_size(w->out), length_n};
    put_number(w, 0, length_n);
    return mark;
}

void wire_end(struct wire_writer *w, struct wire_mark mark)
{
    if (w->has_failed)
        return;
    ASSERT(buf_size(w->out) >= mark.at + mark.length_n);
    size_t n = buf_size(w->out) - mark.at - mark.length_n;
    if (n >> (8 * mark.length_n)) {
        w->has_failed = true;
        return;
    }
    encode(w->out->at + w->out->start + mark.at, n, mark.length_n);
}
