/* SPDX-License-Identifier: Apache-2.0 */
/* ReplaceCertForLoadBalancers, UpdateCertificateInstance: one certificate for another, wherever it
 * is used, in one change. */
#include <string.h>

#include "api/action.h"
#include "api/certificates.h"
#include "api/document.h"
#include "base/memory.h"

#include "base/ban.h"

#define PEM_MAX (1 << 20)
#define CRL_MAX (8 << 20)
#define KEY_MAX 65536

/* ---- fields ---- */

#define MODE_WHY "each listener keeps its mode; change it with ModifyListener"

static const struct field replacement_fields[] = {
    {"CertId", FIELD_TEXT, .max = 64, .help = "a server's certificate, in place of another"},
    {"CertContent", FIELD_TEXT, .max = PEM_MAX,
        .help = "instead of CertId: the certificate with its chain, PEM, to be uploaded"},
    {"CertKey", FIELD_TEXT, .max = KEY_MAX, .help = "its private key, PEM"},
    {"CertName", FIELD_TEXT, .max = 200, .help = "its alias"},
    {"CertCaId", FIELD_TEXT, .max = 64, .help = "a CA certificate, in place of another"},
    {"CertCaContent", FIELD_TEXT, .max = PEM_MAX,
        .help = "instead of CertCaId: CA certificates, PEM, to be uploaded"},
    {"CertCaName", FIELD_TEXT, .max = 200, .help = "their alias"},
    {"CertCaCrl", FIELD_TEXT, .max = CRL_MAX,
        .help = "Sallyport's own: the CRLs of the CA in CertCaContent, PEM"},
    {"SSLMode", FIELD_TEXT, .choices = "UNIDIRECTIONAL|MUTUAL",
        .help = "of no effect, for clients that always send it: each listener keeps its mode"},
    {"SSLVerifyClient", FIELD_TEXT, .only = "\"\"", .why = MODE_WHY},
    {"ClientNames", FIELD_TEXT, .is_list = true, .only = "[]", .why = MODE_WHY},
    {NULL},
};

#define OLD_FIELD                                                            \
    {                                                                        \
        "OldCertificateId", FIELD_TEXT,                                      \
            .is_required = true, .max = 64,                                  \
            .help = "the certificate that is used now, a server's or a CA's" \
    }

const struct field action_replace_cert_for_load_balancers_fields[] = {
    OLD_FIELD,
    {"Certificate", FIELD_OBJECT, .is_required = true, .of = replacement_fields,
        .help = "the new one, of the same type"},
    {NULL},
};

#define NOWHERE_ELSE "certificates are used by the listeners of this instance only"

static const struct field region_fields[] = {
    {"ResourceType", FIELD_TEXT, .choices = "clb", .help = "clb"},
    {"Regions", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100, .help = "of no effect"},
    {NULL},
};

const struct field action_update_certificate_instance_fields[] = {
    OLD_FIELD,
    {"ResourceTypes", FIELD_TEXT, .is_list = true, .is_required = true, .list_max = 1,
        .choices = "clb", .help = "clb"},
    {"CertificateId", FIELD_TEXT, .max = 64, .help = "the new one, of the same type"},
    {"CertificatePublicKey", FIELD_TEXT, .max = PEM_MAX,
        .help = "instead of CertificateId: the new one, PEM, to be uploaded"},
    {"CertificatePrivateKey", FIELD_TEXT, .max = KEY_MAX, .help = "its private key, PEM"},
    {"Regions", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100, .help = "of no effect"},
    {"ResourceTypesRegions", FIELD_OBJECT, .is_list = true, .list_max = 10, .of = region_fields,
        .help = "of no effect: this instance is one region"},
    {"Repeatable", FIELD_BOOLEAN, .only = "true", .why = "a certificate may be uploaded twice"},
    {"ExpiringNotificationSwitch", FIELD_INTEGER, .only = "0|1",
        .why = "nobody is notified; the metrics tell when certificates end"},
    {"AllowDownload", FIELD_BOOLEAN, .only = "false", .why = "private keys are never told"},
    {NULL},
};

/* ---- replacement ---- */

struct replacement {
    struct call *c;
    const char *old_id, *new_id;
    size_t n;
};

static void replace_text(const struct replacement *r, json_t *object, const char *name)
{
    if (document_is(object, name, r->old_id))
        json_object_set_new(object, name, json_string(r->new_id));
}

/* In a CertificateOutput, or a TargetTls. */
static void replace_in(const struct replacement *r, json_t *object)
{
    json_t *others = json_object_get(object, "ExtCertIds"), *id;
    size_t i;
    replace_text(r, object, "CertId");
    replace_text(r, object, "CertCaId");
    json_array_foreach(others, i, id)
    {
        if (strcmp(json_string_value(id), r->old_id) == 0)
            json_array_set_new(others, i, json_string(r->new_id));
    }
}

static void replace_in_holder(const struct replacement *r, json_t *holder)
{
    replace_in(r, json_object_get(holder, "Certificate"));
    replace_in(r, json_object_get(holder, "TargetTls"));
}

static void count_use(void *owner, const struct certificate_use *use)
{
    ++*(size_t *)owner;
}

/* The ids of the listeners that use it, themselves or in their rules: editing them while they are
 * gone through would pull the ground from under it. */
static void note_listener(void *owner, const struct certificate_use *use)
{
    json_object_set_new(owner, document_text(use->listener, "ListenerId"), json_true());
}

static void replace_all(const struct replacement *r)
{
    const struct model *m = r->c->model;
    json_t *ids = json_object(), *rule, *is_used;
    const char *id;
    certificates_each_use(m, r->old_id, note_listener, ids);
    json_object_foreach(ids, id, is_used)
    {
        json_t *listener = model_edit(r->c->model, MODEL_LISTENER, id);
        size_t i;
        replace_in_holder(r, listener);
        json_array_foreach(json_object_get(listener, "Rules"), i, rule) replace_in_holder(r, rule);
    }
    json_decref(ids);
}

/* A certificate that lets nobody in who was kept out before: of the same type, and with CRLs where
 * the old one has them. */
static int check_replacement(const struct replacement *r, const char *field)
{
    const json_t *old = model_find(r->c->model, MODEL_CERTIFICATE, r->old_id);
    const json_t *fresh = model_find(r->c->model, MODEL_CERTIFICATE, r->new_id);
    const char *type = document_text(old, "CertificateType");
    if (!fresh)
        return call_refuse(
            r->c, API_ERROR_VALUE, "%s: there is no certificate %.64s.", field, r->new_id);
    if (strcmp(r->new_id, r->old_id) == 0)
        return call_refuse(
            r->c, API_ERROR_VALUE, "%s: %.64s is the old certificate.", field, r->new_id);
    if (!document_is(fresh, "CertificateType", type))
        return call_refuse(r->c, API_ERROR_VALUE,
            "%s: %.64s is of CertificateType %s, and %.64s of %s; they are used for different "
            "things.",
            field, r->new_id, document_text(fresh, "CertificateType"), r->old_id, type);
    if (document_text(old, "Crl") && !document_text(fresh, "Crl"))
        return call_refuse(r->c, API_ERROR_VALUE,
            "%s: the CA certificate %.64s has no CRLs, and %.64s has; whom they keep out would "
            "come in. UpdateCertificateRevocationList gives it some.",
            field, r->new_id, r->old_id);
    return 0;
}

static int replace(struct call *c, const char *new_id, const char *field)
{
    struct replacement r = {.c = c, .old_id = call_text(c, "OldCertificateId"), .new_id = new_id};
    if (check_replacement(&r, field) < 0)
        return -1;
    certificates_each_use(c->model, r.old_id, count_use, &r.n);
    if (!r.n)
        return call_refuse(c, API_ERROR_VALUE, "OldCertificateId: nobody uses %.64s.", r.old_id);
    replace_all(&r);
    return 0;
}

/* The record of OldCertificateId. */
static const json_t *find_old(struct call *c)
{
    const char *id = call_text(c, "OldCertificateId");
    const json_t *record = model_find(c->model, MODEL_CERTIFICATE, id);
    if (!record)
        ignore_result(call_refuse(
            c, API_ERROR_VALUE, "OldCertificateId: there is no certificate %.64s.", id));
    return record;
}

/* ---- actions ---- */

/* What the two types of certificates are given by. */
static const struct {
    const char *id, *content, *key, *name, *crl;
} given_by[] = {
    [CERTIFICATE_SERVER] = {"CertId", "CertContent", "CertKey", "CertName", NULL},
    [CERTIFICATE_CA] = {"CertCaId", "CertCaContent", NULL, "CertCaName", "CertCaCrl"},
};

static const char *given(const json_t *object, const char *name)
{
    const char *text = name ? document_text(object, name) : NULL;
    return text && *text ? text : NULL;
}

int action_replace_cert_for_load_balancers(struct call *c)
{
    const json_t *old = find_old(c), *input = json_object_get(c->request, "Certificate");
    char id[MODEL_ID_MAX];
    if (!old)
        return -1;
    enum certificate_type type =
        document_is(old, "CertificateType", "CA") ? CERTIFICATE_CA : CERTIFICATE_SERVER;
    enum certificate_type other = type == CERTIFICATE_CA ? CERTIFICATE_SERVER : CERTIFICATE_CA;
    const char *new_id = given(input, given_by[type].id);
    const struct certificate_upload u = {.type = type,
        .certificate = given(input, given_by[type].content),
        .key = given(input, given_by[type].key),
        .alias = given(input, given_by[type].name),
        .crl = given(input, given_by[type].crl),
        .certificate_field = given_by[type].content,
        .key_field = given_by[type].key};
    if (given(input, given_by[other].id) || given(input, given_by[other].content))
        return call_refuse(c, API_ERROR_VALUE,
            "Certificate: OldCertificateId is a %s's certificate; give the new one as %s or %s, "
            "and "
            "nothing else.",
            type == CERTIFICATE_CA ? "CA" : "server", given_by[type].id, given_by[type].content);
    if (!new_id == !u.certificate)
        return call_refuse(c, new_id ? API_ERROR_PARAMETER : API_ERROR_MISSING,
            "Certificate: one of %s and %s is needed, and one only.", given_by[type].id,
            given_by[type].content);
    if (u.certificate && certificates_upload(c, &u, id) < 0)
        return -1;
    return replace(c, new_id ? new_id : id, given_by[type].id);
}

int action_update_certificate_instance(struct call *c)
{
    const json_t *old = find_old(c);
    const char *new_id = call_text(c, "CertificateId");
    char id[MODEL_ID_MAX];
    if (!old)
        return -1;
    const struct certificate_upload u = {
        .type = document_is(old, "CertificateType", "CA") ? CERTIFICATE_CA : CERTIFICATE_SERVER,
        .certificate = call_text(c, "CertificatePublicKey"),
        .key = call_text(c, "CertificatePrivateKey"),
        .alias = document_text(old, "Alias"),
        .certificate_field = "CertificatePublicKey",
        .key_field = "CertificatePrivateKey"};
    if (!new_id == !u.certificate)
        return call_refuse(c, new_id ? API_ERROR_PARAMETER : API_ERROR_MISSING,
            "One of CertificateId and CertificatePublicKey is needed, and one only.");
    if (u.certificate && certificates_upload(c, &u, id) < 0)
        return -1;
    if (replace(c, new_id ? new_id : id, "CertificateId") < 0)
        return -1;
    /* clients ask again as long as it is 0; there are no records to look it up among */
    json_object_set_new(c->response, "DeployRecordId", json_integer(c->now_s));
    json_object_set_new(c->response, "DeployStatus", json_integer(1));
    json_object_set_new(c->response, "UpdateSyncProgress", json_null());
    return 0;
}
