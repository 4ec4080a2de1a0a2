/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets — the lists of real servers that listeners, rules and target groups have in the model:
 * Backend of CLB, each known by its IP address and port.
 *
 * Where -1 or NULL is returned, C is refused, and the sentence names the server. Process: control.
 */
#pragma once

#include "api/action.h"
#include "io/address.h"

#define TARGETS_MAX            1000 /* of a list, as the configuration has it */
#define TARGETS_WEIGHT_DEFAULT 10

/* A server as a request names it: the IP address (in its shortest spelling) in the member IP_FIELD,
 * and Port. */
struct target_key {
    char ip[ADDRESS_TEXT_MAX];
    int64_t port;
};
int targets_read(
    struct call *c, const json_t *server, const char *ip_field, struct target_key *out) MUST_USE;

/* KEY with the weight that SERVER has, or the default one, behind those of LIST. */
int targets_add(
    struct call *c, json_t *list, const struct target_key *key, const json_t *server) MUST_USE;
/* The element of LIST that KEY is. */
json_t *targets_find(struct call *c, json_t *list, const struct target_key *key) MUST_USE;
int targets_remove(struct call *c, json_t *list, const struct target_key *key) MUST_USE;
int targets_move(struct call *c, json_t *list, const struct target_key *key, int64_t port) MUST_USE;
