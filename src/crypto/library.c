/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/library.h"

#include <openssl/crypto.h>

#include "base/panic.h"

#include "base/ban.h"

void library_initialise(void)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        panic("libcrypto could not be initialised");
}
