/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — which rule of a listener a request falls under: its host chooses a domain, its path a
 * rule of that domain, with nginx's and CLB's precedence.
 *
 * Domain: exact, then the longest `*.x`, then the longest `x.*`, then the first regular expression
 * of the file that matches; else the first rule's.
 * Path:   `= /x`; else the longest prefix is found: if it is marked `^~` it counts, else the first
 * regular expression of the file that matches, else it. `/x` that no rule has as a whole
 *         belongs to the rule `/x/`, if there is one: the client is to come again with the slash.
 *
 * Immutable after routes_init; the configuration is borrowed.
 */
#pragma once

#include "base/regex.h"
#include "config/config.h"
#include "proxy/domain_map.h"

struct route_regex {
    struct regex *regex;
    const struct config_rule *rule;
};

/* The rules of one domain. */
struct route_domain {
    const struct config_rule *first;  /* of the file; its name is the domain's */
    const struct config_rule **paths; /* exact ones, then prefixes, the longest first */
    size_t paths_n;
    struct route_regex *regexes; /* as they stand in the file */
    size_t regexes_n;
    struct regex *host; /* the domain is a regular expression; NULL: it is not */
};

struct routes {
    struct route_domain *domains; /* as they stand in the file */
    size_t domains_n;
    struct domain_map by_name; /* host → struct route_domain */
};

void routes_init(struct routes *r, const struct config_listener *config);
void routes_fini(struct routes *r);

enum route_answer {
    ROUTE_FOUND,
    ROUTE_SLASH, /* the rule's path is this one and a slash behind it */
    ROUTE_NONE,
    ROUTE_UNDECIDED /* regular expressions took too long: any rule may be the wrong one */
};
/* The rule for HOST (lower case, no port) and the normalised PATH. */
enum route_answer routes_find(
    const struct routes *r, struct bytes host, struct bytes path, const struct config_rule **out);
