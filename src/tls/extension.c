/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "tls/message.h"

#include "base/ban.h"

#define HOST_NAME             0  /* NameType of RFC 6066 §3 */
#define RECORD_SIZE_LIMIT_MIN 64 /* RFC 8449 §4 */
#define PSK_DHE_KE            1  /* RFC 8446 §4.2.9 */
#define BINDER_SIZE_MIN       32 /* RFC 8446 §4.2.11: opaque PskBinderEntry<32..255> */
#define STATUS_TYPE_OCSP      1  /* RFC 6066 §8 */

/* Where extensions only answer those of a message before. */
#define ANSWERS                                                                                   \
    (IN_SERVER_HELLO_12 | IN_SERVER_HELLO_13 | IN_HELLO_RETRY_REQUEST | IN_ENCRYPTED_EXTENSIONS | \
        IN_CERTIFICATE)

static const struct {
    uint16_t number;
    const char *name;
    unsigned places;
} table[EXTENSION_COUNT] = {
#define X(symbol, number, name, places) {number, name, places},
#include "tls/extension.def"
#undef X
};

static enum extension known(uint16_t number)
{
    switch (number) {
#define X(symbol, number, name, places) \
    case number:                        \
        return EXTENSION_##symbol;
#include "tls/extension.def"
#undef X
    default:
        return EXTENSION_COUNT;
    }
}

const char *extension_name(enum extension e)
{
    return table[e].name;
}

uint16_t extension_number(enum extension e)
{
    return table[e].number;
}

/* ---- a block ---- */

/* A set of 16-bit numbers. A word means something once its bit in USED is set: so that not all of
 * them have to be cleared for the few that a message has. A list that is searched would let one
 * message of 64 KiB cost a hundred million comparisons. */
struct numbers {
    uint64_t used[16], words[1024];
};

static void clear(struct numbers *set)
{
    memset(set->used, 0, sizeof(set->used));
}

/* Was NUMBER not in there before? */
static bool add(struct numbers *set, uint16_t number)
{
    unsigned word = number / 64u;
    uint64_t mark = UINT64_C(1) << number % 64u, used = UINT64_C(1) << word % 64u;
    if (!(set->used[word / 64u] & used))
        set->words[word] = 0;
    set->used[word / 64u] |= used;
    bool is_new = !(set->words[word] & mark);
    set->words[word] |= mark;
    return is_new;
}

static bool contains(const struct numbers *set, uint16_t number)
{
    unsigned word = number / 64u;
    bool is_used = set->used[word / 64u] >> word % 64u & 1;
    return is_used && set->words[word] >> number % 64u & 1;
}

/* 0, or the alert. */
static uint8_t check_place(enum extension e, enum extension_place place, unsigned asked)
{
    /* RFC 8446 §4.2: one that is recognised, "and which is not specified for the message in which
     * it appears […] MUST abort the handshake with an illegal_parameter alert". */
    if (e != EXTENSION_COUNT && !(table[e].places & place))
        return ALERT_ILLEGAL_PARAMETER;
    /* The same: a response without a request, "with the exception of the cookie extension in the
     * HelloRetryRequest", is unsupported_extension; RFC 5246 §7.4.1.4 too. */
    if (place == IN_HELLO_RETRY_REQUEST)
        asked |= EXTENSION_BIT(EXTENSION_COOKIE);
    if (place & ANSWERS && (e == EXTENSION_COUNT || !(asked & EXTENSION_BIT(e))))
        return ALERT_UNSUPPORTED_EXTENSION;
    return 0;
}

bool extension_next(struct bytes *block, uint16_t *number, struct bytes *body)
{
    struct bytes rest = *block;
    if (!wire_take_16(&rest, number) || !wire_take_vector_16(&rest, body))
        return false;
    *block = rest;
    return true;
}

bool extension_find(struct bytes block, enum extension e, struct bytes *body)
{
    uint16_t number;
    while (extension_next(&block, &number, body))
        if (number == table[e].number)
            return true;
    return false;
}

/* Does BLOCK end with an extension, and has it none twice? RFC 8446 §4.2: "There MUST NOT be more
 * than one extension of the same type in a given extension block." */
static bool is_well_formed(struct bytes block, struct extensions *out)
{
    struct numbers seen;
    clear(&seen);
    while (block.n) {
        if (!extension_next(&block, &out->last_number, &out->last))
            return false;
        out->is_repeated = !add(&seen, out->last_number);
        if (out->is_repeated)
            return false;
    }
    return true;
}

bool extensions_read(struct bytes block, enum extension_place place, unsigned asked,
    struct extensions *out, uint8_t *alert)
{
    *out = (struct extensions){.last_known = EXTENSION_COUNT};
    *alert = ALERT_DECODE_ERROR;
    if (!is_well_formed(block, out))
        return false;
    while (extension_next(&block, &out->last_number, &out->last)) {
        enum extension e = out->last_known = known(out->last_number);
        *alert = check_place(e, place, asked);
        if (*alert)
            return false;
        if (e == EXTENSION_COUNT)
            continue;
        out->at[e] = out->last;
        out->present |= EXTENSION_BIT(e);
    }
    return true;
}

/* ---- contents ---- */

/* A vector that is the whole of BODY. */
static bool read_vector_8(struct bytes body, struct bytes *content)
{
    return wire_take_vector_8(&body, content) && !body.n;
}

static bool read_vector_16(struct bytes body, struct bytes *content)
{
    return wire_take_vector_16(&body, content) && !body.n;
}

bool extension_read_server_name(struct bytes body, struct bytes *host_name)
{
    struct bytes list;
    uint8_t type;
    if (!read_vector_16(body, &list) || !wire_take_8(&list, &type))
        return false;
    /* RFC 6066 §3: "The ServerNameList MUST NOT contain more than one name of the same name_type",
     * and host_name is the only type that there is; opaque HostName<1..2^16-1>. */
    return type == HOST_NAME && read_vector_16(list, host_name) && host_name->n;
}

bool extension_read_number(struct bytes body, uint16_t *number)
{
    return wire_take_16(&body, number) && !body.n;
}

bool extension_read_list_8(struct bytes body, struct bytes *octets)
{
    return read_vector_8(body, octets) && octets->n;
}

bool extension_read_list_16(struct bytes body, struct bytes *numbers)
{
    return read_vector_16(body, numbers) && numbers->n && numbers->n % 2 == 0;
}

bool extension_read_versions(struct bytes body, struct bytes *numbers)
{
    return read_vector_8(body, numbers) && numbers->n && numbers->n % 2 == 0;
}

bool extension_read_cookie(struct bytes body, struct bytes *cookie)
{
    return read_vector_16(body, cookie) && cookie->n;
}

bool extension_next_alpn(struct bytes *names, struct bytes *name)
{
    return wire_take_vector_8(names, name);
}

bool extension_read_alpn(struct bytes body, struct bytes *names)
{
    if (!read_vector_16(body, names) || !names->n)
        return false;
    /* RFC 7301 §3.1: "Empty strings MUST NOT be included". */
    struct bytes rest = *names, name;
    while (rest.n)
        if (!extension_next_alpn(&rest, &name) || !name.n)
            return false;
    return true;
}

bool extension_read_psk_modes(struct bytes body, bool *has_dhe)
{
    struct bytes modes;
    if (!extension_read_list_8(body, &modes))
        return false;
    *has_dhe = bytes_find(modes, PSK_DHE_KE) < modes.n;
    return true;
}

bool extension_next_key_share(struct bytes *entries, uint16_t *group, struct bytes *key)
{
    return wire_take_16(entries, group) && wire_take_vector_16(entries, key);
}

bool extension_read_key_share(struct bytes body, uint16_t *group, struct bytes *key)
{
    return extension_next_key_share(&body, group, key) && !body.n && key->n;
}

bool extension_read_key_shares(struct bytes body, struct bytes *entries, uint8_t *alert)
{
    struct numbers seen;
    struct bytes key;
    uint16_t group;
    clear(&seen);
    *alert = ALERT_DECODE_ERROR;
    if (!read_vector_16(body, entries))
        return false;
    for (struct bytes rest = *entries; rest.n;) {
        if (!extension_next_key_share(&rest, &group, &key) || !key.n)
            return false;
        /* RFC 8446 §4.2.8: "Clients MUST NOT offer multiple KeyShareEntry values for the same
         * group. […] Servers MAY check […] and abort the handshake with an illegal_parameter". */
        if (!add(&seen, group)) {
            *alert = ALERT_ILLEGAL_PARAMETER;
            return false;
        }
    }
    return true;
}

bool extension_lists_key_shares(struct bytes groups, struct bytes entries)
{
    struct numbers listed;
    struct bytes key;
    uint16_t group;
    clear(&listed);
    while (wire_take_16(&groups, &group))
        add(&listed, group);
    while (extension_next_key_share(&entries, &group, &key))
        if (!contains(&listed, group))
            return false;
    return true;
}

static bool take_identity(struct bytes *identities, struct bytes *identity, uint32_t *age)
{
    return wire_take_vector_16(identities, identity) && identity->n &&
           wire_take_32(identities, age);
}

static bool take_binder(struct bytes *binders, struct bytes *binder)
{
    return wire_take_vector_8(binders, binder) && binder->n >= BINDER_SIZE_MIN;
}

static bool count_identities(struct bytes identities, size_t *n)
{
    struct bytes identity;
    uint32_t age;
    for (*n = 0; identities.n; ++*n)
        if (!take_identity(&identities, &identity, &age))
            return false;
    return *n;
}

static bool count_binders(struct bytes binders, size_t *n)
{
    struct bytes binder;
    for (*n = 0; binders.n; ++*n)
        if (!take_binder(&binders, &binder))
            return false;
    return *n;
}

bool extension_read_psk_offer(
    struct bytes body, struct bytes hello, struct psk_offer *out, uint8_t *alert)
{
    size_t binders_n;
    *alert = ALERT_DECODE_ERROR;
    if (!wire_take_vector_16(&body, &out->identities))
        return false;
    out->truncated_n = (size_t)(body.at - hello.at);
    if (!read_vector_16(body, &out->binders) || !count_identities(out->identities, &out->n) ||
        !count_binders(out->binders, &binders_n))
        return false;
    /* RFC 8446 §4.2.11: "binders: A series of HMAC values, one for each value in the identities
     * list and in the same order". */
    *alert = ALERT_ILLEGAL_PARAMETER;
    return out->n == binders_n;
}

bool extension_next_psk(
    struct psk_offer *offer, struct bytes *identity, uint32_t *obfuscated_age, struct bytes *binder)
{
    return take_identity(&offer->identities, identity, obfuscated_age) &&
           take_binder(&offer->binders, binder);
}

bool extension_read_record_size_limit(struct bytes body, uint16_t *limit, uint8_t *alert)
{
    *alert = ALERT_DECODE_ERROR;
    if (!extension_read_number(body, limit))
        return false;
    /* RFC 8449 §4: "An endpoint MUST treat receipt of a smaller value as a fatal error and generate
     * an illegal_parameter alert." */
    *alert = ALERT_ILLEGAL_PARAMETER;
    return *limit >= RECORD_SIZE_LIMIT_MIN;
}

/* RFC 6066 §8: ResponderIDs, each <1..2^16-1>, then Extensions. */
static bool is_ocsp_request(struct bytes body)
{
    struct bytes responders, one, extensions;
    if (!wire_take_vector_16(&body, &responders) || !read_vector_16(body, &extensions))
        return false;
    while (responders.n)
        if (!wire_take_vector_16(&responders, &one) || !one.n)
            return false;
    return true;
}

bool extension_read_status_request(struct bytes body, bool *is_ocsp)
{
    uint8_t type;
    if (!wire_take_8(&body, &type))
        return false;
    /* Of other types not even the format is known. */
    *is_ocsp = type == STATUS_TYPE_OCSP;
    return !*is_ocsp || is_ocsp_request(body);
}

bool extension_read_authorities(struct bytes body, struct bytes *names)
{
    if (!read_vector_16(body, names))
        return false;
    /* RFC 8446 §4.2.4: opaque DistinguishedName<1..2^16-1>. */
    struct bytes rest = *names, name;
    while (rest.n)
        if (!wire_take_vector_16(&rest, &name) || !name.n)
            return false;
    return true;
}
