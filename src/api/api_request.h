/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_request — from the bytes of a request to the API to who asks what: its envelope, and after it
 * is authenticated its parameters as JSON.
 *
 *   POST /        application/json, or a form; GET /?…: names and values
 *   X-TC-Action, -Version, -Timestamp, -Region …, signed by TC3; in the cloud's older style they
 *   are parameters like the others
 *
 * Pure. Memory: slices of the request, and what api_request_fini releases.
 */
#pragma once

#include <jansson.h>

#include "api/api_error.h"
#include "api/api_signature.h"

#define API_REQUEST_BODY_MAX  (10u << 20) /* as the cloud */
#define API_REQUEST_DEPTH_MAX API_FLAT_DEPTH_MAX
#define API_REQUEST_PARTS_MAX API_FLAT_PAIRS_MAX /* members and elements */

struct api_request {
    const struct http1_head *head;
    struct bytes body, query;
    bool is_json, is_unsigned; /* UNSIGNED: its signature does not cover the body */
    struct api_flat flat;      /* unless it is JSON */
    struct bytes action, version, region, timestamp, token, trace;
    int64_t time_s;
    struct api_credential credential;
};

/* -1: it is refused with *ERROR and the sentence. OUT is to be finished in any case. */
int api_request_parse(const struct http1_head *head, struct bytes body, struct api_request *out,
    enum api_error *error, struct error *sentence) MUST_USE;
void api_request_fini(struct api_request *r);

bool api_request_is_by(const struct api_request *r, struct bytes secret_key) MUST_USE;
/* The parameters, an object, to be freed with json_decref. NULL: refused. */
json_t *api_request_decode(
    const struct api_request *r, enum api_error *error, struct error *sentence) MUST_USE;
