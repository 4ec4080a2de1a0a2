/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listener_fields.h"

#include <string.h>

#include "api/certificates.h"
#include "api/document.h"
#include "base/arena.h"
#include "config/keys.h"
#include "config/value.h"

#include "base/ban.h"

static const struct field revocation_fields[] = {
    {"Policy", FIELD_TEXT, .is_required = true, .choices = "HARD|SOFT|GRACE",
        .help = "as of CertificateInput"},
    {"GraceSeconds", FIELD_INTEGER, .min = 1, .max = 365 * 24 * 3600, .help = "with Policy GRACE"},
    {NULL},
};

const struct field listener_fields_target_tls[] = {
    {"CertCaId", FIELD_TEXT, .max = 64,
        .help = "the CA certificate that vouches for the targets; default: the system's trust "
                "store"},
    {"Name", FIELD_TEXT, .max = 253,
        .help = "the host name or IP address that their certificates must have; default: each "
                "target's own"},
    {"CertId", FIELD_TEXT, .max = 64,
        .help = "the certificate that Sallyport shows to targets that ask for one"},
    {"Revocation", FIELD_OBJECT, .of = revocation_fields,
        .help = "what if the CA certificate's CRLs do not answer; default HARD, where it has some"},
    {NULL},
};

static int check_id(
    struct call *c, const json_t *tls, const char *name, const char *type, const char *path)
{
    const char *id = document_text(tls, name);
    const json_t *record = id ? model_find(c->model, MODEL_CERTIFICATE, id) : NULL;
    if (id && !record)
        return call_refuse(
            c, API_ERROR_VALUE, "%s.%s: there is no certificate %.64s.", path, name, id);
    if (id && !document_is(record, "CertificateType", type))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.%s: %s is a certificate of type %s; needed is one of type %s.", path, name, id,
            document_text(record, "CertificateType"), type);
    return 0;
}

static int check_name(struct call *c, const json_t *tls, const char *path)
{
    const char *name = document_text(tls, "Name"), *spelled;
    struct arena a;
    struct error err;
    arena_init(&a);
    int result =
        name && value_host(&a, name, &spelled, &err) < 0
            ? call_refuse(c, API_ERROR_VALUE, "%s.Name: \"%.100s\" %s.", path, name, err.text)
            : 0;
    arena_fini(&a);
    return result;
}

static int check_revocation(struct call *c, const json_t *tls, const char *path)
{
    const char *ca = document_text(tls, "CertCaId");
    const json_t *revocation = json_object_get(tls, "Revocation");
    bool needs_seconds = document_is(revocation, "Policy", "GRACE");
    if (!revocation)
        return 0;
    if (!ca || !document_text(model_find(c->model, MODEL_CERTIFICATE, ca), "Crl"))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.Revocation needs a CertCaId whose certificate has CRLs "
            "(UpdateCertificateRevocationList).",
            path);
    if (needs_seconds != (json_object_get(revocation, "GraceSeconds") != NULL))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.Revocation.GraceSeconds belongs to Policy GRACE, which needs it.", path);
    return 0;
}

json_t *listener_fields_take_target_tls(struct call *c, const json_t *given, const char *path)
{
    if (check_id(c, given, "CertCaId", "CA", path) < 0 ||
        check_id(c, given, "CertId", "SVR", path) < 0 || check_name(c, given, path) < 0 ||
        check_revocation(c, given, path) < 0)
        return NULL;
    return json_deep_copy(given);
}

int listener_fields_check_room(struct call *c, const char *list, size_t more, const char *field)
{
    const struct key *key = keys_find(SCOPE_ROOT, list);
    const struct config *config = c->around->config;
    bool are_listeners = strcmp(list, "listeners") == 0;
    size_t there = !config ? 0 : are_listeners ? config->listeners_n : config->groups_n;
    if (there + more <= key->max)
        return 0;
    return call_refuse(c, API_ERROR_LIMIT,
        "%s: there can be %llu %s in all, with those of the configuration file.", field,
        (unsigned long long)key->max,
        are_listeners ? "listeners" : "rules and listeners of TCP and TCP_SSL");
}

int listener_fields_take_certificate(
    struct call *c, const json_t *holder, const json_t *before, json_t **out)
{
    const json_t *input = json_object_get(holder, "Certificate");
    const json_t *multi = json_object_get(holder, "MultiCertInfo");
    *out = NULL;
    if (!input && !multi)
        return 0;
    if (input && multi)
        return call_refuse(
            c, API_ERROR_PARAMETER, "Certificate and MultiCertInfo exclude each other.");
    *out = certificates_choose(c, input, multi, json_is_object(before) ? before : NULL);
    return *out ? 0 : -1;
}
