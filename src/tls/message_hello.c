/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/message.h"

#include "base/ban.h"

#define RANDOM_SIZE    32
#define SESSION_ID_MAX 32 /* RFC 8446 §4.1.2: opaque legacy_session_id<0..32> */

/* RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest". */
const uint8_t message_retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe,
    0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07,
    0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
/* The same: the last octets of the random when a TLS 1.3 server negotiates TLS 1.2. */
const uint8_t message_downgrade_mark[8] = {'D', 'O', 'W', 'N', 'G', 'R', 'D', 1};

bool message_is_downgrade(struct bytes random)
{
    /* … and with 0 at the end TLS 1.1 or below, which a client of TLS 1.2 must look for, too. */
    struct bytes mark = {message_downgrade_mark, sizeof(message_downgrade_mark) - 1};
    struct bytes end = bytes_skip(random, RANDOM_SIZE - sizeof(message_downgrade_mark));
    return random.n == RANDOM_SIZE && bytes_starts_with(end, mark) && end.at[mark.n] <= 1;
}

/* What both begin with: version, random, session id. */
static bool take_start(
    struct bytes *body, uint16_t *version, struct bytes *random, struct bytes *session_id)
{
    return wire_take_16(body, version) && wire_take(body, RANDOM_SIZE, random) &&
           wire_take_vector_8(body, session_id) && session_id->n <= SESSION_ID_MAX;
}

/* RFC 5246 §7.4.1.2, §7.4.1.3: "The presence of extensions can be detected by determining whether
 * there are bytes following the compression_method". */
static bool take_block(struct bytes *body, bool *has_extensions, struct bytes *block)
{
    *has_extensions = body->n;
    *block = (struct bytes){0};
    return !*has_extensions || (wire_take_vector_16(body, block) && !body->n);
}

bool client_hello_read(struct bytes body, struct client_hello *out, uint8_t *alert)
{
    struct bytes compression;
    *out = (struct client_hello){0};
    *alert = ALERT_DECODE_ERROR;
    if (!take_start(&body, &out->legacy_version, &out->random, &out->session_id) ||
        !wire_take_vector_16(&body, &out->suites) || !wire_take_vector_8(&body, &compression) ||
        !take_block(&body, &out->has_extensions, &out->block))
        return false;
    if (!out->suites.n || out->suites.n % 2 || !compression.n)
        return false;
    out->has_null_compression = bytes_find(compression, 0) < compression.n;
    out->has_only_null_compression = out->has_null_compression && compression.n == 1;
    return extensions_read(out->block, IN_CLIENT_HELLO, 0, &out->extensions, alert);
}

/* The version that a ServerHello means, from its extension if that is there (RFC 8446 §4.2.1). */
static bool find_version(struct bytes block, uint16_t *version)
{
    uint16_t number;
    struct bytes content;
    while (block.n) {
        if (!extension_next(&block, &number, &content))
            return false;
        if (number == extension_number(EXTENSION_SUPPORTED_VERSIONS) &&
            !extension_read_number(content, version))
            return false;
    }
    return true;
}

bool server_hello_read(struct bytes body, struct server_hello *out, uint8_t *alert)
{
    uint8_t compression;
    *out = (struct server_hello){0};
    *alert = ALERT_DECODE_ERROR;
    if (!take_start(&body, &out->legacy_version, &out->random, &out->session_id) ||
        !wire_take_16(&body, &out->suite) || !wire_take_8(&body, &compression) ||
        !take_block(&body, &out->has_extensions, &out->block))
        return false;
    out->is_retry = bytes_equal(
        out->random, (struct bytes){message_retry_random, sizeof(message_retry_random)});
    out->version = out->legacy_version;
    if (!find_version(out->block, &out->version))
        return false;
    /* RFC 8446 §4.1.3: "A single byte which MUST have the value 0"; in TLS 1.2 nothing else was
     * offered. */
    *alert = ALERT_ILLEGAL_PARAMETER;
    return !compression;
}
