/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample — the backends of `sallyport demo`: an HTTP server that tells what reached it, and a TCP
 * echo. Small, not fast, and only on 127.0.0.1.
 *
 * Process: each is a child of its own process group that ends with its parent; each connection is a
 * child of that.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

enum sample_kind { SAMPLE_HTTP, SAMPLE_ECHO };

struct sample {
    pid_t pid; /* 0: not running */
    uint16_t port;
};

/* NAME stands in what an HTTP sample answers. */
int sample_start(
    enum sample_kind kind, const char *name, struct sample *out, struct error *err) MUST_USE;
/* Ends it with all its connections, and waits for that. */
void sample_stop(struct sample *s);

/* The answer of the HTTP sample NAME to a request with this HEAD. */
void sample_answer(const char *name, struct bytes head, struct buf *out);
