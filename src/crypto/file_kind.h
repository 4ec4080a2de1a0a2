/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_kind — what a file given by an operator evidently is, so that a wrong one is refused with
 * the remedy, and the blocks of a PEM file (RFC 7468).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum file_kind {
    FILE_UNKNOWN,
    FILE_OTHER_PEM,
    FILE_EMPTY,
    FILE_CERTIFICATE,
    FILE_TRUSTED_CERTIFICATE, /* with OpenSSL's own notes about what it is good for */
    FILE_CRL,
    FILE_REQUEST,
    FILE_KEY,
    FILE_ENCRYPTED_KEY,
    FILE_PKCS7,
    FILE_PKCS12,
};

/* What a DER file starts like. A certificate and a CRL start alike: FILE_CERTIFICATE stands for
 * both. */
enum file_kind file_kind_of_der(struct bytes der);

/* "looks like PKCS#12, where a certificate is wanted; convert it with: …". Returns -1. */
int file_kind_refuse(enum file_kind found, const char *wanted, struct error *err);

/* What a PEM block is by its label (RFC 7468) and its header (RFC 1421 §4.6; may be ""). */
enum file_kind file_kind_of_pem(const char *label, const char *header);

/* Does FILE have a PEM "-----BEGIN " in it? Then it is not taken for DER. */
bool file_kind_is_pem(struct bytes file);
