/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"

#include "base/ban.h"

struct task {
    struct list link;
    char *id;
};

struct tasks {
    struct list under_way; /* as many as there are requests at a time: few */
};

struct tasks *tasks_new(void)
{
    struct tasks *t = mem_alloc(sizeof(*t));
    list_init(&t->under_way);
    return t;
}

static void task_free(struct task *task)
{
    list_remove(&task->link);
    free(task->id);
    free(task);
}

void tasks_free(struct tasks **tp)
{
    struct tasks *t = *tp;
    if (!t)
        return;
    LIST_FOREACH_SAFE (it, &t->under_way)
        task_free(container_of(it, struct task, link));
    free(t);
    *tp = NULL;
}

static struct task *find(const struct tasks *t, const char *id)
{
    LIST_FOREACH (it, &t->under_way) {
        struct task *task = container_of(it, struct task, link);
        if (strcmp(task->id, id) == 0)
            return task;
    }
    return NULL;
}

void tasks_begin(struct tasks *t, const char *id)
{
    struct task *task = mem_alloc(sizeof(*task));
    task->id = mem_strdup(id);
    list_append(&t->under_way, &task->link);
}

void tasks_end(struct tasks *t, const char *id)
{
    struct task *task = find(t, id);
    if (task)
        task_free(task);
}

bool tasks_is_under_way(const struct tasks *t, const char *id)
{
    return find(t, id) != NULL;
}

/* ---- outcomes ---- */

/* They are in the order of their making, so the oldest come first. */
static void drop_old(struct model *m, int64_t now_s)
{
    for (;;) {
        size_t at = 0;
        const json_t *oldest;
        if (!model_next(m, MODEL_TASK, &at, &oldest))
            return;
        int64_t time_s = json_integer_value(json_object_get(oldest, "Time"));
        if (now_s - time_s < TASKS_AGE_S && model_count(m, MODEL_TASK) < TASKS_MAX)
            return;
        char *id = mem_strdup(json_string_value(json_object_get(oldest, "TaskId")));
        model_delete(m, MODEL_TASK, id);
        free(id);
    }
}

static void copy_member(json_t *to, const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);
    if (value)
        json_object_set_new(to, name, json_deep_copy(value));
}

void tasks_record(struct model *m, const struct task_outcome *o)
{
    json_t *document = json_pack("{s:s, s:i, s:s*, s:s, s:I, s:I}", "TaskId", o->id, "Status",
        (int)o->status, "Message", o->message, "Signature", o->signature, "Signed",
        (json_int_t)o->signed_s, "Time", (json_int_t)o->now_s);
    copy_member(document, o->response, "LoadBalancerIds");
    copy_member(document, o->response, "DealName");
    drop_old(m, o->now_s);
    model_put(m, MODEL_TASK, o->id, document);
}
