/* SPDX-License-Identifier: Apache-2.0 */
/* VerifyCertificate, Sallyport's own: the four factors of a certificate, as a listener would judge
 * it, without a handshake. */
#include <string.h>

#include "api/action.h"
#include "api/certificate_record.h"
#include "api/document.h"
#include "pki/verify.h"

#include "base/ban.h"

#define PEM_MAX     (1 << 20)
#define CRL_MAX     (8 << 20)
#define VERDICT_MAX (1 << 20)
#define TIME_MAX    253402300799 /* the end of the year 9999 */

const struct field action_verify_certificate_fields[] = {
    {"CertificateId", FIELD_TEXT, .max = 64, .help = "the certificate that is judged, by its id"},
    {"CertificatePublicKey", FIELD_TEXT, .max = PEM_MAX,
        .help = "or itself, PEM: the first one is judged, the others may stand between it and a "
                "CA"},
    {"CertCaId", FIELD_TEXT, .max = 64, .help = "the CA certificate that is trusted, by its id"},
    {"CertCaContent", FIELD_TEXT, .max = PEM_MAX, .help = "or CA certificates themselves, PEM"},
    {"CertCaCrl", FIELD_TEXT, .max = CRL_MAX,
        .help = "CRLs, PEM, besides those of CertCaId; with CRLs, unknown is refused"},
    {"Purpose", FIELD_TEXT, .choices = "CLIENT|SERVER",
        .help = "what its key is used for; default CLIENT"},
    {"Names", FIELD_TEXT, .is_list = true, .max = 512, .list_max = 1000,
        .help = "of which it must have one: `DNS:…`, `EMAIL:…`, `URI:…`, `IP:…`; of clients with "
                "at most one `*`"},
    {"Time", FIELD_INTEGER, .min = 0, .max = TIME_MAX,
        .help = "judge at this time, seconds since 1970; default: now"},
    {NULL},
};

/* What it is judged by, and with. */
struct judgement {
    struct call *c;
    struct verify_policy policy;
    struct certificate_list chain, anchors;
    struct name_pattern *names;
    struct arena arena;
};

/* One of the fields ID_FIELD and TEXT_FIELD says which certificates OUT is. */
static int read_certificates(
    struct call *c, const char *id_field, const char *text_field, struct certificate_list *out)
{
    const char *id = call_text(c, id_field), *text = call_text(c, text_field);
    struct error why;
    if (!id == !text)
        return call_refuse(c, id ? API_ERROR_PARAMETER : API_ERROR_MISSING,
            "One of %s and %s is needed, and one only.", id_field, text_field);
    const json_t *record = id ? model_find(c->model, MODEL_CERTIFICATE, id) : NULL;
    if (id && (!record || certificate_record_chain(record, out) < 0))
        return call_refuse(
            c, API_ERROR_CERTIFICATE_NOT_FOUND, "%s: there is no certificate %.64s.", id_field, id);
    if (text && certificate_list_parse(bytes_of(text), out, &why) < 0)
        return call_refuse(c, API_ERROR_CERTIFICATE_INVALID, "%s: %s.", text_field, why.text);
    return 0;
}

static int add_crls(struct judgement *j, const char *text)
{
    struct crl_list found = {0};
    struct error why;
    if (!text)
        return 0;
    if (crl_list_parse(bytes_of(text), &found, &why) < 0)
        return call_refuse(j->c, API_ERROR_VALUE, "CertCaCrl: %s.", why.text);
    crl_list_append(&j->policy.crls, &found);
    crl_list_fini(&found);
    j->policy.revocation = REVOCATION_HARD;
    return 0;
}

static int read_names(struct judgement *j)
{
    json_t *names = call_list(j->c, "Names"), *name;
    struct error why;
    size_t i;
    j->names = arena_alloc(&j->arena, (json_array_size(names) + 1) * sizeof(*j->names));
    json_array_foreach(names, i, name)
    {
        if (name_pattern_parse(bytes_of(json_string_value(name)), j->policy.purpose == PATH_CLIENT,
                &j->arena, &j->names[i], &why) < 0)
            return call_refuse(j->c, API_ERROR_VALUE, "Names.%zu: %s.", i, why.text);
    }
    j->policy.names = j->names;
    j->policy.names_n = json_array_size(names);
    return 0;
}

static int prepare(struct judgement *j)
{
    struct call *c = j->c;
    const char *purpose = call_text(c, "Purpose"), *ca = call_text(c, "CertCaId");
    const json_t *record = ca ? model_find(c->model, MODEL_CERTIFICATE, ca) : NULL;
    j->policy = (struct verify_policy){
        .purpose = purpose && strcmp(purpose, "SERVER") == 0 ? PATH_SERVER : PATH_CLIENT,
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .revocation = REVOCATION_OFF};
    if (read_certificates(c, "CertificateId", "CertificatePublicKey", &j->chain) < 0 ||
        read_certificates(c, "CertCaId", "CertCaContent", &j->anchors) < 0 ||
        add_crls(j, document_text(record, "Crl")) < 0 || add_crls(j, call_text(c, "CertCaCrl")) < 0)
        return -1;
    j->policy.anchors = path_store_new(&j->anchors, false);
    return read_names(j);
}

static int judge(struct judgement *j)
{
    struct buf text;
    struct json json;
    struct verdict *v = verdict_new();
    buf_init(&text, VERDICT_MAX);
    json_init(&json, &text);
    verify_chain(&j->policy, (const struct certificate *const *)j->chain.at, j->chain.n,
        call_integer(j->c, "Time", j->c->now_s), v);
    verdict_json(v, &json, NULL);
    json_t *told = json_loadb((const char *)buf_bytes(&text).at, buf_size(&text), 0, NULL);
    if (told)
        json_object_set_new(j->c->response, "Verdict", told);
    verdict_free(&v);
    buf_fini(&text);
    return told ? 0 : call_refuse(j->c, API_ERROR_INTERNAL, "The verdict is too long to be told.");
}

int action_verify_certificate(struct call *c)
{
    struct judgement j = {.c = c};
    arena_init(&j.arena);
    int result = prepare(&j) < 0 ? -1 : judge(&j);
    verify_policy_fini(&j.policy);
    certificate_list_fini(&j.chain);
    certificate_list_fini(&j.anchors);
    arena_fini(&j.arena);
    return result;
}
