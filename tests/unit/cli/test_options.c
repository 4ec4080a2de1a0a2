/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"
#include "test.h"

struct given {
    bool json;
    const char *name;
    struct options_list ca, arguments;
    unsigned depth, purpose;
    int status;
};

/* What the words "sallyport x" WORDS… set. False as options_parse's. */
static bool parse(struct given *g, int n, const char *const *words)
{
    *g = (struct given){.depth = 8};
    const struct options_row rows[] = {
        {"json", 'j', OPTIONS_FLAG, &g->json, NULL, "as JSON"},
        {"name", 0, OPTIONS_TEXT, &g->name, "NAME", "a name"},
        {"ca", 0, OPTIONS_LIST, &g->ca, "FILE", "trusted"},
        {"depth", 'd', OPTIONS_NUMBER, &g->depth, "N", "intermediates", 1, 20},
        {"purpose", 0, OPTIONS_CHOICE, &g->purpose, "server|client", "for what"},
    };
    const struct options_syntax syntax = {"x", "CERT", "About x.", rows, COUNT_OF(rows), 1, 2};
    char command[] = "x", *argv[16] = {command};
    for (int i = 0; i < n; i++)
        argv[i + 1] = strdup(words[i]);
    freopen("/dev/null", "w", stderr);
    bool good = options_parse(&syntax, n + 1, argv, &g->arguments, &g->status);
    for (size_t i = 0; i < g->arguments.n; i++)
        CHECK(g->arguments.at[i] != NULL);
    if (good && g->name)
        g->name = strcmp(g->name, "DNS:a") == 0 ? "DNS:a" : "another";
    options_list_fini(&g->ca);
    size_t arguments = g->arguments.n;
    options_list_fini(&g->arguments);
    g->arguments.n = arguments;
    for (int i = 0; i < n; i++)
        free(argv[i + 1]);
    return good;
}
#define PARSE(g, ...)                                                       \
    parse(g, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), \
        (const char *[]){__VA_ARGS__})

TEST(defaults_stay_where_nothing_is_given)
{
    struct given g;
    CHECK(PARSE(&g, "cert"));
    CHECK(!g.json && !g.name);
    CHECK_INT(g.depth, 8);
    CHECK_INT(g.arguments.n, 1);
}

TEST(every_kind_in_every_spelling)
{
    struct given g;
    CHECK(PARSE(&g, "--json", "--name=DNS:a", "cert", "--depth", "3", "--purpose=client"));
    CHECK(g.json);
    CHECK_TEXT(g.name, "DNS:a");
    CHECK_INT(g.depth, 3);
    CHECK_INT(g.purpose, 1);
    CHECK(PARSE(&g, "-j", "-d", "20", "cert"));
    CHECK(g.json);
    CHECK_INT(g.depth, 20);
}

TEST(a_dash_alone_and_what_follows_two_are_arguments)
{
    struct given g;
    CHECK(PARSE(&g, "-", "--", "--json"));
    CHECK(!g.json);
    CHECK_INT(g.arguments.n, 2);
}

TEST(wrong_usage_ends_with_2)
{
    static const char *const cases[][3] = {
        {"cert", "--frob"},
        {"cert", "-x"},
        {"cert", "-jd"},
        {"cert", "--json=yes"},
        {"cert", "--name"},
        {"--name=a", "--name=b", "cert"},
        {"cert", "--depth", "0"},
        {"cert", "--depth", "21"},
        {"cert", "--depth", "-1"},
        {"cert", "--depth", "3x"},
        {"cert", "--depth", ""},
        {"cert", "--depth", " 3"},
        {"cert", "--purpose", "clien"},
        {"cert", "--purpose", ""},
        {"cert", "--purpose", "server|client"},
        {"--json"},
        {"a", "b", "c"},
        {"--ca", "f"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g;
        int n = 0;
        while (n < 3 && cases[i][n])
            n++;
        CHECK(!parse(&g, n, cases[i]));
        CHECK_INT(g.status, OPTIONS_EXIT_USAGE);
        CHECK_INT(g.arguments.n, 0);
    }
}

TEST(help_ends_with_0)
{
    struct given g;
    fflush(stdout);
    FILE *saved = stdout;
    stdout = fopen("/dev/null", "w");
    bool good = PARSE(&g, "--help");
    fclose(stdout);
    stdout = saved;
    CHECK(!good);
    CHECK_INT(g.status, OPTIONS_EXIT_GOOD);
}
