/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead_implementation — who does the arithmetic of aead.h: libcrypto does all of it, libIPSec_MB
 * only AES-GCM, where it was built in and the CPU has what it wants. For crypto/ itself, and for
 * tests that compare one with the other.
 */
#pragma once

#include "crypto/aead.h"

/* The functions of aead.h. The expanded keys of one are nothing to another. */
struct aead_implementation {
    const char *name;
    struct aead *(*make)(enum aead_kind kind, const uint8_t *key);
    void (*free)(struct aead *a); /* wipes */
    void (*seal)(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
        uint8_t *data, size_t n, uint8_t *tag);
    /* What it leaves at DATA after false is the caller's to wipe. */
    bool (*open)(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
        uint8_t *data, size_t n, const uint8_t *tag);
};

/* What every expanded key begins with. */
struct aead {
    const struct aead_implementation *by;
    enum aead_kind kind;
};

extern const struct aead_implementation aead_libcrypto;
/* NULL: not here. Asked once: it looks at the CPU. */
const struct aead_implementation *aead_ipsec_mb_find(void);
