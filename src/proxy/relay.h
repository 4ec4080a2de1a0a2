/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay — bytes both ways between a client and a target (TCP, TCP_SSL), each direction ending by
 * itself (half-close).
 */
#pragma once

struct conn;

/* Move what can be moved. */
void relay_run(struct conn *c);
