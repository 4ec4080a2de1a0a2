/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_error — what the API refuses a request with: the rows of api_error.def, by the codes that the
 * cloud product documents (clients compare them), and a sentence.
 */
#pragma once

#include "base/attributes.h"

enum api_error {
    API_ERROR_NONE,
#define X(symbol, code, message) API_ERROR_##symbol,
#include "api/api_error.def"
#undef X
    API_ERROR_COUNT
};

/* "InvalidParameter.LBIdNotFound" */
const char *api_error_code(enum api_error e);
/* What is said where nobody said more. */
const char *api_error_message(enum api_error e);
