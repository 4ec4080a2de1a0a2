/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "config/tree.c"
#include "test.h"

/* The report about TEXT, or "" where it is accepted. The caller frees it. */
static char *complaint(struct bytes text)
{
    struct arena a;
    struct report report;
    arena_init(&a);
    report_init(&report);
    struct node *root = tree_parse(&a, text, "f", &report);
    char *lines = report_text(&report);
    CHECK_INT(report.errors, root ? 0 : 1);
    report_fini(&report);
    arena_fini(&a);
    return lines;
}

TEST(places_are_those_of_the_file)
{
    struct arena a;
    struct report report;
    arena_init(&a);
    report_init(&report);
    struct node *root =
        tree_parse(&a, BYTES("a: 1\n\nlist:\n  - x\n  - {b: \"y\"}\n"), "f", &report);
    CHECK(root && root->kind == NODE_MAP && root->n == 2);
    struct node *list = tree_find(root, "list");
    CHECK(list && list->kind == NODE_LIST && list->n == 2);
    CHECK_INT(list->key_at.line, 3);
    CHECK_INT(list->first->at.line, 4);
    CHECK_INT(list->first->at.column, 5);
    struct node *b = tree_find(list->first->next, "b");
    CHECK_TEXT(b->text, "y");
    CHECK(!b->is_plain && list->first->is_plain);
    CHECK_INT(b->key_at.column, 6);
    CHECK_INT(b->at.column, 9);
    CHECK(!tree_find(root, "b") && !tree_find(list, "b"));
    arena_fini(&a);
    report_fini(&report);
}

TEST(null_is_the_word)
{
    struct arena a;
    struct report report;
    arena_init(&a);
    report_init(&report);
    struct node *root =
        tree_parse(&a, BYTES("{a: null, b: ~, c: \"null\", d: , e: nil}"), "f", &report);
    CHECK(root && !tree_value(root, "a") && !tree_value(root, "b"));
    CHECK(tree_value(root, "c") && tree_value(root, "d") && tree_value(root, "e"));
    CHECK(!tree_value(root, "f"));
    arena_fini(&a);
    report_fini(&report);
}

TEST(refusals)
{
    static const struct {
        struct bytes text;
        const char *want;
    } rows[] = {
        {BYTES("a: &x 1\nb: *x\n"), "f:1:4: anchors, aliases and tags"},
        {BYTES("b: *x\n"), "f:1:4: anchors, aliases and tags"},
        {BYTES("b: !!str x\n"), "f:1:4: anchors, aliases and tags"},
        {BYTES("b: &l [x]\n"), "f:1:4: anchors, aliases and tags"},
        {BYTES("b: !m {x: 1}\n"), "f:1:4: anchors, aliases and tags"},
        {BYTES("b:\n  <<: {c: 1}\n"), "f:2:3: merge keys (<<)"},
        {BYTES("a: 1\nb: 2\na: 3\n"), "f:3:1: the key \"a\" is already at line 1;"},
        {BYTES("? [a]\n: 1\n"), "f:1:3: a key must be a text"},
        {BYTES("a: 1\n---\nb: 1\n"), "f:2:1: a second document begins here"},
        {BYTES("a: 1\nb: \0 2\n"), "f:2:4: a NUL byte is not accepted"},
        {BYTES("a: \"x\\0y\"\n"), "f:1:4: a NUL character is not accepted"},
        {BYTES("\"x\\0y\": 1\n"), "f:1:1: a NUL character is not accepted"},
        {BYTES("a: 1\nb: \xC3\xA9\xFF\n"), "f:2:5: invalid leading UTF-8 octet;"},
        {BYTES("a: 1\nb: \x01\n"), "f:2:4: control characters are not allowed;"},
        {BYTES("a: [1, 2\n"), "f:2:1: not YAML: "},
        {BYTES("a: {b: 1\nc: 2}}\n"), "f:"},
        {BYTES("a:\n\t- b\n"), "f:2:1: not YAML: found character that cannot start any token"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *got = complaint(rows[i].text);
        if (strncmp(got, rows[i].want, strlen(rows[i].want)) != 0)
            printf("# row %zu: got %s", i, got);
        CHECK(strncmp(got, rows[i].want, strlen(rows[i].want)) == 0);
        free(got);
    }
}

TEST(accepted)
{
    static const struct bytes rows[] = {BYTES(""), BYTES("# nothing\n"), BYTES("---\na: 1\n...\n"),
        BYTES("\xEF\xBB\xBF"
              "a: 1\n")};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *got = complaint(rows[i]);
        CHECK_TEXT(got, "");
        free(got);
    }
}

/* N times UNIT, where a '#' in UNIT stands for the number. */
static void add_times(struct buf *b, size_t n, const char *unit)
{
    const char *mark = strchr(unit, '#');
    int before = mark ? (int)(mark - unit) : 0;
    for (size_t i = 0; i < n; i++)
        if (mark)
            ignore_result(buf_printf(b, "%.*s%zu%s", before, unit, i, mark + 1));
        else
            ignore_result(buf_append(b, bytes_of(unit)));
}

/* WANT is a part of the complaint, or "" for none. */
static void check_bound(size_t n, const char *unit, size_t closing_n, const char *want)
{
    struct buf b;
    buf_init(&b, 16u << 20);
    add_times(&b, n, unit);
    add_times(&b, closing_n, "]");
    char *got = complaint(buf_bytes(&b));
    if (!*want)
        CHECK_TEXT(got, "");
    else if (!strstr(got, want))
        printf("# got %s", got);
    CHECK(strstr(got, want));
    free(got);
    buf_fini(&b);
}

TEST(bounds)
{
    check_bound(TREE_DEPTH_MAX, "[", TREE_DEPTH_MAX, "");
    check_bound(TREE_DEPTH_MAX + 1, "[", 0, "f:1:33: nested too deeply");
    check_bound(900000, "[", 0, "nested too deeply");
    check_bound(TREE_KEYS_MAX, "k#: x\n", 0, "");
    check_bound(TREE_KEYS_MAX + 1, "k#: x\n", 0, "f:257:1: too many keys");
    check_bound(TREE_NODES_MAX - 1, "- x\n", 0, "");
    check_bound(TREE_NODES_MAX, "- x\n", 0, "f:200000:3: the file has too many values");
}

TEST(quotes_are_safe_to_show)
{
    struct arena a;
    arena_init(&a);
    CHECK_TEXT(tree_quote(&a, "mutal"), "\"mutal\"");
    CHECK_TEXT(tree_quote(&a, "a\n\x1b[1m"), "\"a\\x0a\\x1b[1m\"");
    CHECK_TEXT(tree_quote(&a, "\xc2\x9b[1m\xc2\xa0é\xc2"), "\"\\xc2\\x9b[1m\xc2\xa0é\xc2\"");
    char text[200] = {0};
    memset(text, 'x', sizeof(text) - 1);
    CHECK_INT(strlen(tree_quote(&a, text)), QUOTE_MAX + strlen("\"…\""));
    memcpy(text + QUOTE_MAX - 1, "é", 2); /* its first byte would just fit */
    CHECK_INT(strlen(tree_quote(&a, text)), QUOTE_MAX - 1 + strlen("\"…\""));
    memset(text, 1, sizeof(text) - 1);
    CHECK_INT(strlen(tree_quote(&a, text)), 4 * QUOTE_MAX + strlen("\"…\""));
    arena_fini(&a);
}
