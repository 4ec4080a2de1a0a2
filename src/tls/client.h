/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — what the files of the machine's client use of each other, and how it gets its name.
 *
 * As in tls/machine_parts.h: functions that return int return 0, or -1 after machine_fail.
 */
#pragma once

#include "tls/machine_parts.h"

/* ---- client.c ---- */

/* Before M's first machine_run: send NAME as server_name if it is a DNS name; may be NULL. */
void client_set_server_name(struct machine *m, const char *name);
/* The answers to what we asked for in either version: server_name, ALPN, record_size_limit. */
int client_read_answers(struct machine *m, const struct extensions *e);
/* The server was accepted: a client that takes sessions remembers what it showed. */
void client_note_shown(struct machine *m);
/* The server did not take up the session that we offered, or has. */
void client_settle_session(struct machine *m, bool is_resuming);
/* hs->peer_schemes is known: which of our certificates is shown, and with which scheme. TYPES: of
 * CertificateRequest of TLS 1.2. NULL in hs->credential: none. */
void client_choose_certificate(struct machine *m, struct bytes types);
/* Our Certificate, which is empty if we have none that suits. */
int client_send_certificate(struct machine *m);
/* With hs->sign.content filled in, when the signature is there. */
int client_send_verify(struct machine *m);

/* ---- client13.c, client12.c ---- */

extern const struct machine_row client13_rows[], client12_rows[];
