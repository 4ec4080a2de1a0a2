/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem_reader.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/panic.h"

#include "base/ban.h"

void pem_reader_init(struct pem_reader *r, struct bytes file)
{
    *r = (struct pem_reader){0};
    ASSERT(file.n <= PEM_READER_MAX);
    r->file = BIO_new_mem_buf(file.n ? (const void *)file.at : "", (int)file.n);
    ASSERT(r->file);
}

static void drop_block(struct pem_reader *r)
{
    OPENSSL_free(r->label);
    OPENSSL_free(r->header);
    if (r->data)
        OPENSSL_clear_free(r->data, (size_t)r->data_n);
    r->label = r->header = NULL;
    r->data = NULL;
    r->data_n = 0;
}

enum pem_outcome pem_reader_next(struct pem_reader *r, struct pem_block *out)
{
    drop_block(r);
    ERR_clear_error();
    if (PEM_read_bio(r->file, &r->label, &r->header, &r->data, &r->data_n)) {
        *out = (struct pem_block){
            file_kind_of_pem(r->label, r->header), r->label, {r->data, (size_t)r->data_n}};
        return PEM_BLOCK;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return at_end ? PEM_END : PEM_BROKEN;
}

void pem_reader_fini(struct pem_reader *r)
{
    drop_block(r);
    BIO_free(r->file);
    r->file = NULL;
}

int pem_reader_refuse(size_t number, struct error *err)
{
    return error_set(err,
        "PEM block %zu of the file is damaged; copy it again, from its -----BEGIN to its -----END "
        "line",
        number);
}
