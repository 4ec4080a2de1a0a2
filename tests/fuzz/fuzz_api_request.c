/* SPDX-License-Identifier: Apache-2.0 */
/* A whole request to the control API, head and body, as whoever reaches its address may send it. */
#include <stdlib.h>

#include "api/action.h"
#include "api/api_request.h"
#include "base/panic.h"
#include "fuzz.h"

#include "base/ban.h"

static void check_error(enum api_error error, const struct error *sentence)
{
    ASSERT(error != API_ERROR_NONE && error < API_ERROR_COUNT && sentence->text[0]);
}

/* What passes once is what it says it is, and passes again unchanged. */
static void check_fields(json_t *parameters, const struct action *action)
{
    enum api_error error = API_ERROR_NONE;
    struct error sentence = {""};
    if (field_check(parameters, action->fields, &error, &sentence) < 0) {
        check_error(error, &sentence);
        return;
    }
    json_t *again = json_deep_copy(parameters);
    ASSERT(field_check(again, action->fields, &error, &sentence) == 0);
    ASSERT(json_equal(parameters, again));
    json_decref(again);
}

static void check_parameters(const struct api_request *r)
{
    enum api_error error = API_ERROR_NONE;
    struct error sentence = {""};
    json_t *parameters = api_request_decode(r, &error, &sentence);
    if (!parameters) {
        check_error(error, &sentence);
        return;
    }
    ASSERT(json_is_object(parameters));
    const struct action *action = NULL;
    for (unsigned s = SERVICE_CLB; s <= SERVICE_TAG && !action; s++)
        action = action_find((enum action_service)s, r->action);
    if (action)
        check_fields(parameters, action);
    json_decref(parameters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct http1_head head;
    struct bytes in = {data, n};
    struct api_request r;
    enum api_error error = API_ERROR_NONE;
    struct error sentence = {""};
    size_t scanned = 0;
    ssize_t head_n = http1_parse_request(in, &scanned, &head);
    if (head_n <= 0)
        return 0;
    if (api_request_parse(&head, bytes_skip(in, (size_t)head_n), &r, &error, &sentence) == 0) {
        ASSERT(r.action.n && r.timestamp.n && r.credential.secret_id.n);
        ASSERT(!api_request_is_by(&r, BYTES("a key that nobody signs with")));
        check_parameters(&r);
    } else {
        check_error(error, &sentence);
    }
    api_request_fini(&r);
    return 0;
}
