/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/batch_case.h"
#include "cli/options.h"
#include "cli/trust.h"
#include "cli/verdict_text.h"
#include "crypto/digest.h"
#include "pki/ocsp.h"

#include "base/ban.h"

#define ANSWER_MAX (64u << 20) /* bytes; a hostile chain has room for thousands of long names */
#define DAY_S      86400
#define OID_MAX    64 /* octets of an object identifier, and more than any has */

/* One arc of an object identifier, in base 128 (X.690 §8.19.2). */
static int append_arc(uint64_t arc, struct buf *out)
{
    uint8_t octets[10];
    size_t n = sizeof(octets);
    octets[--n] = arc & 0x7f;
    while (arc >>= 7)
        octets[--n] = (uint8_t)(0x80 | (arc & 0x7f));
    return buf_append(out, (struct bytes){octets + n, sizeof(octets) - n});
}

static int read_arc(struct bytes *text, uint64_t *arc)
{
    size_t n = bytes_find(*text, '.');
    *arc = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t digit = (uint8_t)(text->at[i] - '0');
        if (digit > 9 || *arc > UINT32_MAX)
            return -1;
        *arc = *arc * 10 + digit;
    }
    *text = bytes_skip(*text, n + 1);
    return n ? 0 : -1;
}

/* "2.5.29.32.0" as the content of an OBJECT IDENTIFIER, appended to OUT. */
static int append_oid(struct bytes text, struct buf *out)
{
    uint64_t first, second, arc;
    if (read_arc(&text, &first) < 0 || read_arc(&text, &second) < 0 || first > 2 ||
        (first < 2 && second > 39) || append_arc(first * 40 + second, out) < 0)
        return -1;
    while (text.n)
        if (read_arc(&text, &arc) < 0 || append_arc(arc, out) < 0)
            return -1;
    return 0;
}

/* ---- from the case to a policy ---- */

static int read_policies(struct trust *t, const struct batch_case *c, struct error *err)
{
    struct bytes *list = arena_alloc(&t->arena, c->policies.n * sizeof(*list));
    struct buf oid;
    buf_init(&oid, OID_MAX);
    int result = 0;
    for (size_t i = 0; i < c->policies.n && result == 0; i++) {
        buf_clear(&oid);
        if (append_oid(c->policies.at[i], &oid) < 0)
            result = error_set(err, "initial_policy_set has what is no object identifier");
        list[i] = arena_copy(&t->arena, buf_bytes(&oid));
    }
    buf_fini(&oid);
    t->policy.policies = (struct path_policies){
        .initial = list,
        .initial_n = c->policies.n,
        .require_explicit = c->requires_policy,
        .inhibit_mapping = c->inhibits_mapping,
        .inhibit_any = c->inhibits_any_policy,
    };
    return result;
}

static bool is_fresh(const struct crl_list *crls, int64_t oldest_s)
{
    for (size_t i = 0; i < crls->n; i++)
        if (crl_facts(crls->at[i])->this_update < oldest_s)
            return false;
    return true;
}

/* The thisUpdate that is just young enough. */
static int64_t oldest(int64_t age_days_max, int64_t now_s)
{
    return age_days_max < 0 ? INT64_MIN : now_s - age_days_max * DAY_S;
}

/* A CRL that cannot be read is data that we do not have. */
static void read_crls(struct trust *t, const struct batch_case *c, int64_t oldest_s)
{
    for (size_t i = 0; i < c->crls.n; i++) {
        struct crl_list found = {0};
        if (crl_list_parse(c->crls.at[i], &found, NULL) == 0 && is_fresh(&found, oldest_s))
            crl_list_append(&t->policy.crls, &found);
        crl_list_fini(&found);
    }
}

/* Data that the case brings are checked; without any the factor is unknown, and tolerated. */
static enum revocation_policy revocation_of(const struct batch_case *c)
{
    if (!c->crls.n && !c->ocsp.n)
        return REVOCATION_OFF;
    return c->accepts_unknown ? REVOCATION_SOFT : REVOCATION_HARD;
}

static int read_policy(
    struct trust *t, const struct batch_case *c, int64_t *now_s, struct error *err)
{
    if (c->time.n && clock_parse(c->time, now_s) < 0)
        return error_set(err, "validation_time is no RFC 3339 time");
    for (size_t i = 0; i < c->anchors.n; i++)
        if (trust_add_ca(t, c->anchors.at[i], err) < 0)
            return -1;
    for (size_t i = 0; i < c->names.n; i++)
        if (trust_add_name(t, (const char *)c->names.at[i].at, false, err) < 0)
            return -1;
    if (read_policies(t, c, err) < 0)
        return -1;
    t->policy.revocation = revocation_of(c);
    t->policy.leaf_only = c->leaf_only;
    t->policy.chain_max = TRUST_POOL_MAX;
    if (c->depth_max >= 0)
        t->policy.depth_max = (unsigned)c->depth_max;
    trust_build(t, c->partial_chain);
    return 0;
}

static int add_chain(struct bytes pem, struct certificate_list *chain, struct error *err)
{
    struct certificate_list found = {0};
    if (certificate_list_parse(pem, &found, err) < 0)
        return -1;
    certificate_list_add_all(chain, &found);
    certificate_list_fini(&found);
    return 0;
}

static int read_chain(const struct batch_case *c, struct certificate_list *chain, struct error *err)
{
    int result = add_chain(c->leaf, chain, err);
    for (size_t i = 0; result == 0 && i < c->untrusted.n; i++)
        result = add_chain(c->untrusted.at[i], chain, err);
    return result;
}

/* ---- from the policy to the verdict ---- */

static void judge(
    const struct trust *t, const struct certificate_list *chain, int64_t now_s, struct verdict *v)
{
    verify_chain(&t->policy, (const struct certificate *const *)chain->at, chain->n, now_s, v);
}

/* Whoever is listed in a CRL older than the case allows is revoked all the same; otherwise such a
 * CRL is data that we do not have. */
static void judge_with_crls(struct trust *t, const struct batch_case *c,
    const struct certificate_list *chain, int64_t now_s, struct verdict *v)
{
    read_crls(t, c, INT64_MIN);
    judge(t, chain, now_s, v);
    if (v->reason == REASON_REVOKED || c->crl_age_days_max < 0)
        return;
    verdict_fini(v);
    crl_list_fini(&t->policy.crls);
    read_crls(t, c, oldest(c->crl_age_days_max, now_s));
    judge(t, chain, now_s, v);
}

/* The response in TEXT (base64) and whether it is older than OLDEST_S; empty: it is none, so data
 * that we do not have. */
static struct bytes read_ocsp(struct trust *t, struct bytes text, int64_t oldest_s, bool *is_old)
{
    struct ocsp_facts facts;
    uint8_t *der = arena_alloc(&t->arena, text.n + 1);
    size_t n;
    *is_old = false;
    if (base64_decode(text, der, &n) < 0 ||
        ocsp_describe((struct bytes){der, n}, &t->arena, &facts, NULL) < 0)
        return (struct bytes){0};
    for (size_t i = 0; i < facts.entries_n; i++)
        *is_old |= facts.entries[i].answer.this_update < oldest_s;
    return (struct bytes){der, n};
}

/* A policy holds one OCSP response. Of several, the one that says most decides: a revocation, else
 * an acceptance. One that is too old can only revoke. */
static void judge_with_ocsp(struct trust *t, const struct batch_case *c,
    const struct certificate_list *chain, int64_t now_s, struct verdict *v)
{
    for (size_t i = 0; i < c->ocsp.n; i++) {
        bool is_old;
        t->policy.ocsp = read_ocsp(t, c->ocsp.at[i], oldest(c->ocsp_age_days_max, now_s), &is_old);
        if (!t->policy.ocsp.n)
            continue;
        struct verdict next;
        judge(t, chain, now_s, &next);
        bool is_better = v->reason != REASON_REVOKED &&
                         (next.reason == REASON_REVOKED || (next.accepted && !is_old));
        verdict_fini(is_better ? v : &next);
        if (is_better)
            *v = next;
    }
}

static void judge_case(const struct batch_case *c, int64_t now_s, struct verdict *v)
{
    struct trust t;
    struct certificate_list chain = {0};
    struct error err = {""};
    trust_init(&t, c->purpose);
    if (read_policy(&t, c, &now_s, &err) < 0 || read_chain(c, &chain, &err) < 0) {
        verdict_malformed(v, err.text);
    } else {
        judge_with_crls(&t, c, &chain, now_s, v);
        judge_with_ocsp(&t, c, &chain, now_s, v);
    }
    certificate_list_fini(&chain);
    trust_fini(&t);
}

/* The verdict's object with "id" in front: {"id":…,"accepted":…}. -1 if it is too long, and OUT is
 * then empty. */
static int write_answer(const char *id, const struct verdict *v, struct buf *out)
{
    struct buf verdict;
    struct json j;
    json_init(&j, out);
    json_open_object(&j, NULL);
    if (id)
        json_text(&j, "id", id);
    else
        json_nil(&j, "id");
    buf_init(&verdict, ANSWER_MAX);
    json_init(&j, &verdict);
    verdict_json(v, &j, NULL);
    struct bytes members = bytes_skip(buf_bytes(&verdict), 1); /* and its closing brace */
    bool fits = !json_failed(&j) && buf_append(out, BYTES(",")) == 0 &&
                buf_append(out, members) == 0 && buf_append(out, BYTES("\n")) == 0;
    if (!fits)
        buf_clear(out);
    buf_fini(&verdict);
    return fits ? 0 : -1;
}

/* Every line is answered, whatever it was. */
static void answer_with(const char *id, struct verdict *v, struct buf *out)
{
    if (write_answer(id, v, out) == 0)
        return;
    verdict_fini(v);
    verdict_malformed(v, "the answer would be longer than a line may be");
    if (write_answer(id, v, out) < 0)
        ignore_result(write_answer(NULL, v, out));
}

void batch_answer(struct bytes line, int64_t now_s, struct buf *out)
{
    struct arena arena;
    struct batch_case c;
    struct verdict v;
    struct error err;
    arena_init(&arena);
    if (batch_case_read(line, &arena, &c, &err) == 0)
        judge_case(&c, now_s, &v);
    else
        verdict_malformed(&v, err.text);
    answer_with(c.id, &v, out);
    verdict_fini(&v);
    arena_fini(&arena);
}

static void answer_all(FILE *in, int64_t now_s)
{
    struct buf answer;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    buf_init(&answer, 2 * ANSWER_MAX);
    while ((n = getline(&line, &capacity, in)) >= 0) {
        struct bytes text = {(const uint8_t *)line, (size_t)n};
        if (bytes_ends_with(text, BYTES("\n")))
            text.n--;
        batch_answer(text, now_s, &answer);
        fwrite(buf_bytes(&answer).at, 1, buf_size(&answer), stdout);
        fflush(stdout); /* whoever feeds us through a pipe may wait for the answer */
        buf_clear(&answer);
    }
    free(line);
    buf_fini(&answer);
}

int batch_run(const char *path, int64_t now_s)
{
    bool is_input = strcmp(path, "-") == 0;
    FILE *in = is_input ? stdin : fopen(path, "re");
    if (!in) {
        fprintf(stderr, "sallyport verify: cannot open %s: %s\n", path, strerror(errno));
        return OPTIONS_EXIT_USAGE;
    }
    answer_all(in, now_s);
    bool failed = ferror(in) || ferror(stdout);
    if (failed)
        fprintf(stderr, "sallyport verify: %s: %s\n", path, strerror(errno));
    if (!is_input)
        fclose(in);
    return failed ? OPTIONS_EXIT_USAGE : OPTIONS_EXIT_GOOD;
}
