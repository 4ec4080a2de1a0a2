/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — the servers that bench/engine compares: a row of functions each, so that what drives
 * them and counts their time (joint.c) is the same for all.
 *
 * Errors: whatever goes wrong ends the program with a message.
 */
#pragma once

#include "base/buf.h"
#include "pki/credential.h"
#include "pki/verify.h"

struct server_plan {
    const struct credential *credential;
    const struct certificate_list *ca;  /* whose clients are let in; NULL: one-way */
    const struct verify_policy *verify; /* how they are judged by our verifier */
};

/* CONTEXT is what all connections share, CONNECTION one of them. */
struct server_kind {
    const char *name;
    void *(*prepare)(const struct server_plan *plan); /* PLAN outlives it */
    void (*discard)(void *context);
    void *(*open)(void *context);
    void (*close)(void *connection);
    struct buf *(*wire_in)(void *connection);
    struct buf *(*wire_out)(void *connection);
    /* Each as far as wire_in allows. */
    void (*shake_hands)(void *connection, int64_t now_s);
    void (*read)(void *connection, struct buf *out);
    void (*write)(void *connection, struct bytes data); /* all of it */
    /* After the handshake. */
    uint16_t (*version)(void *connection);
    bool (*is_resumed)(void *connection);
};

extern const struct server_kind server_libssl;  /* plain, as its users run it */
extern const struct server_kind server_openssl; /* our engine over libssl */
extern const struct server_kind server_native;  /* our own */
