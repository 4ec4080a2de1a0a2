/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — one request to an action, as the action sees it: what was asked, on what, and the answer.
 *
 * Memory: all of it belongs to whoever calls the action. Process: control.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/api_error.h"
#include "api/model.h"
#include "base/attributes.h"
#include "base/error.h"

struct action;
struct access_key;
struct health;
struct handshakes;
struct tasks;
struct config;
struct config_api;
struct sealing_key;

/* What an action may look at besides the model. */
struct surroundings {
    const struct config *config; /* in force: what the file says and what the model says */
    const struct health *health;
    struct handshakes *handshakes;
    const struct tasks *tasks;
    const struct sealing_key *sealing; /* what private keys are sealed with */
    const struct config_api *settings;
};

struct call {
    const struct action *action;
    json_t *request;  /* as field_check left it */
    json_t *response; /* an object, without RequestId */
    struct model *model;
    const struct surroundings *around;
    int64_t now_s;
    const char *request_id, *region;
    enum api_error error;  /* and its sentence, once it was refused */
    struct error sentence; /* without an error: why the task failed */
};

typedef int action_fn(struct call *c);

/* Refuse C; the sentence ends with a full stop. -1, for `return`. */
int call_refuse(struct call *c, enum api_error error, const char *format, ...) PRINTF(3, 4);

/* ---- of the request ---- */
const char *call_text(const struct call *c, const char *name); /* NULL: it is not there */
int64_t call_integer(const struct call *c, const char *name, int64_t otherwise);
bool call_flag(const struct call *c, const char *name, bool otherwise);
/* Never NULL: an empty list where there is none. */
json_t *call_list(const struct call *c, const char *name);
/* Offset and Limit of C on a list of N: *FIRST ≤ *END ≤ N. */
void call_page(const struct call *c, size_t n, size_t *first, size_t *end);
/* NOW_S as the API writes times: "2026-11-22 16:05:09", to be freed with json_decref. */
json_t *call_time(int64_t now_s);
