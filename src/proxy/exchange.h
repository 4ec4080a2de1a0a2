/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * exchange — one HTTP request and its response between a client and a target; or, for TCP and after
 * a 101, the relay between them.
 *
 *   NONE → TARGET ⇄ FLOW → NONE        HTTP; back to TARGET where a request is sent a second time
 *            │       └→ RELAY → NONE   after a 101
 *            └→ RELAY → NONE           TCP, TCP_SSL
 *   any → NONE                         refused or failed
 *
 *   TARGET  who may pass has been decided; a connection to a target opens (proxy/exchange_target.c).
 *   FLOW    request and response flow, each a piece at a time, while the other side has room.
 *   RELAY   bytes flow both ways (proxy/relay.c).
 *
 * The client is spoken to through struct client: a connection of HTTP/1.1 has one exchange at a time,
 * each stream of HTTP/2 its own. Memory: embedded in whatever speaks to the client, and dies with it.
 */
/* clang-format on */
#pragma once

#include "balance/upstream.h"
#include "base/arena.h"
#include "config/config.h"
#include "proxy/pace.h"
#include "proxy/party_gzip.h"
#include "proxy/party_http1.h"
#include "proxy/sticky.h"
#include "proxy/transfer.h"

struct conn;
struct exchange;

#define EXCHANGE_TARGETS_MAX 3 /* tried for one exchange or relay, when connecting fails */

enum exchange_state {
    EXCHANGE_NONE,
    EXCHANGE_TARGET,
    EXCHANGE_FLOW,
    EXCHANGE_RELAY,
    EXCHANGE_STATE_COUNT
};

enum response_state { RESPONSE_AWAITED, RESPONSE_BODY, RESPONSE_COMPLETE };

/* What an exchange says to its client besides bodies. */
struct client_ops {
    /* Send what can be sent. False if the client is gone; then the exchange has ended with it. */
    bool (*flush)(struct exchange *e);
    /* Is there room for a head? */
    bool (*takes_head)(struct exchange *e);
    /* May its response be compressed, at PARTY_GZIP_MEMORY? */
    bool (*affords_gzip)(struct exchange *e);
    /* The head of the response, and of an interim one (RFC 9110 §15.2). */
    void (*respond)(struct exchange *e, const struct http1_head *h);
    void (*inform)(struct exchange *e, const struct http1_head *h);
    /* The head of a 101: what follows is relayed. */
    void (*upgrade)(struct exchange *e, const struct http1_head *h);
    /* A whole response of ours. */
    void (*refuse)(struct exchange *e, unsigned status, const char *detail);
    /* Can there be another exchange after this one? */
    bool (*goes_on)(const struct exchange *e);
    /* The exchange is over, and E is NONE; WENT_ON: what goes_on said. */
    void (*end)(struct exchange *e, bool went_on);
    /* A response has begun that cannot be completed, or a request came that cannot be answered: it
     * must see that it was cut off. REASON: enum close_reason. */
    void (*cut)(struct exchange *e, int reason, const char *detail);
};

struct client {
    const struct client_ops *ops;
    struct party *party;
    size_t ahead;      /* how much of its request may wait for the target */
    size_t *allowance; /* how much of its responses may be received; NULL: no such bound */
    size_t reserve;    /* of that, which is not for making single ones faster */
};

enum target_answer {
    TARGET_HEAD,  /* the head of a response has come */
    TARGET_WAITS, /* for one */
    TARGET_BAD,   /* what came is none */
    TARGET_ENDED  /* there will be none */
};

enum target_release {
    TARGET_KEEP, /* the exchange is complete */
    TARGET_CLOSE,
    TARGET_RESET /* the target must not take what it got for complete */
};

/* What an exchange says to its target, and asks it, besides bodies. From connecting on there is an
 * upstream; all but poll, release, held and fit are for a READY one. */
struct target_ops {
    /* Send the head, and what was kept of the body. */
    void (*begin)(struct exchange *e);
    void (*flush)(struct exchange *e);
    /* Will it take no more of the request? */
    bool (*is_deaf)(struct exchange *e);
    /* Where content goes before it is flushed. */
    struct buf *(*written)(struct exchange *e);
    /* Look for the head of a response; H is valid until it is taken. */
    enum target_answer (*head)(struct exchange *e, struct http1_head *h, enum http1_fault *fault);
    /* H is the final one, and has not been changed: its body is what follows. */
    void (*begin_body)(struct exchange *e, const struct http1_head *h);
    void (*take_head)(struct exchange *e);
    /* Has any part of a response come? */
    bool (*has_answered)(struct exchange *e);
    /* There will be no response: can the request be sent once more? */
    bool (*may_repeat)(struct exchange *e);
    /* E has no upstream any more. */
    void (*release)(struct exchange *e, enum target_release how);
    void (*poll)(struct exchange *e, bool wants_response);
    /* Bytes that it holds for E. */
    size_t (*held)(struct exchange *e);
    /* Give back what it does not need of them. */
    void (*fit)(struct exchange *e);
};

struct exchange {
    struct conn *conn;
    struct client client;
    enum exchange_state state;
    struct timer *timer; /* whoever made E has it, and calls exchange_late when it fires */
    timer_fn *fire;
    struct pace pace; /* of a body that is waited for */

    struct group *group;
    const struct target *tried[EXCHANGE_TARGETS_MAX];
    size_t tried_n;
    struct upstream *upstream; /* connecting or connected; with HTTP/2 others may have it, too */
    struct party *target;
    const struct target_ops *target_ops;
    struct party_http1 http1; /* a target that speaks that */
    size_t head_n;            /* of which a head of so many bytes was shown */

    struct arena arena;               /* the texts below */
    struct bytes method, host, uri;   /* URI: path and query as received */
    struct bytes path;                /* the beginning of it */
    struct bytes user_agent, referer; /* for the log in the form of CLB only */
    const struct config_rule *rule;
    bool lacks_slash; /* the path, to be that of the rule (ROUTE_SLASH) */
    struct sticky sticky;
    struct verdict *refused; /* by the rule's own authentication, or NULL */
    bool is_suspect;         /* who knows where the client believes its request to end */
    bool is_idempotent;      /* RFC 9110 §9.2.2 */
    bool has_body;           /* of more than no bytes */
    bool expects_continue;   /* RFC 9110 §10.1.1 */
    bool takes_gzip;         /* the client; asked only where the rule wants compression */
    struct party_gzip gzip;  /* of the target's content, where it is compressed on its way */
    struct bytes upgrade;    /* the protocols that were asked for on the way to the target */
    struct buf sent;         /* the head for the target */
    struct buf kept;         /* as much of the body as went there, while it can be sent again */
    bool can_repeat;         /* all of it is there, and that may be done */
    bool is_repeated;        /* it was */
    bool is_heard;           /* the target has sent an interim response */
    struct transfer request;
    struct transfer response;
    enum response_state response_state;
    size_t scanned; /* RESPONSE_AWAITED: see http1_parse_response */
    bool target_keeps_alive;
    unsigned status;                  /* sent to the client; 0: none yet */
    uint64_t started_ms, answered_ms; /* request head complete; response head complete */
};

/* TIMER is E's as long as it is not NONE. */
void exchange_init(struct exchange *e, struct conn *conn, struct client client, struct timer *timer,
    timer_fn *fire);
/* Forget what was, for the next one. The target has been released. */
void exchange_clear(struct exchange *e);
void exchange_fini(struct exchange *e);

/* A request has come with HEAD (valid during this call only): route it, or answer with an error. */
void exchange_begin(struct exchange *e, struct http1_head *head);
/* Bytes are to be relayed to GROUP (TCP, TCP_SSL). */
void exchange_begin_relay(struct exchange *e, struct group *group);
/* What came is no request: answer so. FAULT: enum http1_fault. */
void exchange_refuse(struct exchange *e, int fault);
/* Answer with an error of ours, if no response has begun; else cut it off. REASON: enum
 * close_reason. */
void exchange_fail(struct exchange *e, unsigned status, int reason, const char *detail);

/* Do what can be done with what has arrived. */
void exchange_run(struct exchange *e);
/* What was waited for has not come in time. */
void exchange_late(struct exchange *e);
/* Wait for what is of use from the target; for its response only if there is MEMORY for it. */
void exchange_poll(struct exchange *e, bool memory);

/* Something moved: the time-out of the state starts anew. */
void exchange_progress(struct exchange *e, uint64_t timeout_ms);
/* Done with the target, if there is one. */
void exchange_release(struct exchange *e, enum target_release how);
/* Has the client sent its whole request (so that what follows is the next one)? */
bool exchange_is_request_whole(const struct exchange *e);

/* For the files of exchange. */

/* The request will not be sent again. */
void exchange_forget_request(struct exchange *e);

/* The only function that writes e->state. */
void exchange_goto(struct exchange *e, enum exchange_state next, uint64_t timeout_ms);
/* Choose a target of GROUP and connect; an idle connection will do that was used within the last
 * IDLE_MAX_MS (0: none will). Answers with state FLOW or RELAY, or through exchange_fail or a
 * close. */
void exchange_connect(struct exchange *e, struct group *group, uint64_t idle_max_ms);
/* The idle connection that was taken turned out closed: a new one to the same target, or, if that
 * cannot be reached, another. */
void exchange_connect_anew(struct exchange *e);
void exchange_run_target(struct exchange *e);
void exchange_late_target(struct exchange *e);
