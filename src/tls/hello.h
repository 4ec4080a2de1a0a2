/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — what the messages of a TLS handshake say, read from their bytes (RFC 5246 §7.4, RFC 8446
 * §4).
 *
 * These are readers for showing a handshake to people; the handshake itself is the engine's. They
 * take any bytes. Memory: slices point into the message.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#define HELLO_LIST_MAX \
    64 /* of suites, versions and extensions, the first ones are kept; all are counted */

/* Handshake types (RFC 8446 §4, RFC 5246 §7.4). */
enum hello_type {
    HELLO_CLIENT_HELLO = 1,
    HELLO_SERVER_HELLO = 2,
    HELLO_NEW_SESSION_TICKET = 4,
    HELLO_CERTIFICATE = 11,
    HELLO_SERVER_KEY_EXCHANGE = 12,
    HELLO_CERTIFICATE_REQUEST = 13,
    HELLO_CERTIFICATE_VERIFY = 15,
    HELLO_CLIENT_KEY_EXCHANGE = 16,
    HELLO_FINISHED = 20,
    HELLO_CERTIFICATE_STATUS = 22,
};

struct hello_list {
    uint16_t at[HELLO_LIST_MAX];
    size_t n; /* may exceed HELLO_LIST_MAX */
};

struct hello_client {
    uint16_t legacy_version;
    struct bytes random; /* 32 octets */
    struct bytes session_id;
    struct hello_list suites;
    struct hello_list extensions;
    struct hello_list versions; /* supported_versions; empty if it was not sent */
    struct hello_list groups;
    struct hello_list signature_schemes;
    struct bytes sni;  /* host_name; empty if it was not sent */
    struct bytes alpn; /* ProtocolNameList without its length; see hello_next_protocol */
};

struct hello_server {
    uint16_t version; /* from supported_versions where that was sent */
    struct bytes random;
    uint16_t suite;
    uint16_t group;  /* of key_share (RFC 8446 §4.2.8); 0 if it was not sent */
    bool has_status; /* status_request (RFC 6066 §8): TLS 1.2 only */
};

/* A handshake message taken apart: BODY without the 4-byte header. -1 if the length does not fit
 * BYTES exactly. */
int hello_message(struct bytes message, uint8_t *type, struct bytes *body) MUST_USE;

/* The handshake message in FILE: TLS records (RFC 8446 §5.1) whose fragments are joined in SPACE
 * (as large as FILE), or the bare message. */
int hello_unwrap(
    struct bytes file, uint8_t *space, struct bytes *message, struct error *err) MUST_USE;

int hello_read_client(struct bytes body, struct hello_client *out, struct error *err) MUST_USE;
int hello_read_server(struct bytes body, struct hello_server *out) MUST_USE;

/* The certificates of a Certificate message as they were sent; IS_TLS13 tells the format (RFC 8446
 * §4.4.2, RFC 5246 §7.4.2). The first MAX go into AT; all of them are counted. */
int hello_read_certificates(
    struct bytes body, bool is_tls13, struct bytes *at, size_t max, size_t *n) MUST_USE;
/* The OCSP response that is stapled to the leaf: in TLS 1.3 BODY is a Certificate message (RFC 8446
 * §4.4.2.1), in TLS 1.2 a CertificateStatus (RFC 6066 §8). Empty if there is none. */
int hello_read_staple(struct bytes body, bool is_tls13, struct bytes *response) MUST_USE;
/* The scheme of a CertificateVerify, or of the signature in an ECDHE ServerKeyExchange (RFC 8422
 * §5.4). */
int hello_verify_scheme(struct bytes body, uint16_t *out) MUST_USE;
int hello_exchange_scheme(struct bytes body, uint16_t *group, uint16_t *scheme) MUST_USE;

/* Takes the next name off ALPN. False at the end. */
bool hello_next_protocol(struct bytes *alpn, struct bytes *name);

/* IANA names; NULL where we have none. */
const char *hello_scheme_name(uint16_t scheme);
const char *hello_group_name(uint16_t group);
const char *hello_version_name(uint16_t version);
