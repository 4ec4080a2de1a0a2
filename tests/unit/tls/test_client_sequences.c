/* SPDX-License-Identifier: Apache-2.0 */
/* Every sequence of messages that a server can send to our client, as long as the longest handshake
 * and one more (talk.h): only those of RFC 8446 §2 and RFC 5246 §7.3 open the connection. */
#include "base/memory.h"
#include "base/panic.h"
#include "talk.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

static struct credential *ecdsa, *rsa;

__attribute__((constructor)) static void make_credentials(void)
{
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
    rsa = pair_credential(KEY_RSA, "www.example");
}

__attribute__((destructor)) static void free_credentials(void)
{
    pair_credential_free(&ecdsa);
    pair_credential_free(&rsa);
}

/* What the server of a test is like; the walk starts it many times. */
static struct {
    uint16_t suite;
    bool is_announcing; /* TLS 1.2: a ticket and a CertificateStatus */
    struct tlsconn_session *session;
} how;

/* ---- ServerHello ---- */

/* RFC 8446 §4.1.3: random, the client's session id, suite, no compression. */
static void put_head(struct wire_writer *w, struct bytes random, struct bytes session_id)
{
    wire_put_16(w, TLS_1_2);
    wire_put(w, random);
    struct wire_mark mark = wire_begin(w, 1);
    wire_put(w, session_id);
    wire_end(w, mark);
    wire_put_16(w, how.suite);
    wire_put_8(w, 0);
}

static void put_extension(struct wire_writer *w, enum extension e, struct bytes body)
{
    struct wire_mark mark = message_begin_extension(w, e);
    wire_put(w, body);
    wire_end(w, mark);
}

/* Of the group that the client's share is of. */
static void put_share(const struct machine *m, struct wire_writer *w)
{
    struct key_share *share = key_share_new(key_share_group(m->hs->shares[0]));
    struct wire_mark mark = message_begin_extension(w, EXTENSION_KEY_SHARE);
    wire_put_16(w, key_share_group(share));
    struct wire_mark key = wire_begin(w, 2);
    wire_put(w, key_share_public(share));
    wire_end(w, key);
    wire_end(w, mark);
    key_share_free(&share);
}

static void put_extensions_12(struct wire_writer *w, bool is_resuming)
{
    put_extension(w, EXTENSION_RENEGOTIATION_INFO, BYTES("\0"));
    put_extension(w, EXTENSION_EXTENDED_MASTER_SECRET, BYTES(""));
    if (!how.is_announcing)
        return;
    put_extension(w, EXTENSION_SESSION_TICKET, BYTES(""));
    if (!is_resuming)
        put_extension(w, EXTENSION_STATUS_REQUEST, BYTES(""));
}

static void put_extensions_13(const struct machine *m, struct wire_writer *w, bool is_resuming)
{
    put_extension(w, EXTENSION_SUPPORTED_VERSIONS, BYTES("\3\4"));
    put_share(m, w);
    if (is_resuming)
        put_extension(w, EXTENSION_PRE_SHARED_KEY, BYTES("\0\0"));
}

static void say_server_hello(struct talk *t, bool is_resuming)
{
    static const uint8_t random[32] = {1};
    struct buf body;
    const struct machine *m = t->side.m;
    if (!m->hs) {
        talk_say_message(t, MESSAGE_SERVER_HELLO, BYTES("\3\3"));
        return;
    }
    buf_init(&body, 1024);
    struct wire_writer w = {.out = &body};
    bool echoes = t->is_tls13 || is_resuming;
    put_head(
        &w, (struct bytes){random, sizeof(random)}, echoes ? m->hs->session_id : (struct bytes){0});
    struct wire_mark block = wire_begin(&w, 2);
    if (t->is_tls13)
        put_extensions_13(m, &w, is_resuming);
    else
        put_extensions_12(&w, is_resuming);
    wire_end(&w, block);
    talk_say_message(t, MESSAGE_SERVER_HELLO, buf_bytes(&body));
    buf_fini(&body);
    if (m->state == MACHINE_WAIT_ENCRYPTED_EXTENSIONS)
        talk_use_traffic(t, &m->hs->server_secret);
}

static void say_full(struct talk *t)
{
    say_server_hello(t, false);
}

static void say_resumed(struct talk *t)
{
    say_server_hello(t, true);
}

/* RFC 8446 §4.1.4: P-256, please. */
static void say_retry(struct talk *t)
{
    struct buf body;
    const struct machine *m = t->side.m;
    buf_init(&body, 1024);
    struct wire_writer w = {.out = &body};
    put_head(&w, (struct bytes){message_retry_random, 32},
        m->hs ? m->hs->session_id : (struct bytes){0});
    struct wire_mark block = wire_begin(&w, 2);
    put_extension(&w, EXTENSION_SUPPORTED_VERSIONS, BYTES("\3\4"));
    put_extension(&w, EXTENSION_KEY_SHARE, BYTES("\0\x17"));
    wire_end(&w, block);
    talk_say_message(t, MESSAGE_SERVER_HELLO, buf_bytes(&body));
    buf_fini(&body);
}

/* ---- what else servers alone say ---- */

static void say_encrypted_extensions(struct talk *t)
{
    talk_say_message(t, MESSAGE_ENCRYPTED_EXTENSIONS, BYTES("\0\0"));
}

/* With ECDSA on P-256 and SHA-256. */
static void say_certificate_request(struct talk *t)
{
    talk_say_message(t, MESSAGE_CERTIFICATE_REQUEST,
        t->is_tls13 ? BYTES("\0\0\x08\0\x0d\0\4\0\2\4\3") : BYTES("\1\x40\0\2\4\3\0\0"));
}

static void say_status(struct talk *t)
{
    talk_say_message(t, MESSAGE_CERTIFICATE_STATUS, BYTES("\1\0\0\1x"));
}

static void say_key_exchange(struct talk *t)
{
    uint8_t signature[PRIVATE_KEY_SIGNATURE_MAX];
    struct key_share *share = key_share_new(GROUP_X25519);
    const struct handshake *hs = t->side.m->hs;
    struct buf content, body;
    buf_init(&content, 1024);
    buf_init(&body, 1024);
    struct wire_writer w = {.out = &body}, signed_ = {.out = &content};
    wire_put_24(&w, 0x03001d);
    wire_put_8(&w, 32);
    wire_put(&w, key_share_public(share));
    if (hs) {
        wire_put(&signed_, (struct bytes){hs->client_random, 32});
        wire_put(&signed_, (struct bytes){hs->server_random, 32});
    }
    wire_put(&signed_, buf_bytes(&body));
    size_t n = private_key_sign(
        t->credential->key, SIGNATURE_ECDSA_SHA256, buf_bytes(&content), signature);
    wire_put_16(&w, 0x0403);
    wire_put_16(&w, (uint16_t)n);
    wire_put(&w, (struct bytes){signature, n});
    talk_say_message(t, MESSAGE_SERVER_KEY_EXCHANGE, buf_bytes(&body));
    key_share_free(&share);
    buf_fini(&content);
    buf_fini(&body);
}

static void say_hello_done(struct talk *t)
{
    talk_say_message(t, MESSAGE_SERVER_HELLO_DONE, BYTES(""));
}

static void say_ticket(struct talk *t)
{
    talk_say_message(t, MESSAGE_NEW_SESSION_TICKET,
        t->is_tls13 ? BYTES("\0\0\1\0\1\2\3\4\1\0\0\6ticket\0\0") : BYTES("\0\0\1\0\0\6ticket"));
}

static void say_hello_request(struct talk *t)
{
    talk_say_message(t, MESSAGE_HELLO_REQUEST, BYTES(""));
}

static const struct talk_word words[] = {{'h', say_full}, {'p', say_resumed}, {'r', say_retry},
    {'e', say_encrypted_extensions}, {'R', say_certificate_request}, {'C', talk_certificate},
    {'E', talk_no_certificate}, {'P', say_status}, {'K', say_key_exchange}, {'D', say_hello_done},
    {'V', talk_verify}, {'T', say_ticket}, {'S', talk_change_cipher_spec}, {'F', talk_finished},
    {'U', talk_key_update}, {'Q', say_hello_request}, {'d', talk_data}};

/* ---- the walks ---- */

static void begin(struct talk *t)
{
    client_set_server_name(t->side.m, "www.example");
    if (how.session)
        session_offer(t->side.m, how.session);
    ASSERT(side_run(&t->side) == MACHINE_WANT_INPUT);
}

/* From our own server. */
static void make_session(struct side *client, bool is_tls13)
{
    struct side server;
    side_init(&server, &machine_server, &ecdsa, 1);
    server.policy.version_max = is_tls13 ? TLS_1_3 : TLS_1_2;
    server.policy.tickets = true;
    side_start(client);
    side_start(&server);
    client_set_server_name(client->m, "www.example");
    side_meet(client, &server);
    how.session = client->session;
    client->session = NULL;
    ASSERT(how.session);
    how.suite = ((const struct session *)how.session)->suite->id;
    side_free(&server);
}

#define WORDS_13 "hpreRCEVFTUd"
#define WORDS_12 "hpCEPKRDTSFd"

struct plan {
    bool is_tls13, has_certificate, resumes, is_rsa_kx, is_announcing;
    const char *letters;
    size_t length;
    const char *openings[8];
};

static void walk(const struct plan *p)
{
    struct talk t = {.credential = p->is_rsa_kx ? rsa : ecdsa, .is_tls13 = p->is_tls13};
    const struct talk_plan plan = {.begin = begin,
        .words = words,
        .words_n = COUNT_OF(words),
        .letters = p->letters,
        .openings = p->openings,
        .ignored = "Q", /* RFC 5246 §7.4.1.1 */
        .length = p->length};
    side_init(&t.side, &machine_client, &ecdsa, p->has_certificate);
    t.side.policy.tickets = true;
    t.side.policy.key_exchange_rsa = t.side.policy.key_exchange_rsa_only = p->is_rsa_kx;
    how.is_announcing = p->is_announcing;
    how.suite = p->is_tls13 ? 0x1301 : p->is_rsa_kx ? 0x009c : 0xc02b;
    if (p->resumes)
        make_session(&t.side, p->is_tls13);
    CHECK(talk_walk(&t, &plan));
    session_free(how.session);
    how.session = NULL;
    side_free(&t.side);
}

TEST(full_13)
{
    for (int has_certificate = 0; has_certificate < 2; has_certificate++)
        walk(&(struct plan){.is_tls13 = true,
            .has_certificate = has_certificate,
            .letters = WORDS_13,
            .length = 8,
            .openings = {"heCVF", "heRCVF", "rheCVF", "rheRCVF"}});
}

TEST(resumed_13)
{
    walk(&(struct plan){.is_tls13 = true,
        .has_certificate = true,
        .resumes = true,
        .letters = WORDS_13,
        .length = 8,
        .openings = {"peF", "rpeF", "heCVF", "heRCVF", "rheCVF", "rheRCVF"}});
}

TEST(full_12)
{
    for (int has_certificate = 0; has_certificate < 2; has_certificate++)
        walk(&(struct plan){.has_certificate = has_certificate,
            .letters = WORDS_12 "Q",
            .length = 8,
            .openings = {"hCKDSF", "hCKRDSF"}});
}

/* Nothing but TLS 1.2 is offered, so there is no session id to be echoed: 'p' is 'h'. */
TEST(rsa_key_transport_12)
{
    walk(&(struct plan){.is_rsa_kx = true,
        .letters = WORDS_12 "Q",
        .length = 7,
        .openings = {"hCDSF", "hCRDSF", "pCDSF", "pCRDSF"}});
}

TEST(ticket_and_status_12)
{
    walk(&(struct plan){.has_certificate = true,
        .is_announcing = true,
        .letters = WORDS_12,
        .length = 10,
        .openings = {"hCKDTSF", "hCPKDTSF", "hCKRDTSF", "hCPKRDTSF"}});
}

TEST(resumed_12)
{
    walk(&(struct plan){.resumes = true,
        .letters = WORDS_12 "Q",
        .length = 8,
        .openings = {"pSF", "hCKDSF", "hCKRDSF"}});
}
