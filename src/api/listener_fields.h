/* SPDX-License-Identifier: Apache-2.0 */
/* listener_fields — what requests may say of listeners and rules, where several actions do. */
#pragma once

#include "api/action.h"

/* TargetTls, Sallyport's own: how targets that are spoken to over TLS prove who they are. */
extern const struct field listener_fields_target_tls[];
/* As it is kept. NULL: C is refused. */
json_t *listener_fields_take_target_tls(
    struct call *c, const json_t *given, const char *path) MUST_USE;

/* Can a configuration have MORE listeners ("listeners") or target groups ("target_groups") than
 * there are in force? -1: C is refused, at FIELD. */
int listener_fields_check_room(
    struct call *c, const char *list, size_t more, const char *field) MUST_USE;

/* The Certificate or MultiCertInfo of HOLDER, a request or a rule of one; 0: OUT has what is kept,
 * or NULL if it has neither. -1: C is refused. */
int listener_fields_take_certificate(
    struct call *c, const json_t *holder, const json_t *before, json_t **out) MUST_USE;
