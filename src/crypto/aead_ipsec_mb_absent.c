/* SPDX-License-Identifier: Apache-2.0 */
/* In place of aead_ipsec_mb.c where the library was not there to build with. */
#include "crypto/aead_implementation.h"

#include "base/ban.h"

const struct aead_implementation *aead_ipsec_mb_find(void)
{
    return NULL;
}
