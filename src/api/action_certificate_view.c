/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeCertificates, DescribeCertificate, DescribeCertificateDetail: a record as the cloud's SSL
 * service tells it. A private key is never told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/action.h"
#include "api/certificate_record.h"
#include "api/document.h"
#include "api/labels.h"
#include "base/memory.h"
#include "pki/verdict.h"

#include "base/ban.h"

#define PAGE_DEFAULT    10
#define EXPIRING_S      (30 * 24 * 3600)
#define LABELS_WHY      "here are uploaded certificates only, none that were bought or are hosted"
#define STATUS_APPROVED 1
#define STATUS_EXPIRED  3

/* ---- fields ---- */

const struct field action_describe_certificates_fields[] = {
    {"Offset", FIELD_INTEGER, .min = 0, .max = INT32_MAX,
        .help = "so many are left out; default 0"},
    {"Limit", FIELD_INTEGER, .min = 1, .max = 1000, .help = "so many are told; default 10"},
    {"SearchKey", FIELD_TEXT, .max = 255, .help = "a part of the id, the alias or a domain"},
    {"CertificateType", FIELD_TEXT, .choices = "SVR|CA", .help = "of servers, or of CAs, only"},
    {"ProjectId", FIELD_INTEGER, .min = 0, .max = INT32_MAX, .help = "with this label only"},
    {"ExpirationSort", FIELD_TEXT, .choices = "DESC|ASC",
        .help = "by their end; without it the newest upload comes first"},
    {"CertificateStatus", FIELD_INTEGER, .is_list = true, .min = 0, .max = 15, .list_max = 16,
        .help = "1: valid, 3: expired; there are no others"},
    {"CertIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 1000, .help = "these only"},
    {"Tags", FIELD_OBJECT, .is_list = true, .list_max = LABELS_MAX, .of = labels_fields,
        .help = "with all of these labels only"},
    {"FilterExpiring", FIELD_INTEGER, .min = 0, .max = 1,
        .help = "1: those that end within 30 days only"},
    {"FilterSource", FIELD_TEXT, .only = "\"upload\"|\"\"", .why = LABELS_WHY},
    {"Deployable", FIELD_INTEGER, .only = "1", .why = "all certificates here can be used"},
    {"Upload", FIELD_INTEGER, .only = "1|0", .why = LABELS_WHY},
    {"Renew", FIELD_INTEGER, .only = "0", .why = LABELS_WHY},
    {"IsSM", FIELD_INTEGER, .only = "0", .why = "there are no SM certificates"},
    {"Hostable", FIELD_INTEGER, .only = "0", .why = LABELS_WHY},
    {"IsPendingIssue", FIELD_INTEGER, .only = "0", .why = LABELS_WHY},
    {"ServiceId", FIELD_TEXT, .only = "\"\"", .why = LABELS_WHY},
    {NULL},
};

#define ID_FIELDS                                                                             \
    {"CertificateId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the certificate"}, \
    {                                                                                         \
        NULL                                                                                  \
    }

const struct field action_describe_certificate_fields[] = {ID_FIELDS};
const struct field action_describe_certificate_detail_fields[] = {ID_FIELDS};

/* ---- members ---- */

/* The three answers. */
enum shape { IN_LIST = 1, IN_RECORD = 2, IN_DETAIL = 4, IN_ALL = 7 };

/* What is told, in each of the answers; VALUE, as JSON, of what is the same for all certificates
 * that were uploaded; NULL: as it stands in the record, or null. */
static const struct {
    const char *name;
    unsigned shapes;
    const char *value;
} members[] = {
    {"CertificateId", IN_ALL, NULL},
    {"Alias", IN_ALL, NULL},
    {"CertificateType", IN_ALL, NULL},
    {"Domain", IN_ALL, NULL},
    {"SubjectAltName", IN_ALL, NULL},
    {"CertBeginTime", IN_ALL, NULL},
    {"CertEndTime", IN_ALL, NULL},
    {"InsertTime", IN_ALL, NULL},
    {"ValidityPeriod", IN_ALL, NULL},
    {"ProjectId", IN_ALL, NULL},
    {"Tags", IN_ALL, NULL},
    {"EncryptAlgorithm", IN_LIST | IN_DETAIL, NULL},
    {"CACommonNames", IN_LIST | IN_RECORD, NULL},
    {"CAEndTimes", IN_LIST | IN_RECORD, NULL},
    {"CAEncryptAlgorithms", IN_LIST | IN_RECORD, NULL},
    {"CertFingerprint", IN_DETAIL, NULL},
    {"From", IN_ALL, "\"upload\""},
    {"OwnerUin", IN_ALL, "\"\""},
    {"PackageType", IN_ALL, "null"},
    {"PackageTypeName", IN_LIST | IN_RECORD, "null"},
    {"TypeName", IN_DETAIL, "null"},
    {"ProductZhName", IN_ALL, "\"\""},
    {"StatusMsg", IN_ALL, "null"},
    {"VerifyType", IN_ALL, "null"},
    {"VulnerabilityStatus", IN_ALL, "null"},
    {"VulnerabilityReport", IN_RECORD | IN_DETAIL, "null"},
    {"CertificateExtra", IN_ALL, "null"},
    {"OrderId", IN_RECORD | IN_DETAIL, "null"},
    {"DvAuthDetail", IN_RECORD | IN_DETAIL, "null"},
    {"DvRevokeAuthDetail", IN_RECORD | IN_DETAIL, "null"},
    {"SubmittedData", IN_RECORD | IN_DETAIL, "null"},
    {"IsVip", IN_ALL, "false"},
    {"IsDv", IN_ALL, "false"},
    {"IsVulnerability", IN_ALL, "false"},
    {"RenewAble", IN_ALL, "false"},
    {"Deployable", IN_ALL, "true"},
    {"HostingStatus", IN_LIST | IN_DETAIL, "null"},
    {"IsIgnore", IN_LIST, "false"},
    {"IsSM", IN_LIST, "false"},
    {"AllowDownload", IN_LIST, "false"},
    {"ProjectInfo", IN_LIST, "null"},
    {"PreAuditInfo", IN_LIST, "null"},
    {"AutoRenewFlag", IN_LIST, "0"},
    {"CertSANs", IN_LIST, "null"},
    {"CertificatePrivateKey", IN_DETAIL, "null"},
    {"EncryptCert", IN_DETAIL, "null"},
    {"EncryptPrivateKey", IN_DETAIL, "null"},
    {"EncryptCertFingerprint", IN_DETAIL, "null"},
    {"RootCert", IN_DETAIL, "null"},
    {"DomainType", IN_DETAIL, "null"},
    {"CertType", IN_DETAIL, "null"},
    {"UseCrossSignRoot", IN_DETAIL, "false"},
};

static int64_t end_of(const json_t *record)
{
    return document_integer(record, "NotAfter");
}

static int status_of(const struct call *c, const json_t *record)
{
    return end_of(record) < c->now_s ? STATUS_EXPIRED : STATUS_APPROVED;
}

static bool is_expiring(const struct call *c, const json_t *record)
{
    return end_of(record) < c->now_s + EXPIRING_S;
}

static void set_members(json_t *out, const json_t *record, enum shape shape)
{
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const char *value = members[i].value;
        if (members[i].shapes & shape)
            json_object_set_new(out, members[i].name,
                value ? json_loads(value, JSON_DECODE_ANY, NULL)
                      : document_share_member(record, members[i].name));
    }
}

/* What all answers have, and changes with time. */
static void tell(const struct call *c, const json_t *record, enum shape shape, json_t *out)
{
    const char *domain = document_text(record, "Domain");
    set_members(out, record, shape);
    json_object_set_new(out, "Status", json_integer(status_of(c, record)));
    json_object_set_new(out, "StatusName",
        json_string(status_of(c, record) == STATUS_EXPIRED ? "Expired" : "Issued"));
    json_object_set_new(out, "IsWildcard", json_boolean(strncmp(domain, "*.", 2) == 0));
}

/* ---- one ---- */

static const json_t *find_record(struct call *c)
{
    const char *id = call_text(c, "CertificateId");
    const json_t *record = model_find(c->model, MODEL_CERTIFICATE, id);
    if (!record)
        ignore_result(call_refuse(c, API_ERROR_CERTIFICATE_NOT_FOUND,
            "CertificateId: there is no certificate %.64s.", id));
    return record;
}

int action_describe_certificate(struct call *c)
{
    const json_t *record = find_record(c);
    if (!record)
        return -1;
    tell(c, record, IN_RECORD, c->response);
    return 0;
}

/* "SubjectAltName … excludes" the domain there. */
static json_t *other_names(const json_t *record)
{
    json_t *out = json_array(), *name;
    size_t i;
    json_array_foreach(json_object_get(record, "SubjectAltName"), i, name)
    {
        if (!document_is(record, "Domain", json_string_value(name)))
            json_array_append(out, name);
    }
    return out;
}

static json_t *chain_info(const json_t *record)
{
    struct certificate_list chain;
    json_t *out = json_array();
    if (certificate_record_chain(record, &chain) < 0)
        return out;
    for (size_t i = 0; i < chain.n; i++) {
        const struct certificate_facts *facts = certificate_facts(chain.at[i]);
        json_array_append_new(
            out, json_pack("{s:s, s:s, s:o, s:o, s:o}", "Issuer",
                     verdict_dn(certificate_issuer(chain.at[i])), "Subject",
                     verdict_dn(certificate_subject(chain.at[i])), "Fingerprint",
                     certificate_record_fingerprint(chain.at[i]), "ValidFrom",
                     call_time(facts->not_before), "ValidTo", call_time(facts->not_after)));
    }
    certificate_list_fini(&chain);
    return out;
}

int action_describe_certificate_detail(struct call *c)
{
    const json_t *record = find_record(c);
    if (!record)
        return -1;
    tell(c, record, IN_DETAIL, c->response);
    json_object_set_new(c->response, "SubjectAltName", other_names(record));
    json_object_set_new(
        c->response, "CertificatePublicKey", document_share_member(record, "PublicKey"));
    json_object_set_new(c->response, "CertChainInfo", chain_info(record));
    json_object_set_new(c->response, "CertCaCrl", document_share_member(record, "Crl"));
    return 0;
}

/* ---- many ---- */

static bool has_part(const char *text, const char *part)
{
    return text && strstr(text, part);
}

static bool is_found(const json_t *record, const char *key)
{
    bool found = !key || has_part(document_text(record, "CertificateId"), key) ||
                 has_part(document_text(record, "Alias"), key) ||
                 has_part(document_text(record, "Domain"), key);
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(record, "SubjectAltName"), i, name)
    {
        found = found || has_part(json_string_value(name), key);
    }
    return found;
}

/* Is VALUE one of LIST? An empty list asks for all. */
static bool is_listed(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_equal(item, value))
            return true;
    }
    return json_array_size(list) == 0;
}

static bool has_tags(const struct call *c, const json_t *record)
{
    size_t i;
    json_t *tag;
    json_array_foreach(call_list(c, "Tags"), i, tag)
    {
        const json_t *its = json_object_get(record, "Tags");
        if (!json_array_size(its) || !is_listed(its, tag))
            return false;
    }
    return true;
}

static bool has_project(const struct call *c, const json_t *record)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)call_integer(c, "ProjectId", 0));
    return !json_object_get(c->request, "ProjectId") || document_is(record, "ProjectId", text);
}

static bool is_wanted(const struct call *c, const json_t *record)
{
    const char *type = call_text(c, "CertificateType");
    json_t *status = json_integer(status_of(c, record));
    bool wanted = (!type || document_is(record, "CertificateType", type)) &&
                  is_found(record, call_text(c, "SearchKey")) &&
                  is_listed(call_list(c, "CertificateStatus"), status) &&
                  is_listed(call_list(c, "CertIds"), json_object_get(record, "CertificateId")) &&
                  (!call_integer(c, "FilterExpiring", 0) || is_expiring(c, record)) &&
                  has_tags(c, record) && has_project(c, record);
    json_decref(status);
    return wanted;
}

/* Records that are wanted, with what they are sorted by: their number, or their end. */
struct row {
    const json_t *record;
    int64_t key;
};

static int by_key(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

static size_t select_rows(const struct call *c, struct row *rows)
{
    const char *sort = call_text(c, "ExpirationSort");
    const json_t *record;
    size_t n = 0;
    for (size_t at = 0; model_next(c->model, MODEL_CERTIFICATE, &at, &record);) {
        int64_t key = sort ? end_of(record) : (int64_t)n;
        bool ascends = sort && strcmp(sort, "ASC") == 0;
        if (is_wanted(c, record))
            rows[n++] = (struct row){record, ascends ? key : -key};
    }
    qsort(rows, n, sizeof(*rows), by_key);
    return n;
}

/* USED: certificates_in_use. */
static json_t *tell_listed(const struct call *c, const json_t *record, const json_t *used)
{
    json_t *out = json_object();
    bool is_used = json_object_get(used, document_text(record, "CertificateId"));
    tell(c, record, IN_LIST, out);
    json_object_set_new(out, "BoundResource", is_used ? json_pack("[s]", "clb") : json_array());
    json_object_set_new(out, "IsExpiring", json_boolean(is_expiring(c, record)));
    return out;
}

int action_describe_certificates(struct call *c)
{
    struct row *rows = mem_calloc(model_count(c->model, MODEL_CERTIFICATE) + 1, sizeof(*rows));
    size_t n = select_rows(c, rows), first, end;
    json_t *out = json_array(), *used = certificates_in_use(c->model);
    if (!json_object_get(c->request, "Limit"))
        json_object_set_new(c->request, "Limit", json_integer(PAGE_DEFAULT));
    call_page(c, n, &first, &end);
    for (size_t i = first; i < end; i++)
        json_array_append_new(out, tell_listed(c, rows[i].record, used));
    free(rows);
    json_decref(used);
    json_object_set_new(c->response, "TotalCount", json_integer((json_int_t)n));
    json_object_set_new(c->response, "Certificates", out);
    return 0;
}
