/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_files — the folder of `sallyport demo`: certificates good and bad, and a configuration.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define DEMO_LISTENERS 3

enum demo_listener { DEMO_ONE_WAY, DEMO_MUTUAL, DEMO_TCP_SSL };

struct demo_layout {
    const char *folder;
    uint16_t ports[DEMO_LISTENERS]; /* of the listeners, on 127.0.0.1 */
    uint16_t http[2], echo;         /* of the backends */
};

/* Makes the folder, or takes one that an earlier demo made (its files are replaced) or that is
 * empty. */
int demo_files_claim(const char *folder, struct error *err) MUST_USE;
/* ca, server, client, expired, revoked, stranger-ca and stranger, with ca.crl; then sallyport.yaml.
 */
int demo_files_write(const struct demo_layout *layout, int64_t now_s, struct error *err) MUST_USE;
