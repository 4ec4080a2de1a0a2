/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_syntax.h"

#include "base/ban.h"

/* RFC 9110 §7.8: protocol = protocol-name [ "/" protocol-version ], both tokens. */
static bool is_protocol(struct bytes p)
{
    size_t slash = bytes_find(p, '/');
    return http1_is_token(bytes_first(p, slash)) &&
           (slash == p.n || http1_is_token(bytes_skip(p, slash + 1)));
}

/* Under these, further requests would follow that nobody between client and target can see: in
 * HTTP/2 (h2c, also in its drafts; RFC 9113 §3.1 has given it up) or another version, or encrypted
 * (RFC 2817). They would go past every rule. */
static bool hides_requests(struct bytes p)
{
    static const char *const prefixes[] = {"h2", "h3", "http", "tls"};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct bytes prefix = bytes_of(prefixes[i]);
        if (bytes_equal_nocase(bytes_first(p, prefix.n), prefix))
            return true;
    }
    return false;
}

static bool lists(struct bytes list, struct bytes protocol)
{
    struct bytes element;
    while (http1_next_element(&list, &element))
        if (bytes_equal_nocase(element, protocol))
            return true;
    return false;
}

/* Append ", P" to the *N bytes of a list. False if it has no room. */
static bool append(char list[HTTP1_UPGRADE_MAX], size_t *n, struct bytes p)
{
    struct bytes comma = *n ? BYTES(", ") : BYTES("");
    if (*n + comma.n + p.n > HTTP1_UPGRADE_MAX)
        return false;
    memcpy(list + *n, comma.at, comma.n);
    memcpy(list + *n + comma.n, p.at, p.n);
    *n += comma.n + p.n;
    return true;
}

size_t http1_offered_upgrade(const struct http1_head *request, char list[HTTP1_UPGRADE_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < request->fields_n && request->upgrades; i++) {
        if (!bytes_equal_nocase(request->fields[i].name, BYTES("upgrade")))
            continue;
        struct bytes left = request->fields[i].value, protocol;
        while (http1_next_element(&left, &protocol)) {
            /* RFC 9110 §7.8: a server MAY ignore a received Upgrade. */
            if (!is_protocol(protocol))
                return 0;
            if (!hides_requests(protocol) && !append(list, &n, protocol))
                return 0;
        }
    }
    return n;
}

bool http1_upgrades_to(const struct http1_head *response, struct bytes offered)
{
    size_t named = 0;
    for (size_t i = 0; i < response->fields_n; i++) {
        if (!bytes_equal_nocase(response->fields[i].name, BYTES("upgrade")))
            continue;
        struct bytes left = response->fields[i].value, protocol;
        while (http1_next_element(&left, &protocol)) {
            /* RFC 9110 §7.8: a server MUST NOT switch to a protocol that was not indicated by the
             * client. */
            if (!lists(offered, protocol))
                return false;
            named++;
        }
    }
    return named > 0;
}
