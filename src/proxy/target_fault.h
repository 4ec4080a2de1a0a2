/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_fault — what became of a connection to a target, as the log tells it, and what can be done
 * about it.
 */
#pragma once

#include "proxy/conn.h"

struct target_fault {
    unsigned status; /* to HTTP clients, if no response has begun */
    enum close_reason reason;
};
/* How a connection that did not become READY is told. */
const struct target_fault *target_fault_of(enum upstream_fault fault);

/* In TLS 1.3 the client's handshake is complete before the server has seen its certificate (RFC
 * 8446 §4.4.4): a refusal comes as an alert afterwards, on a connection that is READY. Did U end
 * so? HAS_ANSWERED: something came from the target; then an alert is the end of what was accepted.
 */
bool target_fault_is_late_refusal(const struct upstream *u, bool has_answered);

/* What the operator can do about the handshake that the target ended with an alert; or NULL. */
const char *target_fault_remedy(const struct upstream *u);
