/* SPDX-License-Identifier: Apache-2.0 */
/* A CRL that is accepted has an index in which every entry is found, and nobody else. The index may
 * be damaged anywhere: nothing outside of it is read. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "fuzz.h"
#include "pki/crl.h"
#include "pki/dn.h"
#include "pki/reason_code.h"

#include "base/ban.h"

#define INDEX_MAX (16u << 20)

struct lookup {
    const struct crl *crl;
    size_t n;
};

static bool find(void *owner, struct bytes serial, int64_t revoked_at, unsigned reason)
{
    struct lookup *l = owner;
    const struct crl_facts *f = crl_facts(l->crl);
    struct crl_entry entry;
    l->n++;
    if (!crl_find(l->crl, serial, f->issuer, &entry)) {
        /* By another issuer, then. */
        ASSERT(f->is_indirect);
        return true;
    }
    ASSERT(reason_code_name(entry.reason) && reason_code_name(reason));
    /* Listed twice, the one that is no removal counts. */
    ASSERT(f->is_indirect || reason == REASON_CODE_REMOVE_FROM_CRL ||
           entry.reason != REASON_CODE_REMOVE_FROM_CRL);
    return true;
}

static void check_text(const char *text)
{
    for (; *text; text++)
        ASSERT(*text >= 0x20 && *text <= 0x7e);
}

static void check(const struct crl *c, struct bytes der)
{
    const struct crl_facts *f = crl_facts(c);
    struct lookup lookup = {.crl = c};
    ASSERT(dn_is_valid(f->issuer) && f->issuer_hash == dn_hash(f->issuer));
    ASSERT(f->scope <= CRL_SCOPE_ATTRIBUTES && !(f->only_some_reasons & ~CRL_ALL_REASONS));
    ASSERT(f->number.n <= 20 && f->base_number.n <= 20);
    ASSERT(crl_has_same_scope(c, c) && crl_compare_age(c, c) == 0);
    check_text(crl_issuer(c));
    check_text(crl_number(c));
    ASSERT(crl_each_entry(der, find, &lookup, NULL) == 0);
    ASSERT(lookup.n == f->entries);
}

/* Nothing outside of an index is read, whatever is in it: it ends where its block ends. */
static void damage(struct bytes index, uint8_t by)
{
    uint8_t *copy = mem_alloc_raw(index.n);
    memcpy(copy, index.at, index.n);
    size_t at = (size_t)by * 7 % index.n;
    copy[at] ^= (uint8_t)(by | 1);
    struct crl *c = crl_open((struct bytes){copy, index.n}, NULL);
    struct crl_entry entry;
    if (c) {
        ignore_result(crl_find(c, BYTES("\1"), crl_facts(c)->issuer, &entry));
        ignore_result((long)strlen(crl_issuer(c)) + (long)strlen(crl_number(c)));
    }
    crl_free(&c);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct error err = {""};
    struct buf index;
    struct bytes der = {data, n};
    if (!n)
        return 0;
    buf_init(&index, INDEX_MAX);
    if (crl_compile(der, &index, &err) < 0) {
        ASSERT(err.text[0] && !buf_size(&index));
        buf_fini(&index);
        return 0;
    }
    struct crl *c = crl_open(buf_bytes(&index), &err);
    ASSERT(c);
    check(c, der);
    crl_free(&c);
    damage(buf_bytes(&index), data[n - 1]);
    buf_fini(&index);
    return 0;
}
