/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeTaskStatus: how a write ended. */
#include <string.h>

#include "api/action.h"
#include "api/tasks.h"

#include "base/ban.h"

const struct field action_describe_task_status_fields[] = {
    {"TaskId", FIELD_TEXT, .max = 64, .help = "the RequestId of the write"},
    {"DealName", FIELD_TEXT, .max = 64,
        .help = "the order that CreateLoadBalancer answered with; one of the two is needed"},
    {NULL},
};

static const json_t *find_deal(const struct model *m, const char *deal)
{
    size_t at = 0;
    const json_t *task;
    while (model_next(m, MODEL_TASK, &at, &task)) {
        const char *name = json_string_value(json_object_get(task, "DealName"));
        if (name && strcmp(name, deal) == 0)
            return task;
    }
    return NULL;
}

static json_t *or_null(const json_t *task, const char *name)
{
    const json_t *value = json_object_get(task, name);
    return value ? json_deep_copy(value) : json_null();
}

int action_describe_task_status(struct call *c)
{
    const char *id = call_text(c, "TaskId"), *deal = call_text(c, "DealName");
    if (!id && !deal)
        return call_refuse(c, API_ERROR_MISSING, "TaskId is missing.");
    const json_t *task = id ? model_find(c->model, MODEL_TASK, id) : find_deal(c->model, deal);
    if (!id && task)
        id = json_string_value(json_object_get(task, "TaskId"));
    bool is_under_way = id && tasks_is_under_way(c->around->tasks, id);
    if (!task && !is_under_way)
        return call_refuse(c, API_ERROR_PARAMETER,
            "There is no such task; tasks are known for a day after they ended.");
    if (is_under_way) /* whatever the change in hand says of it */
        task = NULL;
    json_object_set_new(
        c->response, "Status", task ? or_null(task, "Status") : json_integer(TASK_IN_PROGRESS));
    json_object_set_new(c->response, "LoadBalancerIds", or_null(task, "LoadBalancerIds"));
    json_object_set_new(c->response, "Message", or_null(task, "Message"));
    return 0;
}
