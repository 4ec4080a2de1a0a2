/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/name_constraint.h"

#include "pki/der.h"
#include "pki/dn.h"
#include "pki/name.h"

#include "base/ban.h"

#define LABEL_MAX 63
#define HOST_MAX  253
#define UNIT      64 /* bytes that one comparison compares */

/* ---- DNS names ---- */

/* Letters, digits and OTHERS? */
static bool is_made_of(struct bytes text, const char *others)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = bytes_lower(text.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (!c || !strchr(others, c)))
            return false;
    }
    return true;
}

static bool is_label(struct bytes label)
{
    return label.n && label.n <= LABEL_MAX && is_made_of(label, "-_");
}

/* RFC 1034 §3.5, and the underscore that is common. No final dot: RFC 5280 §4.2.1.6 wants names in
 * the preferred syntax. */
static bool is_host(struct bytes name)
{
    if (name.n > HOST_MAX)
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

/* HOST itself, or a host in it. */
static bool is_in_domain(struct bytes host, struct bytes domain)
{
    if (host.n <= domain.n)
        return bytes_equal_nocase(host, domain);
    size_t rest = host.n - domain.n;
    return host.at[rest - 1] == '.' && bytes_equal_nocase(bytes_skip(host, rest), domain);
}

/* ".example.com" is every host in example.com, and "example.com" that host alone (RFC 5280
 * §4.2.1.10 for mailboxes and URIs). */
static bool is_at_host(struct bytes host, struct bytes base)
{
    if (base.at[0] != '.')
        return bytes_equal_nocase(host, base);
    return host.n > base.n && is_in_domain(host, bytes_skip(base, 1));
}

static bool is_host_or_domain(struct bytes base)
{
    return is_host(bytes_skip(base, base.n && base.at[0] == '.'));
}

static bool is_wildcard(struct bytes name)
{
    return bytes_starts_with(name, BYTES("*."));
}

static struct bytes without_first_label(struct bytes name)
{
    return bytes_skip(name, bytes_find(name, '.') + 1);
}

static struct bytes last_label(struct bytes name)
{
    while (bytes_find(name, '.') < name.n)
        name = without_first_label(name);
    return name;
}

static bool is_number(struct bytes label)
{
    for (size_t i = 0; i < label.n; i++)
        if (label.at[i] < '0' || label.at[i] > '9')
            return false;
    return true;
}

static bool dns_is_name(struct bytes name)
{
    return is_host(is_wildcard(name) ? bytes_skip(name, 2) : name);
}

/* RFC 5280 §4.2.1.10: "Any DNS name that can be constructed by simply adding zero or more labels to
 * the left-hand side of the name satisfies the name constraint." So the empty constraint is every
 * name, and neither a wildcard nor a leading dot means anything. */
static bool dns_is_base(struct bytes base)
{
    return !base.n || is_host(base);
}

static bool dns_is_within(struct bytes name, struct bytes base)
{
    return !base.n || is_in_domain(is_wildcard(name) ? bytes_skip(name, 2) : name, base);
}

/* CVE-2025-61727: "*.example.com" would be taken for the excluded "bar.example.com". */
static bool dns_meets(struct bytes name, struct bytes base)
{
    return dns_is_within(name, base) ||
           (is_wildcard(name) && bytes_find(base, '.') < base.n &&
               bytes_equal_nocase(without_first_label(base), bytes_skip(name, 2)));
}

/* ---- mailboxes ---- */

struct mailbox {
    struct bytes local, host;
};

/* RFC 5321 §4.1.2: a quoted local part may hold an @, the domain cannot. */
static bool split_mailbox(struct bytes text, struct mailbox *out)
{
    size_t at = text.n;
    while (at && text.at[at - 1] != '@')
        at--;
    *out = (struct mailbox){bytes_first(text, at ? at - 1 : 0), bytes_skip(text, at)};
    return name_is_local_part(out->local) && is_host(out->host);
}

static bool has_at(struct bytes text)
{
    return bytes_find(text, '@') < text.n;
}

static bool email_is_name(struct bytes name)
{
    struct mailbox m;
    return split_mailbox(name, &m);
}

/* A mailbox, a host, a domain, or the zero-length one, by which CAs are kept from e-mail: RFC 5280
 * does not say what it means, so it forbids everything where it excludes, and allows nothing where
 * it permits. */
static bool email_is_base(struct bytes base)
{
    struct mailbox m;
    return !base.n || (has_at(base) ? split_mailbox(base, &m) : is_host_or_domain(base));
}

/* IF_QUOTED: there are many ways to write a quoted local part; such a one may be the constraint's,
 * or not. */
static bool is_mailbox_at(struct bytes name, struct bytes base, bool if_quoted)
{
    struct mailbox m, wanted;
    if (!base.n)
        return true;
    if (!split_mailbox(name, &m))
        return false;
    if (!has_at(base))
        return is_at_host(m.host, base);
    if (!split_mailbox(base, &wanted) || !bytes_equal_nocase(m.host, wanted.host))
        return false;
    bool is_quoted = m.local.at[0] == '"' || wanted.local.at[0] == '"';
    return is_quoted ? if_quoted : bytes_equal(m.local, wanted.local);
}

static bool email_is_within(struct bytes name, struct bytes base)
{
    return base.n && is_mailbox_at(name, base, false);
}

static bool email_meets(struct bytes name, struct bytes base)
{
    return is_mailbox_at(name, base, true);
}

/* ---- URIs ---- */

/* RFC 3986 §3.1 */
static bool is_scheme(struct bytes text)
{
    return text.n && is_made_of(text, "+-.") && is_made_of(bytes_first(text, 1), "") &&
           !is_number(bytes_first(text, 1));
}

/* The host of URI (RFC 3986 §3.2). False where there is none, or an address: RFC 5280 §4.2.1.10:
 * "the application MUST reject the certificate". Nor may readers differ about which part the host
 * is: some take "\\" for "/", some the first of several "@". */
static bool uri_host(struct bytes uri, struct bytes *host)
{
    size_t colon = bytes_find(uri, ':'), n = 0;
    struct bytes rest = bytes_skip(uri, colon + 1);
    if (!is_scheme(bytes_first(uri, colon)) || !bytes_starts_with(rest, BYTES("//")))
        return false;
    rest = bytes_skip(rest, 2);
    while (n < rest.n && rest.at[n] != '/' && rest.at[n] != '?' && rest.at[n] != '#')
        n++;
    rest.n = n;
    if (has_at(rest)) {
        size_t at = bytes_find(rest, '@');
        if (!is_made_of(bytes_first(rest, at), "-._~!$&'()*+,;=:%"))
            return false;
        rest = bytes_skip(rest, at + 1);
    }
    colon = bytes_find(rest, ':');
    *host = bytes_first(rest, colon);
    return is_host(*host) && !is_number(last_label(*host)) &&
           is_number(bytes_skip(rest, colon + 1));
}

static bool uri_is_name(struct bytes name)
{
    struct bytes host;
    return uri_host(name, &host);
}

static bool uri_is_base(struct bytes base)
{
    return !base.n || is_host_or_domain(base);
}

/* The zero-length one as with mailboxes. */
static bool uri_is_within(struct bytes name, struct bytes base)
{
    struct bytes host;
    return base.n && uri_host(name, &host) && is_at_host(host, base);
}

static bool uri_meets(struct bytes name, struct bytes base)
{
    return !base.n || uri_is_within(name, base);
}

/* ---- addresses ---- */

static bool ip_is_name(struct bytes name)
{
    return name.n == 4 || name.n == 16;
}

/* RFC 5280 §4.2.1.10: address and mask, "encoded in the style of RFC 4632 (CIDR)": the mask's ones
 * come first. */
static bool ip_is_base(struct bytes base)
{
    if (base.n != 8 && base.n != 32)
        return false;
    bool is_over = false;
    for (size_t i = base.n / 2; i < base.n; i++) {
        uint8_t inverted = (uint8_t)~base.at[i];
        if ((is_over && base.at[i]) || (inverted & (inverted + 1)))
            return false;
        is_over = inverted != 0;
    }
    return true;
}

static bool ip_is_within(struct bytes name, struct bytes base)
{
    if (base.n != 2 * name.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((name.at[i] ^ base.at[i]) & base.at[name.n + i])
            return false;
    return true;
}

/* ---- the kinds of names ---- */

typedef bool is_fn(struct bytes text);
typedef bool compare_fn(struct bytes name, struct bytes base);

/* Indexed by enum certificate_name_kind. */
static const struct kind {
    uint8_t tag;           /* of the GeneralName */
    is_fn *is_name;        /* is a name well-formed? */
    is_fn *is_base;        /* is a constraint? */
    compare_fn *is_within; /* is all that the name stands for within the constraint? */
    compare_fn *meets;     /* is any of it? */
} kinds[] = {
    [NAME_DNS] = {DER_CONTEXT(2), dns_is_name, dns_is_base, dns_is_within, dns_meets},
    [NAME_IP] = {DER_CONTEXT(7), ip_is_name, ip_is_base, ip_is_within, ip_is_within},
    [NAME_EMAIL] = {DER_CONTEXT(1), email_is_name, email_is_base, email_is_within, email_meets},
    [NAME_URI] = {DER_CONTEXT(6), uri_is_name, uri_is_base, uri_is_within, uri_meets},
    [NAME_DIRECTORY] = {DER_CONTEXT_CONSTRUCTED(4), dn_is_valid, dn_is_valid, dn_is_within,
        dn_is_within},
};

/* ---- the extension ---- */

/* NameConstraints. Each list is NULL or GeneralSubtrees. */
static bool split(struct bytes constraints, struct bytes lists[2])
{
    static const uint8_t tags[] = {DER_CONTEXT_CONSTRUCTED(0), DER_CONTEXT_CONSTRUCTED(1)};
    struct bytes content;
    if (!der_take(&constraints, DER_SEQUENCE, &content) || constraints.n)
        return false;
    for (int i = 0; i < 2; i++) {
        lists[i] = (struct bytes){0};
        if (der_is_next(content, tags[i]) &&
            (!der_take(&content, tags[i], &lists[i]) || !lists[i].n))
            return false;
    }
    /* "conforming CAs MUST NOT issue certificates where name constraints is an empty sequence" */
    return !content.n && (lists[0].n || lists[1].n);
}

/* The base of the next GeneralSubtree. RFC 5280 §4.2.1.10: "the minimum MUST be zero, and maximum
 * MUST be absent", and in DER a default is absent too. */
static bool next_base(struct bytes *list, struct der_element *base)
{
    struct bytes subtree;
    return der_take(list, DER_SEQUENCE, &subtree) && der_next(&subtree, base) && !subtree.n;
}

static bool is_processable(const struct der_element *base)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].tag == base->tag)
            return kinds[i].is_base(base->content);
    /* otherName, x400Address, ediPartyName, registeredID: check_name refuses names of these kinds.
     */
    static const uint8_t others[] = {DER_CONTEXT_CONSTRUCTED(0), DER_CONTEXT_CONSTRUCTED(3),
        DER_CONTEXT_CONSTRUCTED(5), DER_CONTEXT(8)};
    return memchr(others, base->tag, sizeof(others));
}

const char *name_constraint_fault(struct bytes constraints, unsigned *comparisons)
{
    struct bytes lists[2];
    struct der_element base;
    if (!split(constraints, lists))
        return "its nameConstraints is not the syntax of RFC 5280 4.2.1.10";
    for (int i = 0; i < 2; i++)
        while (lists[i].n) {
            if (!next_base(&lists[i], &base) || !is_processable(&base))
                return "its nameConstraints has a subtree that means nothing (RFC 5280 4.2.1.10)";
            *comparisons -= *comparisons > 0;
        }
    return NULL;
}

/* ---- names ---- */

struct check {
    struct bytes lists[2]; /* permitted, excluded */
    unsigned *comparisons;
    struct certificate_name *which;
    enum name_constraint_answer answer;
};

static bool pay(struct check *k, size_t price)
{
    if (*k->comparisons < price) {
        k->answer = NAME_CONSTRAINT_UNDECIDED;
        return false;
    }
    *k->comparisons -= (unsigned)price;
    return true;
}

/* How a list speaks of a name. */
struct look {
    bool has_kind; /* there is a subtree for such names */
    bool is_in;    /* and the name is in it */
};

/* False: undecided. */
static bool look(
    struct check *k, const struct certificate_name *name, bool is_excluded, struct look *out)
{
    const struct kind *kind = name->kind == NAME_OTHER ? NULL : &kinds[name->kind];
    uint8_t tag = kind ? kind->tag : name->value.at[0];
    struct bytes list = k->lists[is_excluded];
    struct der_element base;
    *out = (struct look){false, false};
    while (list.n && !out->is_in && next_base(&list, &base)) {
        if (!pay(k, 1 + (base.tag == tag ? (name->value.n + base.whole.n) / UNIT : 0)))
            return false;
        if (base.tag != tag)
            continue;
        out->has_kind = true;
        if (kind)
            out->is_in = (is_excluded ? kind->meets : kind->is_within)(name->value, base.content);
    }
    return true;
}

/* May NAME be? Whatever is not clearly allowed is not. */
static bool check_name(struct check *k, const struct certificate_name *name)
{
    struct look permitted, excluded;
    if (!look(k, name, false, &permitted) || !look(k, name, true, &excluded))
        return false;
    if (!permitted.has_kind && !excluded.has_kind)
        return true;
    bool is_known = name->kind != NAME_OTHER && kinds[name->kind].is_name(name->value);
    if (is_known && !excluded.is_in && (permitted.is_in || !permitted.has_kind))
        return true;
    k->answer = NAME_CONSTRAINT_FORBIDS;
    *k->which = *name;
    return false;
}

static bool check_email(void *owner, struct bytes value)
{
    return check_name(owner, &(struct certificate_name){NAME_EMAIL, value});
}

enum name_constraint_answer name_constraint_check(struct bytes constraints,
    const struct certificate *c, unsigned *comparisons, struct certificate_name *which)
{
    const struct certificate_facts *f = certificate_facts(c);
    struct check k = {.comparisons = comparisons, .which = which};
    if (!split(constraints, k.lists))
        return NAME_CONSTRAINT_UNDECIDED;
    /* "Restrictions of the form directoryName MUST be applied to the subject field in the
     * certificate (when the certificate includes a non-empty subject field)" */
    if (!dn_is_empty(f->subject) &&
        (!check_name(&k, &(struct certificate_name){NAME_DIRECTORY, f->subject}) ||
            !dn_each_email(f->subject, check_email, &k)))
        return k.answer;
    for (size_t i = 0; i < f->names_n; i++)
        if (!check_name(&k, &f->names[i]))
            break;
    return k.answer;
}
