/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hosts.h"
#include "test.h"

static const char hosts[] = "# comment 10.9.9.9 app\n"
                            "127.0.0.1\tlocalhost\n"
                            "10.0.0.5  app.internal App other # a comment, 10.0.0.6 none\r\n"
                            "2001:db8::5 app\n"
                            "fe80::1%eth0 app\n"
                            "300.0.0.1 app\n"
                            "\n"
                            "app\n"
                            "10.0.0.7 last";

static void check_hosts(const char *name, const char *want)
{
    struct address found[4];
    char got[4 * ADDRESS_TEXT_MAX] = "", text[ADDRESS_TEXT_MAX];
    size_t n = hosts_find(bytes_of(hosts), name, found, 4);
    for (size_t i = 0; i < n; i++) {
        address_format_host(&found[i], text);
        strncat(got, i ? " " : "", 2);
        strncat(got, text, ADDRESS_TEXT_MAX);
    }
    CHECK_TEXT(got, want);
}

TEST(a_name_has_all_the_addresses_of_its_lines)
{
    check_hosts("app", "10.0.0.5 2001:db8::5");
    check_hosts("APP.internal", "10.0.0.5");
    check_hosts("localhost", "127.0.0.1");
    check_hosts("last", "10.0.0.7");
    check_hosts("none", "");
    check_hosts("comment", "");
    check_hosts("10.0.0.5", "");
    check_hosts("ap", "");
    struct address one;
    CHECK_INT(hosts_find(bytes_of(hosts), "app", &one, 1), 1);
    CHECK_INT(hosts_find((struct bytes){0}, "app", &one, 1), 0);
}

TEST(resolv_conf_as_the_c_library_reads_it)
{
    struct hosts_resolv_conf c;
    char text[ADDRESS_TEXT_MAX];
    hosts_read_resolv_conf(BYTES("; comment\n"
                                 "search a.example b.example\n"
                                 "domain left.example\n"
                                 "search one.example two.example\n"
                                 "nameserver 10.0.0.1\n"
                                 "nameserver not-numeric\n"
                                 "  nameserver 2001:db8::1 # comment\n"
                                 "nameserver fe80::1%eth0\n"
                                 "nameserver 10.0.0.2\n"
                                 "nameserver 10.0.0.3\n"
                                 "options rotate ndots:5 timeout:1\n"),
        &c);
    CHECK_INT(c.servers_n, HOSTS_SERVERS_MAX);
    address_format(&c.servers[1], text);
    CHECK_TEXT(text, "[2001:db8::1]:53");
    address_format(&c.servers[2], text);
    CHECK_TEXT(text, "10.0.0.2:53");
    CHECK_INT(c.domains_n, 2);
    CHECK_TEXT(c.domains[0], "one.example");
    CHECK_TEXT(c.domains[1], "two.example");
    CHECK_INT(c.ndots, 5);
}

TEST(resolv_conf_of_nothing_means_this_machine)
{
    struct hosts_resolv_conf c;
    char text[ADDRESS_TEXT_MAX];
    hosts_read_resolv_conf((struct bytes){0}, &c);
    CHECK_INT(c.servers_n, 1);
    address_format(&c.servers[0], text);
    CHECK_TEXT(text, "127.0.0.1:53");
    CHECK_INT(c.domains_n, 0);
    CHECK_INT(c.ndots, 1);
    hosts_read_resolv_conf(BYTES("options ndots:999999999999\nnameserver\nsearch"), &c);
    CHECK_INT(c.ndots, 15);
    CHECK_INT(c.servers_n, 1);
}
