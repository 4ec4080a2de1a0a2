/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_error.h"

#include "base/panic.h"

#include "base/ban.h"

static const struct {
    const char *code, *message;
} rows[] = {
    [API_ERROR_NONE] = {"", ""},
#define X(symbol, code, message) [API_ERROR_##symbol] = {code, message},
#include "api/api_error.def"
#undef X
};

const char *api_error_code(enum api_error e)
{
    ASSERT(e < API_ERROR_COUNT);
    return rows[e].code;
}

const char *api_error_message(enum api_error e)
{
    ASSERT(e < API_ERROR_COUNT);
    return rows[e].message;
}
