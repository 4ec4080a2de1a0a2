/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/name.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "pki/dn.h"

#include "base/ban.h"

#define HOST_MAX  253 /* RFC 1035 §2.3.4, as text without the final dot */
#define LABEL_MAX 63

static const char *const kind_labels[] = {
    [NAME_DNS] = "DNS",
    [NAME_IP] = "IP",
    [NAME_EMAIL] = "EMAIL",
    [NAME_URI] = "URI",
    [NAME_DIRECTORY] = "DIRECTORY",
    [NAME_OTHER] = "OTHER",
};

/* ---- text ---- */

static bool is_alpha(uint8_t c)
{
    c = bytes_lower(c);
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* dNSName, rfc822Name and URI are IA5Strings; none of them has room for a space or a control byte
 * (RFC 5280 §4.2.1.6). NUL is one of those: comparing what stands before it would be the classic
 * mistake. */
static bool is_visible_ascii(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.at[i] <= 0x20 || b.at[i] >= 0x7f)
            return false;
    return true;
}

static bool is_ascii(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.at[i] >= 0x80)
            return false;
    return true;
}

static bool has(struct bytes b, uint8_t c)
{
    return bytes_find(b, c) < b.n;
}

static bool is_label(struct bytes label)
{
    if (!label.n || label.n > LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.n; i++) {
        uint8_t c = label.at[i];
        /* The underscore is no letter of host names, but common in them. */
        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

static struct bytes last_label(struct bytes name)
{
    size_t start = name.n;
    while (start && name.at[start - 1] != '.')
        start--;
    return bytes_skip(name, start);
}

static bool is_number(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!is_digit(b.at[i]))
            return false;
    return b.n > 0;
}

/* Labels of letters, digits, `-` and `_`. A name whose last label is a number is an IPv4 address,
 * or wants to be taken for one. */
static bool is_host_name(struct bytes name)
{
    if (!name.n || name.n > HOST_MAX || is_number(last_label(name)))
        return false;
    for (;;) {
        size_t n = bytes_find(name, '.');
        if (!is_label(bytes_first(name, n)))
            return false;
        if (n == name.n)
            return true;
        name = bytes_skip(name, n + 1);
    }
}

/* RFC 9525 §6.3 compares relative to the root: the dot that says so is not part of a presented
 * name. */
static struct bytes without_final_dot(struct bytes name)
{
    if (name.n && name.at[name.n - 1] == '.')
        name.n--;
    return name;
}

static bool parse_ip(struct bytes text, uint8_t out[16], size_t *n)
{
    char literal[INET6_ADDRSTRLEN];
    if (text.n >= sizeof(literal) || has(text, 0))
        return false;
    if (text.n)
        memcpy(literal, text.at, text.n);
    literal[text.n] = 0;
    *n = 4;
    if (inet_pton(AF_INET, literal, out) == 1)
        return true;
    *n = 16;
    return inet_pton(AF_INET6, literal, out) == 1;
}

/* RFC 5321 §4.1.2: atext, which atoms are made of, apart from letters and digits. */
static bool is_atom_character(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Quoted-string without spaces */
static bool is_quoted(struct bytes text)
{
    if (text.n < 2 || text.at[0] != '"' || text.at[text.n - 1] != '"')
        return false;
    bool is_escaped = false;
    for (size_t i = 1; i < text.n - 1; i++) {
        if (text.at[i] == '"' && !is_escaped)
            return false;
        is_escaped = text.at[i] == '\\' && !is_escaped;
    }
    return !is_escaped && is_visible_ascii(text);
}

bool name_is_local_part(struct bytes text)
{
    bool is_in_atom = false;
    if (text.n && text.at[0] == '"')
        return is_quoted(text);
    for (size_t i = 0; i < text.n; i++) {
        if (text.at[i] != '.' ? !is_atom_character(text.at[i]) : !is_in_atom)
            return false;
        is_in_atom = text.at[i] != '.';
    }
    return is_in_atom;
}

/* A mailbox: local part and domain. The local part may be quoted and hold an @, a domain cannot. */
static bool split_mailbox(struct bytes mailbox, struct bytes *local, struct bytes *domain)
{
    size_t at = mailbox.n;
    while (at && mailbox.at[at - 1] != '@')
        at--;
    *local = bytes_first(mailbox, at ? at - 1 : 0);
    *domain = bytes_skip(mailbox, at);
    return name_is_local_part(*local) && is_host_name(*domain);
}

/* RFC 3986 §3: scheme ":" ["//" [userinfo "@"] host] rest. */
struct uri {
    struct bytes scheme, userinfo, host, rest;
    bool has_authority;
};

static void split_authority(struct bytes authority, struct uri *out)
{
    size_t at = authority.n;
    while (at && authority.at[at - 1] != '@')
        at--;
    out->userinfo = bytes_first(authority, at);
    out->host = bytes_skip(authority, at);
}

static bool split_uri(struct bytes text, struct uri *out)
{
    *out = (struct uri){.scheme = bytes_first(text, bytes_find(text, ':'))};
    if (!is_visible_ascii(text) || out->scheme.n == text.n || !out->scheme.n ||
        !is_alpha(text.at[0]))
        return false;
    for (size_t i = 0; i < out->scheme.n; i++) {
        uint8_t c = text.at[i];
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    out->rest = bytes_skip(text, out->scheme.n + 1);
    out->has_authority = bytes_starts_with(out->rest, BYTES("//"));
    if (!out->has_authority)
        return out->rest.n > 0;
    struct bytes authority = bytes_skip(out->rest, 2);
    size_t n = 0;
    while (n < authority.n && authority.at[n] != '/' && authority.at[n] != '?' &&
           authority.at[n] != '#')
        n++;
    out->rest = bytes_skip(authority, n);
    split_authority(bytes_first(authority, n), out);
    return out->host.n > 0;
}

/* Is this piece of a path "." or "..", also where dots are written %2e? */
static bool is_dot_segment(struct bytes segment)
{
    size_t dots = 0;
    while (segment.n) {
        if (segment.at[0] == '.')
            segment = bytes_skip(segment, 1);
        else if (bytes_equal_nocase(bytes_first(segment, 3), BYTES("%2e")))
            segment = bytes_skip(segment, 3);
        else
            return false;
        dots++;
    }
    return dots == 1 || dots == 2;
}

static bool has_dot_segment(struct bytes path)
{
    while (path.n) {
        size_t n = 0;
        while (n < path.n && path.at[n] != '/' && path.at[n] != '?' && path.at[n] != '#')
            n++;
        if (is_dot_segment(bytes_first(path, n)))
            return true;
        path = bytes_skip(path, n + 1);
    }
    return false;
}

/* ---- matching ---- */

bool name_dns_matches(struct bytes presented, struct bytes host)
{
    host = without_final_dot(host);
    /* A presented name that is not well-formed cannot equal one that is. */
    if (!is_host_name(host))
        return false;
    if (!bytes_starts_with(presented, BYTES("*.")))
        return bytes_equal_nocase(presented, host);
    /* RFC 9525 §6.3: "The wildcard character appears only as the complete content of the left-most
     * label" and "can only match one label". Two labels must follow it, so that nobody speaks for a
     * whole top-level domain. */
    struct bytes presented_rest = bytes_skip(presented, 2);
    struct bytes host_rest = bytes_skip(host, bytes_find(host, '.') + 1);
    return has(host_rest, '.') && bytes_equal_nocase(presented_rest, host_rest);
}

static bool allowed_dns_matches(struct bytes pattern, struct bytes presented)
{
    if (!is_host_name(presented))
        return false;
    if (!bytes_starts_with(pattern, BYTES("*.")))
        return bytes_equal_nocase(pattern, presented);
    struct bytes suffix = bytes_skip(pattern, 1);
    return presented.n > suffix.n &&
           bytes_equal_nocase(bytes_skip(presented, presented.n - suffix.n), suffix);
}

static bool mailbox_matches(const struct name_pattern *p, struct bytes presented)
{
    struct bytes local, domain, wanted_local, wanted_domain;
    if (!split_mailbox(presented, &local, &domain) ||
        !split_mailbox(p->value, &wanted_local, &wanted_domain) ||
        !bytes_equal_nocase(domain, wanted_domain))
        return false;
    /* RFC 5280 §7.5: the local part is compared exactly, the host part without regard to case. */
    return (p->is_allow_list && bytes_equal(wanted_local, BYTES("*"))) ||
           bytes_equal(local, wanted_local);
}

static bool uri_matches(const struct name_pattern *p, struct bytes presented)
{
    struct bytes wanted = p->value;
    bool is_prefix = p->is_allow_list && bytes_ends_with(wanted, BYTES("*"));
    if (is_prefix)
        wanted.n--;
    struct uri a, b;
    /* RFC 5280 §7.4: scheme and host without regard to case, all else exactly. */
    if (!split_uri(wanted, &a) || !split_uri(presented, &b) || a.has_authority != b.has_authority ||
        !bytes_equal_nocase(a.scheme, b.scheme) || !bytes_equal(a.userinfo, b.userinfo) ||
        !bytes_equal_nocase(a.host, b.host))
        return false;
    if (!is_prefix)
        return bytes_equal(a.rest, b.rest);
    /* "spiffe://example/team/../other" does not lie below "spiffe://example/team/". */
    return b.rest.n > a.rest.n && bytes_starts_with(b.rest, a.rest) && !has_dot_segment(b.rest);
}

static bool presented_matches(const struct name_pattern *p, const struct certificate_name *n)
{
    if (n->kind != p->kind)
        return false;
    /* A client that says "*.example" claims no name of its own. */
    if (p->is_allow_list && p->kind != NAME_IP && has(n->value, '*'))
        return false;
    switch (p->kind) {
    case NAME_DNS:
        return p->is_allow_list ? allowed_dns_matches(p->value, n->value)
                                : name_dns_matches(n->value, p->value);
    case NAME_IP:
        return (n->value.n == 4 || n->value.n == 16) && bytes_equal(n->value, p->value);
    case NAME_EMAIL:
        return mailbox_matches(p, n->value);
    case NAME_URI:
        return uri_matches(p, n->value);
    case NAME_DIRECTORY:
    case NAME_OTHER:
        break;
    }
    return false;
}

const struct certificate_name *name_find(const struct name_pattern *p, const struct certificate *c)
{
    const struct certificate_facts *facts = certificate_facts(c);
    for (size_t i = 0; i < facts->names_n; i++)
        if (presented_matches(p, &facts->names[i]))
            return &facts->names[i];
    return NULL;
}

bool name_matches(const struct name_pattern *p, const struct certificate *c)
{
    return name_find(p, c) != NULL;
}

/* ---- formatting ---- */

/* VALUE behind PREFIX, escaped, into SIZE bytes. */
static void format_escaped(const char *prefix, struct bytes value, char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = (size_t)snprintf(out, size, "%s", prefix);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.at[i];
        bool is_plain = c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
        const char escaped[] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        size_t piece_n = is_plain ? 1 : sizeof(escaped);
        /* Room stays for the mark that something is missing. */
        if (n + piece_n + sizeof("...") > size) {
            snprintf(out + (n < size - 4 ? n : size - 4), 4, "...");
            return;
        }
        memcpy(out + n, is_plain ? (const char *)&c : escaped, piece_n);
        n += piece_n;
        out[n] = 0;
    }
}

static void format_value(
    enum certificate_name_kind kind, struct bytes value, char *out, size_t size)
{
    char prefix[16], address[INET6_ADDRSTRLEN];
    snprintf(prefix, sizeof(prefix), "%s:", kind_labels[kind]);
    if (kind == NAME_IP && (value.n == 4 || value.n == 16)) {
        inet_ntop(value.n == 4 ? AF_INET : AF_INET6, value.at, address, sizeof(address));
        value = bytes_of(address);
    }
    struct arena a;
    arena_init(&a);
    if (kind == NAME_DIRECTORY)
        value = bytes_of(dn_text(&a, value));
    format_escaped(prefix, value, out, size);
    arena_fini(&a);
}

void name_format(const struct certificate_name *n, char *out, size_t size)
{
    format_value(n->kind, n->value, out, size);
}

void name_pattern_format(const struct name_pattern *p, char *out, size_t size)
{
    format_value(p->kind, p->value, out, size);
}

/* ---- parsing ---- */

/* Each takes the value and, in an allow-list, its star; NULL if it is good, else what would be. */

static const char *check_dns(const struct name_pattern *p)
{
    struct bytes name = p->value;
    if (p->is_allow_list && bytes_starts_with(name, BYTES("*.")))
        name = bytes_skip(name, 2);
    if (is_host_name(name))
        return NULL;
    if (is_number(last_label(name)))
        return "an IP address is written IP:address";
    if (!is_ascii(name))
        return "write internationalised names in their ASCII form (xn--...), which is what "
               "certificates have";
    return p->is_allow_list ? "accepted: DNS:name or DNS:*.name" : "accepted: DNS:name";
}

static const char *check_email(const struct name_pattern *p)
{
    struct bytes local, domain;
    if (split_mailbox(p->value, &local, &domain) &&
        (!p->is_allow_list || !has(local, '*') || bytes_equal(local, BYTES("*"))))
        return NULL;
    return p->is_allow_list ? "accepted: EMAIL:user@domain or EMAIL:*@domain"
                            : "accepted: EMAIL:user@domain";
}

static const char *check_uri(const struct name_pattern *p)
{
    static const char *const accepted = "accepted: URI:scheme://host/path or, for all below it, "
                                        "URI:scheme://host/path/*";
    struct bytes value = p->value;
    bool is_prefix = p->is_allow_list && bytes_ends_with(value, BYTES("*"));
    if (is_prefix)
        value.n--;
    struct uri uri;
    if (!split_uri(value, &uri))
        return p->is_allow_list ? accepted : "accepted: URI:scheme://host/path";
    if (p->is_allow_list && has(value, '*'))
        return accepted;
    /* The star may not reach into the host: "spiffe://example*" would admit
     * "spiffe://example.evil/". */
    return is_prefix && uri.has_authority && !uri.rest.n ? accepted : NULL;
}

static int refuse(struct bytes text, const char *accepted, struct error *err)
{
    char shown[128];
    format_escaped("", text, shown, sizeof(shown));
    return error_set(err, "\"%s\" is not a name to look for; %s", shown, accepted);
}

static int parse_ip_pattern(
    struct bytes text, struct arena *a, struct name_pattern *p, struct error *err)
{
    uint8_t octets[16];
    size_t n;
    if (!parse_ip(p->value, octets, &n))
        return refuse(text, "accepted: IP:192.0.2.1 or IP:2001:db8::1, one address", err);
    p->value = arena_copy(a, (struct bytes){octets, n});
    return 0;
}

int name_pattern_parse(struct bytes text, bool is_allow_list, struct arena *a,
    struct name_pattern *out, struct error *err)
{
    struct bytes label = bytes_first(text, bytes_find(text, ':'));
    enum certificate_name_kind kind = NAME_DNS;
    while (kind < NAME_DIRECTORY && !bytes_equal_nocase(label, bytes_of(kind_labels[kind])))
        kind++;
    if (kind == NAME_DIRECTORY || label.n == text.n) {
        char shown[128];
        format_escaped("", text, shown, sizeof(shown));
        return error_set(err,
            "\"%s\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, URI:uri",
            shown);
    }
    *out = (struct name_pattern){kind, bytes_skip(text, label.n + 1), is_allow_list};
    if (kind == NAME_IP)
        return parse_ip_pattern(text, a, out, err);
    if (kind == NAME_DNS)
        out->value = without_final_dot(out->value);
    const char *accepted = kind == NAME_DNS     ? check_dns(out)
                           : kind == NAME_EMAIL ? check_email(out)
                                                : check_uri(out);
    return accepted ? refuse(text, accepted, err) : 0;
}

int name_pattern_of_host(
    struct bytes host, struct arena *a, struct name_pattern *out, struct error *err)
{
    struct bytes literal = host;
    bool has_brackets = host.n >= 2 && host.at[0] == '[' && host.at[host.n - 1] == ']';
    if (has_brackets)
        literal = (struct bytes){host.at + 1, host.n - 2};
    uint8_t octets[16];
    size_t n;
    if (parse_ip(literal, octets, &n) && (n == 16 || !has_brackets)) {
        *out = (struct name_pattern){NAME_IP, arena_copy(a, (struct bytes){octets, n}), false};
        return 0;
    }
    struct bytes name = without_final_dot(host);
    if (!is_host_name(name)) {
        char shown[128];
        format_escaped("", host, shown, sizeof(shown));
        return error_set(err,
            "\"%s\" is neither a host name nor an IP address; accepted: www.example.com, "
            "192.0.2.1, [2001:db8::1]",
            shown);
    }
    *out = (struct name_pattern){NAME_DNS, name, false};
    return 0;
}
