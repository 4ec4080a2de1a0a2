/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_gate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

#include "base/ban.h"

static int PRINTF(3, 4)
    refuse(struct api_admission *a, enum api_error error, const char *format, ...);

static int refuse(struct api_admission *a, enum api_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->sentence.text, sizeof(a->sentence.text), format, args);
    va_end(args);
    a->error = error;
    return -1;
}

/* With the sentence of the table. */
static int refuse_plainly(struct api_admission *a, enum api_error error)
{
    return refuse(a, error, "%s", api_error_message(error));
}

/* ---- did it come whole, and by a way that we trust? ---- */

static int check_transport(struct api_admission *a, const struct admin_request *request)
{
    static const struct {
        enum api_error error;
        const char *sentence;
    } faults[] = {
        [ADMIN_NO_LENGTH] = {API_ERROR_FORMAT,
            "The request has no Content-Length; chunked requests are not taken."},
        [ADMIN_TOO_LARGE] = {API_ERROR_SIZE, "A request has at most 10 MB."},
        [ADMIN_BUSY] = {API_ERROR_RATE, "Too many requests at a time; try again in a second."},
    };
    if (!request->is_local)
        return refuse(a, API_ERROR_PROTOCOL,
            "Plain HTTP is taken from this machine only (127.0.0.1, ::1); configure "
            "`admin.https`.");
    if (request->fault != ADMIN_WHOLE)
        return refuse(a, faults[request->fault].error, "%s", faults[request->fault].sentence);
    return 0;
}

/* ---- who? ---- */

static int check_time(struct api_admission *a, const struct api_request *r, int64_t now_s)
{
    char now[CLOCK_RFC3339_MAX];
    if (r->time_s >= now_s - REPLAYS_WINDOW_S && r->time_s <= now_s + REPLAYS_WINDOW_S)
        return 0;
    clock_format(now_s, now);
    return refuse(a, API_ERROR_AUTH_EXPIRED,
        "The timestamp is more than five minutes off; the server's time is %s (%lld).", now,
        (long long)now_s);
}

/* Those who fail share what their address may ask for. */
static int refuse_stranger(struct api_gate *g, struct api_admission *a, enum api_error error)
{
    if (!rates_take(g->rates, bytes_of(a->source), g->per_second, g->now_ms)) {
        a->is_muted = true;
        return refuse_plainly(a, API_ERROR_RATE);
    }
    return error == API_ERROR_NONE ? -1 : refuse_plainly(a, error);
}

static int check_signer(struct api_gate *g, struct api_admission *a, const struct api_request *r)
{
    char secret[ACCESS_KEY_SECRET_SIZE];
    const struct access_key *key = access_keys_find(g->keys, r->credential.secret_id);
    access_keys_secret(g->keys, r->credential.secret_id, secret);
    bool is_by = api_request_is_by(r, bytes_of(secret));
    mem_wipe(secret, sizeof(secret));
    if (!key)
        return refuse_stranger(g, a, API_ERROR_AUTH_SECRET_ID);
    if (!is_by)
        return refuse_stranger(g, a, API_ERROR_AUTH_SIGNATURE);
    a->key = *key;
    a->signed_s = r->time_s;
    replays_name((struct bytes){r->credential.signature, r->credential.signature_n}, a->signature);
    a->is_muted = !rates_take(g->rates, bytes_of(key->id), g->per_second, g->now_ms);
    if (a->is_muted)
        return refuse(a, API_ERROR_RATE,
            "More than %u requests a second (`api.requests_per_second`); try again in a second.",
            g->per_second);
    return 0;
}

static int check_who(struct api_gate *g, struct api_admission *a, const struct api_request *r)
{
    if (r->token.n)
        return refuse_stranger(g, a, API_ERROR_AUTH_TOKEN);
    if (check_time(a, r, g->now_s) < 0)
        return refuse_stranger(g, a, API_ERROR_NONE);
    return check_signer(g, a, r);
}

/* ---- what for, and may they? ---- */

static int find_service(struct bytes version, enum action_service *out)
{
    static const struct {
        const char *version;
        enum action_service service;
    } rows[] = {
        {"2018-03-17", SERVICE_CLB}, {"2019-12-05", SERVICE_SSL}, {"2018-08-13", SERVICE_TAG}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_equal(version, bytes_of(rows[i].version))) {
            *out = rows[i].service;
            return 0;
        }
    return -1;
}

static int check_action(struct api_admission *a, const struct api_request *r)
{
    enum action_service service;
    if (!r->version.n)
        return refuse(a, API_ERROR_MISSING, "The version (X-TC-Version) is missing.");
    if (find_service(r->version, &service) < 0)
        return refuse(a, API_ERROR_VERSION,
            "There are 2018-03-17 (clb), 2019-12-05 (ssl) and 2018-08-13 (tag) here.");
    a->action = action_find(service, r->action);
    if (!a->action)
        return refuse(a, API_ERROR_ACTION, "There is no action %.*s in version %.*s.",
            (int)bytes_first(r->action, 64).n, (const char *)r->action.at,
            (int)bytes_first(r->version, 16).n, (const char *)r->version.at);
    if (a->action->kind == ACTION_READ)
        return 0;
    if (!a->key.may_write)
        return refuse_plainly(a, API_ERROR_AUTH_ROLE);
    if (r->is_unsigned)
        return refuse(a, API_ERROR_AUTH_SIGNATURE,
            "The signature of a write must cover its body: UNSIGNED-PAYLOAD is for reads.");
    return 0;
}

static int check_replay(struct api_gate *g, struct api_admission *a)
{
    if (a->action->kind == ACTION_READ)
        return 0;
    switch (replays_add(g->replays, a->signature, a->signed_s, g->now_s)) {
    case REPLAYS_KNOWN:
        return refuse(a, API_ERROR_AUTH_EXPIRED,
            "This very request has been received already; sign it again, a second later.");
    case REPLAYS_FULL:
        return refuse(a, API_ERROR_RATE, "More than %d writes in ten minutes.", REPLAYS_MAX);
    case REPLAYS_NEW:
        break;
    }
    return 0;
}

/* FROM, if it is short and nothing but letters, digits, `-`, `.` and `:`: it is put into a header
 * of the answer, and into logs. */
static void copy_plain(struct bytes from, char *to, size_t max)
{
    to[0] = 0;
    if (from.n > max)
        return;
    for (size_t i = 0; i < from.n; i++) {
        uint8_t c = bytes_lower(from.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= ':') && c != '-' && c != '.')
            return;
    }
    if (from.n)
        memcpy(to, from.at, from.n);
    to[from.n] = 0;
}

static int admit(struct api_gate *g, struct api_admission *a, const struct api_request *r)
{
    copy_plain(r->region, a->region, API_REGION_MAX);
    if (check_who(g, a, r) < 0 || check_action(a, r) < 0)
        return -1;
    a->parameters = api_request_decode(r, &a->error, &a->sentence);
    if (!a->parameters ||
        field_check(a->parameters, a->action->fields, &a->error, &a->sentence) < 0)
        return -1;
    return check_replay(g, a);
}

int api_gate_admit(
    struct api_gate *g, const struct admin_request *request, struct api_admission *out)
{
    struct api_request r = {0};
    *out = (struct api_admission){0};
    address_format_host(&request->peer, out->source);
    const struct http1_field *forwarded = http1_find(request->head, "X-Real-IP");
    if (forwarded)
        copy_plain(forwarded->value, out->forwarded_for, ADDRESS_TEXT_MAX - 1);
    if (check_transport(out, request) < 0)
        return -1;
    out->is_muted = !g->keys;
    if (!g->keys)
        return refuse(out, API_ERROR_FAILED,
            "The control API has nowhere to keep anything: add `state: {dir: …}` to the "
            "configuration, and start again. If it is there, the event log says why it is of no "
            "use.");
    int result = api_request_parse(request->head, request->body, &r, &out->error, &out->sentence);
    copy_plain(r.trace, out->trace, API_TRACE_MAX);
    result = result < 0 ? refuse_stranger(g, out, API_ERROR_NONE) : admit(g, out, &r);
    api_request_fini(&r);
    return result;
}

void api_gate_fini(struct api_admission *a)
{
    json_decref(a->parameters);
    a->parameters = NULL;
}

bool api_gate_is_unauthenticated(const struct api_admission *a)
{
    return !a->key.id[0];
}
