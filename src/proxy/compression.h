/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compression — whether a response is compressed on its way (`compression` of a rule), and what
 * that changes in its head.
 *
 * Off unless asked for: who can make a client send requests, and see how long the responses are,
 * can guess secrets in compressed ones (BREACH).
 */
#pragma once

#include "base/arena.h"
#include "proto/http1.h"

/* May the client have gzip? By Accept-Encoding (RFC 9110 §12.5.3). */
bool compression_is_accepted(const struct http1_head *request);

/* Is a response with this head one that gets smaller, and that may be changed? */
bool compression_applies(const struct http1_head *response);
/* Its head, compressed. TEXTS holds what its fields say. False: it has no room for more fields, and
 * stays as it is. */
bool compression_change(struct http1_head *response, struct arena *texts) MUST_USE;
/* Caches must know that the response depends on the request (RFC 9110 §12.5.5), whether it is
 * compressed or not. */
void compression_vary(struct http1_head *response);
