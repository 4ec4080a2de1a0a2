/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_answer — what is said about a request to the API: to its client, and to the event log, where
 * each write and each refused authentication is a line "audit {…}".
 */
#pragma once

#include "api/api_gate.h"

#define API_ID_SIZE 37 /* a UUID, and a NUL */

/* A RequestId: a random UUID (RFC 9562 §5.4). */
void api_answer_make_id(char out[API_ID_SIZE]);

struct api_answer {
    const char *id, *trace;
    json_t *response; /* RequestId is added to it; unused if it is an error */
    enum api_error error;
    const char *sentence;
};
void api_answer_send(const struct api_answer *a, struct admin_exchange **x);

/* A write, as it ended. */
void api_answer_audit(const struct api_admission *a, const struct call *c);
/* What was refused at the gate, unless it was a read of somebody who may. */
void api_answer_audit_refusal(const struct api_admission *a, const char *id);
