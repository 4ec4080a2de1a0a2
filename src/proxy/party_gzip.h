/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party_gzip — a party whose content is that of another one, in the gzip coding (RFC 1952): what a
 * target sends, compressed on its way to the client.
 *
 * Content is passed on when there is enough of it, or when nothing more comes for the moment: who
 * streams is not held back.
 */
#pragma once

#include "proxy/party.h"

/* What one holds, at most. */
#define PARTY_GZIP_MEMORY (49 * 1024)

struct party_gzip {
    struct party party;
    struct compressor *compressor; /* NULL: not in use */
    struct party *inner;
};

/* What INNER sends is compressed. INNER outlives it. */
void party_gzip_init(struct party_gzip *p, struct party *inner);
/* A zeroed one is fine. */
void party_gzip_fini(struct party_gzip *p);
