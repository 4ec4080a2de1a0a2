/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_set — certificate policies along a path (RFC 5280 §6.1.2-6.1.5 with its policyMappings,
 * policyConstraints and inhibitAnyPolicy).
 *
 * The valid_policy_tree of RFC 5280 grows exponentially with the path (RFC 9618, CVE-2023-0464).
 * What is asked of it in the end is only whether something is left. For that it is enough to know,
 * at each certificate, the set of policies that the next one may name, and for each whether it goes
 * back to a policy of the user's: nodes of the tree with equal expected policies become one. So the
 * work is linear in the length of the path.
 */
#pragma once

#include "pki/path.h"

#define POLICY_SET_MAX 128 /* policies, or mappings, of one certificate */

struct policy_fault {
    enum path_fault fault; /* PATH_FAULT_COUNT: none */
    const char *text;
    size_t about; /* position in the path */
};

/* The policies of PATH, N certificates, leaf first, without the anchor. */
struct policy_fault policy_set_check(
    const struct certificate *const *path, size_t n, const struct path_policies *inputs);
