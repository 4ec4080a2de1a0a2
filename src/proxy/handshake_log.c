/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/handshake_log.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/shared_memory.h"

#include "base/ban.h"

/* `turn` is 1 + the number of the record that the slot holds; 0 while it is written. */
struct slot {
    _Alignas(64) _Atomic uint64_t turn;
    struct handshake_record record;
};

struct handshake_memory {
    _Alignas(64) _Atomic uint64_t count;
    struct slot slots[HANDSHAKE_LOG_SLOTS];
};

struct handshake_log {
    struct handshake_memory *memory;
    struct slot *slot; /* being filled */
};

const char *handshake_log_result_name(enum handshake_result r)
{
    static const char *const names[] = {"accepted", "refused", "failed"};
    return names[r];
}

const char *handshake_log_reason(const struct handshake_record *r)
{
    if (r->result == HANDSHAKE_FAILED)
        return close_reason_token(r->close);
    return reason_token(r->steps.verdict.is_judged ? r->steps.verdict.reason : REASON_ACCEPTED);
}

int handshake_log_new(int *fd, struct error *err)
{
    return shared_memory_new("handshakes", sizeof(struct handshake_memory), fd, err);
}

static void *map(int fd, enum shared_memory_access access, struct error *err)
{
    return shared_memory_map(fd, sizeof(struct handshake_memory), access, err);
}

static void unmap(const void *at)
{
    shared_memory_unmap(at, sizeof(struct handshake_memory));
}

/* ---- writing ---- */

struct handshake_log *handshake_log_open(int fd, struct error *err)
{
    void *at = map(fd, SHARED_MEMORY_WRITE, err);
    if (!at)
        return NULL;
    struct handshake_log *l = mem_alloc(sizeof(*l));
    l->memory = at;
    return l;
}

void handshake_log_close(struct handshake_log **lp)
{
    struct handshake_log *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    unmap(l->memory);
    free(l);
}

struct handshake_record *handshake_log_begin(struct handshake_log *l)
{
    uint64_t n = atomic_load_explicit(&l->memory->count, memory_order_relaxed);
    l->slot = &l->memory->slots[n % HANDSHAKE_LOG_SLOTS];
    struct handshake_record *r = &l->slot->record;
    atomic_store_explicit(&l->slot->turn, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    memset(r, 0, offsetof(struct handshake_record, listener));
    memset(&r->steps, 0, sizeof(r->steps));
    r->peer_n = 0;
    return r;
}

void handshake_log_end(struct handshake_log *l)
{
    uint64_t n = atomic_load_explicit(&l->memory->count, memory_order_relaxed);
    atomic_store_explicit(&l->slot->turn, n + 1, memory_order_release);
    atomic_store_explicit(&l->memory->count, n + 1, memory_order_release);
}

/* ---- reading ---- */

int handshake_log_map(int fd, struct handshake_view *out, struct error *err)
{
    out->at = map(fd, SHARED_MEMORY_READ, err);
    return out->at ? 0 : -1;
}

void handshake_log_unmap(struct handshake_view *v)
{
    if (v->at)
        unmap(v->at);
    v->at = NULL;
}

uint64_t handshake_log_count(const struct handshake_view *v)
{
    return v->at ? atomic_load_explicit(&v->at->count, memory_order_acquire) : 0;
}

static bool is_record(const struct slot *s, uint64_t n)
{
    return atomic_load_explicit(&s->turn, memory_order_acquire) == n + 1;
}

static bool is_still_record(const struct slot *s, uint64_t n)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&s->turn, memory_order_relaxed) == n + 1;
}

#define END_TEXT(array) ((array)[sizeof(array) - 1] = 0)

/* A bool or an enum with a value that it cannot have is undefined behaviour: they are looked at as
 * bytes. */
static bool byte_is_bool(const bool *b)
{
    uint8_t byte;
    memcpy(&byte, b, 1);
    return byte <= 1;
}

static bool is_in_range(const struct handshake_record *r)
{
    const struct steps_handshake *h = &r->steps;
    bool ok = byte_is_bool(&r->resumed) && byte_is_bool(&h->seen.by_server) &&
              byte_is_bool(&h->key_exchange_rsa) && byte_is_bool(&h->has_answer) &&
              byte_is_bool(&h->verdict.is_judged) && byte_is_bool(&h->verdict.accepted);
    for (unsigned f = 0; f < FACTOR_COUNT; f++)
        ok = ok && (unsigned)h->verdict.factors[f] <= FACTOR_SKIPPED;
    return ok && (unsigned)r->result <= HANDSHAKE_FAILED &&
           (unsigned)r->close < CLOSE_REASON_COUNT && (unsigned)h->verdict.reason < REASON_COUNT &&
           (unsigned)h->server.key_kind <= KEY_UNSUPPORTED &&
           (unsigned)h->client.key_kind <= KEY_UNSUPPORTED &&
           h->seen.versions_offered_n <= COUNT_OF(h->seen.versions_offered) &&
           r->peer_n <= HANDSHAKE_LOG_PEER_MAX;
}

static void end_texts(struct handshake_record *r)
{
    END_TEXT(r->listener);
    END_TEXT(r->client);
    END_TEXT(r->sni);
    END_TEXT(r->cipher);
    END_TEXT(r->group);
    END_TEXT(r->signature);
    END_TEXT(r->alpn);
    END_TEXT(r->detail);
    END_TEXT(r->remedy);
    END_TEXT(r->steps.server.subject);
    END_TEXT(r->steps.server.sha256);
    END_TEXT(r->steps.client.subject);
    END_TEXT(r->steps.client.sha256);
}

bool handshake_log_read(const struct handshake_view *v, uint64_t n, struct handshake_record *out)
{
    const struct slot *s = &v->at->slots[n % HANDSHAKE_LOG_SLOTS];
    if (!is_record(s, n))
        return false;
    memcpy(out, &s->record, sizeof(*out));
    end_texts(out);
    return is_still_record(s, n) && is_in_range(out);
}

bool handshake_log_time(const struct handshake_view *v, uint64_t n, int64_t *time_ms)
{
    const struct slot *s = &v->at->slots[n % HANDSHAKE_LOG_SLOTS];
    if (!is_record(s, n))
        return false;
    *time_ms = s->record.time_ms;
    return is_still_record(s, n);
}
