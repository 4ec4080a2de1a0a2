/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pem_reader — the blocks of a PEM file (RFC 7468), one by one.
 *
 * Memory: a block lives until the next one is read; then it is wiped, for it may be a key.
 */
#pragma once

#include "crypto/file_kind.h"

/* One block of a PEM file. */
struct pem_block {
    enum file_kind kind; /* by the label */
    const char *label;
    struct bytes der;
};

enum pem_outcome { PEM_BLOCK, PEM_END, PEM_BROKEN };

#define PEM_READER_MAX INT32_MAX /* bytes of a file */

/* Reads the blocks of a PEM file one by one; text between blocks is skipped. */
struct pem_reader {
    struct bio_st *file; /* libcrypto's */
    char *label, *header;
    uint8_t *data;
    long data_n;
};
/* FILE: at most PEM_READER_MAX. */
void pem_reader_init(struct pem_reader *r, struct bytes file);
/* The next block, valid until the next call. PEM_BROKEN: a BEGIN line is followed by something that
 * is no block. */
enum pem_outcome pem_reader_next(struct pem_reader *r, struct pem_block *out);
/* Wipes the last block. */
void pem_reader_fini(struct pem_reader *r);

/* "PEM block 3 of the file is damaged; …". Returns -1. */
int pem_reader_refuse(size_t number, struct error *err);
