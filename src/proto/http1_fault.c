/* SPDX-License-Identifier: Apache-2.0 */
#include "base/panic.h"
#include "proto/http1.h"

#include "base/ban.h"

static const struct fault_row {
    const char *token;
    unsigned status;
    const char *text;
} faults[HTTP1_FAULT_COUNT] = {
    [HTTP1_FAULT_NONE] = {"none", 200, "nothing is wrong"},
#define X(symbol, token, status, text) [HTTP1_##symbol] = {token, status, text},
#include "proto/http1_fault.def"
#undef X
};

static const struct fault_row *row(enum http1_fault f)
{
    ASSERT(f >= HTTP1_FAULT_NONE && f < HTTP1_FAULT_COUNT);
    return &faults[f];
}

const char *http1_fault_token(enum http1_fault f)
{
    return row(f)->token;
}

const char *http1_fault_text(enum http1_fault f)
{
    return row(f)->text;
}

unsigned http1_fault_status(enum http1_fault f)
{
    return row(f)->status;
}
