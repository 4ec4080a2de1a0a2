/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — what the files of the machine's server use of each other.
 *
 * As in tls/machine_parts.h: functions that return int return 0, or -1 after machine_fail.
 */
#pragma once

#include "tls/machine_parts.h"

/* ---- server.c ---- */

/* Keep MESSAGE, a ClientHello, as hs->hello for as long as the handshake. */
int server_keep_hello(struct machine *m, struct bytes message);
bool server_was_sent(const struct machine *m, enum extension e);
struct bytes server_extension(const struct machine *m, enum extension e);
/* The content of supported_groups; the first of ours among GROUPS (0: none). */
int server_read_groups(struct machine *m, struct bytes *groups);
uint16_t server_choose_group(const struct machine *m, struct bytes groups);
/* Of the certificates for the name that was asked for: the first whose key suits KEY and the
 * client's schemes. False: there is none. */
bool server_choose_certificate(struct machine *m, enum suite_key key);
/* The suite is known: which protocol is to be spoken under it. */
int server_choose_alpn(struct machine *m);
/* The extensions by which a server answers in either version: server_name, ALPN,
 * record_size_limit. */
void server_put_answers(const struct machine *m, struct wire_writer *w);

/* ---- server13.c, server12.c ---- */

extern const struct machine_row server13_rows[], server12_rows[];

/* ---- server_ticket.c ---- */

/* Does TICKET open, for this version, name and kind of client? Then it is hs->ticket. */
bool server_ticket_open(struct machine *m, struct bytes ticket);
/* The client in hs->ticket is judged again. FN goes on: hs->is_resuming says how. */
int server_ticket_judge(struct machine *m, machine_fn *fn);
/* The new ticket, with SECRET (TLS 1.3) or hs->master inside, appended to OUT, and how long it is
 * good. False: none can be made. */
struct server_ticket {
    const struct secret *secret;
    uint32_t age_add, lifetime_s;
};
bool server_ticket_seal(struct machine *m, struct server_ticket *t, struct buf *out);
