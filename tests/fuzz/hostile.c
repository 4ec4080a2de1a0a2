/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method has no successor that is as short */
#include "hostile.h"

#include <openssl/rand.h>

#include "base/memory.h"
#include "base/panic.h"
#include "hostile_message.h"
#include "tls/machine_parts.h"

#include "base/ban.h"

#define UNITS_MAX   32
#define CONTENT_MAX (64 * 1024) /* of a record's content that is looked into */

struct hostile hostile;

/* ---- randomness ---- */

static uint64_t random_state;

/* xorshift64*: Vigna, 2016. */
static int next_random(unsigned char *out, int n)
{
    for (int i = 0; i < n; i++) {
        random_state ^= random_state >> 12;
        random_state ^= random_state << 25;
        random_state ^= random_state >> 27;
        out[i] = (uint8_t)((random_state * UINT64_C(2685821657736338717)) >> 56);
    }
    return 1;
}

static int has_random(void)
{
    return 1;
}

void hostile_seed(uint8_t seed)
{
    static const RAND_METHOD method = {
        .bytes = next_random, .pseudorand = next_random, .status = has_random};
    random_state = seed + 1;
    ASSERT(RAND_set_rand_method(&method) == 1);
}

/* ---- what the program is linked around ---- */

int __wrap_machine_send(struct machine *m, struct wire_writer *w);
int __real_machine_send(struct machine *m, struct wire_writer *w);
size_t __wrap_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve);
size_t __real_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve);
struct key_share *__wrap_key_share_new(uint16_t group);
struct key_share *__real_key_share_new(uint16_t group);

static bool is_side(const struct side *s, const struct machine *m)
{
    return s && s->m == m;
}

/* A share that is not sent leads to HelloRetryRequest, if it is of another group than the server
 * will ask for. */
struct key_share *__wrap_key_share_new(uint16_t group)
{
    bool is_first = hostile.wants_retry && group == GROUP_X25519;
    return __real_key_share_new(is_first ? GROUP_SECP256R1 : group);
}

int __wrap_machine_send(struct machine *m, struct wire_writer *w)
{
    bool is_hello = !m->role->is_server && m->state == MACHINE_WAIT_SERVER_HELLO;
    if (hostile.wants_retry && is_hello) {
        hostile_message_without_shares(m);
        hostile.wants_retry = false;
    }
    if (hostile.is_terse && m->role->is_server)
        hostile_message_without(m, EXTENSION_RECORD_SIZE_LIMIT);
    bool is_peer = is_side(hostile.peer, m) && !w->has_failed;
    if (is_peer && !hostile_message_change(m, hostile.tape))
        return 0;
    return __real_machine_send(m, w);
}

/* ---- what the victim sends ---- */

static void check_sent(const struct machine *m, enum record_type type, struct bytes content)
{
    /* RFC 8446 §6: nothing follows a fatal alert, and nothing close_notify. */
    ASSERT(!hostile.fatal_alerts && !hostile.closes);
    ASSERT(type != RECORD_APPLICATION_DATA || m->facts.is_handshake_complete);
    if (type != RECORD_ALERT)
        return;
    ASSERT(content.n == 2 && content.at[0] >= 1 && content.at[0] <= 2);
    hostile.fatal_alerts += content.at[0] == ALERT_LEVEL_FATAL;
    hostile.closes += content.at[1] == ALERT_CLOSE_NOTIFY;
}

/* ---- what the peer sends ---- */

/* What becomes a record, or several. */
struct unit {
    enum record_type type;
    struct bytes content;
};
struct line {
    struct unit at[UNITS_MAX];
    size_t n;
    struct buf *out;
    struct record_layer *layer;
};

static uint8_t held[CONTENT_MAX], made_up[256];

static void put(struct line *line, enum record_type type, struct bytes content)
{
    ignore_result((long)__real_record_put(line->layer, type, content, line->out, 0));
}

static void put_alert(struct line *line, const struct unit *u, struct tape *t)
{
    uint8_t alert[2];
    alert[0] = tape_8(t) & 3;
    alert[1] = tape_8(t);
    put(line, RECORD_ALERT, (struct bytes){alert, sizeof(alert)});
    put(line, u->type, u->content);
}

static void put_nothing(struct line *line, const struct unit *u, struct tape *t)
{
}

static void put_twice(struct line *line, const struct unit *u, struct tape *t)
{
    put(line, u->type, u->content);
    put(line, u->type, u->content);
}

static void put_after_ccs(struct line *line, const struct unit *u, struct tape *t)
{
    put(line, RECORD_CHANGE_CIPHER_SPEC, tape_8(t) < 200 ? BYTES("\1") : BYTES("\2"));
    put(line, u->type, u->content);
}

static void put_after_data(struct line *line, const struct unit *u, struct tape *t)
{
    put(line, RECORD_APPLICATION_DATA, BYTES("too early"));
    put(line, u->type, u->content);
}

static void put_split(struct line *line, const struct unit *u, struct tape *t)
{
    size_t n = 1 + tape_below(t, u->content.n);
    put(line, u->type, bytes_first(u->content, n));
    put(line, u->type, bytes_skip(u->content, n));
}

static void put_split_by_alert(struct line *line, const struct unit *u, struct tape *t)
{
    size_t n = 1 + tape_below(t, u->content.n);
    put(line, u->type, bytes_first(u->content, n));
    put(line, RECORD_ALERT, BYTES("\1\x5a")); /* user_canceled */
    put(line, u->type, bytes_skip(u->content, n));
}

/* The first hundred octets one by one: each record costs. */
static void put_in_octets(struct line *line, const struct unit *u, struct tape *t)
{
    size_t n = u->content.n < 100 ? u->content.n : 100;
    for (size_t i = 0; i < n; i++)
        put(line, u->type, bytes_first(bytes_skip(u->content, i), 1));
    put(line, u->type, bytes_skip(u->content, n));
}

/* A message of any type. */
static void put_after_message(struct line *line, const struct unit *u, struct tape *t)
{
    static const uint8_t types[] = {MESSAGE_HELLO_REQUEST, MESSAGE_CLIENT_HELLO,
        MESSAGE_SERVER_HELLO, MESSAGE_NEW_SESSION_TICKET, MESSAGE_END_OF_EARLY_DATA,
        MESSAGE_ENCRYPTED_EXTENSIONS, MESSAGE_CERTIFICATE, MESSAGE_SERVER_KEY_EXCHANGE,
        MESSAGE_CERTIFICATE_REQUEST, MESSAGE_SERVER_HELLO_DONE, MESSAGE_CERTIFICATE_VERIFY,
        MESSAGE_CLIENT_KEY_EXCHANGE, MESSAGE_FINISHED, MESSAGE_CERTIFICATE_STATUS,
        MESSAGE_KEY_UPDATE, MESSAGE_MESSAGE_HASH};
    uint8_t message[MESSAGE_HEADER_SIZE + 64] = {types[tape_below(t, sizeof(types))]};
    message[3] = tape_8(t) & 63;
    for (size_t i = 0; i < message[3]; i++)
        message[MESSAGE_HEADER_SIZE + i] = tape_8(t);
    put(line, RECORD_HANDSHAKE, (struct bytes){message, MESSAGE_HEADER_SIZE + message[3]});
    put(line, u->type, u->content);
}

/* Another octet somewhere, header included: the transcripts differ. */
static void put_changed(struct line *line, const struct unit *u, struct tape *t)
{
    static uint8_t copy[CONTENT_MAX];
    memcpy(copy, u->content.at, u->content.n);
    size_t at = tape_below(t, u->content.n);
    copy[at] ^= (uint8_t)(1 + tape_8(t) % 255);
    put(line, u->type, (struct bytes){copy, u->content.n});
}

/* Another content type. */
static void put_mistyped(struct line *line, const struct unit *u, struct tape *t)
{
    put(line, RECORD_CHANGE_CIPHER_SPEC + (tape_8(t) & 3), u->content);
}

/* The next message begins in the same record. */
static void put_with_tail(struct line *line, const struct unit *u, struct tape *t)
{
    static uint8_t both[CONTENT_MAX + sizeof(made_up)];
    size_t n = 1 + tape_below(t, sizeof(made_up));
    memcpy(both, u->content.at, u->content.n);
    memset(made_up, tape_8(t), n);
    memcpy(both + u->content.n, made_up, n);
    put(line, u->type, (struct bytes){both, u->content.n + n});
}

static void put_empty_records(struct line *line, const struct unit *u, struct tape *t)
{
    const uint8_t header[] = {(uint8_t)u->type, 3, 3, 0, 0};
    for (unsigned n = tape_8(t) & 63; n; n--)
        ignore_result(buf_append(line->out, (struct bytes){header, sizeof(header)}));
    put(line, u->type, u->content);
}

/* Damage on the way: an octet of the record as it is sent. */
static void put_damaged(struct line *line, const struct unit *u, struct tape *t)
{
    size_t before = buf_size(line->out);
    put(line, u->type, u->content);
    size_t n = buf_size(line->out) - before;
    size_t at = tape_below(t, n);
    if (n)
        line->out->at[line->out->start + before + at] ^= (uint8_t)(1 + tape_8(t) % 255);
}

/* After the next one: perhaps under other keys. */
static void put_later(struct line *line, const struct unit *u, struct tape *t)
{
    if (hostile.held_n) {
        put(line, u->type, u->content);
        return;
    }
    memcpy(held, u->content.at, u->content.n);
    hostile.held_n = u->content.n;
    hostile.held_type = u->type;
}

typedef void put_fn(struct line *line, const struct unit *u, struct tape *t);
static put_fn *const ways[] = {put_nothing, put_twice, put_after_ccs, put_after_data, put_split,
    put_split_by_alert, put_in_octets, put_after_message, put_changed, put_mistyped, put_with_tail,
    put_empty_records, put_damaged, put_later, put_alert};

static void put_unit(struct line *line, const struct unit *u, struct tape *t)
{
    size_t way = tape_8(t);
    struct bytes due = {held, hostile.held_n};
    if (way >= 1 && way <= COUNT_OF(ways) && u->content.n)
        ways[way - 1](line, u, t);
    else
        put(line, u->type, u->content);
    if (due.n) {
        put(line, hostile.held_type, due);
        hostile.held_n = 0;
    }
}

/* Handshake messages are units each, anything else is one. */
static void divide(struct line *line, enum record_type type, struct bytes content)
{
    while (content.n) {
        size_t n = content.n;
        if (type == RECORD_HANDSHAKE && n >= MESSAGE_HEADER_SIZE && line->n < UNITS_MAX - 1)
            n = MESSAGE_HEADER_SIZE +
                ((size_t)content.at[1] << 16 | (size_t)content.at[2] << 8 | content.at[3]);
        struct bytes one = bytes_first(content, n);
        line->at[line->n++] = (struct unit){type, one};
        content = bytes_skip(content, one.n);
    }
}

static void put_line(struct line *line, struct tape *t)
{
    size_t swapped = tape_8(t);
    if (swapped && swapped < line->n) {
        struct unit u = line->at[swapped];
        line->at[swapped] = line->at[swapped - 1];
        line->at[swapped - 1] = u;
    }
    for (size_t i = 0; i < line->n; i++)
        put_unit(line, &line->at[i], t);
}

size_t __wrap_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve)
{
    struct line line = {.out = out, .layer = l};
    if (hostile.victim && hostile.victim->m && l == &hostile.victim->m->send)
        check_sent(hostile.victim->m, type, content);
    bool is_peer = hostile.peer && hostile.peer->m && l == &hostile.peer->m->send;
    if (!is_peer || content.n > CONTENT_MAX || !hostile.tape->left.n)
        return __real_record_put(l, type, content, out, reserve);
    divide(&line, type, content);
    put_line(&line, hostile.tape);
    return content.n;
}

/* ---- when the handshake is over ---- */

static void say_data(struct machine *m, struct tape *t)
{
    memset(made_up, 'p', sizeof(made_up));
    ignore_result((long)machine_write(m, (struct bytes){made_up, 1 + tape_8(t)}));
}

/* RFC 8446 §4.6.3, N times in a row. */
static void say_key_update(struct machine *m, struct tape *t)
{
    const uint8_t message[] = {MESSAGE_KEY_UPDATE, 0, 0, 1, tape_8(t) & 1};
    struct record_keys keys;
    for (unsigned n = 1 + tape_8(t) % 110; n && m->version == TLS_1_3; n--) {
        ignore_result((long)__real_record_put(
            &m->send, RECORD_HANDSHAKE, (struct bytes){message, sizeof(message)}, &m->wire_out, 0));
        key_schedule_update(&m->send_secret);
        key_schedule_keys(&m->send_secret, m->suite, &keys);
        record_set_keys(&m->send, &keys);
    }
}

static void say_message(struct machine *m, struct tape *t)
{
    struct line line = {.out = &m->wire_out, .layer = &m->send};
    struct unit data = {RECORD_APPLICATION_DATA, BYTES("and on")};
    ways[tape_below(t, COUNT_OF(ways))](&line, &data, t);
}

static void say_goodbye(struct machine *m, struct tape *t)
{
    machine_close(m);
}

void hostile_say_more(void)
{
    static void (*const all[])(struct machine * m, struct tape * t) = {
        say_data, say_key_update, say_message, say_goodbye};
    struct machine *m = hostile.peer->m;
    if (machine_write_room(m))
        all[tape_below(hostile.tape, COUNT_OF(all))](m, hostile.tape);
}
