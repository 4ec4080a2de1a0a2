/* SPDX-License-Identifier: Apache-2.0 */
/* Our two engines, as the program uses them: tls/tlsconn.h, and the verifier of pki/. */
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/panic.h"
#include "server.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

#define LIFETIME_S (24 * 3600)

struct context {
    const struct server_plan *plan;
    struct tlspolicy *policy;
    int64_t now_s;
};

/* ---- what the engine asks ---- */

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    const struct context *c = owner;
    return c->policy;
}

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    const struct context *c = owner;
    struct verdict v;
    verify_chain(c->plan->verify, chain, chain_n, c->now_s, &v);
    if (!v.accepted)
        panic("the client's certificate is refused: %s", reason_token(v.reason));
    verdict_fini(&v);
    return 0;
}

static const struct tlsconn_handler handler = {.choose = choose, .judge = judge};

/* ---- the context ---- */

static void *prepare(const struct server_plan *plan, enum tlspolicy_engine engine)
{
    struct error err = {""};
    struct context *c = mem_alloc(sizeof(*c));
    const struct tlspolicy_config config = {.engine = engine,
        .role = TLSPOLICY_SERVER,
        .version_min = TLS_1_2,
        .version_max = TLS_1_3,
        .preference = PREFER_STRONGEST,
        .credentials = &plan->credential,
        .credentials_n = 1,
        .peer = plan->ca ? PEER_REQUIRED : PEER_NOT_ASKED,
        .ca = plan->ca,
        .tickets = !plan->ca || engine == ENGINE_NATIVE, /* as authn.c has it */
        .session_lifetime_s = LIFETIME_S,
        .hash = {1},
        .ticket_secret = {.at = {2}}};
    c->plan = plan;
    c->now_s = time(NULL);
    c->policy = tlspolicy_new(&config, &err);
    if (!c->policy)
        panic("%s", err.text);
    return c;
}

static void *prepare_openssl(const struct server_plan *plan)
{
    return prepare(plan, ENGINE_OPENSSL);
}

static void *prepare_native(const struct server_plan *plan)
{
    return prepare(plan, ENGINE_NATIVE);
}

static void discard(void *context)
{
    struct context *c = context;
    tlspolicy_free(&c->policy);
    free(c);
}

/* ---- a connection ---- */

static void *open_connection(void *context)
{
    const struct context *c = context;
    return tlsconn_new_server(c->policy, &handler, context);
}

static void close_connection(void *connection)
{
    struct tlsconn *c = connection;
    tlsconn_free(&c);
}

static struct buf *wire_in(void *connection)
{
    return tlsconn_wire_in(connection);
}

static struct buf *wire_out(void *connection)
{
    return tlsconn_wire_out(connection);
}

static void shake_hands(void *connection, int64_t now_s)
{
    if (tlsconn_handshake(connection, now_s) == TLSCONN_FAILED)
        panic("the server fails: %s", tlsconn_failure(connection)->text);
}

static void read_plain(void *connection, struct buf *out)
{
    if (tlsconn_read(connection, out) != TLSCONN_OK)
        panic("the server does not read");
}

static void write_plain(void *connection, struct bytes data)
{
    size_t taken = 0;
    if (tlsconn_write(connection, data, &taken) != TLSCONN_OK || taken != data.n)
        panic("the server does not write");
}

static uint16_t version(void *connection)
{
    return tlsconn_facts(connection)->version;
}

static bool is_resumed(void *connection)
{
    return tlsconn_facts(connection)->resumed;
}

#define FUNCTIONS                                                                               \
    .discard = discard, .open = open_connection, .close = close_connection, .wire_in = wire_in, \
    .wire_out = wire_out, .shake_hands = shake_hands, .read = read_plain, .write = write_plain, \
    .version = version, .is_resumed = is_resumed

const struct server_kind server_openssl = {"openssl", prepare_openssl, FUNCTIONS};
const struct server_kind server_native = {"native", prepare_native, FUNCTIONS};
