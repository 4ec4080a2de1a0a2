/* SPDX-License-Identifier: Apache-2.0 */
/* Every sequence of up to six messages that a client can send after its ClientHello (talk.h): only
 * those of RFC 8446 §2 and RFC 5246 §7.3 open the connection. */
#include "base/memory.h"
#include "base/panic.h"
#include "talk.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

#define LENGTH_MAX 6

static struct credential *ecdsa;
static struct tlsconn_session *session; /* what the ClientHello offers, or NULL */

__attribute__((constructor)) static void make_credential(void)
{
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
}

__attribute__((destructor)) static void free_credential(void)
{
    pair_credential_free(&ecdsa);
}

/* ---- what clients alone say ---- */

static void say_hello(struct talk *t)
{
    const struct handshake *hs = t->side.m->hs;
    talk_say_message(t, MESSAGE_CLIENT_HELLO,
        hs ? bytes_skip(hs->hello_message, MESSAGE_HEADER_SIZE) : BYTES("\3\3"));
}

static void say_end_of_early_data(struct talk *t)
{
    talk_say_message(t, MESSAGE_END_OF_EARLY_DATA, BYTES(""));
}

static void say_key_exchange(struct talk *t)
{
    uint8_t body[1 + KEY_SHARE_PUBLIC_MAX];
    struct key_share *share = key_share_new(GROUP_X25519);
    struct bytes key = key_share_public(share);
    body[0] = (uint8_t)key.n;
    memcpy(body + 1, key.at, key.n);
    talk_say_message(t, MESSAGE_CLIENT_KEY_EXCHANGE, (struct bytes){body, 1 + key.n});
    key_share_free(&share);
}

static const struct talk_word words[] = {{'C', talk_certificate}, {'E', talk_no_certificate},
    {'X', say_key_exchange}, {'V', talk_verify}, {'S', talk_change_cipher_spec},
    {'F', talk_finished}, {'K', talk_key_update}, {'H', say_hello}, {'O', say_end_of_early_data},
    {'d', talk_data}};

/* ---- ClientHello, by our own client ---- */

static void prepare_client(struct side *client, const struct talk *t)
{
    side_init(client, &machine_client, &ecdsa, 1);
    client->policy.version_max = t->is_tls13 ? TLS_1_3 : TLS_1_2;
    client->policy.tickets = true;
    side_start(client);
    client_set_server_name(client->m, "www.example");
}

static void begin(struct talk *t)
{
    struct side client;
    prepare_client(&client, t);
    if (session)
        session_offer(client.m, session);
    side_run(&client);
    side_carry(&client, &t->side);
    ASSERT(side_run(&t->side) == MACHINE_WANT_INPUT);
    if (t->is_tls13)
        talk_use_traffic(t, &t->side.m->hs->client_secret);
    side_free(&client);
}

/* A session of the client, who had a certificate. */
static void make_session(struct talk *t)
{
    struct side client;
    prepare_client(&client, t);
    side_start(&t->side);
    side_meet(&client, &t->side);
    session = client.session;
    client.session = NULL;
    ASSERT(session);
    side_free(&client);
}

static void walk(bool is_tls13, enum tlspolicy_peer peer, bool resumes, const char *const *openings)
{
    struct talk t = {.credential = ecdsa, .is_tls13 = is_tls13};
    const struct talk_plan plan = {.begin = begin,
        .words = words,
        .words_n = COUNT_OF(words),
        .letters = is_tls13 ? "CEVFKHOd" : "CEXVSFHd",
        .openings = openings,
        .ignored = "",
        .length = LENGTH_MAX};
    side_init(&t.side, &machine_server, &ecdsa, 1);
    t.side.policy.peer = peer;
    t.side.policy.tickets = true;
    if (resumes)
        make_session(&t);
    CHECK(talk_walk(&t, &plan));
    session_free(session);
    session = NULL;
    side_free(&t.side);
}

TEST(one_way_13)
{
    walk(true, PEER_NOT_ASKED, false, (const char *const[]){"F", NULL});
}

TEST(optional_13)
{
    walk(true, PEER_OPTIONAL, false, (const char *const[]){"EF", "CVF", NULL});
}

TEST(mutual_13)
{
    walk(true, PEER_REQUIRED, false, (const char *const[]){"CVF", NULL});
}

TEST(resumed_13)
{
    walk(true, PEER_NOT_ASKED, true, (const char *const[]){"F", NULL});
}

TEST(resumed_mutual_13)
{
    walk(true, PEER_REQUIRED, true, (const char *const[]){"F", NULL});
}

TEST(one_way_12)
{
    walk(false, PEER_NOT_ASKED, false, (const char *const[]){"XSF", NULL});
}

TEST(optional_12)
{
    walk(false, PEER_OPTIONAL, false, (const char *const[]){"EXSF", "CXVSF", NULL});
}

TEST(mutual_12)
{
    walk(false, PEER_REQUIRED, false, (const char *const[]){"CXVSF", NULL});
}

TEST(resumed_12)
{
    walk(false, PEER_NOT_ASKED, true, (const char *const[]){"SF", NULL});
}

TEST(resumed_mutual_12)
{
    walk(false, PEER_REQUIRED, true, (const char *const[]){"SF", NULL});
}
