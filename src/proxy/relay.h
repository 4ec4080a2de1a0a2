/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay — bytes both ways between a client and a target (TCP, TCP_SSL; HTTP after a 101), each
 * direction ending by itself (half-close).
 *
 * What passed is counted in the exchange, as content of a request and of its response.
 */
#pragma once

struct exchange;

/* Move what can be moved. */
void relay_run(struct exchange *e);
