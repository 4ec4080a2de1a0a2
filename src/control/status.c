/* SPDX-License-Identifier: Apache-2.0 */
#include "control/status.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/health.h"

#include "base/ban.h"

#define DAY_S (24 * 3600)

_Static_assert(
    (int)INSTANCE_COLUMNS >= (int)ROUTE_COLUMNS && (int)INSTANCE_COLUMNS >= (int)TARGET_COLUMNS,
    "the row of zeros is long enough for all");

/* The row of KIND whose first labels are FIRST and SECOND (those that are not NULL), or one of
 * zeros. */
static const uint64_t *find(
    const struct totals *t, enum counters_row kind, const char *first, const char *second)
{
    static const uint64_t none[INSTANCE_COLUMNS];
    size_t n;
    const struct total *rows = totals_rows(t, kind, &n);
    for (size_t i = 0; i < n; i++)
        if ((!first || strcmp(rows[i].labels[0], first) == 0) &&
            (!second || strcmp(rows[i].labels[1], second) == 0))
            return rows[i].values;
    return none;
}

static void time_if(struct json *j, const char *key, uint64_t wall_s)
{
    char text[CLOCK_RFC3339_MAX];
    if (!wall_s)
        return;
    clock_format((int64_t)wall_s, text);
    json_text(j, key, text);
}

static void write_instance(struct json *j, const struct totals *t, bool is_ready, int64_t now_s)
{
    const uint64_t *v = find(t, COUNTERS_INSTANCE, NULL, NULL);
    json_int64(j, "generation", (int64_t)v[INSTANCE_GENERATION]);
    json_bool(j, "ready", is_ready);
    json_text(j, "sandbox", v[INSTANCE_UNBOXED] ? "off" : "on");
    time_if(j, "started", v[INSTANCE_STARTED]);
    json_int64(j, "uptime_s", v[INSTANCE_STARTED] ? now_s - (int64_t)v[INSTANCE_STARTED] : 0);
    time_if(j, "reloaded", v[INSTANCE_RELOADED]);
    json_open_object(j, "reloads");
    json_int64(j, "good", (int64_t)v[INSTANCE_RELOADS]);
    json_int64(j, "bad", (int64_t)v[INSTANCE_RELOADS_FAILED]);
    json_close_object(j);
    json_int64(j, "access_log_lines_lost",
        (int64_t)(v[INSTANCE_LINES_DROPPED] + v[INSTANCE_LINES_UNWRITTEN]));
}

static void write_signer(struct json *j, const struct totals *t)
{
    const uint64_t *v = find(t, COUNTERS_INSTANCE, NULL, NULL);
    json_open_object(j, "signer");
    json_int64(j, "keys", (int64_t)v[INSTANCE_SIGNER_KEYS]);
    json_int64(j, "waiting", (int64_t)v[INSTANCE_SIGNER_WAITING]);
    json_int64(j, "restarts", (int64_t)find(t, COUNTERS_PROCESS, "signer", NULL)[PROCESS_RESTARTS]);
    json_open_object(j, "requests");
    json_int64(j, "done", (int64_t)v[INSTANCE_SIGNER_DONE]);
    json_int64(j, "refused", (int64_t)v[INSTANCE_SIGNER_REFUSED]);
    json_int64(j, "too_often", (int64_t)v[INSTANCE_SIGNER_TOO_OFTEN]);
    json_int64(j, "failed", (int64_t)v[INSTANCE_SIGNER_FAILED]);
    json_int64(j, "late", (int64_t)v[INSTANCE_SIGNER_LATE]);
    json_close_object(j);
    json_close_object(j);
}

static void write_workers(struct json *j, const struct totals *t)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_WORKER, &n);
    json_open_array(j, "workers");
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof(name), "worker %.16s", rows[i].labels[0]);
        json_open_object(j, NULL);
        json_text(j, "worker", rows[i].labels[0]);
        json_int64(j, "pid", (int64_t)rows[i].values[WORKER_PID]);
        json_int64(j, "connections_open", (int64_t)rows[i].values[WORKER_OPEN]);
        json_int64(j, "restarts", (int64_t)find(t, COUNTERS_PROCESS, name, NULL)[PROCESS_RESTARTS]);
        json_close_object(j);
    }
    json_close_array(j);
}

/* ---- listeners ---- */

enum { LABEL_LISTENER = 0, LABEL_RESULT = 4, LABEL_REASON = 5 }; /* of HANDSHAKE */

/* The sum over versions, groups and so on, under RESULT and (unless NULL) REASON. */
static uint64_t sum_handshakes(const struct total *rows, size_t n, const char *listener,
    const char *result, const char *reason)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].labels[LABEL_LISTENER], listener) == 0 &&
            strcmp(rows[i].labels[LABEL_RESULT], result) == 0 &&
            (!reason || strcmp(rows[i].labels[LABEL_REASON], reason) == 0))
            sum += rows[i].values[HANDSHAKE_ENDED];
    return sum;
}

/* Was this reason of this listener met before row I? */
static bool is_repeated(const struct total *rows, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(rows[k].labels[LABEL_LISTENER], rows[i].labels[LABEL_LISTENER]) == 0 &&
            strcmp(rows[k].labels[LABEL_RESULT], rows[i].labels[LABEL_RESULT]) == 0 &&
            strcmp(rows[k].labels[LABEL_REASON], rows[i].labels[LABEL_REASON]) == 0)
            return true;
    return false;
}

static void write_handshakes(struct json *j, const struct totals *t, const char *listener)
{
    static const char *const results[] = {"accepted", "refused", "failed"};
    size_t n, first = 0;
    const struct total *rows = totals_rows(t, COUNTERS_HANDSHAKE, &n);
    /* They are sorted by listener. */
    while (first < n && strcmp(rows[first].labels[LABEL_LISTENER], listener) != 0)
        first++;
    rows += first;
    n -= first;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].labels[LABEL_LISTENER], listener) != 0)
            n = i;
    json_open_object(j, "handshakes");
    for (size_t r = 0; r < COUNT_OF(results); r++)
        json_int64(j, results[r], (int64_t)sum_handshakes(rows, n, listener, results[r], NULL));
    json_open_object(j, "reasons");
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].labels[LABEL_RESULT], results[0]) != 0 && !is_repeated(rows, i))
            json_int64(j, rows[i].labels[LABEL_REASON],
                (int64_t)sum_handshakes(
                    rows, n, listener, rows[i].labels[LABEL_RESULT], rows[i].labels[LABEL_REASON]));
    json_close_object(j);
    json_close_object(j);
}

/* The sum of COLUMN over the groups that LISTENER leads to. */
static uint64_t sum_routes(const struct totals *t, const char *listener, size_t column)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_ROUTE, &n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].labels[0], listener) == 0)
            sum += rows[i].values[column];
    return sum;
}

static void write_requests(struct json *j, const struct totals *t, const char *listener)
{
    size_t n;
    const struct counters_column *columns = counters_columns(COUNTERS_ROUTE, &n);
    json_open_object(j, "requests");
    for (size_t i = ROUTE_STATUS_1XX; i <= ROUTE_STATUS_NONE; i++)
        json_int64(j, columns[i].value, (int64_t)sum_routes(t, listener, i));
    json_close_object(j);
    json_int64(j, "relays", (int64_t)sum_routes(t, listener, ROUTE_RELAYS));
    json_int64(j, "bytes_in", (int64_t)sum_routes(t, listener, ROUTE_BYTES_IN));
    json_int64(j, "bytes_out", (int64_t)sum_routes(t, listener, ROUTE_BYTES_OUT));
}

static void write_listeners(struct json *j, const struct totals *t)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_ADDRESS, &n);
    json_open_array(j, "listeners");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].values[ADDRESS_IN_FORCE])
            continue;
        const char *name = rows[i].labels[0];
        const uint64_t *v = find(t, COUNTERS_LISTENER, name, NULL);
        json_open_object(j, NULL);
        json_text(j, "listener", name);
        json_text(j, "protocol", rows[i].labels[1]);
        json_text(j, "address", rows[i].labels[2]);
        json_int64(j, "connections", (int64_t)v[LISTENER_ACCEPTED]);
        json_int64(j, "connections_open", (int64_t)v[LISTENER_OPEN]);
        write_handshakes(j, t, name);
        write_requests(j, t, name);
        json_close_object(j);
    }
    json_close_array(j);
}

/* ---- targets, certificates ---- */

/* The name of the state that a target is in, by the row of its health; NULL: it is not checked. */
static const char *state_name(const uint64_t *health)
{
    size_t n;
    const struct counters_column *columns = counters_columns(COUNTERS_TARGET_HEALTH, &n);
    for (size_t i = TARGET_HEALTH_HEALTHY; i <= TARGET_HEALTH_WAITING; i++)
        if (health[i])
            return columns[i].value;
    return NULL;
}

static void write_health(
    struct json *j, const struct totals *t, const struct status *status, const struct total *target)
{
    const char *group = target->labels[0], *address = target->labels[1];
    const uint64_t *v = find(t, COUNTERS_TARGET_HEALTH, group, address);
    const char *why = health_why(status->health, group, address);
    if (!state_name(v))
        return;
    json_open_object(j, "health");
    json_text(j, "state", state_name(v));
    time_if(j, "since", v[TARGET_HEALTH_SINCE]);
    if (why)
        json_text(j, "reason", why);
    json_close_object(j);
}

static void write_target(
    struct json *j, const struct totals *t, const struct status *status, const struct total *row)
{
    size_t n;
    const struct counters_column *columns = counters_columns(COUNTERS_TARGET, &n);
    const uint64_t *v = row->values;
    json_open_object(j, NULL);
    json_text(j, "target_group", row->labels[0]);
    json_text(j, "target", row->labels[1]);
    write_health(j, t, status, row);
    json_int64(j, "requests", (int64_t)v[TARGET_REQUESTS]);
    json_int64(j, "active", (int64_t)v[TARGET_ACTIVE]);
    json_open_object(j, "failures");
    for (size_t i = TARGET_CONNECT; i <= TARGET_CLOSED; i++)
        if (v[i])
            json_int64(j, columns[i].value, (int64_t)v[i]);
    json_close_object(j);
    json_int64(j, "connections_open", (int64_t)v[TARGET_OPEN]);
    json_int64(j, "connections_idle", (int64_t)v[TARGET_IDLE]);
    json_int64(j, "connects", (int64_t)v[TARGET_CONNECTS]);
    if (v[TARGET_CONNECTS])
        json_decimal(
            j, "connect_ms_mean", (double)v[TARGET_CONNECT_MS] / (double)v[TARGET_CONNECTS]);
    json_close_object(j);
}

static void write_targets(struct json *j, const struct totals *t, const struct status *status)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_TARGET, &n);
    json_open_array(j, "targets");
    for (size_t i = 0; i < n; i++)
        if (rows[i].values[TARGET_IN_FORCE])
            write_target(j, t, status, &rows[i]);
    json_close_array(j);
}

/* Whose certificate or CRL it is, and which. */
static void write_owner(struct json *j, const struct total *row)
{
    struct bytes names = bytes_of(counters_labels(row->row));
    for (unsigned i = 0; names.n; i++) {
        char name[32];
        struct bytes b = bytes_first(names, bytes_find(names, ','));
        names = bytes_skip(names, b.n + 1);
        snprintf(name, sizeof(name), "%.*s", BYTES_ARG(b));
        if (row->labels[i][0])
            json_text(j, name, row->labels[i]);
    }
}

static int64_t days_between(int64_t from, int64_t to)
{
    int64_t s = to - from;
    return s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S);
}

static void write_certificates(struct json *j, const struct totals *t, int64_t now_s)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_CERTIFICATE, &n);
    json_open_array(j, "certificates");
    for (size_t i = 0; i < n; i++) {
        uint64_t until = rows[i].values[CERTIFICATE_NOT_AFTER];
        if (!until)
            continue;
        json_open_object(j, NULL);
        write_owner(j, &rows[i]);
        time_if(j, "not_after", until);
        json_int64(j, "days_left", days_between(now_s, (int64_t)until));
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_crls(struct json *j, const struct totals *t, int64_t now_s)
{
    size_t n;
    const struct total *rows = totals_rows(t, COUNTERS_CRL, &n);
    json_open_array(j, "crls");
    for (size_t i = 0; i < n; i++) {
        const uint64_t *v = rows[i].values;
        if (!v[CRL_THIS_UPDATE] && !v[CRL_NEXT_UPDATE])
            continue;
        json_open_object(j, NULL);
        write_owner(j, &rows[i]);
        time_if(j, "this_update", v[CRL_THIS_UPDATE]);
        json_int64(j, "age_s", now_s - (int64_t)v[CRL_THIS_UPDATE]);
        time_if(j, "next_update", v[CRL_NEXT_UPDATE]);
        if (v[CRL_NEXT_UPDATE])
            json_bool(j, "is_stale", (int64_t)v[CRL_NEXT_UPDATE] < now_s);
        json_close_object(j);
    }
    json_close_array(j);
}

int status_write(const struct totals *t, const struct status *status, struct buf *out)
{
    int64_t now_s = status->now_s;
    struct json j;
    json_init(&j, out);
    json_open_object(&j, NULL);
    write_instance(&j, t, status->is_ready, now_s);
    write_signer(&j, t);
    write_workers(&j, t);
    write_listeners(&j, t);
    write_targets(&j, t, status);
    write_certificates(&j, t, now_s);
    write_crls(&j, t, now_s);
    json_close_object(&j);
    return json_failed(&j) || buf_append(out, BYTES("\n")) < 0 ? -1 : 0;
}
