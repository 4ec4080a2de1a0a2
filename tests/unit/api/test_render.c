/* SPDX-License-Identifier: Apache-2.0 */
/* render: what the API's objects become is a configuration, whatever users wrote into them. */
#include "api/render.h"
#include "config/archive.h"
#include "config/config.h"
#include "config/template.h"
#include "test.h"

#define ARCHIVE_MAX (1u << 20)

struct world {
    struct model *model;
    struct buf archive;
    struct report report;
    struct config *config; /* NULL: the report says why */
};

static void put(struct world *w, enum model_kind kind, const char *id, const char *text)
{
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    if (!document) {
        printf("# %s: %s\n", id, error.text);
        abort();
    }
    model_put(w->model, kind, id, document);
}

#define CHECKED                                                                                   \
    "\"HealthCheck\": {\"HealthSwitch\": 1, \"TimeOut\": 2, \"IntervalTime\": 5, \"HealthNum\": " \
    "3, \"UnHealthNum\": 3}"
#define TARGET "{\"PrivateIpAddresses\": [\"10.0.0.5\"], \"Port\": 8080, \"Weight\": 7}"

static void begin(struct world *w)
{
    *w = (struct world){.model = model_new()};
    buf_init(&w->archive, ARCHIVE_MAX);
    report_init(&w->report);
    put(w, MODEL_INSTANCE, "lb-1", "{\"LoadBalancerId\": \"lb-1\", \"Vip\": \"127.0.0.1\"}");
    put(w, MODEL_CERTIFICATE, "server01",
        "{\"CertificateId\": \"server01\", \"PublicKey\": \"S\", \"SealedKey\": \"aGVsbG8=\"}");
    put(w, MODEL_CERTIFICATE, "server02",
        "{\"CertificateId\": \"server02\", \"PublicKey\": \"T\", \"SealedKey\": \"aGVsbG8=\"}");
    put(w, MODEL_CERTIFICATE, "clients1",
        "{\"CertificateId\": \"clients1\", \"PublicKey\": \"C\", \"Crl\": \"L\"}");
}

static struct config *render(struct world *w)
{
    struct error err;
    CHECK_INT(render_model(w->model, &w->archive, &err), 0);
    w->config =
        config_parse(archive_find(buf_bytes(&w->archive), ARCHIVE_CONFIG), "api:", "/", &w->report);
    for (size_t i = 0; i < w->report.n; i++)
        printf("# %s\n", w->report.lines[i].text);
    return w->config;
}

static void end(struct world *w)
{
    config_free(&w->config);
    report_fini(&w->report);
    buf_fini(&w->archive);
    model_free(&w->model);
}

#define HTTP(id, port, rules)                                                             \
    "{\"ListenerId\": \"" id "\", \"LoadBalancerId\": \"lb-1\", \"Protocol\": \"HTTP\", " \
    "\"Port\": " port ", \"Rules\": [" rules "]}"
#define RULE_OF(id, domain, url, more)                                                           \
    "{\"LocationId\": \"" id "\", \"Domains\": [\"" domain "\"], \"Domain\": \"" domain          \
    "\", \"Url\": \"" url "\", \"ForwardType\": \"HTTP\", \"Scheduler\": \"WRR\", " CHECKED more \
    "}"
#define RULE(id, domain, url) RULE_OF(id, domain, url, ", \"Targets\": [" TARGET "]")

static bool names_file(const char *path, const char *name)
{
    return bytes_ends_with(bytes_of(path), bytes_of(name));
}

TEST(an_empty_model_is_an_empty_configuration)
{
    struct world w;
    begin(&w);
    CHECK(render(&w) && w.config->listeners_n == 0 && w.config->groups_n == 0);
    end(&w);
}

TEST(a_rule_has_a_group_of_its_own)
{
    struct world w;
    begin(&w);
    put(&w, MODEL_LISTENER, "lbl-1",
        HTTP("lbl-1", "80",
            RULE("loc-1", "a.example", "/") "," RULE_OF("loc-2", "b.example", "/x",
                ", \"DefaultServer\": true, \"SessionExpireTime\": 60, \"Targets\": []")));
    CHECK(render(&w) && w.config->listeners_n == 1);
    const struct config_listener *l = w.config->listeners;
    CHECK_TEXT(l->name, "lbl-1");
    CHECK_TEXT(l->address, "127.0.0.1:80");
    CHECK_TEXT(l->rules[0].domain, "b.example"); /* the default domain */
    CHECK_TEXT(w.config->groups[l->rules[0].group].name, "loc-2");
    CHECK_TEXT(w.config->groups[l->rules[0].group].stickiness.cookie, "SALLYPORT");
    const struct config_group *g = &w.config->groups[l->rules[1].group];
    CHECK_TEXT(g->name, "loc-1");
    CHECK_TEXT(g->targets[0].address, "10.0.0.5:8080");
    CHECK_INT(g->targets[0].weight, 7);
    CHECK_TEXT(g->health_check.host, "a.example");
    CHECK_INT(g->health_check.type, HEALTH_CHECK_HTTP);
    end(&w);
}

#define MUTUAL                                                                               \
    "\"Certificate\": {\"SSLMode\": \"MUTUAL\", \"SSLVerifyClient\": \"OPTIONAL\", "         \
    "\"CertId\": \"server01\", \"ExtCertIds\": [\"server02\"], \"CertCaId\": \"clients1\", " \
    "\"ClientNames\": [\"DNS:*.fleet.example\"], "                                           \
    "\"Revocation\": {\"Policy\": \"GRACE\", \"GraceSeconds\": 90}}"
#define ONE_WAY(id)                                                        \
    "\"Certificate\": {\"SSLMode\": \"UNIDIRECTIONAL\", \"CertId\": \"" id \
    "\", \"ExtCertIds\": [], "                                             \
    "\"SSLVerifyClient\": null, \"CertCaId\": null, \"ClientNames\": null, \"Revocation\": null}"

TEST(a_certificate_says_who_proves_what)
{
    struct world w;
    begin(&w);
    put(&w, MODEL_LISTENER, "lbl-1",
        "{\"ListenerId\": \"lbl-1\", \"LoadBalancerId\": \"lb-1\", \"Protocol\": \"TCP_SSL\", "
        "\"Port\": 443, \"MaxConn\": 9, \"MaxCps\": -1, \"ProxyProtocol\": true, "
        "\"SessionExpireTime\": 30, \"Targets\": []," CHECKED "," MUTUAL "}");
    CHECK(render(&w) && w.config->listeners_n == 1);
    const struct config_listener *l = w.config->listeners;
    CHECK_INT(l->authn.authentication, AUTHENTICATION_OPTIONAL);
    CHECK_INT(l->authn.certificates_n, 2);
    CHECK(names_file(l->authn.certificates[1].key.path, "api:/server02.key"));
    CHECK(names_file(l->authn.client_ca[0].path, "api:/clients1.crt"));
    CHECK_TEXT(l->authn.client_names[0].text, "DNS:*.fleet.example");
    CHECK(names_file(l->authn.revocation.crl[0].path, "api:/clients1.crl"));
    CHECK_INT(l->authn.revocation.policy.grace_ms, 90000);
    CHECK_INT(l->limits.max_conn, 9);
    CHECK_INT(l->limits.max_cps, 0);
    CHECK_INT(w.config->groups[l->group].proxy_protocol, PROXY_PROTOCOL_V2);
    CHECK_INT(w.config->groups[l->group].stickiness.source_ip_ms, 30000);
    struct bytes archive = buf_bytes(&w.archive);
    CHECK(bytes_equal(archive_find(archive, "api:/clients1.crl"), BYTES("L")));
    CHECK(bytes_equal(archive_find(archive, "api:/server01.key"), BYTES("hello")));
    CHECK(!archive_find(archive, "api:/clients1.key").at);
    end(&w);
}

TEST(under_sni_each_domain_has_its_certificate)
{
    struct world w;
    begin(&w);
    put(&w, MODEL_LISTENER, "lbl-1",
        "{\"ListenerId\": \"lbl-1\", \"LoadBalancerId\": \"lb-1\", \"Protocol\": \"HTTPS\", "
        "\"Port\": 443, \"SniSwitch\": 1, \"Rules\": [" RULE_OF("loc-1", "a.example", "/",
            ", \"Targets\": [], \"Http2\": true, " MUTUAL) "," RULE_OF("loc-2", "*.b.example", "/",
            ", \"Targets\": [], \"DefaultServer\": true, " ONE_WAY("server02")) "]}");
    CHECK(render(&w) && w.config->listeners_n == 1);
    const struct config_listener *l = w.config->listeners;
    CHECK_INT(l->authn.authentication, AUTHENTICATION_ONE_WAY); /* the default domain's */
    CHECK(!l->http2 && l->domains_n == 2 && l->domains[0].http2 && !l->domains[1].http2);
    CHECK_INT(l->domains[0].authn.authentication, AUTHENTICATION_OPTIONAL);
    CHECK(names_file(l->domains[1].authn.certificates[0].certificate.path, "api:/server02.crt"));
    end(&w);
}

TEST(a_listener_without_certificate_is_not_there_yet)
{
    struct world w;
    begin(&w);
    put(&w, MODEL_LISTENER, "lbl-1",
        "{\"ListenerId\": \"lbl-1\", \"LoadBalancerId\": \"lb-1\", \"Protocol\": \"HTTPS\", "
        "\"Port\": 443, \"SniSwitch\": 1, \"Rules\": []}");
    CHECK(render(&w) && w.config->listeners_n == 0);
    end(&w);
}

static const char *redirect_to(struct world *w, const char *domain_url, const char *takes)
{
    char source[2048], target[2048];
    snprintf(target, sizeof(target),
        "{\"ListenerId\": \"lbl-2\", \"LoadBalancerId\": \"lb-1\", \"Protocol\": \"HTTP\", "
        "\"Port\": 8443, \"Rules\": [{\"LocationId\": \"loc-2\", %s, \"ForwardType\": \"HTTP\", "
        "\"Targets\": [], " CHECKED "}]}",
        domain_url);
    put(w, MODEL_LISTENER, "lbl-2", target);
    snprintf(source, sizeof(source),
        HTTP("lbl-1", "80",
            "{\"LocationId\": \"loc-1\", \"Domains\": [\"a.example\"], \"Url\": \"/\", "
            "\"DefaultServer\": true, \"Rewrite\": {\"TargetListenerId\": \"lbl-2\", "
            "\"TargetLocationId\": \"loc-2\", \"RewriteCode\": 307, \"TakeUrl\": %s}}"),
        takes);
    put(w, MODEL_LISTENER, "lbl-1", source);
    return render(w) ? w->config->listeners[1].rules[0].redirect.to : "(refused)";
}

TEST(a_redirect_has_no_variables_of_the_users)
{
    static const struct {
        const char *target, *takes, *want;
    } rows[] = {
        {"\"Domains\": [\"b.example\"], \"Url\": \"/\"", "true", "http://b.example:8443"},
        {"\"Domains\": [\"b.example\"], \"Url\": \"/$host$uri\"", "false",
            "http://b.example:8443/$$host$$uri"},
        {"\"Domains\": [\"b.example\"], \"Url\": \"= /${x}\"", "false",
            "http://b.example:8443/$${x}"},
        {"\"Domains\": [\"*.b.example\"], \"Url\": \"/\"", "true", "http://$host:8443"},
        {"\"Domains\": [\"~^$uri\"], \"Url\": \"/\"", "true", "http://$host:8443"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        begin(&w);
        CHECK_TEXT(redirect_to(&w, rows[i].target, rows[i].takes), rows[i].want);
        CHECK(w.config && w.config->listeners[1].rules[0].redirect.code == REDIRECT_307);
        end(&w);
    }
}

/* What users write is a value, and never more: it is refused by the configuration, or is what they
 * wrote. */
TEST(hostile_texts_stay_values)
{
    static const char *const texts[] = {"x\", \"respond\": {\"status\": 200}, \"y\": \"", "x\\\\",
        "\n- injected: 1", "{{evil}}", "&a *b", "!!python/object:x", "<<: *x", "# comment",
        "%YAML 1.2", "\t|\n>", "${HOME}", "\xe2\x80\xa8\xc2\x85", "'", "? x : y", "\xef\xbb\xbf",
        "a: b", "[a, b]", "~", "null", "\x7f"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct world w;
        begin(&w);
        put(&w, MODEL_LISTENER, "lbl-1", HTTP("lbl-1", "80", RULE("loc-1", "a.example", "/")));
        json_t *listener = model_edit(w.model, MODEL_LISTENER, "lbl-1");
        json_t *rule = json_array_get(json_object_get(listener, "Rules"), 0);
        json_object_set_new(rule, "CookieName", json_string(texts[i]));
        json_object_set_new(rule, "SessionExpireTime", json_integer(60));
        struct error err;
        CHECK_INT(render_model(w.model, &w.archive, &err), 0);
        w.config = config_parse(
            archive_find(buf_bytes(&w.archive), ARCHIVE_CONFIG), "api:", "/", &w.report);
        bool is_refused = !w.config && w.report.errors == 1;
        bool is_itself = w.config && w.config->listeners_n == 1 && w.config->groups_n == 1 &&
                         strcmp(w.config->groups[0].stickiness.cookie, texts[i]) == 0 &&
                         w.config->listeners[0].rules[0].respond.status == 0;
        if (!is_refused && !is_itself)
            printf("# text %zu\n", i);
        CHECK(is_refused || is_itself);
        end(&w);
    }
}

TEST(the_same_model_is_the_same_bytes_and_what_has_no_room_is_refused)
{
    struct world w;
    struct buf again, small;
    struct error err;
    begin(&w);
    put(&w, MODEL_LISTENER, "lbl-1", HTTP("lbl-1", "80", RULE("loc-1", "a.example", "/")));
    buf_init(&again, ARCHIVE_MAX);
    buf_init(&small, 600);
    CHECK(render(&w) && render_model(w.model, &again, &err) == 0);
    CHECK(bytes_equal(buf_bytes(&w.archive), buf_bytes(&again)));
    CHECK_INT(render_model(w.model, &small, &err), -1);
    CHECK_TEXT(err.text, "the API's objects are too large: delete some");
    buf_fini(&again);
    buf_fini(&small);
    end(&w);
}
