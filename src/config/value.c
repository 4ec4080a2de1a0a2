/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/regex.h"
#include "config/template.h"

#include "base/ban.h"

#define NAME_CHARACTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define LABEL_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-_"
#define DIGITS           "0123456789"
#define LABEL_MAX        63 /* RFC 1035 §2.3.4 */
#define HEADER_MAX       1024
#define DNS_PORT         53
#define DOMAIN_MAX       253 /* RFC 1035 §2.3.4: 255 octets on the wire */

/* From the largest to that of factor 1. */
struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0}};

/* The digits at the begin of TEXT; *END is what follows. False if there are none or too many. */
static bool take_digits(const char *text, uint64_t *out, const char **end)
{
    size_t n = strspn(text, DIGITS);
    *end = text + n;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(text[i] - '0'), out))
            return false;
    return n > 0;
}

int value_integer(const char *text, uint64_t *out, struct error *err)
{
    const char *end;
    if (!take_digits(text, out, &end) || *end)
        return error_set(err, "is not a whole number");
    return 0;
}

/* A number and one of UNITS. WHAT, with examples, is for the message. */
static int take_quantity(
    const char *text, const struct unit *units, uint64_t *out, const char *what, struct error *err)
{
    const char *unit;
    if (!take_digits(text, out, &unit))
        return error_set(err, "is not a %s", what);
    for (; units->name; units++)
        if (strcmp(unit, units->name) == 0)
            return __builtin_mul_overflow(*out, units->factor, out)
                       ? error_set(err, "is too large; write a %s", what)
                       : 0;
    return error_set(err, "%s; write a %s", *unit ? "has an unknown unit" : "has no unit", what);
}

static void format_quantity(
    uint64_t value, const struct unit *units, const char *of_zero, char out[VALUE_FORMAT_MAX])
{
    while (value % units->factor != 0)
        units++;
    snprintf(out, VALUE_FORMAT_MAX, "%llu%s", (unsigned long long)(value / units->factor),
        value ? units->name : of_zero);
}

int value_duration(const char *text, uint64_t *ms, struct error *err)
{
    return take_quantity(text, durations, ms, "duration: 500ms, 5s, 10m, 1h or 1d", err);
}

void value_format_duration(uint64_t ms, char out[VALUE_FORMAT_MAX])
{
    format_quantity(ms, durations, "s", out);
}

int value_size(const char *text, uint64_t *bytes, struct error *err)
{
    return take_quantity(text, sizes, bytes, "size: 4096, 64KiB, 10MiB or 1GiB", err);
}

void value_format_size(uint64_t bytes, char out[VALUE_FORMAT_MAX])
{
    format_quantity(bytes, sizes, "", out);
}

int value_name(const char *text, struct error *err)
{
    if (text[strspn(text, NAME_CHARACTERS)])
        return error_set(err, "is not a name; letters, digits, '_', '.' and '-' are accepted");
    return 0;
}

struct host_port {
    const char *host; /* without brackets; "" where the text begins with the colon */
    bool is_v6;
    unsigned port;
};

static int take_port(const char *text, unsigned *port, struct error *err)
{
    uint64_t n;
    const char *end;
    if (!take_digits(text, &n, &end) || *end || n > 65535 || (text[0] == '0' && text[1]))
        return error_set(err, "has no valid port; accepted: 0 to 65535");
    *port = (unsigned)n;
    return 0;
}

static int split_address(
    struct arena *a, const char *text, struct host_port *out, struct error *err)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    if (!colon || (bracket && colon < bracket))
        return error_set(err, "has no port; write IP:PORT or [IPv6]:PORT");
    out->is_v6 = text[0] == '[';
    if (!out->is_v6 && memchr(text, ':', (size_t)(colon - text)))
        return error_set(err, "has several colons; write [IPv6]:PORT for an IPv6 address");
    if (out->is_v6 && bracket != colon - 1)
        return error_set(err, "is not an address; write [IPv6]:PORT");
    out->host = out->is_v6 ? arena_strndup(a, text + 1, (size_t)(bracket - text - 1))
                           : arena_strndup(a, text, (size_t)(colon - text));
    return take_port(colon + 1, &out->port, err);
}

/* The numeric address HP in its shortest spelling. */
static int spell_address(
    struct arena *a, const struct host_port *hp, const char **out, struct error *err)
{
    uint8_t octets[16];
    char text[INET6_ADDRSTRLEN];
    int family = hp->is_v6 ? AF_INET6 : AF_INET;
    if (inet_pton(family, hp->host, octets) != 1)
        return error_set(err, hp->is_v6
                                  ? "has no valid IPv6 address in its brackets"
                                  : "has no valid IPv4 address; write IP:PORT or [IPv6]:PORT");
    inet_ntop(family, octets, text, sizeof(text));
    *out = arena_printf(a, hp->is_v6 ? "[%s]:%u" : "%s:%u", text, hp->port);
    return 0;
}

int value_bind_address(struct arena *a, const char *text, const char **out, struct error *err)
{
    struct host_port hp;
    if (split_address(a, text, &hp, err) < 0)
        return -1;
    if (*hp.host || hp.is_v6)
        return spell_address(a, &hp, out, err);
    *out = arena_printf(a, ":%u", hp.port);
    return 0;
}

int value_ip_address(struct arena *a, const char *text, const char **out, struct error *err)
{
    uint8_t octets[16];
    char shortest[INET6_ADDRSTRLEN];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, octets) != 1)
        return error_set(
            err, "is not an IP address; write it without port: 192.0.2.1, 2001:db8::1");
    inet_ntop(family, octets, shortest, sizeof(shortest));
    *out = arena_strdup(a, shortest);
    return 0;
}

static bool has_host_bits(const struct config_network *n)
{
    for (unsigned i = n->prefix; i < 128; i++)
        if (n->address[i / 8] & (0x80 >> i % 8))
            return true;
    return false;
}

int value_network(const char *text, struct config_network *out, struct error *err)
{
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    snprintf(address, sizeof(address), "%.*s", (int)(n < sizeof(address) ? n : 0), text);
    *out = (struct config_network){.address = {[10] = 0xFF, [11] = 0xFF}};
    bool is_v4 = inet_pton(AF_INET, address, out->address + 12) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, out->address) != 1)
        return error_set(err, "is not a network; write 10.0.0.0/8 or 2001:db8::/32");
    uint64_t length = is_v4 ? 32 : 128;
    const char *end = "";
    if (slash && (!take_digits(slash + 1, &length, &end) || *end || length > (is_v4 ? 32 : 128)))
        return error_set(err, "has no valid prefix length; accepted: 0 to %d", is_v4 ? 32 : 128);
    out->prefix = (unsigned)length + (is_v4 ? 96 : 0);
    if (has_host_bits(out))
        return error_set(
            err, "has bits set beyond its prefix length; write the network's first address");
    return 0;
}

void value_format_network(const struct config_network *n, char out[VALUE_FORMAT_MAX])
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    char text[INET6_ADDRSTRLEN];
    bool is_v4 = n->prefix >= 96 && memcmp(n->address, mapped, sizeof(mapped)) == 0;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? n->address + 12 : n->address, text, sizeof(text));
    snprintf(out, VALUE_FORMAT_MAX, "%s/%u", text, is_v4 ? n->prefix - 96 : n->prefix);
}

static bool is_ip(const char *text)
{
    uint8_t octets[16];
    return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static char *lower(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    for (char *c = copy; *c; c++)
        *c = (char)bytes_lower((uint8_t)*c);
    return copy;
}

/* N bytes at AT: labels of letters, digits, '-' and '_', with a dot between them, in lower case. */
static bool are_labels(const char *at, size_t n)
{
    size_t label = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i == n || at[i] == '.') {
            if (label == 0 || label > LABEL_MAX)
                return false;
            label = 0;
        } else if (!at[i] || !strchr(LABEL_CHARACTERS, at[i])) {
            return false;
        } else {
            label++;
        }
    }
    return true;
}

/* A name whose last label is a number is an IP address, or was meant to be one (WHATWG URL §3.5 for
 * the same reason). */
static bool ends_in_number(const char *text)
{
    const char *dot = strrchr(text, '.');
    const char *last = dot ? dot + 1 : text;
    return *last && !last[strspn(last, DIGITS)];
}

static int check_domain(const char *text, size_t skip_first, size_t skip_last, struct error *err)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] >= 0x80)
            return error_set(err, "is not ASCII; write the domain in its xn--… form");
    if (n > DOMAIN_MAX || !are_labels(text + skip_first, n - skip_first - skip_last))
        return error_set(
            err, "is not a domain; write www.example.com without scheme, port and path");
    return 0;
}

int value_sni_domain(struct arena *a, const char *text, const char **out, struct error *err)
{
    *out = lower(a, text);
    if (ends_in_number(text) || is_ip(text))
        return error_set(
            err, "is not a domain; clients do not send IP addresses as SNI (RFC 6066 §3)");
    return check_domain(*out, strncmp(text, "*.", 2) == 0 ? 2 : 0, 0, err);
}

static int check_regex(const char *text, struct error *err)
{
    if (!*text)
        return error_set(err, "has no regular expression behind its mark");
    for (const char *c = text; *c; c++)
        if ((uint8_t)*c < ' ' || (uint8_t)*c >= 0x7F)
            return error_set(err,
                "has a character that is not printable ASCII; write it as \\xHH in the regular "
                "expression");
    struct regex *r = regex_new(text, false, err);
    if (!r)
        return -1;
    regex_free(&r);
    return 0;
}

int value_rule_domain(struct arena *a, const char *text, const char **out, struct error *err)
{
    size_t n = strlen(text);
    if (*text == '~') {
        *out = arena_strdup(a, text);
        if (strchr(text, ' '))
            return error_set(err, "has a space, which no host has; write ~ and the regular "
                                  "expression without one: ~^img[0-9]+\\.example\\.com$");
        return check_regex(text + 1, err);
    }
    *out = lower(a, text);
    if (ends_in_number(text))
        return is_ip(text) ? 0 : error_set(err, "is neither a domain nor an IPv4 address");
    bool begins = strncmp(text, "*.", 2) == 0;
    bool ends = n > 2 && strcmp(text + n - 2, ".*") == 0;
    if (begins && ends)
        return error_set(
            err, "has two wildcards; accepted: www.example.com, *.example.com, www.example.*");
    return check_domain(*out, begins ? 2 : 0, ends ? 2 : 0, err);
}

int value_host(struct arena *a, const char *text, const char **out, struct error *err)
{
    *out = lower(a, text);
    if (!*text || is_ip(text))
        return 0;
    if (ends_in_number(text))
        return error_set(err, "is neither a host name nor an IP address");
    return check_domain(*out, 0, 0, err);
}

int value_target_address(struct arena *a, const char *text, const char **out, struct error *err)
{
    struct host_port hp;
    const char *host;
    if (split_address(a, text, &hp, err) < 0)
        return -1;
    if (hp.port == 0)
        return error_set(err, "has port 0; a target needs the port where it listens");
    if (hp.is_v6 || is_ip(hp.host) || ends_in_number(hp.host))
        return spell_address(a, &hp, out, err);
    if (!*hp.host || value_host(a, hp.host, &host, NULL) < 0)
        return error_set(err,
            "has neither an IP address nor a host name before the port; write HOST:PORT, IP:PORT "
            "or [IPv6]:PORT");
    *out = arena_printf(a, "%s:%u", host, hp.port);
    return 0;
}

const char *value_target_host(struct arena *a, const char *address)
{
    const char *colon = strrchr(address, ':');
    const char *host = arena_strndup(a, address, (size_t)(colon - address));
    return address[0] == '[' || ends_in_number(host) ? NULL : host;
}

int value_server_address(struct arena *a, const char *text, const char **out, struct error *err)
{
    struct host_port hp = {.host = text, .is_v6 = strchr(text, ':') != NULL, .port = DNS_PORT};
    if (!is_ip(text) && split_address(a, text, &hp, err) < 0)
        return -1;
    if (hp.port == 0)
        return error_set(err, "has port 0; a name server needs the port where it listens");
    return spell_address(a, &hp, out, err);
}

static const char *after_kind(const char *text)
{
    static const char *const kinds[] = {"DNS:", "EMAIL:", "URI:", "IP:"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
            return text + strlen(kinds[i]);
    return NULL;
}

int value_client_name(const char *text, struct error *err)
{
    const char *value = after_kind(text);
    if (!value || !*value)
        return error_set(
            err, "is not a client name; write DNS:host, EMAIL:mailbox, URI:uri or IP:address");
    for (const char *c = value; *c; c++)
        if ((uint8_t)*c <= ' ' || (uint8_t)*c >= 0x7F)
            return error_set(err,
                "has a character that is not printable ASCII; certificates carry names in ASCII");
    const char *star = strchr(value, '*');
    if (star && strchr(star + 1, '*'))
        return error_set(err, "has several '*'; at most one is accepted");
    if (text[0] == 'I' && !is_ip(value))
        return error_set(err, "has no valid IP address");
    return 0;
}

static bool has_dot_segment(const char *path)
{
    for (const char *s = path; s; s = strchr(s + 1, '/')) {
        size_t n = strcspn(s + 1, "/");
        if ((n == 1 || n == 2) && strncmp(s + 1, "..", n) == 0)
            return true;
    }
    return false;
}

/* Is PATH what the paths of requests are before they are compared with it (http1_normalise_path)?
 */
static bool is_normalised(const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char others[] = "-._~/\\"; /* with the two that no request has encoded */
    while ((path = strchr(path, '%'))) {
        const char *high = path[1] ? strchr(digits, path[1]) : NULL;
        const char *low = high && path[2] ? strchr(digits, path[2]) : NULL;
        if (!low)
            return false;
        int c = (int)((high - digits) << 4 | (low - digits));
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!c || is_letter || (c >= '0' && c <= '9') || strchr(others, c))
            return false;
        path += 3;
    }
    return true;
}

static int check_path(const char *path, struct error *err)
{
    if (*path != '/')
        return error_set(err,
            "is not a path; write a prefix, /api/, a whole path, \"= /health\", or a regular "
            "expression, \"~ ^/img/\"");
    for (const char *c = path; *c; c++)
        if ((uint8_t)*c <= ' ' || (uint8_t)*c >= 0x7F || *c == '?' || *c == '#')
            return error_set(err,
                "has a character that no path of a request has; write it without query, and other "
                "characters percent-encoded");
    /* Requests with dot-segments are refused before they are routed: such a rule would never match.
     */
    if (has_dot_segment(path))
        return error_set(err, "has a segment . or .., with which every request is refused");
    if (strchr(path, '\\') || !is_normalised(path))
        return error_set(err,
            "is in a form in which no request is compared: write percent-encoding in upper case "
            "(%%C3%%BC), letters, digits and -._~ as they are, and no \\ or encoded slash");
    return 0;
}

int value_path(
    const char *text, enum config_path_match *match, const char **path, struct error *err)
{
    *match = PATH_PREFIX;
    *path = text;
    for (enum config_path_match m = PATH_EXACT; m < PATH_MATCH_COUNT; m++) {
        const char *mark = config_path_mark(m);
        if (strncmp(text, mark, strlen(mark)) == 0) {
            *match = m;
            *path = text + strlen(mark) + strspn(text + strlen(mark), " ");
        }
    }
    bool is_regex = *match == PATH_REGEX || *match == PATH_REGEX_NOCASE;
    return is_regex ? check_regex(*path, err) : check_path(*path, err);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < ' ' || (uint8_t)*text >= 0x7F)
            return false;
    return true;
}

static bool is_among(const char *name, size_t n, const char *const *names, size_t names_n)
{
    for (size_t i = 0; i < names_n; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return true;
    return false;
}

const char *value_redirect_listener(const char *text)
{
    static const char prefix[] = "listener:";
    return strncmp(text, prefix, sizeof(prefix) - 1) == 0 ? text + sizeof(prefix) - 1 : NULL;
}

/* In an authority only the names of hosts and ports may vary: in "https://www.example.com$query"
 * the client would say the host, "@evil.example". A path begins with a slash, and ends it. */
static int check_authority(const char *authority, struct error *err)
{
    static const char *const fit[] = {"host", "sni", "server_port"};
    static const char *const paths[] = {"uri", "path"};
    for (; *authority && !strchr("/?#", *authority); authority++) {
        const char *name = authority + 1;
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (*authority != '$')
            continue;
        if (is_among(name, n, paths, COUNT_OF(paths)))
            return 0;
        if (!is_among(name, n, fit, COUNT_OF(fit)))
            return error_set(err,
                "has $%.*s where the host stands, so that clients could choose where it leads; "
                "write a / before it",
                (int)n, name);
    }
    return 0;
}

int value_url(const char *text, struct error *err)
{
    if (value_redirect_listener(text))
        return 0; /* whether there is one is known when all is read */
    const char *scheme = strncmp(text, "https://", 8) == 0 ? "https://" : "http://";
    size_t n = strlen(scheme);
    if (strncmp(text, scheme, n) != 0 || !text[n] || strchr("/?#", text[n]))
        return error_set(err, "is not an absolute URL; write https://www.example.com, "
                              "https://$host, or listener:NAME");
    if (!is_printable(text) || strchr(text, ' '))
        return error_set(
            err, "has a character that no URL has; write others than ASCII percent-encoded");
    return template_check(text, err) < 0 ? -1 : check_authority(text + n, err);
}

bool value_is_token(const char *text)
{
    return !text[strspn(text, NAME_CHARACTERS "!#$%&'*+^`|~")];
}

bool value_is_visible(const char *text)
{
    while ((uint8_t)*text > ' ' && (uint8_t)*text < 0x7f)
        text++;
    return !*text;
}

bool value_is_hex(const char *text)
{
    size_t n = strlen(text);
    return n % 2 == 0 && strspn(text, "0123456789abcdefABCDEF") == n;
}

int value_header_name(const char *text, struct error *err)
{
    if (!*text || !value_is_token(text))
        return error_set(err, "is not the name of a header; write X-Name");
    return 0;
}

int value_header(
    struct arena *a, const char *text, const char **name, const char **value, struct error *err)
{
    const char *colon = strchr(text, ':');
    if (!colon || strlen(text) > HEADER_MAX)
        return error_set(
            err, "is not a header of at most %d bytes; write \"Name: value\"", HEADER_MAX);
    *name = arena_strndup(a, text, (size_t)(colon - text));
    *value = arena_strdup(a, colon + 1 + strspn(colon + 1, " "));
    if (value_header_name(*name, err) < 0)
        return -1;
    if (!**value || !is_printable(*value))
        return error_set(err, "needs a value of printable ASCII");
    return template_check(*value, err);
}

int value_syslog(const char *text, struct syslog_place *out, struct error *err)
{
    static const struct {
        const char *name;
        unsigned facility;
    } rows[] = {{"user", 1}, {"daemon", 3}, {"auth", 4}, {"authpriv", 10}, {"local0", 16},
        {"local1", 17}, {"local2", 18}, {"local3", 19}, {"local4", 20}, {"local5", 21},
        {"local6", 22}, {"local7", 23}};
    const char *name = strchr(text, ':') + 1;
    size_t n = strcspn(name, ":");
    out->path = name[n] ? name + n + 1 : "/dev/log";
    if (*out->path != '/')
        return error_set(err, "names no socket by its path; write syslog:local0:/run/log.sock");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        out->facility = rows[i].facility;
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
            return 0;
    }
    return error_set(err, "names no facility of syslog; accepted: user, daemon, auth, authpriv, "
                          "local0 to local7");
}
