/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks — how writes ended: what DescribeTaskStatus tells of a RequestId, for a day.
 *
 * The outcome of a write is a document of the model (MODEL_TASK, by RequestId), put there in the
 * change that it tells of, so that neither is without the other: TaskId, Status, Message,
 * LoadBalancerIds, DealName, Time (seconds), and Signature, by which a replay is known after a
 * restart (replays.h). Those that are not decided are in struct tasks. Process: control.
 */
#pragma once

#include <jansson.h>

#include "api/model.h"

#define TASKS_MAX   10000
#define TASKS_AGE_S (24 * 3600)

/* As the cloud has them. */
enum task_status { TASK_DONE, TASK_FAILED, TASK_IN_PROGRESS };

struct tasks;

struct tasks *tasks_new(void) MUST_USE;
void tasks_free(struct tasks **t);

void tasks_begin(struct tasks *t, const char *id);
/* ID need not be there. */
void tasks_end(struct tasks *t, const char *id);
bool tasks_is_under_way(const struct tasks *t, const char *id);

struct task_outcome {
    const char *id;
    enum task_status status;
    const char *message;     /* of a failure, else NULL */
    const json_t *response;  /* its LoadBalancerIds and DealName are kept; NULL: there is none */
    const char *signature;   /* replays_name */
    int64_t signed_s, now_s; /* the request's own time, and that of the outcome */
};
/* Put it into the change in hand, and drop those that are too old or too many. */
void tasks_record(struct model *m, const struct task_outcome *o);
