/* SPDX-License-Identifier: Apache-2.0 */
/* chain — the certificates of a file put in the order in which TLS wants them. */
#pragma once

#include "base/error.h"

struct certificate_list;

/* Leaf first, each next the issuer of the one before; duplicates are dropped. -1 if the
 * certificates are not of one chain; the list is unchanged then. */
int chain_order(struct certificate_list *l, struct error *err) MUST_USE;
