/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_change — what holds for the rules of a listener whenever they change.
 *
 * A rule has one domain or several (Domains; Domain is the first). What the cloud calls attributes
 * of a domain, certificate and HTTP/2, stands in each of its rules and is the same in all; a
 * listener with rules has exactly one default domain (DefaultServer). Functions that return -1 have
 * refused C.
 */
#pragma once

#include "api/action.h"

#define RULE_CHANGE_DOMAIN_MAX  80 /* bytes, as in the cloud */
#define RULE_CHANGE_RENAMED_MAX 120
#define RULE_CHANGE_URL_MAX     200

/* The domains WANTED as they are kept, in lower case, each once: a new list. NULL: C is refused;
 * FIELD is where they stood. */
json_t *rule_change_domains(struct call *c, const json_t *wanted, const char *field) MUST_USE;
int rule_change_check_url(struct call *c, const char *url, const char *field) MUST_USE;
/* Can clients ask for each of DOMAINS by SNI? */
int rule_change_check_sni(struct call *c, const json_t *domains, const char *field) MUST_USE;
/* Has another rule of LISTENER than RULE (NULL: a new one) one of DOMAINS with URL? */
int rule_change_check_double(struct call *c, const json_t *listener, const json_t *rule,
    const json_t *domains, const char *url) MUST_USE;

/* Would both match the same requests? */
bool rule_change_same_url(const char *a, const char *b);

/* The first rule that has DOMAIN, or one of DOMAINS; NULL: there is none. */
json_t *rule_change_find_domain(const json_t *listener, const char *domain);
json_t *rule_change_find_domains(const json_t *listener, const json_t *domains);
bool rule_change_shares(const json_t *a, const json_t *b);

/* Set MEMBER of all rules with one of DOMAINS, and of those that share a domain with these. */
void rule_change_set(json_t *listener, const json_t *domains, const char *member, json_t *value);
/* From now on DOMAIN is the default one. */
void rule_change_set_default(json_t *listener, const char *domain);
/* If there is none (any more), it is that of the oldest rule. */
void rule_change_settle_default(json_t *listener);

/* Can a redirect lead to a rule with URL? Not to a regular expression, if it leads to that path and
 * does not take the client's own (TAKES_URL). */
int rule_change_check_landing(
    struct call *c, bool takes_url, const char *url, const char *field) MUST_USE;
/* Can all redirects to RULE still lead there, if it has URL? */
int rule_change_check_visitors(struct call *c, const json_t *rule, const char *url) MUST_USE;
/* The rule LOCATION_ID (NULL: each) of the listener LISTENER_ID goes: redirects to it end. */
void rule_change_forget_targets(
    struct call *c, const char *instance_id, const char *listener_id, const char *location_id);
