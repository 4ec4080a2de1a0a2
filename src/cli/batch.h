/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch — `sallyport verify --batch`: cases in x509-limbo's words, one JSON object a line, each
 * answered on a line of its own, in order. Every case goes through verify_chain, the function that
 * a handshake calls.
 *
 * What a case demands and we cannot do is a refusal where it would be a data error (an unreadable
 * certificate), and is ignored where it is a field that we do not know.
 */
#pragma once

#include "base/buf.h"

/* The answer to the case in LINE (without its newline), appended to OUT as one line. NOW_S stands
 * for a validation_time of null. Any bytes are answered. */
void batch_answer(struct bytes line, int64_t now_s, struct buf *out);

/* Answers the file at PATH ('-': standard input) on stdout; returns the exit status. */
int batch_run(const char *path, int64_t now_s);
