/* SPDX-License-Identifier: Apache-2.0 */
/* address_choice — which address an instance has, and who has a port of it. */
#pragma once

#include "api/action.h"

/* The Vip of a new instance: what C asks for, or what `api.addresses` and its type suggest. NULL: C
 * is refused. */
json_t *address_choice_vip(struct call *c) MUST_USE;
/* Can the instance whose address is VIP have a listener at PORT? -1: C is refused, naming whoever
 * has it. */
int address_choice_port(struct call *c, const char *vip, int64_t port) MUST_USE;
