/* SPDX-License-Identifier: Apache-2.0 */
#include "api/certificates.h"

#include <string.h>

#include "api/certificate_record.h"
#include "base/panic.h"
#include "config/value.h"
#include "pki/name.h"

#include "base/ban.h"

#define CERTIFICATES_MAX 5000
#define PEM_MAX          (1 << 20)
#define CRL_MAX          (8 << 20)
#define KEY_MAX          65536
#define CLIENT_NAMES_MAX 10000
#define GRACE_MAX        (365 * 24 * 3600)

/* ---- fields ---- */

static const struct field revocation_fields[] = {
    {.name = "Policy",
        .type = FIELD_TEXT,
        .is_required = true,
        .choices = "HARD|SOFT|GRACE",
        .help = "if the CRLs do not answer: HARD refuses, SOFT lets pass, GRACE goes on using a "
                "list for GraceSeconds after its end"},
    {.name = "GraceSeconds",
        .type = FIELD_INTEGER,
        .min = 1,
        .max = GRACE_MAX,
        .help = "with Policy GRACE"},
    {0},
};

/* Of both inputs. */
#define MODE_FIELD(required, what)                                      \
    {                                                                   \
        .name = "SSLMode", .type = FIELD_TEXT, .is_required = required, \
        .choices = "UNIDIRECTIONAL|MUTUAL", .help = what                \
    }
#define VERIFY_FIELD                                                                               \
    {                                                                                              \
        .name = "SSLVerifyClient", .type = FIELD_TEXT, .choices = "ON|OPTIONAL",                   \
        .help = "under MUTUAL: ON, every client shows a certificate; OPTIONAL, one that is shown " \
                "must pass"                                                                        \
    }
#define CLIENT_FIELDS                                                                      \
    {.name = "ClientNames",                                                                \
        .type = FIELD_TEXT,                                                                \
        .is_list = true,                                                                   \
        .max = 512,                                                                        \
        .list_max = CLIENT_NAMES_MAX,                                                      \
        .help = "Sallyport's own, under MUTUAL: who may enter, as `DNS:*.fleet.example`, " \
                "`EMAIL:…`, `URI:…` or `IP:…`; empty: anyone whom the CA vouches for"},    \
    {                                                                                      \
        .name = "Revocation", .type = FIELD_OBJECT, .of = revocation_fields,               \
        .help = "Sallyport's own, under MUTUAL: what if the CA certificate's CRLs do not " \
                "answer; HARD where it is left out and the CA certificate has CRLs"        \
    }

const struct field certificates_input_fields[] = {
    MODE_FIELD(false, "UNIDIRECTIONAL, the server proves who it is; MUTUAL, the client must too; "
                      "default: as it was, at first UNIDIRECTIONAL"),
    VERIFY_FIELD,
    {.name = "CertId", .type = FIELD_TEXT, .max = 64, .help = "a server's certificate"},
    {.name = "CertCaId",
        .type = FIELD_TEXT,
        .max = 64,
        .help = "under MUTUAL: the CA certificate whose clients may enter"},
    {.name = "CertName",
        .type = FIELD_TEXT,
        .max = 200,
        .help = "the alias of the certificate in CertContent"},
    {.name = "CertKey", .type = FIELD_TEXT, .max = KEY_MAX, .help = "its private key, PEM"},
    {.name = "CertContent",
        .type = FIELD_TEXT,
        .max = PEM_MAX,
        .help = "instead of CertId: a certificate with its chain, PEM, to be uploaded"},
    {.name = "CertCaName",
        .type = FIELD_TEXT,
        .max = 200,
        .help = "the alias of the CA certificate in CertCaContent"},
    {.name = "CertCaContent",
        .type = FIELD_TEXT,
        .max = PEM_MAX,
        .help = "instead of CertCaId: CA certificates, PEM, to be uploaded"},
    {.name = "CertCaCrl",
        .type = FIELD_TEXT,
        .max = CRL_MAX,
        .help = "Sallyport's own: the CRLs of the CA in CertCaContent, PEM"},
    CLIENT_FIELDS,
    {0},
};

static const struct field info_fields[] = {
    {.name = "CertId", .type = FIELD_TEXT, .max = 64, .help = "a certificate, of a server or a CA"},
    {.name = "CertName",
        .type = FIELD_TEXT,
        .max = 200,
        .help = "the alias of that in CertContent"},
    {.name = "CertContent",
        .type = FIELD_TEXT,
        .max = PEM_MAX,
        .help = "instead of CertId: a certificate to be uploaded, PEM; without CertKey a CA's"},
    {.name = "CertKey", .type = FIELD_TEXT, .max = KEY_MAX, .help = "its private key, PEM"},
    {0},
};

#define SERVERS_MAX 8 /* more than there are kinds of keys */

const struct field certificates_multi_fields[] = {
    MODE_FIELD(true, "as of CertificateInput"),
    VERIFY_FIELD,
    {.name = "CertList",
        .type = FIELD_OBJECT,
        .is_list = true,
        .is_required = true,
        .list_max = SERVERS_MAX + 1,
        .of = info_fields,
        .help = "a server's certificates with keys of different kinds, and under MUTUAL one CA "
                "certificate"},
    CLIENT_FIELDS,
    {0},
};

/* ---- upload ---- */

int certificates_upload(struct call *c, const struct certificate_upload *u, char out[MODEL_ID_MAX])
{
    if (model_count(c->model, MODEL_CERTIFICATE) >= CERTIFICATES_MAX)
        return call_refuse(c, API_ERROR_LIMIT,
            "There are %d certificates already; delete those that nobody uses.", CERTIFICATES_MAX);
    model_make_id(c->model, "", out);
    json_t *record = certificate_record_make(c, u, out);
    if (!record)
        return -1;
    model_put(c->model, MODEL_CERTIFICATE, out, record);
    return 0;
}

/* ---- choice ---- */

/* One input on its way to what is kept. */
struct choice {
    struct call *c;
    const json_t *input, *before; /* BEFORE: NULL if there was nothing */
    json_t *out;
    bool is_mutual;
};

/* NULL: it is not there, or empty, as some clients send what they do not mean. */
static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && *text ? text : NULL;
}

static void keep(struct choice *ch, const char *name)
{
    json_object_set(ch->out, name, json_object_get(ch->before, name));
}

static bool was_mutual(const struct choice *ch)
{
    const char *mode = text_of(ch->before, "SSLMode");
    return mode && strcmp(mode, "MUTUAL") == 0;
}

static const json_t *find_certificate(struct choice *ch, const char *field, const char *id)
{
    const json_t *record = model_find(ch->c->model, MODEL_CERTIFICATE, id);
    if (!record)
        call_refuse(ch->c, API_ERROR_VALUE, "%s: there is no certificate %s.", field, id);
    return record;
}

static bool is_authority(const json_t *record)
{
    return strcmp(json_string_value(json_object_get(record, "CertificateType")), "CA") == 0;
}

/* Is there a certificate ID, and of TYPE? */
static int check_id(
    struct choice *ch, const char *field, const char *id, enum certificate_type type)
{
    const json_t *record = find_certificate(ch, field, id);
    if (!record)
        return -1;
    if (is_authority(record) == (type == CERTIFICATE_CA))
        return 0;
    return call_refuse(ch->c, API_ERROR_VALUE,
        "%s: %s is a certificate of a %s; needed is one of a %s.", field, id,
        type == CERTIFICATE_CA ? "server" : "CA",
        type == CERTIFICATE_CA ? "CA (CertificateType CA)" : "server (CertificateType SVR)");
}

/* What is uploaded has a name. */
static int upload(
    struct choice *ch, struct certificate_upload *u, const char *name_field, char id[MODEL_ID_MAX])
{
    if (!u->alias)
        return call_refuse(ch->c, API_ERROR_MISSING,
            "%s is missing: what the certificate in %s is called.", name_field,
            u->certificate_field);
    return certificates_upload(ch->c, u, id);
}

/* The CA certificate; the last word on whom MUTUAL lets in. */
static int take_authority(struct choice *ch)
{
    char id[MODEL_ID_MAX];
    const char *given = text_of(ch->input, "CertCaId");
    struct certificate_upload u = {.type = CERTIFICATE_CA,
        .certificate = text_of(ch->input, "CertCaContent"),
        .alias = text_of(ch->input, "CertCaName"),
        .crl = text_of(ch->input, "CertCaCrl"),
        .certificate_field = "CertCaContent"};
    if (given && u.certificate)
        return call_refuse(
            ch->c, API_ERROR_PARAMETER, "CertCaId and CertCaContent exclude each other.");
    if (u.crl && !u.certificate)
        return call_refuse(ch->c, API_ERROR_PARAMETER,
            "CertCaCrl belongs to CertCaContent; the CRLs of a certificate that is there are "
            "changed by UpdateCertificateRevocationList.");
    if (u.certificate) {
        if (upload(ch, &u, "CertCaName", id) < 0)
            return -1;
        given = id;
    }
    if (!given && was_mutual(ch)) {
        keep(ch, "CertCaId");
        return 0;
    }
    if (!given)
        return call_refuse(ch->c, API_ERROR_MISSING,
            "CertCaId is missing: under MUTUAL, the CA certificate whose clients may enter.");
    json_object_set_new(ch->out, "CertCaId", json_string(given));
    return check_id(ch, "CertCaId", given, CERTIFICATE_CA);
}

static int take_server(struct choice *ch)
{
    char id[MODEL_ID_MAX];
    const char *given = text_of(ch->input, "CertId");
    struct certificate_upload u = {.type = CERTIFICATE_SERVER,
        .certificate = text_of(ch->input, "CertContent"),
        .key = text_of(ch->input, "CertKey"),
        .alias = text_of(ch->input, "CertName"),
        .certificate_field = "CertContent",
        .key_field = "CertKey"};
    if (given && u.certificate)
        return call_refuse(
            ch->c, API_ERROR_PARAMETER, "CertId and CertContent exclude each other.");
    if (u.key && !u.certificate)
        return call_refuse(ch->c, API_ERROR_PARAMETER, "CertKey belongs to CertContent.");
    if (u.certificate) {
        if (upload(ch, &u, "CertName", id) < 0)
            return -1;
        given = id;
    }
    if (!given && ch->before) {
        keep(ch, "CertId");
        keep(ch, "ExtCertIds");
        return 0;
    }
    if (!given)
        return call_refuse(ch->c, API_ERROR_MISSING,
            "CertId is missing: the server's certificate, or CertContent, CertKey and CertName.");
    json_object_set_new(ch->out, "CertId", json_string(given));
    return check_id(ch, "CertId", given, CERTIFICATE_SERVER);
}

/* ---- several certificates ---- */

/* "at most one server cert per algorithm": of RSA, ECC and Ed25519, which differ in two letters. */
static bool is_same_algorithm(const struct model *m, const char *a, const char *b)
{
    const json_t *x = model_find(m, MODEL_CERTIFICATE, a), *y = model_find(m, MODEL_CERTIFICATE, b);
    return strncmp(text_of(x, "EncryptAlgorithm"), text_of(y, "EncryptAlgorithm"), 2) == 0;
}

static int add_server(struct choice *ch, const char *id)
{
    json_t *others = json_object_get(ch->out, "ExtCertIds");
    const char *first = text_of(ch->out, "CertId");
    const struct model *m = ch->c->model;
    if (!first)
        return json_object_set_new(ch->out, "CertId", json_string(id));
    bool is_double = is_same_algorithm(m, first, id);
    for (size_t i = 0; i < json_array_size(others); i++)
        is_double |= is_same_algorithm(m, json_string_value(json_array_get(others, i)), id);
    if (is_double)
        return call_refuse(ch->c, API_ERROR_VALUE,
            "CertList has two certificates with keys of the same algorithm (%s is the second); "
            "accepted is one of each.",
            id);
    return json_array_append_new(others, json_string(id));
}

static int add_authority(struct choice *ch, const char *id)
{
    if (!ch->is_mutual)
        return call_refuse(ch->c, API_ERROR_VALUE,
            "CertList has a CA certificate (%s), which is of use under SSLMode MUTUAL only.", id);
    if (text_of(ch->out, "CertCaId"))
        return call_refuse(ch->c, API_ERROR_VALUE,
            "CertList has two CA certificates; upload them as one, in one PEM text.");
    return json_object_set_new(ch->out, "CertCaId", json_string(id));
}

static int add_listed(struct choice *ch, const json_t *info)
{
    char id[MODEL_ID_MAX];
    const char *given = text_of(info, "CertId");
    struct certificate_upload u = {.certificate = text_of(info, "CertContent"),
        .key = text_of(info, "CertKey"),
        .alias = text_of(info, "CertName"),
        .certificate_field = "CertList.CertContent",
        .key_field = "CertList.CertKey"};
    u.type = u.key ? CERTIFICATE_SERVER : CERTIFICATE_CA;
    if (!given == !u.certificate)
        return call_refuse(ch->c, given ? API_ERROR_PARAMETER : API_ERROR_MISSING,
            "CertList: each certificate has either CertId or CertContent.");
    if (!given && upload(ch, &u, "CertList.CertName", id) < 0)
        return -1;
    const json_t *record = find_certificate(ch, "CertList.CertId", given ? given : id);
    if (!record)
        return -1;
    return is_authority(record) ? add_authority(ch, given ? given : id)
                                : add_server(ch, given ? given : id);
}

static int take_list(struct choice *ch)
{
    const json_t *list = json_object_get(ch->input, "CertList");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (add_listed(ch, json_array_get(list, i)) < 0)
            return -1;
    if (!text_of(ch->out, "CertId"))
        return call_refuse(
            ch->c, API_ERROR_VALUE, "CertList has no server's certificate (CertificateType SVR).");
    if (ch->is_mutual && !text_of(ch->out, "CertCaId"))
        return call_refuse(ch->c, API_ERROR_VALUE,
            "CertList has no CA certificate, which SSLMode MUTUAL needs (CertificateType CA).");
    return 0;
}

/* ---- clients ---- */

/* Both as of client_names of the file: its spelling, and what a worker makes of it. */
static int check_client_name(struct choice *ch, const char *name)
{
    struct arena a;
    struct name_pattern pattern;
    struct error why;
    if (value_client_name(name, &why) < 0)
        return call_refuse(ch->c, API_ERROR_VALUE, "ClientNames: \"%.100s\" %s.", name, why.text);
    arena_init(&a);
    int result = name_pattern_parse(bytes_of(name), true, &a, &pattern, &why);
    arena_fini(&a);
    return result < 0 ? call_refuse(ch->c, API_ERROR_VALUE, "ClientNames: %s.", why.text) : 0;
}

static int take_client_names(struct choice *ch)
{
    const json_t *names = json_object_get(ch->input, "ClientNames");
    if (!names && was_mutual(ch)) {
        keep(ch, "ClientNames");
        return 0;
    }
    for (size_t i = 0; i < json_array_size(names); i++)
        if (check_client_name(ch, json_string_value(json_array_get(names, i))) < 0)
            return -1;
    json_object_set_new(ch->out, "ClientNames", names ? json_deep_copy(names) : json_array());
    return 0;
}

static int take_revocation(struct choice *ch)
{
    const json_t *revocation = json_object_get(ch->input, "Revocation");
    const char *ca = text_of(ch->out, "CertCaId");
    const json_t *record = model_find(ch->c->model, MODEL_CERTIFICATE, ca);
    if (!revocation && was_mutual(ch))
        revocation = json_object_get(ch->before, "Revocation");
    if (!json_is_object(revocation))
        return 0;
    bool is_grace = strcmp(text_of(revocation, "Policy"), "GRACE") == 0;
    if (is_grace != !!json_object_get(revocation, "GraceSeconds"))
        return call_refuse(ch->c, API_ERROR_VALUE,
            "Revocation: GraceSeconds belongs to Policy GRACE, and Policy GRACE needs it.");
    if (!text_of(record, "Crl"))
        return call_refuse(ch->c, API_ERROR_VALUE,
            "Revocation: the CA certificate %s has no CRLs; UpdateCertificateRevocationList gives "
            "it some.",
            ca);
    json_object_set_new(ch->out, "Revocation", json_deep_copy(revocation));
    return 0;
}

static int take_clients(struct choice *ch)
{
    const char *verify = text_of(ch->input, "SSLVerifyClient");
    if (!verify && was_mutual(ch))
        verify = text_of(ch->before, "SSLVerifyClient");
    json_object_set_new(ch->out, "SSLVerifyClient", json_string(verify ? verify : "ON"));
    return take_client_names(ch) < 0 ? -1 : take_revocation(ch);
}

/* What nobody asks a client for under UNIDIRECTIONAL. */
static int refuse_clients(struct choice *ch)
{
    static const char *const about_clients[] = {
        "SSLVerifyClient", "CertCaId", "CertCaContent", "CertCaName", "CertCaCrl", "Revocation"};
    for (size_t i = 0; i < COUNT_OF(about_clients); i++) {
        const json_t *value = json_object_get(ch->input, about_clients[i]);
        if (text_of(ch->input, about_clients[i]) || json_is_object(value))
            return call_refuse(ch->c, API_ERROR_VALUE,
                "%s says who may enter, and under SSLMode UNIDIRECTIONAL no client is asked; leave "
                "it out, or set SSLMode to MUTUAL.",
                about_clients[i]);
    }
    if (json_array_size(json_object_get(ch->input, "ClientNames")))
        return call_refuse(ch->c, API_ERROR_VALUE,
            "ClientNames says who may enter, and under SSLMode UNIDIRECTIONAL no client is asked; "
            "leave it out, or set SSLMode to MUTUAL.");
    return 0;
}

/* ---- all of it ---- */

static int choose(struct choice *ch, bool is_multi)
{
    if (!ch->is_mutual && refuse_clients(ch) < 0)
        return -1;
    if (is_multi ? take_list(ch) < 0 : take_server(ch) < 0)
        return -1;
    if (!ch->is_mutual)
        return 0;
    return (!is_multi && take_authority(ch) < 0) ? -1 : take_clients(ch);
}

json_t *certificates_choose(
    struct call *c, const json_t *input, const json_t *multi, const json_t *before)
{
    struct choice ch = {
        .c = c, .input = multi ? multi : input, .before = json_is_object(before) ? before : NULL};
    if (!ch.input || (input && multi)) {
        call_refuse(c, ch.input ? API_ERROR_PARAMETER : API_ERROR_MISSING,
            "Of Certificate and MultiCertInfo, one is needed, and one only.");
        return NULL;
    }
    const char *mode = text_of(ch.input, "SSLMode");
    ch.is_mutual = mode ? strcmp(mode, "MUTUAL") == 0 : was_mutual(&ch);
    ch.out = json_pack("{s:s, s:n, s:n, s:n, s:[], s:n, s:n}", "SSLMode",
        ch.is_mutual ? "MUTUAL" : "UNIDIRECTIONAL", "SSLVerifyClient", "CertId", "CertCaId",
        "ExtCertIds", "ClientNames", "Revocation");
    if (choose(&ch, multi != NULL) == 0)
        return ch.out;
    json_decref(ch.out);
    return NULL;
}

/* ---- who uses it ---- */

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* In a CertificateOutput, or a TargetTls. */
static bool names_certificate(const json_t *object, const char *id)
{
    const json_t *others = json_object_get(object, "ExtCertIds");
    bool found = is_text(json_object_get(object, "CertId"), id) ||
                 is_text(json_object_get(object, "CertCaId"), id);
    for (size_t i = 0; i < json_array_size(others) && !found; i++)
        found = is_text(json_array_get(others, i), id);
    return found;
}

/* What in a listener or rule names certificates. */
static const char *const naming[] = {"Certificate", "TargetTls"};

typedef void holder_fn(void *owner, const struct certificate_use *use, const json_t *holder);

/* Call FN for each listener and each rule. */
static void each_holder(const struct model *m, holder_fn *fn, void *owner)
{
    const json_t *listener;
    for (size_t at = 0; model_next(m, MODEL_LISTENER, &at, &listener);) {
        struct certificate_use use = {.listener = listener};
        const json_t *rules = json_object_get(listener, "Rules");
        fn(owner, &use, listener);
        for (size_t i = 0; i < json_array_size(rules); i++) {
            use.rule = json_array_get(rules, i);
            fn(owner, &use, use.rule);
        }
    }
}

struct user_search {
    const char *id;
    certificates_use_fn *fn;
    void *owner;
};

static void look_for_one(void *owner, const struct certificate_use *use, const json_t *holder)
{
    const struct user_search *s = owner;
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(naming); i++)
        found = found || names_certificate(json_object_get(holder, naming[i]), s->id);
    if (found)
        s->fn(s->owner, use);
}

void certificates_each_use(
    const struct model *m, const char *id, certificates_use_fn *fn, void *owner)
{
    struct user_search search = {id, fn, owner};
    each_holder(m, look_for_one, &search);
}

static void note_id(json_t *ids, const json_t *id)
{
    if (json_is_string(id))
        json_object_set_new(ids, json_string_value(id), json_true());
}

static void note_all(void *owner, const struct certificate_use *use, const json_t *holder)
{
    for (size_t i = 0; i < COUNT_OF(naming); i++) {
        const json_t *named = json_object_get(holder, naming[i]);
        const json_t *others = json_object_get(named, "ExtCertIds");
        note_id(owner, json_object_get(named, "CertId"));
        note_id(owner, json_object_get(named, "CertCaId"));
        for (size_t k = 0; k < json_array_size(others); k++)
            note_id(owner, json_array_get(others, k));
    }
}

json_t *certificates_in_use(const struct model *m)
{
    json_t *ids = json_object();
    each_holder(m, note_all, ids);
    return ids;
}
