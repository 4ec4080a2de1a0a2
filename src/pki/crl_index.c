/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl_index.h"

#include "base/ban.h"

bool crl_index_serial(struct bytes serial, uint32_t serial_size, bool has_negative, uint8_t *out)
{
    bool is_negative = serial.n && serial.at[0] & 0x80;
    if (!has_negative) {
        if (is_negative)
            return false;
        if (serial.n > 1 && serial.at[0] == 0)
            serial = bytes_skip(serial, 1);
    }
    if (!serial.n || serial.n > serial_size)
        return false;
    memset(out, is_negative ? 0xff : 0, serial_size - serial.n);
    memcpy(out + serial_size - serial.n, serial.at, serial.n);
    return true;
}

/* Both halves of the product together depend on every bit of both factors. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t crl_index_hash(uint64_t seed, struct bytes b)
{
    static const uint64_t odd = 0x9e3779b97f4a7c15ull; /* 2^64 by the golden ratio */
    uint64_t hash = mix(seed ^ b.n, odd);
    while (b.n) {
        uint64_t word = 0;
        size_t n = b.n < sizeof(word) ? b.n : sizeof(word);
        memcpy(&word, b.at, n);
        hash = mix(hash ^ word, seed | odd);
        b = bytes_skip(b, n);
    }
    return hash;
}

uint32_t crl_index_bucket(
    const struct crl_index_head *h, const uint8_t *serial, uint64_t issuer_hash)
{
    uint64_t hash = crl_index_hash(h->seed ^ issuer_hash, (struct bytes){serial, h->serial_size});
    return (uint32_t)((hash >> 32) * h->buckets >> 32);
}
