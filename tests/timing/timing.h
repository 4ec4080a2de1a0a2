/* SPDX-License-Identifier: Apache-2.0 */
/* timing — what the rows of timing.c measure: inputs of two classes, made beforehand, and what is
 * done with one. */
#pragma once

#include "crypto/aead.h"
#include "crypto/hash.h"

#define TIMING_RSA_SIZE   256
#define TIMING_TICKET_MAX 512
#define TIMING_HELLO_MAX  1024

union timing_input {
    struct {
        uint8_t one[256], other[256];
    } compared;
    struct {
        uint8_t data[64], tag[AEAD_TAG_SIZE];
    } sealed;
    uint8_t ciphertext[TIMING_RSA_SIZE];
    struct {
        uint8_t at[TIMING_TICKET_MAX];
        size_t n;
    } ticket;
    struct {
        uint8_t at[HASH_SIZE_MAX];
        size_t n;
    } verify_data;
    struct {
        uint8_t at[TIMING_HELLO_MAX];
        size_t n;
    } hello;
    uint8_t signature[32]; /* HMAC-SHA256 */
};
typedef void timing_make_fn(union timing_input *in, int class);
typedef void timing_run_fn(const union timing_input *in);

/* ---- timing_tls.c ---- */

/* ticket_open, of tickets that do not open: wrong in the first octet or the last of the tag, of the
 * name of the key; in the name or in the tag. */
timing_make_fn timing_tls_make_tag, timing_tls_make_name, timing_tls_make_either;
timing_run_fn timing_tls_open, timing_tls_open_leaking;
/* A server reads a Finished that is wrong in its first octet or its last. */
timing_make_fn timing_tls_make_finished13, timing_tls_make_finished12;
timing_run_fn timing_tls_finish;
/* A server reads a ClientHello with a ticket whose binder is wrong in its first octet or its last.
 */
timing_make_fn timing_tls_make_binder;
timing_run_fn timing_tls_bind;

/* ---- timing_api.c ---- */

/* A request to the control API whose signature is wrong in its first octet or its last. */
timing_make_fn timing_api_make;
timing_run_fn timing_api_verify;
