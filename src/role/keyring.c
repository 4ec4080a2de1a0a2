/* SPDX-License-Identifier: Apache-2.0 */
#include "role/keyring.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "role/key_store.h"

#include "base/ban.h"

#define MS_PER_S 1000

struct key {
    struct private_key *key; /* never NULL */
    unsigned allowed;
};

/* How much of a second's worth is left of one worker's ceiling for one key. */
struct allowance {
    uint32_t left;
    uint64_t at_ms;
};

/* The keys of a generation. */
struct store {
    uint64_t number;
    struct key *keys;
    size_t n;
    struct allowance *of_worker[KEYRING_WORKERS_MAX]; /* by key; NULL: has asked for nothing yet */
};

struct keyring {
    struct store **stores;
    size_t n;
};

/* ---- generations ---- */

static void free_store(struct store *s)
{
    for (size_t i = 0; i < s->n; i++)
        private_key_unref(&s->keys[i].key);
    for (size_t i = 0; i < KEYRING_WORKERS_MAX; i++)
        free(s->of_worker[i]);
    free(s->keys);
    free(s);
}

static struct store *make_store(uint64_t number, struct bytes from)
{
    struct store *s = mem_alloc(sizeof(*s));
    struct key key;
    size_t capacity = 0;
    s->number = number;
    while ((key.key = key_store_next(&from, &key.allowed))) {
        if (s->n == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            s->keys = mem_realloc(s->keys, capacity * sizeof(*s->keys));
        }
        s->keys[s->n++] = key;
    }
    return s;
}

struct keyring *keyring_new(void)
{
    return mem_alloc(sizeof(struct keyring));
}

void keyring_free(struct keyring **kp)
{
    struct keyring *k = *kp;
    *kp = NULL;
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++)
        free_store(k->stores[i]);
    free(k->stores);
    free(k);
}

void keyring_add(struct keyring *k, uint64_t number, struct bytes store)
{
    keyring_remove(k, number);
    k->stores = mem_realloc(k->stores, (k->n + 1) * sizeof(struct store *));
    k->stores[k->n++] = make_store(number, store);
}

void keyring_remove(struct keyring *k, uint64_t number)
{
    for (size_t i = 0; i < k->n; i++) {
        if (k->stores[i]->number != number)
            continue;
        free_store(k->stores[i]);
        k->stores[i] = k->stores[--k->n];
        return;
    }
}

size_t keyring_keys(const struct keyring *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->stores[i]->n;
    return n;
}

/* ---- requests ---- */

static struct store *find(const struct keyring *k, uint64_t number)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->stores[i]->number == number)
            return k->stores[i];
    return NULL;
}

/* May WORKER have one more? A token bucket that holds a second's worth. */
static bool is_within_ceiling(struct store *s, unsigned worker, uint32_t key, uint64_t now_ms)
{
    ASSERT(worker < KEYRING_WORKERS_MAX);
    if (!s->of_worker[worker]) {
        s->of_worker[worker] = mem_calloc(s->n, sizeof(struct allowance));
        for (size_t i = 0; i < s->n; i++)
            s->of_worker[worker][i] = (struct allowance){KEYRING_CEILING, now_ms};
    }
    struct allowance *a = &s->of_worker[worker][key];
    uint64_t passed_ms = now_ms - a->at_ms;
    uint64_t left =
        a->left + (passed_ms < MS_PER_S ? passed_ms : MS_PER_S) * (KEYRING_CEILING / MS_PER_S);
    a->at_ms = now_ms;
    a->left = left < KEYRING_CEILING ? (uint32_t)left : KEYRING_CEILING;
    if (!a->left)
        return false;
    a->left--;
    return true;
}

void keyring_answer(struct keyring *k, unsigned worker, struct bytes request, uint64_t now_ms,
    struct signing_answer *out)
{
    struct signing_head head;
    struct signing_request r;
    out->n = 0;
    if (!signing_read(request, &head, &r)) {
        out->outcome = SIGNING_MALFORMED;
        return;
    }
    unsigned may = worker == KEYRING_CONTROL ? SIGNING_AS_CLIENT : ~0u;
    struct store *s = find(k, head.store);
    if (!s || head.key >= s->n)
        out->outcome = SIGNING_NO_KEY;
    else if (!is_within_ceiling(s, worker, head.key, now_ms))
        out->outcome = SIGNING_TOO_OFTEN;
    else
        signing_answer(&r, s->keys[head.key].key, s->keys[head.key].allowed & may, out);
}
