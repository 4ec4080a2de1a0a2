/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong inside of us during a handshake: libcrypto's n-th allocation, the n-th draw of
 * random octets, the n-th message that should be put together, the n-th record that should be
 * sealed, each for all n. Whatever fails, no side opens that would not have without it, none goes
 * on for ever, and no memory is lost.
 *
 * Where libcrypto cannot fail but for want of memory or of randomness, we panic (base/panic.h), as
 * we do when memory of our own is out: that is an end, too. So handshakes take place in a child,
 * which goes from n to n until it panics; another goes on behind.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method has no successor that is as short */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

/* ---- what fails ---- */

enum fault { ALLOCATION, RANDOMNESS, MESSAGE, RECORD, FAULT_COUNT };
static const char *const fault_names[] = {"allocations", "draws", "messages", "records"};

static struct {
    enum fault kind;
    unsigned at; /* the n-th from now on; 0: none */
    unsigned count[FAULT_COUNT];
} injected;
static long held; /* by libcrypto, in pieces of memory */

static bool strikes(enum fault f)
{
    return ++injected.count[f] == injected.at && injected.kind == f;
}

static void *allocate(size_t n, const char *file, int line)
{
    void *p = n && !strikes(ALLOCATION) ? malloc(n) : NULL;
    held += p != NULL;
    return p;
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    if (strikes(ALLOCATION))
        return NULL;
    void *moved = realloc(p, n);
    held += (moved != NULL) - (p && (moved || !n));
    return moved;
}

static void release(void *p, const char *file, int line)
{
    held -= p != NULL;
    free(p);
}

static int give_random(unsigned char *out, int n)
{
    return strikes(RANDOMNESS) ? 0 : RAND_OpenSSL()->bytes(out, n);
}

static int has_random(void)
{
    return 1;
}

static const RAND_METHOD random_method = {.bytes = give_random, .status = has_random};

/* The linker's names. */
struct wire_mark __wrap_message_begin(struct wire_writer *w, enum message_type type);
struct wire_mark __real_message_begin(struct wire_writer *w, enum message_type type);
size_t __wrap_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve);
size_t __real_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve);
NORETURN void __wrap_panic(const char *format, ...) PRINTF(1, 2);

struct wire_mark __wrap_message_begin(struct wire_writer *w, enum message_type type)
{
    struct wire_mark mark = __real_message_begin(w, type);
    w->has_failed = w->has_failed || strikes(MESSAGE);
    return mark;
}

size_t __wrap_record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve)
{
    return strikes(RECORD) ? 0 : __real_record_put(l, type, content, out, reserve);
}

/* How a child ends. */
enum { WENT_THROUGH = 10, PANICKED, WENT_WRONG };

static pid_t parent;

void __wrap_panic(const char *format, ...)
{
    if (getpid() == parent)
        abort();
    _exit(PANICKED);
}

/* ---- handshakes ---- */

static struct credential *ecdsa, *rsa, liar; /* whose key is not that of its certificate */

__attribute__((constructor)) static void prepare(void)
{
    parent = getpid();
    ASSERT(CRYPTO_set_mem_functions(allocate, reallocate, release) == 1);
    ASSERT(RAND_set_rand_method(&random_method) == 1);
    struct credential *other = pair_credential(KEY_EC_P256, "www.example");
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
    rsa = pair_credential(KEY_RSA, "www.example");
    liar = *ecdsa;
    liar.key = other->key;
    other->key = NULL;
    pair_credential_free(&other);
}

__attribute__((destructor)) static void tidy(void)
{
    private_key_unref(&liar.key);
    pair_credential_free(&ecdsa);
    pair_credential_free(&rsa);
}

struct scene {
    const char *name;
    uint16_t version;
    bool is_mutual, is_resumed, is_rsa_kx, is_retried;
    bool has_lying_client, has_lying_server, has_wrong_secret;
    uint8_t client_judges, server_judges;
    bool client_opens, server_opens; /* if nothing fails */
};

static const struct scene scenes[] = {
    {"TLS 1.3", TLS_1_3, .client_opens = true, .server_opens = true},
    {"TLS 1.3, mutual, retried", TLS_1_3, .is_mutual = true, .is_retried = true,
        .client_opens = true, .server_opens = true},
    {"TLS 1.3, mutual, resumed", TLS_1_3, .is_mutual = true, .is_resumed = true,
        .client_opens = true, .server_opens = true},
    {"TLS 1.2", TLS_1_2, .client_opens = true, .server_opens = true},
    {"TLS 1.2, mutual, with RSA", TLS_1_2, .is_mutual = true, .is_rsa_kx = true,
        .client_opens = true, .server_opens = true},
    {"TLS 1.2, mutual, resumed", TLS_1_2, .is_mutual = true, .is_resumed = true,
        .client_opens = true, .server_opens = true},
    /* A client of TLS 1.3 is open before the server has looked at what it sent. */
    {"TLS 1.3, a client that has another key", TLS_1_3, .is_mutual = true, .has_lying_client = true,
        .client_opens = true},
    {"TLS 1.2, a client that has another key", TLS_1_2, .is_mutual = true,
        .has_lying_client = true},
    {"TLS 1.3, a server that has another key", TLS_1_3, .has_lying_server = true},
    {"TLS 1.2, a server that has another key", TLS_1_2, .has_lying_server = true},
    {"TLS 1.3, a client that is refused", TLS_1_3, .is_mutual = true,
        .server_judges = ALERT_BAD_CERTIFICATE, .client_opens = true},
    {"TLS 1.2, a client that is refused", TLS_1_2, .is_mutual = true,
        .server_judges = ALERT_BAD_CERTIFICATE},
    {"TLS 1.3, a server that is refused", TLS_1_3, .client_judges = ALERT_UNKNOWN_CA},
    {"TLS 1.3, another secret than the ticket's", TLS_1_3, .is_resumed = true,
        .has_wrong_secret = true},
    {"TLS 1.2, another secret than the ticket's", TLS_1_2, .is_resumed = true,
        .has_wrong_secret = true},
};

struct stage {
    struct side client, server;
    struct tlsconn_session *offered;
};

static void shake_hands(struct stage *s)
{
    side_start(&s->client);
    side_start(&s->server);
    if (s->offered)
        session_offer(s->client.m, s->offered);
    side_meet(&s->client, &s->server);
}

/* A session of the one that goes on, which knows another secret if it lies. */
static void take_session(struct stage *s, bool is_wrong)
{
    shake_hands(s);
    s->offered = s->client.session;
    s->client.session = NULL;
    ASSERT(s->offered);
    struct session *own = (struct session *)s->offered;
    own->psk.at[0] ^= is_wrong;
    own->master[0] ^= is_wrong;
}

static void set_up(struct stage *s, const struct scene *scene)
{
    static const uint8_t fewer_groups[] = {0, GROUP_SECP384R1};
    struct credential *own = scene->is_rsa_kx ? rsa : ecdsa;
    side_init(&s->client, &machine_client,
        scene->has_lying_client ? &(struct credential *){&liar} : &own, 1);
    side_init(&s->server, &machine_server,
        scene->has_lying_server ? &(struct credential *){&liar} : &own, 1);
    s->client.policy.version_max = s->client.policy.version_min = scene->version;
    s->client.policy.key_exchange_rsa = s->server.policy.key_exchange_rsa = scene->is_rsa_kx;
    s->client.policy.key_exchange_rsa_only = scene->is_rsa_kx;
    s->client.policy.tickets = s->server.policy.tickets = true;
    s->server.policy.peer = scene->is_mutual ? PEER_REQUIRED : PEER_NOT_ASKED;
    if (scene->is_retried)
        s->server.policy.groups = (struct bytes){fewer_groups, sizeof(fewer_groups)};
    s->offered = NULL;
    if (scene->is_resumed)
        take_session(s, scene->has_wrong_secret);
    s->client.answer = scene->client_judges;
    s->server.answer = scene->server_judges;
}

static void clear_away(struct stage *s)
{
    side_free(&s->client);
    side_free(&s->server);
    session_free(s->offered);
}

static bool is_open(const struct side *s)
{
    return s->m->facts.is_handshake_complete;
}

/* ---- every n ---- */

/* What a child leaves. */
struct progress {
    unsigned n; /* the one under way */
    unsigned refused, opened;
    char flaw[64];
};
static struct progress *progress;

/* Once more, with the N-th of KIND failing. Has libcrypto more memory then? */
static bool fail(struct stage *s, enum fault kind, unsigned n)
{
    long before = held;
    ERR_clear_error(); /* its entries keep their texts */
    memset(&injected, 0, sizeof(injected));
    injected.kind = kind;
    injected.at = n;
    shake_hands(s);
    injected.at = 0;
    return held > before;
}

/* What it keeps, it keeps once. */
static bool is_leaking(struct stage *s, enum fault kind, unsigned n)
{
    unsigned times = 0;
    while (times < 4 && fail(s, kind, n))
        times++;
    return times == 4;
}

static const char *flaw_of(const struct stage *s, const struct scene *scene, enum fault kind)
{
    bool has_failed = s->client.event == MACHINE_FAILED || s->server.event == MACHINE_FAILED;
    bool is_ours = s->client.m->failure.fault == TLSCONN_FAULT_INTERNAL ||
                   s->server.m->failure.fault == TLSCONN_FAULT_INTERNAL;
    if (is_open(&s->client) && !scene->client_opens)
        return "the client is open";
    if (is_open(&s->server) && !scene->server_opens)
        return "the server is open";
    if (!has_failed && !(is_open(&s->client) && is_open(&s->server)))
        return "neither has failed, nor are they open";
    /* What we could not say, the peer cannot have heard. */
    if ((kind == MESSAGE || kind == RECORD) && scene->server_opens && !(has_failed && is_ours))
        return "nobody noticed";
    return NULL;
}

/* From progress->n to TOTAL. */
NORETURN static void run_child(
    const struct scene *scene, struct stage *s, enum fault kind, unsigned total)
{
    alarm(60);
    for (; progress->n <= total; progress->n++) {
        bool is_more = is_leaking(s, kind, progress->n);
        const char *flaw = is_more ? "libcrypto has lost memory" : flaw_of(s, scene, kind);
        if (is_open(&s->client) && is_open(&s->server))
            progress->opened++;
        else
            progress->refused++;
        if (flaw) {
            snprintf(progress->flaw, sizeof(progress->flaw), "%s", flaw);
            _exit(WENT_WRONG);
        }
    }
    _exit(WENT_THROUGH);
}

static int fork_child(const struct scene *scene, struct stage *s, enum fault kind, unsigned total)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0)
        run_child(scene, s, kind, total);
    ASSERT(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void fail_each(const struct scene *scene, struct stage *s, enum fault kind)
{
    unsigned total = injected.count[kind], panics = 0;
    int end = PANICKED;
    memset(progress, 0, sizeof(*progress));
    for (progress->n = 1; end == PANICKED && progress->n <= total;) {
        end = fork_child(scene, s, kind, total);
        panics += end == PANICKED;
        progress->n += end == PANICKED;
    }
    printf("# %s: %u %s failed: %u panics, %u refusals, %u went on\n", scene->name, total,
        fault_names[kind], panics, progress->refused, progress->opened);
    CHECK(end == WENT_THROUGH || end == PANICKED);
    if (end != WENT_THROUGH && end != PANICKED)
        printf("# the %u-th of the %s: %s (%d)\n", progress->n, fault_names[kind], progress->flaw,
            end);
}

static void fail_everywhere(enum fault kind)
{
    progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(progress != MAP_FAILED);
    for (size_t i = 0; i < COUNT_OF(scenes); i++) {
        struct stage s;
        set_up(&s, &scenes[i]);
        CHECK(!is_leaking(&s, kind, 0));
        CHECK_INT(is_open(&s.client), scenes[i].client_opens);
        CHECK_INT(is_open(&s.server), scenes[i].server_opens);
        fail_each(&scenes[i], &s, kind);
        clear_away(&s);
    }
    munmap(progress, sizeof(*progress));
}

TEST(libcrypto_is_out_of_memory)
{
    fail_everywhere(ALLOCATION);
}

TEST(there_is_no_randomness)
{
    fail_everywhere(RANDOMNESS);
}

TEST(a_message_finds_no_room)
{
    fail_everywhere(MESSAGE);
}

TEST(a_record_is_not_sealed)
{
    fail_everywhere(RECORD);
}
