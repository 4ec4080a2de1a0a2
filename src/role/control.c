/* SPDX-License-Identifier: Apache-2.0 */
/* control — answers the admin address: is the instance alive, is it ready, what has it counted, and
 * which were its last handshakes. The supervisor says what it is to know. */
#include <stdlib.h>
#include <unistd.h>

#include "balance/address_book.h"
#include "balance/signatory.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "control/admin.h"
#include "control/api.h"
#include "control/handshakes.h"
#include "control/health.h"
#include "control/metrics.h"
#include "control/names.h"
#include "control/status.h"
#include "proxy/service.h"
#include "role/key_table.h"
#include "role/lifeline.h"
#include "role/memfile.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

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
    bool is_done;
};

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
    if (memfile_map(m->fds[1], &keys.table, &err) < 0 ||
        memfile_map(m->fds[0], &from.archive, &err) < 0 || health_adopt(c->health, &from, &err) < 0)
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
    else if (m->type == MESSAGE_STOP)
        end(c);
}

int control_run(unsigned index)
{
    struct control c = {0};
    struct error err;
    c.loop = loop_new(&err);
    if (!c.loop || lifeline_open(&c.lifeline, c.loop, received, end, &c, &err) < 0 ||
        sandbox_seal(&err) < 0) {
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
    channel_send(&c.lifeline.channel, &(struct message){.type = MESSAGE_READY});
    while (!c.is_done)
        loop_turn(c.loop, -1);
    admin_free(&c.admin);
    api_free(&c.api);
    handshakes_free(&c.handshakes);
    totals_fini_sources(&c.sources);
    names_free(&c.names);
    health_free(&c.health);
    signatory_free(&c.signatory);
    lifeline_close(&c.lifeline);
    loop_free(&c.loop);
    return 0;
}
