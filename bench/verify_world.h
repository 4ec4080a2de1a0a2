/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_world — what bench/verify judges: chains of leaf, intermediate and root, all ECDSA P-256,
 * and a CRL of the intermediate with as many entries as one likes.
 *
 * Made anew in each run. Memory: everything lives as long as the world.
 */
#pragma once

#include "base/buf.h"
#include "crypto/private_key.h"

#define WORLD_LEAVES 64 /* so that nothing is judged twice in a row */
#define WORLD_NOW    1800000000
#define WORLD_NAME   "server.example"

struct world_member {
    struct private_key *key;
    struct buf der;
};

struct world {
    struct world_member root, intermediate, leaves[WORLD_LEAVES];
    struct buf crl; /* DER; lists none of the leaves */
};

void verify_world_make(struct world *w, size_t crl_entries);
void verify_world_free(struct world *w);
