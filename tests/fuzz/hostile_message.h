/* SPDX-License-Identifier: Apache-2.0 */
/* hostile_message — changes to a message of the machine M that is in its flight, with its header,
 * but not yet in its transcript. */
#pragma once

#include "tape.h"
#include "tls/machine.h"

/* As T says: octets, lengths, extensions, type. The binder of a ClientHello is made again. False:
 * it is taken out of the flight, as if it had never been there. */
bool hostile_message_change(struct machine *m, struct tape *t);
/* It loses E, if it has it. */
void hostile_message_without(struct machine *m, enum extension e);
/* A ClientHello loses all its key shares. */
void hostile_message_without_shares(struct machine *m);
