/* SPDX-License-Identifier: Apache-2.0 */
#include "forged_hello.h"

#include "base/panic.h"
#include "tls/message.h"

#include "base/ban.h"

static void put_extensions(struct wire_writer *w, const struct hello *h)
{
    const struct addition usual[] = {{43, BYTES("\2\3\4")}, {10, BYTES("\0\4\0\x1d\0\x17")},
        {51, BYTES(SHARE)}, {13, BYTES(SCHEMES)}};
    bool is_put = !h->a.body.at || h->is_left_out;
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        bool is_other = h->is_tls12 && (usual[i].number == 43 || usual[i].number == 51);
        bool is_changed = usual[i].number == h->a.number && (h->a.body.at || h->is_left_out);
        if (is_changed && !h->is_left_out)
            side_put_extension(w, (uint16_t)h->a.number, h->a.body);
        else if (!is_changed && !is_other)
            side_put_extension(w, (uint16_t)usual[i].number, usual[i].body);
        is_put = is_put || is_changed;
    }
    if (!is_put)
        side_put_extension(w, (uint16_t)h->a.number, h->a.body);
    if (h->b.body.at)
        side_put_extension(w, (uint16_t)h->b.number, h->b.body);
}

static void put_vector(struct wire_writer *w, unsigned length_n, struct bytes content)
{
    struct wire_mark vector = wire_begin(w, length_n);
    wire_put(w, content);
    wire_end(w, vector);
}

void forged_hello_put_message(struct wire_writer *w, const struct hello *h)
{
    uint8_t random[32] = {h->has_other_random};
    struct wire_mark message = message_begin(w, MESSAGE_CLIENT_HELLO);
    wire_put_16(w, h->legacy ? h->legacy : TLS_1_2);
    wire_put(w, (struct bytes){random, sizeof(random)});
    put_vector(w, 1, h->session_id);
    put_vector(w, 2, h->suites.at ? h->suites : BYTES("\x13\x01\xc0\x2b"));
    put_vector(w, 1, h->compression.at ? h->compression : BYTES("\0"));
    struct wire_mark extensions = wire_begin(w, 2);
    put_extensions(w, h);
    wire_end(w, extensions);
    wire_end(w, message);
}

void forged_hello_put(struct buf *out, const struct hello *h)
{
    struct wire_writer w = {.out = out};
    wire_put_24(&w, 0x160301);
    struct wire_mark record = wire_begin(&w, 2);
    forged_hello_put_message(&w, h);
    wire_end(&w, record);
    ASSERT(!w.has_failed);
}

void forged_hello_start(struct side *s, struct credential *credential, const struct hello *h)
{
    side_init(s, &machine_server, &credential, 1);
    side_start(s);
    forged_hello_put(&s->m->wire_in, h);
    side_run(s);
}
