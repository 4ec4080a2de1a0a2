/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/der.h"

#include "base/ban.h"

#define LENGTH_OCTETS_MAX     4 /* 4 GiB: more than anything that we read */
#define NAMED_BITS_OCTETS_MAX 8 /* zeros included; nobody has that many */

/* The types of X.690 §8 that are made of others: EXTERNAL, EMBEDDED PDV, SEQUENCE, SET and
 * unrestricted CHARACTER STRING, by tag number. */
#define CONSTRUCTED_TYPES (1u << 8 | 1u << 11 | 1u << 16 | 1u << 17 | 1u << 29)

/* Low tag numbers only (X.690 §8.1.2.2). In DER the universal types have one form each: strings are
 * primitive (§10.2), and end-of-contents (number 0) does not occur. */
static bool is_identifier(uint8_t identifier)
{
    unsigned number = identifier & 0x1f;
    bool is_constructed = identifier & 0x20;
    if (number == 0x1f)
        return false;
    if (identifier & 0xc0)
        return true;
    return number && is_constructed == (CONSTRUCTED_TYPES >> number & 1);
}

/* X.690 §10.1: the definite form, in as few octets as possible. The octets that it takes, or 0. */
static size_t read_length(struct bytes in, size_t *length)
{
    if (!in.n)
        return 0;
    if (in.at[0] < 0x80) {
        *length = in.at[0];
        return 1;
    }
    size_t octets = in.at[0] & 0x7f;
    if (!octets || octets > LENGTH_OCTETS_MAX || in.n <= octets || !in.at[1])
        return 0;
    size_t n = 0;
    for (size_t i = 1; i <= octets; i++)
        n = n << 8 | in.at[i];
    *length = n;
    return n < 0x80 ? 0 : 1 + octets;
}

bool der_next(struct bytes *in, struct der_element *out)
{
    size_t length;
    if (!in->n || !is_identifier(in->at[0]))
        return false;
    struct bytes rest = {in->at + 1, in->n - 1};
    size_t length_n = read_length(rest, &length);
    if (!length_n || length > rest.n - length_n)
        return false;
    if (length && in->at[0] == DER_NULL) /* §8.8.2 */
        return false;
    size_t head = 1 + length_n;
    *out = (struct der_element){in->at[0], {in->at + head, length}, {in->at, head + length}};
    *in = (struct bytes){in->at + head + length, in->n - head - length};
    return true;
}

static bool take_element(struct bytes *in, uint8_t tag, struct der_element *out)
{
    return der_is_next(*in, tag) && der_next(in, out);
}

bool der_take(struct bytes *in, uint8_t tag, struct bytes *content)
{
    struct der_element e;
    if (!take_element(in, tag, &e))
        return false;
    if (content)
        *content = e.content;
    return true;
}

bool der_take_whole(struct bytes *in, uint8_t tag, struct bytes *whole)
{
    struct der_element e;
    if (!take_element(in, tag, &e))
        return false;
    *whole = e.whole;
    return true;
}

bool der_boolean(struct bytes content, bool *out)
{
    if (content.n != 1 || (content.at[0] && content.at[0] != 0xff))
        return false;
    *out = content.at[0];
    return true;
}

bool der_is_integer(struct bytes content)
{
    if (content.n < 2)
        return content.n;
    /* The first nine bits are neither all 0 nor all 1. */
    bool is_negative = content.at[1] & 0x80;
    return content.at[0] != (is_negative ? 0xff : 0);
}

bool der_unsigned(struct bytes content, uint64_t max, uint64_t *out)
{
    if (!der_is_integer(content) || content.at[0] & 0x80)
        return false;
    if (!content.at[0])
        content = bytes_skip(content, 1);
    if (content.n > sizeof(*out))
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i < content.n; i++)
        n = n << 8 | content.at[i];
    if (n > max)
        return false;
    *out = n;
    return true;
}

bool der_is_oid(struct bytes content)
{
    bool starts_arc = true;
    for (size_t i = 0; i < content.n; i++) {
        if (starts_arc && content.at[i] == 0x80)
            return false;
        starts_arc = !(content.at[i] & 0x80);
    }
    return content.n && starts_arc;
}

bool der_octets(struct bytes content, struct bytes *out)
{
    if (!content.n || content.at[0])
        return false;
    *out = bytes_skip(content, 1);
    return true;
}

bool der_named_bits(struct bytes content, uint16_t *out)
{
    if (!content.n || content.n > 1 + NAMED_BITS_OCTETS_MAX)
        return false;
    unsigned unused = content.at[0], bits = 0;
    size_t n = content.n - 1;
    /* §11.2.1: bits that are not used are zero. That the last one that is used is set (§11.2.2) is
     * not asked for: roots that everybody trusts, Trustwave Global ECC among them, end with a zero,
     * and others with octets of them. */
    if (unused > 7 || (!n && unused) || (n && content.at[n] & ((1u << unused) - 1)))
        return false;
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bool is_set = content.at[1 + bit / 8] & 0x80 >> bit % 8;
        if (is_set && bit >= 8 * sizeof(*out))
            return false;
        bits |= (unsigned)is_set << bit % (8 * sizeof(*out));
    }
    *out = (uint16_t)bits;
    return true;
}

/* ---- times ---- */

struct moment {
    unsigned year, month, day, hour, minute, second;
};

/* N decimal digits off the front of TEXT; beyond any range if they are none. */
static unsigned take_digits(struct bytes *text, size_t n)
{
    unsigned number = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = text->at[i] - (unsigned)'0';
        if (digit > 9)
            return ~0u;
        number = 10 * number + digit;
    }
    *text = bytes_skip(*text, n);
    return number;
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_moment(const struct moment *m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (m->month < 1 || m->month > 12)
        return false;
    unsigned last = days[m->month - 1] + (m->month == 2 && is_leap(m->year));
    return m->day >= 1 && m->day <= last && m->hour < 24 && m->minute < 60 && m->second < 60;
}

#define DAYS_TO_1970 865565 /* from 1 March of the year -400, with which the count below begins */

/* Days of the Gregorian calendar since 1970-01-01, counted in years that begin in March, so that
 * the leap day is their last; 400 years more keep everything positive. */
static int64_t days_since_1970(const struct moment *m)
{
    bool is_early = m->month <= 2; /* belongs to the year before */
    unsigned year = m->year + 400 - is_early;
    unsigned month = is_early ? m->month + 9 : m->month - 3;
    unsigned leap_days = year / 4 - year / 100 + year / 400;
    return (int64_t)(365 * year + leap_days + (153 * month + 2) / 5 + m->day - 1) - DAYS_TO_1970;
}

/* The rest of a time behind its year: MMDDHHMMSSZ. */
static bool read_moment(struct bytes text, unsigned year, int64_t *wall_s)
{
    if (text.n != sizeof("MMDDHHMMSSZ") - 1 || text.at[text.n - 1] != 'Z')
        return false;
    struct moment m = {.year = year};
    m.month = take_digits(&text, 2);
    m.day = take_digits(&text, 2);
    m.hour = take_digits(&text, 2);
    m.minute = take_digits(&text, 2);
    m.second = take_digits(&text, 2);
    if (!is_moment(&m))
        return false;
    *wall_s = days_since_1970(&m) * 86400 + m.hour * 3600 + m.minute * 60 + m.second;
    return true;
}

bool der_generalized_time(struct bytes content, int64_t *wall_s)
{
    if (content.n != sizeof("YYYYMMDDHHMMSSZ") - 1)
        return false;
    unsigned year = take_digits(&content, 4);
    return year <= 9999 && read_moment(content, year, wall_s);
}

bool der_time(const struct der_element *e, int64_t *wall_s)
{
    if (e->tag == DER_GENERALIZED_TIME)
        return der_generalized_time(e->content, wall_s);
    struct bytes content = e->content;
    if (e->tag != DER_UTC_TIME || content.n != sizeof("YYMMDDHHMMSSZ") - 1)
        return false;
    unsigned year = take_digits(&content, 2);
    /* RFC 5280 §4.1.2.5.1 */
    return year <= 99 && read_moment(content, year + (year < 50 ? 2000 : 1900), wall_s);
}
