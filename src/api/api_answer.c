/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define LINE_MAX_BYTES 2000 /* of an audit line */
#define ANSWER_MAX     8192 /* of an error: a sentence, with each byte escaped */

void api_answer_make_id(char out[API_ID_SIZE])
{
    uint8_t b[16];
    random_fill(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, API_ID_SIZE,
        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
        b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* ---- to the client ---- */

/* The sentence may have bytes of the request in it, cut anywhere: base/json makes text of them. */
static void send_error(const struct api_answer *a, struct admin_exchange **x)
{
    struct json j;
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    json_init(&j, &text);
    json_open_object(&j, NULL);
    json_open_object(&j, "Response");
    json_open_object(&j, "Error");
    json_text(&j, "Code", api_error_code(a->error));
    json_text(&j, "Message", a->sentence);
    json_close_object(&j);
    json_text(&j, "RequestId", a->id);
    json_close_object(&j);
    json_close_object(&j);
    admin_exchange_answer(x, buf_bytes(&text), bytes_of(a->trace));
    buf_fini(&text);
}

static void send_response(const struct api_answer *a, struct admin_exchange **x)
{
    json_object_set_new(a->response, "RequestId", json_string(a->id));
    json_t *root = json_pack("{s:O}", "Response", a->response);
    char *text = json_dumps(root, JSON_COMPACT);
    admin_exchange_answer(x, bytes_of(text), bytes_of(a->trace));
    free(text);
    json_decref(root);
}

void api_answer_send(const struct api_answer *a, struct admin_exchange **x)
{
    if (a->error)
        send_error(a, x);
    else
        send_response(a, x);
}

/* ---- to the event log ---- */

static void add_who(struct json *j, const struct api_admission *a, const char *id)
{
    json_open_object(j, NULL);
    json_text(j, "request_id", id);
    json_text(j, "source", a->source);
    if (a->forwarded_for[0])
        json_text(j, "forwarded_for", a->forwarded_for);
    if (a->key.id[0])
        json_text(j, "key", a->key.id);
    if (a->action)
        json_text(j, "action", a->action->name);
}

/* Without an error but with a sentence: the task of the call has failed. */
static void add_outcome(struct json *j, enum api_error error, const char *sentence)
{
    const char *without = sentence[0] ? "failed" : "ok";
    json_text(j, "result", error ? api_error_code(error) : without);
    if (sentence[0])
        json_text(j, "message", sentence);
}

static void add_id(struct json *j, const char *name, const json_t *value)
{
    if (json_is_string(value))
        json_bytes(j, name,
            (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)});
    else if (json_is_integer(value))
        json_int64(j, name, json_integer_value(value));
}

/* The ids among the members of OBJECT. No other is told, as certificates come with their keys. */
static void add_objects(struct json *j, const char *key, json_t *object)
{
    const char *name;
    json_t *value, *element;
    size_t i;
    json_open_object(j, key);
    json_object_foreach(object, name, value)
    {
        struct bytes n = bytes_of(name);
        if (bytes_ends_with(n, BYTES("Id"))) {
            add_id(j, name, value);
        } else if (bytes_ends_with(n, BYTES("Ids"))) {
            json_open_array(j, name);
            json_array_foreach(value, i, element) add_id(j, NULL, element);
            json_close_array(j);
        }
    }
    json_close_object(j);
}

static void say(struct json *j, struct buf *line)
{
    json_close_object(j);
    if (json_failed(j))
        log_warning("audit: a line was too long");
    else
        log_info("audit %.*s", BYTES_ARG(buf_bytes(line)));
    buf_fini(line);
}

void api_answer_audit(const struct api_admission *a, const struct call *c)
{
    struct json j;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    json_init(&j, &line);
    add_who(&j, a, c->request_id);
    add_outcome(&j, c->error, c->sentence.text);
    add_objects(&j, "objects", c->request);
    if (!c->error && !c->sentence.text[0])
        add_objects(&j, "made", c->response);
    say(&j, &line);
}

void api_answer_audit_refusal(const struct api_admission *a, const char *id)
{
    struct json j;
    struct buf line;
    if (a->action && a->action->kind == ACTION_READ)
        return;
    buf_init(&line, LINE_MAX_BYTES);
    json_init(&j, &line);
    add_who(&j, a, id);
    add_outcome(&j, a->error, a->sentence.text);
    say(&j, &line);
}
