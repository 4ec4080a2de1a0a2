/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action — what the API does: a row in action.def for each action, its fields, and a function.
 *
 * An action works on a request that is authenticated and held against its fields, and on the model
 * as the change in hand has it. It fills the response, or refuses and leaves nothing: whoever
 * called it gives up the change. What it wrote into the model comes into force, and becomes
 * durable, afterwards (publication.h), and only then the client is answered. Process: control.
 */
#pragma once

#include "base/bytes.h"
#include "control/api_error.h"
#include "control/field.h"
#include "control/model.h"

enum action_service { SERVICE_CLB, SERVICE_SSL, SERVICE_TAG };
enum action_kind {
    ACTION_READ,
    ACTION_WRITE, /* answers with its result */
    ACTION_TASK,  /* a write whose outcome DescribeTaskStatus tells, too */
};

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
    enum api_error error; /* and its sentence, once it was refused */
    struct error sentence;
};

typedef int action_fn(struct call *c);

struct action {
    const char *name;
    enum action_service service;
    enum action_kind kind;
    const struct field *fields;
    action_fn *run; /* 0, or what call_refuse returns */
};

/* NULL: the service has none of that name. */
const struct action *action_find(enum action_service service, struct bytes name);

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
