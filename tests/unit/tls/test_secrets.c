/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No memory that the machine gives back holds a secret, server or client: every block that our code
 * frees is searched for those that the handshake had (the program is linked with free wrapped).
 */
#include <malloc.h>

#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"
#include "tls/ticket.h"

#include "base/ban.h"

#define SECRETS_MAX 16
#define SECRET_SIZE 16 /* octets of each that are looked for */

static struct {
    uint8_t at[SECRET_SIZE];
    const char *name;
} secrets[SECRETS_MAX];
static size_t secrets_n, freed_n;
static bool is_searching;

void __wrap_free(void *p); /* the linker's names */
void __real_free(void *p);

static void search(const void *p)
{
    freed_n++;
    for (size_t i = 0; i < secrets_n; i++)
        if (memmem(p, malloc_usable_size((void *)(uintptr_t)p), secrets[i].at, SECRET_SIZE)) {
            printf("# freed memory holds %s\n", secrets[i].name);
            test_failed = 1;
        }
}

void __wrap_free(void *p)
{
    if (p && is_searching) {
        is_searching = false; /* printf frees, too */
        search(p);
        is_searching = true;
    }
    __real_free(p);
}

static void add(const char *name, const void *at)
{
    static const uint8_t zeros[SECRET_SIZE];
    if (memcmp(at, zeros, SECRET_SIZE) == 0)
        return;
    ASSERT(secrets_n < SECRETS_MAX);
    memcpy(secrets[secrets_n].at, at, SECRET_SIZE);
    secrets[secrets_n++].name = name;
}

static void add_secrets(const struct machine *m)
{
    const struct handshake *hs = m->hs;
    secrets_n = 0;
    add("the sending key", m->send.keys.key);
    add("the receiving key", m->receive.keys.key);
    add("our traffic secret", m->send_secret.at);
    add("their traffic secret", m->receive_secret.at);
    add("the resumption secret", m->resumption.at);
    if (!hs)
        return;
    add("the client's handshake secret", hs->client_secret.at);
    add("the server's handshake secret", hs->server_secret.at);
    add("the key of the client's Finished", hs->client_traffic.finished.at);
    add("the key of the server's Finished", hs->server_traffic.finished.at);
    add("the master secret", hs->master);
    if (hs->offered)
        add("the session's secret",
            m->version == TLS_1_3 ? hs->offered->psk.at : hs->offered->master);
    if (hs->ticket)
        add("the ticket's secret",
            m->version == TLS_1_3 ? hs->ticket->secret.at : hs->ticket->master);
}

static enum machine_event run(struct side *s)
{
    is_searching = true;
    enum machine_event event = side_run(s);
    is_searching = false;
    return event;
}

/* A handshake whose every step is watched, then data, then the end. */
static SSL_SESSION *watch(struct side *s, SSL_CTX *ctx, SSL_SESSION *resume)
{
    struct raw client;
    secrets_n = freed_n = 0;
    side_start(s);
    raw_new(&client, ctx, "www.example", resume);
    do {
        raw_hello(&client, &s->m->wire_in);
        run(s);
        add_secrets(s->m);
        side_deliver(s, &client);
    } while (BIO_pending(SSL_get_wbio(client.ssl)) > 0);
    CHECK(client.is_done && !s->m->hs);
    CHECK_INT(SSL_write(client.ssl, "data", 4), 4);
    raw_hello(&client, &s->m->wire_in);
    CHECK_INT(run(s), MACHINE_DATA);
    is_searching = true;
    machine_take(s->m, 4);
    CHECK_INT(machine_write(s->m, BYTES("more")), 4);
    machine_rest(s->m);
    machine_free(&s->m);
    is_searching = false;
    CHECK(freed_n > 8);
    SSL_SESSION *session = client.session;
    client.session = NULL;
    raw_free(&client);
    return session;
}

/* The same of a client, with our own server, which is not watched. What it was given replaces
 * *SESSION. */
static void watch_client(struct side *client, struct side *server, struct tlsconn_session **session)
{
    secrets_n = freed_n = 0;
    side_start(client);
    side_start(server);
    client_set_server_name(client->m, "www.example");
    if (*session)
        session_offer(client->m, *session);
    do {
        run(client);
        add_secrets(client->m);
        side_carry(client, server);
        side_run(server);
    } while (side_carry(server, client));
    CHECK(client->m->state == MACHINE_OPEN && !client->m->hs);
    CHECK_INT(client->m->facts.resumed, *session != NULL);
    is_searching = true;
    session_free(*session);
    machine_rest(client->m);
    machine_free(&client->m);
    is_searching = false;
    CHECK(freed_n > 8);
    *session = client->session;
    client->session = NULL;
}

TEST(freed_memory_holds_no_secret_of_a_client)
{
    struct credential *rsa = pair_credential(KEY_RSA, "www.example");
    static const struct {
        uint16_t version;
        bool is_rsa_kx;
    } rows[] = {{TLS_1_3}, {TLS_1_2}, {TLS_1_2, true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side client, server;
        struct tlsconn_session *session = NULL;
        side_init(&client, &machine_client, &rsa, 1);
        side_init(&server, &machine_server, &rsa, 1);
        client.policy.tickets = server.policy.tickets = true;
        server.policy.version_max = rows[i].version;
        client.policy.version_max = rows[i].version;
        client.policy.key_exchange_rsa_only = server.policy.key_exchange_rsa = rows[i].is_rsa_kx;
        watch_client(&client, &server, &session);
        CHECK(session != NULL);
        watch_client(&client, &server, &session);
        session_free(session);
        side_free(&client);
        side_free(&server);
    }
    pair_credential_free(&rsa);
}

TEST(freed_memory_holds_no_secret)
{
    struct credential *rsa = pair_credential(KEY_RSA, "www.example");
    static const struct {
        uint16_t version;
        const char *suites; /* of TLS 1.2 */
    } rows[] = {{TLS_1_3, NULL}, {TLS_1_2, "ECDHE+AESGCM"}, {TLS_1_2, "AES128-GCM-SHA256"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        SSL_CTX *ctx = raw_context(rows[i].version, rows[i].version);
        if (rows[i].suites)
            CHECK(SSL_CTX_set_cipher_list(ctx, rows[i].suites) == 1);
        side_init(&s, &machine_server, &rsa, 1);
        s.policy.tickets = true;
        s.policy.key_exchange_rsa = true;
        SSL_SESSION *session = watch(&s, ctx, NULL);
        CHECK(session != NULL);
        SSL_SESSION_free(watch(&s, ctx, session));
        SSL_SESSION_free(session);
        side_free(&s);
        SSL_CTX_free(ctx);
    }
    pair_credential_free(&rsa);
}
