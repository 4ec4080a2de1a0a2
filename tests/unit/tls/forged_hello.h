/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forged_hello — ClientHellos of the test's own, for a server: in order, but for what is said.
 */
#pragma once

#include "side.h"

#define SHARE   "\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SCHEMES "\0\2\4\3"

struct addition {
    int number; /* -1: none; one of the usual ones is replaced, with an empty TEXT left out */
    struct bytes body;
};

/* A ClientHello that is in order, but for what it says. */
struct hello {
    const char *what;
    struct addition a;
    uint16_t legacy; /* 0: TLS 1.2 */
    struct bytes session_id, suites, compression;
    uint8_t alert;
    bool is_left_out, is_tls12, has_other_random;
    struct addition b; /* at the end */
};

#define LEFT_OUT(n)   .a = {n, {0}}, .is_left_out = true
#define WITH(n, text) .a = {n, BYTES(text)}
#define AND(n, text)  .b = {n, BYTES(text)}

/* The message alone. */
void forged_hello_put_message(struct wire_writer *w, const struct hello *h);
/* As one record to the end of OUT. */
void forged_hello_put(struct buf *out, const struct hello *h);
/* S becomes a server that shows CREDENTIAL and has read H. */
void forged_hello_start(struct side *s, struct credential *credential, const struct hello *h);
