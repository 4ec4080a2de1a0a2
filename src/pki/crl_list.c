/* SPDX-License-Identifier: Apache-2.0 */
/* The CRLs of a file. */
#include <stdlib.h>

#include "base/memory.h"
#include "crypto/file_kind.h"
#include "crypto/pem_reader.h"
#include "pki/crl_index.h"

#include "base/ban.h"

#define WANTED "a certificate revocation list"

static int each_pem_block(struct bytes file, crl_der_fn *f, void *owner, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead of CRLs */
    size_t number = 0, found = 0;
    int result = 0;
    pem_reader_init(&reader, file);
    while (result == 0 && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN) {
            result = pem_reader_refuse(number, err);
        } else if (block.kind == FILE_CRL) {
            result = f(owner, block.der, err);
            found++;
        } else {
            other = block.kind;
        }
    }
    pem_reader_fini(&reader);
    return result == 0 && !found ? file_kind_refuse(other, WANTED, err) : result;
}

int crl_each_der(struct bytes file, crl_der_fn *f, void *owner, struct error *err)
{
    enum file_kind kind = file_kind_of_der(file);
    if (file.n > PEM_READER_MAX)
        return error_set(err, "larger than 2 GB: no file of certificate revocation lists");
    if (file_kind_is_pem(file))
        return each_pem_block(file, f, owner, err);
    /* A CRL starts as a certificate does. */
    return kind == FILE_CERTIFICATE ? f(owner, file, err) : file_kind_refuse(kind, WANTED, err);
}

static void add(struct crl_list *l, struct crl *c)
{
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(struct crl *));
    l->at[l->n++] = c;
}

static int add_der(void *owner, struct bytes der, struct error *err)
{
    struct crl *c = crl_make(der, err);
    if (c)
        add(owner, c);
    return c ? 0 : -1;
}

int crl_list_parse(struct bytes file, struct crl_list *out, struct error *err)
{
    *out = (struct crl_list){0};
    int result = crl_each_der(file, add_der, out, err);
    if (result < 0)
        crl_list_fini(out);
    return result;
}

static int compile_der(void *owner, struct bytes der, struct error *err)
{
    return crl_compile(der, owner, err);
}

int crl_list_compile(struct bytes file, struct buf *out, struct error *err)
{
    return crl_each_der(file, compile_der, out, err);
}

int crl_list_open(struct bytes compiled, struct crl_list *out, struct error *err)
{
    *out = (struct crl_list){0};
    while (compiled.n) {
        struct crl_index_head head = {.size = compiled.n};
        if (compiled.n >= sizeof(head))
            memcpy(&head, compiled.at, sizeof(head));
        size_t n = head.size < compiled.n ? head.size : compiled.n;
        struct crl *c = crl_open(bytes_first(compiled, n), err);
        if (!c) {
            crl_list_fini(out);
            return -1;
        }
        add(out, c);
        compiled = bytes_skip(compiled, n);
    }
    return 0;
}

void crl_list_append(struct crl_list *l, struct crl_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        add(l, from->at[i]);
    free(from->at);
    *from = (struct crl_list){0};
}

void crl_list_fini(struct crl_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        crl_free(&l->at[i]);
    free(l->at);
    *l = (struct crl_list){0};
}
