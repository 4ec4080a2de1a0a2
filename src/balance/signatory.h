/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signatory — a worker's end of its ring to the signer (io/call_ring.h), as a signing_office: the
 * connections of the worker ask it, and are called when the answer has come.
 *
 * What finds no free place waits its turn here; what has had no answer SIGNATORY_LATE_MS after it
 * was asked is told so, and its handshake fails. Belongs to one event loop.
 */
#pragma once

#include "balance/counters.h"
#include "io/call_ring.h"
#include "io/loop.h"
#include "tls/signing.h"

#define SIGNATORY_LATE_MS 2000

struct signatory;

struct signatory *signatory_new(struct loop *loop) MUST_USE;
/* Nobody waits any more, and the loop turns no more. */
void signatory_free(struct signatory **s);
/* Speak through this ring, whose descriptors become the signatory's, also on failure. Once. What is
 * asked before waits for it. */
int signatory_open(struct signatory *s, struct call_ring_fds fds, struct error *err) MUST_USE;
/* Count here: the worker's row COUNTERS_INSTANCE. */
void signatory_count(struct signatory *s, struct count *instance);
struct signing_office *signatory_office(struct signatory *s);
