/* SPDX-License-Identifier: Apache-2.0 */
/* document — docs/config.md, generated from config/keys.def. */
#pragma once

#include "base/buf.h"

/* Append the page, as Markdown, to OUT. */
void document_write(struct buf *out);
