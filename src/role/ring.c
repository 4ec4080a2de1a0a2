/* SPDX-License-Identifier: Apache-2.0 */
#include "role/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/shared_memory.h"

#include "base/ban.h"

#define DATA_BYTES   (1u << 20) /* a power of two: positions are taken modulo it */
#define LENGTH_BYTES sizeof(uint32_t)

/* Positions only grow; head - tail is what the ring holds. Each side's words have a cache line of
 * their own. */
struct ring_memory {
    _Alignas(64) _Atomic uint64_t head; /* producer */
    _Atomic uint64_t dropped;
    _Alignas(64) _Atomic uint64_t tail; /* consumer */
    _Atomic uint64_t dropped_told;      /* of `dropped`, what ring_dropped has told */
    _Atomic uint32_t consumer_sleeps;
    _Alignas(64) uint8_t data[DATA_BYTES];
};

_Static_assert(RING_RECORD_MAX + LENGTH_BYTES <= DATA_BYTES, "the longest record fits");

int ring_new(int *memory_fd, int *wake_fd, struct error *err)
{
    if (shared_memory_new("ring", sizeof(struct ring_memory), memory_fd, err) < 0)
        return -1;
    *wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*wake_fd >= 0)
        return 0;
    error_errno(err, errno, "no ring for log lines");
    close(*memory_fd);
    return -1;
}

int ring_open(struct ring *r, int memory_fd, int wake_fd, struct error *err)
{
    void *at = shared_memory_map(memory_fd, sizeof(struct ring_memory), SHARED_MEMORY_WRITE, err);
    close(memory_fd);
    if (!at) {
        close(wake_fd);
        return -1;
    }
    *r = (struct ring){.memory = at, .wake_fd = wake_fd};
    r->position = atomic_load(&r->memory->tail);
    return 0;
}

void ring_close(struct ring *r)
{
    if (!r->memory)
        return;
    shared_memory_unmap(r->memory, sizeof(struct ring_memory));
    close(r->wake_fd);
    *r = (struct ring){.wake_fd = -1};
}

/* Bytes of a record: what is before the end of the data, and what goes on at its beginning. */
static void copy_in(struct ring_memory *m, uint64_t at, const void *from, size_t n)
{
    size_t start = at % DATA_BYTES, first = n < DATA_BYTES - start ? n : DATA_BYTES - start;
    memcpy(m->data + start, from, first);
    memcpy(m->data, (const uint8_t *)from + first, n - first);
}

static void copy_out(const struct ring_memory *m, uint64_t at, void *to, size_t n)
{
    size_t start = at % DATA_BYTES, first = n < DATA_BYTES - start ? n : DATA_BYTES - start;
    memcpy(to, m->data + start, first);
    memcpy((uint8_t *)to + first, m->data, n - first);
}

static void wake(struct ring *r)
{
    uint64_t one = 1;
    ignore_result(write(r->wake_fd, &one, sizeof(one)));
}

bool ring_push(struct ring *r, struct bytes line)
{
    struct ring_memory *m = r->memory;
    uint64_t head = atomic_load_explicit(&m->head, memory_order_relaxed);
    uint64_t used = head - atomic_load_explicit(&m->tail, memory_order_acquire);
    uint64_t free_bytes = used <= DATA_BYTES ? DATA_BYTES - used : 0;
    if (!line.n || line.n > RING_RECORD_MAX || LENGTH_BYTES + line.n > free_bytes) {
        atomic_fetch_add_explicit(&m->dropped, 1, memory_order_relaxed);
        return false;
    }
    uint32_t length = (uint32_t)line.n;
    copy_in(m, head, &length, LENGTH_BYTES);
    copy_in(m, head + LENGTH_BYTES, line.at, line.n);
    /* Sequentially consistent, as are the store and the load in ring_sleep: either we see that the
     * consumer sleeps, or it sees our record. Only the consumer clears the flag, so that being
     * killed here cannot lose a wake-up for good: the next record sees the flag again. */
    atomic_store(&m->head, head + LENGTH_BYTES + line.n);
    if (atomic_load(&m->consumer_sleeps))
        wake(r);
    return true;
}

bool ring_gather(struct ring *r, struct buf *out)
{
    struct ring_memory *m = r->memory;
    uint64_t head = atomic_load_explicit(&m->head, memory_order_acquire);
    bool is_any = false;
    while (r->position != head) {
        uint64_t left = head - r->position;
        uint32_t length = 0;
        if (left > LENGTH_BYTES)
            copy_out(m, r->position, &length, LENGTH_BYTES);
        if (left > DATA_BYTES || !length || length > RING_RECORD_MAX ||
            length > left - LENGTH_BYTES) {
            /* Nonsense: begin anew at what the producer says is its end. */
            r->position = head;
            atomic_fetch_add_explicit(&m->dropped, 1, memory_order_relaxed);
            break;
        }
        if (length > buf_room(out))
            break;
        copy_out(m, r->position + LENGTH_BYTES, buf_space(out, length), length);
        buf_added(out, length);
        r->position += LENGTH_BYTES + length;
        is_any = true;
    }
    return is_any;
}

void ring_release(struct ring *r)
{
    atomic_store_explicit(&r->memory->tail, r->position, memory_order_release);
}

uint64_t ring_dropped(struct ring *r)
{
    uint64_t dropped = atomic_load_explicit(&r->memory->dropped, memory_order_relaxed);
    return dropped - atomic_exchange(&r->memory->dropped_told, dropped);
}

bool ring_sleep(struct ring *r)
{
    atomic_store(&r->memory->consumer_sleeps, 1);
    if (atomic_load(&r->memory->head) == r->position)
        return true;
    atomic_store(&r->memory->consumer_sleeps, 0);
    return false;
}

void ring_awake(struct ring *r)
{
    uint64_t count;
    ignore_result(read(r->wake_fd, &count, sizeof(count)));
    atomic_store(&r->memory->consumer_sleeps, 0);
}
