/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on instances, listeners, rules, domains and redirects: what they do, and each way in
 * which they are refused. What is kept after each is a configuration (render.h).
 *
 * In requests here $lb is the instance, $web its HTTP listener with the rules $a (a.example /, the
 * default) and $b (b.example /b), $tls its HTTPS listener at 443, $sni another with SNI.
 */
#include <stdarg.h>

#include "actions.h"
#include "api/render.h"
#include "base/memory.h"
#include "config/archive.h"
#include "config/config.h"

#include "base/ban.h"

#define ARCHIVE_MAX (1u << 22)

static struct config *file;

/* ---- names of what was made ---- */

static struct {
    const char *name;
    char id[MODEL_ID_MAX];
} names[] = {{"$lb", ""}, {"$web", ""}, {"$tls", ""}, {"$sni", ""}, {"$a", ""}, {"$b", ""},
    {"$raw", ""}, {"$file", ""}};

static char *id_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].id;
    abort();
}

/* TEXT with ' for ", and ids for names; until the next call but three. */
static const char *q(const char *text)
{
    static char out[4][8192];
    static unsigned turn;
    char *at = out[++turn % 4];
    for (; *text; text++) {
        size_t n = 0, i = 0;
        while (*text == '$' && i < COUNT_OF(names)) {
            n = strlen(names[i].name);
            if (strncmp(text, names[i].name, n) == 0 && names[i].id[0])
                break;
            i++;
        }
        if (*text == '$' && i < COUNT_OF(names)) {
            at += snprintf(at, MODEL_ID_MAX, "%s", names[i].id);
            text += n - 1;
        } else {
            *at++ = *text == '\'' ? '"' : *text;
        }
    }
    *at = '\0';
    return out[turn % 4];
}

/* ---- the world ---- */

/* The model is a configuration. */
static struct config *rendered(void)
{
    struct buf archive;
    struct report report;
    struct error err;
    buf_init(&archive, ARCHIVE_MAX);
    report_init(&report);
    CHECK_INT(render_model(model, &archive, &err), 0);
    struct config *c =
        config_parse(archive_find(buf_bytes(&archive), ARCHIVE_CONFIG), "api:", "/", &report);
    for (size_t i = 0; !c && i < report.n; i++)
        printf("# %s\n", report.lines[i].text);
    CHECK(c);
    buf_fini(&archive);
    report_fini(&report);
    return c;
}

static const char *ask(const char *action, const char *text)
{
    const char *answer = actions_do(SERVICE_CLB, action, q(text));
    struct config *c = rendered();
    config_free(&c);
    return answer;
}

/* Remember element INDEX of the list MEMBER of ANSWER as NAME. */
static void remember(const char *name, const char *answer, const char *member, size_t index)
{
    json_t *response = json_loads(answer, 0, NULL);
    const char *id = json_string_value(json_array_get(json_object_get(response, member), index));
    snprintf(id_of(name), MODEL_ID_MAX, "%s", id ? id : "");
    CHECK(id);
    json_decref(response);
}

static void put_certificate(const char *id, const char *type)
{
    model_put(model, MODEL_CERTIFICATE, id,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "CertificateId", id, "CertificateType", type,
            "PublicKey", "P", "SealedKey", "aGVsbG8=", "EncryptAlgorithm",
            id[0] == 'r' ? "RSA 2048" : "ECC 256", "Crl", "L"));
}

#define ONE_WAY "'Certificate':{'CertId':'eserver1'}"
#define MUTUAL  "'Certificate':{'SSLMode':'MUTUAL','CertId':'eserver1','CertCaId':'clients1'}"
#define LB      "'LoadBalancerId':'$lb'"
#define WEB     LB ",'ListenerId':'$web'"

static void begin(void)
{
    static const char text[] =
        "listeners:\n"
        "- {name: file-web, protocol: HTTP, address: 127.0.0.9:80, rules: [{domain: f.example, "
        "target_group: g}]}\n"
        "- {name: file-any, protocol: TCP, address: \"0.0.0.0:7\", target_group: raw}\n"
        "target_groups:\n"
        "- {name: g, protocol: HTTP, targets: [{address: 10.9.9.9:80}, {address: "
        "app.example:80}]}\n"
        "- {name: raw, protocol: TCP, targets: []}\n"
        "admin: {address: 127.0.0.1:9080}\n";
    struct report report;
    report_init(&report);
    config_free(&file);
    file = config_parse(bytes_of(text), "sallyport.yaml", "/", &report);
    ASSERT(file);
    report_fini(&report);
    model_free(&model);
    model = model_new();
    around = (struct surroundings){.config = file, .settings = &file->api};
    put_certificate("eserver1", "SVR");
    put_certificate("rserver2", "SVR");
    put_certificate("clients1", "CA");
    model_keep(model);
    remember("$lb",
        ask("CreateLoadBalancer", "{'LoadBalancerType':'INTERNAL','LoadBalancerName':'one'}"),
        "LoadBalancerIds", 0);
    remember(
        "$web", ask("CreateListener", "{" LB ",'Protocol':'HTTP','Ports':[80]}"), "ListenerIds", 0);
    const char *rules = ask("CreateRule", "{" WEB ",'Rules':[{'Domain':'A.example','Url':'/'},"
                                          "{'Domains':['b.example'],'Url':'/b'}]}");
    remember("$a", rules, "LocationIds", 0);
    remember("$b", rules, "LocationIds", 1);
    remember("$tls",
        ask("CreateListener", "{" LB ",'Protocol':'HTTPS','Ports':['443']," ONE_WAY "}"),
        "ListenerIds", 0);
    remember("$sni",
        ask("CreateListener", "{" LB ",'Protocol':'HTTPS','Ports':[444],'SniSwitch':1}"),
        "ListenerIds", 0);
    remember("$raw",
        ask("CreateListener", "{" LB ",'Protocol':'TCP_SSL','Ports':[445]," MUTUAL "}"),
        "ListenerIds", 0);
}

/* What the listener or rule ID is in the model. */
static const json_t *listener(const char *name)
{
    return model_find(model, MODEL_LISTENER, id_of(name));
}

static const json_t *rule(const char *listener_name, size_t i)
{
    return json_array_get(json_object_get(listener(listener_name), "Rules"), i);
}

static const struct config_listener *in_config(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->listeners_n; i++)
        if (strcmp(c->listeners[i].name, id_of(name)) == 0)
            return &c->listeners[i];
    return NULL;
}

/* ---- refusals ---- */

struct refusal {
    const char *action, *text;
    enum api_error error;
    const char *words;
};

static void check_refusals(const struct refusal *rows, size_t n)
{
    begin();
    for (size_t i = 0; i < n; i++)
        actions_refuse(
            SERVICE_CLB, rows[i].action, q(rows[i].text), rows[i].error, q(rows[i].words));
}

static const struct refusal instances_rows[] = {
    {"CreateLoadBalancer", "{}", API_ERROR_MISSING, "LoadBalancerType"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'X'}", API_ERROR_VALUE,
        "LoadBalancerType must be one of OPEN|INTERNAL"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','LoadBalancerName':'a b'}", API_ERROR_VALUE,
        "LoadBalancerName"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','Number':21}", API_ERROR_RANGE, "Number"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','Vip':'10.0.0'}", API_ERROR_VALUE,
        "Vip must be an IP address"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','Vip':'::1','AddressIPVersion':'IPV4'}",
        API_ERROR_VALUE, "Vip is not of the family"},
    {"CreateLoadBalancer",
        "{'LoadBalancerType':'OPEN','InternetAccessible':{'InternetMaxBandwidthOut':1}}",
        API_ERROR_UNSUPPORTED, "InternetAccessible is not supported: there is no bandwidth"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','ClientToken':'a b'}",
        API_ERROR_CLIENT_TOKEN, "ClientToken"},
    {"CreateLoadBalancer",
        "{'LoadBalancerType':'OPEN','ClientToken':'"
        "01234567890123456789012345678901234567890123456789012345678901234'}",
        API_ERROR_CLIENT_TOKEN, "64"},
    {"CreateLoadBalancer", "{'LoadBalancerType':'OPEN','X':1}", API_ERROR_UNKNOWN_PARAMETER, "X"},
    {"ModifyLoadBalancerAttributes", "{'LoadBalancerId':'lb-none'}", API_ERROR_LB_NOT_FOUND,
        "lb-none"},
    {"ModifyLoadBalancerAttributes", "{'LoadBalancerId':'$file','LoadBalancerName':'x'}",
        API_ERROR_LB_NOT_FOUND, "there is no instance"},
    {"DeleteLoadBalancer", "{'LoadBalancerIds':['lb-none']}", API_ERROR_LB_NOT_FOUND, "lb-none"},
    {"DescribeLoadBalancers", "{'Filters':[{'Name':'charge-type','Values':['x']}]}",
        API_ERROR_FILTER, "charge-type"},
    {"DescribeLoadBalancers", "{'Limit':101}", API_ERROR_RANGE, "Limit"},
    {"DescribeListeners", "{'LoadBalancerId':'lb-none'}", API_ERROR_LB_NOT_FOUND, "lb-none"},
};

TEST(instances_are_refused)
{
    check_refusals(instances_rows, COUNT_OF(instances_rows));
}

static const struct refusal listeners_rows[] = {
    {"CreateListener", "{'LoadBalancerId':'lb-none','Protocol':'TCP','Ports':[1]}",
        API_ERROR_LB_NOT_FOUND, "lb-none"},
    {"CreateListener", "{" LB ",'Protocol':'UDP','Ports':[1]}", API_ERROR_UNSUPPORTED,
        "Protocol UDP"},
    {"CreateListener", "{" LB ",'Protocol':'QUIC','Ports':[1]}", API_ERROR_UNSUPPORTED,
        "Protocol QUIC"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[]}", API_ERROR_MISSING, "Ports"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[0]}", API_ERROR_RANGE, "Ports.0"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[5,5]}", API_ERROR_PORT,
        "5 stands there twice"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[80]}", API_ERROR_PORT,
        "80 is taken by the listener $web"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[7]}", API_ERROR_PORT,
        "7 is taken by a listener of the configuration file, file-any"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[9080]}", API_ERROR_PORT,
        "9080 is taken by the admin address"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'ListenerNames':['a','b']}",
        API_ERROR_VALUE, "ListenerNames"},
    {"CreateListener", "{" LB ",'Protocol':'TCP_SSL','Ports':[1]}", API_ERROR_MISSING,
        "Certificate is missing"},
    {"CreateListener", "{" LB ",'Protocol':'HTTPS','Ports':[1]}", API_ERROR_MISSING,
        "Certificate is missing"},
    {"CreateListener", "{" LB ",'Protocol':'HTTP','Ports':[1]," ONE_WAY "}", API_ERROR_PARAMETER,
        "Certificate is not for HTTP"},
    {"CreateListener", "{" LB ",'Protocol':'HTTPS','SniSwitch':1,'Ports':[1]," ONE_WAY "}",
        API_ERROR_PARAMETER, "SniSwitch 1"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','SniSwitch':1,'Ports':[1]}", API_ERROR_PARAMETER,
        "SniSwitch is not for TCP"},
    {"CreateListener", "{" LB ",'Protocol':'HTTP','Ports':[1],'Scheduler':'WRR'}",
        API_ERROR_PARAMETER, "Scheduler is not for HTTP"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'SessionExpireTime':29}",
        API_ERROR_RANGE, "SessionExpireTime"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'EndPort':9}", API_ERROR_UNSUPPORTED,
        "EndPort"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'DeregisterTargetRst':true}",
        API_ERROR_UNSUPPORTED, "DeregisterTargetRst"},
    {"CreateListener", "{" LB ",'Protocol':'HTTPS','Ports':[1],'Certificate':{'CertId':'none'}}",
        API_ERROR_VALUE, "none"},
    {"CreateListener",
        "{" LB ",'Protocol':'HTTPS','Ports':[1],'Certificate':{'SSLMode':'MUTUAL','CertId':'"
        "eserver1'}}",
        API_ERROR_MISSING, "CertCaId"},
    {"CreateListener",
        "{" LB ",'Protocol':'HTTPS','Ports':[1],'MultiCertInfo':{'SSLMode':'UNIDIRECTIONAL','"
        "CertList':[{'CertId':'eserver1'}]}," ONE_WAY "}",
        API_ERROR_PARAMETER, "exclude"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'PING'}}",
        API_ERROR_UNSUPPORTED, "HealthCheck.CheckType PING"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'GRPC'}}",
        API_ERROR_VALUE, "HealthCheck.CheckType GRPC does not fit"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'TimeOut':5}}",
        API_ERROR_VALUE, "HealthCheck.TimeOut"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'HttpCheckPath':'/'}}",
        API_ERROR_VALUE, "HealthCheck.HttpCheckPath is of no use"},
    {"CreateListener",
        "{" LB
        ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'HTTP','HttpCheckPath':'x'}}",
        API_ERROR_VALUE, "HealthCheck.HttpCheckPath"},
    {"CreateListener",
        "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'HTTP','"
        "HttpCheckDomain':'*.x'}}",
        API_ERROR_VALUE, "HealthCheck.HttpCheckDomain"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'CUSTOM'}}",
        API_ERROR_MISSING, "HealthCheck.SendContext"},
    {"CreateListener",
        "{" LB ",'Protocol':'TCP','Ports':[1],'HealthCheck':{'CheckType':'CUSTOM','ContextType'"
        ":'HEX','SendContext':'0x'}}",
        API_ERROR_VALUE, "HealthCheck.SendContext"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'TargetTls':{'CertCaId':'eserver1'}}",
        API_ERROR_VALUE, "TargetTls.CertCaId: eserver1 is a certificate of type SVR"},
    {"CreateListener", "{" LB ",'Protocol':'TCP','Ports':[1],'TargetTls':{'Name':'*.x'}}",
        API_ERROR_VALUE, "TargetTls.Name"},
    {"CreateListener",
        "{" LB ",'Protocol':'TCP','Ports':[1],'TargetTls':{'Revocation':{'Policy':'HARD'}}}",
        API_ERROR_VALUE, "TargetTls.Revocation needs a CertCaId"},
    {"ModifyListener", "{" LB ",'ListenerId':'lbl-none'}", API_ERROR_LISTENER_NOT_FOUND,
        "lbl-none"},
    {"ModifyListener", "{" LB ",'ListenerId':'$sni','SniSwitch':0}", API_ERROR_VALUE,
        "cannot be turned off"},
    {"ModifyListener", "{" LB ",'ListenerId':'$sni'," ONE_WAY "}", API_ERROR_PARAMETER,
        "ModifyDomainAttributes"},
    {"ModifyListener", "{" LB ",'ListenerId':'$tls','Certificate':{'SSLMode':'MUTUAL'}}",
        API_ERROR_MISSING, "CertCaId"},
    {"DeleteListener", "{" LB ",'ListenerId':'lbl-none'}", API_ERROR_LISTENER_NOT_FOUND,
        "lbl-none"},
    {"DeleteLoadBalancerListeners", "{" LB ",'ListenerIds':['$web','lbl-none']}",
        API_ERROR_LISTENER_NOT_FOUND, "ListenerIds"},
};

TEST(listeners_are_refused)
{
    check_refusals(listeners_rows, COUNT_OF(listeners_rows));
}

#define NEW(rule) "{" WEB ",'Rules':[" rule "]}"
#define SNI(rule) "{" LB ",'ListenerId':'$sni','Rules':[" rule "]}"

static const struct refusal rules_rows[] = {
    {"CreateRule", "{" LB ",'ListenerId':'$raw','Rules':[]}", API_ERROR_VALUE,
        "This interface only support HTTP/HTTPS listener"},
    {"CreateRule", NEW("{'Domain':'c.example'}"), API_ERROR_MISSING, "Rules.0.Url"},
    {"CreateRule", NEW("{'Url':'/'}"), API_ERROR_MISSING, "Rules.0.Domain is missing"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','Domains':['d.example']}"),
        API_ERROR_PARAMETER, "Rules.0.Domain and Domains"},
    {"CreateRule", NEW("{'Url':'/','Domain':'_ _'}"), API_ERROR_VALUE, "Rules.0.Domain"},
    {"CreateRule", NEW("{'Url':'/','Domain':'*.c.*'}"), API_ERROR_VALUE, "two wildcards"},
    {"CreateRule", NEW("{'Url':'/','Domain':'~('}"), API_ERROR_VALUE, "Rules.0.Domain"},
    {"CreateRule", NEW("{'Url':'x','Domain':'c.example'}"), API_ERROR_VALUE, "Rules.0.Url"},
    {"CreateRule", NEW("{'Url':'~ [','Domain':'c.example'}"), API_ERROR_VALUE, "Rules.0.Url"},
    {"CreateRule", NEW("{'Url':'/a/../b','Domain':'c.example'}"), API_ERROR_VALUE, "Rules.0.Url"},
    {"CreateRule", NEW("{'Url':'/b','Domain':'B.example'}"), API_ERROR_DUPLICATE, "$b"},
    {"CreateRule", NEW("{'Url':'^~ /b','Domain':'b.example'}"), API_ERROR_DUPLICATE, "$b"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example'},{'Url':'/','Domain':'c.example'}"),
        API_ERROR_DUPLICATE, "c.example"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','Http2':true}"), API_ERROR_PARAMETER,
        "Rules.0.Http2"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','ForwardType':'GRPC'}"), API_ERROR_VALUE,
        "needs an HTTPS listener"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','ForwardType':'TRPC'}"), API_ERROR_VALUE,
        "Rules.0.ForwardType"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','Quic':true}"), API_ERROR_UNSUPPORTED,
        "Rules.0.Quic"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','SessionExpireTime':29}"), API_ERROR_RANGE,
        "Rules.0.SessionExpireTime"},
    {"CreateRule",
        NEW("{'Url':'/','Domain':'c.example','SessionExpireTime':60,'Scheduler':'IP_HASH'}"),
        API_ERROR_VALUE, "needs Scheduler WRR"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','CookieName':'a=b'}"), API_ERROR_VALUE,
        "Rules.0.CookieName"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','TargetTls':{}}"), API_ERROR_VALUE,
        "Rules.0.TargetTls needs ForwardType"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example','HealthCheck':{'CheckType':'HTTPS'}}"),
        API_ERROR_VALUE, "Rules.0.HealthCheck.CheckType HTTPS"},
    {"CreateRule", NEW("{'Url':'/','Domain':'c.example'," ONE_WAY "}"), API_ERROR_PARAMETER,
        "Rules.0.Certificate needs a listener with SniSwitch"},
    {"CreateRule",
        NEW("{'Url':'/','Domain':'c.example','DefaultServer':true},{'Url':'/"
            "','Domain':'d.example','DefaultServer':true}"),
        API_ERROR_VALUE, "Rules.1.DefaultServer"},
    {"CreateRule", SNI("{'Url':'/','Domain':'c.example'}"), API_ERROR_MISSING,
        "Rules.0.Certificate is missing"},
    {"CreateRule", SNI("{'Url':'/','Domain':'~x'," ONE_WAY "}"), API_ERROR_UNSUPPORTED,
        "Rules.0.Domain: the listener has SniSwitch 1"},
    {"CreateRule", SNI("{'Url':'/','Domain':'10.0.0.1'," ONE_WAY "}"), API_ERROR_UNSUPPORTED,
        "10.0.0.1"},
    {"CreateRule", SNI("{'Url':'/','Domain':'c.example','ForwardType':'GRPC'," ONE_WAY "}"),
        API_ERROR_VALUE, "needs Http2"},
    {"ModifyRule", "{" WEB ",'LocationId':'loc-none'}", API_ERROR_LOCATION_NOT_FOUND, "loc-none"},
    {"ModifyRule", "{" WEB ",'LocationId':'$b','Url':'b'}", API_ERROR_VALUE, "Url"},
    {"ModifyRule", "{" LB ",'ListenerId':'$raw','LocationId':'$b'}", API_ERROR_VALUE,
        "only support"},
    {"DeleteRule", "{" WEB "}", API_ERROR_MISSING, "LocationId"},
    {"DeleteRule", "{" WEB ",'LocationIds':['$a','loc-none']}", API_ERROR_LOCATION_NOT_FOUND,
        "loc-none"},
    {"DeleteRule", "{" WEB ",'Domain':'z.example','Url':'/'}", API_ERROR_LOCATION_NOT_FOUND,
        "z.example"},
    {"DeleteRule", "{" WEB ",'LocationIds':['$a'],'NewDefaultServerDomain':'z.example'}",
        API_ERROR_LOCATION_NOT_FOUND, "NewDefaultServerDomain"},
    {"ModifyDomain", "{" WEB ",'Domain':'z.example','NewDomain':'y.example'}",
        API_ERROR_LOCATION_NOT_FOUND, "z.example"},
    {"ModifyDomain", "{" WEB ",'Domain':'a.example','NewDomain':'b.example'}", API_ERROR_DUPLICATE,
        "b.example"},
    {"ModifyDomain", "{" WEB ",'Domain':'a.example','NewDomain':'a b'}", API_ERROR_VALUE,
        "NewDomain"},
    {"ModifyDomainAttributes",
        "{" WEB ",'Domain':'a.example','NewDomain':'y.example','NewDomains':['x.example']}",
        API_ERROR_PARAMETER, "exclude"},
    {"ModifyDomainAttributes", "{" WEB ",'Domain':'a.example','Http2':true}", API_ERROR_PARAMETER,
        "Http2"},
    {"ModifyDomainAttributes", "{" WEB ",'Domain':'a.example','DefaultServer':false}",
        API_ERROR_MISSING, "NewDefaultServerDomain"},
    {"ModifyDomainAttributes", "{" WEB ",'Domain':'a.example'," ONE_WAY "}", API_ERROR_PARAMETER,
        "SniSwitch 0"},
};

TEST(rules_are_refused)
{
    check_refusals(rules_rows, COUNT_OF(rules_rows));
}

#define REWRITE(from, to, map) \
    "{" LB ",'SourceListenerId':'" from "','TargetListenerId':'" to "','RewriteInfos':[" map "]}"

static const struct refusal redirects_rows[] = {
    {"ManualRewrite", REWRITE("lbl-none", "$web", ""), API_ERROR_LISTENER_NOT_FOUND,
        "SourceListenerId"},
    {"ManualRewrite", REWRITE("$web", "$raw", ""), API_ERROR_LISTENER_PROTOCOL,
        "TargetListenerId: $raw is TCP_SSL"},
    {"ManualRewrite",
        REWRITE("$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'loc-none'}"),
        API_ERROR_LOCATION_NOT_FOUND, "loc-none"},
    {"ManualRewrite", REWRITE("$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'$a'}"),
        API_ERROR_PARAMETER, "to itself"},
    {"ManualRewrite",
        REWRITE(
            "$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'$b','RewriteCode':303}"),
        API_ERROR_VALUE, "301, 302 or 307"},
    {"ManualRewrite",
        REWRITE("$web", "$web",
            "{'SourceLocationId':'$a','TargetLocationId':'$b','SourceDomain':'b.example'}"),
        API_ERROR_PARAMETER, "SourceDomain"},
    {"ManualRewrite",
        REWRITE("$web", "$web",
            "{'SourceLocationId':'$a','TargetLocationId':'$b'},{'SourceLocationId':'$b','"
            "TargetLocationId':'$a'}"),
        API_ERROR_REWRITE_EXISTS, "is redirected"},
    {"DeleteRewrite", REWRITE("$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'$b'}"),
        API_ERROR_REWRITE_NOT_FOUND, "$a"},
    {"AutoRewrite", "{" LB ",'ListenerId':'$sni'}", API_ERROR_LISTENER_PROTOCOL, "at port 444"},
    {"AutoRewrite", "{" LB ",'ListenerId':'$tls'}", API_ERROR_LOCATION_NOT_FOUND, "has no rule"},
    {"AutoRewrite", "{" LB ",'ListenerId':'$tls','Domains':['x'],'RewriteCodes':[301,302]}",
        API_ERROR_PARAMETER, "RewriteCodes"},
};

TEST(redirects_are_refused)
{
    check_refusals(redirects_rows, COUNT_OF(redirects_rows));
}

/* ---- what they do ---- */

TEST(there_is_room_for_so_many)
{
    static const struct config full = {.listeners_n = 999, .groups_n = 1000};
    char ports[400] = "1", text[600];
    begin();
    for (int i = 2; i <= 48; i++)
        snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), ",%d", 2000 + i);
    snprintf(text, sizeof(text), "{" LB ",'Protocol':'HTTP','Ports':[%s]}", ports);
    actions_refuse(SERVICE_CLB, "CreateListener", q(text), API_ERROR_LIMIT, "50 listeners");
    around.config = &full;
    actions_refuse(SERVICE_CLB, "CreateListener", q("{" LB ",'Protocol':'TCP','Ports':[1]}"),
        API_ERROR_LIMIT, "1000 rules and listeners of TCP");
    actions_refuse(SERVICE_CLB, "CreateListener", q("{" LB ",'Protocol':'HTTP','Ports':[1,2]}"),
        API_ERROR_LIMIT, "1000 listeners in all");
    actions_refuse(SERVICE_CLB, "CreateRule", q(NEW("{'Domain':'c.example','Url':'/'}")),
        API_ERROR_LIMIT, "Rules: there can be 1000 rules");
}

TEST(a_token_makes_instances_once)
{
    begin();
    char first[512];
    snprintf(first, sizeof(first), "%s",
        ask("CreateLoadBalancer", "{'LoadBalancerType':'OPEN','Number':2,'ClientToken':'t'}"));
    CHECK_INT(model_count(model, MODEL_INSTANCE), 3);
    CHECK_TEXT(
        ask("CreateLoadBalancer", "{'LoadBalancerType':'OPEN','Number':2,'ClientToken':'t'}"),
        first);
    CHECK_INT(model_count(model, MODEL_INSTANCE), 3);
    for (int i = 0; i < 2; i++)
        ask("CreateLoadBalancer", "{'LoadBalancerType':'OPEN','ClientToken':''}");
    CHECK_INT(model_count(model, MODEL_INSTANCE), 5);
    actions_refuse(SERVICE_CLB, "CreateLoadBalancer",
        q("{'LoadBalancerType':'OPEN','Number':1,'ClientToken':'t'}"), API_ERROR_VALUE,
        "ClientToken was used");
}

/* N tokens that were used at TIME. */
static void use_tokens(int n, int64_t time_s)
{
    for (int i = 0; i < n; i++) {
        char token[16];
        snprintf(token, sizeof(token), "t%d", i);
        model_put(model, MODEL_TOKEN, token,
            json_pack("{s:s, s:I}", "ClientToken", token, "Time", (json_int_t)time_s));
    }
    model_keep(model);
}

TEST(tokens_are_forgotten_after_their_day_only)
{
    begin();
    use_tokens(10000, now_s - 24 * 3600);
    actions_refuse(SERVICE_CLB, "CreateLoadBalancer",
        q("{'LoadBalancerType':'OPEN','ClientToken':'new'}"), API_ERROR_LIMIT,
        "ClientToken: 10000 were used within a day");
    ask("CreateLoadBalancer", "{'LoadBalancerType':'OPEN'}");
    use_tokens(9999, now_s - 24 * 3600 - 1); /* the last one remains */
    ask("CreateLoadBalancer", "{'LoadBalancerType':'OPEN','ClientToken':'t7'}");
    CHECK_INT(model_count(model, MODEL_TOKEN), 2);
    CHECK(model_find(model, MODEL_TOKEN, "t9999") && model_find(model, MODEL_TOKEN, "t7"));
}

TEST(an_address_is_one_of_the_configuration_where_that_has_a_list)
{
    static const struct config_text addresses[] = {{.text = "10.0.0.1"}, {.text = "10.0.0.2"}};
    static const struct config_api settings = {addresses, 2};
    begin();
    around.settings = &settings;
    actions_refuse(SERVICE_CLB, "CreateLoadBalancer",
        q("{'LoadBalancerType':'OPEN','Vip':'10.0.0.3'}"), API_ERROR_VALUE, "api.addresses");
    actions_refuse(SERVICE_CLB, "CreateLoadBalancer",
        q("{'LoadBalancerType':'OPEN','AddressIPVersion':'ipv6'}"), API_ERROR_VALUE,
        "AddressIPVersion");
    remember(
        "$lb", ask("CreateLoadBalancer", "{'LoadBalancerType':'INTERNAL'}"), "LoadBalancerIds", 0);
    CHECK_TEXT(document_text(model_find(model, MODEL_INSTANCE, id_of("$lb")), "Vip"), "10.0.0.1");
    remember("$lb", ask("CreateLoadBalancer", "{'LoadBalancerType':'INTERNAL','Vip':'10.0.0.2'}"),
        "LoadBalancerIds", 0);
    CHECK_TEXT(document_text(model_find(model, MODEL_INSTANCE, id_of("$lb")), "Vip"), "10.0.0.2");
}

TEST(instances_are_found_by_all_that_describes_them)
{
    static const struct {
        const char *text, *has;
        int count;
    } rows[] = {
        {"{}", "'LoadBalancerName':'one'", 3}, /* two are the file's */
        {"{'LoadBalancerIds':['$lb']}", "'LoadBalancerVips':['127.0.0.1']", 1},
        {"{'LoadBalancerType':'OPEN'}", "'ConfigFile':'sallyport.yaml:3'", 1},
        {"{'LoadBalancerName':'ONE'}", "'Status':1", 1},
        {"{'LoadBalancerVips':['127.0.0.9']}", "file-127.0.0.9", 1},
        {"{'SearchKey':'127.0.0.'}", "file-", 2},
        {"{'BackendPrivateIps':['10.9.9.9'],'AdditionalFields':['TargetCount']}", "'TargetCount':2",
            1},
        {"{'WithRs':1}", "file-127.0.0.9", 1},
        {"{'WithRs':0}", "'one'", 2},
        {"{'Filters':[{'Name':'tag:team','Values':['red']}]}", "[]", 0},
        {"{'Limit':1,'OrderBy':'LoadBalancerName','OrderType':0}", "file-0.0.0.0", 3},
        {"{'Limit':1,'OrderBy':'LoadBalancerName'}", "'one'", 3},
        {"{'Offset':3}", "'LoadBalancerSet':[]", 3},
    };
    begin();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char count[40];
        const char *answer = ask("DescribeLoadBalancers", rows[i].text);
        snprintf(count, sizeof(count), "\"TotalCount\":%d", rows[i].count);
        if (!strstr(answer, q(rows[i].has)) || !strstr(answer, count))
            printf("# %s: %.3000s\n", rows[i].text, answer);
        CHECK(strstr(answer, q(rows[i].has)) && strstr(answer, count));
    }
}

TEST(what_is_the_files_is_shown_and_not_changed)
{
    begin();
    json_t *answer =
        json_loads(ask("DescribeLoadBalancers", "{'LoadBalancerVips':['127.0.0.9']}"), 0, NULL);
    const char *id = document_text(
        json_array_get(json_object_get(answer, "LoadBalancerSet"), 0), "LoadBalancerId");
    snprintf(id_of("$file"), MODEL_ID_MAX, "%s", id);
    json_decref(answer);
    const char *shown = ask("DescribeListeners", "{'LoadBalancerId':'$file'}");
    CHECK(
        strstr(shown, q("'ListenerName':'file-web'")) && strstr(shown, q("'Domain':'f.example'")));
    CHECK(strstr(shown, q("'CheckType':'HTTP'")) && strstr(shown, q("'HealthSwitch':0")));
    actions_refuse(SERVICE_CLB, "CreateListener",
        q("{'LoadBalancerId':'$file','Protocol':'TCP','Ports':[1]}"), API_ERROR_UNAUTHORIZED,
        "belongs to the configuration file (sallyport.yaml:2)");
    actions_refuse(SERVICE_CLB, "DeleteLoadBalancer", q("{'LoadBalancerIds':['$file']}"),
        API_ERROR_UNAUTHORIZED, "sallyport.yaml:2");
    id_of("$file")[0] = '\0';
}

TEST(one_way_and_mutual_are_turned)
{
    begin();
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domain':'a.example','Url':'/'}]}");
    ask("ModifyListener", "{" LB ",'ListenerId':'$tls','Certificate':{'SSLMode':'MUTUAL','"
                          "SSLVerifyClient':'OPTIONAL','CertCaId':'clients1'}}");
    struct config *c = rendered();
    const struct config_listener *l = in_config(c, "$tls");
    CHECK(l && l->authn.authentication == AUTHENTICATION_OPTIONAL && l->authn.client_ca_n == 1);
    CHECK(l && l->authn.certificates_n == 1 && l->authn.revocation.crl_n == 1);
    config_free(&c);
    ask("ModifyListener",
        "{" LB ",'ListenerId':'$tls','Certificate':{'SSLMode':'UNIDIRECTIONAL'}}");
    c = rendered();
    l = in_config(c, "$tls");
    CHECK(l && l->authn.authentication == AUTHENTICATION_ONE_WAY && l->authn.client_ca_n == 0);
    config_free(&c);
}

TEST(sni_is_turned_on_and_domains_get_their_own)
{
    begin();
    struct config *c = rendered();
    CHECK(c && !in_config(c, "$sni"));
    config_free(&c);
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domain':'a.example','Url':'/"
                      "'},{'Domain':'b.example','Url':'/','Http2':true}]}");
    ask("ModifyListener", "{" LB ",'ListenerId':'$tls','SniSwitch':1}");
    CHECK(!json_object_get(listener("$tls"), "Certificate"));
    ask("ModifyDomainAttributes",
        "{" LB ",'ListenerId':'$tls','Domain':'b.example','Certificate':{'SSLMode':'MUTUAL','"
        "CertId':'rserver2','CertCaId':'clients1'}}");
    c = rendered();
    const struct config_listener *l = in_config(c, "$tls");
    CHECK(l && l->authn.authentication == AUTHENTICATION_ONE_WAY && l->domains_n == 2);
    CHECK(l && l->domains[1].authn.authentication == AUTHENTICATION_MUTUAL && l->domains[1].http2 &&
          !l->domains[0].http2);
    config_free(&c);
}

TEST(attributes_hold_for_all_rules_of_a_domain)
{
    begin();
    ask("CreateRule", SNI("{'Domains':['a.example','b.example'],'Url':'/'," ONE_WAY
                          "},{'Domain':'b.example','Url':'/x'}"));
    CHECK_TEXT(
        document_text(json_object_get(rule("$sni", 1), "Certificate"), "CertId"), "eserver1");
    ask("CreateRule", SNI("{'Domain':'a.example','Url':'/y','Http2':true,'ForwardType':'GRPC'}"));
    CHECK(document_flag(rule("$sni", 0), "Http2") && document_flag(rule("$sni", 1), "Http2"));
    actions_refuse(SERVICE_CLB, "ModifyDomainAttributes",
        q("{" LB ",'ListenerId':'$sni','Domain':'a.example','Http2':false}"), API_ERROR_VALUE,
        "GRPC");
}

TEST(there_is_one_default_domain)
{
    begin();
    CHECK(document_flag(rule("$web", 0), "DefaultServer") &&
          !document_flag(rule("$web", 1), "DefaultServer"));
    ask("CreateRule", NEW("{'Domain':'c.example','Url':'/','DefaultServer':true}"));
    CHECK(!document_flag(rule("$web", 0), "DefaultServer") &&
          document_flag(rule("$web", 2), "DefaultServer"));
    struct config *c = rendered();
    CHECK_TEXT(in_config(c, "$web")->rules[0].domain, "c.example");
    config_free(&c);
    ask("ModifyDomainAttributes",
        "{" WEB
        ",'Domain':'c.example','DefaultServer':false,'NewDefaultServerDomain':'b.example'}");
    CHECK(document_flag(rule("$web", 1), "DefaultServer"));
    ask("DeleteRule", "{" WEB ",'Domain':'B.Example','Url':'/b'}");
    CHECK(document_flag(rule("$web", 0), "DefaultServer"));
    ask("DeleteRule", "{" WEB ",'Domain':'a.example','NewDefaultServerDomain':'c.example'}");
    CHECK(document_flag(rule("$web", 0), "DefaultServer") &&
          document_is(rule("$web", 0), "Domain", "c.example"));
}

TEST(domains_are_renamed_in_all_of_their_rules)
{
    begin();
    ask("CreateRule", NEW("{'Domain':'a.example','Url':'/x'}"));
    ask("ModifyDomain", "{" WEB ",'Domain':'a.example','NewDomain':'*.New.example'}");
    CHECK(document_is(rule("$web", 0), "Domain", "*.new.example") &&
          document_is(rule("$web", 2), "Domain", "*.new.example"));
    ask("ModifyDomainAttributes",
        "{" WEB ",'Domain':'*.NEW.example','NewDomains':['c.example','d.example']}");
    struct config *c = rendered();
    CHECK_INT(in_config(c, "$web")->rules_n, 5);
    config_free(&c);
}

TEST(rules_change_and_what_is_not_said_stays)
{
    begin();
    ask("ModifyRule", "{" WEB ",'LocationId':'$b','Url':'/"
                      "c','Scheduler':'WRR','SessionExpireTime':60,'CookieName':'C','"
                      "HealthCheck':{'HttpCode':3,'HttpCheckPath':'/h'}}");
    ask("ModifyRule", "{" WEB ",'LocationId':'$b','HealthCheck':{'TimeOut':3}}");
    struct config *c = rendered();
    const struct config_rule *r = &in_config(c, "$web")->rules[1];
    const struct config_group *g = &c->groups[r->group];
    CHECK_TEXT(r->path, "/c");
    CHECK_TEXT(g->stickiness.cookie, "C");
    CHECK_TEXT(g->health_check.path, "/h");
    CHECK_INT(g->health_check.codes, 6);
    CHECK_INT(g->health_check.timeout_ms, 3000);
    config_free(&c);
    ask("ModifyRule", "{" WEB ",'LocationId':'$b','ForwardType':'HTTPS','TargetTls':{'CertCaId':'"
                      "clients1','Name':'app.internal'}}");
    c = rendered();
    g = &c->groups[in_config(c, "$web")->rules[1].group];
    CHECK_INT(g->protocol, PROTOCOL_HTTPS);
    CHECK_INT(g->health_check.type, HEALTH_CHECK_HTTPS);
    CHECK_TEXT(g->tls.name, "app.internal");
    config_free(&c);
}

TEST(a_check_of_grpc_calls_a_method_or_asks_for_health)
{
    static const struct {
        const char *check, *call, *statuses;
    } rows[] = {
        {"{'HealthNum':2}", "", "0"},
        {"{'HttpCheckPath':'/'}", "", "0"},
        {"{'HttpCheckPath':'/p.S/M'}", "/p.S/M", "12"},
        {"{'HttpCheckPath':'/p.S/M','ExtendedCode':'0,5-7'}", "/p.S/M", "0,5-7"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        begin();
        snprintf(text, sizeof(text),
            SNI("{'Domain':'a.example','Url':'/"
                "','Http2':true,'ForwardType':'GRPC','HealthCheck':%s," ONE_WAY "}"),
            rows[i].check);
        ask("CreateRule", text);
        struct config *c = rendered();
        const struct config_group *g = &c->groups[in_config(c, "$sni")->rules[0].group];
        CHECK(g->http2 && g->health_check.type == HEALTH_CHECK_GRPC);
        CHECK_TEXT(g->health_check.call, rows[i].call);
        CHECK_TEXT(g->health_check.statuses, rows[i].statuses);
        config_free(&c);
    }
    actions_refuse(SERVICE_CLB, "CreateRule",
        q(SNI("{'Domain':'b.example','Url':'/"
              "','Http2':true,'ForwardType':'GRPC','HealthCheck':{'ExtendedCode':'100'}," ONE_WAY
              "}")),
        API_ERROR_VALUE, "Rules.0.HealthCheck.ExtendedCode");
    actions_refuse(SERVICE_CLB, "CreateRule",
        q(SNI("{'Domain':'b.example','Url':'/"
              "','Http2':true,'ForwardType':'GRPC','HealthCheck':{'HttpCheckPath':'/x'}," ONE_WAY
              "}")),
        API_ERROR_VALUE, "Rules.0.HealthCheck.HttpCheckPath");
}

TEST(redirects_begin_and_end)
{
    begin();
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domain':'a.example','Url':'/"
                      "'},{'Domain':'n.example','Url':'/n'}]}");
    ask("AutoRewrite",
        "{" LB
        ",'ListenerId':'$tls','Domains':['n.example','a.example'],'RewriteCodes':[302,307]}");
    struct config *c = rendered();
    const struct config_listener *l = in_config(c, "$web");
    CHECK_INT(l->rules_n, 3);
    CHECK_TEXT(l->rules[0].redirect.to, "https://a.example");
    CHECK_INT(l->rules[0].redirect.code, REDIRECT_307);
    CHECK_TEXT(l->rules[2].redirect.to, "https://n.example");
    config_free(&c);
    CHECK(strstr(
        ask("DescribeRewrite", "{" LB ",'SourceLocationIds':['$a']}"), q("'RewriteType':'Auto'")));
    actions_refuse(SERVICE_CLB, "ManualRewrite",
        q(REWRITE("$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'$b'}")),
        API_ERROR_REWRITE_EXISTS, "redirected already");
    actions_refuse(SERVICE_CLB, "ManualRewrite",
        q(REWRITE("$web", "$web", "{'SourceLocationId':'$b','TargetLocationId':'$a'}")),
        API_ERROR_REWRITE_EXISTS, "is redirected itself");
    ask("DeleteListener", "{" LB ",'ListenerId':'$tls'}");
    CHECK(!json_object_get(rule("$web", 0), "Rewrite"));
    ask("ManualRewrite", REWRITE("$web", "$web",
                             "{'SourceLocationId':'$a','TargetLocationId':'$b','TakeUrl':false}"));
    c = rendered();
    CHECK_TEXT(in_config(c, "$web")->rules[0].redirect.to, "http://b.example/b");
    config_free(&c);
    ask("DeleteRewrite",
        REWRITE("$web", "$web", "{'SourceLocationId':'$a','TargetLocationId':'$b'}"));
    CHECK_TEXT(ask("DescribeRewrite", "{" LB "}"), "{\"RewriteSet\":[]}");
}

TEST(each_domain_of_a_rule_is_redirected_in_the_rule_that_it_has)
{
    begin();
    ask("CreateRule", NEW("{'Domain':'b.example','Url':'/'}"));
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domains':['a.example','b.example','"
                      "c.example','d.example'],'Url':'/'}]}");
    ask("AutoRewrite",
        "{" LB
        ",'ListenerId':'$tls','Domains':['b.example','a.example'],'RewriteCodes':[307,302]}");
    struct config *c = rendered();
    const struct config_listener *l = in_config(c, "$web");
    static const char *const domains[] = {"a.example", NULL, "b.example", "c.example", "d.example"};
    CHECK_INT(l->rules_n, COUNT_OF(domains));
    for (size_t i = 0; i < l->rules_n && i < COUNT_OF(domains); i++) {
        if (!domains[i]) /* $b, with another path */
            continue;
        const char *to = l->rules[i].redirect.to;
        CHECK_TEXT(l->rules[i].domain, domains[i]);
        CHECK_TEXT(to ? to : "(none)", "https://$host");
        CHECK_INT(l->rules[i].redirect.code, REDIRECT_307);
    }
    CHECK(!l->rules[1].redirect.to);
    CHECK_INT(json_array_size(json_object_get(listener("$web"), "Rules")), 4);
    CHECK(document_is(rule("$web", 3), "Domain", "c.example"));
    config_free(&c);
}

/* No rule has to be made. */
TEST(a_full_listener_can_be_redirected)
{
    begin();
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domain':'a.example','Url':'/'}]}");
    json_t *rules = json_object_get(model_edit(model, MODEL_LISTENER, id_of("$web")), "Rules");
    while (json_array_size(rules) < 500)
        json_array_append_new(rules, json_pack("{s:s, s:[]}", "Url", "/x", "Domains"));
    model_keep(model);
    ask("AutoRewrite", "{" LB ",'ListenerId':'$tls'}");
    CHECK(json_object_get(rule("$web", 0), "Rewrite"));
    ask("CreateRule", "{" LB ",'ListenerId':'$tls','Rules':[{'Domain':'z.example','Url':'/'}]}");
    actions_refuse(SERVICE_CLB, "AutoRewrite",
        q("{" LB ",'ListenerId':'$tls','Domains':['z.example']}"), API_ERROR_LIMIT,
        "port 80 can have 500 rules");
}

TEST(what_is_protected_or_in_use_is_deleted_on_purpose_only)
{
    begin();
    ask("ModifyLoadBalancerAttributes", "{" LB ",'DeleteProtect':true,'LoadBalancerName':'two'}");
    CHECK(strstr(ask("DescribeLoadBalancers", "{'LoadBalancerIds':['$lb']}"),
        "\"AttributeFlags\":[\"DeleteProtect\"]"));
    actions_refuse(SERVICE_CLB, "DeleteLoadBalancer",
        q("{'LoadBalancerIds':['$lb'],'ForceDelete':true}"), API_ERROR_FAILED, "DeleteProtect");
    ask("ModifyLoadBalancerAttributes", "{" LB ",'DeleteProtect':false}");
    json_t *edited = model_edit(model, MODEL_LISTENER, id_of("$raw"));
    for (int i = 0; i < 20; i++)
        json_array_append_new(
            json_object_get(edited, "Targets"), json_pack("{s:[s], s:i, s:i}", "PrivateIpAddresses",
                                                    "10.0.0.1", "Port", 1000 + i, "Weight", 1));
    model_keep(model);
    actions_refuse(SERVICE_CLB, "DeleteLoadBalancer", q("{'LoadBalancerIds':['$lb']}"),
        API_ERROR_TARGETS_AT_RISK, "20 real servers");
    ask("DeleteLoadBalancer", "{'LoadBalancerIds':['$lb'],'ForceDelete':true}");
    CHECK_INT(model_count(model, MODEL_LISTENER), 0);
    CHECK_INT(model_count(model, MODEL_INSTANCE), 0);
}

TEST(listeners_are_told_with_all_members)
{
    begin();
    json_t *answer = json_loads(
        ask("DescribeListeners", "{" LB ",'ListenerIds':['$web'],'Protocol':'HTTP','Port':80}"), 0,
        NULL);
    const json_t *l = json_array_get(json_object_get(answer, "Listeners"), 0);
    const json_t *r = json_array_get(json_object_get(l, "Rules"), 0);
    CHECK_INT(document_integer(answer, "TotalCount"), 1);
    CHECK(json_is_integer(json_object_get(l, "SniSwitch")) &&
          json_is_null(json_object_get(l, "Certificate")));
    CHECK(json_is_null(json_object_get(l, "HealthCheck")) &&
          json_is_null(json_object_get(l, "Scheduler")));
    CHECK_TEXT(document_text(json_object_get(r, "HealthCheck"), "HttpCheckMethod"), "HEAD");
    CHECK(json_object_size(json_object_get(r, "RewriteTarget")) == 5);
    json_decref(answer);
    answer = json_loads(ask("DescribeListeners", "{" LB ",'ListenerIds':['$raw']}"), 0, NULL);
    l = json_array_get(json_object_get(answer, "Listeners"), 0);
    CHECK(json_is_null(json_object_get(l, "Rules")) &&
          json_is_object(json_object_get(l, "HealthCheck")));
    CHECK_TEXT(document_text(json_object_get(l, "Certificate"), "CertCaId"), "clients1");
    json_decref(answer);
}

TEST(listeners_are_stopped_and_started)
{
    begin();
    ask("SetLoadBalancerStartStatus",
        "{" LB ",'OperationType':'Stop','ListenerIds':['$web','$raw']}");
    struct config *c = rendered();
    CHECK(c->listeners_n == 1 && in_config(c, "$tls"));
    config_free(&c);
    CHECK(strstr(ask("DescribeListeners", "{" LB ",'Port':80}"), "\"Stopped\":true"));
    ask("SetLoadBalancerStartStatus", "{" LB ",'OperationType':'start'}");
    c = rendered();
    CHECK_INT(c->listeners_n, 3);
    config_free(&c);
    ask("DeleteLoadBalancerListeners", "{" LB "}");
    actions_refuse(SERVICE_CLB, "SetLoadBalancerStartStatus", q("{" LB ",'OperationType':'Stop'}"),
        API_ERROR_LB_EMPTY, "has no listener");
}

TEST(details_are_rows_of_servers)
{
    begin();
    const char *answer = ask("DescribeLoadBalancersDetail",
        "{'Filters':[{'Name':'vip','Values':['127.0.0.9']}],'Fields':['TargetAddress','Domain']}");
    CHECK(strstr(answer, "\"TotalCount\":2") && strstr(answer, "\"TargetAddress\":\"10.9.9.9\""));
    CHECK(strstr(answer, "\"Domain\":\"f.example\"") && !strstr(answer, "VpcId"));
    CHECK(strstr(ask("DescribeQuota", "{}"), "TOTAL_LISTENER_QUOTA"));
}
