/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine's sessions, as a client: what a server gives, and what is offered to it again.
 *
 * A session is bound to policy and server name, and knows the certificates and the time of the full
 * handshake that it goes back to, however often it was resumed since.
 *
 * libssl spoils the session of a connection that ends without close_notify, and that which a
 * renewed ticket of TLS 1.2 replaces. So what the owner keeps, and what is offered, are copies.
 */
#include <stdlib.h>

#include <openssl/ssl.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "tls/engine_openssl.h"

#include "base/ban.h"

struct session {
    struct tlsconn_session base; /* first */
    SSL_SESSION *native;         /* libssl wipes its secrets */
};

static SSL_SESSION *copy_native(const SSL_SESSION *native)
{
    SSL_SESSION *copy = SSL_SESSION_dup(native);
    if (!copy)
        panic("out of memory");
    return copy;
}

static bool is_tls13(const SSL_SESSION *native)
{
    return SSL_SESSION_get_protocol_version(native) == TLS1_3_VERSION;
}

/* When a session that was authenticated at AUTHENTICATED_S ends; a time that has passed if it must
 * not be kept at all. */
static int64_t end_of(
    const struct connection *c, const SSL_SESSION *native, int64_t authenticated_s)
{
    int64_t ends_s = authenticated_s + c->base.policy->session_lifetime_s;
    int64_t hint_s = (int64_t)SSL_SESSION_get_ticket_lifetime_hint(native);
    /* RFC 8446 §4.6.1: "The value of zero indicates that the ticket should be discarded
     * immediately." In RFC 5077 §3.3 it says nothing. Counted from the handshake, a little early.
     */
    if ((hint_s || is_tls13(native)) && c->now_s + hint_s < ends_s)
        ends_s = c->now_s + hint_s;
    return ends_s;
}

/* Whatever a server sends costs no more than this, and what the owner lets it cost. */
static bool is_short(const SSL_SESSION *native)
{
    const unsigned char *ticket;
    size_t n = 0;
    SSL_SESSION_get0_ticket(native, &ticket, &n);
    return n <= TLSCONN_TICKET_MAX;
}

/* RFC 7627 §5.3: "The client SHOULD NOT offer an abbreviated handshake to resume a session that
 * does not use an extended master secret": it might be known to another server, that passed on who
 * we are. TLS 1.3 has nothing else. */
static bool is_bound(const struct connection *c, const SSL_SESSION *native)
{
    return is_tls13(native) || SSL_get_extms_support(c->ssl) == 1;
}

/* Give the owner what NATIVE, the session of C, lets it resume. */
static void give(struct connection *c, const SSL_SESSION *native)
{
    int64_t authenticated_s = SSL_session_reused(c->ssl) ? c->resumed_auth_s : c->now_s;
    int64_t ends_s = end_of(c, native, authenticated_s);
    if (!c->base.policy->tickets || !c->handler->session || !SSL_SESSION_is_resumable(native) ||
        !is_short(native) || !is_bound(c, native) || ends_s <= c->now_s || !c->shown.n ||
        c->sessions_n == TLSCONN_SESSIONS_MAX)
        return;
    c->sessions_n++;
    struct session *s = mem_alloc(sizeof(*s));
    s->native = copy_native(native);
    s->base.engine = &engine_openssl;
    s->base.authenticated_s = authenticated_s;
    s->base.ends_s = ends_s;
    s->base.is_single_use = is_tls13(native);
    certificate_list_add_all(&s->base.chain, &c->shown);
    memcpy(s->base.binding, c->base.policy->binding, sizeof(s->base.binding));
    memcpy(s->base.server_name, c->facts.sni, sizeof(s->base.server_name));
    c->handler->session(c->owner, &s->base);
}

/* libssl's callback for a new session: with each ticket of TLS 1.3. In TLS 1.2 it does not come for
 * a ticket that was renewed: engine_session_established. */
static int take_ticket(SSL *ssl, SSL_SESSION *native)
{
    if (is_tls13(native))
        give(engine_connection_of(ssl), native);
    return 0; /* libssl keeps its reference */
}

void engine_session_established(struct connection *c)
{
    const SSL_SESSION *native = SSL_get_session(c->ssl);
    if (!is_tls13(native) && (!SSL_session_reused(c->ssl) || c->has_ticket))
        give(c, native);
}

void engine_session_install(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, take_ticket);
}

bool engine_session_offer(struct tlsconn *base, const struct tlsconn_session *s)
{
    struct connection *c = engine_connection(base);
    ASSERT(!c->is_server && c->state == CONNECTION_HANDSHAKE && !c->facts.offered_n);
    SSL_SESSION *copy = copy_native(((const struct session *)s)->native);
    bool is_taken = SSL_set_session(c->ssl, copy) == 1;
    SSL_SESSION_free(copy);
    if (is_taken) {
        c->resumed_auth_s = s->authenticated_s;
        certificate_list_fini(&c->shown);
        certificate_list_add_all(&c->shown, &s->chain);
    }
    return is_taken;
}

void engine_session_free(struct tlsconn_session *base)
{
    struct session *s = container_of(base, struct session, base);
    SSL_SESSION_free(s->native);
    free(s);
}
