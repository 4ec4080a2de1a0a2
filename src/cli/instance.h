/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance — a running instance, asked through its admin address.
 *
 * Blocking, with INSTANCE_TIMEOUT_S for each answer.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "io/address.h"

#define INSTANCE_CONFIG_DEFAULT "/etc/sallyport/sallyport.yaml"
#define INSTANCE_TIMEOUT_S      10
#define INSTANCE_BODY_MAX       (64u << 20)

struct instance {
    char host[ADDRESS_TEXT_MAX], port[8];
};

struct config;
/* The configuration at PATH, without the files that it names, to be freed with config_free. NULL:
 * what is wrong with it is on stderr. */
struct config *instance_read_config(const char *path, struct error *err) MUST_USE;
/* Where it answers: at ADMIN ("127.0.0.1:9080"), or if that is NULL where the configuration at
 * CONFIG says. -1 with what to do. */
int instance_find(
    const char *config, const char *admin, struct instance *out, struct error *err) MUST_USE;
/* Send REQUEST, a whole one after which the connection is closed, and take the content of the
 * answer into BODY, which is initialised here. -1 if nobody answers, or not with 200; then BODY is
 * empty. */
int instance_ask(
    const struct instance *i, struct bytes request, struct buf *body, struct error *err) MUST_USE;
/* The same for GET PATH. */
int instance_get(
    const struct instance *i, const char *path, struct buf *body, struct error *err) MUST_USE;
