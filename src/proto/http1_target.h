/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_target — request targets and authorities (RFC 9112 §3.2, RFC 3986). For the files of this
 * folder; the functions that route by them are in http1.h.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"
#include "proto/http1.h"

/* Set form and path_and_query of OUT, and the authority of an absolute-form, from its method and
 * target. 0 or -fault. */
int http1_split_target(struct http1_head *out) MUST_USE;

/* Is this a host name or address with an optional port? 0 or -fault. */
int http1_check_authority(struct bytes authority) MUST_USE;
