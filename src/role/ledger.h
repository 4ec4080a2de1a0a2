/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger — what the supervisor counts itself: the generation in force, its listeners' addresses,
 * reloads, restarts. And who is given the counters of whom.
 *
 * Each worker, the logger, control and the signer have counters of their own (and workers a
 * handshake_log), which the supervisor makes and keeps but does not look into; likewise the table
 * that control writes the health of targets into. Process: supervisor.
 */
#pragma once

#include "role/supervisor.h"

int ledger_open(struct supervisor *s, struct error *err) MUST_USE;
void ledger_close(struct supervisor *s);

/* Make what C counts in; it outlives the process. Workers, logger, control, signer. */
int ledger_equip(struct child *c, struct error *err) MUST_USE;
/* Tell C where to count. */
void ledger_hand_out(struct child *c);
/* Tell worker C where to remember clients, and show it the health of targets and what the other
 * workers count and remember. */
void ledger_show_worker(struct supervisor *s, struct child *c);
/* Show control all there is. */
void ledger_show(struct supervisor *s);

/* The generation in force is a new one. */
void ledger_committed(struct supervisor *s);
void ledger_reload_failed(struct supervisor *s);
/* C has died and is to be replaced. */
void ledger_died(struct supervisor *s, const struct child *c);
