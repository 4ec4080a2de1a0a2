/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scatter.h"

#include "base/ban.h"

uint64_t scatter_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t scatter_bytes(uint64_t seed, struct bytes b)
{
    uint64_t h = 0xcbf29ce484222325u + seed; /* FNV-1a */
    for (size_t i = 0; i < b.n; i++)
        h = (h ^ b.at[i]) * 0x100000001b3u;
    return scatter_mix(h);
}
