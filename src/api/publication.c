/* SPDX-License-Identifier: Apache-2.0 */
#include "api/publication.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/export.h"
#include "api/objects.h"
#include "api/render.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "crypto/digest.h"

#include "base/ban.h"

/* Of a proposal with all documents. */
#define PROPOSAL_MAX (64u << 20)
#define DIGEST_TEXT  (2 * SHA256_SIZE + 1)

enum state { IDLE, PROPOSED, DECIDED };

struct publication {
    struct model *model;
    struct store *store;
    const struct store_backend *backend;
    struct publication_means means;
    const char *folder;
    enum state state;
    uint64_t number;
    struct buf proposal;        /* of what is under way */
    char digest[DIGEST_TEXT];   /* of the proposal; empty: it configures nothing */
    char kept[DIGEST_TEXT];     /* of what the store has */
    char in_force[DIGEST_TEXT]; /* of what the supervisor says is in force */
    char nothing[DIGEST_TEXT];  /* of the rendering of no objects */
    bool is_known;              /* that it has said so */
    bool is_bereft;             /* the documents are lost, and what they made may be in force */
    bool is_change;             /* what is under way is the change in hand */
    publication_fn *fn;         /* of the change in hand */
    void *owner;
};

/* ---- proposals ---- */

static void write_digest(struct bytes rendered, char out[DIGEST_TEXT])
{
    uint8_t digest[SHA256_SIZE];
    digest_sha256(rendered, digest);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* What is proposed and exported: the configuration, which the digest is of, and the documents. */
static int make_proposal(struct publication *p, struct error *err)
{
    struct buf objects;
    buf_clear(&p->proposal);
    if (render_model(p->model, &p->proposal, err) < 0)
        return -1;
    write_digest(buf_bytes(&p->proposal), p->digest);
    if (strcmp(p->digest, p->nothing) == 0)
        p->digest[0] = '\0';
    buf_init(&objects, PROPOSAL_MAX);
    int failed = objects_write(p->model, &objects);
    if (!failed)
        failed = archive_add(&p->proposal, ARCHIVE_API_DIGEST, bytes_of(p->digest));
    if (!failed)
        failed = archive_add(&p->proposal, ARCHIVE_OBJECTS, buf_bytes(&objects));
    buf_fini(&objects);
    return failed
               ? error_set(err, "all objects together are too large; at most %u bytes can be kept",
                     PROPOSAL_MAX)
               : 0;
}

static void drop_proposal(struct publication *p)
{
    buf_clear(&p->proposal);
    buf_release(&p->proposal);
}

/* ---- the store ---- */

static int commit_changes(struct publication *p, struct error *err)
{
    struct object_changes changes;
    objects_list_changes(p->model, &changes);
    int result = changes.n ? p->backend->commit(p->store, changes.at, changes.n, err) : 0;
    objects_free_changes(&changes);
    return result;
}

/* The point of no return is the store's commit. What cannot be renamed after it is the store's,
 * and comes into force again from there. */
static int keep(struct publication *p, struct error *err)
{
    struct error late;
    if (export_write(PUBLICATION_GENERATION, buf_bytes(&p->proposal), err) < 0 ||
        commit_changes(p, err) < 0)
        return -1;
    memcpy(p->kept, p->digest, sizeof(p->kept));
    if (export_replace(PUBLICATION_GENERATION, &late) < 0)
        log_error("api: %s/%s; what is stored is in force all the same", p->folder, late.text);
    return 0;
}

/* ---- the end of what is under way ---- */

static void look_at_what_is_in_force(struct publication *p);

/* The change in hand is over. */
static void answer(struct publication *p, enum publication_outcome outcome, const char *why)
{
    publication_fn *fn = p->fn;
    void *owner = p->owner;
    p->fn = NULL;
    if (outcome == PUBLICATION_DONE)
        model_keep(p->model);
    else
        model_abort(p->model);
    fn(owner, outcome, why);
}

static void start_change(struct publication *p);

/* What was under way is over. FN may begin the next change. */
static void finish(struct publication *p, enum publication_outcome outcome, const char *why)
{
    bool is_change = p->is_change;
    p->state = IDLE;
    p->is_change = false;
    drop_proposal(p);
    if (is_change)
        answer(p, outcome, why);
    else if (p->fn)
        start_change(p);
    if (p->state == IDLE && !p->fn && outcome == PUBLICATION_DONE)
        look_at_what_is_in_force(p);
}

/* ---- beginning ---- */

static void propose(struct publication *p)
{
    p->state = PROPOSED;
    p->number++;
    p->means.propose(p->means.owner, p->number, buf_bytes(&p->proposal));
}

static void start_change(struct publication *p)
{
    struct error err;
    p->is_change = true;
    if (make_proposal(p, &err) < 0) {
        finish(p, PUBLICATION_REFUSED, err.text);
    } else if (strcmp(p->digest, p->kept) != 0 || strcmp(p->digest, p->in_force) != 0) {
        propose(p);
    } else if (keep(p, &err) < 0) {
        finish(p, PUBLICATION_UNSTORED, err.text);
    } else {
        finish(p, PUBLICATION_DONE, NULL);
    }
}

void publication_begin(struct publication *p, publication_fn *fn, void *owner)
{
    ASSERT(!p->fn);
    p->fn = fn;
    p->owner = owner;
    if (!model_is_changed(p->model))
        answer(p, PUBLICATION_DONE, NULL);
    else if (p->is_bereft)
        answer(p, PUBLICATION_UNSTORED,
            "the documents of the API's objects are lost, but not what they made, which goes on "
            "(see the event log); put a copy of store.db or generation back, or restart sallyport "
            "to begin with none");
    else if (p->state == IDLE)
        start_change(p);
}

bool publication_is_under_way(const struct publication *p)
{
    return p->fn;
}

/* ---- what the supervisor says ---- */

void publication_prepared(struct publication *p, uint64_t number)
{
    struct error err;
    if (p->state != PROPOSED || number != p->number) {
        p->means.decide(p->means.owner, number, false);
    } else if (keep(p, &err) < 0) {
        p->means.decide(p->means.owner, number, false);
        log_error("api: %s", err.text);
        finish(p, PUBLICATION_UNSTORED, err.text);
    } else {
        p->state = DECIDED;
        p->means.decide(p->means.owner, number, true);
    }
}

void publication_refused(struct publication *p, uint64_t number, const char *why)
{
    if (p->state == IDLE || number != p->number)
        return;
    if (!p->is_change)
        log_error("api: what is stored cannot come into force: %s", why);
    if (p->state == PROPOSED) {
        finish(p, PUBLICATION_REFUSED, why);
        return;
    }
    /* It is stored, but the supervisor did not wait for us to say so. */
    log_error("api: what is stored came too late to come into force; trying again");
    if (p->is_change)
        model_keep(p->model);
    propose(p);
}

void publication_committed(struct publication *p, uint64_t number)
{
    if (p->state != DECIDED || number != p->number)
        return;
    memcpy(p->in_force, p->digest, sizeof(p->in_force));
    finish(p, PUBLICATION_DONE, NULL);
}

/* Control was started again, or the configuration was loaded anew, with other objects of the API
 * than the store has. */
static void look_at_what_is_in_force(struct publication *p)
{
    struct error err;
    if (!p->is_known || p->is_bereft || strcmp(p->kept, p->in_force) == 0)
        return;
    log_info("api: what is in force is not what is stored; proposing that");
    if (make_proposal(p, &err) == 0) {
        propose(p);
        return;
    }
    log_error("api: what is stored cannot come into force: %s", err.text);
    drop_proposal(p);
}

void publication_in_force(struct publication *p, struct bytes archive)
{
    struct bytes digest = archive_find(archive, ARCHIVE_API_DIGEST);
    p->is_known = true;
    snprintf(p->in_force, sizeof(p->in_force), "%.*s", BYTES_ARG(digest));
    if (p->is_bereft && !digest.n)
        p->is_bereft = false; /* nothing that could be taken away */
    else if (p->is_bereft)
        log_error("api: the objects of the API are lost with %s/%s; what they made stays in force "
                  "until sallyport is started again",
            p->folder, PUBLICATION_STORE);
    if (p->state == IDLE && !p->fn)
        look_at_what_is_in_force(p);
}

/* ---- the beginning ---- */

struct reading {
    struct model *model;
    struct error *err;
    int failed;
};

static void take_document(void *owner, struct bytes key, struct bytes value)
{
    struct reading *r = owner;
    if (!r->failed)
        r->failed = objects_put(r->model, key, value, r->err);
}

/* All documents out of the store, or none. */
static int read_store(struct publication *p, struct error *err)
{
    struct reading r = {p->model, err, 0};
    if (p->backend->each(p->store, take_document, &r, err) == 0 && !r.failed) {
        model_keep(p->model);
        return 0;
    }
    model_abort(p->model);
    return -1;
}

/* The damaged store's files get names of their own, for whoever wants to see what happened. */
static void put_aside(const struct publication *p, const char *why)
{
    static const char *const files[] = {PUBLICATION_STORE, PUBLICATION_STORE "-wal"};
    char when[32], aside[96];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &utc);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(aside, sizeof(aside), "%s.damaged-%s", files[i], when);
        if (rename(files[i], aside) == 0)
            log_error("api: the store %s/%s is damaged (%s); it is kept as %s", p->folder, files[i],
                why, aside);
    }
}

static int open_store(struct publication *p, struct error *err)
{
    enum store_flaw flaw;
    p->store = p->backend->open(PUBLICATION_STORE, &flaw, err);
    if (p->store && read_store(p, err) == 0)
        return 0;
    if (p->store)
        p->backend->close(p->store);
    else if (flaw != STORE_DAMAGED)
        return -1;
    put_aside(p, err->text);
    p->store = p->backend->open(PUBLICATION_STORE, &flaw, err);
    return p->store ? 0 : -1;
}

/* A store in which nothing was ever kept is new, or was lost: the exported generation knows. */
static int restore(struct publication *p, struct error *err)
{
    struct buf exported;
    struct error why;
    buf_init(&exported, PROPOSAL_MAX);
    int failed = export_read(PUBLICATION_GENERATION, &exported, &why);
    struct bytes objects = archive_find(buf_bytes(&exported), ARCHIVE_OBJECTS);
    if (!failed)
        failed =
            objects.at ? objects_read(p->model, objects, &why) : error_set(&why, "it is cut off");
    buf_fini(&exported);
    if (failed) {
        model_abort(p->model);
        p->is_bereft = true; /* until it is known that nothing is in force */
        if (why.text[0])
            log_error("api: the exported generation %s/%s cannot be used: %s", p->folder,
                PUBLICATION_GENERATION, why.text);
        return 0;
    }
    if (!model_is_changed(p->model))
        return 0;
    if (commit_changes(p, err) < 0)
        return -1;
    model_keep(p->model);
    log_error("api: the store %s/%s was lost; its objects are those of the exported generation",
        p->folder, PUBLICATION_STORE);
    return 0;
}

static int begin(struct publication *p, struct error *err)
{
    if (make_proposal(p, err) < 0) /* of nothing */
        return -1;
    memcpy(p->nothing, p->digest, sizeof(p->nothing));
    if (open_store(p, err) < 0)
        return -1;
    if (!p->backend->revision(p->store) && restore(p, err) < 0)
        return -1;
    if (make_proposal(p, err) < 0)
        return -1;
    memcpy(p->kept, p->digest, sizeof(p->kept));
    drop_proposal(p);
    return 0;
}

struct publication *publication_new(
    struct model *m, const char *folder, const struct publication_means *means, struct error *err)
{
    struct publication *p = mem_alloc(sizeof(*p));
    struct error why;
    *p = (struct publication){
        .model = m, .backend = &store_sqlite, .means = *means, .folder = folder};
    buf_init(&p->proposal, PROPOSAL_MAX);
    if (begin(p, &why) < 0) {
        error_set(err, "%s/%s: %s", folder, PUBLICATION_STORE, why.text);
        publication_free(&p);
    }
    return p;
}

void publication_free(struct publication **pp)
{
    struct publication *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    if (p->store)
        p->backend->close(p->store);
    buf_fini(&p->proposal);
    free(p);
}
