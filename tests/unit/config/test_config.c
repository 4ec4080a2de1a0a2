/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/named_files.h"
#include "config/value.h"
#include "test.h"

#define DUMP_MAX (1u << 20)

/* Two groups that every listener of the rows below finds. */
#define GROUPS                                                           \
    "target_groups:\n"                                                   \
    "- {name: web, protocol: HTTP, targets: [{address: 10.0.0.1:80}]}\n" \
    "- {name: raw, protocol: TCP, targets: [{address: 10.0.0.1:81}]}\n"
#define RULES "  rules: [{domain: a.example, target_group: web}]\n"
#define CERT  "  certificates: [{certificate: s.crt, key: s.key}]\n"

/* Listeners of which something is added at line 5. */
#define HTTPS   "listeners:\n- name: l\n  protocol: HTTPS\n  address: 127.0.0.1:443\n"
#define HTTP    "listeners:\n- name: l\n  protocol: HTTP\n  address: 127.0.0.1:80\n"
#define TCP     "listeners:\n- name: l\n  protocol: TCP\n  address: 127.0.0.1:80\n"
#define TCP_SSL "listeners:\n- name: l\n  protocol: TCP_SSL\n  address: 127.0.0.1:443\n"
#define REST    CERT RULES GROUPS
#define GOOD    HTTPS REST
/* A group of which something is added at line 9. */
#define GROUP_G                                                                              \
    HTTP RULES                                                                               \
        "target_groups:\n- {name: web, protocol: HTTP, targets: [{address: 10.0.0.1:80}]}\n" \
        "- name: g\n"

struct row {
    const char *text;
    const char *want; /* how one of the lines of the report begins */
};

static struct config *parse(const char *text, struct report *report)
{
    report_init(report);
    return config_parse(bytes_of(text), "f", "/etc/s", report);
}

static bool has_line(const struct report *report, const char *want)
{
    for (size_t i = 0; i < report->n; i++)
        if (strncmp(report->lines[i].text, want, strlen(want)) == 0)
            return true;
    return false;
}

static void check_refused(const struct row *row)
{
    struct report report;
    struct config *c = parse(row->text, &report);
    bool found = has_line(&report, row->want);
    CHECK(!c);
    CHECK(found);
    if (c || !found) {
        char *got = report_text(&report);
        printf("# want %s\n# got  %s# for:\n%s\n", row->want, got, row->text);
        free(got);
    }
    config_free(&c);
    report_fini(&report);
}

/* The dump of TEXT, which must be accepted; "" if it is not. The caller frees it. */
static char *dump(const char *text)
{
    struct report report;
    struct config *c = parse(text, &report);
    struct buf out;
    buf_init(&out, DUMP_MAX);
    if (c) {
        config_dump(c, &out);
    } else {
        char *got = report_text(&report);
        printf("# refused: %s# text:\n%s\n", got, text);
        free(got);
    }
    CHECK(c);
    char *dumped = mem_strndup(buf_bytes(&out).at, buf_size(&out));
    buf_fini(&out);
    config_free(&c);
    report_fini(&report);
    return dumped;
}

static void check_round_trip(const char *text)
{
    char *once = dump(text);
    char *twice = dump(once);
    CHECK(*once);
    CHECK_TEXT(twice, once);
    free(once);
    free(twice);
}

static const struct row wrong_keys[] = {
    {"", "f:1:1: a configuration needs listeners: "},
    {"- a\n", "f:1:1: a configuration: a map of keys is wanted, not a list"},
    {"target_groups: []\n", "f:1:1: a configuration needs listeners: "},
    {GOOD "api: {addresses: [10.0.0.1, \"10.0.0.2:80\"]}\n",
        "f:10:29: addresses: \"10.0.0.2:80\" is not an IP address;"},
    {GOOD "api: {addresses: []}\n", "f:10:18: addresses: a list of 0; accepted: 1 to 1000"},
    {GOOD "admin: {address: \"127.0.0.1:9\", https: {address: \":1\", rules: []}}\n",
        "f:10:56: unknown key \"rules\"; accepted in admin.https: address, certificates, "},
    {GOOD "admin: {address: \"127.0.0.1:0\", https: {address: \":1\"}}\n",
        "f:10:40: admin.https needs an admin address that is reached on this machine, with a fixed "
        "port, "},
    {GOOD "admin: {address: \"10.0.0.1:9\", https: {address: \":1\"}}\n",
        "f:10:39: admin.https needs an admin address that is reached on this machine, "},
    {GOOD "admin: {address: \"127.0.0.1:9\", https: {address: \":1\"}}\n",
        "f:10:40: the HTTPS listener admin needs certificates: "},
    {GOOD "nothing: {dir: /x}\n", "f:10:1: unknown key \"nothing\"; accepted in a configuration: "
                                  "listeners, target_groups,"},
    {HTTPS "  certificats: []\n" REST, "f:5:3: unknown key \"certificats\"; did you mean "
                                       "certificates? accepted in a listener: name, "},
    {HTTPS "  certificates: [{certificate: s.crt}]\n" RULES GROUPS,
        "f:5:18: a certificate needs key: file"},
    {HTTPS "  authentication: mutal\n" REST,
        "f:5:19: authentication: \"mutal\" is not accepted; did you mean mutual? accepted: "
        "one-way, mutual, optional"},
    {HTTPS "  authentication: [mutual]\n" REST,
        "f:5:19: authentication: a text is wanted, not a list"},
    {HTTPS "  authentication:\n" REST, "f:5:18: authentication has no value;"},
    {HTTPS "  client_names:\n" REST, "f:5:16: client_names has no value;"},
    {HTTPS "  client_names: []\n" REST,
        "f:5:17: client_names: a list of 0; accepted: 1 to 10000, or no such key"},
    {HTTPS "  client_ca: ca.crt\n" REST, "f:5:14: client_ca: a list is wanted; write [\"ca.crt\"]"},
    {HTTPS "  client_ca: [\"\"]\n" REST, "f:5:15: client_ca: \"\" is not the name of a file"},
    {HTTPS "  client_names: [alice]\n" REST,
        "f:5:18: client_names: \"alice\" is not a client name; write DNS:"},
    {HTTPS "  revocation: hard\n" REST, "f:5:15: revocation: a map of keys is wanted, not a text"},
    {HTTPS "  revocation: {policy: hard}\n" REST, "f:5:15: revocation needs crl: "},
    {HTTPS "  revocation: {crl: [c], policy: strict}\n" REST,
        "f:5:34: policy: \"strict\" is not accepted; accepted: hard, soft, {grace: 24h}"},
    {HTTPS "  revocation: {crl: [c], policy: {grace: 24}}\n" REST,
        "f:5:42: policy: \"24\" has no unit;"},
    {HTTPS "  revocation: {crl: [c], policy: {grase: 24h}}\n" REST,
        "f:5:34: policy: this is not accepted;"},
    {HTTPS "  revocation: {crl: [c], per_ca: [{issuer: CN=a}]}\n" REST,
        "f:5:35: a CA needs policy: "},
    {HTTPS "  revocation: {crl: [c], per_ca: [{policy: soft}]}\n" REST,
        "f:5:35: a CA needs issuer: "},
    {HTTPS "  tls: {versions: []}\n" REST, "f:5:19: versions is empty; accepted: 1.2, 1.3"},
    {HTTPS "  tls: {versions: [1.1]}\n" REST,
        "f:5:20: versions: \"1.1\" is not accepted; accepted: 1.2, 1.3"},
    {HTTPS "  tls: {versions: [1.2, 1.2]}\n" REST, "f:5:25: versions: 1.2 stands there twice;"},
    {HTTPS "  tls: {engine: libressl}\n" REST,
        "f:5:17: engine: \"libressl\" is not accepted; accepted: native, openssl"},
    {HTTPS "  tls: {preference: speed}\n" REST,
        "f:5:21: preference: \"speed\" is not accepted; accepted: strongest, fastest, client"},
    {HTTPS "  tls: {groups: [x25519, p256]}\n" REST,
        "f:5:26: groups: \"p256\" is not accepted; accepted: x25519, secp256r1, secp384r1, "
        "secp521r1"},
    {HTTPS "  tls: {groups: []}\n" REST, "f:5:17: groups: a list of 0; accepted: 1 to 4"},
    {HTTPS "  tls: {signature_schemes: [rsa_pkcs1_sha1]}\n" REST,
        "f:5:29: signature_schemes: \"rsa_pkcs1_sha1\" is not accepted; did you mean "
        "rsa_pkcs1_sha512? accepted: ecdsa_secp256r1_sha256, "},
    {HTTPS "  tls: {session_lifetime: 1}\n" REST, "f:5:27: session_lifetime: \"1\" has no unit;"},
    {HTTPS "  trusted_proxies: [10.0.0.1/8]\n" REST,
        "f:5:21: trusted_proxies: \"10.0.0.1/8\" has bits set"},
    {HTTPS "  domains: [{name: 10.0.0.1}]\n" REST, "f:5:20: name: \"10.0.0.1\" is not a domain;"},
    {HTTPS "  domains: [{name: a.example, tls: {}}]\n" REST,
        "f:5:31: unknown key \"tls\"; accepted in a domain: name, authentication,"},
    {HTTP "  rules: [{domain: a.example, path: x, target_group: web}]\n" GROUPS,
        "f:5:37: path: \"x\" is not a path;"},
    {HTTP "  rules: [{domain: \"*\", target_group: web}]\n" GROUPS,
        "f:5:20: domain: \"*\" is not a domain;"},
    {HTTP "  rules: [{domain: a.example}]\n" GROUPS,
        "f:5:11: a rule needs one of: target_group, respond or redirect"},
    {HTTP "  rules: [{domain: a.b, redirect: {to: \"listener:x\"}}]\n" GROUPS,
        "f:5:40: to: \"listener:x\" names no listener of this file"},
    {HTTP "  rules: [{domain: a.b, redirect: {to: \"listener:l\"}}]\n" GROUPS,
        "f:5:40: to: \"listener:l\" is this listener itself:"},
    {HTTP "  rules: [{domain: a.b, redirect: {to: \"listener:t\"}}]\n"
          "- {name: t, protocol: TCP, address: \":1\", target_group: raw}\n" GROUPS,
        "f:5:40: to: \"listener:t\" speaks TCP; name a listener of HTTPS or HTTP"},
    {HTTP "  rules: [{domain: a.b, redirect: {to: \"listener:h\"}}]\n"
          "- {name: h, protocol: HTTP, address: \":0\", rules: []}\n" GROUPS,
        "f:5:40: to: \"listener:h\" has no port of its own"},
    {HTTP "  rules: [{domain: a.example, target_group: app}]\n" GROUPS,
        "f:5:45: target_group: there is no target group \"app\"; known: web, raw"},
    {"listeners: [{name: \"a b\", protocol: TCP, address: \":1\", target_group: raw}]\n" GROUPS,
        "f:1:20: name: \"a b\" is not a name;"},
    {"listeners: [{name: \"\", protocol: TCP, address: \":1\", target_group: raw}]\n" GROUPS,
        "f:1:20: name: \"\" has 0 bytes; accepted: 1 to 64"},
    {"listeners: [{name: a, protocol: TCP, address: \"a:1\", target_group: raw}]\n" GROUPS,
        "f:1:47: address: \"a:1\" has no valid IPv4 address"},
    {"listeners: [{name: a, protocol: UDP, address: \":1\", target_group: raw}]\n" GROUPS,
        "f:1:33: protocol: \"UDP\" is not accepted; accepted: HTTP, HTTPS, "
        "TCP, TCP_SSL"},
    {GROUP_G "  protocol: HTTP\n", "f:8:3: a target group needs targets: "},
    {GROUP_G "  protocol: HTTP\n  targets: [{address: \"*.app:80\"}]\n",
        "f:10:23: address: \"*.app:80\" has neither an IP address nor a host name before the "
        "port;"},
    {GOOD "resolver: {servers: [10.0.0.1, ns.example]}\n",
        "f:10:32: servers: \"ns.example\" has no port;"},
    {GROUP_G "  protocol: HTTP\n  targets: [{address: a:1}]\n  stickiness: {source_ip: 1m}\n",
        "f:11:16: source_ip is not accepted under HTTP;"},
    {GROUP_G "  protocol: TCP\n  targets: [{address: a:1}]\n  stickiness: {cookie: c}\n",
        "f:11:16: cookie is not accepted under TCP;"},
    {GROUP_G "  protocol: HTTP\n  targets: [{address: a:1}]\n  stickiness: {cookie: \"a=b\"}\n",
        "f:11:24: cookie: write a name of"},
    {GROUP_G "  protocol: HTTP\n  scheduler: least-conn\n",
        "f:10:14: scheduler: \"least-conn\" is not accepted; did you mean least_conn? accepted: "
        "wrr"},
    {GROUP_G "  protocol: HTTPS\n  tls: {name: \"*.x\"}\n",
        "f:10:15: name: \"*.x\" is not a domain;"},
    {GOOD "workers: many\n",
        "f:10:10: workers: \"many\" is not a whole number; accepted: 1 to 256"},
    {GOOD "admin: {}\n", "f:10:8: admin needs address: "},
    {GOOD "access_log: {file: \"\"}\n", "f:10:20: file: \"\" is not the name of a file"},
    {GOOD "listeners: []\n", "f:10:1: the key \"listeners\" is already at line 1;"},
    {GOOD "user: a-name-that-is-longer-than-any-user-has\n", "f:10:7: user: \"a-name"},
};

TEST(keys_and_types)
{
    for (size_t i = 0; i < COUNT_OF(wrong_keys); i++)
        check_refused(&wrong_keys[i]);
}

static const struct row contradictions[] = {
    {HTTPS RULES GROUPS, "f:2:3: the HTTPS listener l needs certificates: "},
    {TCP_SSL "  target_group: raw\n" GROUPS, "f:2:3: the TCP_SSL listener l needs certificates: "},
    {HTTP GROUPS, "f:2:3: the HTTP listener l needs rules: "},
    {HTTPS CERT GROUPS, "f:2:3: the HTTPS listener l needs rules: "},
    {TCP GROUPS, "f:2:3: the TCP listener l needs target_group: "},
    {TCP_SSL CERT GROUPS, "f:2:3: the TCP_SSL listener l needs target_group: "},
    {HTTP "  target_group: web\n" RULES GROUPS,
        "f:5:3: target_group is not accepted under HTTP; remove it, or choose a protocol that "
        "has it: TCP, TCP_SSL"},
    {HTTPS "  target_group: web\n" REST, "f:5:3: target_group is not accepted under HTTPS;"},
    {TCP "  target_group: raw\n" RULES GROUPS,
        "f:6:3: rules is not accepted under TCP; remove it, or choose a protocol that has it: "
        "HTTP, HTTPS"},
    {HTTP CERT RULES GROUPS, "f:5:3: certificates is not accepted under HTTP; remove it, or "
                             "choose a protocol that has it: HTTPS, TCP_SSL"},
    {HTTP "  tls: {}\n" RULES GROUPS, "f:5:3: tls is not accepted under HTTP;"},
    {HTTP "  authentication: one-way\n" RULES GROUPS,
        "f:5:3: authentication is not accepted under HTTP;"},
    {TCP "  authentication: mutual\n  target_group: raw\n" GROUPS,
        "f:5:3: authentication is not accepted under TCP;"},
    {TCP "  client_ca: [c]\n  target_group: raw\n" GROUPS,
        "f:5:3: client_ca is not accepted under TCP;"},
    {TCP "  trusted_proxies: [10.0.0.0/8]\n  target_group: raw\n" GROUPS,
        "f:5:3: trusted_proxies is not accepted under TCP;"},
    {TCP_SSL CERT "  target_group: raw\n  domains: [{name: a.b}]\n" GROUPS,
        "f:7:3: domains is not accepted under TCP_SSL; remove it, or choose a protocol that "
        "has it: HTTPS"},
    {HTTPS "  authentication: mutual\n" REST,
        "f:5:19: mutual needs client_ca: the CA certificates whose clients may enter"},
    {HTTPS "  authentication: optional\n" REST, "f:5:19: optional needs client_ca: "},
    {HTTPS "  domains: [{name: a.b, authentication: mutual}]\n" REST,
        "f:5:41: mutual needs client_ca: "},
    {HTTPS "  client_ca: [c]\n" REST, "f:5:3: client_ca is of no use: authentication is one-way,"},
    {HTTPS "  client_names: [DNS:a]\n" REST, "f:5:3: client_names is of no use: "},
    {HTTPS "  revocation: {crl: [c]}\n" REST, "f:5:3: revocation is of no use: "},
    {HTTPS "  client_ca: [c]\n  domains: [{name: a.b}]\n" REST, "f:5:3: client_ca is of no use: "},
    {HTTPS "  client_ca: [c]\n  domains: [{name: a.b, authentication: mutual, client_ca: "
           "[d]}]\n" REST,
        "f:5:3: client_ca is of no use: "},
    {HTTPS "  domains: [{name: a.b, client_ca: [d]}]\n" REST, "f:5:25: client_ca is of no use: "},
    {HTTPS "  authentication: mutual\n  client_ca: [c]\n  domains: [{name: a.b, "
           "authentication: one-way, revocation: {crl: [d]}}]\n" REST,
        "f:7:50: revocation is of no use: "},
    {HTTPS "  domains: [{name: a.b}, {name: A.b}]\n" REST,
        "f:5:26: the domain a.b is already at line 5;"},
    {HTTP "  rules:\n  - {domain: a.b, target_group: web}\n  - {domain: A.B, path: /, "
          "target_group: web}\n" GROUPS,
        "f:7:5: the rule a.b / is already at line 6;"},
    {HTTP "  rules: [{domain: a.example, target_group: raw}]\n" GROUPS,
        "f:5:45: target_group: raw is a group of TCP; behind HTTP listeners are accepted: "
        "HTTP, HTTPS"},
    {TCP "  target_group: web\n" GROUPS, "f:5:17: target_group: web is a group of HTTP; behind "
                                         "TCP listeners are accepted: TCP, TCP_SSL"},
    {HTTPS "  tls: {versions: [1.3], key_exchange: rsa}\n" REST,
        "f:5:40: key_exchange: rsa exists in TLS 1.2 only;"},
    {HTTPS "  tls: {groups: [x25519, secp256r1, x25519]}\n" REST,
        "f:5:37: the group x25519 is already at line 5;"},
    {HTTPS "  tls: {signature_schemes: [ed25519, ed25519]}\n" REST,
        "f:5:38: the signature scheme ed25519 is already at line 5;"},
    {"listeners:\n- {name: a, protocol: TCP, address: \":1\", target_group: raw}\n- {name: a, "
     "protocol: TCP, address: \":2\", target_group: raw}\n" GROUPS,
        "f:3:3: the listener name a is already at line 2;"},
    {"listeners:\n- {name: a, protocol: TCP, address: \"[::1]:1\", target_group: raw}\n- "
     "{name: b, protocol: TCP, address: \"[0::1]:1\", target_group: raw}\n" GROUPS,
        "f:3:37: the address [::1]:1 is already at line 2;"},
    {GOOD "admin: {address: 127.0.0.1:443}\n",
        "f:10:18: the address 127.0.0.1:443 is already at line 4;"},
    {GROUP_G "  protocol: HTTP\n  targets: [{address: 10.0.0.1:80}]\n- {name: web, protocol: "
             "TCP, targets: [{address: 10.0.0.1:80}]}\n",
        "f:11:3: the target group name web is already at line 7;"},
    {GROUP_G "  protocol: HTTP\n  targets: [{address: 10.0.0.1:80}]\n  tls: {name: a}\n",
        "f:11:3: tls is not accepted under HTTP;"},
    {GROUP_G "  protocol: TCP_SSL\n  targets: [{address: 10.0.0.1:80}]\n  tls: {certificate: a}\n",
        "f:11:9: certificate needs key: "},
    {GROUP_G "  protocol: TCP_SSL\n  targets: [{address: 10.0.0.1:80}]\n  tls: {key: a}\n",
        "f:11:9: key needs certificate: "},
    {GROUP_G "  protocol: HTTPS\n  targets: [{address: 10.0.0.1:80}]\n  tls: {key_exchange: "
             "rsa, versions: [1.3]}\n",
        "f:11:23: key_exchange: rsa exists in TLS 1.2 only;"},
};

TEST(contradictions)
{
    for (size_t i = 0; i < COUNT_OF(contradictions); i++)
        check_refused(&contradictions[i]);
}

TEST(rsa_key_exchange_is_warned_about)
{
    static const char *const rows[] = {HTTPS "  tls: {key_exchange: rsa}\n" REST, GROUP_G
        "  protocol: HTTPS\n  targets: [{address: 10.0.0.1:80}]\n  tls: {key_exchange: rsa}\n"};
    static const char *const wants[] = {"f:5:23: key_exchange: rsa has no forward secrecy",
        "f:11:23: key_exchange: rsa has no forward secrecy"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct report report;
        struct config *c = parse(rows[i], &report);
        CHECK(c && report.errors == 0 && report.warnings == 1 && has_line(&report, wants[i]));
        config_free(&c);
        report_fini(&report);
    }
}

TEST(an_earlier_error_in_the_report_does_not_count)
{
    struct report report;
    report_init(&report);
    report_line(&report, true, "of another file");
    struct config *c = config_parse(bytes_of(GOOD), "f", "/etc/s", &report);
    CHECK(c && report.errors == 1);
    config_free(&c);
    report_fini(&report);
}

/* What is empty stays so in what `check -T` prints. */
TEST(lists_that_may_be_empty)
{
    static const char *const rows[] = {"listeners: []\n", HTTP "  rules: []\ntarget_groups: []\n",
        TCP "  target_group: g\n"
            "target_groups: [{name: g, protocol: TCP, targets: []}]\n"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct report report;
        struct buf dump;
        struct config *c = parse(rows[i], &report);
        CHECK(c && report.n == 0);
        buf_init(&dump, DUMP_MAX);
        config_dump(c, &dump);
        config_free(&c);
        c = config_parse(buf_bytes(&dump), "f", "/etc/s", &report);
        CHECK(c && report.n == 0);
        CHECK(c->listeners_n == (i > 0) && c->groups_n == (i == 2));
        config_free(&c);
        buf_fini(&dump);
        report_fini(&report);
    }
}

TEST(a_domain_has_the_listeners_http2_unless_it_says_otherwise)
{
    struct report report;
    struct config *c = parse(
        HTTPS "  http2: false\n  domains: [{name: a.b}, {name: c.d, http2: true}]\n" REST, &report);
    CHECK(c && !c->listeners[0].domains[0].http2 && c->listeners[0].domains[1].http2);
    config_free(&c);
    report_fini(&report);
}

TEST(addresses_of_the_api_are_spelled_the_shortest_way)
{
    struct report report;
    struct config *c = parse(GOOD "api: {addresses: [10.0.0.1, \"2001:DB8::0:1\"]}\n", &report);
    CHECK(c && c->api.addresses_n == 2);
    CHECK_TEXT(c->api.addresses[1].text, "2001:db8::1");
    config_free(&c);
    report_fini(&report);
}

TEST(defaults)
{
    struct report report;
    struct config *c = parse(GOOD, &report);
    CHECK(c && report.n == 0);
    const struct config_listener *l = c->listeners;
    CHECK_INT(l->authn.authentication, AUTHENTICATION_ONE_WAY);
    CHECK_INT(l->authn.revocation.policy.kind, CONFIG_REVOCATION_OFF);
    CHECK_TEXT(l->authn.certificates[0].key.path, "/etc/s/s.key");
    CHECK(!l->authn.certificates[0].ocsp.path);
    CHECK_INT(l->authn.certificates[0].key.at.line, 5);
    CHECK_INT(l->authn.certificates[0].key.at.column, 44);
    CHECK(l->tls.tls12 && l->tls.tls13 && !l->tls.key_exchange_rsa);
    CHECK_INT(l->tls.preference, PREFERENCE_STRONGEST);
    CHECK_INT(l->tls.engine, CONFIG_ENGINE_NATIVE);
    CHECK_INT(l->tls.session_lifetime_ms, 3600000);
    CHECK_TEXT(l->rules[0].path, "/");
    CHECK_INT(l->rules[0].match, PATH_PREFIX);
    CHECK_INT(l->rules[0].group, 0);
    CHECK_INT(l->address_at.line, 4);
    CHECK_INT(c->groups[0].targets[0].weight, 10);
    CHECK(c->groups[0].tls.resumption);
    CHECK_INT(c->workers, 0);
    CHECK_TEXT(c->user, "");
    CHECK(!c->access_log && !c->admin);
    CHECK_INT(c->timeouts.relay_idle, 900000);
    CHECK_INT(c->timeouts.drain, 30000);
    config_free(&c);
    report_fini(&report);
}

TEST(targets_with_names)
{
    struct report report;
    struct config *c = parse(GROUP_G
        "  protocol: HTTP\n  targets: [{address: App.x:80}, {address: 10.0.0.1:80}]\n",
        &report);
    CHECK(c && report.n == 0 && config_has_names(c));
    const struct config_target *t = c->groups[c->groups_n - 1].targets;
    CHECK_TEXT(t[0].address, "app.x:80");
    CHECK_TEXT(t[0].host, "app.x");
    CHECK(!t[1].host);
    config_free(&c);
    report_fini(&report);
    c = parse(GOOD, &report);
    CHECK(c && !config_has_names(c));
    config_free(&c);
    report_fini(&report);
}

TEST(more_names_than_can_be_resolved)
{
    struct report report;
    struct buf text;
    buf_init(&text, 1 << 20);
    CHECK_INT(buf_printf(&text, "%s", GOOD), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(buf_printf(&text, "- name: many%d\n  protocol: HTTP\n  targets:\n", i), 0);
        for (int j = 0; j < 1000; j++)
            CHECK_INT(buf_printf(&text, "  - {address: a%d:80}\n", j), 0);
    }
    report_init(&report);
    struct config *c = config_parse(buf_bytes(&text), "f", "/etc/s", &report);
    CHECK(!c && report.errors == 1 && strstr(report.lines[0].text, "more than 2048 targets"));
    report_fini(&report);
    buf_fini(&text);
}

TEST(a_domain_takes_what_it_leaves_out)
{
    struct report report;
    struct config *c =
        parse(HTTPS "  authentication: mutual\n  client_ca: [c]\n  client_names: [DNS:x]\n"
                    "  revocation: {crl: [r], policy: {grace: 1d}}\n"
                    "  domains:\n  - {name: \"*.B.example\", client_ca: [d, e]}\n"
                    "  - {name: open.example, authentication: one-way,"
                    " certificates: [{certificate: /o.crt, key: /o.crt}]}\n" REST,
            &report);
    CHECK(c && report.n == 0);
    const struct config_domain *d = c->listeners[0].domains;
    CHECK_TEXT(d[0].name, "*.b.example");
    CHECK_INT(d[0].authn.authentication, AUTHENTICATION_MUTUAL);
    CHECK_INT(d[0].authn.client_ca_n, 2);
    CHECK_TEXT(d[0].authn.client_ca[1].path, "/etc/s/e");
    CHECK_TEXT(d[0].authn.client_names[0].text, "DNS:x");
    CHECK_INT(d[0].authn.revocation.policy.kind, CONFIG_REVOCATION_GRACE);
    CHECK_INT(d[0].authn.revocation.policy.grace_ms, 86400000);
    CHECK_TEXT(d[0].authn.certificates[0].certificate.path, "/etc/s/s.crt");
    CHECK_INT(d[1].authn.authentication, AUTHENTICATION_ONE_WAY);
    CHECK(d[1].authn.client_ca_n == 0 && d[1].authn.client_names_n == 0);
    CHECK_INT(d[1].authn.revocation.policy.kind, CONFIG_REVOCATION_OFF);
    CHECK_TEXT(d[1].authn.certificates[0].key.path, "/o.crt");
    CHECK_INT(c->listeners[0].authn.client_ca_n, 1);
    config_free(&c);
    report_fini(&report);
}

TEST(a_one_way_listener_may_hold_what_its_domains_take)
{
    struct report report;
    struct config *c =
        parse(HTTPS "  client_ca: [c]\n  domains: [{name: a.b, authentication: optional}]\n" REST,
            &report);
    CHECK(c && report.n == 0);
    CHECK_INT(c->listeners[0].authn.client_ca_n, 0);
    CHECK_INT(c->listeners[0].domains[0].authn.client_ca_n, 1);
    config_free(&c);
    report_fini(&report);
}

/* What a key of a scope stands in, with %s for "name: value". */
static const char *frame(const struct key *k)
{
    enum scope scope = k->scope;
    if (scope == SCOPE_HEALTH_CHECK && strcmp(k->name, "timeout") == 0)
        return GROUP_G "  protocol: TCP\n  targets: [{address: 10.0.0.1:80}]\n"
                       "  health_check: {interval: 5m, %s}\n";
    if (scope == SCOPE_STICKINESS && strcmp(k->name, "expires") == 0)
        return GROUP_G "  protocol: HTTP\n  targets: [{address: 10.0.0.1:80}]\n"
                       "  stickiness: {cookie: c, %s}\n";
    if (scope == SCOPE_STICKINESS)
        return GROUP_G "  protocol: TCP\n  targets: [{address: 10.0.0.1:80}]\n"
                       "  stickiness: {%s}\n";
    if (scope == SCOPE_HEALTH_CHECK)
        return GROUP_G "  protocol: TCP\n  targets: [{address: 10.0.0.1:80}]\n"
                       "  health_check: {%s}\n";
    if (scope == SCOPE_ROOT)
        return GOOD "%s\n";
    if (scope == SCOPE_ACCESS_LOG)
        return GOOD "access_log: {file: a, %s}\n";
    if (scope == SCOPE_API)
        return GOOD "api: {%s}\n";
    if (scope == SCOPE_TIMEOUTS)
        return GOOD "timeouts: {%s}\n";
    if (scope == SCOPE_TLS)
        return HTTPS "  tls: {%s}\n" REST;
    if (scope == SCOPE_LISTENER)
        return HTTPS "  %s\n" REST;
    if (scope == SCOPE_RULE)
        return HTTPS CERT "  rules: [{domain: a, target_group: web, %s}]\n" GROUPS;
    if (scope == SCOPE_RESPOND)
        return HTTPS CERT "  rules: [{domain: a, respond: {%s}}]\n" GROUPS;
    if (scope == SCOPE_LIMITS)
        return HTTPS "  limits: {%s}\n" REST;
    if (scope == SCOPE_SOURCE_LIMITS)
        return HTTPS "  limits: {per_source: {%s}}\n" REST;
    if (scope == SCOPE_RULE_LIMITS)
        return HTTPS CERT "  rules: [{domain: a, target_group: web, limits: {%s}}]\n" GROUPS;
    if (scope == SCOPE_RULE_SOURCE_LIMITS)
        return HTTPS CERT
            "  rules: [{domain: a, target_group: web, limits: {per_source: {%s}}}]\n" GROUPS;
    if (scope == SCOPE_TARGET)
        return GROUP_G "  protocol: HTTP\n  targets: [{address: 10.0.0.1:80, %s}]\n";
    if (scope == SCOPE_REVOCATION)
        return HTTPS
            "  authentication: mutual\n  client_ca: [c]\n  revocation: {crl: [c], %s}\n" REST;
    if (scope == SCOPE_REVOCATION_CA)
        return HTTPS "  authentication: mutual\n  client_ca: [c]\n"
                     "  revocation: {crl: [c], per_ca: [{issuer: CN=a, %s}]}\n" REST;
    return NULL;
}

static bool is_accepted(const struct key *k, uint64_t value)
{
    const char *unit = k->type == TYPE_DURATION || k->type == TYPE_POLICY ? "ms" : "";
    bool is_policy = k->type == TYPE_POLICY;
    char entry[100], text[2000];
    snprintf(entry, sizeof(entry), "%s: %s%llu%s%s", k->name, is_policy ? "{grace: " : "",
        (unsigned long long)value, unit, is_policy ? "}" : "");
    const char *around = frame(k), *hole = strstr(around, "%s");
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(hole - around), around, entry, hole + 2);
    struct report report;
    struct config *c = parse(text, &report);
    bool accepted = c;
    if (!accepted)
        CHECK(report.errors == 1 && strstr(report.lines[0].text, "out of range; accepted: "));
    config_free(&c);
    report_fini(&report);
    return accepted;
}

/* The effective health check of a group of PROTOCOL with KEYS. */
static void check_health(const char *protocol, const char *keys, enum config_health_type type,
    uint64_t interval_ms, uint64_t timeout_ms)
{
    char text[2000];
    struct report report;
    snprintf(text, sizeof(text), GROUP_G "  protocol: %s\n  targets: [{address: 10.0.0.1:80}]\n%s",
        protocol, keys);
    struct config *c = parse(text, &report);
    CHECK(c && report.errors == 0);
    const struct config_health_check *h = &c->groups[c->groups_n - 1].health_check;
    CHECK_INT(h->type, type);
    CHECK_INT(h->interval_ms, interval_ms);
    CHECK_INT(h->timeout_ms, timeout_ms);
    config_free(&c);
    report_fini(&report);
}

TEST(a_health_check_is_what_the_protocol_suggests)
{
    check_health("HTTP", "", HEALTH_CHECK_OFF, 5000, 2000);
    check_health("HTTP", "  health_check: {}\n", HEALTH_CHECK_HTTP, 5000, 2000);
    check_health("HTTPS", "  health_check: {interval: 2s}\n", HEALTH_CHECK_HTTPS, 2000, 1000);
    check_health("TCP", "  health_check: {interval: 3s}\n", HEALTH_CHECK_TCP, 3000, 2000);
    check_health("TCP_SSL", "  health_check: {type: auto}\n", HEALTH_CHECK_TCP, 5000, 2000);
    check_health("HTTPS", "  tls: {certificate: c, key: k}\n  health_check: {}\n",
        HEALTH_CHECK_HTTPS, 5000, 2000);
    check_health("HTTPS", "  tls: {certificate: c, key: k, engine: openssl}\n  health_check: {}\n",
        HEALTH_CHECK_TLS, 5000, 2000);
}

TEST(what_a_rule_does_not_say_about_bodies_is_its_listeners)
{
    struct report report;
    struct config *c = parse(HTTPS CERT
        "  max_body: 2MiB\n"
        "  rules:\n  - {domain: a, target_group: web}\n  - {domain: b, max_body: 0, target_group: "
        "web}\n  - {domain: c, max_body: 1KiB, target_group: web}\n" GROUPS,
        &report);
    CHECK(c && c->listeners[0].rules_n == 3);
    CHECK_INT(c->listeners[0].rules[0].max_body, 2 << 20);
    CHECK_INT(c->listeners[0].rules[1].max_body, 0);
    CHECK_INT(c->listeners[0].rules[2].max_body, 1024);
    config_free(&c);
    report_fini(&report);
}

TEST(ranges_end_where_the_table_says)
{
    size_t tried = 0;
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->type != TYPE_INTEGER && k->type != TYPE_WORKERS && k->type != TYPE_DURATION &&
            k->type != TYPE_POLICY && k->type != TYPE_SIZE)
            continue;
        tried++;
        CHECK(frame(k));
        CHECK(is_accepted(k, k->min) && is_accepted(k, k->max) && !is_accepted(k, k->max + 1));
        CHECK(k->min == 0 || !is_accepted(k, k->min - 1));
    }
    CHECK_INT(tried, 34);
}

/* The configuration of the trial of issue 2, with its indentation and its order of keys. */
static const char trial[] =
    "listeners:\n"
    "  - name: mutual\n"
    "    protocol: HTTPS\n"
    "    address: 127.0.0.1:40001\n"
    "    authentication: mutual\n"
    "    certificates: [{certificate: server.crt, key: server.key}]\n"
    "    client_ca: [clients.crt]\n"
    "    revocation: {crl: [clients.crl], policy: hard}\n"
    "    tls: {key_exchange: rsa}\n"
    "    rules: [{domain: localhost, path: /, target_group: web}]\n"
    "  - name: tcpssl\n"
    "    protocol: TCP_SSL\n"
    "    address: 127.0.0.1:40002\n"
    "    authentication: mutual\n"
    "    certificates: [{certificate: server.crt, key: server.key}]\n"
    "    client_ca: [clients.crt]\n"
    "    revocation: {crl: [clients.crl], policy: hard}\n"
    "    target_group: raw\n"
    "  - name: t_ok\n"
    "    protocol: HTTP\n"
    "    address: 127.0.0.1:40003\n"
    "    rules: [{domain: localhost, path: /, target_group: g_ok}]\n"
    "  - name: tunnel\n"
    "    protocol: TCP\n"
    "    address: 127.0.0.1:40004\n"
    "    target_group: g_tunnel\n"
    "target_groups:\n"
    "  - name: web\n"
    "    protocol: HTTP\n"
    "    targets: [{address: 127.0.0.1:40005, weight: 10}]\n"
    "  - name: raw\n"
    "    protocol: TCP\n"
    "    targets: [{address: 127.0.0.1:40006, weight: 10}]\n"
    "  - name: g_ok\n"
    "    protocol: HTTPS\n"
    "    targets: [{address: 127.0.0.1:40001, weight: 10}]\n"
    "    tls: {ca: [servers.crt], name: localhost, revocation: {crl: [servers.crl], policy: "
    "hard}}\n"
    "  - name: g_tunnel\n"
    "    protocol: TCP_SSL\n"
    "    targets: [{address: 127.0.0.1:40002, weight: 10}]\n"
    "    tls: {ca: [servers.crt], name: localhost, revocation: {crl: [servers.crl], policy: hard}, "
    "certificate: good.crt, key: good.key}\n"
    "access_log: {file: access.log}\n"
    "admin: {address: 127.0.0.1:40007}\n"
    "workers: 2\n";

TEST(the_trial_is_accepted)
{
    struct report report;
    struct config *c = parse(trial, &report);
    CHECK(c && report.errors == 0 && report.warnings == 1);
    CHECK_INT(c->listeners_n, 4);
    CHECK_INT(c->listeners[3].group, 3);
    CHECK_TEXT(c->access_log, "/etc/s/access.log");
    CHECK_TEXT(c->admin, "127.0.0.1:40007");
    CHECK_INT(c->workers, 2);
    CHECK_TEXT(c->groups[3].tls.key.path, "/etc/s/good.key");
    config_free(&c);
    report_fini(&report);
}

TEST(dumps_parse_back_to_the_same)
{
    check_round_trip(GOOD);
    check_round_trip(trial);
    check_round_trip(HTTPS
        "  authentication: optional\n  client_ca: [\"a, b: #c\\n\\u2028\\\"'\", \"null\"]\n"
        "  client_names: [\"DNS:*.x\", \"EMAIL:*@y\", \"URI:s://*\", \"IP:::1\"]\n"
        "  revocation: {crl: [r], policy: {grace: 90s}, per_ca: [{issuer: \"CN=a, b\", policy: "
        "soft}, "
        "{issuer: CN=c, policy: {grace: 2d}}]}\n"
        "  trusted_proxies: [10.0.0.0/8, 2001:db8::/32, \"::/0\"]\n"
        "  domains: [{name: a.b, authentication: one-way}, {name: c.d, revocation: {crl: [q], "
        "policy: soft}}]\n"
        "  tls: {versions: [1.3], preference: client, engine: openssl, "
        "groups: [secp384r1, x25519], signature_schemes: [ed25519], session_lifetime: 1500ms}\n"
        "  certificates: [{certificate: s.crt, key: s.key, ocsp: s.ocsp}, {certificate: t.crt, "
        "key: t.key}]\n"
        "  rules: [{domain: a.b, path: \"= /x\", target_group: web}, {domain: \"*.b\", "
        "target_group: web},"
        " {domain: \"b.*\", path: /y, target_group: web}, {domain: \"~^a{2}$\", path: \"~* [,:]\", "
        "respond: {status: 200, body: \"a: b\"}}, {domain: a.b, path: \"^~ /z\", redirect: {to: "
        "\"https://$host\", code: 308, keep_uri: false}}, {domain: a.b, path: /w, target_group: "
        "web, "
        "request_headers: {remove: [A], set: [\"B: $$ c\"], add: [\"C: d\", \"C: e\"]}}]\n"
        "  response_headers: {set: [\"Server: x\"]}\n"
        "  proxy_protocol: {accept_from: [10.0.0.0/8]}\n" GROUPS
        "access_log: {file: \"-\"}\nworkers: 3\nuser: nobody\ntimeouts: {drain: 0s, idle: 1d}\n"
        "resolver: {servers: [10.0.0.1, \"[::1]:5353\"]}\n");
    check_round_trip(GROUP_G "  protocol: HTTPS\n  targets: [{address: \"[::1]:80\", weight: 0}, "
                             "{address: app.x:80}]\n");
}

TEST(a_redirect_to_a_listener_is_one_to_its_port_unless_that_goes_without_saying)
{
    static const struct {
        const char *protocol, *address, *want;
    } rows[] = {{"HTTP", ":80", "http://$host"}, {"HTTP", "[::1]:443", "http://$host:443"},
        {"HTTP", "127.0.0.1:8080", "http://$host:8080"}, {"HTTPS", ":443", "https://$host"},
        {"HTTPS", "[::]:80", "https://$host:80"}, {"HTTPS", ":8443", "https://$host:8443"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[1024];
        struct report report;
        snprintf(text, sizeof(text),
            "listeners:\n- {name: to, protocol: %s, address: \"%s\", rules: []%s}\n"
            "- {name: l, protocol: HTTP, address: \":81\", rules: [{domain: a.b, redirect: {to: "
            "\"listener:to\"}}]}\n" GROUPS,
            rows[i].protocol, rows[i].address,
            rows[i].protocol[4] ? ", certificates: [{certificate: c, key: k}]" : "");
        struct config *c = parse(text, &report);
        CHECK(c);
        CHECK_TEXT(c->listeners[1].rules[0].redirect.url, rows[i].want);
        config_free(&c);
    }
}

TEST(a_dump_shows_defaults)
{
    static const char *const wants[] = {"\n  authentication: one-way\n", "\n  client_ca: null\n",
        "\n  tls: {versions: [\"1.2\", \"1.3\"], preference: strongest, key_exchange: ecdhe, ",
        "groups: [x25519, secp256r1, secp384r1], signature_schemes: [ecdsa_secp256r1_sha256, ",
        "rsa_pkcs1_sha512], session_lifetime: 1h, engine: native}\n",
        "certificate: /etc/s/s.crt, key: /etc/s/s.key, passphrase: null, ocsp: null}\n",
        ("{domain: a.example, path: /, target_group: web, authentication: null, "
         "respond: null, redirect: null, "
         "request_headers: null, response_headers: null, limits: {max_rps: 0, per_source: "
         "{max_rps: 0}}, compression: false, max_body: 0}\n"),
        "address: '10.0.0.1:80', weight: 10}\n", "\nworkers: auto\n", "\n  relay_idle: 15m\n",
        "\naccess_log: null\n"};
    char *text = dump(GOOD);
    for (size_t i = 0; i < COUNT_OF(wants); i++) {
        if (!strstr(text, wants[i]))
            printf("# no %s in\n%s\n", wants[i], text);
        CHECK(strstr(text, wants[i]));
    }
    free(text);
}

TEST(a_folder_of_any_name_is_dumped)
{
    struct report report;
    struct buf out;
    report_init(&report);
    buf_init(&out, DUMP_MAX);
    struct config *c = config_parse(bytes_of(GOOD), "f", "/\xFF", &report);
    CHECK(c);
    config_dump(c, &out);
    CHECK(bytes_ends_with(buf_bytes(&out), BYTES("drain: 30s\nresolver: {servers: null}\n")));
    CHECK(memmem(buf_bytes(&out).at, buf_size(&out), "/?/s.crt", strlen("/?/s.crt")));
    config_free(&c);
    buf_fini(&out);
    report_fini(&report);
}

TEST(a_dump_that_does_not_fit_is_cut)
{
    struct report report;
    struct config *c = parse(GOOD, &report);
    for (size_t max = 0; max < 100; max += 7) {
        struct buf out;
        buf_init(&out, max);
        config_dump(c, &out);
        CHECK(buf_size(&out) <= max);
        buf_fini(&out);
    }
    config_free(&c);
    report_fini(&report);
}

static void note_file(void *owner, const struct config_file *file, enum named_file_kind kind)
{
    static const char *const marks[] = {"", "!", "?", "~"};
    ignore_result(buf_printf(owner, "%s%s ", marks[kind], strrchr(file->path, '/') + 1));
}

TEST(each_file_is_named)
{
    struct report report;
    struct config *c = parse(trial, &report);
    struct buf names;
    buf_init(&names, DUMP_MAX);
    CHECK(c);
    named_files_each(c, note_file, &names);
    CHECK(bytes_equal(buf_bytes(&names),
        BYTES("server.crt !server.key clients.crt ~clients.crl server.crt !server.key clients.crt "
              "~clients.crl "
              "servers.crt ~servers.crl servers.crt ~servers.crl good.crt !good.key ")));
    buf_fini(&names);
    config_free(&c);
    report_fini(&report);
}

TEST(the_system_vouches_where_no_ca_is_named)
{
    struct report report;
    struct config *c = parse(GROUP_G
        "  protocol: HTTPS\n  targets: [{address: 10.0.0.1:80}]\n- {name: h, protocol: TCP_SSL, "
        "targets: [{address: 10.0.0.1:80}], tls: {name: a}}\n",
        &report);
    CHECK(c);
    for (size_t i = 1; i <= 2; i++) {
        CHECK_INT(c->groups[i].tls.ca_n, 1);
        CHECK_TEXT(c->groups[i].tls.ca[0].path, CONFIG_SYSTEM_TRUST);
        CHECK(c->groups[i].tls.tls12 && c->groups[i].tls.tls13);
    }
    CHECK_INT(c->groups[1].tls.ca[0].at.line, 8);
    CHECK_INT(c->groups[2].tls.ca[0].at.line, 11);
    config_free(&c);
    report_fini(&report);
}
