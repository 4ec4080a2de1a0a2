/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api — the control API at `POST /` of the admin address: who asks, may they, what for; requests
 * one after the other, and the answers.
 *
 *   received → who signed it, and may they? → held against its action's fields → queued
 *   → a read is answered; a write changes the model, and waits for its publication → answered
 *
 * One change at a time, in the order in which they came, and reads in the same order: who was
 * answered reads what it wrote. A client that has gone before its request was begun has asked for
 * nothing. Whatever is answered is HTTP 200 with {"Response": {…, "RequestId"}}, as clients expect.
 *
 * Process: control. Clock: the loop's.
 */
#pragma once

#include "api/access_keys.h"
#include "api/call.h"
#include "api/publication.h"
#include "balance/counters.h"
#include "control/admin.h"

#define API_PATIENCE_MS 5000 /* after which a task that goes on is answered for */

struct api;

/* Serve A, from now on. Until api_open every request is told that `state` is not set. */
struct api *api_new(struct loop *loop, struct admin *a) MUST_USE;
/* After the admin's end: whoever waits is told nothing. */
void api_free(struct api **a);

/* All are borrowed; AROUND may change from turn to turn. */
struct api_parts {
    struct model *model;
    struct publication *publication;
    struct access_keys *keys;
    const struct surroundings *around; /* without `tasks`, which is the API's own */
};
void api_open(struct api *a, const struct api_parts *parts);

/* Count requests in INSTANCE, the COUNTERS_INSTANCE row of this process. */
void api_count_in(struct api *a, struct count *instance);
