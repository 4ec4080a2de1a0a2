/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/sessions.h"

#include "base/panic.h"

#include "base/ban.h"

void sessions_clear(struct sessions *s)
{
    while (s->n)
        tlsconn_session_free(&s->at[--s->n]);
}

void sessions_keep(struct sessions *s, struct tlsconn_session *session)
{
    if (!tlsconn_session_is_single_use(session))
        sessions_clear(s);
    if (s->n == SESSIONS_MAX) {
        tlsconn_session_free(&s->at[0]);
        memmove(s->at, s->at + 1, (SESSIONS_MAX - 1) * sizeof(s->at[0]));
        s->n--;
    }
    s->at[s->n++] = session;
}

const struct tlsconn_session *sessions_newest(struct sessions *s, int64_t now_s)
{
    while (s->n && tlsconn_session_ends_s(s->at[s->n - 1]) <= now_s)
        tlsconn_session_free(&s->at[--s->n]);
    return s->n ? s->at[s->n - 1] : NULL;
}

void sessions_offered(struct sessions *s)
{
    ASSERT(s->n);
    if (tlsconn_session_is_single_use(s->at[s->n - 1]))
        tlsconn_session_free(&s->at[--s->n]);
}
