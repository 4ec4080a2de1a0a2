/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a connection or a session is asked of the engine that made it. */
#include "tls/tlsconn.h"

#include "base/panic.h"
#include "tls/policy_parts.h"

#include "base/ban.h"

struct tlsconn *tlsconn_new_server(
    const struct tlspolicy *initial, const struct tlsconn_handler *handler, void *owner)
{
    ASSERT(initial->role == TLSPOLICY_SERVER);
    return initial->engine->new_server(initial, handler, owner);
}

struct tlsconn *tlsconn_new_client(const struct tlspolicy *policy, const char *server_name,
    const struct tlsconn_handler *handler, void *owner)
{
    ASSERT(policy->role == TLSPOLICY_CLIENT);
    return policy->engine->new_client(policy, server_name, handler, owner);
}

void tlsconn_free(struct tlsconn **c)
{
    if (!*c)
        return;
    (*c)->engine->free(*c);
    *c = NULL;
}

/* ---- bytes ---- */

struct buf *tlsconn_wire_in(struct tlsconn *c)
{
    return c->engine->wire_in(c);
}

struct buf *tlsconn_wire_out(struct tlsconn *c)
{
    return c->engine->wire_out(c);
}

enum tlsconn_status tlsconn_handshake(struct tlsconn *c, int64_t now_s)
{
    return c->engine->handshake(c, now_s);
}

enum tlsconn_status tlsconn_read(struct tlsconn *c, struct buf *out)
{
    return c->engine->read(c, out);
}

enum tlsconn_status tlsconn_write(struct tlsconn *c, struct bytes data, size_t *taken)
{
    return c->engine->write(c, data, taken);
}

size_t tlsconn_write_room(const struct tlsconn *c)
{
    return c->engine->write_room(c);
}

bool tlsconn_has_pending(const struct tlsconn *c)
{
    return c->engine->has_pending(c);
}

void tlsconn_close(struct tlsconn *c)
{
    c->engine->close(c);
}

/* ---- what is known ---- */

const struct tlsconn_facts *tlsconn_facts(const struct tlsconn *c)
{
    return c->facts;
}

const struct tlsconn_failure *tlsconn_failure(const struct tlsconn *c)
{
    return c->failure;
}

struct bytes tlsconn_staple(const struct tlsconn *c)
{
    return c->engine->staple(c);
}

/* ---- sessions ---- */

bool tlsconn_offer(struct tlsconn *c, const struct tlsconn_session *s, int64_t now_s)
{
    const struct tlspolicy *p = c->policy;
    bool is_acceptable = p->tickets && s->engine == c->engine &&
                         memcmp(s->binding, p->binding, sizeof(s->binding)) == 0 &&
                         strcmp(s->server_name, tlsconn_facts(c)->sni) == 0 &&
                         now_s >= s->authenticated_s && now_s < s->ends_s;
    return is_acceptable && c->engine->offer(c, s);
}

const struct certificate_list *tlsconn_session_chain(const struct tlsconn_session *s)
{
    return &s->chain;
}

int64_t tlsconn_session_ends_s(const struct tlsconn_session *s)
{
    return s->ends_s;
}

bool tlsconn_session_is_single_use(const struct tlsconn_session *s)
{
    return s->is_single_use;
}

void tlsconn_session_free(struct tlsconn_session **s)
{
    if (!*s)
        return;
    certificate_list_fini(&(*s)->chain);
    (*s)->engine->session_free(*s);
    *s = NULL;
}
