/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "timing.h"
#include "tls/client.h"
#include "tls/machine_parts.h"
#include "tls/session.h"
#include "tls/side.h"
#include "tls/ticket.h"

#include "base/ban.h"

static volatile bool answer;

/* ---- tickets ---- */

static const struct tlspolicy *ticket_policy(void)
{
    static struct ticket_keys keys = {.ratchet = {.at = {2}, .hour = NOW_S / RATCHET_PERIOD_S - 1}};
    static const struct tlspolicy policy = {.binding = {1}, .ticket_keys = &keys};
    ticket_keys_advance(&policy, NOW_S);
    return &policy;
}

static void make_ticket(union timing_input *in, size_t *tag_at)
{
    struct buf out;
    struct ticket_content c = {.version = TLS_1_3,
        .suite = 0x1301,
        .authenticated_s = NOW_S,
        .ends_s = NOW_S + HOUR_S,
        .server_name = "www.example"};
    buf_init(&out, sizeof(in->ticket.at));
    random_fill(c.secret.at, sizeof(c.secret.at));
    ASSERT(ticket_seal(ticket_policy(), &c, &out) == 0);
    memset(in, 0, sizeof(*in));
    in->ticket.n = buf_size(&out);
    memcpy(in->ticket.at, buf_bytes(&out).at, in->ticket.n);
    *tag_at = in->ticket.n - AEAD_TAG_SIZE;
    buf_fini(&out);
}

void timing_tls_make_tag(union timing_input *in, int class)
{
    size_t tag_at;
    make_ticket(in, &tag_at);
    in->ticket.at[tag_at + (class ? AEAD_TAG_SIZE - 1 : 0)] ^= 1;
}

void timing_tls_make_name(union timing_input *in, int class)
{
    size_t tag_at;
    make_ticket(in, &tag_at);
    in->ticket.at[class ? TICKET_NAME_SIZE - 1 : 0] ^= 1;
}

void timing_tls_make_either(union timing_input *in, int class)
{
    size_t tag_at;
    make_ticket(in, &tag_at);
    in->ticket.at[class ? tag_at : 0] ^= 1;
}

void timing_tls_open(const union timing_input *in)
{
    struct ticket_content content;
    bool is_old;
    answer = ticket_open(
        ticket_policy(), (struct bytes){in->ticket.at, in->ticket.n}, NOW_S, &content, &is_old);
    ASSERT(!answer);
}

/* What saves time, and tells which keys there are. */
void timing_tls_open_leaking(const union timing_input *in)
{
    const struct ticket_key *key = &ticket_policy()->ticket_keys->current;
    if (memcmp(in->ticket.at, key->name, TICKET_NAME_SIZE) == 0)
        timing_tls_open(in);
}

/* ---- Finished ---- */

/* A server of VERSION that waits for Finished, whatever came before. */
static struct machine *waiting_server(uint16_t version)
{
    static struct side s;
    static struct credential *key;
    if (!key)
        key = pair_credential(KEY_EC_P256, "www.example");
    if (s.m && s.m->version == version)
        return s.m;
    if (s.m)
        side_free(&s);
    side_init(&s, &machine_server, &key, 1);
    side_start(&s);
    s.m->version = version;
    s.m->suite = suite_list_own((struct suite_choice){.version = version}).at[0];
    s.m->hs->client_traffic.finished.hash = s.m->suite->hash;
    machine_transcript_start(s.m);
    return s.m;
}

static struct machine *finishing; /* of the row that is measured */

static void make_finished(union timing_input *in, int class, uint16_t version)
{
    uint8_t digest[HASH_SIZE_MAX];
    struct machine *m = finishing = waiting_server(version);
    struct bytes transcript = machine_transcript_hash(m, digest);
    size_t n = VERIFY_DATA_SIZE;
    memset(in, 0, sizeof(*in));
    if (version == TLS_1_3)
        n = key_schedule_finish(&m->hs->client_traffic.finished, transcript, in->verify_data.at);
    else
        prf_make(m->suite->hash, (struct bytes){m->hs->master, MASTER_SECRET_SIZE},
            (struct prf_seed){"client finished", transcript, {0}}, in->verify_data.at, n);
    in->verify_data.n = n;
    in->verify_data.at[class ? n - 1 : 0] ^= 1;
}

void timing_tls_make_finished13(union timing_input *in, int class)
{
    make_finished(in, class, TLS_1_3);
}

void timing_tls_make_finished12(union timing_input *in, int class)
{
    make_finished(in, class, TLS_1_2);
}

void timing_tls_finish(const union timing_input *in)
{
    struct machine *m = finishing;
    m->state = MACHINE_WAIT_FINISHED;
    ASSERT(machine_check_finished(m, (struct bytes){in->verify_data.at, in->verify_data.n}) < 0 &&
           m->failure.alert == ALERT_DECRYPT_ERROR);
    buf_clear(&m->wire_out); /* the alert */
}

/* ---- binders ---- */

/* Server and client with a session that the server would resume. */
static struct side server;

static struct tlsconn_session *session(struct side *client)
{
    static struct tlsconn_session *made;
    static struct credential *key;
    if (!key) {
        key = pair_credential(KEY_EC_P256, "www.example");
        side_init(&server, &machine_server, &key, 1);
        server.policy.tickets = true;
    }
    side_init(client, &machine_client, NULL, 0);
    client->policy.tickets = true;
    if (!made) {
        side_start(client);
        side_start(&server);
        client_set_server_name(client->m, "www.example");
        side_meet(client, &server);
        made = client->session;
        client->session = NULL;
        ASSERT(made);
    }
    return made;
}

void timing_tls_make_binder(union timing_input *in, int class)
{
    struct side client;
    struct tlsconn_session *offered = session(&client);
    side_start(&client);
    client_set_server_name(client.m, "www.example");
    session_offer(client.m, offered);
    side_run(&client);
    struct bytes hello = buf_bytes(&client.m->wire_out);
    size_t binder_n = hash_size(((const struct session *)offered)->psk.hash);
    ASSERT(hello.n <= sizeof(in->hello.at));
    memset(in, 0, sizeof(*in));
    memcpy(in->hello.at, hello.at, hello.n);
    in->hello.n = hello.n;
    in->hello.at[hello.n - (class ? 1 : binder_n)] ^= 1;
    side_free(&client);
}

void timing_tls_bind(const union timing_input *in)
{
    side_start(&server);
    ASSERT(side_feed(&server, (struct bytes){in->hello.at, in->hello.n}) == MACHINE_FAILED &&
           server.m->failure.alert == ALERT_DECRYPT_ERROR);
}
