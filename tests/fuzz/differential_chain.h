/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differential_chain — chains of certificates for tests/fuzz/differential.c: good ones, and what
 * becomes of them when their DER is changed element by element and signed again, so that the change
 * is reached.
 *
 * All is made from a seed but the keys, which are new in each run.
 */
#pragma once

#include "base/buf.h"

#define CHAIN_NOW     1800000000
#define CHAIN_NAME    "a.server.example"
#define CHAIN_LENGTH  3     /* leaf, intermediate, root */
#define CHAIN_DER_MAX 16384 /* octets of a certificate */

struct chain {
    struct buf at[CHAIN_LENGTH]; /* DER; the root is the anchor */
    bool is_swapped;             /* the peer sends the intermediate first */
};

/* All that chains are made from. Freed with differential_chain_finish. */
void differential_chain_prepare(void);
void differential_chain_finish(void);

void differential_chain_make(struct chain *c, unsigned seed);
void differential_chain_free(struct chain *c);
