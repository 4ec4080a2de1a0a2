/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server and its tickets: which one a session may be resumed by, and what goes into a
 * new one.
 *
 * A ticket that opens is not yet a session that goes on: the client's certificates in it are judged
 * as if they had just been shown. Any doubt means the full handshake, in the same connection, and
 * never an alert (RFC 8446 §4.2.11: "If no acceptable PSKs are found, the server SHOULD perform a
 * non-PSK handshake if possible").
 */
#include <stdlib.h>

#include "base/memory.h"
#include "tls/server.h"
#include "tls/ticket.h"

#include "base/ban.h"

/* Does the ticket say of the client what the policy demands today? Its binding made sure that the
 * policy is the same; this is the second bolt on that door. */
static bool suits_policy(const struct machine *m, const struct ticket_content *t)
{
    switch (m->policy->peer) {
    case PEER_NOT_ASKED:
        return t->chain.n == 0;
    case PEER_OPTIONAL:
        return true;
    case PEER_REQUIRED:
        return t->chain.n > 0;
    }
    return false;
}

/* A deadline counts as it was promised, and as the policy has it now, whichever comes first. */
static int64_t deadline_s(const struct machine *m, const struct ticket_content *t)
{
    int64_t now_s = t->authenticated_s + m->policy->session_lifetime_s;
    return t->ends_s < now_s ? t->ends_s : now_s;
}

/* RFC 8446 §4.2.11: a PSK is good with one hash. RFC 6066 §3: in TLS 1.2 a session of another name
 * is not resumed; in TLS 1.3 the name of this ClientHello counts, and "there is no need for the
 * server to associate an SNI value with the ticket" (RFC 8446 §4.6.1): the policy is bound to it.
 */
static bool suits(const struct machine *m, const struct ticket_content *t)
{
    bool is_like = m->version == TLS_1_3 ? t->secret.hash == m->suite->hash
                                         : strcmp(t->server_name, m->facts.sni) == 0;
    bool is_in_time = t->authenticated_s <= m->now_s && m->now_s < deadline_s(m, t);
    return t->version == m->version && is_like && is_in_time && suits_policy(m, t);
}

static void drop_ticket(struct machine *m)
{
    ticket_content_fini(m->hs->ticket);
    free(m->hs->ticket);
    m->hs->ticket = NULL;
}

bool server_ticket_open(struct machine *m, struct bytes ticket)
{
    struct handshake *hs = m->hs;
    hs->ticket = mem_alloc(sizeof(*hs->ticket));
    bool is_open = ticket_open(m->policy, ticket, m->now_s, hs->ticket, &hs->is_ticket_old);
    if (is_open && suits(m, hs->ticket))
        return true;
    drop_ticket(m);
    return false;
}

static int settle(struct machine *m, bool is_accepted)
{
    struct handshake *hs = m->hs;
    hs->is_resuming = is_accepted;
    m->facts.resumed = is_accepted;
    if (is_accepted)
        m->authenticated_s = hs->ticket->authenticated_s;
    else
        drop_ticket(m);
    return hs->judged(m);
}

static int judged(struct machine *m)
{
    if (m->hs->verdict)
        certificate_list_fini(&m->hs->peer_chain);
    return settle(m, m->hs->verdict == 0);
}

int server_ticket_judge(struct machine *m, machine_fn *fn)
{
    struct handshake *hs = m->hs;
    hs->judged = fn;
    if (m->policy->peer == PEER_NOT_ASKED)
        return settle(m, true);
    certificate_list_add_all(&hs->peer_chain, &hs->ticket->chain);
    return machine_pause(m, MACHINE_JUDGE, judged);
}

bool server_ticket_seal(struct machine *m, struct server_ticket *t, struct buf *out)
{
    const struct handshake *hs = m->hs;
    int64_t ends_s = m->authenticated_s + m->policy->session_lifetime_s;
    if (hs->is_resuming)
        ends_s = deadline_s(m, hs->ticket);
    if (ends_s <= m->now_s)
        return false;
    t->lifetime_s = (uint32_t)(ends_s - m->now_s);
    struct ticket_content content = {.version = m->version,
        .suite = m->suite->id,
        .authenticated_s = m->authenticated_s,
        .ends_s = ends_s,
        .age_add = t->age_add,
        .chain = hs->peer_chain}; /* borrowed */
    if (t->secret)
        content.secret = *t->secret;
    memcpy(content.master, hs->master, sizeof(content.master));
    memcpy(content.server_name, m->facts.sni, sizeof(content.server_name));
    memcpy(content.alpn, m->facts.alpn, sizeof(content.alpn));
    bool is_sealed = ticket_seal(m->policy, &content, out) == 0;
    mem_wipe(&content, sizeof(content));
    return is_sealed;
}
