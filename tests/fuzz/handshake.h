/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake — a whole connection of one of our machines with a hostile peer (hostile.h), and what
 * must hold at every step of it, whatever the peer does:
 *
 *   - no handshake is complete, and no application data given or sent, unless exactly the messages
 *     of RFC 8446 §2 or RFC 5246 §7.3 were read, and the judge accepted who has to be judged;
 *   - both sides have the same keys then;
 *   - after a failure nothing is said, asked or told any more; one fatal alert at most is sent;
 *   - memory is bounded, and all of it is given back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The input: versions and resumption, certificates, network, randomness; then the tape. */
void handshake_fuzz(const uint8_t *data, size_t n, int is_server);
