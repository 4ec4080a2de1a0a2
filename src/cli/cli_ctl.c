/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport ctl`: one request to the control API of a running instance, signed as SDKs sign. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/access_keys.h"
#include "api/action.h"
#include "api/api_answer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/instance.h"
#include "cli/options.h"
#include "config/config.h"
#include "proto/http1_write.h"

#include "base/ban.h"

#define REGION_DEFAULT "ap-guangzhou"
#define SIGNED         "content-type;host;x-tc-traceid" /* the last one makes each request another */
#define TYPE           "application/json"
#define REQUEST_MAX    (ADMIN_REQUEST_MAX + 16384)
#define ASK_MS         200 /* how often --wait asks */
#define TRIES_MAX      300

struct ctl {
    const char *config, *endpoint, *region;
    bool wait;
    const struct action *action;
    struct instance instance;
    char *key_id, *key;
};

static int report(const struct error *err, int status)
{
    fprintf(stderr, "sallyport ctl: %s\n", err->text);
    return status;
}

/* ---- which action, where, and as whom ---- */

static const struct {
    const char *name, *version;
} services[] = {[SERVICE_CLB] = {"clb", "2018-03-17"},
    [SERVICE_SSL] = {"ssl", "2019-12-05"},
    [SERVICE_TAG] = {"tag", "2018-08-13"}};

static const struct action *find_action(const char *name)
{
    const struct action *found = NULL;
    for (unsigned s = 0; s < COUNT_OF(services) && !found; s++)
        found = action_find((enum action_service)s, bytes_of(name));
    return found;
}

static const char *environment(const char *first, const char *second)
{
    const char *value = getenv(first);
    return value && *value ? value : getenv(second);
}

/* Who may read the instance's own folder is let in by the key that was made last. */
static int take_own_key(struct ctl *c, const char *state, struct error *err)
{
    struct access_key_files files;
    char secret[ACCESS_KEY_SECRET_SIZE];
    if (access_keys_open_files(state, &files, err) < 0)
        return -1;
    struct access_keys *keys = access_keys_new(files, err);
    if (!keys)
        return -1;
    for (size_t i = access_keys_count(keys); i > 0 && !c->key; i--) {
        const struct access_key *key = access_keys_at(keys, i - 1);
        if (key->is_revoked || !key->may_write)
            continue;
        access_keys_secret(keys, bytes_of(key->id), secret);
        c->key_id = mem_strdup(key->id);
        c->key = mem_strdup(secret);
        mem_wipe(secret, sizeof(secret));
    }
    access_keys_free(&keys);
    return c->key ? 0
                  : error_set(err, "there is no access key; make one: sallyport api-key create");
}

static int take_key(struct ctl *c, struct error *err)
{
    const char *id = environment("SALLYPORT_SECRET_ID", "TENCENTCLOUD_SECRET_ID");
    const char *key = environment("SALLYPORT_SECRET_KEY", "TENCENTCLOUD_SECRET_KEY");
    if (id && *id && key && *key) {
        c->key_id = mem_strdup(id);
        c->key = mem_strdup(key);
        return 0;
    }
    struct error why;
    struct config *config = instance_read_config(c->config, &why);
    if (!config)
        return error_set(err,
            "without SALLYPORT_SECRET_ID and SALLYPORT_SECRET_KEY the access key is that of -c "
            "FILE, and %.300s",
            why.text);
    int result =
        config->state_dir
            ? take_own_key(c, config->state_dir, err)
            : error_set(err, "%s has no `state: {dir: …}`: there is no control API", c->config);
    config_free(&config);
    return result;
}

/* ---- the request ---- */

struct text {
    char timestamp[24], date[API_SIGNATURE_DATE_SIZE], trace[API_ID_SIZE], host[80];
};

static int write_request(const struct ctl *c, const struct action *action, struct bytes body,
    const struct text *t, const struct buf *authorization, struct buf *out)
{
    char length[24];
    snprintf(length, sizeof(length), "%zu", body.n);
    const struct http1_field fields[] = {
        {BYTES("Host"), bytes_of(t->host)},
        {BYTES("Content-Type"), BYTES(TYPE)},
        {BYTES("Content-Length"), bytes_of(length)},
        {BYTES("Authorization"), buf_bytes(authorization)},
        {BYTES("X-TC-Action"), bytes_of(action->name)},
        {BYTES("X-TC-Version"), bytes_of(services[action->service].version)},
        {BYTES("X-TC-Timestamp"), bytes_of(t->timestamp)},
        {BYTES("X-TC-Region"), bytes_of(c->region)},
        {BYTES("X-TC-TraceId"), bytes_of(t->trace)},
        {BYTES("Connection"), BYTES("close")},
    };
    int failed = http1_write_request_line(out, BYTES("POST"), BYTES("/"));
    for (size_t i = 0; i < COUNT_OF(fields) && !failed; i++)
        failed = http1_write_field(out, fields[i].name, fields[i].value);
    return failed || http1_write_end(out) < 0 ? -1 : buf_append(out, body);
}

static int sign(const struct ctl *c, const struct action *action, struct bytes body,
    const struct text *t, struct buf *authorization)
{
    struct http1_head *head = mem_alloc(sizeof(*head));
    *head =
        (struct http1_head){.method = BYTES("POST"), .authority = bytes_of(t->host), .fields_n = 3};
    head->fields[0] = (struct http1_field){BYTES("host"), bytes_of(t->host)};
    head->fields[1] = (struct http1_field){BYTES("content-type"), BYTES(TYPE)};
    head->fields[2] = (struct http1_field){BYTES("x-tc-traceid"), bytes_of(t->trace)};
    struct api_credential credential = {.scheme = API_SCHEME_TC3,
        .secret_id = bytes_of(c->key_id),
        .date = bytes_of(t->date),
        .service = bytes_of(services[action->service].name),
        .signed_headers = BYTES(SIGNED)};
    const struct api_signed request = {
        .head = head, .body = body, .timestamp = bytes_of(t->timestamp)};
    int failed = api_signature_make(&credential, &request, bytes_of(c->key)) < 0 ||
                 api_signature_write(&credential, authorization) < 0;
    free(head);
    return failed ? -1 : 0;
}

static int make_request(
    const struct ctl *c, const struct action *action, struct bytes body, struct buf *out)
{
    struct text t;
    struct buf authorization;
    int64_t now_s = clock_wall_s();
    snprintf(t.timestamp, sizeof(t.timestamp), "%lld", (long long)now_s);
    api_signature_date(now_s, t.date);
    api_answer_make_id(t.trace);
    bool is_v6 = strchr(c->instance.host, ':');
    snprintf(t.host, sizeof(t.host), "%s%.60s%s:%s", is_v6 ? "[" : "", c->instance.host,
        is_v6 ? "]" : "", c->instance.port);
    buf_init(&authorization, 1024);
    int failed = sign(c, action, body, &t, &authorization) < 0 ||
                 write_request(c, action, body, &t, &authorization, out) < 0;
    buf_fini(&authorization);
    return failed ? -1 : 0;
}

/* ---- the answer ---- */

/* The Response; NULL: nobody answers, or what answers is no API. */
static json_t *ask(
    const struct ctl *c, const struct action *action, struct bytes body, struct error *err)
{
    struct buf request, answer;
    json_t *response = NULL;
    buf_init(&request, REQUEST_MAX);
    if (make_request(c, action, body, &request) < 0)
        error_set(err, "the request is too large, or its key or region is none");
    else if (instance_ask(&c->instance, buf_bytes(&request), &answer, err) == 0) {
        struct bytes text = buf_bytes(&answer);
        json_t *root = json_loadb((const char *)text.at, text.n, 0, NULL);
        response = json_incref(json_object_get(root, "Response"));
        if (!response)
            error_set(err, "what answers is not the control API");
        json_decref(root);
        buf_fini(&answer);
    }
    buf_fini(&request);
    return response;
}

static bool print_error(const json_t *response)
{
    const json_t *error = json_object_get(response, "Error");
    if (error)
        fprintf(stderr, "sallyport ctl: %s: %s (RequestId %s)\n", answer_text(error, "Code"),
            answer_text(error, "Message"), answer_text(response, "RequestId"));
    return error;
}

/* Ask until the task has ended. */
static int wait_for(const struct ctl *c, const char *id, struct error *err)
{
    const struct timespec pause = {.tv_nsec = ASK_MS * 1000000};
    const struct action *describe = find_action("DescribeTaskStatus");
    char body[128];
    snprintf(body, sizeof(body), "{\"TaskId\":\"%.40s\"}", id);
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        json_t *task = ask(c, describe, bytes_of(body), err);
        long long status = answer_number(task, "Status");
        bool is_refused = !task || print_error(task);
        if (task && !is_refused && status == 1)
            error_set(err, "task %.40s failed: %.400s", id, answer_text(task, "Message"));
        json_decref(task);
        if (is_refused || status != 2)
            return is_refused || status ? -1 : 0;
        nanosleep(&pause, NULL);
    }
    return error_set(err, "task %.40s has not ended yet", id);
}

static int call(struct ctl *c, struct bytes body)
{
    struct error err = {""};
    int status = OPTIONS_EXIT_GOOD;
    json_t *response = ask(c, c->action, body, &err);
    if (!response)
        return report(&err, OPTIONS_EXIT_NEGATIVE);
    if (print_error(response)) {
        status = OPTIONS_EXIT_NEGATIVE;
    } else {
        json_dumpf(response, stdout, JSON_INDENT(2));
        putchar('\n');
        if (c->wait && c->action->kind == ACTION_TASK &&
            wait_for(c, answer_text(response, "RequestId"), &err) < 0)
            status = report(&err, OPTIONS_EXIT_NEGATIVE);
    }
    json_decref(response);
    return status;
}

/* ---- the command ---- */

static int read_body(const char *text, struct buf *out, struct error *err)
{
    if (text[0] == '@')
        return file_read(text + 1, out, err);
    if (strcmp(text, "-") == 0)
        return file_read("-", out, err);
    buf_init(out, strlen(text));
    return buf_append(out, bytes_of(text));
}

static int prepare(struct ctl *c, const char *action, struct error *err)
{
    c->action = find_action(action);
    if (!c->action)
        return error_set(err, "there is no action %.64s; docs/api-reference.md lists them", action);
    const char *scheme = "http://";
    if (c->endpoint && strncmp(c->endpoint, scheme, strlen(scheme)) == 0)
        c->endpoint += strlen(scheme);
    else if (c->endpoint)
        return error_set(err, "--endpoint is http://ADDRESS:PORT, on this machine; from elsewhere "
                              "an SDK asks `admin.https`");
    return instance_find(c->config, c->endpoint, &c->instance, err) < 0 ? -1 : take_key(c, err);
}

static int run(struct ctl *c, const struct options_list *arguments)
{
    struct buf body;
    struct error err;
    if (prepare(c, arguments->at[0], &err) < 0 ||
        read_body(arguments->n > 1 ? arguments->at[1] : "{}", &body, &err) < 0)
        return report(&err, OPTIONS_EXIT_USAGE);
    int status = call(c, buf_bytes(&body));
    buf_fini(&body);
    return status;
}

int cli_ctl(int argc, char **argv)
{
    struct ctl c = {.config = INSTANCE_CONFIG_DEFAULT, .region = REGION_DEFAULT};
    const char *config = NULL, *region = NULL;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, &config, "FILE",
            "of the instance; default: " INSTANCE_CONFIG_DEFAULT},
        {"endpoint", 0, OPTIONS_TEXT, &c.endpoint, "URL",
            "http://ADDRESS:PORT, instead of the admin address of the configuration"},
        {"region", 0, OPTIONS_TEXT, &region, "NAME", "default: " REGION_DEFAULT},
        {"wait", 0, OPTIONS_FLAG, &c.wait, NULL, "until the task that it began has ended"},
    };
    const struct options_syntax syntax = {"ctl", "ACTION [JSON|-|@FILE]",
        "One request to the control API of a running instance, and its answer.\nThe access key is "
        "that of SALLYPORT_SECRET_ID and SALLYPORT_SECRET_KEY (or TENCENTCLOUD_…), else\nthe last "
        "one that was made, if its folder may be read.\nExit status: 0 good, 1 refused or not "
        "running, 2 wrong usage.",
        rows, COUNT_OF(rows), 1, 2};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    c.config = config ? config : c.config;
    c.region = region ? region : c.region;
    status = run(&c, &arguments);
    if (c.key)
        mem_wipe(c.key, strlen(c.key));
    free(c.key);
    free(c.key_id);
    options_list_fini(&arguments);
    return status;
}
