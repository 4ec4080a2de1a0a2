/* SPDX-License-Identifier: Apache-2.0 */
/* publication, with its store and files in a folder of their own; the supervisor is played here. */
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>

#include "api/publication.c"
#include "test.h"

/* The names of all listeners: enough to tell one configuration from another. */
int render_model(const struct model *m, struct buf *out, struct error *err)
{
    struct buf text;
    const json_t *d;
    buf_init(&text, 1024);
    for (size_t at = 0; model_next(m, MODEL_LISTENER, &at, &d);)
        if (buf_printf(&text, "%s ", json_string_value(json_object_get(d, "ListenerId"))) < 0)
            return -1;
    int failed = archive_add(out, ARCHIVE_CONFIG, buf_bytes(&text));
    buf_fini(&text);
    return failed;
}

/* ---- the supervisor ---- */

static struct supervisor {
    uint64_t number;
    char digest[DIGEST_TEXT];
    unsigned proposed, accepted, rejected;
} supervisor;

static void propose_it(void *owner, uint64_t number, struct bytes proposal)
{
    struct bytes digest = archive_find(proposal, ARCHIVE_API_DIGEST);
    supervisor.number = number;
    supervisor.proposed++;
    snprintf(supervisor.digest, sizeof(supervisor.digest), "%.*s", BYTES_ARG(digest));
}

static void decide_it(void *owner, uint64_t number, bool is_accepted)
{
    CHECK_INT(number, supervisor.number);
    *(is_accepted ? &supervisor.accepted : &supervisor.rejected) += 1;
}

/* ---- the world ---- */

static struct model *model;
static struct publication *publication;
static char folder[64];
static int outcome; /* of the last change; -1: none yet */
static char reason[512];

static void open_it(void)
{
    const struct publication_means means = {propose_it, decide_it, NULL};
    struct error err = {""};
    model = model_new();
    supervisor = (struct supervisor){0};
    publication = publication_new(model, folder, &means, &err);
    if (!publication)
        snprintf(reason, sizeof(reason), "%s", err.text);
}

static void close_it(void)
{
    publication_free(&publication);
    model_free(&model);
}

/* The supervisor says what is in force: DIGEST, "" for nothing. */
static void say_in_force(const char *digest)
{
    struct buf archive;
    buf_init(&archive, 1024);
    CHECK_INT(archive_add(&archive, ARCHIVE_API_DIGEST, bytes_of(digest)), 0);
    publication_in_force(publication, buf_bytes(&archive));
    buf_fini(&archive);
}

static void begin_in_a_new_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/sallyport-publication-XXXXXX");
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    open_it();
    CHECK(publication);
    say_in_force("");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    return remove(path);
}

static void end(void)
{
    if (publication)
        close_it();
    model_free(&model);
    CHECK(chdir("/") == 0 && nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

static void answered(void *owner, enum publication_outcome how, const char *why)
{
    outcome = (int)how;
    snprintf(reason, sizeof(reason), "%s", why ? why : "");
}

static void put(enum model_kind kind, const char *id)
{
    model_put(model, kind, id, json_pack("{s:s}", "ListenerId", id));
    outcome = -1;
    publication_begin(publication, answered, NULL);
}

/* A listener, all the way. */
static void put_listener(const char *id)
{
    put(MODEL_LISTENER, id);
    publication_prepared(publication, supervisor.number);
    say_in_force(supervisor.digest);
    publication_committed(publication, supervisor.number);
    CHECK_INT(outcome, PUBLICATION_DONE);
}

static const char *listeners(void)
{
    static char text[256];
    const json_t *d;
    text[0] = '\0';
    for (size_t at = 0, n = 0; model_next(model, MODEL_LISTENER, &at, &d); n = strlen(text))
        snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "",
            json_string_value(json_object_get(d, "ListenerId")));
    return text;
}

static void reopen(const char *in_force)
{
    char digest[DIGEST_TEXT];
    snprintf(digest, sizeof(digest), "%s", in_force);
    close_it();
    open_it();
    CHECK(publication);
    if (publication)
        say_in_force(digest);
}

static void overwrite(const char *name, off_t at, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text));
    close(fd);
}

/* ---- the tests ---- */

TEST(done_is_durable_and_in_force)
{
    begin_in_a_new_folder();
    CHECK_INT(supervisor.proposed, 0);
    put(MODEL_LISTENER, "lbl-b");
    CHECK(outcome == -1 && publication_is_under_way(publication));
    publication_prepared(publication, supervisor.number);
    CHECK(outcome == -1 && supervisor.accepted == 1);
    publication_committed(publication, supervisor.number);
    CHECK_INT(outcome, PUBLICATION_DONE);
    CHECK(!publication_is_under_way(publication) && !model_is_changed(model));
    put_listener("lbl-a");
    reopen(supervisor.digest);
    CHECK_TEXT(listeners(), "lbl-b lbl-a");
    CHECK_INT(supervisor.proposed, 0); /* it is in force already */
    end();
}

TEST(refused_leaves_everything_as_it_was)
{
    begin_in_a_new_folder();
    put_listener("lbl-a");
    char digest[DIGEST_TEXT];
    snprintf(digest, sizeof(digest), "%s", supervisor.digest);
    put(MODEL_LISTENER, "lbl-b");
    publication_refused(publication, supervisor.number, "the port is taken");
    CHECK_INT(outcome, PUBLICATION_REFUSED);
    CHECK_TEXT(reason, "the port is taken");
    CHECK_TEXT(listeners(), "lbl-a");
    reopen(digest);
    CHECK_TEXT(listeners(), "lbl-a");
    CHECK_INT(supervisor.proposed, 0);
    end();
}

/* What is said of an earlier proposal moves nothing. */
TEST(only_the_latest_proposal_counts)
{
    begin_in_a_new_folder();
    put(MODEL_LISTENER, "lbl-a");
    uint64_t first = supervisor.number;
    publication_refused(publication, first, "no");
    put(MODEL_LISTENER, "lbl-b");
    publication_committed(publication, supervisor.number); /* nobody has decided yet */
    publication_refused(publication, first, "no");
    CHECK_INT(outcome, -1);
    publication_prepared(publication, supervisor.number);
    publication_committed(publication, supervisor.number);
    CHECK_TEXT(listeners(), "lbl-b");
    end();
}

static int refuse_commit(
    struct store *s, const struct store_change *changes, size_t n, struct error *err)
{
    return error_set(err, "database or disk is full");
}

TEST(store_that_fails_leaves_everything_as_it_was)
{
    begin_in_a_new_folder();
    put_listener("lbl-a");
    char digest[DIGEST_TEXT];
    snprintf(digest, sizeof(digest), "%s", supervisor.digest);
    struct store_backend full = store_sqlite;
    full.commit = refuse_commit;
    publication->backend = &full;
    put(MODEL_LISTENER, "lbl-b");
    publication_prepared(publication, supervisor.number);
    CHECK_INT(outcome, PUBLICATION_UNSTORED);
    CHECK_TEXT(reason, "database or disk is full");
    CHECK_INT(supervisor.rejected, 1);
    CHECK_TEXT(listeners(), "lbl-a");
    publication->backend = &store_sqlite;
    reopen(digest);
    CHECK_TEXT(listeners(), "lbl-a");
    CHECK_INT(supervisor.proposed, 0);
    end();
}

/* Killed before the supervisor was ready, and after the decision: old, and new. */
TEST(whoever_dies_finds_what_was_decided)
{
    begin_in_a_new_folder();
    put_listener("lbl-a");
    char digest[DIGEST_TEXT];
    snprintf(digest, sizeof(digest), "%s", supervisor.digest);
    put(MODEL_LISTENER, "lbl-b");
    reopen(digest);
    CHECK_TEXT(listeners(), "lbl-a");
    CHECK_INT(supervisor.proposed, 0);
    put(MODEL_LISTENER, "lbl-b");
    publication_prepared(publication, supervisor.number);
    reopen(digest);
    CHECK_TEXT(listeners(), "lbl-a lbl-b");
    CHECK_INT(supervisor.proposed, 1);
    /* and whoever comes meanwhile waits for that */
    put(MODEL_LISTENER, "lbl-c");
    publication_prepared(publication, supervisor.number);
    publication_committed(publication, supervisor.number);
    CHECK_INT(outcome, -1);
    CHECK_INT(supervisor.proposed, 2);
    publication_prepared(publication, supervisor.number);
    publication_committed(publication, supervisor.number);
    CHECK_INT(outcome, PUBLICATION_DONE);
    CHECK_TEXT(listeners(), "lbl-a lbl-b lbl-c");
    end();
}

/* A task is nothing that processes need hear of. */
TEST(what_configures_nothing_goes_to_the_store_only)
{
    begin_in_a_new_folder();
    put(MODEL_TASK, "t");
    CHECK_INT(outcome, PUBLICATION_DONE);
    CHECK_INT(supervisor.proposed, 0);
    reopen("");
    CHECK(model_find(model, MODEL_TASK, "t"));
    end();
}

TEST(damaged_store_is_made_anew)
{
    begin_in_a_new_folder();
    put_listener("lbl-b");
    put_listener("lbl-a");
    close_it();
    overwrite(PUBLICATION_STORE, 0, "this is no database");
    open_it();
    CHECK(publication);
    CHECK_TEXT(listeners(), "lbl-b lbl-a");
    reopen(""); /* and it is kept anew */
    CHECK_TEXT(listeners(), "lbl-b lbl-a");
    CHECK_INT(supervisor.proposed, 1);
    end();
}

/* A lost store must not empty what is in force. */
TEST(lost_documents_take_nothing_away)
{
    begin_in_a_new_folder();
    put_listener("lbl-a");
    char digest[DIGEST_TEXT];
    snprintf(digest, sizeof(digest), "%s", supervisor.digest);
    close_it();
    CHECK(unlink(PUBLICATION_STORE) == 0 && truncate(PUBLICATION_GENERATION, 40) == 0);
    open_it();
    CHECK(publication);
    say_in_force(digest);
    CHECK_INT(supervisor.proposed, 0);
    put(MODEL_LISTENER, "lbl-b");
    CHECK_INT(outcome, PUBLICATION_UNSTORED);
    CHECK(strstr(reason, "lost"));
    say_in_force(""); /* started again, without them */
    put_listener("lbl-b");
    CHECK_TEXT(listeners(), "lbl-b");
    end();
}

TEST(newer_store_is_left_alone)
{
    sqlite3 *db;
    begin_in_a_new_folder();
    put_listener("lbl-a");
    close_it();
    CHECK(sqlite3_open(PUBLICATION_STORE, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    open_it();
    CHECK(!publication);
    CHECK(strstr(reason, "a newer sallyport has written it (schema 99"));
    CHECK(access(PUBLICATION_STORE, F_OK) == 0);
    end();
}
