/* SPDX-License-Identifier: Apache-2.0 */
/* check — what the keys of a configuration say together: contradictions (errors) and what is unwise
 * (warnings). */
#pragma once

#include "config/config.h"
#include "config/tree.h"

/* C was built from ROOT without an error. */
void check_config(const struct config *c, const struct node *root, struct report *report);
