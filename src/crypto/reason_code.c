/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/reason_code.h"

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
    REASON_REMOVE_FROM_CRL,
    "privilegeWithdrawn",
    "aACompromise",
};

const char *reason_code_name(long code)
{
    return code >= 0 && code < (long)COUNT_OF(names) ? names[code] : NULL;
}

long reason_code_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (long)i;
    return -1;
}
