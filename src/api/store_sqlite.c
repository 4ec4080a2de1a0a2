/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as a SQLite database: one table of keys and values, and one of one row that counts the
 * revisions.
 *
 * A commit is durable when it returns: write-ahead log, synchronous=FULL (an fsync of the log for
 * each). The database is ours alone (locking_mode=EXCLUSIVE), which spares the shared memory file
 * beside it. What is in the file may be anything, as somebody may have written to it: it is checked
 * when it is opened, and what its schema could do is switched off.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/store.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define VALUE_MAX (16 << 20) /* one document; what is longer in a file is not ours */

enum statement { BEGIN, PUT, DELETE, COUNT_UP, COMMIT, ROLLBACK, STATEMENT_COUNT };

/* PUT keeps the row of a key that is there, and so its place in the order of making. */
static const char *const statements[] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [PUT] = ("INSERT INTO document (key, value) VALUES (?1, ?2)"
             " ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
    [DELETE] = "DELETE FROM document WHERE key = ?1",
    [COUNT_UP] = "UPDATE state SET revision = revision + 1",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

/* From version I of the schema to I + 1. A row is never changed once it was released. */
static const char *const migrations[] = {
    "CREATE TABLE document (made INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key TEXT NOT NULL UNIQUE, value TEXT NOT NULL);"
    "CREATE TABLE state (revision INTEGER NOT NULL);"
    "INSERT INTO state VALUES (0);",
};
#define SCHEMA_VERSION ((int)COUNT_OF(migrations))

struct store {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    uint64_t revision;
};

/* What is being opened. */
struct opening {
    sqlite3 *db;
    enum store_flaw flaw;
    struct error *err;
};

/* ---- SQLite, in our words ---- */

static int fail(sqlite3 *db, struct error *err, const char *what)
{
    return error_set(err, "%s: %s", what, sqlite3_errmsg(db));
}

/* What SQLite has just said of the database that is being opened. */
static int fail_opening(struct opening *o, const char *what)
{
    /* SQLITE_ERROR: there is no such table, or the like. */
    static const int damage[] = {SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR};
    for (size_t i = 0; i < COUNT_OF(damage); i++)
        if ((sqlite3_errcode(o->db) & 0xff) == damage[i])
            o->flaw = STORE_DAMAGED;
    return fail(o->db, o->err, what);
}

static int execute(struct opening *o, const char *sql)
{
    return sqlite3_exec(o->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : fail_opening(o, "it cannot be set up");
}

/* The first column of SQL's first row as a number. */
static int ask(struct opening *o, const char *sql, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    bool is_answered =
        sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (is_answered)
        *out = sqlite3_column_int64(s, 0);
    else
        fail_opening(o, "it does not answer");
    sqlite3_finalize(s);
    return is_answered ? 0 : -1;
}

/* ---- opening ---- */

/* Names stand as they are: the process is in the store's folder, and may not be allowed to see the
 * folders above it, which SQLite would look at to make an absolute name. */
static int keep_name(sqlite3_vfs *vfs, const char *name, int room, char *out)
{
    return snprintf(out, (size_t)room, "%s", name) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

static const char *register_files(void)
{
    static sqlite3_vfs files;
    const sqlite3_vfs *usual = sqlite3_vfs_find("unix");
    ASSERT(usual);
    if (!files.zName) {
        files = *usual;
        files.zName = "sallyport";
        files.xFullPathname = keep_name;
        sqlite3_vfs_register(&files, 0);
    }
    return files.zName;
}

/* A file from outside must not do anything by being read. */
static int harden(struct opening *o)
{
    static const struct {
        int what, value;
    } rows[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (sqlite3_db_config(o->db, rows[i].what, rows[i].value, NULL) != SQLITE_OK)
            return fail_opening(o, "it cannot be restricted");
    sqlite3_limit(o->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_limit(o->db, SQLITE_LIMIT_ATTACHED, 0);
    return execute(o, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                      "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
                      "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON;");
}

static int note_row(void *is_good, int n, char **values, char **names)
{
    *(bool *)is_good = n == 1 && values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

/* Each page is read once. */
static int check(struct opening *o)
{
    bool is_good = false;
    if (sqlite3_exec(o->db, "PRAGMA quick_check(1)", note_row, &is_good, NULL) != SQLITE_OK)
        return fail_opening(o, "it cannot be read");
    if (is_good)
        return 0;
    o->flaw = STORE_DAMAGED;
    return error_set(o->err, "its pages contradict each other");
}

static int migrate(struct opening *o)
{
    int64_t version;
    if (ask(o, "PRAGMA user_version", &version) < 0)
        return -1;
    if (version > SCHEMA_VERSION)
        return error_set(o->err,
            "a newer sallyport has written it (schema %lld, this one knows %d); start that one, or "
            "put a copy of it from before the upgrade in its place",
            (long long)version, SCHEMA_VERSION);
    for (; version < SCHEMA_VERSION; version++) {
        char sql[1024];
        int n = snprintf(sql, sizeof(sql), "BEGIN IMMEDIATE;%s PRAGMA user_version = %d; COMMIT;",
            migrations[version], (int)version + 1);
        ASSERT(n < (int)sizeof(sql));
        if (execute(o, sql) < 0)
            return -1;
    }
    return 0;
}

static int prepare(struct opening *o, struct store *s)
{
    int64_t revision;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(o->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->prepared[i],
                NULL) != SQLITE_OK)
            return fail_opening(o, "it is no store of sallyport's");
    if (ask(o, "SELECT revision FROM state", &revision) < 0)
        return -1;
    s->revision = (uint64_t)revision;
    return 0;
}

static void close_store(struct store *s)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(s->prepared[i]);
    sqlite3_close(s->db);
    free(s);
}

static struct store *open_store(const char *path, enum store_flaw *flaw, struct error *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
    struct store *s = mem_alloc(sizeof(*s));
    struct opening o = {.flaw = STORE_UNUSABLE, .err = err};
    int failed = sqlite3_open_v2(path, &o.db, flags, register_files()) != SQLITE_OK
                     ? fail_opening(&o, "it cannot be opened")
                     : 0;
    s->db = o.db;
    if (failed || harden(&o) < 0 || check(&o) < 0 || migrate(&o) < 0 || prepare(&o, s) < 0) {
        *flaw = o.flaw;
        close_store(s);
        return NULL;
    }
    return s;
}

/* ---- reading ---- */

static struct bytes column(sqlite3_stmt *s, int i)
{
    const unsigned char *text = sqlite3_column_text(s, i);
    return (struct bytes){text, text ? (size_t)sqlite3_column_bytes(s, i) : 0};
}

static int each(struct store *s, store_each_fn *fn, void *owner, struct error *err)
{
    sqlite3_stmt *rows = NULL;
    int result =
        sqlite3_prepare_v2(s->db, "SELECT key, value FROM document ORDER BY made", -1, &rows, NULL);
    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        fn(owner, column(rows, 0), column(rows, 1));
        result = SQLITE_OK;
    }
    int failed = result == SQLITE_DONE ? 0 : fail(s->db, err, "it cannot be read");
    sqlite3_finalize(rows);
    return failed;
}

/* ---- writing ---- */

static int run(struct store *s, enum statement which)
{
    sqlite3_stmt *statement = s->prepared[which];
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result == SQLITE_DONE ? 0 : -1;
}

static int bind(sqlite3_stmt *statement, int at, struct bytes text)
{
    return sqlite3_bind_text64(statement, at, (const char *)text.at, text.n, SQLITE_STATIC,
               SQLITE_UTF8) == SQLITE_OK
               ? 0
               : -1;
}

static int write_change(struct store *s, const struct store_change *c)
{
    enum statement which = c->value.at ? PUT : DELETE;
    if (bind(s->prepared[which], 1, bytes_of(c->key)) < 0 ||
        (c->value.at && bind(s->prepared[which], 2, c->value) < 0))
        return -1;
    return run(s, which);
}

static int write_all(struct store *s, const struct store_change *changes, size_t n)
{
    int failed = run(s, BEGIN);
    for (size_t i = 0; i < n && !failed; i++)
        failed = write_change(s, &changes[i]);
    return failed || run(s, COUNT_UP) < 0 || run(s, COMMIT) < 0 ? -1 : 0;
}

/* Where the log could not be synchronised, all of the transaction may stand in it all the same, and
 * would count after a crash: it is written over. */
static void undo(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        ignore_result(run(s, ROLLBACK));
    sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

static int commit(struct store *s, const struct store_change *changes, size_t n, struct error *err)
{
    if (write_all(s, changes, n) < 0) {
        int failed = fail(s->db, err, "the store could not be written");
        undo(s);
        return failed;
    }
    s->revision++;
    return 0;
}

static uint64_t revision(const struct store *s)
{
    return s->revision;
}

const struct store_backend store_sqlite = {open_store, close_store, each, commit, revision};
