/* SPDX-License-Identifier: Apache-2.0 */
/* What the control API adds to a configuration file, and what it must not. */
#include <stdio.h>

#include "base/memory.h"
#include "config/config.h"
#include "test.h"

#define FILE_TEXT                                                                             \
    "listeners: [{name: web, protocol: TCP, address: \"127.0.0.1:81\", target_group: raw}]\n" \
    "target_groups: [{name: raw, protocol: TCP, targets: [{address: \"127.0.0.1:1\"}]}]\n"
#define GROUP "\"target_groups\": [{\"name\": \"lbl-1\", \"protocol\": \"TCP\", \"targets\": []}]"
#define TLS(files)                                                       \
    "{\"listeners\": [{\"name\": \"lbl-1\", \"protocol\": \"TCP_SSL\", " \
    "\"address\": \"127.0.0.1:82\", \"target_group\": \"lbl-1\", " files "}], " GROUP "}"

static struct report report;

static struct config *parse(const char *file, const char *api)
{
    report_init(&report);
    return config_parse_all(bytes_of(file), bytes_of(api), "c.yaml", "/etc/here", &report);
}

static void end(struct config *c)
{
    config_free(&c);
    report_fini(&report);
}

TEST(lists_are_appended)
{
    static const char *const files[] = {FILE_TEXT, "listeners: []\ntarget_groups: []\n",
        "listeners:\n- {name: a, protocol: TCP, "
        "address: \"127.0.0.1:83\", target_group: lbl-1}\ntarget_groups: null\n"};
    static const size_t listeners[] = {2, 1, 2};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct config *c = parse(files[i],
            TLS("\"certificates\": [{\"certificate\": \"api:/a.crt\", \"key\": \"api:/a.key\"}]"));
        CHECK(c && !report.errors);
        if (c) {
            const struct config_listener *l = &c->listeners[listeners[i] - 1];
            CHECK_INT(c->listeners_n, listeners[i]);
            CHECK_TEXT(l->name, "lbl-1");
            CHECK_TEXT(l->at.file, "listener lbl-1");
            CHECK_TEXT(l->authn.certificates[0].key.path, "api:/a.key");
        }
        end(c);
    }
}

/* In the file it is a relative path as any other. */
TEST(names_of_the_api_mean_files_to_the_file)
{
    struct config *c =
        parse("listeners: [{name: web, protocol: TCP_SSL, address: \"127.0.0.1:81\", "
              "certificates: [{certificate: \"api:/a.crt\", key: \"api:/a.key\"}], "
              "target_group: raw}]\ntarget_groups: [{name: raw, protocol: TCP, targets: []}]\n",
            "");
    CHECK(c);
    if (c)
        CHECK_TEXT(c->listeners[0].authn.certificates[0].key.path, "/etc/here/api:/a.key");
    end(c);
}

/* Whoever has taken over control can propose anything. */
TEST(what_the_api_must_not_say)
{
    static const struct {
        const char *api, *error;
    } cases[] = {
        {TLS("\"certificates\": [{\"certificate\": \"/etc/shadow\", \"key\": \"api:/a.key\"}]"),
            "listener lbl-1: certificate: \"/etc/shadow\" is none of the API's files"},
        {TLS("\"certificates\": [{\"certificate\": \"api:/a.crt\", \"key\": \"secret.key\"}]"),
            "listener lbl-1: key: \"secret.key\" is none of the API's files"},
        {TLS("\"certificates\": [{\"certificate\": \"api:/a.crt\", \"key\": \"api:/a.key\", "
             "\"ocsp\": \"/etc/shadow\"}]"),
            "listener lbl-1: ocsp: \"/etc/shadow\" is none of the API's files"},
        {TLS("\"certificates\": [{\"certificate\": \"api:/a.crt\", \"key\": \"api:/a.key\"}], "
             "\"tls\": {\"engine\": \"openssl\"}"),
            "listener lbl-1: tls: engine: openssl is for the configuration file only"},
        {"{\"user\": \"root\"}", "the API adds lists of listeners and target groups"},
        {"{\"access_log\": {\"file\": \"/etc/cron.d/x\"}}", "the API adds lists"},
        {"{\"listeners\": {}}", "the API adds lists"},
        {"[]", "the API adds lists"},
        {"{\"listeners\": [{\"name\": \"web\", \"protocol\": \"TCP\", \"address\": "
         "\"127.0.0.1:84\", \"target_group\": \"raw\"}]}",
            "web is taken (listener web)"},
        {"{\"listeners\": [1]}", "the API's objects: "},
        {"{\"listeners\": [", "the API's objects"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *c = parse(FILE_TEXT, cases[i].api);
        CHECK(!c && report.errors);
        bool is_said = false;
        for (size_t j = 0; j < report.n; j++)
            is_said = is_said || strstr(report.lines[j].text, cases[i].error);
        CHECK(is_said);
        if (!is_said)
            printf("# got %s\n# not %s\n", report.n ? report.lines[0].text : "", cases[i].error);
        end(c);
    }
}
