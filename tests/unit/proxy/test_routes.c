/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"
#include "test.h"

static const struct config_rule rules[] = {
    {.domain = "www.example.com", .match = PATH_PREFIX, .path = "/", .group = 0},
    {.domain = "www.example.com", .match = PATH_PREFIX, .path = "/text", .group = 1},
    {.domain = "www.example.com", .match = PATH_PREFIX, .path = "/text/long/", .group = 2},
    {.domain = "www.example.com", .match = PATH_EXACT, .path = "/text/long/", .group = 3},
    {.domain = "*.example.com", .match = PATH_PREFIX, .path = "/api/", .group = 4},
    {.domain = "www.*", .match = PATH_PREFIX, .path = "/", .group = 5},
};
static const struct config_listener config = {.name = "web",
    .protocol = PROTOCOL_HTTP,
    .rules = rules,
    .rules_n = sizeof(rules) / sizeof(rules[0])};

static int route(const char *host, const char *path)
{
    struct listener l;
    listener_init(&l, &config, NULL);
    const struct config_rule *rule = listener_route(&l, bytes_of(host), bytes_of(path));
    int group = rule ? (int)rule->group : -1;
    listener_fini(&l);
    return group;
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
    CHECK_INT(route("a.example.com", "/"), -1);
    CHECK_INT(route("www.example.org", "/api/x"), 5);
}

TEST(an_unknown_host_goes_to_the_first_rules_domain)
{
    CHECK_INT(route("elsewhere.test", "/text"), 1);
    CHECK_INT(route("", "/"), 0);
}

TEST(an_asterisk_target_matches_no_path)
{
    CHECK_INT(route("www.example.com", "*"), -1);
}
