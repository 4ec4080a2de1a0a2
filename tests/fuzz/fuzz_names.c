/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input: a pattern as in a configuration, LF, and what a certificate presents. A pattern that
 * is accepted can be shown and read again; nothing matches that has a byte which no name has.
 */
#include "base/panic.h"
#include "fuzz.h"
#include "pki/name.c"

struct certificate {
    struct certificate_facts facts;
};

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

static void check_match(const struct name_pattern *p, const struct certificate_name *n)
{
    ASSERT(n->kind == p->kind);
    if (p->kind == NAME_IP) {
        ASSERT(bytes_equal(n->value, p->value));
        return;
    }
    ASSERT(is_visible_ascii(n->value) && n->value.n);
    ASSERT(!p->is_allow_list || !has(n->value, '*'));
    bool has_star = has(p->is_allow_list ? p->value : n->value, '*');
    ASSERT(has_star || bytes_equal_nocase(n->value, p->value));
}

static void check_shown(const struct name_pattern *p, struct arena *a)
{
    static char text[70000];
    struct name_pattern again;
    struct error err;
    name_pattern_format(p, text, sizeof(text));
    if (strchr(text, '\\'))
        return; /* escaped: for people only */
    ASSERT(name_pattern_parse(bytes_of(text), p->is_allow_list, a, &again, &err) == 0);
    ASSERT(again.kind == p->kind && bytes_equal(again.value, p->value));
}

static void check(struct bytes text, struct bytes presented, bool is_allow_list, struct arena *a)
{
    struct name_pattern p;
    struct error err = {""};
    int rc = name_pattern_parse(text, is_allow_list, a, &p, &err);
    ASSERT(!rc == !err.text[0]);
    if (rc)
        return;
    check_shown(&p, a);
    for (enum certificate_name_kind kind = NAME_DNS; kind <= NAME_OTHER; kind++) {
        struct certificate_name name = {kind, presented};
        struct certificate c = {{.names = &name, .names_n = 1, .has_names = true}};
        const struct certificate_name *found = name_find(&p, &c);
        ASSERT((found != NULL) == name_matches(&p, &c));
        if (found)
            check_match(&p, found);
        char shown[32];
        name_format(&name, shown, sizeof(shown));
        for (const char *at = shown; *at; at++)
            ASSERT(*at >= 0x20 && *at <= 0x7e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n < 65536 ? n : 65536};
    struct bytes text = bytes_first(in, bytes_find(in, '\n')),
                 presented = bytes_skip(in, text.n + 1);
    struct arena a;
    struct name_pattern p;
    struct error err;
    arena_init(&a);
    check(text, presented, false, &a);
    check(text, presented, true, &a);
    if (!name_pattern_of_host(text, &a, &p, &err)) {
        check_shown(&p, &a);
        ASSERT(p.kind != NAME_DNS || name_dns_matches(p.value, text));
    }
    if (name_dns_matches(presented, text))
        ASSERT(is_visible_ascii(presented) && presented.n);
    arena_fini(&a);
    return 0;
}
