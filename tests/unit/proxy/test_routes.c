/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/routes.h"
#include "test.h"

static const struct config_rule rules[] = {
    {"www.example.com", PATH_PREFIX, "/", .group = 0},
    {"www.example.com", PATH_PREFIX, "/text", .group = 1},
    {"www.example.com", PATH_PREFIX, "/text/long/", .group = 2},
    {"www.example.com", PATH_EXACT, "/text/long/", .group = 3},
    {"*.example.com", PATH_PREFIX, "/api/", .group = 4},
    {"www.*", PATH_PREFIX, "/", .group = 5},
    {"img.test", PATH_REGEX, "\\.png$", .group = 6},
    {"img.test", PATH_PREFIX, "/", .group = 7},
    {"img.test", PATH_PREFIX_FINAL, "/static/", .group = 8},
    {"img.test", PATH_REGEX_NOCASE, "\\.(png|jpg)$", .group = 9},
    {"img.test", PATH_EXACT, "/logo.png", .group = 10},
    {"img.test", PATH_PREFIX, "/static/deep/", .group = 11},
    {"~^img[0-9]+\\.test$", PATH_PREFIX, "/", .group = 12},
    {"~^img[0-9]", PATH_PREFIX, "/", .group = 13},
    {"~^img[0-9]+\\.test$", PATH_PREFIX, "/b", .group = 14},
    {"slow.test", PATH_REGEX, "^(/[a/]*)+$", .group = 15},
    {"slow.test", PATH_PREFIX, "/", .group = 16},
    {"slash.test", PATH_PREFIX, "/", .group = 17},
    {"slash.test", PATH_PREFIX, "/a/", .group = 18},
    {"slash.test", PATH_PREFIX, "/b/", .group = 19},
    {"slash.test", PATH_EXACT, "/b", .group = 20},
    {"slash.test", PATH_PREFIX, "/c/", .group = 21},
    {"slash.test", PATH_PREFIX, "/c", .group = 22},
    {"slash.test", PATH_PREFIX_FINAL, "/d/e/", .group = 23},
    {"slash.test", PATH_EXACT, "/f/", .group = 24},
    {"slash.test", PATH_REGEX, "^/[ag]", .group = 25},
    {"slash.test", PATH_PREFIX, "//evil.test/", .group = 26},
    {"any.test", PATH_REGEX, ".", .group = 27},
};
static const struct config_listener config = {.name = "web",
    .protocol = PROTOCOL_HTTP,
    .rules = rules,
    .rules_n = sizeof(rules) / sizeof(rules[0])};

#define NONE      (-1)
#define UNDECIDED (-2)
#define SLASH     (-100) /* of rule n: SLASH - n */

static int route(const char *host, const char *path)
{
    struct routes r = {0};
    const struct config_rule *rule;
    routes_init(&r, &config);
    enum route_answer answer = routes_find(&r, bytes_of(host), bytes_of(path), &rule);
    routes_fini(&r);
    CHECK((answer == ROUTE_FOUND || answer == ROUTE_SLASH) == (rule != NULL));
    if (answer == ROUTE_SLASH)
        return SLASH - (int)rule->group;
    return rule ? (int)rule->group : answer == ROUTE_NONE ? NONE : UNDECIDED;
}

TEST(the_longest_prefix_wins_and_exact_before_all)
{
    CHECK_INT(route("www.example.com", "/"), 0);
    CHECK_INT(route("www.example.com", "/other"), 0);
    CHECK_INT(route("www.example.com", "/text"), 1);
    CHECK_INT(route("www.example.com", "/textual"), 1); /* a string prefix, as in CLB and nginx */
    CHECK_INT(route("www.example.com", "/text/long/a"), 2);
    CHECK_INT(route("www.example.com", "/text/long/"), 3);
}

TEST(the_host_chooses_the_domain_and_only_its_rules_count)
{
    CHECK_INT(route("a.example.com", "/api/x"), 4);
    CHECK_INT(route("a.example.com", "/"), NONE);
    CHECK_INT(route("www.example.org", "/api/x"), 5);
}

TEST(an_unknown_host_goes_to_the_first_rules_domain)
{
    CHECK_INT(route("elsewhere.test", "/text"), 1);
    CHECK_INT(route("", "/"), 0);
}

TEST(without_rules_nothing_is_found)
{
    static const struct config_listener empty = {.name = "web", .protocol = PROTOCOL_HTTP};
    struct routes r = {0};
    const struct config_rule *rule;
    routes_init(&r, &empty);
    CHECK(routes_find(&r, BYTES("a.example"), BYTES("/"), &rule) == ROUTE_NONE && !rule);
    routes_fini(&r);
}

TEST(an_asterisk_target_matches_no_path)
{
    CHECK_INT(route("www.example.com", "*"), NONE);
    CHECK_INT(route("any.test", "*"), NONE);
    CHECK_INT(route("any.test", "/*"), 27);
}

/* As in CLB and nginx: neither a shorter prefix nor a regular expression is in its way. */
TEST(what_lacks_the_slash_of_a_prefix_belongs_to_it)
{
    CHECK_INT(route("slash.test", "/a"), SLASH - 18);
    CHECK_INT(route("slash.test", "/a/"), 25);
    CHECK_INT(route("slash.test", "/ab"), 25);
    CHECK_INT(route("slash.test", "/b"), 20);
    CHECK_INT(route("slash.test", "/c"), 22);
    CHECK_INT(route("slash.test", "/d/e"), SLASH - 23);
    CHECK_INT(route("slash.test", "/d"), 17);
    CHECK_INT(route("slash.test", "/f"), 17);
    CHECK_INT(route("slash.test", "/"), 17);
    CHECK_INT(route("slash.test", "//evil.test"), 17);
    CHECK_INT(route("a.example.com", "/api"), SLASH - 4);
}

TEST(a_regular_expression_wins_over_a_prefix_and_the_first_of_the_file_over_others)
{
    CHECK_INT(route("img.test", "/a.png"), 6);
    CHECK_INT(route("img.test", "/a.PNG"), 9);
    CHECK_INT(route("img.test", "/a.jpg"), 9);
    CHECK_INT(route("img.test", "/a.png/b"), 7);
}

TEST(an_exact_path_and_a_marked_prefix_ask_no_regular_expression)
{
    CHECK_INT(route("img.test", "/logo.png"), 10);
    CHECK_INT(route("img.test", "/static/a.png"), 8);
    /* The longest prefix is not marked. */
    CHECK_INT(route("img.test", "/static/deep/a.png"), 6);
    CHECK_INT(route("img.test", "/static/deep/a"), 11);
}

TEST(regular_expressions_of_hosts_come_last_and_in_the_order_of_the_file)
{
    CHECK_INT(route("img.test", "/"), 7);
    CHECK_INT(route("img1.test", "/"), 12);
    CHECK_INT(route("img1.test", "/b"), 14); /* the same expression is the same domain */
    CHECK_INT(route("img1.testing", "/b"), 13);
    CHECK_INT(route("a.img1.test", "/text"), 1);
}

TEST(an_expression_that_takes_too_long_decides_nothing)
{
    char path[2048] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(path + 2 * i, "/a", 3);
    CHECK_INT(route("slow.test", path), 15);
    memcpy(path + 2000, "!", 2);
    CHECK_INT(route("slow.test", path), UNDECIDED);
    CHECK_INT(route("slow.test", "/b"), 16);
}
