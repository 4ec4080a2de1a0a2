/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/session.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* RFC 8446 §4.6.1: "Clients MUST NOT cache tickets for longer than 7 days". */
#define LIFETIME_MAX_S (7 * 24 * 3600)

static struct bytes copy_bytes(struct bytes b)
{
    return (struct bytes){b.n ? (const uint8_t *)mem_strndup(b.at, b.n) : NULL, b.n};
}

static struct session *copy(const struct session *from)
{
    struct session *s = mem_alloc(sizeof(*s));
    *s = *from;
    s->ticket = copy_bytes(from->ticket);
    s->common.chain = (struct certificate_list){0};
    certificate_list_add_all(&s->common.chain, &from->common.chain);
    return s;
}

void session_free(struct tlsconn_session *common)
{
    if (!common)
        return;
    struct session *s = container_of(common, struct session, common);
    if (s->ticket.n)
        mem_wipe((void *)(uintptr_t)s->ticket.at, s->ticket.n);
    free((void *)(uintptr_t)s->ticket.at);
    certificate_list_fini(&common->chain);
    mem_wipe(s, sizeof(*s));
    free(s);
}

/* ---- offering ---- */

void session_offer(struct machine *m, const struct tlsconn_session *s)
{
    ASSERT(!m->role->is_server && m->state == MACHINE_START && !m->hs->offered);
    m->hs->offered = copy((const struct session *)s);
}

uint32_t session_obfuscated_age(const struct session *s, int64_t now_s)
{
    int64_t age_s = now_s > s->received_s ? now_s - s->received_s : 0;
    return (uint32_t)((uint64_t)age_s * 1000) + s->age_add;
}

/* ---- taking ---- */

/* When a session ends that the server grants HINT_S from now; a time that has passed if it must not
 * be kept at all. */
static int64_t end_of(const struct machine *m, uint32_t hint_s)
{
    int64_t ends_s = m->authenticated_s + m->policy->session_lifetime_s;
    int64_t granted_s = m->now_s + (hint_s < LIFETIME_MAX_S ? hint_s : LIFETIME_MAX_S);
    return granted_s < ends_s ? granted_s : ends_s;
}

static struct session *make(const struct machine *m, struct bytes ticket, int64_t ends_s)
{
    /* Whatever a server sends costs no more than this, and what the owner lets it cost. */
    bool is_wanted = m->policy->tickets && m->handler->session && ticket.n <= TLSCONN_TICKET_MAX &&
                     ends_s > m->now_s && m->shown.n;
    if (!is_wanted)
        return NULL;
    struct session *s = mem_alloc(sizeof(*s));
    s->common = (struct tlsconn_session){.engine = m->engine,
        .authenticated_s = m->authenticated_s,
        .ends_s = ends_s,
        .is_single_use = m->version == TLS_1_3}; /* RFC 8446 C.4 */
    memcpy(s->common.binding, m->policy->binding, sizeof(s->common.binding));
    memcpy(s->common.server_name, m->facts.sni, sizeof(s->common.server_name));
    certificate_list_add_all(&s->common.chain, &m->shown);
    s->version = m->version;
    s->suite = m->suite;
    s->received_s = m->now_s;
    s->ticket = copy_bytes(ticket);
    return s;
}

struct session *session_new_13(const struct machine *m, const struct new_session_ticket *ticket)
{
    /* RFC 8446 §4.6.1: "The value of zero indicates that the ticket should be discarded
     * immediately." */
    struct session *s = make(m, ticket->ticket, end_of(m, ticket->lifetime_s));
    if (!s)
        return NULL;
    s->age_add = ticket->age_add;
    s->psk.hash = m->resumption.hash;
    key_schedule_expand(
        &m->resumption, "resumption", ticket->nonce, s->psk.at, hash_size(s->psk.hash));
    return s;
}

struct session *session_new_12(const struct machine *m, uint32_t hint_s, struct bytes ticket)
{
    const struct handshake *hs = m->hs;
    /* RFC 7627 §5.3: "The client SHOULD NOT offer an abbreviated handshake to resume a session that
     * does not use an extended master secret": it might be known to another server, that passed on
     * who we are. */
    bool can_resume = hs->has_extended_master_secret && (ticket.n || hs->session_id.n);
    /* RFC 5077 §3.3: a lifetime hint of zero says nothing. */
    struct session *s =
        can_resume ? make(m, ticket, end_of(m, hint_s ? hint_s : LIFETIME_MAX_S)) : NULL;
    if (!s)
        return NULL;
    memcpy(s->master, hs->master, sizeof(s->master));
    ASSERT(hs->session_id.n <= sizeof(s->id));
    if (!ticket.n) {
        memcpy(s->id, hs->session_id.at, hs->session_id.n);
        s->id_n = hs->session_id.n;
    }
    return s;
}

void session_give(struct machine *m, struct session *s)
{
    if (s)
        m->handler->session(m->owner, &s->common);
}
