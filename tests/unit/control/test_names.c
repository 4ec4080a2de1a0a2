/* SPDX-License-Identifier: Apache-2.0 */
/* names, with the hosts file as the only one who knows; test_target_names.py has name servers. */
#include "base/clock.h"
#include "control/names.c"
#include "test.h"

#define BEGIN                                                                 \
    "listeners:\n"                                                            \
    "- {name: l, protocol: TCP, address: \"127.0.0.1:0\", target_group: g}\n" \
    "target_groups:\n"                                                        \
    "- {name: g, protocol: TCP, targets: ["
#define END "]}\nresolver: {servers: [\"127.0.0.1:1\"]}\n" /* where nobody answers */

static struct loop *loop;
static struct names *names;
static uint64_t generation;
static char book[4096];
static unsigned published;

static void take(void *owner, uint64_t of, struct bytes text)
{
    published++;
    generation = of;
    CHECK(text.n < sizeof(book));
    if (text.n)
        memcpy(book, text.at, text.n);
    book[text.n] = 0;
}

static void open_names(void)
{
    struct error err;
    loop = loop_new(&err);
    names = names_new(loop, take, NULL);
    published = 0;
    generation = 0;
    book[0] = 0;
}

static void close_names(void)
{
    names_free(&names);
    loop_free(&loop);
}

static int prepare(uint64_t number, const char *targets, const char *hosts)
{
    struct buf archive, text;
    struct error err;
    buf_init(&archive, 1 << 16);
    buf_init(&text, 1 << 16);
    CHECK_INT(buf_printf(&text, BEGIN "%s" END, targets), 0);
    CHECK(archive_add(&archive, ARCHIVE_CONFIG, buf_bytes(&text)) == 0 &&
          archive_add(&archive, ARCHIVE_CONFIG_FILE, BYTES("f")) == 0 &&
          archive_add(&archive, ARCHIVE_CONFIG_FOLDER, BYTES("/")) == 0 &&
          archive_add(&archive, ARCHIVE_HOSTS, bytes_of(hosts)) == 0);
    int result = names_prepare(names, number, buf_bytes(&archive), &err);
    buf_fini(&archive);
    buf_fini(&text);
    return result;
}

/* Until something is published. */
static void turn(void)
{
    unsigned before = published;
    uint64_t end_ms = clock_monotonic_ms() + 10000;
    while (published == before && clock_monotonic_ms() < end_ms)
        loop_turn(loop, 100);
    CHECK(published > before);
}

#define ONE "{address: \"a.x:80\"}"
#define TWO                                                                                \
    "{address: \"b.x:80\"}, {address: \"A.x:80\"}, {address: \"10.0.0.1:80\"}, {address: " \
    "\"a.x:80\"}"

TEST(each_name_is_published_once)
{
    open_names();
    CHECK_INT(prepare(1, TWO, "10.0.0.6 a.x\n10.0.0.5 a.x b.x\n"), 0);
    turn();
    CHECK_INT(generation, 1);
    CHECK_TEXT(book, "a.x:80 10.0.0.5 10.0.0.6\nb.x:80 10.0.0.5\n");
    close_names();
}

TEST(a_name_that_fails_settles_the_generation_without_an_address)
{
    open_names();
    CHECK_INT(prepare(1, TWO, "10.0.0.5 a.x\n"), 0);
    do
        turn();
    while (!generation);
    CHECK_TEXT(book, "a.x:80 10.0.0.5\n");
    close_names();
}

TEST(what_is_in_force_holds_until_the_commit)
{
    open_names();
    CHECK_INT(prepare(1, ONE, "10.0.0.5 a.x\n"), 0);
    turn();
    names_commit(names, 1);
    turn();
    CHECK_INT(prepare(2, TWO, "10.0.0.6 a.x\n10.0.0.7 b.x\n"), 0);
    turn();
    CHECK_INT(generation, 2);
    CHECK_TEXT(book, "a.x:80 10.0.0.5\nb.x:80 10.0.0.7\n");
    names_commit(names, 7); /* another one */
    names_commit(names, 2);
    turn();
    CHECK_TEXT(book, "a.x:80 10.0.0.6\nb.x:80 10.0.0.7\n");
    close_names();
}

TEST(what_was_aborted_is_no_longer_asked_for)
{
    open_names();
    CHECK_INT(prepare(1, ONE, "10.0.0.5 a.x\n"), 0);
    names_commit(names, 1);
    CHECK_INT(prepare(2, TWO, "10.0.0.6 b.x\n"), 0);
    names_abort(names, 1); /* is in force */
    names_abort(names, 2);
    CHECK(names->in_force && !names->coming);
    turn();
    CHECK_INT(generation, 1);
    CHECK_TEXT(book, "a.x:80 10.0.0.5\n");
    close_names();
}

TEST(what_was_published_before_is_known)
{
    open_names();
    names_recall(names, BYTES("a.x:80 10.0.0.4\nc.x:80 10.0.0.3\n"));
    CHECK_INT(prepare(1, ONE, "10.9.9.9 other\n"), 0);
    CHECK_INT(names->coming->awaited_n, 0);
    turn();
    CHECK_INT(generation, 1);
    CHECK_TEXT(book, "a.x:80 10.0.0.4\n");
    close_names();
}

TEST(pauses_double_and_ttls_are_bounded)
{
    open_names();
    CHECK_INT(prepare(1, ONE, "10.0.0.5 a.x\n"), 0);
    struct name *name = &names->coming->list[0];
    static const unsigned wants[] = {1, 2, 4, 8, 16, 30, 30};
    for (size_t i = 0; i < COUNT_OF(wants); i++) {
        failed(name, "why");
        uint64_t pause_ms = name->due.deadline_ms - loop_now_ms(loop);
        CHECK(pause_ms >= wants[i] * 1000 && pause_ms <= wants[i] * 1100);
    }
    struct resolver_answer answer = {.addresses_n = 1, .ttl_s = 0};
    CHECK_INT(address_parse_host(BYTES("10.0.0.5"), 0, &answer.addresses[0]), 0);
    found(name, &answer);
    CHECK(name->due.deadline_ms - loop_now_ms(loop) >= 1000 && !name->failures);
    answer.ttl_s = 60;
    found(name, &answer);
    CHECK(name->due.deadline_ms - loop_now_ms(loop) >= 60000);
    CHECK(name->due.deadline_ms - loop_now_ms(loop) <= 66000);
    close_names();
}

TEST(no_more_than_so_many_at_a_time)
{
    open_names();
    char targets[8192] = "";
    for (unsigned i = 0; i < 200; i++)
        snprintf(targets + strlen(targets), sizeof(targets) - strlen(targets),
            "%s{address: \"n%u.x:80\"}", i ? ", " : "", i);
    CHECK_INT(prepare(1, targets, "10.0.0.5 n7.x n199.x\n"), 0);
    CHECK(names->coming->asking_n <= ASKING_MAX);
    do
        turn();
    while (!generation);
    CHECK(strstr(book, "n199.x:80 10.0.0.5\n") && strstr(book, "n7.x:80 10.0.0.5\n"));
    close_names();
}

TEST(a_generation_without_a_configuration_is_refused)
{
    struct error err;
    open_names();
    CHECK_INT(names_prepare(names, 1, (struct bytes){0}, &err), -1);
    CHECK(!names->coming);
    close_names();
}
