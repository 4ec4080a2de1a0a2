/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_https — `admin: {https: …}` is short for a listener called "admin" that passes the control
 * API's requests on to the admin address, so that all that listeners have (our own TLS, client
 * certificates, revocation, logs, limits) holds for the API, too.
 */
#pragma once

#include "config/tree.h"

#define ADMIN_HTTPS_NAME "admin"

/* Replace the key in ROOT, the file's tree, by the listener and its target group. */
void admin_https_expand(struct arena *a, struct node *root, struct report *report);
