/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message — the handshake messages of TLS 1.2 and 1.3 (RFC 8446 §4, RFC 5246 §7.4) as codecs: bytes
 * to structs and back. Syntax only: whether a message may come, and what it means, is the
 * machine's.
 *
 * Readers take BODY, a message without its 4-byte header, whole; a failure names the alert. Slices
 * point into BODY. Writers append a message with its header to a buf through a wire_writer.
 */
#pragma once

#include "tls/wire.h"

enum message_type {
    MESSAGE_HELLO_REQUEST = 0,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_NEW_SESSION_TICKET = 4,
    MESSAGE_END_OF_EARLY_DATA = 5,
    MESSAGE_ENCRYPTED_EXTENSIONS = 8,
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_SERVER_KEY_EXCHANGE = 12,
    MESSAGE_CERTIFICATE_REQUEST = 13,
    MESSAGE_SERVER_HELLO_DONE = 14,
    MESSAGE_CERTIFICATE_VERIFY = 15,
    MESSAGE_CLIENT_KEY_EXCHANGE = 16,
    MESSAGE_FINISHED = 20,
    MESSAGE_CERTIFICATE_STATUS = 22,
    MESSAGE_KEY_UPDATE = 24,
    MESSAGE_MESSAGE_HASH = 254,
};
#define MESSAGE_HEADER_SIZE 4

/* Alerts (RFC 8446 §6). */
enum alert {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_UNKNOWN_CA = 48,
    ALERT_DECODE_ERROR = 50,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INSUFFICIENT_SECURITY = 71,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_INAPPROPRIATE_FALLBACK = 86,
    ALERT_USER_CANCELED = 90,
    ALERT_NO_RENEGOTIATION = 100,
    ALERT_MISSING_EXTENSION = 109,
    ALERT_UNSUPPORTED_EXTENSION = 110,
    ALERT_UNRECOGNIZED_NAME = 112,
    ALERT_CERTIFICATE_REQUIRED = 116,
    ALERT_NO_APPLICATION_PROTOCOL = 120,
};

/* Where an extension may stand. */
enum extension_place {
    IN_CLIENT_HELLO = 1 << 0,
    IN_SERVER_HELLO_12 = 1 << 1,
    IN_SERVER_HELLO_13 = 1 << 2,
    IN_HELLO_RETRY_REQUEST = 1 << 3,
    IN_ENCRYPTED_EXTENSIONS = 1 << 4,
    IN_CERTIFICATE_REQUEST = 1 << 5,
    IN_CERTIFICATE = 1 << 6,
    IN_NEW_SESSION_TICKET = 1 << 7,
};
enum extension {
#define X(symbol, number, name, places) EXTENSION_##symbol,
#include "tls/extension.def"
#undef X
    EXTENSION_COUNT
};
#define EXTENSION_BIT(e) (1u << (e))

/* The bodies of the extensions of one message; .at == NULL: absent. */
struct extensions {
    struct bytes at[EXTENSION_COUNT];
    unsigned present; /* set of EXTENSION_BIT */
    /* The last one in the block (pre_shared_key must be it), or the one that was refused. */
    struct bytes last;
    uint16_t last_number;
    enum extension last_known; /* EXTENSION_COUNT if it is not one of ours */
    bool is_repeated;          /* refused: it is there twice */
};
/* Read BLOCK (the content of the extensions vector) as it may stand in PLACE. One that is cut off,
 * or twice there, of ours or not, is decode_error; one of ours in a place that is not its own is
 * illegal_parameter; where the place only answers (all but ClientHello, CertificateRequest,
 * NewSessionTicket) one that is not in ASKED is unsupported_extension. */
bool extensions_read(struct bytes block, enum extension_place place, unsigned asked,
    struct extensions *out, uint8_t *alert) MUST_USE;
/* The first extension of BLOCK is taken off. False at its end, and where it is cut. */
bool extension_next(struct bytes *block, uint16_t *number, struct bytes *body);
/* Is E in BLOCK? For those who only look on. */
bool extension_find(struct bytes block, enum extension e, struct bytes *body);
const char *extension_name(enum extension e);
uint16_t extension_number(enum extension e);

/* ---- ClientHello ---- */

struct client_hello {
    uint16_t legacy_version;
    struct bytes random; /* 32 octets */
    struct bytes session_id;
    struct bytes suites; /* 16-bit numbers */
    bool has_null_compression, has_only_null_compression;
    bool has_extensions;
    struct bytes block; /* as they were sent */
    struct extensions extensions;
};
bool client_hello_read(struct bytes body, struct client_hello *out, uint8_t *alert) MUST_USE;

/* The contents of extensions, each with its own reader; false is decode_error where there is no
 * ALERT. */
bool extension_read_server_name(struct bytes body, struct bytes *host_name) MUST_USE;
/* One number: selected_version, the selected_group of HelloRetryRequest, selected_identity. */
bool extension_read_number(struct bytes body, uint16_t *number) MUST_USE;
bool extension_read_list_8(
    struct bytes body, struct bytes *octets) MUST_USE; /* point formats: <1..255> */
bool extension_read_list_16(
    struct bytes body, struct bytes *numbers) MUST_USE; /* groups, schemes: <2..2^16-2> */
bool extension_read_versions(struct bytes body, struct bytes *numbers) MUST_USE; /* <2..254> */
bool extension_read_cookie(struct bytes body, struct bytes *cookie) MUST_USE;
bool extension_read_alpn(
    struct bytes body, struct bytes *names) MUST_USE; /* each name checked, not empty */
bool extension_next_alpn(struct bytes *names, struct bytes *name);
bool extension_read_psk_modes(struct bytes body, bool *has_dhe) MUST_USE;
/* Of ClientHello: every entry checked. */
bool extension_read_key_shares(struct bytes body, struct bytes *entries, uint8_t *alert) MUST_USE;
bool extension_next_key_share(struct bytes *entries, uint16_t *group, struct bytes *key);
/* Is the group of each of ENTRIES, in which there is no fault, one of GROUPS? */
bool extension_lists_key_shares(struct bytes groups, struct bytes entries);
/* Of ServerHello. */
bool extension_read_key_share(struct bytes body, uint16_t *group, struct bytes *key) MUST_USE;
struct psk_offer {
    struct bytes identities, binders; /* as many of the one as of the other */
    size_t n;
    /* Octets of the message body before the binders' list (RFC 8446 §4.2.11.2). */
    size_t truncated_n;
};
/* BODY is inside HELLO, which is the whole body of the ClientHello. */
bool extension_read_psk_offer(
    struct bytes body, struct bytes hello, struct psk_offer *out, uint8_t *alert) MUST_USE;
bool extension_next_psk(struct psk_offer *offer, struct bytes *identity, uint32_t *obfuscated_age,
    struct bytes *binder);
bool extension_read_record_size_limit(struct bytes body, uint16_t *limit, uint8_t *alert) MUST_USE;
bool extension_read_status_request(struct bytes body, bool *is_ocsp) MUST_USE;
/* DistinguishedNames, each with a 16-bit length and checked. None: allowed in TLS 1.2 only. */
bool extension_read_authorities(struct bytes body, struct bytes *names) MUST_USE;

/* ---- ServerHello, HelloRetryRequest ---- */

struct server_hello {
    uint16_t legacy_version;
    struct bytes random, session_id;
    uint16_t suite;
    bool is_retry; /* HelloRetryRequest, by its random (RFC 8446 §4.1.3) */
    bool has_extensions;
    struct bytes block; /* of the extensions: which may stand there depends on the version, so the
                           machine reads it */
    uint16_t version;   /* from supported_versions, else legacy_version */
};
bool server_hello_read(struct bytes body, struct server_hello *out, uint8_t *alert) MUST_USE;
extern const uint8_t message_retry_random[32];
/* RFC 8446 §4.1.3: does RANDOM end with a mark of a server that could have done better: of one of
 * TLS 1.3 that negotiated 1.2, or of one of TLS 1.2 that negotiated less? */
bool message_is_downgrade(struct bytes random);
extern const uint8_t message_downgrade_mark[8];

/* ---- Certificate and others ---- */

struct certificate_entry {
    struct bytes der;
    struct bytes block; /* TLS 1.3: its extensions */
};
/* Certificate: LIST is what certificate_next goes through; all entries were checked. */
bool certificate_message_read(struct bytes body, bool is_tls13, struct bytes *context,
    struct bytes *list, size_t *n) MUST_USE;
bool certificate_message_next(struct bytes *list, bool is_tls13, struct certificate_entry *out);
/* OCSPResponse of CertificateStatus or of the extension status_request (RFC 6066 §8). */
bool certificate_status_read(struct bytes body, struct bytes *response) MUST_USE;
/* The OCSPResponse for the first certificate of a whole Certificate message of TLS 1.3. */
bool certificate_staple_read(struct bytes body, struct bytes *response) MUST_USE;

struct certificate_request {
    struct bytes context;               /* TLS 1.3 */
    struct bytes types;                 /* TLS 1.2 */
    struct bytes schemes, schemes_cert; /* 16-bit numbers; schemes_cert .at NULL: not sent */
    struct bytes authorities; /* DistinguishedNames, each with a 16-bit length; may be empty */
};
bool certificate_request_read(
    struct bytes body, bool is_tls13, struct certificate_request *out, uint8_t *alert) MUST_USE;

struct digitally_signed {
    uint16_t scheme;
    struct bytes signature;
};
bool certificate_verify_read(struct bytes body, struct digitally_signed *out) MUST_USE;
/* ServerKeyExchange of ECDHE (RFC 8422 §5.4); SIGNED: the parameters that the signature covers. */
struct server_key_exchange {
    uint16_t group;
    struct bytes key, parameters;
    struct digitally_signed signature;
};
bool server_key_exchange_read(struct bytes body, struct server_key_exchange *out) MUST_USE;

struct new_session_ticket {
    uint32_t lifetime_s, age_add; /* age_add, nonce: TLS 1.3 */
    struct bytes nonce, ticket;
};
bool new_session_ticket_read(
    struct bytes body, bool is_tls13, struct new_session_ticket *out, uint8_t *alert) MUST_USE;
/* KeyUpdate: its one octet is 0 or 1, anything else illegal_parameter. */
bool key_update_read(struct bytes body, bool *is_requested, uint8_t *alert) MUST_USE;

/* ---- writing ---- */

/* Every message: mark = message_begin(w, type); its content by wire_put…; wire_end(w, mark). */
struct wire_mark message_begin(struct wire_writer *w, enum message_type type) MUST_USE;
/* An extension inside an extensions vector: begins it; wire_end ends it. */
struct wire_mark message_begin_extension(struct wire_writer *w, enum extension e) MUST_USE;
/* The content of a Certificate message: CHAIN whole. OCSP (may be empty) goes to the leaf, TLS 1.3.
 */
struct certificate_list;
void message_put_certificate(struct wire_writer *w, bool is_tls13, struct bytes context,
    const struct certificate_list *chain, struct bytes ocsp);
