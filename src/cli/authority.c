/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/file.h"
#include "crypto/convert.h"
#include "pki/crl.h"
#include "pki/reason_code.h"
#include "pki/serial.h"

#include "base/ban.h"

#define PEM_MAX         (64u << 20)
#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */

int authority_path(const char *folder, const char *stem, const char *suffix,
    char path[AUTHORITY_PATH_MAX], struct error *err)
{
    int n = snprintf(path, AUTHORITY_PATH_MAX, "%s/%s.%s", folder, stem, suffix);
    if (n < 0 || n >= AUTHORITY_PATH_MAX)
        return error_set(err, "the name of %s.%s is too long", stem, suffix);
    return 0;
}

/* ---- loading ---- */

static int load_chain(struct authority *a, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    struct buf content;
    struct error why;
    if (authority_path(a->folder, a->stem, "crt", path, err) < 0 ||
        file_read(path, &content, err) < 0)
        return -1;
    int result = certificate_list_parse(buf_bytes(&content), &a->chain, &why);
    buf_fini(&content);
    return result < 0 ? error_set(err, "%s: %s", path, why.text) : 0;
}

static int load_key(struct authority *a, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    struct buf content;
    struct error why;
    if (authority_path(a->folder, a->stem, "key", path, err) < 0 ||
        file_read(path, &content, err) < 0)
        return -1;
    a->key = private_key_parse(buf_bytes(&content), &why);
    buf_fini(&content); /* wipes it */
    if (!a->key)
        return error_set(err, "%s: %s", path, why.text);
    if (!private_key_matches(a->key, certificate_facts(a->chain.at[0])->spki))
        return error_set(err, "%s is not the key of %s.crt next to it", path, a->stem);
    return 0;
}

int authority_load(const char *folder, const char *stem, struct authority *out, struct error *err)
{
    *out = (struct authority){.folder = folder, .stem = stem};
    if (load_chain(out, err) == 0 && load_key(out, err) == 0)
        return 0;
    authority_fini(out);
    return -1;
}

void authority_fini(struct authority *a)
{
    certificate_list_fini(&a->chain);
    private_key_unref(&a->key);
}

/* ---- writing ---- */

static int write_file(const struct authority_order *o, const char *suffix,
    const struct buf *content, enum file_access access, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    if (authority_path(o->folder, o->stem, suffix, path, err) < 0)
        return -1;
    return file_write(path, buf_bytes(content), access, o->may_replace, err);
}

static int write_key(
    const struct authority_order *o, const struct private_key *key, struct error *err)
{
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    int result = convert_key_pem(key, &pem) < 0 ? error_set(err, "the key cannot be written as PEM")
                                                : write_file(o, "key", &pem, FILE_SECRET, err);
    buf_fini(&pem);
    return result;
}

/* C, and behind it whoever stands between it and the root. */
static int write_certificate(const struct authority_order *o, const struct certificate *c,
    const struct authority *issuer, struct error *err)
{
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    int result = convert_certificate_pem(certificate_der(c), &pem);
    for (size_t i = 0; issuer && result == 0 && i < issuer->chain.n; i++)
        if (!certificate_facts(issuer->chain.at[i])->is_self_issued)
            result = convert_certificate_pem(certificate_der(issuer->chain.at[i]), &pem);
    result = result < 0 ? error_set(err, "the certificate cannot be written as PEM")
                        : write_file(o, "crt", &pem, FILE_PUBLIC, err);
    buf_fini(&pem);
    return result;
}

/* All or nothing: look before anything is written. */
static int check_free(const struct authority_order *o, struct error *err)
{
    static const char *const suffixes[] = {"crt", "key", "crl"};
    bool is_ca = o->profile == ISSUE_CA || o->profile == ISSUE_INTERMEDIATE;
    for (size_t i = 0; !o->may_replace && i < (is_ca ? 3 : 2); i++) {
        char path[AUTHORITY_PATH_MAX];
        if (authority_path(o->folder, o->stem, suffixes[i], path, err) < 0)
            return -1;
        if (access(path, F_OK) == 0)
            return error_set(err, "%s exists already; --force replaces it", path);
    }
    return 0;
}

/* ---- CRLs ---- */

struct entries {
    struct issue_revoked *at;
    size_t n;
    struct arena arena; /* of the serials */
};

static void push_entry(struct entries *e, struct issue_revoked entry)
{
    e->at = mem_realloc(e->at, (e->n + 1) * sizeof(*e->at));
    e->at[e->n++] = entry;
}

static bool add_entry(void *owner, struct bytes serial, int64_t revoked_at, unsigned reason)
{
    struct entries *e = owner;
    push_entry(e, (struct issue_revoked){serial_text(&e->arena, serial), revoked_at, reason});
    return true;
}

static void entries_free(struct entries *e)
{
    arena_fini(&e->arena);
    free(e->at);
}

struct crl_order {
    const struct issue_revoked *also; /* NULL: only what is there */
    int64_t now_s;
    unsigned days;
};

static int sign_crl(const struct authority *a, const struct entries *entries, unsigned long number,
    const struct crl_order *order, struct error *err)
{
    struct issue_crl_request request = {
        .ca = certificate_der(a->chain.at[0]),
        .ca_key = a->key,
        .revoked = entries->at,
        .revoked_n = entries->n,
        .number = number,
        .this_update = order->now_s,
        .next_update = order->now_s + (int64_t)order->days * AUTHORITY_DAY_S,
    };
    char path[AUTHORITY_PATH_MAX];
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    int result = issue_crl(&request, &pem, err);
    if (result == 0)
        result = authority_path(a->folder, a->stem, "crl", path, err);
    if (result == 0)
        result = file_write(path, buf_bytes(&pem), FILE_PUBLIC, true, err);
    buf_fini(&pem);
    return result;
}

static int check_not_listed(
    const struct entries *entries, const struct issue_revoked *entry, struct error *err)
{
    for (size_t i = 0; i < entries->n; i++)
        if (strcmp(entries->at[i].serial, entry->serial) == 0)
            return error_set(err, "serial %s is on the CRL already", entry->serial);
    return 0;
}

/* A CRL file as authority_issue wrote it. */
struct crl_file {
    struct encoding_list ders;
    struct crl_list crls;
};

static void crl_file_fini(struct crl_file *f)
{
    encoding_list_fini(&f->ders);
    crl_list_fini(&f->crls);
}

static int keep_der(void *owner, struct bytes der, struct error *err)
{
    encoding_list_add(owner, der);
    return 0;
}

static int read_crl_file(const char *path, struct crl_file *out, struct error *err)
{
    struct buf content;
    struct error why;
    *out = (struct crl_file){0};
    if (file_read(path, &content, err) < 0)
        return -1;
    int result = crl_each_der(buf_bytes(&content), keep_der, &out->ders, &why);
    if (result == 0)
        result = crl_list_parse(buf_bytes(&content), &out->crls, &why);
    buf_fini(&content);
    return result < 0 ? error_set(err, "%s: %s", path, why.text) : 0;
}

/* The entries of DER with ORDER's, signed under the number after NUMBER. */
static int reissue(const struct authority *a, struct bytes der, unsigned long number,
    const struct crl_order *order, struct error *err)
{
    struct entries entries = {0};
    arena_init(&entries.arena);
    int result = crl_each_entry(der, add_entry, &entries, err);
    if (result == 0 && order->also)
        result = check_not_listed(&entries, order->also, err);
    if (result == 0 && order->also)
        push_entry(&entries, *order->also);
    if (result == 0)
        result = sign_crl(a, &entries, number + 1, order, err);
    entries_free(&entries);
    return result;
}

static int update_crl(const struct authority *a, const struct crl_order *order, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    struct crl_file file;
    if (authority_path(a->folder, a->stem, "crl", path, err) < 0)
        return -1;
    int result = read_crl_file(path, &file, err);
    if (result == 0 && file.crls.n != 1)
        result = error_set(err, "%s holds %zu CRLs, not one", path, file.crls.n);
    else if (result == 0 && !crl_signed_by(file.crls.at[0], a->chain.at[0]))
        result = error_set(err, "%s is not signed by %s.crt next to it", path, a->stem);
    else if (result == 0)
        result =
            reissue(a, file.ders.at[0], strtoul(crl_number(file.crls.at[0]), NULL, 10), order, err);
    crl_file_fini(&file);
    return result;
}

int authority_revoke(
    const struct authority *a, const struct authority_revocation *what, struct error *err)
{
    if (!certificate_issued_by(what->certificate, a->chain.at[0]))
        return error_set(err, "%s was not issued by %s: name its issuer's files with --issuer",
            certificate_subject(what->certificate), certificate_subject(a->chain.at[0]));
    int reason = what->reason ? reason_code_of(what->reason) : REASON_CODE_UNSPECIFIED;
    if (reason < 0 || reason == REASON_CODE_REMOVE_FROM_CRL)
        return error_set(err,
            "\"%s\" is no reason to revoke a certificate; accepted: those of RFC 5280 section "
            "5.3.1, such as keyCompromise or superseded",
            what->reason);
    struct issue_revoked entry = {
        certificate_serial(what->certificate), what->now_s, (unsigned)reason};
    struct crl_order order = {&entry, what->now_s, what->days};
    return update_crl(a, &order, err);
}

int authority_renew_crl(const struct authority *a, int64_t now_s, unsigned days, struct error *err)
{
    struct crl_order order = {NULL, now_s, days};
    return update_crl(a, &order, err);
}

static int write_first_crl(const struct authority_order *o, const struct certificate *ca,
    const struct private_key *key, struct error *err)
{
    struct authority a = {.folder = o->folder, .stem = o->stem};
    a.chain = (struct certificate_list){(struct certificate *[]){certificate_ref(ca)}, 1};
    a.key = private_key_ref(key);
    struct crl_order order = {NULL, o->now_s, AUTHORITY_CRL_DAYS};
    int result = sign_crl(&a, &(struct entries){0}, 1, &order, err);
    certificate_unref(&a.chain.at[0]);
    private_key_unref(&a.key);
    return result;
}

/* ---- issuing ---- */

static const char *common_name_of(const struct authority_order *o, char out[COMMON_NAME_MAX + 1])
{
    if (o->common_name || !o->names_n)
        return o->common_name;
    struct bytes name = o->names[0];
    struct bytes value = bytes_skip(name, bytes_find(name, ':') + 1);
    snprintf(out, COMMON_NAME_MAX + 1, "%.*s", BYTES_ARG(value));
    return out;
}

static struct certificate *make_certificate(const struct authority *issuer,
    const struct authority_order *o, const struct private_key *key, struct error *err)
{
    char common_name[COMMON_NAME_MAX + 1];
    struct issue_request request = {
        .profile = o->profile,
        .common_name = common_name_of(o, common_name),
        .names = o->names,
        .names_n = o->names_n,
        .not_before = o->not_before,
        .not_after = o->not_after,
        .key = key,
    };
    if (issuer) {
        request.issuer = certificate_der(issuer->chain.at[0]);
        request.issuer_key = issuer->key;
        int64_t end = certificate_facts(issuer->chain.at[0])->not_after;
        if (request.not_after > end)
            request.not_after = end;
    }
    /* What we issue goes through the parser that judges what others issue. */
    struct certificate *c = NULL;
    struct buf der;
    buf_init(&der, PEM_MAX);
    if (issue_certificate(&request, &der, err) == 0)
        c = certificate_parse(buf_bytes(&der), err);
    buf_fini(&der);
    return c;
}

/* Our intermediates have pathLenConstraint 0 (RFC 5280 §4.2.1.9): a CA below one would never
 * verify. */
static int check_issuer(
    const struct authority *issuer, const struct authority_order *o, struct error *err)
{
    if (o->profile != ISSUE_INTERMEDIATE || certificate_facts(issuer->chain.at[0])->is_self_issued)
        return 0;
    return error_set(err, "%s is an intermediate CA and may issue leaves only; name a root CA",
        certificate_subject(issuer->chain.at[0]));
}

int authority_issue(
    const struct authority *issuer, const struct authority_order *order, struct error *err)
{
    if (check_issuer(issuer, order, err) < 0 || check_free(order, err) < 0)
        return -1;
    struct private_key *key = private_key_generate(order->key_kind, err);
    struct certificate *c = key ? make_certificate(issuer, order, key, err) : NULL;
    bool is_ca = order->profile == ISSUE_CA || order->profile == ISSUE_INTERMEDIATE;
    int result = c ? 0 : -1;
    if (result == 0)
        result = write_key(order, key, err);
    if (result == 0)
        result = write_certificate(order, c, issuer, err);
    if (result == 0 && is_ca)
        result = write_first_crl(order, c, key, err);
    certificate_unref(&c);
    private_key_unref(&key);
    return result;
}
