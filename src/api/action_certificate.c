/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of the SSL service: uploaded, renamed, given CRLs, deleted. */
#include <string.h>

#include "api/action.h"
#include "api/certificate_record.h"
#include "api/document.h"
#include "api/labels.h"
#include "base/memory.h"

#include "base/ban.h"

#define PEM_MAX (1 << 20)
#define CRL_MAX (8 << 20)
#define KEY_MAX 65536

/* ---- fields ---- */

const struct field action_upload_certificate_fields[] = {
    {"CertificatePublicKey", FIELD_TEXT, .is_required = true, .min = 1, .max = PEM_MAX,
        .help = "PEM: a server's certificate with its chain, in any order; or the certificates of "
                "CAs"},
    {"CertificatePrivateKey", FIELD_TEXT, .max = KEY_MAX,
        .help = "PEM: the private key of a server's certificate; it is never told again"},
    {"KeyPassword", FIELD_TEXT, .max = 1024, .help = "the passphrase of an encrypted key"},
    {"CertificateType", FIELD_TEXT, .choices = "SVR|CA",
        .help = "SVR (default), a server's; CA, of those whose clients may enter"},
    {"Alias", FIELD_TEXT, .max = 200, .help = "what people call it"},
    {"CertCaCrl", FIELD_TEXT, .max = CRL_MAX,
        .help = "Sallyport's own: the CRLs of a CA, PEM; clients are held against them"},
    {"Repeatable", FIELD_BOOLEAN,
        .help = "default true; false: of a certificate that is there already the id is told, and "
                "nothing is uploaded"},
    {"ProjectId", FIELD_INTEGER, .min = 0, .max = INT32_MAX, .help = "a label, told again"},
    {"CertificateUse", FIELD_TEXT, .max = 64, .only = "\"CLB\"|\"clb\"|\"\"",
        .why = "certificates are for listeners"},
    {"Tags", FIELD_OBJECT, .is_list = true, .list_max = LABELS_MAX, .of = labels_fields,
        .help = "labels, told again"},
    {NULL},
};

#define ID_FIELD                                                                               \
    {                                                                                          \
        "CertificateId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the certificate" \
    }

const struct field action_delete_certificate_fields[] = {
    ID_FIELD,
    {"IsCheckResource", FIELD_BOOLEAN,
        .help = "of no effect: whether listeners use it is looked at in any case, and at once"},
    {NULL},
};

const struct field action_modify_certificate_alias_fields[] = {
    ID_FIELD,
    {"Alias", FIELD_TEXT, .max = 200, .help = "what people call it from now on"},
    {NULL},
};

const struct field action_update_certificate_revocation_list_fields[] = {
    ID_FIELD,
    {"CertCaCrl", FIELD_TEXT, .is_required = true, .min = 1, .max = CRL_MAX,
        .help = "the CRLs from now on, PEM, all of them"},
    {NULL},
};

/* ---- upload ---- */

/* The certificate that is the same as that in the record NEW_ID, and older. */
static const char *find_same(const struct model *m, const char *new_id)
{
    const json_t *fresh = model_find(m, MODEL_CERTIFICATE, new_id), *record;
    for (size_t at = 0; model_next(m, MODEL_CERTIFICATE, &at, &record);) {
        if (record != fresh &&
            document_is(record, "CertificateType", document_text(fresh, "CertificateType")) &&
            document_is(record, "PublicKey", document_text(fresh, "PublicKey")))
            return document_text(record, "CertificateId");
    }
    return NULL;
}

static void set_labels(struct call *c, json_t *record)
{
    json_object_set_new(
        record, "ProjectId", json_sprintf("%lld", (long long)call_integer(c, "ProjectId", 0)));
    json_object_set(record, "Tags", call_list(c, "Tags"));
}

int action_upload_certificate(struct call *c)
{
    char id[MODEL_ID_MAX];
    const char *type = call_text(c, "CertificateType"), *same = NULL;
    bool is_ca = type && strcmp(type, "CA") == 0;
    const struct certificate_upload u = {.type = is_ca ? CERTIFICATE_CA : CERTIFICATE_SERVER,
        .certificate = call_text(c, "CertificatePublicKey"),
        .key = call_text(c, "CertificatePrivateKey"),
        .passphrase = call_text(c, "KeyPassword"),
        .alias = call_text(c, "Alias"),
        .crl = call_text(c, "CertCaCrl"),
        .certificate_field = "CertificatePublicKey",
        .key_field = "CertificatePrivateKey"};
    if (is_ca && u.key && *u.key)
        return call_refuse(c, API_ERROR_VALUE,
            "CertificatePrivateKey: the key of a CA has no place here; leave it out, and keep it "
            "where certificates are issued.");
    if (!is_ca && u.crl)
        return call_refuse(
            c, API_ERROR_VALUE, "CertCaCrl: only CAs (CertificateType CA) have CRLs.");
    if (certificates_upload(c, &u, id) < 0)
        return -1;
    if (!call_flag(c, "Repeatable", true) && (same = find_same(c->model, id)))
        model_delete(c->model, MODEL_CERTIFICATE, id);
    else
        set_labels(c, model_edit(c->model, MODEL_CERTIFICATE, id));
    json_object_set_new(c->response, "CertificateId", json_string(same ? same : id));
    json_object_set_new(c->response, "RepeatCertId", json_string(same ? same : ""));
    return 0;
}

/* ---- changes ---- */

static json_t *find_certificate(struct call *c)
{
    const char *id = call_text(c, "CertificateId");
    json_t *record = model_edit(c->model, MODEL_CERTIFICATE, id);
    if (!record)
        ignore_result(call_refuse(c, API_ERROR_CERTIFICATE_NOT_FOUND,
            "CertificateId: there is no certificate %.64s.", id));
    return record;
}

int action_modify_certificate_alias(struct call *c)
{
    json_t *record = find_certificate(c);
    const char *alias = call_text(c, "Alias");
    if (!record)
        return -1;
    json_object_set_new(record, "Alias", json_string(alias ? alias : ""));
    json_object_set(c->response, "CertificateId", json_object_get(record, "CertificateId"));
    return 0;
}

int action_update_certificate_revocation_list(struct call *c)
{
    json_t *record = find_certificate(c);
    if (!record)
        return -1;
    if (!document_is(record, "CertificateType", "CA"))
        return call_refuse(
            c, API_ERROR_VALUE, "CertificateId: only CAs (CertificateType CA) have CRLs.");
    json_t *crls = certificate_record_crls(c, call_text(c, "CertCaCrl"), "CertCaCrl");
    return crls ? json_object_set_new(record, "Crl", crls) : -1;
}

/* ---- deletion ---- */

/* Who uses it: the first, and how many. */
struct uses {
    const json_t *first;
    size_t n;
};

static void note_use(void *owner, const struct certificate_use *use)
{
    struct uses *u = owner;
    if (!u->n++)
        u->first = use->listener;
}

int action_delete_certificate(struct call *c)
{
    const char *id = call_text(c, "CertificateId");
    struct uses uses = {0};
    if (!find_certificate(c))
        return -1;
    certificates_each_use(c->model, id, note_use, &uses);
    if (uses.n)
        return call_refuse(c, API_ERROR_CERTIFICATE_BOUND,
            "CertificateId: %s is used in %zu places, one of them listener %s of instance %s; "
            "replace it there first.",
            id, uses.n, document_text(uses.first, "ListenerId"),
            document_text(uses.first, "LoadBalancerId"));
    model_delete(c->model, MODEL_CERTIFICATE, id);
    json_object_set_new(c->response, "DeleteResult", json_true());
    json_object_set_new(c->response, "TaskId", json_null());
    return 0;
}
