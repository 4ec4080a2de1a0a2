/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/machine_parts.h"

#include "base/ban.h"

/* ---- records and messages ---- */

void talk_say(struct talk *t, enum record_type type, struct bytes content)
{
    ASSERT(record_put(&t->seal, type, content, &t->side.m->wire_in, 0) == content.n);
    side_run(&t->side);
}

void talk_say_message(struct talk *t, enum message_type type, struct bytes body)
{
    struct buf message;
    buf_init(&message, 4096);
    struct wire_writer w = {.out = &message};
    struct wire_mark mark = message_begin(&w, type);
    wire_put(&w, body);
    wire_end(&w, mark);
    ASSERT(!w.has_failed);
    talk_say(t, RECORD_HANDSHAKE, buf_bytes(&message));
    buf_fini(&message);
}

void talk_use_traffic(struct talk *t, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, t->side.m->suite, &keys);
    record_set_keys(&t->seal, &keys);
}

static bool by_server(const struct talk *t)
{
    return !t->side.role->is_server;
}

/* ---- what both roles say ---- */

void talk_certificate(struct talk *t)
{
    struct buf body;
    buf_init(&body, 4096);
    struct wire_writer w = {.out = &body};
    message_put_certificate(
        &w, t->is_tls13, (struct bytes){0}, &t->credential->chain, (struct bytes){0});
    talk_say_message(t, MESSAGE_CERTIFICATE, buf_bytes(&body));
    buf_fini(&body);
}

void talk_no_certificate(struct talk *t)
{
    talk_say_message(t, MESSAGE_CERTIFICATE, t->is_tls13 ? BYTES("\0\0\0\0") : BYTES("\0\0\0"));
}

void talk_verify(struct talk *t)
{
    uint8_t digest[HASH_SIZE_MAX], body[4 + PRIVATE_KEY_SIGNATURE_MAX] = {4, 3};
    const struct handshake *hs = t->side.m->hs;
    uint8_t verify[SIGNING_VERIFY_MAX];
    struct bytes content = hs ? buf_bytes(&hs->messages) : (struct bytes){0};
    if (hs && hs->has_transcript && t->is_tls13)
        content = (struct bytes){
            verify, signing_verify_content(by_server(t),
                        (struct bytes){digest, hash_peek(&hs->transcript, digest)}, verify)};
    size_t n = private_key_sign(t->credential->key, SIGNATURE_ECDSA_SHA256, content, body + 4);
    body[2] = (uint8_t)(n >> 8);
    body[3] = (uint8_t)n;
    talk_say_message(t, MESSAGE_CERTIFICATE_VERIFY, (struct bytes){body, 4 + n});
}

void talk_finished(struct talk *t)
{
    uint8_t digest[HASH_SIZE_MAX], data[HASH_SIZE_MAX];
    const struct machine *m = t->side.m;
    const struct handshake *hs = m->hs;
    size_t n = VERIFY_DATA_SIZE;
    if (!hs || !hs->has_transcript) {
        talk_say_message(t, MESSAGE_FINISHED, BYTES("123456789012"));
        return;
    }
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    if (t->is_tls13)
        n = key_schedule_verify_data(
            by_server(t) ? &hs->server_secret : &hs->client_secret, transcript, data);
    else
        prf_make(m->suite->hash, (struct bytes){hs->master, MASTER_SECRET_SIZE},
            (struct prf_seed){
                by_server(t) ? "server finished" : "client finished", transcript, {0}},
            data, n);
    talk_say_message(t, MESSAGE_FINISHED, (struct bytes){data, n});
    /* Whoever has taken it reads with the keys of the application. */
    if (t->is_tls13 && !m->hs && !t->has_keys) {
        talk_use_traffic(t, &m->receive_secret);
        t->has_keys = true;
    }
}

void talk_change_cipher_spec(struct talk *t)
{
    const struct machine *m = t->side.m;
    struct hmac_key key;
    struct prf_keys keys;
    talk_say(t, RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"));
    if (!m->hs || !m->suite || t->side.event == MACHINE_FAILED)
        return;
    hmac_key_init(&key, m->suite->hash, (struct bytes){m->hs->master, MASTER_SECRET_SIZE});
    prf_keys_make(m->suite, &key, m->hs->client_random, m->hs->server_random, &keys);
    record_set_keys(&t->seal, by_server(t) ? &keys.server : &keys.client);
}

void talk_key_update(struct talk *t)
{
    talk_say_message(t, MESSAGE_KEY_UPDATE, BYTES("\0"));
    if (t->has_keys && t->side.event != MACHINE_FAILED)
        talk_use_traffic(t, &t->side.m->receive_secret);
}

void talk_data(struct talk *t)
{
    talk_say(t, RECORD_APPLICATION_DATA, BYTES("GET /"));
}

/* ---- all there is to say ---- */

struct walk {
    struct talk *talk;
    const struct talk_plan *plan;
    char said[TALK_LENGTH_MAX + 1];
    unsigned said_n, opened, with_data;
    bool has_failed;
};

static void check(struct walk *w, bool is_so, const char *what, size_t n)
{
    if (!is_so)
        printf("# %s after %.*s\n", what, (int)n, w->said);
    w->has_failed |= !is_so;
}

/* Do the first N words open the connection? */
static bool is_open(const struct walk *w, size_t n)
{
    char said[TALK_LENGTH_MAX + 1];
    size_t said_n = 0;
    for (size_t i = 0; i < n; i++)
        if (!strchr(w->plan->ignored, w->said[i]))
            said[said_n++] = w->said[i];
    said[said_n] = '\0';
    for (const char *const *o = w->plan->openings; *o; o++)
        if (strncmp(said, *o, strlen(*o)) == 0)
            return true;
    return false;
}

static void say_word(struct walk *w, char letter)
{
    for (size_t i = 0; i < w->plan->words_n; i++)
        if (w->plan->words[i].letter == letter)
            w->plan->words[i].say(w->talk);
}

static void check_step(struct walk *w, size_t i)
{
    struct side *s = &w->talk->side;
    bool is_data = s->event == MACHINE_DATA, is_complete = s->m->facts.is_handshake_complete;
    check(w, !is_complete || is_open(w, i + 1), "open", i + 1);
    check(w, !is_data || (is_open(w, i) && w->said[i] == 'd'), "application data", i + 1);
    check(w, (machine_opened(s->m).n > 0) == is_data, "no event, or no data", i + 1);
    check(w, is_complete || machine_write_room(s->m) == 0, "writable", i + 1);
    if (is_data)
        machine_take(s->m, machine_opened(s->m).n);
}

/* Say again what W->said holds. False: they have heard enough. */
static bool replay(struct walk *w, size_t n)
{
    struct talk *t = w->talk;
    struct side *s = &t->side;
    bool is_data = false;
    side_start(s);
    record_fini(&t->seal);
    record_init(&t->seal);
    t->has_keys = false;
    w->plan->begin(t);
    for (size_t i = 0; i < n; i++) {
        say_word(w, w->said[i]);
        is_data = s->event == MACHINE_DATA;
        check_step(w, i);
    }
    w->said_n++;
    w->with_data += is_data;
    return s->event != MACHINE_FAILED && !w->has_failed;
}

/* Whoever is dead stays so: what begins with what killed it need not be said. */
static void walk(struct walk *w, size_t n)
{
    if (!replay(w, n))
        return;
    w->opened += w->talk->side.m->facts.is_handshake_complete;
    for (const char *letter = w->plan->letters; n < w->plan->length && *letter; letter++) {
        w->said[n] = *letter;
        walk(w, n + 1);
    }
}

/* Each of the openings does open, or the walk would show nothing. */
static void check_openings(struct walk *w)
{
    for (const char *const *o = w->plan->openings; *o; o++) {
        size_t n = strlen(*o);
        ASSERT(n < w->plan->length);
        memcpy(w->said, *o, n);
        replay(w, n);
        check(w, w->talk->side.m->facts.is_handshake_complete, "not open", n);
    }
}

static double all_there_are(const struct talk_plan *plan)
{
    double n = 0, of_length = 1;
    for (size_t i = 0; i <= plan->length; i++) {
        n += of_length;
        of_length *= (double)strlen(plan->letters);
    }
    return n;
}

bool talk_walk(struct talk *t, const struct talk_plan *plan)
{
    struct walk w = {.talk = t, .plan = plan};
    ASSERT(plan->length <= TALK_LENGTH_MAX);
    record_init(&t->seal);
    check_openings(&w);
    walk(&w, 0);
    printf("# %u sequences said, for the %.0f that begin with them: %u open, %u with data\n",
        w.said_n, all_there_are(plan), w.opened, w.with_data);
    record_fini(&t->seal);
    return !w.has_failed && w.opened && w.with_data;
}
