/* SPDX-License-Identifier: Apache-2.0 */
/* staff — the supervisor's children: who there is, what each is told first, what they say, and that
 * they are replaced. */
#pragma once

#include "role/supervisor.h"

void staff_init(struct supervisor *s);
/* They have all ended. */
void staff_fini(struct supervisor *s);

/* Call FN for each child that there could be. */
typedef void staff_fn(struct supervisor *s, struct child *c);
void staff_each(struct supervisor *s, staff_fn *fn);

/* Start the loader on the configuration. */
int staff_start_loader(struct supervisor *s, struct error *err) MUST_USE;
/* Start the signer, the logger, control and WORKERS_N workers, for the first time. */
int staff_hire(struct supervisor *s, unsigned workers_n, struct error *err) MUST_USE;
/* Start now whoever waits to be started again, whatever the pause. */
void staff_hurry(struct supervisor *s);

/* Give the workers the generation that is coming, or tell them of its fate. */
void staff_prepare(struct supervisor *s);
void staff_tell_workers(struct supervisor *s, enum message_type type, uint64_t generation);
/* Are all workers ready for GENERATION, and everybody else at work? The signer was before them. */
bool staff_is_ready_for(const struct supervisor *s, uint64_t generation);

/* What the logger and control are to know of the generation in force. */
void staff_send_log(struct supervisor *s);
void staff_send_admin(struct supervisor *s);
/* Tell control if readiness is not what it was; ALWAYS: in any case. */
void staff_send_state(struct supervisor *s, bool always);

/* Child PID has ended with STATUS (waitpid). */
void staff_ended(struct supervisor *s, pid_t pid, int status);
