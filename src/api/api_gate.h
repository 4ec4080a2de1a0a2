/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_gate — from a request to what may be done: who signed it, is it fresh, is it the first of its
 * kind, which action is it for, may its key do that, and are its parameters in order.
 *
 * Parameters are looked at only after all of that is answered, so that who has no key reaches no
 * JSON parser. Process: control.
 */
#pragma once

#include "api/access_keys.h"
#include "api/action.h"
#include "api/api_request.h"
#include "api/rates.h"
#include "api/replays.h"
#include "control/admin.h"

#define API_RATE_DEFAULT 200 /* requests a second, where no configuration says */
#define API_REGION_MAX   64
#define API_TRACE_MAX    64

struct api_gate {
    struct access_keys *keys; /* borrowed; NULL: `state` is not set */
    struct rates *rates;
    struct replays *replays;
    unsigned per_second; /* for each key, and each address without one */
    int64_t now_s;
    uint64_t now_ms;
};

struct api_admission {
    const struct action *action; /* once it is known */
    json_t *parameters;          /* the admission's; NULL: it is refused */
    struct access_key key;       /* of whoever signed; .id is empty before */
    char source[ADDRESS_TEXT_MAX];
    char forwarded_for[ADDRESS_TEXT_MAX]; /* as whoever passed it on says (admin.https); or empty */
    char region[API_REGION_MAX + 1], trace[API_TRACE_MAX + 1];
    char signature[REPLAYS_NAME_SIZE];
    int64_t signed_s;
    bool is_muted; /* refused so often that nothing is said about it any more */
    enum api_error error;
    struct error sentence;
};

/* -1: refused, as OUT says. OUT is to be finished in any case. */
int api_gate_admit(
    struct api_gate *g, const struct admin_request *request, struct api_admission *out) MUST_USE;
void api_gate_fini(struct api_admission *a);
/* Did it fail at who asks, not at what for? */
bool api_gate_is_unauthenticated(const struct api_admission *a);
