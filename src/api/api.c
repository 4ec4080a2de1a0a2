/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_answer.h"
#include "api/api_gate.h"
#include "api/tasks.h"
#include "base/memory.h"
#include "config/config.h"

#include "base/ban.h"

/* One request that was admitted. */
struct job {
    struct list link; /* in the queue, until it is begun */
    struct api *api;
    struct admin_exchange *exchange; /* NULL: answered */
    struct api_admission admission;
    struct call call;
    char id[API_ID_SIZE];
};

struct api {
    struct loop *loop;
    struct api_parts parts; /* .model == NULL: api_open was not called */
    struct api_gate gate;
    struct surroundings around;
    struct tasks *tasks;
    struct list queue;
    struct job *current;   /* its change is under way */
    struct timer patience; /* of the client of CURRENT */
    struct timer next;     /* look at the queue */
    struct count *counts;  /* NULL: nobody counts yet */
};

static void count(struct api *a, enum instance_column what)
{
    if (a->counts)
        count_add(&a->counts[what], 1);
}

/* ---- answers ---- */

static void respond(struct job *job)
{
    struct api_answer answer = {.id = job->id,
        .trace = job->admission.trace,
        .response = job->call.response,
        .error = job->call.error,
        .sentence = job->call.sentence.text};
    if (job->exchange)
        api_answer_send(&answer, &job->exchange);
}

static void refuse_at_once(
    struct api *a, const struct api_admission *why, const char *id, struct admin_exchange *x)
{
    struct api_answer answer = {
        .id = id, .trace = why->trace, .error = why->error, .sentence = why->sentence.text};
    count(
        a, api_gate_is_unauthenticated(why) ? INSTANCE_API_UNAUTHENTICATED : INSTANCE_API_REFUSED);
    if (!why->is_muted)
        api_answer_audit_refusal(why, id);
    api_answer_send(&answer, &x);
}

/* ---- the life of a job ---- */

static struct job *job_new(struct api *a, struct api_admission *admission)
{
    struct job *job = mem_alloc(sizeof(*job));
    job->api = a;
    job->admission = *admission; /* and what it owns */
    job->call = (struct call){.action = admission->action,
        .request = admission->parameters,
        .response = json_object(),
        .model = a->parts.model,
        .around = &a->around,
        .now_s = loop_wall_s(a->loop),
        .request_id = job->id,
        .region = job->admission.region};
    api_answer_make_id(job->id);
    list_init(&job->link);
    return job;
}

static void job_free(struct job *job)
{
    list_remove(&job->link);
    if (job->exchange) /* the admin is gone: this frees it */
        respond(job);
    json_decref(job->call.response);
    api_gate_fini(&job->admission);
    free(job);
}

/* It has its outcome. */
static void job_end(struct job *job)
{
    struct api *a = job->api;
    count(a, job->call.error ? INSTANCE_API_REFUSED : INSTANCE_API_DONE);
    if (job->call.action->kind != ACTION_READ)
        api_answer_audit(&job->admission, &job->call);
    respond(job);
    tasks_end(a->tasks, job->id);
    if (a->current == job) {
        a->current = NULL;
        loop_timer_stop(a->loop, &a->patience);
    }
    job_free(job);
}

/* ---- writes ---- */

static void lose_patience(struct timer *t)
{
    respond(container_of(t, struct api, patience)->current);
}

static void record(struct job *job, enum task_status status, const char *message)
{
    tasks_record(job->api->parts.model, &(struct task_outcome){.id = job->id,
                                            .status = status,
                                            .message = message,
                                            .response = job->call.response,
                                            .signature = job->admission.signature,
                                            .signed_s = job->admission.signed_s,
                                            .now_s = loop_wall_s(job->api->loop)});
}

static void look_again(struct timer *t);

static void end_current(struct api *a)
{
    job_end(a->current);
    loop_timer_arm(a->loop, &a->next, loop_now_ms(a->loop), look_again);
}

/* That a task failed is kept, if it can be; its client is answered as if it had begun. */
static void recorded(void *owner, enum publication_outcome outcome, const char *why)
{
    struct api *a = owner;
    if (outcome != PUBLICATION_DONE)
        call_refuse(&a->current->call, API_ERROR_FAILED, "%s", why);
    end_current(a);
}

static void decided(void *owner, enum publication_outcome outcome, const char *why)
{
    struct api *a = owner;
    struct job *job = a->current;
    if (outcome == PUBLICATION_REFUSED && job->call.action->kind == ACTION_TASK) {
        error_set(&job->call.sentence, "%s", why); /* for the audit; it is no error of the call */
        record(job, TASK_FAILED, why);
        publication_begin(a->parts.publication, recorded, a);
        return;
    }
    if (outcome != PUBLICATION_DONE)
        call_refuse(&job->call, API_ERROR_FAILED, "%s", why);
    end_current(a);
}

static void begin_write(struct job *job)
{
    struct api *a = job->api;
    a->current = job;
    tasks_begin(a->tasks, job->id);
    record(job, TASK_DONE, NULL);
    if (job->call.action->kind == ACTION_TASK)
        loop_timer_arm(
            a->loop, &a->patience, loop_now_ms(a->loop) + API_PATIENCE_MS, lose_patience);
    publication_begin(a->parts.publication, decided, a);
}

/* ---- the queue ---- */

static void begin(struct job *job)
{
    struct api *a = job->api;
    a->around = *a->parts.around;
    a->around.tasks = a->tasks;
    bool is_read = job->call.action->kind == ACTION_READ;
    bool is_refused = job->call.action->run(&job->call) < 0;
    if (!is_refused && !is_read) {
        begin_write(job);
        return;
    }
    if (!is_read) /* what is in hand while a read overtakes is another's */
        model_abort(a->parts.model);
    job_end(job);
}

static void work_off(struct api *a)
{
    while (!a->current && !list_is_empty(&a->queue)) {
        struct job *job = container_of(a->queue.next, struct job, link);
        list_remove(&job->link);
        if (admin_exchange_is_gone(job->exchange))
            job_free(job);
        else
            begin(job);
    }
}

static void look_again(struct timer *t)
{
    work_off(container_of(t, struct api, next));
}

/* What tells of tasks tells of the one that everybody waits for. */
static bool may_overtake(const struct action *action)
{
    return action->run == action_describe_task_status;
}

static void update_gate(struct api *a)
{
    const struct config_api *settings = a->parts.around ? a->parts.around->settings : NULL;
    a->gate.now_s = loop_wall_s(a->loop);
    a->gate.now_ms = loop_now_ms(a->loop);
    a->gate.per_second = settings ? settings->requests_per_second : API_RATE_DEFAULT;
}

static void received(
    void *owner, const struct admin_request *request, struct admin_exchange *exchange)
{
    struct api *a = owner;
    struct api_admission admission;
    char id[API_ID_SIZE];
    update_gate(a);
    if (api_gate_admit(&a->gate, request, &admission) < 0) {
        api_answer_make_id(id);
        refuse_at_once(a, &admission, id, exchange);
        api_gate_fini(&admission);
        return;
    }
    struct job *job = job_new(a, &admission);
    job->exchange = exchange;
    if (may_overtake(job->call.action)) {
        begin(job);
        return;
    }
    list_append(&a->queue, &job->link);
    work_off(a);
}

/* ---- the API ---- */

struct api *api_new(struct loop *loop, struct admin *admin)
{
    struct api *a = mem_alloc(sizeof(*a));
    a->loop = loop;
    a->gate.rates = rates_new();
    a->gate.replays = replays_new();
    a->tasks = tasks_new();
    list_init(&a->queue);
    admin_serve_api(admin, received, a);
    return a;
}

void api_free(struct api **ap)
{
    struct api *a = *ap;
    if (!a)
        return;
    loop_timer_stop(a->loop, &a->patience);
    loop_timer_stop(a->loop, &a->next);
    LIST_FOREACH_SAFE (it, &a->queue)
        job_free(container_of(it, struct job, link));
    if (a->current)
        job_free(a->current);
    tasks_free(&a->tasks);
    rates_free(&a->gate.rates);
    replays_free(&a->gate.replays);
    free(a);
    *ap = NULL;
}

/* Writes of before that could be sent again. */
static void recall_signatures(struct api *a)
{
    size_t at = 0;
    const json_t *task;
    int64_t now_s = loop_wall_s(a->loop);
    while (model_next(a->parts.model, MODEL_TASK, &at, &task)) {
        const char *name = json_string_value(json_object_get(task, "Signature"));
        int64_t signed_s = json_integer_value(json_object_get(task, "Signed"));
        if (name && signed_s + REPLAYS_WINDOW_S >= now_s)
            ignore_result(replays_add(a->gate.replays, name, signed_s, now_s));
    }
}

void api_open(struct api *a, const struct api_parts *parts)
{
    a->parts = *parts;
    a->gate.keys = parts->keys;
    recall_signatures(a);
}

void api_count_in(struct api *a, struct count *instance)
{
    a->counts = instance;
}
