/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_signature — is a request signed with a secret key? By TC3-HMAC-SHA256, and by the cloud's
 * older style (HmacSHA256, HmacSHA1).
 *
 * Clients differ in what they sign: with an endpoint that has a port the Node SDK signs the host
 * without it, and the Go and Python SDKs with it; newer examples write the values of signed headers
 * in lower case. Each of these is tried, and all of them in any case, so that the time tells
 * nothing of which came close. Pure. Memory: credentials are slices of the request.
 */
#pragma once

#include "api/api_flat.h"
#include "base/buf.h"
#include "crypto/digest.h"
#include "proto/http1.h"

#define API_SIGNATURE_DATE_SIZE 11 /* "2026-11-22" */

enum api_scheme { API_SCHEME_TC3, API_SCHEME_SHA256, API_SCHEME_SHA1 };

struct api_credential {
    enum api_scheme scheme;
    struct bytes secret_id;
    struct bytes date, service, signed_headers; /* TC3 */
    uint8_t signature[SHA256_SIZE];
    size_t signature_n;
};

/* AUTHORIZATION is "TC3-HMAC-SHA256 Credential=ID/DATE/SERVICE/tc3_request, SignedHeaders=…,
 * Signature=HEX". -1: it is not. */
int api_signature_parse(struct bytes authorization, struct api_credential *out) MUST_USE;
/* The older style has its parts among the parameters. -1: they are not all there. */
int api_signature_take(const struct api_flat *parameters, struct api_credential *out) MUST_USE;

/* The UTC date of a time, as a credential has it. */
void api_signature_date(int64_t time_s, char out[API_SIGNATURE_DATE_SIZE]);

/* What is signed. */
struct api_signed {
    const struct http1_head *head;
    struct bytes query;                /* TC3: as it came, of GET */
    struct bytes body;                 /* TC3: or what is signed instead */
    struct bytes timestamp;            /* TC3: as it came */
    const struct api_flat *parameters; /* the older style */
};
bool api_signature_is_by(const struct api_credential *c, const struct api_signed *request,
    struct bytes secret_key) MUST_USE;

/* The other side: sign REQUEST by TC3, all of C but its signature being there. */
int api_signature_make(
    struct api_credential *c, const struct api_signed *request, struct bytes secret_key) MUST_USE;
/* C as an Authorization field. */
int api_signature_write(const struct api_credential *c, struct buf *out) MUST_USE;
