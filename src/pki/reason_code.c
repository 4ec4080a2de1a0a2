/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/reason_code.h"

#include <string.h>

#include "base/attributes.h"

#include "base/ban.h"

static const char *const names[] = {
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    NULL, /* 7 is not used */
    "removeFromCRL",
    "privilegeWithdrawn",
    "aACompromise",
};

const char *reason_code_name(unsigned code)
{
    return code < COUNT_OF(names) ? names[code] : NULL;
}

int reason_code_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}
