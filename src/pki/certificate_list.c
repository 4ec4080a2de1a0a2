/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "crypto/file_kind.h"
#include "crypto/pem_reader.h"
#include "pki/certificate.h"

#include "base/ban.h"

static void list_take(struct certificate_list *l, struct certificate *c)
{
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    l->at[l->n++] = c;
}

void certificate_list_add(struct certificate_list *l, const struct certificate *c)
{
    list_take(l, certificate_ref(c));
}

void certificate_list_add_all(struct certificate_list *l, const struct certificate_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        certificate_list_add(l, from->at[i]);
}

void certificate_list_fini(struct certificate_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        certificate_unref(&l->at[i]);
    free(l->at);
    *l = (struct certificate_list){0};
}

/* Parse the NUMBERth certificate of a PEM file into OUT. */
static int add_numbered(
    struct certificate_list *out, struct bytes der, size_t number, struct error *err)
{
    struct error why;
    struct certificate *c = certificate_parse(der, &why);
    if (!c)
        return error_set(err, "certificate %zu of the file: %s", number, why.text);
    list_take(out, c);
    return 0;
}

static int parse_pem(
    struct bytes file, bool is_store, struct certificate_list *out, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead of certificates */
    size_t number = 0;
    int rc = 0;

    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind == FILE_CERTIFICATE)
            rc = add_numbered(out, block.der, out->n + 1, err) && !is_store ? -1 : 0;
        else if (block.kind == FILE_TRUSTED_CERTIFICATE && !is_store)
            rc = file_kind_refuse(block.kind, "a certificate", err); /* it would be missed */
        else
            other = block.kind;
    }
    pem_reader_fini(&reader);
    if (!rc && !out->n)
        rc = file_kind_refuse(other, "a certificate", err);
    return rc;
}

static int parse_der(struct bytes file, struct certificate_list *out, struct error *err)
{
    enum file_kind kind = file_kind_of_der(file);
    if (kind != FILE_CERTIFICATE)
        return file_kind_refuse(kind, "a certificate", err);
    struct certificate *c = certificate_parse(file, err);
    if (!c)
        return -1;
    list_take(out, c);
    return 0;
}

static int parse(struct bytes file, bool is_store, struct certificate_list *out, struct error *err)
{
    *out = (struct certificate_list){0};
    if (file.n > INT_MAX)
        return error_set(err, "larger than 2 GB: no file of certificates");
    int rc =
        file_kind_is_pem(file) ? parse_pem(file, is_store, out, err) : parse_der(file, out, err);
    if (rc)
        certificate_list_fini(out);
    return rc;
}

int certificate_list_parse(struct bytes file, struct certificate_list *out, struct error *err)
{
    return parse(file, false, out, err);
}

int certificate_list_parse_store(struct bytes file, struct certificate_list *out, struct error *err)
{
    return parse(file, true, out, err);
}
