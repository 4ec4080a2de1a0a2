/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"
#include "test.h"

TEST(addresses_are_split)
{
    static const struct {
        const char *address, *host, *port; /* host NULL: refused */
    } cases[] = {
        {"localhost:443", "localhost", "443"},
        {"192.0.2.1:https", "192.0.2.1", "https"},
        {"[::1]:443", "::1", "443"},
        {"::1:443", NULL, NULL},
        {"localhost", NULL, NULL},
        {"localhost:", NULL, NULL},
        {":443", NULL, NULL},
        {"", NULL, NULL},
        {"name-that-is-too-long:1", NULL, NULL},
        {"host:12345678", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char host[16], port[8];
        struct error err;
        int got = session_split(cases[i].address, host, sizeof(host), port, sizeof(port), &err);
        CHECK_INT(got, cases[i].host ? 0 : -1);
        if (got == 0) {
            CHECK_TEXT(host, cases[i].host);
            CHECK_TEXT(port, cases[i].port);
        }
    }
}
