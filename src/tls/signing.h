/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing — what a private key does in a handshake, as a request that whoever holds the key can
 * check. It carries the parts of what is signed, never the octets: these are put together here, so
 * a key signs handshakes and nothing else.
 *
 * A request is a codec without I/O. Who answers it is a signing_office: the signer process, through
 * the worker's end of its ring (balance/signatory.h). Where the key is in this process,
 * signing_answer does the same on the spot.
 */
#pragma once

#include "base/list.h"
#include "crypto/private_key.h"
#include "pki/credential.h"

enum signing_kind {
    SIGNING_SERVER_13, /* a server's CertificateVerify, TLS 1.3 */
    SIGNING_CLIENT_13, /* a client's */
    SIGNING_SERVER_12, /* ServerKeyExchange, TLS 1.2 */
    SIGNING_CLIENT_12, /* a client's CertificateVerify, TLS 1.2 */
    SIGNING_PREMASTER, /* a server's key opens a premaster secret: RSA key transport */
    SIGNING_KIND_COUNT
};

/* What a key may be asked for: a set of these. */
#define SIGNING_BIT(kind) (1u << (kind))
#define SIGNING_AS_SERVER (SIGNING_BIT(SIGNING_SERVER_13) | SIGNING_BIT(SIGNING_SERVER_12))
#define SIGNING_AS_CLIENT (SIGNING_BIT(SIGNING_CLIENT_13) | SIGNING_BIT(SIGNING_CLIENT_12))

struct signing_request {
    enum signing_kind kind;
    uint16_t number; /* SignatureScheme; PREMASTER: the ClientHello's version, TLS 1.2 at least */
    /* By kind: the transcript hash; both randoms and ServerECDHParams; the handshake messages so
     * far; the encrypted premaster secret. */
    struct bytes content;
};

/* The most octets of handshake messages that are signed (SIGNING_CLIENT_12): two chains of twenty
 * kilobytes and the names of many CAs. */
#define SIGNING_CONTENT_MAX (60 * 1024)

/* Why there is no answer. */
enum signing_outcome {
    SIGNING_DONE,
    SIGNING_MALFORMED,   /* no part of a handshake */
    SIGNING_FORBIDDEN,   /* not with this key */
    SIGNING_NO_KEY,      /* nobody has it, or has it any more */
    SIGNING_TOO_OFTEN,   /* beyond the ceiling of this worker and key */
    SIGNING_IMPOSSIBLE,  /* libcrypto could not */
    SIGNING_INTERRUPTED, /* the signer died of it, or with it in hand */
    SIGNING_LATE,        /* no answer in time */
    SIGNING_OUTCOME_COUNT
};
/* A sentence for the log, about our own side. */
const char *signing_outcome_text(enum signing_outcome o);

struct signing_answer {
    enum signing_outcome outcome;
    uint8_t at[PRIVATE_KEY_SIGNATURE_MAX]; /* a signature, or the 48 octets of a premaster secret */
    size_t n;                              /* 0 unless DONE */
};

/* Does R have the form of its kind? */
bool signing_is_well_formed(const struct signing_request *r);
/* Do R with KEY, which may be asked for ALLOWED (SIGNING_BIT). A premaster secret that is not well
 * formed gives, indistinguishably and in the same time, a random one (RFC 5246 §7.4.7.1). */
void signing_answer(const struct signing_request *r, const struct private_key *key,
    unsigned allowed, struct signing_answer *out);

/* What CertificateVerify of TLS 1.3 signs (RFC 8446 §4.4.3); its size. */
#define SIGNING_VERIFY_MAX (64 + 34 + 48)
size_t signing_verify_content(
    bool by_server, struct bytes transcript_hash, uint8_t out[SIGNING_VERIFY_MAX]);

/* ---- between processes ---- */

/* What goes ahead of the content. In the byte order of the machine: no request leaves it. */
struct signing_head {
    uint64_t store; /* whose keys: the generation's number */
    uint32_t key;
    uint16_t kind, number;
};
struct signing_head signing_head_of(const struct key_handle *key, const struct signing_request *r);
/* OCTETS: head and content. False if that is no request. */
bool signing_read(struct bytes octets, struct signing_head *head, struct signing_request *out);

/* How an answer travels: one octet for the outcome, then the rest. Anything else is read as
 * INTERRUPTED. */
#define SIGNING_ANSWER_MAX (1 + PRIVATE_KEY_SIGNATURE_MAX)
size_t signing_answer_write(const struct signing_answer *a, uint8_t out[SIGNING_ANSWER_MAX]);
void signing_answer_read(struct bytes octets, struct signing_answer *out);

/* A question to an office, embedded in whoever asks. The content of the request stays the asker's,
 * and as it is, until the answer has come or the call was cancelled. */
struct signing_call;
typedef void signing_answered_fn(struct signing_call *call, const struct signing_answer *answer);
struct signing_call {
    signing_answered_fn *answered;
    struct signing_request request;
    struct signing_head head;
    /* the office's */
    struct list by_age, queue;
    uint64_t deadline_ms, asked_us;
    int place; /* -1: none yet */
};

struct signing_office {
    /* ANSWERED is called once, later, never from inside. */
    void (*ask)(struct signing_office *o, struct signing_call *call);
    /* It is not called any more. */
    void (*cancel)(struct signing_office *o, struct signing_call *call);
};
