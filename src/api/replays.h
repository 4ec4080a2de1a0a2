/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replays — the signatures of the writes that the API has taken, as long as their time allows them
 * to be sent again: none is taken twice.
 *
 * Bounded: if all that are remembered can still be sent again, a further write is refused rather
 * than one of them forgotten. Process: control.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

#define REPLAYS_MAX       65536
#define REPLAYS_WINDOW_S  300 /* how far a request's time may be off */
#define REPLAYS_NAME_SIZE 33

struct replays;

struct replays *replays_new(void);
void replays_free(struct replays **r);

/* What a signature is remembered, and stored, by. */
void replays_name(struct bytes signature, char out[REPLAYS_NAME_SIZE]);

enum replays_verdict { REPLAYS_NEW, REPLAYS_KNOWN, REPLAYS_FULL };
/* Remember NAME of a request of SIGNED_S, if it is new. */
enum replays_verdict replays_add(
    struct replays *r, const char *name, int64_t signed_s, int64_t now_s) MUST_USE;
