/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/signing.h"

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/key_share.h"
#include "tls/message.h"
#include "tls/signature_scheme.h"
#include "tls/tlspolicy.h"

#include "base/ban.h"

#define RANDOM_SIZE      32
#define PREMASTER_SIZE   48
#define CURVE_NAMED      3 /* RFC 8422 §5.4: ECCurveType */
#define UNCOMPRESSED     4
#define CIPHERTEXT_MAX   2048
#define VERIFY_CONTEXT_N 34

const char *signing_outcome_text(enum signing_outcome o)
{
    static const char *const texts[SIGNING_OUTCOME_COUNT] = {
        [SIGNING_DONE] = "signed",
        [SIGNING_MALFORMED] = "the signer refused the request: it is no part of a handshake",
        [SIGNING_FORBIDDEN] = "the signer refused the request: the key is not for that",
        [SIGNING_NO_KEY] = "the signer does not have the key any more",
        [SIGNING_TOO_OFTEN] = "the signer refused the request: too many with this key",
        [SIGNING_IMPOSSIBLE] = "our key did not sign the handshake",
        [SIGNING_INTERRUPTED] = "the signer ended while it signed the handshake",
        [SIGNING_LATE] = "the signer did not answer in time",
    };
    return o < SIGNING_OUTCOME_COUNT ? texts[o] : texts[SIGNING_IMPOSSIBLE];
}

/* ---- the form of each kind ---- */

/* That of SHA-256 or SHA-384, which all our suites of TLS 1.3 have one of. */
static bool is_transcript_hash(struct bytes content)
{
    return content.n == 32 || content.n == 48;
}

/* RFC 8422 §5.4: named_curve, one of ours, and a point of its size. */
static bool is_key_exchange(struct bytes content)
{
    static const struct {
        uint16_t group;
        size_t point_n;
        bool is_uncompressed;
    } groups[] = {{GROUP_X25519, 32, false}, {GROUP_SECP256R1, 65, true},
        {GROUP_SECP384R1, 97, true}, {GROUP_SECP521R1, 133, true}};
    struct bytes randoms, point;
    uint8_t curve_type;
    uint16_t group;
    if (!wire_take(&content, 2 * RANDOM_SIZE, &randoms) || !wire_take_8(&content, &curve_type) ||
        !wire_take_16(&content, &group) || !wire_take_vector_8(&content, &point) || content.n ||
        curve_type != CURVE_NAMED)
        return false;
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (groups[i].group == group)
            return point.n == groups[i].point_n &&
                   (!groups[i].is_uncompressed || point.at[0] == UNCOMPRESSED);
    return false;
}

/* RFC 5246 §7.3, §7.4.8: all messages from ClientHello up to ClientKeyExchange, of a handshake in
 * which the client was asked for a certificate. */
static bool is_handshake(struct bytes content)
{
    static const struct {
        uint8_t type;
        bool is_optional;
    } order[] = {
        {MESSAGE_CLIENT_HELLO, false},
        {MESSAGE_SERVER_HELLO, false},
        {MESSAGE_CERTIFICATE, false},
        {MESSAGE_CERTIFICATE_STATUS, true},
        {MESSAGE_SERVER_KEY_EXCHANGE, true},
        {MESSAGE_CERTIFICATE_REQUEST, false},
        {MESSAGE_SERVER_HELLO_DONE, false},
        {MESSAGE_CERTIFICATE, false},
        {MESSAGE_CLIENT_KEY_EXCHANGE, false},
    };
    if (content.n > SIGNING_CONTENT_MAX)
        return false;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        bool is_next = content.n && content.at[0] == order[i].type;
        struct bytes body;
        if (!is_next && !order[i].is_optional)
            return false;
        if (is_next && !(wire_take(&content, 1, &body) && wire_take_vector_24(&content, &body)))
            return false;
    }
    return !content.n;
}

static bool is_ciphertext(struct bytes content)
{
    return content.n <= CIPHERTEXT_MAX;
}

static const struct {
    uint16_t version;
    bool (*is_well_formed)(struct bytes content);
    uint16_t number_min;
} kinds[SIGNING_KIND_COUNT] = {
    [SIGNING_SERVER_13] = {TLS_1_3, is_transcript_hash},
    [SIGNING_CLIENT_13] = {TLS_1_3, is_transcript_hash},
    [SIGNING_SERVER_12] = {TLS_1_2, is_key_exchange},
    [SIGNING_CLIENT_12] = {TLS_1_2, is_handshake},
    /* RFC 5246 §7.4.7.1: the version that the premaster secret must begin with is the
     * ClientHello's. What was recorded of older versions is not opened for anybody. */
    [SIGNING_PREMASTER] = {TLS_1_2, is_ciphertext, .number_min = TLS_1_2},
};

bool signing_is_well_formed(const struct signing_request *r)
{
    return r->kind < SIGNING_KIND_COUNT && r->number >= kinds[r->kind].number_min &&
           kinds[r->kind].is_well_formed(r->content);
}

/* ---- answers ---- */

size_t signing_verify_content(
    bool by_server, struct bytes transcript_hash, uint8_t out[SIGNING_VERIFY_MAX])
{
    /* Their NUL is part of it. */
    static const char by_whom[2][VERIFY_CONTEXT_N] = {
        "TLS 1.3, client CertificateVerify", "TLS 1.3, server CertificateVerify"};
    ASSERT(is_transcript_hash(transcript_hash));
    memset(out, ' ', 64);
    memcpy(out + 64, by_whom[by_server], VERIFY_CONTEXT_N);
    memcpy(out + 64 + VERIFY_CONTEXT_N, transcript_hash.at, transcript_hash.n);
    return 64 + VERIFY_CONTEXT_N + transcript_hash.n;
}

static enum signing_outcome sign(
    const struct signing_request *r, const struct private_key *key, struct signing_answer *out)
{
    const struct signature_scheme *scheme = signature_scheme_find(r->number);
    uint16_t version = kinds[r->kind].version;
    uint8_t verify[SIGNING_VERIFY_MAX];
    struct bytes content = r->content;
    if (!scheme || !signature_scheme_fits(scheme, version, private_key_kind(key)))
        return SIGNING_FORBIDDEN;
    if (version == TLS_1_3)
        content = (struct bytes){
            verify, signing_verify_content(r->kind == SIGNING_SERVER_13, content, verify)};
    out->n = private_key_sign(key, scheme->algorithm, content, out->at);
    return out->n ? SIGNING_DONE : SIGNING_IMPOSSIBLE;
}

static enum signing_outcome open_premaster(
    const struct signing_request *r, const struct private_key *key, struct signing_answer *out)
{
    if (private_key_kind(key) != KEY_RSA)
        return SIGNING_FORBIDDEN;
    private_key_premaster(key, r->content, r->number, out->at);
    out->n = PREMASTER_SIZE;
    return SIGNING_DONE;
}

void signing_answer(const struct signing_request *r, const struct private_key *key,
    unsigned allowed, struct signing_answer *out)
{
    out->n = 0;
    if (!signing_is_well_formed(r))
        out->outcome = SIGNING_MALFORMED;
    else if (!(allowed & SIGNING_BIT(r->kind)))
        out->outcome = SIGNING_FORBIDDEN;
    else if (r->kind == SIGNING_PREMASTER)
        out->outcome = open_premaster(r, key, out);
    else
        out->outcome = sign(r, key, out);
}

/* ---- between processes ---- */

struct signing_head signing_head_of(const struct key_handle *key, const struct signing_request *r)
{
    return (struct signing_head){
        .store = key->store, .key = key->index, .kind = (uint16_t)r->kind, .number = r->number};
}

bool signing_read(struct bytes octets, struct signing_head *head, struct signing_request *out)
{
    if (octets.n < sizeof(*head))
        return false;
    memcpy(head, octets.at, sizeof(*head));
    if (head->kind >= SIGNING_KIND_COUNT)
        return false;
    *out = (struct signing_request){
        (enum signing_kind)head->kind, head->number, bytes_skip(octets, sizeof(*head))};
    return signing_is_well_formed(out);
}

size_t signing_answer_write(const struct signing_answer *a, uint8_t out[SIGNING_ANSWER_MAX])
{
    out[0] = (uint8_t)a->outcome;
    memcpy(out + 1, a->at, a->n);
    return 1 + a->n;
}

void signing_answer_read(struct bytes octets, struct signing_answer *out)
{
    *out = (struct signing_answer){.outcome = SIGNING_INTERRUPTED};
    if (!octets.n || octets.n > SIGNING_ANSWER_MAX || octets.at[0] >= SIGNING_OUTCOME_COUNT ||
        (octets.at[0] == SIGNING_DONE) != (octets.n > 1))
        return;
    out->outcome = (enum signing_outcome)octets.at[0];
    out->n = octets.n - 1;
    memcpy(out->at, octets.at + 1, out->n);
}
