/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/native.h"

#include <limits.h>

#include <openssl/err.h>

#include "base/ban.h"

X509 *native_x509(struct bytes der)
{
    const uint8_t *at = der.at;
    X509 *x = der.n && der.n <= INT_MAX ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    if (x && at != der.at + der.n) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

const char *native_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : "no reason given";
}
