/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/encoding.h"

#include <stdlib.h>

#include "base/memory.h"
#include "crypto/pem_reader.h"

#include "base/ban.h"

void encoding_list_add(struct encoding_list *l, struct bytes der)
{
    uint8_t *copy = mem_alloc_raw(der.n + 1);
    if (der.n)
        memcpy(copy, der.at, der.n);
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    l->at[l->n++] = (struct bytes){copy, der.n};
}

void encoding_list_fini(struct encoding_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((void *)(uintptr_t)l->at[i].at);
    free(l->at);
    *l = (struct encoding_list){0};
}

static int read_pem(struct bytes file, enum file_kind kind, const char *wanted,
    struct encoding_list *out, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead */
    size_t number = 0;
    int rc = 0;
    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind == kind)
            encoding_list_add(out, block.der);
        else
            other = block.kind;
    }
    pem_reader_fini(&reader);
    if (!rc && !out->n)
        rc = file_kind_refuse(other, wanted, err);
    return rc;
}

int encoding_list_read(struct bytes file, enum file_kind kind, const char *wanted,
    struct encoding_list *out, struct error *err)
{
    *out = (struct encoding_list){0};
    if (file.n > PEM_READER_MAX)
        return error_set(err, "larger than 2 GB: not %s", wanted);
    int rc = 0;
    if (file_kind_is_pem(file))
        rc = read_pem(file, kind, wanted, out, err);
    else
        encoding_list_add(out, file);
    if (rc)
        encoding_list_fini(out);
    return rc;
}
