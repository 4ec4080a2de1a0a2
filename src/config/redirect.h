/* SPDX-License-Identifier: Apache-2.0 */
/* redirect — where redirects lead that name a listener instead of a URL. */
#pragma once

#include "base/error.h"
#include "config/config.h"

/* The listener that TO names; NULL: it names none, or one that C does not have. */
const struct config_listener *redirect_listener(const struct config *c, const char *to);
/* The template of a URL that TO stands for, in ARENA if it is not TO itself. */
const char *redirect_url(const struct config *c, const char *to, struct arena *arena);
/* May rules of FROM redirect to TO? 0, or -1 with what is wrong, for after the quoted text. */
int redirect_check(const struct config *c, const struct config_listener *from, const char *to,
    struct error *err) MUST_USE;
