/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard — what a rule asks of a client besides what its listener asked: a certificate of narrower
 * CAs, or with certain names (`authentication` of a rule).
 *
 * The handshake is over by then. Whoever showed no certificate in it cannot pass; whoever did has
 * passed the listener's four factors, and is judged again by the rule's.
 */
#pragma once

#include "config/config.h"
#include "pki/verify.h"
#include "proxy/source.h"

struct guard {
    struct verify_policy verify;
    struct name_pattern *names;
};

/* What LISTENER's rule RULE asks; NULL if it asks nothing. What is wrong goes to the report. */
struct guard *guard_new(
    const struct config_listener *listener, const struct config_rule *rule, const struct source *s);
void guard_free(struct guard **g);

/* May a client pass about whom the handshake found SHOWN (NULL: it was not asked)? If not, the
 * verdict, which is the caller's; NULL if it may. */
struct verdict *guard_refuses(const struct guard *g, const struct verdict *shown, int64_t now_s);
