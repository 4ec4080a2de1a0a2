/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paper — certificates on paper: well-formed, with a signature that nobody checks. For tests of
 * what stands in them.
 *
 * Memory: the certificate belongs to the caller; the DER to der_writer.h.
 */
#pragma once

#include <stdio.h>

#include "der_writer.h"
#include "pki/certificate.h"

#define OID(octets)    TLV(0x06, BYTES(octets))
#define CE(last)       "\x55\x1d" last /* id-ce, where most extensions are */
#define COMMON(name)   SEQUENCE_OF(TLV(0x31, SEQUENCE_OF(OID("\x55\x04\x03"), TLV(0x0c, name))))
#define EMPTY_SEQUENCE BYTES("\x30\x00")

static inline struct bytes paper_extension(struct bytes oid, struct bytes value)
{
    return SEQUENCE_OF(TLV(0x06, oid), TLV(0x04, value));
}

/* Names are whole; EXTENSIONS one after the other. */
static inline struct certificate *paper(
    struct bytes issuer, struct bytes subject, struct bytes extensions)
{
    static const uint8_t point[66] = {0, 4, 1, 2, 3};
    struct bytes algorithm = SEQUENCE_OF(OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"));
    struct bytes spki = SEQUENCE_OF(
        SEQUENCE_OF(OID("\x2a\x86\x48\xce\x3d\x02\x01"), OID("\x2a\x86\x48\xce\x3d\x03\x01\x07")),
        TLV(0x03, ((struct bytes){point, sizeof(point)})));
    struct bytes validity =
        SEQUENCE_OF(TLV(0x17, BYTES("270101000000Z")), TLV(0x17, BYTES("280101000000Z")));
    struct bytes tbs = SEQUENCE_OF(BYTES("\xa0\x03\x02\x01\x02\x02\x01\x1a"), algorithm, issuer,
        validity, subject, spki, extensions.n ? TLV(0xa3, SEQUENCE_OF(extensions)) : NOTHING);
    struct error err = {""};
    struct certificate *c =
        certificate_parse(SEQUENCE_OF(tbs, algorithm, TLV(0x03, BYTES("\x00sig"))), &err);
    if (!c) {
        printf("Bail out! %s\n", err.text);
        abort();
    }
    return c;
}
