/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions — the API's actions without the API: requests as JSON against a model, each kept or given
 * up as a whole, as api.c and publication.c do it.
 */
#pragma once

#include "api/action.h"
#include "api/document.h"
#include "api/tasks.h"
#include "base/panic.h"
#include "test.h"

static struct model *model;
static struct surroundings around;
static struct error sentence; /* of the last refusal */
static const int64_t now_s = 1800000000;

/* The answer, a new reference, or NULL: refused with *ERROR and the sentence. */
static inline json_t *actions_ask(
    enum action_service service, const char *name, const char *text, enum api_error *error)
{
    const struct action *action = action_find(service, bytes_of(name));
    json_t *request = json_loads(text, 0, NULL);
    struct call c = {.action = action,
        .request = request,
        .response = json_object(),
        .model = model,
        .around = &around,
        .now_s = now_s};
    ASSERT(action && request);
    int result = field_check(request, action->fields, &c.error, &c.sentence);
    if (result == 0)
        result = action->run(&c);
    *error = result < 0 ? c.error : API_ERROR_NONE;
    sentence = c.sentence;
    if (result == 0 && action->kind != ACTION_READ)
        model_keep(model);
    else
        model_abort(model);
    json_decref(request);
    if (result == 0)
        return c.response;
    json_decref(c.response);
    return NULL;
}

/* It is done; the answer as text, until the next one. */
static inline const char *actions_do(
    enum action_service service, const char *name, const char *text)
{
    static char *shown;
    enum api_error error;
    json_t *answer = actions_ask(service, name, text, &error);
    free(shown);
    shown = NULL;
    if (answer)
        shown = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    else
        CHECK_TEXT(sentence.text, "(done)");
    json_decref(answer);
    return shown ? shown : "";
}

/* All documents of KIND as one text, to be freed. */
static inline char *actions_dump(enum model_kind kind)
{
    json_t *all = json_array();
    const json_t *d;
    for (size_t at = 0; model_next(model, kind, &at, &d);)
        json_array_append_new(all, document_share(d));
    char *text = json_dumps(all, JSON_SORT_KEYS);
    json_decref(all);
    return text;
}

/* It is refused with ERROR and WORDS in the sentence, and nothing has changed. */
static inline void actions_refuse(enum action_service service, const char *name, const char *text,
    enum api_error error, const char *words)
{
    enum api_error got;
    char *before[MODEL_KIND_COUNT];
    for (int k = 0; k < MODEL_KIND_COUNT; k++)
        before[k] = actions_dump((enum model_kind)k);
    json_t *answer = actions_ask(service, name, text, &got);
    if (got != error || !strstr(sentence.text, words)) {
        printf("# %s %s: %s\n", name, text, api_error_code(got));
        CHECK_TEXT(answer ? "(done)" : sentence.text, words);
        CHECK_TEXT(api_error_code(got), api_error_code(error));
    }
    json_decref(answer);
    for (int k = 0; k < MODEL_KIND_COUNT; k++) {
        char *after = actions_dump((enum model_kind)k);
        CHECK_TEXT(after, before[k]);
        free(after);
        free(before[k]);
    }
}
