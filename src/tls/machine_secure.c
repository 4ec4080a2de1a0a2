/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's transcript, keys, signature and Finished: what server and client do alike. */
#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "tls/machine_parts.h"
#include "tls/names.h"

#include "base/ban.h"

/* ---- the transcript (RFC 8446 §4.4.1) ---- */

void machine_transcript_append(struct machine *m, struct bytes message)
{
    struct handshake *hs = m->hs;
    if (hs->has_transcript)
        hash_add(&hs->transcript, message);
    /* Its maximum is that of all messages together. */
    if (hs->keeps_messages && buf_append(&hs->messages, message) < 0)
        panic("the messages of a handshake are longer than all of them can be");
}

void machine_transcript_add(struct machine *m, struct bytes message)
{
    machine_transcript_append(m, message);
    m->hs->is_added = true;
}

void machine_transcript_forget(struct machine *m)
{
    m->hs->keeps_messages = false;
    buf_fini(&m->hs->messages);
}

void machine_transcript_start(struct machine *m)
{
    struct handshake *hs = m->hs;
    ASSERT(!hs->has_transcript);
    hash_init(&hs->transcript, m->suite->hash);
    hash_add(&hs->transcript, buf_bytes(&hs->messages));
    hs->has_transcript = true;
    if (m->version == TLS_1_3)
        machine_transcript_forget(m);
}

struct bytes machine_transcript_hash(const struct machine *m, uint8_t out[HASH_SIZE_MAX])
{
    ASSERT(m->hs->has_transcript);
    return (struct bytes){out, hash_peek(&m->hs->transcript, out)};
}

void machine_transcript_retry(struct machine *m)
{
    uint8_t first[HASH_SIZE_MAX];
    struct bytes digest = machine_transcript_hash(m, first);
    const uint8_t header[MESSAGE_HEADER_SIZE] = {MESSAGE_MESSAGE_HASH, 0, 0, (uint8_t)digest.n};
    hash_init(&m->hs->transcript, m->suite->hash);
    hash_add(&m->hs->transcript, (struct bytes){header, sizeof(header)});
    hash_add(&m->hs->transcript, digest);
}

/* ---- what was agreed ---- */

void machine_note_suite(struct machine *m)
{
    const char *name = tlsconn_cipher_name(m->suite->id);
    m->facts.version = m->version;
    m->facts.key_exchange_rsa = m->suite->is_rsa_kx;
    snprintf(m->facts.cipher, sizeof(m->facts.cipher), "%s", name ? name : "");
}

void machine_note_group(struct machine *m)
{
    const char *name = names_group(m->hs->group);
    snprintf(m->facts.group, sizeof(m->facts.group), "%s", name ? name : "");
}

/* ---- keys ---- */

int machine_check_boundary(struct machine *m)
{
    if (buf_size(&m->in) > m->reading_n)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "not on record boundary");
    return 0;
}

int machine_receive_with(struct machine *m, const struct record_keys *keys)
{
    if (machine_check_boundary(m) < 0)
        return -1;
    record_set_keys(&m->receive, keys);
    return 0;
}

/* RFC 8449 §4: the limit is for protected records; in TLS 1.3 it counts the content type, too. */
void machine_limit_records(struct machine *m)
{
    size_t limit = m->hs->record_limit;
    if (!limit)
        return;
    if (m->version == TLS_1_3)
        limit--;
    if (limit < m->send.plain_max)
        m->send.plain_max = limit;
}

int machine_send_with(struct machine *m, const struct record_keys *keys)
{
    if (machine_flush(m) < 0)
        return -1;
    record_set_keys(&m->send, keys);
    machine_limit_records(m);
    return 0;
}

int machine_receive_secret(struct machine *m, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, m->suite, &keys);
    int result = machine_receive_with(m, &keys);
    mem_wipe(&keys, sizeof(keys));
    return result;
}

int machine_send_secret(struct machine *m, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, m->suite, &keys);
    int result = machine_send_with(m, &keys);
    mem_wipe(&keys, sizeof(keys));
    return result;
}

/* Traffic keys and both Finished come of it. */
static const struct hmac_key *master_key(struct handshake *hs, enum hash_kind hash)
{
    if (!hs->has_master_key)
        hmac_key_init(&hs->master_key, hash, (struct bytes){hs->master, sizeof(hs->master)});
    hs->has_master_key = true;
    return &hs->master_key;
}

/* Both directions' come out of one derivation, so the second one finds it done. */
static const struct record_keys *master_keys(struct machine *m, bool by_server)
{
    struct handshake *hs = m->hs;
    if (!hs->has_keys)
        prf_keys_make(m->suite, master_key(hs, m->suite->hash), hs->client_random,
            hs->server_random, &hs->keys);
    hs->has_keys = true;
    return by_server ? &hs->keys.server : &hs->keys.client;
}

int machine_receive_master(struct machine *m)
{
    return machine_receive_with(m, master_keys(m, !m->role->is_server));
}

int machine_send_master(struct machine *m)
{
    return machine_send_with(m, master_keys(m, m->role->is_server));
}

/* RFC 5246 §8.1; RFC 7627 §4. */
void machine_make_master(struct machine *m, struct bytes premaster)
{
    struct handshake *hs = m->hs;
    uint8_t digest[HASH_SIZE_MAX];
    struct prf_seed seed = {"master secret", {hs->client_random, sizeof(hs->client_random)},
        {hs->server_random, sizeof(hs->server_random)}};
    if (hs->has_extended_master_secret)
        seed = (struct prf_seed){"extended master secret", machine_transcript_hash(m, digest), {0}};
    prf_make(m->suite->hash, premaster, seed, hs->master, MASTER_SECRET_SIZE);
}

void machine_handshake_secrets(struct machine *m)
{
    uint8_t digest[HASH_SIZE_MAX];
    struct handshake *hs = m->hs;
    struct bytes transcript = machine_transcript_hash(m, digest);
    key_schedule_derive(&hs->schedule, "c hs traffic", transcript, &hs->client_secret);
    key_schedule_derive(&hs->schedule, "s hs traffic", transcript, &hs->server_secret);
    key_schedule_handshake_traffic(&hs->client_secret, m->suite, &hs->client_traffic);
    key_schedule_handshake_traffic(&hs->server_secret, m->suite, &hs->server_traffic);
    key_schedule_next(&hs->schedule, (struct bytes){0});
}

void machine_application_secrets(struct machine *m)
{
    uint8_t digest[HASH_SIZE_MAX];
    bool is_server = m->role->is_server;
    struct bytes transcript = machine_transcript_hash(m, digest);
    key_schedule_derive(&m->hs->schedule, "c ap traffic", transcript,
        is_server ? &m->receive_secret : &m->send_secret);
    key_schedule_derive(&m->hs->schedule, "s ap traffic", transcript,
        is_server ? &m->send_secret : &m->receive_secret);
}

/* ---- our signature ---- */

const struct signature_scheme *machine_choose_scheme(
    const struct machine *m, const struct credential *c)
{
    const struct signature_scheme_signer signer = {m->version, credential_key_kind(c),
        certificate_facts(c->chain.at[0])->key_bits, m->policy->own_schemes};
    return signature_scheme_choose(m->hs->peer_schemes, &signer);
}

int machine_sign(struct machine *m, enum signing_kind kind, machine_fn *fn)
{
    m->hs->sign.kind = kind;
    return machine_pause(m, MACHINE_SIGN, fn);
}

int machine_put_signature(struct machine *m, struct wire_writer *w)
{
    struct bytes signature = m->hs->signature;
    wire_put_16(w, m->hs->scheme->number);
    struct wire_mark mark = wire_begin(w, 2);
    wire_put(w, signature);
    wire_end(w, mark);
    return 0;
}

/* ---- Finished ---- */

/* RFC 8446 §4.4.4; RFC 5246 §7.4.9. */
static size_t verify_data(const struct machine *m, bool by_server, uint8_t out[HASH_SIZE_MAX])
{
    uint8_t digest[HASH_SIZE_MAX];
    struct handshake *hs = m->hs;
    struct bytes transcript = machine_transcript_hash(m, digest);
    if (m->version == TLS_1_3)
        return key_schedule_finish(
            by_server ? &hs->server_traffic.finished : &hs->client_traffic.finished, transcript,
            out);
    prf_expand(master_key(hs, m->suite->hash),
        (struct prf_seed){by_server ? "server finished" : "client finished", transcript, {0}}, out,
        VERIFY_DATA_SIZE);
    return VERIFY_DATA_SIZE;
}

int machine_send_finished(struct machine *m)
{
    uint8_t data[HASH_SIZE_MAX];
    size_t n = verify_data(m, m->role->is_server, data);
    struct wire_writer w = machine_begin(m, MESSAGE_FINISHED);
    wire_put(&w, (struct bytes){data, n});
    return machine_send(m, &w);
}

int machine_check_finished(struct machine *m, struct bytes body)
{
    uint8_t data[HASH_SIZE_MAX];
    size_t n = verify_data(m, !m->role->is_server, data);
    if (body.n != n)
        return machine_violation(m, ALERT_DECODE_ERROR, "bad digest length");
    if (!constant_time_equal(data, body.at, n))
        return machine_violation(m, ALERT_DECRYPT_ERROR, "digest check failed");
    return 0;
}
