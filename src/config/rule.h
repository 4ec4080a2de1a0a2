/* SPDX-License-Identifier: Apache-2.0 */
/* rule — a rule of an HTTP or HTTPS listener, as part of the configuration (config/config.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"
#include "config/limits.h"

struct config_file;
struct config_text;

/* As in nginx and CLB; config_path_mark has what stands before the path in the file. */
enum config_path_match {
    PATH_PREFIX,
    PATH_EXACT,
    PATH_PREFIX_FINAL, /* a prefix before which no regular expression is asked */
    PATH_REGEX,
    PATH_REGEX_NOCASE,
    PATH_MATCH_COUNT
};

/* What a rule changes in the fields of a message, in this order. */
struct config_header {
    const char *name, *value; /* the value is a template (config/template.h) */
    struct position at;
};
struct config_headers {
    const struct config_text *remove; /* names */
    size_t remove_n;
    const struct config_header *set; /* instead of those that there are */
    size_t set_n;
    const struct config_header *add;
    size_t add_n;
};

/* A rule whose requests are answered here. */
struct config_respond {
    unsigned status; /* 0: it has none */
    const char *body, *type;
};
enum config_redirect_code {
    REDIRECT_301,
    REDIRECT_302,
    REDIRECT_303,
    REDIRECT_307,
    REDIRECT_308,
    REDIRECT_CODE_COUNT
};
struct config_redirect {
    const char *to;  /* a template of a URL, or "listener:" and a name; NULL: it has none */
    const char *url; /* the template that TO stands for */
    enum config_redirect_code code;
    bool keeps_uri; /* path and query follow TO */
};

/* HTTPS: what a rule asks of clients besides what the listener asks. Both empty: nothing. */
struct config_rule_authn {
    const struct config_file *client_ca;
    size_t client_ca_n;
    const struct config_text *client_names;
    size_t client_names_n;
    struct position at;
};

#define CONFIG_NO_GROUP SIZE_MAX

struct config_rule {
    const char *domain; /* lower case: exact, *.x, x.*; or "~" and a regular expression */
    enum config_path_match match;
    const char *path; /* a regular expression, or begins with "/"; a prefix is a string prefix */
    size_t group;     /* index into config.groups; or CONFIG_NO_GROUP and one of the next two */
    struct config_respond respond;
    struct config_redirect redirect;
    struct config_rule_authn authn;
    struct config_headers request_headers, response_headers;
    struct config_rule_limits limits;
    const char *label; /* names it among all rules: listener, domain, path */
    bool compression;  /* responses are compressed where that makes sense */
    uint64_t max_body; /* bytes of a request's body; 0: any number */
    struct position at;
};

const char *config_path_mark(enum config_path_match m); /* "= ", "~* ", … */
