/* SPDX-License-Identifier: Apache-2.0 */
/* control — answers the admin address: is the instance alive, is it ready, what has it counted, and
 * which were its last handshakes; and the control API, whose objects it keeps in its folder and
 * proposes to the supervisor. The supervisor says what it is to know. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/json_memory.h"
#include "balance/address_book.h"
#include "balance/signatory.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "control/admin.h"
#include "control/handshakes.h"
#include "control/health.h"
#include "control/metrics.h"
#include "control/names.h"
#include "control/status.h"
#include "crypto/sealed.h"
#include "proxy/service.h"
#include "role/key_table.h"
#include "role/lifeline.h"
#include "role/memfile.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

/* What the API keeps, and with what. */
struct keeping {
    int folder;                        /* -1: nothing is kept, and there is no API */
    struct access_key_files key_files; /* until KEYS has them */
    struct sealing_key sealing;
    struct model *model;
    struct publication *publication;
    struct access_keys *keys;
};

struct control {
    struct loop *loop;
    struct lifeline lifeline;
    struct admin *admin;
    struct api *api;
    struct names *names;
    struct signatory *signatory; /* asks the signer */
    struct health *health;
    struct totals_sources sources;
    struct handshakes *handshakes;
    struct keeping keeping;
    struct config *config; /* in force, with what the API adds; NULL: not yet */
    struct surroundings around;
    bool is_done;
};

/* ---- the API ---- */

/* How messages call the folder, whose name is the supervisor's to know. */
#define FOLDER_NAME "state.dir/control"

static void propose(void *owner, uint64_t number, struct bytes proposal)
{
    struct control *c = owner;
    struct error err;
    int fd = memfile_new("proposal", proposal, &err);
    if (fd < 0 || !channel_is_open(&c->lifeline.channel)) {
        publication_refused(c->keeping.publication, number,
            fd < 0 ? err.text : "the supervisor is gone; start sallyport again");
    } else {
        channel_send(&c->lifeline.channel,
            &(struct message){
                .type = MESSAGE_PROPOSE, .generation = number, .fds = {fd}, .fds_n = 1});
    }
    if (fd >= 0)
        close(fd);
}

static void decide(void *owner, uint64_t number, bool is_accepted)
{
    struct control *c = owner;
    channel_send(&c->lifeline.channel,
        &(struct message){.type = MESSAGE_DECIDE, .generation = number, .index = is_accepted});
}

/* The first message: what is ours to keep. Before the sandbox is sealed, which leaves us that. */
static int receive_folder(struct keeping *k, struct error *err)
{
    struct message m;
    uint8_t text[MESSAGE_TEXT_MAX];
    *k = (struct keeping){.folder = -1, .key_files = {-1, -1}};
    if (message_receive(ROLE_CHANNEL_FD, &m, text) != MESSAGE_OK || m.type != MESSAGE_FOLDER)
        return error_set(err, "the supervisor did not say where to keep what");
    if (!m.fds_n)
        return 0;
    if (m.fds_n != 3 || m.text.n != sizeof(k->sealing))
        return error_set(err, "the supervisor did not say where to keep what");
    k->folder = message_take(&m, 0);
    k->key_files = (struct access_key_files){message_take(&m, 1), message_take(&m, 2)};
    memcpy(&k->sealing, m.text.at, sizeof(k->sealing));
    sandbox_keep_folder(k->folder);
    umask(0077);
    return fchdir(k->folder) < 0 ? error_errno(err, errno, FOLDER_NAME) : 0;
}

/* Without what is kept everything else goes on. */
static void open_keeping(struct control *c)
{
    struct keeping *k = &c->keeping;
    const struct publication_means means = {propose, decide, c};
    struct error err;
    if (k->folder < 0)
        return;
    k->model = model_new();
    k->publication = publication_new(k->model, FOLDER_NAME, &means, &err);
    if (k->publication)
        k->keys = access_keys_new(k->key_files, &err);
    if (!k->keys)
        log_error("there is no API: %s", err.text);
}

static void close_keeping(struct control *c)
{
    access_keys_free(&c->keeping.keys);
    publication_free(&c->keeping.publication);
    model_free(&c->keeping.model);
    config_free(&c->config);
}

/* A new configuration is in force; with the first one the API begins. */
static void adopt(struct control *c, struct bytes archive)
{
    const struct keeping *k = &c->keeping;
    bool is_first = !c->config;
    struct report report;
    report_init(&report);
    config_free(&c->config);
    c->config = config_parse_archive(archive, &report);
    report_fini(&report);
    ASSERT(c->config); /* the supervisor has parsed it */
    c->around = (struct surroundings){.config = c->config,
        .health = c->health,
        .handshakes = c->handshakes,
        .sealing = &k->sealing,
        .settings = &c->config->api};
    if (is_first && k->keys)
        api_open(c->api, &(struct api_parts){.model = k->model,
                             .publication = k->publication,
                             .keys = k->keys,
                             .around = &c->around});
    if (k->keys)
        publication_in_force(k->publication, archive);
}

static void receive_refused(struct control *c, struct message *m)
{
    char *text = memfile_text(m->fds[0], MESSAGE_TEXT_MAX);
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    if (c->keeping.keys)
        publication_refused(c->keeping.publication, m->generation, text);
    free(text);
}

/* ---- the admin address ---- */

static void receive_admin(struct control *c, struct message *m)
{
    struct error err;
    if (admin_listen(c->admin, message_take(m, 0), &err) < 0)
        log_error("the admin address is not served: %s", err.text);
}

static void receive_state(struct control *c, struct message *m)
{
    char *text = m->fds_n ? memfile_text(m->fds[0], ADMIN_STATE_MAX) : NULL;
    admin_set_state(c->admin, text);
    free(text);
}

static void receive_counters(struct control *c, struct message *m)
{
    struct error err;
    if (totals_add_source(&c->sources, m->index, m->fds[0], &err) < 0 ||
        (m->fds_n == 2 && handshakes_add_source(c->handshakes, m->index, m->fds[1], &err) < 0))
        log_error("what is counted cannot be shown: %s", err.text);
}

/* ---- what is asked ---- */

static unsigned too_large(struct buf *body)
{
    buf_clear(body);
    ignore_result(buf_append(body, BYTES("the answer is too large")));
    return 500;
}

static unsigned answer_metrics(void *owner, struct bytes query, struct buf *body)
{
    struct control *c = owner;
    struct totals totals;
    totals_init(&totals, &c->sources);
    int failed = metrics_write(&totals, body);
    totals_fini(&totals);
    return failed ? too_large(body) : 200;
}

static unsigned answer_status(void *owner, struct bytes query, struct buf *body)
{
    struct control *c = owner;
    struct totals totals;
    totals_init(&totals, &c->sources);
    const struct status status = {
        .is_ready = admin_is_ready(c->admin), .now_s = loop_wall_s(c->loop), .health = c->health};
    int failed = status_write(&totals, &status, body);
    totals_fini(&totals);
    return failed ? too_large(body) : 200;
}

static unsigned answer_handshakes(void *owner, struct bytes query, struct buf *body)
{
    struct control *c = owner;
    struct handshakes_query parsed;
    if (handshakes_parse_query(query, &parsed) < 0) {
        ignore_result(buf_append(body, BYTES("the query may have failed=1 and since=ID")));
        return 400;
    }
    return handshakes_write(c->handshakes, &parsed, body) < 0 ? too_large(body) : 200;
}

static void unmap(struct bytes archive)
{
    memfile_unmap(&archive);
}

static void receive_names(struct control *c, struct message *m)
{
    struct bytes archive;
    struct error err;
    if (memfile_map(m->fds[0], &archive, &err) < 0 ||
        names_prepare(c->names, m->generation, archive, &err) < 0)
        log_error("generation %llu: %s", (unsigned long long)m->generation, err.text);
    memfile_unmap(&archive);
}

/* Health checks show the certificates that the workers show, and have the signer sign as they do.
 */
static void receive_targets(struct control *c, struct message *m)
{
    struct error err;
    struct key_table keys = {
        .handle = {.office = signatory_office(c->signatory), .store = m->generation}};
    struct service_source from = {.generation = m->generation,
        .now_s = loop_wall_s(c->loop),
        .release = unmap,
        .find_key = key_table_find,
        .find_key_owner = &keys};
    bool is_mapped = memfile_map(m->fds[1], &keys.table, &err) == 0 &&
                     memfile_map(m->fds[0], &from.archive, &err) == 0;
    if (is_mapped)
        adopt(c, from.archive);
    if (!is_mapped || health_adopt(c->health, &from, &err) < 0)
        log_error("generation %llu: %s", (unsigned long long)m->generation, err.text);
    memfile_unmap(&keys.table);
}

static void receive_calls(struct control *c, struct message *m)
{
    struct error err;
    struct call_ring_fds fds = {message_take(m, 0), message_take(m, 1), message_take(m, 2)};
    if (signatory_open(c->signatory, fds, &err) < 0)
        log_error("cannot ask the signer: %s", err.text);
}

static void receive_health(struct control *c, struct message *m)
{
    struct error err;
    if (health_open(c->health, m->fds[0], m->fds[1], &err) < 0 ||
        totals_add_source(&c->sources, m->index, m->fds[1], &err) < 0)
        log_error("the health of targets cannot be told: %s", err.text);
    if (health_counters(c->health))
        api_count_in(c->api, counters_row(health_counters(c->health), COUNTERS_INSTANCE, NULL));
}

static void receive_addresses(struct control *c, struct message *m)
{
    char *text = memfile_text(m->fds[0], ADDRESS_BOOK_TEXT_MAX);
    names_recall(c->names, bytes_of(text));
    health_resolve(c->health, bytes_of(text));
    free(text);
}

static void publish_addresses(void *owner, uint64_t generation, struct bytes book)
{
    struct control *c = owner;
    struct error err;
    health_resolve(c->health, book);
    int fd = memfile_new("addresses", book, &err);
    if (fd < 0) {
        log_error("what the names of targets mean cannot be published: %s", err.text);
        return;
    }
    channel_send(&c->lifeline.channel,
        &(struct message){
            .type = MESSAGE_ADDRESSES, .generation = generation, .fds = {fd}, .fds_n = 1});
    close(fd);
}

static void end(void *owner)
{
    struct control *c = owner;
    c->is_done = true;
}

static void received(void *owner, struct message *m)
{
    struct control *c = owner;
    if (m->type == MESSAGE_ADMIN)
        receive_admin(c, m);
    else if (m->type == MESSAGE_STATE)
        receive_state(c, m);
    else if (m->type == MESSAGE_COUNTERS)
        receive_counters(c, m);
    else if (m->type == MESSAGE_NAMES)
        receive_names(c, m);
    else if (m->type == MESSAGE_ADDRESSES)
        receive_addresses(c, m);
    else if (m->type == MESSAGE_CALLS)
        receive_calls(c, m);
    else if (m->type == MESSAGE_TARGETS)
        receive_targets(c, m);
    else if (m->type == MESSAGE_HEALTH)
        receive_health(c, m);
    else if (m->type == MESSAGE_COMMIT)
        names_commit(c->names, m->generation);
    else if (m->type == MESSAGE_ABORT)
        names_abort(c->names, m->generation);
    else if (m->type == MESSAGE_PREPARED && c->keeping.keys)
        publication_prepared(c->keeping.publication, m->generation);
    else if (m->type == MESSAGE_REFUSED)
        receive_refused(c, m);
    else if (m->type == MESSAGE_COMMITTED && c->keeping.keys)
        publication_committed(c->keeping.publication, m->generation);
    else if (m->type == MESSAGE_STOP)
        end(c);
}

int control_run(unsigned index)
{
    struct control c = {0};
    struct error err;
    json_memory_wipe();
    c.loop = loop_new(&err);
    if (!c.loop || receive_folder(&c.keeping, &err) < 0 ||
        lifeline_open(&c.lifeline, c.loop, received, end, &c, &err) < 0 || sandbox_seal(&err) < 0) {
        log_error("cannot begin: %s", err.text);
        return 1;
    }
    c.handshakes = handshakes_new();
    c.admin = admin_new(c.loop);
    admin_route(c.admin, "/metrics", METRICS_TYPE, answer_metrics, &c);
    admin_route(c.admin, "/status", "application/json", answer_status, &c);
    admin_route(c.admin, "/handshakes", "application/x-ndjson", answer_handshakes, &c);
    c.api = api_new(c.loop, c.admin);
    c.names = names_new(c.loop, publish_addresses, &c);
    c.signatory = signatory_new(c.loop);
    c.health = health_new(c.loop);
    open_keeping(&c);
    channel_send(&c.lifeline.channel, &(struct message){.type = MESSAGE_READY});
    while (!c.is_done)
        loop_turn(c.loop, -1);
    admin_free(&c.admin);
    api_free(&c.api);
    close_keeping(&c);
    handshakes_free(&c.handshakes);
    totals_fini_sources(&c.sources);
    names_free(&c.names);
    health_free(&c.health);
    signatory_free(&c.signatory);
    lifeline_close(&c.lifeline);
    loop_free(&c.loop);
    return 0;
}
