/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — what the first messages of a TLS handshake say, for showing them to people: lists as they
 * were sent, and sentences about what is wrong. Whether a handshake goes on is the engine's to say.
 *
 * Readers take any bytes. Memory: slices point into the message.
 */
#pragma once

#include "base/error.h"
#include "tls/message.h"

struct hello_client {
    struct client_hello hello;
    /* 16-bit numbers; empty if the extension was not sent. */
    struct bytes versions, groups, signature_schemes;
    struct bytes sni;  /* host_name; likewise */
    struct bytes alpn; /* for extension_next_alpn; likewise */
};

/* A handshake message taken apart: BODY without the 4-byte header. -1 if the length does not fit
 * BYTES exactly. */
int hello_message(struct bytes message, uint8_t *type, struct bytes *body) MUST_USE;

/* The handshake message in FILE: TLS records (RFC 8446 §5.1) whose fragments are joined in SPACE
 * (as large as FILE), or the bare message. */
int hello_unwrap(
    struct bytes file, uint8_t *space, struct bytes *message, struct error *err) MUST_USE;

int hello_read_client(struct bytes body, struct hello_client *out, struct error *err) MUST_USE;
/* The group of the key_share in a ServerHello; 0 if there is none. */
uint16_t hello_group(const struct server_hello *hello);
