/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/sessions.h"

#include "base/panic.h"

#include "base/ban.h"

void sessions_clear(struct sessions *s)
{
    while (s->n)
        tlsconn_session_free(&s->at[--s->n]);
    verdict_free(&s->verdict);
    certificate_list_fini(&s->judged);
}

static bool is_same(const struct certificate_list *a, const struct certificate_list *b)
{
    return a->n == b->n && memcmp(a->at, b->at, a->n * sizeof(a->at[0])) == 0;
}

static void copy_list(const struct certificate_list *from, struct certificate_list *to)
{
    certificate_list_fini(to);
    for (size_t i = 0; i < from->n; i++)
        certificate_list_add(to, from->at[i]);
}

static struct verdict *copy_verdict(const struct verdict *v)
{
    struct verdict *copy = verdict_new();
    *copy = *v;
    copy->chain = (struct certificate_list){0};
    copy_list(&v->chain, &copy->chain);
    return copy;
}

struct verdict *sessions_verdict(
    const struct sessions *s, const struct certificate_list *chain, int64_t now_s)
{
    if (!s->verdict || s->judged_s != now_s || !is_same(&s->judged, chain))
        return NULL;
    return copy_verdict(s->verdict);
}

void sessions_judged(struct sessions *s, const struct certificate_list *chain, int64_t now_s,
    const struct verdict *verdict)
{
    verdict_free(&s->verdict);
    s->verdict = copy_verdict(verdict);
    s->judged_s = now_s;
    copy_list(chain, &s->judged);
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
