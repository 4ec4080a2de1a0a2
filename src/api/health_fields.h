/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_fields — the object HealthCheck of the API, and the health_check of the configuration that
 * it becomes. Target groups of the cloud call the same things by other names, which are here, too.
 *
 * What is kept of a HealthCheck has all of its members: those that nobody gave are null, and mean
 * their default, or, of CheckType and HttpCheckDomain, what fits the owner at the time.
 */
#pragma once

#include "api/action.h"

/* Whose targets are checked. */
struct health_owner {
    const char *path;     /* of the object in the request: "HealthCheck", "Rules.0.HealthCheck" */
    const char *protocol; /* to the targets: TCP, TCP_SSL, HTTP, HTTPS, GRPC, GRPCS */
    const char *domain;   /* the rule's first; NULL: none */
};

/* What a request may say; of target groups. */
extern const struct field health_fields_table[], health_fields_group_table[];

/* INPUT (NULL: nothing) over BEFORE (NULL: the defaults): a new object. NULL: C is refused. */
json_t *health_fields_choose(struct call *c, const json_t *input, const json_t *before,
    const struct health_owner *owner) MUST_USE;

/* New objects: by the names of target groups, and back. */
json_t *health_fields_to_group(const json_t *check) MUST_USE;
json_t *health_fields_of_group(const json_t *group_check) MUST_USE;

/* As it is told: CheckType is there. A new object. */
json_t *health_fields_describe(const json_t *check, const struct health_owner *owner) MUST_USE;
/* The configuration's health_check; a new object. */
json_t *health_fields_render(const json_t *check, const struct health_owner *owner) MUST_USE;
/* The other way: what the file says. */
struct config_health_check;
json_t *health_fields_of_config(const struct config_health_check *h) MUST_USE;
