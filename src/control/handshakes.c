/* SPDX-License-Identifier: Apache-2.0 */
#include "control/handshakes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tls/names.h"

#include "base/ban.h"

struct worker_log {
    struct handshake_view view; /* at NULL: none */
    uint64_t next;              /* the first that has no id yet */
};

/* A handshake that was seen; its record may be overwritten by now. */
struct entry {
    uint64_t id;
    size_t source;
    uint64_t number;
};

struct handshakes {
    struct worker_log *sources;
    size_t sources_n;
    struct entry *entries; /* by id; HANDSHAKE_LOG_SLOTS per source at most */
    size_t entries_n;
    uint64_t last_id;
};

struct handshakes *handshakes_new(void)
{
    return mem_alloc(sizeof(struct handshakes));
}

void handshakes_free(struct handshakes **hp)
{
    struct handshakes *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    for (size_t i = 0; i < h->sources_n; i++)
        handshake_log_unmap(&h->sources[i].view);
    free(h->sources);
    free(h->entries);
    free(h);
}

int handshakes_add_source(struct handshakes *h, size_t index, int fd, struct error *err)
{
    struct handshake_view view;
    if (handshake_log_map(fd, &view, err) < 0)
        return -1;
    if (index >= h->sources_n) {
        h->sources = mem_realloc(h->sources, (index + 1) * sizeof(*h->sources));
        while (h->sources_n <= index)
            h->sources[h->sources_n++] = (struct worker_log){0};
    }
    handshake_log_unmap(&h->sources[index].view);
    h->sources[index] = (struct worker_log){.view = view};
    return 0;
}

/* ---- order ---- */

static uint64_t oldest_of(const struct worker_log *s)
{
    uint64_t count = handshake_log_count(&s->view);
    return count > HANDSHAKE_LOG_SLOTS ? count - HANDSHAKE_LOG_SLOTS : 0;
}

static void forget_overwritten(struct handshakes *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->entries_n; i++)
        if (h->entries[i].number >= oldest_of(&h->sources[h->entries[i].source]))
            h->entries[kept++] = h->entries[i];
    h->entries_n = kept;
}

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Add what is new in source I, with its time as the id until ids are made unique. */
static void gather(struct handshakes *h, size_t i)
{
    struct worker_log *s = &h->sources[i];
    uint64_t count = handshake_log_count(&s->view), oldest = oldest_of(s);
    if (s->next < oldest || s->next > count)
        s->next = oldest;
    for (; s->next < count; s->next++) {
        int64_t time_ms;
        if (handshake_log_time(&s->view, s->next, &time_ms) && time_ms > 0)
            h->entries[h->entries_n++] = (struct entry){(uint64_t)time_ms * 1000, i, s->next};
    }
}

static void look(struct handshakes *h)
{
    forget_overwritten(h);
    size_t known = h->entries_n;
    h->entries = mem_realloc(
        h->entries, (known + h->sources_n * HANDSHAKE_LOG_SLOTS + 1) * sizeof(*h->entries));
    for (size_t i = 0; i < h->sources_n; i++)
        if (h->sources[i].view.at)
            gather(h, i);
    qsort(h->entries + known, h->entries_n - known, sizeof(*h->entries), by_id);
    /* A clock that is far ahead for a moment must not make ids that no later one reaches. */
    uint64_t latest = (uint64_t)clock_wall_ms() * 1000 + 1000;
    for (size_t i = known; i < h->entries_n; i++) {
        uint64_t id = h->entries[i].id < latest ? h->entries[i].id : latest;
        h->last_id = id > h->last_id ? id : h->last_id + 1;
        h->entries[i].id = h->last_id;
    }
}

/* ---- words ---- */

/* What to do about a handshake that failed for another reason than the client's certificate. */
static const char *const remedies[CLOSE_REASON_COUNT] = {
    [CLOSE_HANDSHAKE_TIMEOUT] = "look for packet loss or a client that waits for something; "
                                "timeouts.handshake is the limit",
    [CLOSE_HANDSHAKE_CLOSED] = "the client gave up without saying why: look into its log",
    [CLOSE_HANDSHAKE_ALERT] = "look into the client's log",
    [CLOSE_HANDSHAKE_NO_COMMON] =
        "compare what the client offers (the access log shows tls.offered) with tls.versions, "
        "key_exchange and the kinds of keys in certificates",
    [CLOSE_HANDSHAKE_NOT_TLS] = "the client must speak TLS: https:// instead of http://",
    [CLOSE_HANDSHAKE_INTERNAL] = "the client did nothing wrong: look into the log of Sallyport",
    [CLOSE_HANDSHAKE_PROTOCOL] =
        "update the client, or look for something between that changes bytes",
    [CLOSE_CLIENT_REFUSED] = "see detail",
    [CLOSE_CLIENT_RESET] =
        "the network or the client cut the connection: look into the client's log",
    [CLOSE_CLIENT_TRUNCATED] =
        "the network or the client cut the connection: look into the client's log",
    [CLOSE_DRAINED] = "nothing: the instance was stopped, or its configuration replaced",
};

/* The same, where the client's alert (RFC 8446 §6.2) says more. */
static const struct {
    uint8_t alert;
    const char *remedy;
} alert_remedies[] = {
    {42, "the client cannot use our certificate: check the chain with `sallyport verify`"},
    {43, "the client cannot use this kind of certificate: add one of another kind (RSA, P-256)"},
    {44, "the client says that our certificate is revoked: issue a new one"},
    {45, "the client says that our certificate has expired: renew it, or check the client's clock"},
    {46, "the client does not accept our certificate: check its name and chain, and the client's "
         "log"},
    {48, "the client does not trust the CA of our certificate: give the client that CA, and send "
         "the "
         "intermediates with the certificate"},
    {70, "the client does not accept the version: see tls.versions"},
    {71, "the client wants stronger algorithms than were agreed on: see tls"},
    {112, "the client did not get the name that it asked for: add a domain with its certificate"},
};

static const char *remedy_of(const struct handshake_record *r)
{
    if (r->remedy[0])
        return r->remedy;
    for (size_t i = 0; i < COUNT_OF(alert_remedies) && r->close == CLOSE_HANDSHAKE_ALERT; i++)
        if (alert_remedies[i].alert == r->alert_received)
            return alert_remedies[i].remedy;
    return remedies[r->close] ? remedies[r->close] : close_reason_text(r->close);
}

static void text_if(struct json *j, const char *key, const char *text)
{
    if (text[0])
        json_text(j, key, text);
}

static void write_tls(struct json *j, const struct handshake_record *r)
{
    json_open_object(j, "tls");
    text_if(j, "version", names_version_token(r->version));
    text_if(j, "cipher", r->cipher);
    text_if(j, "group", r->group);
    text_if(j, "signature", r->signature);
    text_if(j, "alpn", r->alpn);
    json_bool(j, "resumed", r->resumed);
    if (r->alert_received)
        json_text(j, "alert_received", tlsconn_alert_name(r->alert_received));
    if (r->alert_sent)
        json_text(j, "alert_sent", tlsconn_alert_name(r->alert_sent));
    json_close_object(j);
}

/* What a worker wrote must not make a second line. */
static bool is_one_line(struct bytes json)
{
    for (size_t i = 0; i < json.n; i++)
        if (json.at[i] < 0x20)
            return false;
    return json.n > 0;
}

static void write_record(struct json *j, uint64_t id, const struct handshake_record *r)
{
    char time[CLOCK_RFC3339_MAX];
    struct bytes peer = {(const uint8_t *)r->peer, r->peer_n};
    clock_format_ms(r->time_ms, time);
    json_open_object(j, NULL);
    json_int64(j, "id", (int64_t)id);
    json_text(j, "time", time);
    json_text(j, "listener", r->listener);
    json_text(j, "client", r->client);
    text_if(j, "sni", r->sni);
    json_int64(j, "ms", (int64_t)r->ms);
    json_text(j, "result", handshake_log_result_name(r->result));
    json_text(j, "reason", handshake_log_reason(r));
    if (r->result != HANDSHAKE_ACCEPTED) {
        json_text(j, "remedy", remedy_of(r));
        text_if(j, "detail", r->detail);
    }
    write_tls(j, r);
    if (is_one_line(peer))
        json_raw(j, "peer", peer);
    steps_write(&r->steps, j, "steps");
    json_close_object(j);
}

/* One line of ENTRY, if it is still there and asked for. -1 if OUT has no room. */
static int write_entry(
    struct handshakes *h, const struct entry *e, bool only_failed, struct buf *out)
{
    struct handshake_record record;
    struct json j;
    if (!handshake_log_read(&h->sources[e->source].view, e->number, &record) ||
        (only_failed && record.result == HANDSHAKE_ACCEPTED))
        return 0;
    json_init(&j, out);
    write_record(&j, e->id, &record);
    return json_failed(&j) || buf_append(out, BYTES("\n")) < 0 ? -1 : 1;
}

/* How many of the entries to look at, from the end, so that LINES_MAX come out. */
static size_t find_start(struct handshakes *h, const struct handshakes_query *q)
{
    size_t i = h->entries_n;
    struct handshake_record record;
    for (size_t lines = 0; i && lines < HANDSHAKES_LINES_MAX; i--) {
        const struct entry *e = &h->entries[i - 1];
        if (q->since && e->id <= q->since)
            break;
        /* With `since`, the first ones are wanted: find where they begin. */
        if (!q->since && handshake_log_read(&h->sources[e->source].view, e->number, &record))
            lines += !q->only_failed || record.result != HANDSHAKE_ACCEPTED;
    }
    return i;
}

int handshakes_write(struct handshakes *h, const struct handshakes_query *q, struct buf *out)
{
    look(h);
    size_t lines = 0;
    for (size_t i = find_start(h, q); i < h->entries_n && lines < HANDSHAKES_LINES_MAX; i++) {
        int written = write_entry(h, &h->entries[i], q->only_failed, out);
        if (written < 0)
            return -1;
        lines += (size_t)written;
    }
    return 0;
}

static int parse_number(struct bytes text, uint64_t *out)
{
    if (!text.n || text.n > 18)
        return -1;
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -1;
        *out = *out * 10 + (uint64_t)(text.at[i] - '0');
    }
    return 0;
}

int handshakes_parse_query(struct bytes text, struct handshakes_query *out)
{
    *out = (struct handshakes_query){0};
    while (text.n) {
        struct bytes part = bytes_first(text, bytes_find(text, '&'));
        text = bytes_skip(text, part.n + 1);
        if (bytes_equal(part, BYTES("failed=1")))
            out->only_failed = true;
        else if (!bytes_starts_with(part, BYTES("since=")) ||
                 parse_number(bytes_skip(part, strlen("since=")), &out->since) < 0)
            return -1;
    }
    return 0;
}
