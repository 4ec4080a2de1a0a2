/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/reason_code.h"
#include "test.h"

#include "base/ban.h"

TEST(names_and_numbers)
{
    for (unsigned code = 0; code < 12; code++) {
        const char *name = reason_code_name(code);
        CHECK_INT(name != NULL, code != 7 && code != 11); /* RFC 5280 §5.3.1: 7 is not used */
        CHECK(!name || reason_code_of(name) == (int)code);
    }
    CHECK_TEXT(reason_code_name(1), "keyCompromise");
    CHECK_TEXT(reason_code_name(REASON_CODE_REMOVE_FROM_CRL), "removeFromCRL");
    CHECK_INT(reason_code_of("boredom"), -1);
    CHECK_INT(reason_code_of(""), -1);
}
