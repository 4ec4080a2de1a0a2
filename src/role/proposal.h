/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proposal — what control would add to the configuration file, as the supervisor passes it on: it
 * goes the way of a reload (reload.h), and comes into force once control has made it durable.
 *
 *   control ── PROPOSE ──▶ reload ── PREPARED ──▶ control ── DECIDE ──▶ commit ── COMMITTED ──▶
 * control └───────── REFUSED ─────▶ control
 *
 * The supervisor does not read it. One at a time; a control that dies takes its proposal with it.
 */
#pragma once

#include "role/supervisor.h"

/* Control's PROPOSE and DECIDE. */
void proposal_hear(struct supervisor *s, struct message *m);
void proposal_decide(struct supervisor *s, const struct message *m);

/* ---- for reload.c ---- */

/* Does one wait that nothing keeps from beginning? Then it has begun. */
bool proposal_take_turn(struct supervisor *s) MUST_USE;
/* Everybody is ready for it. */
void proposal_prepared(struct supervisor *s);
void proposal_committed(struct supervisor *s);
/* REPORT says why it cannot be. */
void proposal_refused(struct supervisor *s, const struct report *report);

/* Control is gone, or everybody is to go. */
void proposal_drop(struct supervisor *s);
