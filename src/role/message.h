/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message — what the supervisor and the roles say to each other: typed, bounded, with descriptors,
 * one packet each (SOCK_SEQPACKET, SCM_RIGHTS).
 *
 * The types and what each may carry are the rows of message.def; a packet that does not fit its row
 * is refused on both sides, so whoever handles a message may rely on its shape. Memory: descriptors
 * of a received message belong to the receiver, who takes them (message_take) or closes them
 * (message_close); its text lives in the buffer given to message_receive.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define MESSAGE_FDS_MAX  4
#define MESSAGE_TEXT_MAX 4096

/* MESSAGE_LOAD's index. */
enum load_has { LOAD_HAS_IN_FORCE = 1, LOAD_HAS_PROPOSAL = 2 };

enum message_type {
    MESSAGE_NONE,
#define X(symbol, fds_min, fds_max, text_max) MESSAGE_##symbol,
#include "role/message.def"
#undef X
    MESSAGE_TYPE_COUNT
};

struct message {
    enum message_type type;
    uint32_t index;
    uint64_t generation;
    int fds[MESSAGE_FDS_MAX];
    unsigned fds_n;
    struct bytes text;
};

enum message_status { MESSAGE_OK, MESSAGE_WAIT, MESSAGE_END, MESSAGE_BROKEN };

/* Send M; its descriptors stay the caller's. WAIT: the peer does not take it now (a non-blocking
 * FD). END: the peer is gone. BROKEN: anything else, errno says what. */
enum message_status message_send(int fd, const struct message *m) MUST_USE;
/* Receive one packet into OUT and TEXT. BROKEN: not a message of ours; nothing is left open. */
enum message_status message_receive(
    int fd, struct message *out, uint8_t text[MESSAGE_TEXT_MAX]) MUST_USE;

/* Descriptor I of M, which now belongs to the caller; -1 if M has none. */
int message_take(struct message *m, unsigned i) MUST_USE;
/* Close the descriptors that nobody took. */
void message_close(struct message *m);
