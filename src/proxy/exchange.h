/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange — one HTTP request and its response, between a client connection and a connection to a
 * target.
 *
 * Both bodies stream: a piece is taken from one side only while the other has room for it. Part of
 * struct conn.
 */
#pragma once

#include "base/arena.h"
#include "config/config.h"
#include "proxy/transfer.h"

struct conn;

enum response_state { RESPONSE_AWAITED, RESPONSE_BODY, RESPONSE_COMPLETE };

struct exchange {
    struct arena arena; /* the texts below */
    struct bytes method, host, path;
    const struct config_rule *rule;
    unsigned minor_version;  /* of the client's request */
    bool client_keeps_alive; /* as its request says */
    bool is_idempotent;      /* RFC 9110 §9.2.2 */
    bool expects_continue;   /* RFC 9110 §10.1.1 */
    struct bytes upgrade;    /* the protocols that were asked for on the way to the target */
    struct buf sent;         /* what the target is sent, as long as it may have to be sent again */
    bool can_repeat;         /* all of it is there */
    bool is_heard;           /* the target has sent an interim response */
    struct transfer request;
    struct transfer response;
    enum response_state response_state;
    size_t scanned; /* RESPONSE_AWAITED: see http1_parse_response */
    bool target_keeps_alive;
    unsigned status;                  /* sent to the client; 0: none yet */
    uint64_t started_ms, answered_ms; /* request head complete; response head complete */
};

/* A request head of LENGTH bytes stands at the start of client.in, parsed as the proxy's head:
 * route it, or answer with an error. */
void exchange_begin(struct conn *c, size_t length);
/* What stands there cannot be parsed: answer and close. FAULT: enum http1_fault. */
void exchange_refuse(struct conn *c, int fault);
/* Answer with an error of ours, if no response has begun; else cut the connection. REASON: enum
 * close_reason. */
void exchange_fail(struct conn *c, unsigned status, int reason, const char *detail);

/* The connection to a target is ready. */
void exchange_connected(struct conn *c);
/* Move what can be moved. */
void exchange_run(struct conn *c);
/* What was waited for has not come in time. */
void exchange_late(struct conn *c);

void exchange_init(struct exchange *e);
void exchange_fini(struct exchange *e);
