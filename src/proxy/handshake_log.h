/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake_log — the last TLS handshakes with clients, accepted and refused, in memory that
 * another process reads: fixed slots, the oldest overwritten first.
 *
 * Recording copies facts and makes no words of them (a microsecond at most); whoever reads does
 * that. One process writes; one that is started again goes on behind its predecessor. Readers map
 * the memory read-only, notice a slot that is overwritten while they read it, and believe nothing:
 * a record is made harmless (texts end, numbers are in range) before it is handed out.
 */
#pragma once

#include <stdint.h>

#include "io/address.h"
#include "proxy/conn.h"
#include "tls/steps.h"

#define HANDSHAKE_LOG_SLOTS    1024
#define HANDSHAKE_LOG_PEER_MAX 3072 /* of the verdict as JSON */

enum handshake_result { HANDSHAKE_ACCEPTED, HANDSHAKE_REFUSED, HANDSHAKE_FAILED };

struct handshake_record {
    int64_t time_ms; /* wall clock: the end */
    uint64_t ms;     /* from accept */
    enum handshake_result result;
    enum close_reason close; /* FAILED, REFUSED */
    uint16_t version;
    bool resumed;
    uint8_t alert_sent, alert_received; /* 0: none */
    char listener[64];
    char client[ADDRESS_TEXT_MAX];
    char sni[256];
    char cipher[48], group[24], signature[32], alpn[16];
    char detail[160];
    char remedy[512];
    struct steps_handshake steps;
    uint32_t peer_n; /* 0: no verdict */
    char peer[HANDSHAKE_LOG_PEER_MAX];
};

const char *handshake_log_result_name(enum handshake_result r);
/* The token that says why: of the verdict where it decided, else the close reason, else
 * "accepted". */
const char *handshake_log_reason(const struct handshake_record *r);

struct handshake_log;

/* New memory; the descriptor is the caller's. -1 with ERR. */
int handshake_log_new(int *fd, struct error *err) MUST_USE;

/* The writer. FD stays the caller's. NULL with ERR. */
struct handshake_log *handshake_log_open(int fd, struct error *err) MUST_USE;
void handshake_log_close(struct handshake_log **l);
/* Fill the record between the two. Its texts and its peer are as the slot's last user left them,
 * everything before `listener` and `steps` are zeroed. */
struct handshake_record *handshake_log_begin(struct handshake_log *l);
void handshake_log_end(struct handshake_log *l);

/* Readers. */
struct handshake_view {
    const struct handshake_memory *at; /* NULL: none */
};
int handshake_log_map(int fd, struct handshake_view *out, struct error *err) MUST_USE;
void handshake_log_unmap(struct handshake_view *v);
/* How many have been recorded ever; those from the last HANDSHAKE_LOG_SLOTS may be there. */
uint64_t handshake_log_count(const struct handshake_view *v);
/* Number N, from 0 on. False if it is overwritten, or being written. */
bool handshake_log_read(const struct handshake_view *v, uint64_t n, struct handshake_record *out);
/* Only when it was. */
bool handshake_log_time(const struct handshake_view *v, uint64_t n, int64_t *time_ms);
