/* SPDX-License-Identifier: Apache-2.0 */
/* The gate, for those whom no test on one machine can play: a client of another one. */
#include "api/api_gate.h"
#include "test.h"

static const char *refused(bool is_local, enum admin_fault fault)
{
    static struct http1_head head; /* nothing of it is looked at */
    struct api_gate gate = {0};
    struct api_admission admission;
    struct admin_request request = {.head = &head, .fault = fault, .is_local = is_local};
    CHECK_INT(address_parse(BYTES("192.0.2.7:5000"), false, &request.peer, NULL), 0);
    CHECK_INT(api_gate_admit(&gate, &request, &admission), -1);
    CHECK_TEXT(admission.source, "192.0.2.7");
    CHECK(api_gate_is_unauthenticated(&admission));
    api_gate_fini(&admission);
    return api_error_code(admission.error);
}

TEST(plain_http_is_for_this_machine)
{
    CHECK_TEXT(refused(false, ADMIN_WHOLE), "UnsupportedProtocol");
    CHECK_TEXT(refused(false, ADMIN_TOO_LARGE), "UnsupportedProtocol");
    CHECK_TEXT(refused(true, ADMIN_TOO_LARGE), "RequestSizeLimitExceeded");
    CHECK_TEXT(refused(true, ADMIN_BUSY), "RequestLimitExceeded");
    CHECK_TEXT(refused(true, ADMIN_WHOLE), "FailedOperation"); /* nowhere to keep anything */
}
